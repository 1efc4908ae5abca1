/* walk.c - see walk.h */
#include "pipeline/walk.h"

#include "base/log.h"

static int entry_keep(void *context, const SinkEntry *entry)
{
    cJSON *page = context, *kept = cJSON_CreateObject();

    cJSON_AddStringToObject(kept, "key", entry->key);
    cJSON_AddNumberToObject(kept, "bytes", (double)entry->bytes);
    cJSON_AddStringToObject(kept, "etag", entry->etag);
    cJSON_AddItemToArray(page, kept);
    return cJSON_GetArraySize(page) >= WALK_PAGE_OBJECTS;
}

int walk_page(const Work *work, const char *prefix, const char *after, cJSON **ret, Error *error)
{
    cJSON *page = cJSON_CreateArray();

    if (work_target(sink_list(work->sink, prefix, after[0] ? after : NULL, entry_keep, page, error), error) < 0) {
        cJSON_Delete(page);
        return -1;
    }
    *ret = page;
    return 0;
}

const char *walk_last(const cJSON *page)
{
    return json_text(cJSON_GetArrayItem(page, cJSON_GetArraySize(page) - 1), "key", "");
}

int walk_tell(const Work *work, const char *function, cJSON *message, bool *yield, Error *error)
{
    cJSON *answer = NULL;
    int status = control_call(work->control, function, message, &answer, error);

    cJSON_Delete(message);
    if (status == 0)
        *yield = json_boolean(answer, "yield", false);
    cJSON_Delete(answer);
    return status;
}

void walk_yield(const Work *work, const cJSON *batch)
{
    Error released;

    error_set(&released, ERROR_INTERRUPTED, NULL, "gives way to other work");
    work_fail(work, work_tickets(batch, 1), &released);
}

int walk_run(const Work *work, int (*one)(const Work *work, const cJSON *batch, Error *error), Error *error)
{
    const cJSON *batches = json_member(work->claim, "batches"), *batch = batches ? batches->child : NULL;

    if (!batch)
        return 0;
    log_context("runner", NULL, json_text(batch, "table", NULL), json_integer(batch, "batch_id", 0));
    if (one(work, batch, error) == 0)
        return 0;
    work_excuse(error);
    work_fail(work, work_tickets(batch, 1), error);
    return -1;
}
