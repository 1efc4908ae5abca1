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

typedef struct Check {
    Sink *sink;
    const char *kind;
    const cJSON *options;
    const SinkSecret *secret;
    Beat beat;
    char folder[512];  /* ends with "/" */
    char object[600];  /* the key that is written */
    char fenced[600];  /* the key whose upload is aborted */
    char attempt[3][33];
    char wrong[160];   /* what was found where no call failed */
    bool written;
} Check;

typedef struct Step {
    const char *name;
    const char *wanted;
    int (*run)(Check *check, Error *error); /* 1: not as wanted, check->wrong says how */
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

static int reach_run(Check *check, Error *error)
{
    SinkHead head;

    if (sink_open(check->kind, check->options, check->secret, check->beat, &check->sink, error) < 0)
        return -1;
    return sink_head(check->sink, check->object, &head, error);
}

static int first_key(void *context, const SinkEntry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

static int list_run(Check *check, Error *error)
{
    return sink_list(check->sink, check->folder, NULL, first_key, NULL, error);
}

static int put(Check *check, int attempt, SinkOutcome *outcome, Error *error)
{
    return sink_put(check->sink, check->object, check->attempt[attempt], check->attempt[attempt], 32, outcome, error);
}

static int put_run(Check *check, Error *error)
{
    SinkOutcome outcome;

    if (put(check, 0, &outcome, error) < 0)
        return -1;
    check->written = true;
    if (outcome == SINK_CREATED)
        return 0;
    snprintf(check->wrong, sizeof check->wrong, "an object of this random name stands there already");
    return 1;
}

static int overwritten(Check *check, SinkOutcome outcome, const char *what)
{
    if (outcome == SINK_EXISTS)
        return 0;
    snprintf(check->wrong, sizeof check->wrong, "%s overwrote an object: the server ignores If-None-Match", what);
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

static int conditional_complete_run(Check *check, Error *error)
{
    SinkObject *object;
    SinkOutcome outcome;
    SinkHead head;
    int result;

    if (upload_begin(check, check->object, 2, &object, error) < 0)
        return -1;
    result = sink_objects_complete(check->sink, &object, 1, &outcome, &head, error);
    sink_object_close(object);
    return result < 0 ? -1 : overwritten(check, outcome, "completing a second upload");
}

static int get_run(Check *check, Error *error)
{
    Buffer found;
    int result;

    buffer_init(&found, KIB(64));
    result = sink_get(check->sink, check->object, &found, error);
    if (result == 0 && (found.length != 32 || memcmp(found.data, check->attempt[0], 32) != 0)) {
        snprintf(check->wrong, sizeof check->wrong, "%zu bytes that are not those first written", found.length);
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

    if (upload_begin(check, check->fenced, 0, &object, error) < 0)
        return -1;
    result = sink_uploads_abort(check->sink, check->fenced, error);
    if (result == 0) {
        result = sink_objects_complete(check->sink, &object, 1, &outcome, &head, error);
        if (result < 0 && error->kind == ERROR_FENCED) {
            result = 0;
        } else if (result == 0) {
            snprintf(check->wrong, sizeof check->wrong, "an aborted upload became an object");
            result = 1;
        }
    }
    sink_object_close(object);
    return result;
}

static const Step steps[] = {
    {"reach", "the target answers with our credentials", reach_run},
    {"list", "keys can be listed", list_run},
    {"put", "an object can be written", put_run},
    {"conditional put", "a second put of the same key is refused", conditional_put_run},
    {"conditional complete", "a second upload of the same key is refused", conditional_complete_run},
    {"get", "the object reads back equal", get_run},
    {"abort", "an upload that was aborted cannot be completed", abort_run},
};

static int step_add(cJSON *answer, const Check *check, const Step *step, int result, const Error *failure, int64_t ms)
{
    cJSON *row = cJSON_CreateObject();
    char found[700] = "as wanted";
    const char *wanted = step->wanted;

    if (!row || !cJSON_AddItemToArray(answer, row))
        return -1;
    if (result < 0) {
        snprintf(found, sizeof found, "%s%s%s%s", failure->message, failure->code[0] ? " (" : "", failure->code, failure->code[0] ? ")" : "");
        wanted = failure->hint[0] ? failure->hint : wanted;
    } else if (result > 0) {
        snprintf(found, sizeof found, "%s", check->wrong);
    }
    cJSON_AddStringToObject(row, "check", step->name);
    cJSON_AddStringToObject(row, "object", check->object);
    cJSON_AddBoolToObject(row, "ok", result == 0);
    cJSON_AddStringToObject(row, "severity", result == 0 ? "info" : "error");
    cJSON_AddStringToObject(row, "found", result == 2 ? "not tried" : found);
    cJSON_AddStringToObject(row, "wanted", wanted);
    cJSON_AddNullToObject(row, "fix_sql");
    cJSON_AddNumberToObject(row, "ms", (double)ms);
    cJSON_AddBoolToObject(row, "skipped", result == 2);
    return 0;
}

/* Every step needs reach; those behind put need the object that it wrote. */
static bool step_skipped(const Check *check, size_t step, bool reached)
{
    return step > 0 && (!reached || (step > 2 && !check->written));
}

static int steps_run(Check *check, cJSON *answer, Error *error)
{
    bool reached = false;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int64_t begin = clock_monotonic_ms();
        Error failure = {.kind = ERROR_INTERNAL};
        int result = step_skipped(check, i, reached) ? 2 : steps[i].run(check, &failure);

        if (result < 0 && failure.kind == ERROR_INTERRUPTED) {
            *error = failure;
            return -1;
        }
        if (i == 0)
            reached = result == 0;
        if (step_add(answer, check, &steps[i], result, &failure, clock_monotonic_ms() - begin) < 0)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the answer of a check");
    }
    return 0;
}

static int check_prepare(Check *check, const char *prefix, cJSON *options, Error *error)
{
    size_t length = prefix ? strlen(prefix) : 0;
    bool slash = length && prefix[length - 1] != '/';

    if (!options)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the options of a target");
    if (length > 400)
        return error_set(error, ERROR_PERMANENT, "Choose a shorter prefix.", "the prefix has %zu bytes", length);
    cJSON_DeleteItemFromObjectCaseSensitive(options, "tries");
    cJSON_AddNumberToObject(options, "tries", CHECK_TRIES);
    for (int i = 0; i < 3; i++) {
        if (attempt_draw(check->attempt[i], error) < 0)
            return -1;
    }
    snprintf(check->folder, sizeof check->folder, "%s%s_sluice/check/", prefix ? prefix : "", slash ? "/" : "");
    snprintf(check->object, sizeof check->object, "%s%s", check->folder, check->attempt[0]);
    snprintf(check->fenced, sizeof check->fenced, "%s%s", check->folder, check->attempt[1]);
    return 0;
}

int sink_check(const char *kind, const cJSON *options, const SinkSecret *secret, Beat beat, const char *prefix, cJSON **answer,
               Error *error)
{
    cJSON *copy = options ? cJSON_Duplicate(options, true) : cJSON_CreateObject();
    cJSON *rows = cJSON_CreateArray();
    Check check = {.kind = kind, .options = copy, .secret = secret, .beat = beat};
    Error ignored;
    int result = check_prepare(&check, prefix, copy, error);

    if (result == 0 && !rows)
        result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the answer of a check");
    if (result == 0)
        result = steps_run(&check, rows, error);
    if (check.sink) {
        if (check.written)
            sink_remove(check.sink, check.object, &ignored);
        sink_remove(check.sink, check.fenced, &ignored);
        sink_close(check.sink);
    }
    cJSON_Delete(copy);
    if (result < 0)
        cJSON_Delete(rows);
    else
        *answer = rows;
    return result;
}
