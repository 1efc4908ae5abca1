/*
 * sink_check.c - the doctor of targets: what the protocol needs of a target is tried, step by step; see sink.h
 *
 * The steps that matter most are the second writes: a server that ignores `If-None-Match: *` overwrites in silence, and only
 * trying shows it.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "sink/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CHECK_TRIES 2 /* a person waits */

#define KEYS 3

typedef struct Check {
    Sink *sink;
    const char *kind;
    const cJSON *options;
    const SinkSecret *secret;
    Beat beat;
    char folder[512];      /* ends with "/" */
    char keys[KEYS][600];  /* one that is put, one that is uploaded, one whose upload is aborted */
    char attempt[KEYS][33];
    char found[SINK_FOUND_MAX]; /* what was found where no call failed; "" = as wanted */
    int64_t ms;            /* how long the step took, where it says so itself */
    bool over;             /* what follows cannot be tried */
    bool put, uploaded;    /* what was written */
} Check;

enum { PUT_KEY, UPLOADED_KEY, FENCED_KEY };

typedef struct Step {
    const char *name;
    const char *wanted;
    const char *right;     /* that S3 asks for */
    int (*run)(Check *check, Error *error); /* 1: not as wanted, check->found says how */
    int needs;             /* 0 nothing, else the object that is put or uploaded */
    bool warns;            /* without it everything works */
} Step;

static int attempt_draw(char ret[33], Error *error)
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set(error, ERROR_INTERNAL, NULL, "no random bytes");
    hex_encode(bytes, sizeof bytes, ret);
    ret[32] = '\0';
    return 0;
}

static int first_key(void *context, const SinkEntry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

static int open_run(Check *check, Error *error)
{
    check->over = sink_open(check->kind, check->options, check->secret, check->beat, &check->sink, error) < 0;
    return check->over ? -1 : 0;
}

/* The first request: it tells whether the target takes our credentials at all. Where only a right is missing, others are tried. */
static int list_run(Check *check, Error *error)
{
    int result = sink_list(check->sink, check->folder, NULL, first_key, NULL, error);

    check->over = result < 0 && !strstr(error->message, "AccessDenied");
    return result;
}

static int missing_run(Check *check, Error *error)
{
    SinkHead head;

    if (sink_head(check->sink, check->keys[PUT_KEY], &head, error) < 0)
        return -1;
    if (!head.exists)
        return 0;
    snprintf(check->found, sizeof check->found, "an object of a random name is there");
    return 1;
}

static int put(Check *check, int attempt, SinkOutcome *outcome, Error *error)
{
    return sink_put(check->sink, check->keys[PUT_KEY], check->attempt[attempt], check->attempt[attempt], 32, outcome, error);
}

static int put_run(Check *check, Error *error)
{
    SinkOutcome outcome;

    if (put(check, 0, &outcome, error) < 0)
        return -1;
    check->put = true;
    if (outcome == SINK_CREATED)
        return 0;
    snprintf(check->found, sizeof check->found, "an object of this random name stands there already");
    return 1;
}

static int overwritten(Check *check, SinkOutcome outcome, const char *what)
{
    if (outcome == SINK_EXISTS)
        return 0;
    snprintf(check->found, sizeof check->found, "%s overwrote an object: the server ignores If-None-Match", what);
    return 1;
}

static int conditional_put_run(Check *check, Error *error)
{
    SinkOutcome outcome;

    if (put(check, 1, &outcome, error) < 0)
        return -1;
    return overwritten(check, outcome, "a second put");
}

/* An upload of `key`, all parts there, ready to be completed. */
static int upload_begin(Check *check, const char *key, int attempt, SinkObject **ret, Error *error)
{
    SinkObject *object;

    if (sink_object_begin(check->sink, key, check->attempt[attempt], &object, error) < 0)
        return -1;
    if (sink_object_write(object, check->attempt[attempt], 32, error) < 0 ||
        (check->sink->kind->part_end && check->sink->kind->part_end(object, error) < 0) || sink_object_prepare(object, error) < 0) {
        sink_object_close(object);
        return -1;
    }
    *ret = object;
    return 0;
}

static int upload(Check *check, int attempt, SinkOutcome *outcome, Error *error)
{
    SinkObject *object;
    SinkHead head;
    int result;

    if (upload_begin(check, check->keys[UPLOADED_KEY], attempt, &object, error) < 0)
        return -1;
    result = sink_objects_complete(check->sink, &object, 1, outcome, &head, error);
    sink_object_close(object);
    return result;
}

static int multipart_run(Check *check, Error *error)
{
    SinkOutcome outcome;

    if (upload(check, 0, &outcome, error) < 0)
        return -1;
    check->uploaded = true;
    if (outcome == SINK_CREATED)
        return 0;
    snprintf(check->found, sizeof check->found, "an upload of a random name was refused as if it were there");
    return 1;
}

static int conditional_complete_run(Check *check, Error *error)
{
    SinkOutcome outcome;

    if (upload(check, 1, &outcome, error) < 0)
        return -1;
    return overwritten(check, outcome, "completing a second upload");
}

static int get_run(Check *check, Error *error)
{
    Buffer found;
    int result;

    buffer_init(&found, KIB(64));
    result = sink_get(check->sink, check->keys[PUT_KEY], &found, error);
    if (result == 0 && (found.length != 32 || memcmp(found.data, check->attempt[0], 32) != 0)) {
        snprintf(check->found, sizeof check->found, "%zu bytes that are not those first written", found.length);
        result = 1;
    }
    buffer_free(&found);
    return result;
}

/* An aborted upload must not become visible any more: this is what stops a worker that has lost its lease. */
static int abort_run(Check *check, Error *error)
{
    SinkObject *object;
    SinkOutcome outcome;
    SinkHead head;
    int result;

    if (upload_begin(check, check->keys[FENCED_KEY], 2, &object, error) < 0)
        return -1;
    result = sink_uploads_abort(check->sink, check->keys[FENCED_KEY], error);
    if (result == 0) {
        result = sink_objects_complete(check->sink, &object, 1, &outcome, &head, error);
        if (result < 0 && error->kind == ERROR_FENCED) {
            result = 0;
        } else if (result == 0) {
            snprintf(check->found, sizeof check->found, "an aborted upload became an object");
            result = 1;
        }
    }
    sink_object_close(object);
    return result;
}

static int delete_run(Check *check, Error *error)
{
    int result = 0;

    for (int i = 0; i < KEYS; i++) {
        if (result == 0)
            result = sink_remove(check->sink, check->keys[i], error);
    }
    return result;
}

enum { NEEDS_PUT = 1, NEEDS_UPLOADED };

static const Step steps[] = {
    {"list", "keys can be listed with our credentials", "s3:ListBucket on the bucket", list_run, 0, false},
    {"missing key", "a key that is not there is told apart from one that is forbidden",
     "s3:ListBucket on the bucket, by a condition that a request without a prefix meets too (without it S3 answers 403 in place of 404), and s3:GetObject",
     missing_run, 0, false},
    {"put", "an object can be written", "s3:PutObject below the prefix (and s3:PutObjectTagging, s3:PutObjectAcl, kms:GenerateDataKey for tags, acl, sse aws:kms)",
     put_run, 0, false},
    {"conditional put", "a second put of the same key is refused", "s3:PutObject and s3:GetObject below the prefix", conditional_put_run, NEEDS_PUT, false},
    {"multipart", "an upload in parts becomes an object", "s3:PutObject below the prefix (and kms:Decrypt, kms:GenerateDataKey for sse aws:kms)", multipart_run, 0,
     false},
    {"conditional complete", "a second upload of the same key is refused", "s3:PutObject and s3:GetObject below the prefix", conditional_complete_run, NEEDS_UPLOADED,
     false},
    {"get", "the object reads back equal", "s3:GetObject below the prefix (and kms:Decrypt for sse aws:kms)", get_run, NEEDS_PUT, false},
    {"abort", "an upload that was aborted cannot be completed", "s3:ListBucketMultipartUploads on the bucket and s3:AbortMultipartUpload below the prefix", abort_run, 0,
     false},
    {"delete", "what this check wrote can be removed", "s3:DeleteObject below the prefix, in _sluice/check/; without it those objects stay", delete_run, 0, true},
};

static const Step open_step = {"open", "the options make sense", "", open_run, 0, false};

/* A right is missing, by S3's word or, to a HEAD, without one; nothing else that is 403 (signature, key, clock). */
static bool is_denied(const Error *failure)
{
    return strcmp(failure->code, "403") == 0 && (strstr(failure->message, "AccessDenied") || strncmp(failure->message, "HeadObject", 10) == 0);
}

static int step_add(cJSON *answer, const Check *check, const Step *step, int result, const Error *failure, int64_t ms)
{
    cJSON *row = cJSON_CreateObject();
    char found[700], wanted[800];
    bool denied = result < 0 && step->right[0] && is_denied(failure);

    if (!row || !cJSON_AddItemToArray(answer, row))
        return -1;
    snprintf(found, sizeof found, "%s", result == 2 ? "not tried" : check->found[0] ? check->found : "as wanted");
    snprintf(wanted, sizeof wanted, "%s", step->wanted);
    if (result < 0) {
        snprintf(found, sizeof found, "%s%s%s%s", failure->message, failure->code[0] ? " (" : "", failure->code, failure->code[0] ? ")" : "");
        /* A hint of AccessDenied names all rights: this step knows its own. */
        if (denied)
            snprintf(wanted, sizeof wanted, "the right %s", step->right);
        else if (failure->hint[0])
            snprintf(wanted, sizeof wanted, "%s", failure->hint);
    }
    cJSON_AddStringToObject(row, "check", step->name);
    cJSON_AddStringToObject(row, "object", check->keys[PUT_KEY]);
    cJSON_AddBoolToObject(row, "ok", result == 0);
    cJSON_AddStringToObject(row, "severity", result == 0 ? "info" : step->warns ? "warning" : "error");
    cJSON_AddStringToObject(row, "found", found);
    cJSON_AddStringToObject(row, "wanted", wanted);
    cJSON_AddNullToObject(row, "fix_sql");
    if (denied)
        cJSON_AddStringToObject(row, "right", step->right);
    cJSON_AddNumberToObject(row, "ms", (double)ms);
    cJSON_AddBoolToObject(row, "skipped", result == 2);
    return 0;
}

static bool step_skipped(const Check *check, const Step *step)
{
    return check->over || (step->needs == NEEDS_PUT && !check->put) || (step->needs == NEEDS_UPLOADED && !check->uploaded);
}

static int step_done(Check *check, cJSON *answer, const Step *step, int result, const Error *failure, int64_t ms, Error *error)
{
    if (result < 0 && failure->kind == ERROR_INTERRUPTED) {
        *error = *failure;
        return -1;
    }
    if (step_add(answer, check, step, result, failure, ms) < 0)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the answer of a check");
    return 0;
}

static int step_run(Check *check, cJSON *answer, const Step *step, Error *error)
{
    int64_t begin = clock_monotonic_ms();
    Error failure = {.kind = ERROR_INTERNAL};
    int result;

    check->found[0] = '\0';
    result = step_skipped(check, step) ? 2 : step->run(check, &failure);
    return step_done(check, answer, step, result, &failure, clock_monotonic_ms() - begin, error);
}

/* The way to the target, where its kind has one. */
static int connect_run(Check *check, cJSON *answer, Error *error)
{
    const SinkKind *kind = check->sink->kind;

    for (int i = 0; kind->connect_steps && kind->connect_steps[i]; i++) {
        Step step = {kind->connect_steps[i], "as found", "", NULL, 0, false};
        int64_t begin = clock_monotonic_ms(), ms = -1;
        Error failure = {.kind = ERROR_INTERNAL};
        int result = 2;

        check->found[0] = '\0';
        if (!check->over)
            result = kind->connect_run(check->sink, i, check->found, &ms, &failure);
        check->over |= result < 0;
        if (step_done(check, answer, &step, result, &failure, ms >= 0 ? ms : clock_monotonic_ms() - begin, error) < 0)
            return -1;
    }
    return 0;
}

static int steps_run(Check *check, cJSON *answer, Error *error)
{
    if (step_run(check, answer, &open_step, error) < 0 || (!check->over && connect_run(check, answer, error) < 0))
        return -1;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (step_run(check, answer, &steps[i], error) < 0)
            return -1;
    }
    return 0;
}

static int check_prepare(Check *check, const char *prefix, cJSON *options, Error *error)
{
    size_t length = prefix ? strlen(prefix) : 0;
    bool slash = length && prefix[length - 1] != '/';
    char attempt[sizeof check->attempt[0]]; /* gcc at -O1 takes one member of *check for a part of another */

    if (!options)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the options of a target");
    if (length > 400)
        return error_set(error, ERROR_PERMANENT, "Choose a shorter prefix.", "the prefix has %zu bytes", length);
    cJSON_DeleteItemFromObjectCaseSensitive(options, "tries");
    cJSON_AddNumberToObject(options, "tries", CHECK_TRIES);
    snprintf(check->folder, sizeof check->folder, "%s%s_sluice/check/", prefix ? prefix : "", slash ? "/" : "");
    for (int i = 0; i < KEYS; i++) {
        if (attempt_draw(attempt, error) < 0)
            return -1;
        memcpy(check->attempt[i], attempt, sizeof attempt);
        snprintf(check->keys[i], sizeof check->keys[i], "%s%s", check->folder, attempt);
    }
    return 0;
}

int sink_check(const char *kind, const cJSON *options, const SinkSecret *secret, Beat beat, const char *prefix, cJSON **answer,
               Error *error)
{
    cJSON *copy = options ? cJSON_Duplicate(options, true) : cJSON_CreateObject();
    cJSON *rows = cJSON_CreateArray();
    Check check = {.kind = kind, .options = copy, .secret = secret, .beat = beat};
    int result = check_prepare(&check, prefix, copy, error);

    if (result == 0 && !rows)
        result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the answer of a check");
    if (result == 0)
        result = steps_run(&check, rows, error);
    sink_close(check.sink);
    cJSON_Delete(copy);
    if (result < 0)
        cJSON_Delete(rows);
    else
        *answer = rows;
    return result;
}
