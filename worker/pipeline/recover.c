/*
 * recover.c - what the bucket knows and the ledger does not, taken in before anything is planned.
 *
 * Runs once for a source and target after PostgreSQL may have lost transactions (a restore, a promoted standby). Manifests
 * newer than the ledger become ledger; an object that neither a seal nor a manifest explains puts its table, alone, into a
 * new epoch.
 */
#include "pipeline/work.h"

#include "base/crash.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_A_CALL 1000
#define KEY_MAX 1100
#define SUFFIX_LENGTH 17 /* "000000000001.json" */

static int recover_tell(const Work *work, const char *function, cJSON *message, Error *error)
{
    cJSON *answer = NULL;
    int status = control_call(work->control, function, message, &answer, error);

    cJSON_Delete(message);
    cJSON_Delete(answer);
    return status;
}

static int key_keep(void *context, const SinkEntry *entry)
{
    cJSON *keys = context;

    cJSON_AddItemToArray(keys, cJSON_CreateString(entry->key));
    return cJSON_GetArraySize(keys) >= KEYS_A_CALL;
}

static int manifest_take(const Work *work, const cJSON *batch, const char *key, Error *error)
{
    cJSON *message, *manifest;
    Buffer text;

    buffer_init(&text, SMALL_OBJECT_MAX);
    if (sink_get(work->sink, key, &text, error) < 0) {
        buffer_free(&text);
        return -1;
    }
    manifest = cJSON_ParseWithLength(text.data, text.length);
    buffer_free(&text);
    if (!manifest)
        return error_set(error, ERROR_PERMANENT, "move the object away: it is not sluice's", "manifest %s is no JSON", key);
    message = work_batch_message(work, batch);
    cJSON_AddNumberToObject(message, "commit", (double)json_integer(manifest, "commit", 0));
    cJSON_AddItemToObject(message, "manifest", manifest);
    log_line(LOG_NOTICE, "adopting manifest %s, newer than the ledger", key);
    CRASH_POINT("adopt_before");
    if (recover_tell(work, "manifest_adopt", message, error) < 0)
        return -1;
    CRASH_POINT("adopt_after");
    return 0;
}

/* Manifest numbers sort as text: twelve digits. Other things below the prefix (epochs, checks) are passed over. */
static bool is_manifest(const char *key, size_t prefix_length)
{
    return strlen(key) == prefix_length + SUFFIX_LENGTH && strspn(key + prefix_length, "0123456789") == 12 &&
           strcmp(key + prefix_length + 12, ".json") == 0;
}

static int recover_manifests(const Work *work, const cJSON *batch, Error *error)
{
    const char *prefix;
    char after[KEY_MAX];
    int found = KEYS_A_CALL;

    if (json_need_text(batch, "manifest_prefix", &prefix, error) < 0)
        return -1;
    snprintf(after, sizeof after, "%s%012lld.json", prefix, (long long)json_integer(batch, "after", 0));
    while (found == KEYS_A_CALL) {
        cJSON *keys = cJSON_CreateArray();
        const cJSON *key;
        int status = sink_list(work->sink, prefix, after, key_keep, keys, error);

        found = cJSON_GetArraySize(keys);
        cJSON_ArrayForEach(key, keys) {
            if (status == 0 && is_manifest(key->valuestring, strlen(prefix)))
                status = manifest_take(work, batch, key->valuestring, error);
            snprintf(after, sizeof after, "%s", key->valuestring);
        }
        cJSON_Delete(keys);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int recover_orphans(const Work *work, const cJSON *batch, const cJSON *table, Error *error)
{
    const char *path;
    char after[KEY_MAX] = "";
    int found = KEYS_A_CALL;

    if (json_need_text(table, "path", &path, error) < 0)
        return -1;
    while (found == KEYS_A_CALL) {
        cJSON *keys = cJSON_CreateArray(), *message;
        int status = sink_list(work->sink, path, after[0] ? after : NULL, key_keep, keys, error);

        found = cJSON_GetArraySize(keys);
        if (status < 0 || found == 0) {
            cJSON_Delete(keys);
            return status;
        }
        snprintf(after, sizeof after, "%s", cJSON_GetArrayItem(keys, found - 1)->valuestring);
        message = work_batch_message(work, batch);
        cJSON_AddNumberToObject(message, "table_id", (double)json_integer(table, "table_id", 0));
        cJSON_AddItemToObject(message, "keys", keys);
        if (recover_tell(work, "objects_check", message, error) < 0)
            return -1;
    }
    return 0;
}

static int recover_one(const Work *work, const cJSON *batch, Error *error)
{
    const cJSON *table;
    int ended = 0;

    log_context("runner", json_text(json_member(work->claim, "source"), "name", NULL), NULL, json_integer(batch, "batch_id", 0));
    if (recover_manifests(work, batch, error) < 0)
        return -1;
    cJSON_ArrayForEach(table, json_member(batch, "orphans")) {
        if (recover_orphans(work, batch, table, error) < 0)
            return -1;
    }
    if (sweep_uploads(work, batch, &ended, error) < 0)
        return -1;
    CRASH_POINT("recover_before");
    if (recover_tell(work, "recover_done", work_batch_message(work, batch), error) < 0)
        return -1;
    CRASH_POINT("recover_after");
    return 0;
}

int recover_run(const Work *work, Error *error)
{
    const cJSON *batch;

    cJSON_ArrayForEach(batch, json_member(work->claim, "batches")) {
        if (recover_one(work, batch, error) < 0) {
            work_fail(work, work_tickets(batch, 1), error);
            return -1;
        }
    }
    return 0;
}
