/*
 * verify.c - tells the control plane what stands below a table's folder, page by page; SQL compares (sql/77_verify.sql).
 *
 * Days that have left the ledger are told first, from the manifests. However many objects there are, one page is held.
 */
#include "pipeline/manifest.h"
#include "pipeline/walk.h"

#include "base/crash.h"

#include <stdio.h>
#include <string.h>

#define MANIFESTS_A_CALL 100

static bool entry_is_ours(const cJSON *entry, const cJSON *batch)
{
    return json_integer(entry, "table_id", 0) == json_integer(batch, "table_id", -1) &&
           strcmp(json_text(entry, "table", ""), json_text(batch, "table", "")) == 0;
}

/* The table's part of one manifest goes into `entries`; *files counts what they hold. A number that was drawn and never used has none. */
static int manifest_take(const Work *work, const cJSON *batch, int64_t commit, cJSON *entries, int *files, Error *error)
{
    cJSON *manifest = NULL, *list;
    int status = manifest_read(work, commit, &manifest, error);

    if (status < 0)
        return error->kind == ERROR_GONE ? 0 : -1;
    list = cJSON_GetObjectItemCaseSensitive(manifest, "batches");
    for (cJSON *entry = list ? list->child : NULL, *next; entry; entry = next) {
        next = entry->next;
        if (!entry_is_ours(entry, batch))
            continue;
        *files += cJSON_GetArraySize(json_member(entry, "files"));
        cJSON_AddItemToArray(entries, cJSON_DetachItemViaPointer(list, entry));
    }
    cJSON_Delete(manifest);
    return 0;
}

static int manifests_tell(const Work *work, const cJSON *batch, bool *yield, Error *error)
{
    const cJSON *manifests = json_member(batch, "manifests");
    int64_t commit = json_integer(manifests, "after", 0), last = json_integer(manifests, "last", 0);

    while (manifests && commit < last && !*yield) {
        cJSON *message = work_batch_message(work, batch), *entries = cJSON_AddArrayToObject(message, "batches");
        int files = 0;

        for (int n = 0; n < MANIFESTS_A_CALL && commit < last && files < WALK_PAGE_OBJECTS; n++) {
            if (manifest_take(work, batch, ++commit, entries, &files, error) < 0) {
                cJSON_Delete(message);
                return -1;
            }
        }
        cJSON_AddNumberToObject(message, "commit", (double)commit);
        if (walk_tell(work, "verify_manifests", message, yield, error) < 0)
            return -1;
    }
    return 0;
}

/* Where a listing does not tell objects apart by their ETag, the attempt that an object carries does. */
static int attempts_add(const Work *work, cJSON *page, Error *error)
{
    SinkHead head;
    cJSON *entry;

    cJSON_ArrayForEach(entry, page) {
        if (json_text(entry, "etag", "")[0])
            continue;
        if (work_target(sink_head(work->sink, json_text(entry, "key", ""), &head, error), error) < 0)
            return -1;
        if (head.exists)
            cJSON_AddStringToObject(entry, "attempt", head.attempt);
    }
    return 0;
}

static int objects_tell(const Work *work, const cJSON *batch, bool *yield, Error *error)
{
    const char *path;
    char after[1100];
    bool end = false;

    if (json_need_text(batch, "path", &path, error) < 0)
        return -1;
    snprintf(after, sizeof after, "%s", json_text(batch, "after", ""));
    while (!end && !*yield) {
        cJSON *page, *message;

        if (walk_page(work, path, after, &page, error) < 0)
            return -1;
        if (attempts_add(work, page, error) < 0) {
            cJSON_Delete(page);
            return -1;
        }
        end = cJSON_GetArraySize(page) < WALK_PAGE_OBJECTS;
        if (!end)
            memcpy(after, walk_last(page), strlen(walk_last(page)) + 1);
        message = work_batch_message(work, batch);
        cJSON_AddStringToObject(message, "upto", after);
        cJSON_AddBoolToObject(message, "end", end);
        cJSON_AddItemToObject(message, "entries", page);
        CRASH_POINT("verify_page");
        if (walk_tell(work, "verify_store", message, yield, error) < 0)
            return -1;
    }
    return 0;
}

static int verify_one(const Work *work, const cJSON *batch, Error *error)
{
    bool yield = false;

    if (manifests_tell(work, batch, &yield, error) < 0 || (!yield && objects_tell(work, batch, &yield, error) < 0))
        return -1;
    if (yield)
        walk_yield(work, batch);
    return 0;
}

int verify_run(const Work *work, Error *error)
{
    return walk_run(work, verify_one, error);
}
