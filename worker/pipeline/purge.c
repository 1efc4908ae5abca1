/*
 * purge.c - removes the objects of epochs that the control plane says are gone (sql/78_purge.sql), one epoch after another.
 *
 * Keys are noted as purged before their objects go, so that a crash between leaves nothing the ledger takes for landed; the folder
 * is listed again from its start then, and what is gone is not in it.
 */
#include "pipeline/walk.h"

#include "base/crash.h"

#include <string.h>

static int keys_remove(const Work *work, const cJSON *keys, Error *error)
{
    const cJSON *key;

    cJSON_ArrayForEach(key, keys) {
        if (!cJSON_IsString(key))
            continue;
        if (work_target(sink_remove(work->sink, key->valuestring, error), error) < 0)
            return -1;
        CRASH_POINT("purge_removed");
    }
    return 0;
}

/* Which of a page's objects are the epoch's is the control plane's to say: a folder may hold other epochs and what is not ours. */
static int page_purge(const Work *work, const cJSON *batch, int64_t epoch, cJSON *page, bool *yield, Error *error)
{
    cJSON *message = work_batch_message(work, batch), *answer = NULL;
    int status;

    cJSON_AddNumberToObject(message, "epoch", (double)epoch);
    cJSON_AddItemToObject(message, "entries", page);
    status = control_call(work->control, "purge_mark", message, &answer, error);
    cJSON_Delete(message);
    if (status == 0) {
        CRASH_POINT("purge_marked");
        /* The next try begins with the first page again: it must have become shorter. */
        *yield = cJSON_GetArraySize(json_member(answer, "keys")) > 0 && json_boolean(answer, "yield", false);
        status = keys_remove(work, json_member(answer, "keys"), error);
    }
    cJSON_Delete(answer);
    return status;
}

static int epoch_purge(const Work *work, const cJSON *batch, const cJSON *place, bool *yield, Error *error)
{
    const int64_t epoch = json_integer(place, "epoch", 0);
    const char *prefix;
    char after[1100] = "";
    int found = WALK_PAGE_OBJECTS;

    if (json_need_text(place, "prefix", &prefix, error) < 0)
        return -1;
    while (found == WALK_PAGE_OBJECTS && !*yield) {
        cJSON *page;

        if (walk_page(work, prefix, after, &page, error) < 0)
            return -1;
        found = cJSON_GetArraySize(page);
        memcpy(after, walk_last(page), strlen(walk_last(page)) + 1);
        if (page_purge(work, batch, epoch, page, yield, error) < 0)
            return -1;
    }
    return 0;
}

/* Asks for the next epoch, once `emptied` (0 = none yet) is; *answer is the caller's. */
static int epoch_ask(const Work *work, const cJSON *batch, int64_t emptied, cJSON **answer, Error *error)
{
    cJSON *message = work_batch_message(work, batch);
    int status;

    if (emptied)
        cJSON_AddNumberToObject(message, "emptied", (double)emptied);
    status = control_call(work->control, "purge_next", message, answer, error);
    cJSON_Delete(message);
    return status;
}

static int purge_one(const Work *work, const cJSON *batch, Error *error)
{
    int64_t epoch = 0;
    bool yield = false;

    for (;;) {
        cJSON *answer = NULL;
        int status = epoch_ask(work, batch, epoch, &answer, error);

        epoch = json_integer(answer, "epoch", 0);
        if (status == 0 && epoch)
            status = epoch_purge(work, batch, answer, &yield, error);
        cJSON_Delete(answer);
        if (status < 0 || !epoch)
            return status;
        if (yield) {
            walk_yield(work, batch);
            return 0;
        }
    }
}

int purge_run(const Work *work, Error *error)
{
    return walk_run(work, purge_one, error);
}
