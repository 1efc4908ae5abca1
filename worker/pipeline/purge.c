/*
 * purge.c - removes the objects of epochs that the control plane says are gone (sql/78_purge.sql), one epoch after another.
 *
 * Keys are noted as purged before their objects go, so that a crash between leaves nothing the ledger takes for landed; the folder
 * is listed again from its start then, and what is gone is not in it.
 */
#include "pipeline/walk.h"

#include "base/crash.h"

#include <string.h>

static int page_remove(const Work *work, const cJSON *page, Error *error)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, page) {
        if (work_target(sink_remove(work->sink, json_text(entry, "key", ""), error), error) < 0)
            return -1;
        CRASH_POINT("purge_removed");
    }
    return 0;
}

static int page_purge(const Work *work, const cJSON *batch, int64_t epoch, const cJSON *page, bool *yield, Error *error)
{
    cJSON *message = work_batch_message(work, batch);

    cJSON_AddNumberToObject(message, "epoch", (double)epoch);
    cJSON_AddItemToObject(message, "entries", cJSON_Duplicate(page, true));
    if (walk_tell(work, "purge_mark", message, yield, error) < 0)
        return -1;
    CRASH_POINT("purge_marked");
    return page_remove(work, page, error);
}

/* Where the objects of other epochs stand below the same prefix, ours are those whose names say so. */
static void page_keep(cJSON *page, const char *mark)
{
    cJSON *entry = page->child, *next;

    for (; entry; entry = next) {
        next = entry->next;
        if (!strstr(json_text(entry, "key", ""), mark))
            cJSON_Delete(cJSON_DetachItemViaPointer(page, entry));
    }
}

static int epoch_purge(const Work *work, const cJSON *batch, const cJSON *place, bool *yield, Error *error)
{
    const int64_t epoch = json_integer(place, "epoch", 0);
    const char *prefix, *mark = json_text(place, "mark", NULL);
    char after[1100] = "";
    int found = WALK_PAGE_OBJECTS;

    if (json_need_text(place, "prefix", &prefix, error) < 0)
        return -1;
    while (found == WALK_PAGE_OBJECTS && !*yield) {
        cJSON *page;
        int status = walk_page(work, prefix, after, &page, error);

        if (status < 0)
            return -1;
        found = cJSON_GetArraySize(page);
        memcpy(after, walk_last(page), strlen(walk_last(page)) + 1);
        if (mark)
            page_keep(page, mark);
        status = page->child ? page_purge(work, batch, epoch, page, yield, error) : 0;
        cJSON_Delete(page);
        if (status < 0)
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
