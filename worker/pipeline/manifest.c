/* manifest.c - see manifest.h */
#include "pipeline/manifest.h"

#include "base/crash.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX 1100

static int manifest_key(const Work *work, int64_t commit, char key[KEY_MAX], Error *error)
{
    const char *prefix;

    if (json_need_text(work->claim, "manifest_prefix", &prefix, error) < 0)
        return -1;
    if (snprintf(key, KEY_MAX, "%s%012lld.json", prefix, (long long)commit) >= KEY_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "the key of manifest %lld is too long", (long long)commit);
    return 0;
}

static void member_copy(cJSON *to, const cJSON *from, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(from, name);

    cJSON_AddItemToObject(to, name, member ? cJSON_Duplicate(member, true) : cJSON_CreateNull());
}

static cJSON *manifest_batch(const Landing *landing)
{
    static const char *const copied[] = {"batch_id", "table_id", "table", "epoch", "incarnation", "work", "from", "to", "job_id", "range"};
    cJSON *entry = cJSON_CreateObject();

    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        member_copy(entry, landing->batch, copied[i]);
    cJSON_AddNumberToObject(entry, "schema_version", (double)json_integer(json_member(landing->batch, "schema"), "version", 0));
    if (landing->position[0])
        cJSON_AddStringToObject(entry, "position", landing->position);
    if (landing->position_after[0])
        cJSON_AddStringToObject(entry, "position_after", landing->position_after);
    cJSON_AddItemToObject(entry, "files", cJSON_Duplicate(landing->files, true));
    if (landing_nulled(landing))
        cJSON_AddNumberToObject(entry, "nulled", (double)landing_nulled(landing));
    if (landing->announced)
        cJSON_AddItemToObject(entry, "announced", cJSON_Duplicate(landing->announced, true));
    return entry;
}

/* Control rows are drawn with the commit number and kept, so whoever put the object under this key put the same rows. */
static int control_put(const Work *work, const cJSON *sealed, cJSON **ret, Error *error)
{
    const cJSON *rows = json_member(sealed, "control"), *row;
    const char *key;
    char attempt[33];
    SinkOutcome outcome;
    Buffer lines;
    int status = -1;

    *ret = NULL;
    if (cJSON_GetArraySize(rows) == 0)
        return 0;
    if (json_need_text(sealed, "control_key", &key, error) < 0 || work_attempt(attempt, error) < 0)
        return -1;
    buffer_init(&lines, SMALL_OBJECT_MAX);
    cJSON_ArrayForEach(row, rows) {
        char *text = cJSON_PrintUnformatted(row);

        status = text ? buffer_format(&lines, error, "%s\n", text) : error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
        cJSON_free(text);
        if (status < 0)
            goto done;
    }
    CRASH_POINT("control_before");
    status = sink_put(work->sink, key, attempt, lines.data, lines.length, &outcome, error);
    CRASH_POINT("control_after");
    if (status == 0) {
        *ret = cJSON_CreateObject();
        cJSON_AddStringToObject(*ret, "key", key);
        cJSON_AddNumberToObject(*ret, "bytes", (double)lines.length);
        cJSON_AddNumberToObject(*ret, "rows", cJSON_GetArraySize(rows));
    }
done:
    buffer_free(&lines);
    return status;
}

static int manifest_get(const Work *work, const char *key, cJSON **ret, Error *error)
{
    Buffer text;
    int status;

    buffer_init(&text, SMALL_OBJECT_MAX);
    status = sink_get(work->sink, key, &text, error);
    if (status == 0) {
        *ret = cJSON_ParseWithLength(text.data, text.length);
        if (!*ret)
            status = error_set(error, ERROR_PERMANENT, "move the object away: it is not sluice's", "manifest %s is no JSON", key);
    }
    buffer_free(&text);
    return status;
}

/* Batch numbers of two registries may be equal; epochs of one table, claimed in the bucket, never are. */
static bool entry_is(const cJSON *entry, const cJSON *batch)
{
    static const char *const compared[] = {"batch_id", "table", "epoch", "from", "to", "job_id", "range"};

    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        const cJSON *left = cJSON_GetObjectItemCaseSensitive(entry, compared[i]), *right = cJSON_GetObjectItemCaseSensitive(batch, compared[i]);

        if ((left && !cJSON_IsNull(left)) != (right && !cJSON_IsNull(right)) || (left && !cJSON_IsNull(left) && !cJSON_Compare(left, right, true)))
            return false;
    }
    return true;
}

/* The message of batch_commit from a manifest: our tickets, its figures. A batch it does not name means that another registry
 * writes here. */
static int commit_message(const Work *work, const cJSON *manifest, int64_t commit, cJSON **ret, Error *error)
{
    cJSON *message = work_message(work), *list;
    const cJSON *entry, *batch;

    cJSON_AddNumberToObject(message, "source_id", (double)json_integer(json_member(work->claim, "source"), "id", 0));
    cJSON_AddNumberToObject(message, "target_id", (double)json_integer(json_member(work->claim, "target"), "id", 0));
    if (commit)
        cJSON_AddNumberToObject(message, "commit", (double)commit);
    member_copy(message, manifest, "control");
    list = cJSON_AddArrayToObject(message, "batches");
    cJSON_ArrayForEach(entry, json_member(manifest, "batches")) {
        cJSON *done = NULL;

        cJSON_ArrayForEach(batch, json_member(work->claim, "batches")) {
            if (entry_is(entry, batch))
                done = work_ticket(batch);
        }
        if (!done) {
            cJSON_Delete(message);
            return error_set_code(error, ERROR_PERMANENT, FOREIGN_OBJECT,
                             "another registry writes below this prefix: give one of them a prefix of its own; or this one was restored from a "
                             "backup: SELECT sluice.take_over();",
                             "manifest %lld names batch %lld, which this worker does not hold", (long long)commit,
                             (long long)json_integer(entry, "batch_id", 0));
        }
        member_copy(done, entry, "position");
        member_copy(done, entry, "position_after");
        member_copy(done, entry, "files");
        member_copy(done, entry, "announced");
        if (json_member(entry, "nulled"))
            member_copy(done, entry, "nulled");
        cJSON_AddItemToArray(list, done);
    }
    *ret = message;
    return 0;
}

static int manifest_tell(const Work *work, const cJSON *manifest, int64_t commit, Error *error)
{
    cJSON *message = NULL, *answer = NULL;
    int status;

    if (commit_message(work, manifest, commit, &message, error) < 0)
        return -1;
    CRASH_POINT("commit_before");
    status = control_call(work->control, "batch_commit", message, &answer, error);
    CRASH_POINT("commit_after");
    cJSON_Delete(message);
    cJSON_Delete(answer);
    return status;
}

/* Puts the manifest; where one stands already, that one replaces ours in *manifest. */
static int manifest_put(const Work *work, int64_t commit, cJSON **manifest, Error *error)
{
    char key[KEY_MAX], attempt[33];
    char *text = cJSON_PrintUnformatted(*manifest);
    SinkOutcome outcome;
    cJSON *standing = NULL;
    int status = -1;

    if (!text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    if (manifest_key(work, commit, key, error) == 0 && work_attempt(attempt, error) == 0) {
        CRASH_POINT("manifest_before");
        status = sink_put(work->sink, key, attempt, text, strlen(text), &outcome, error);
        CRASH_POINT("manifest_after");
    }
    cJSON_free(text);
    if (status < 0 || outcome == SINK_CREATED)
        return status;
    if (manifest_get(work, key, &standing, error) < 0)
        return -1;
    log_line(LOG_NOTICE, "manifest %s stands already and is taken as it is", key);
    cJSON_Delete(*manifest);
    *manifest = standing;
    return 0;
}

int manifest_commit(const Work *work, Landing *const *landings, int count, const cJSON *sealed, Error *error)
{
    int64_t commit = json_integer(sealed, "commit", 0);
    cJSON *manifest = cJSON_CreateObject(), *list, *control = NULL;
    int status;

    cJSON_AddNumberToObject(manifest, "version", 1);
    cJSON_AddStringToObject(manifest, "source", json_text(json_member(work->claim, "source"), "name", ""));
    cJSON_AddStringToObject(manifest, "target", json_text(json_member(work->claim, "target"), "name", ""));
    cJSON_AddNumberToObject(manifest, "commit", (double)commit);
    list = cJSON_AddArrayToObject(manifest, "batches");
    for (int i = 0; i < count; i++)
        cJSON_AddItemToArray(list, manifest_batch(landings[i]));
    status = commit ? control_put(work, sealed, &control, error) : 0;
    cJSON_AddItemToObject(manifest, "control", control ? control : cJSON_CreateNull());
    if (status == 0 && commit)
        status = manifest_put(work, commit, &manifest, error);
    if (status == 0)
        status = manifest_tell(work, manifest, commit, error);
    cJSON_Delete(manifest);
    return status;
}

int manifest_read(const Work *work, int64_t commit, cJSON **ret, Error *error)
{
    char key[KEY_MAX];

    return manifest_key(work, commit, key, error) < 0 ? -1 : manifest_get(work, key, ret, error);
}

int manifest_resume(const Work *work, int64_t commit, bool *done, Error *error)
{
    char key[KEY_MAX];
    cJSON *manifest = NULL;
    int status;

    *done = false;
    if (manifest_key(work, commit, key, error) < 0)
        return -1;
    status = manifest_get(work, key, &manifest, error);
    if (status < 0)
        return error->kind == ERROR_GONE ? 0 : -1;
    log_line(LOG_INFO, "manifest %s stands: its commit is completed", key);
    status = manifest_tell(work, manifest, commit, error);
    cJSON_Delete(manifest);
    *done = status == 0;
    return status;
}
