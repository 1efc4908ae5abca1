/*
 * sink_s3_test.c - the S3 target against a real server: SLUICE_TEST_S3_ENDPOINT, SLUICE_TEST_S3_BUCKET, AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, and SLUICE_TEST_S3_CA for a certificate of our own. Without them there is nothing to ask: the harness sets them.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "check.h"
#include "sink/s3/object.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTEMPT_1 "11111111111111111111111111111111"
#define ATTEMPT_2 "22222222222222222222222222222222"

static Error error;
static char folder[64]; /* of this run, so that a bucket can be used again */
static int beats;

static int count_beat(void *context)
{
    (void)context;
    beats++;
    return 0;
}

static cJSON *options_make(void)
{
    cJSON *options = cJSON_CreateObject();

    cJSON_AddStringToObject(options, "endpoint", getenv("SLUICE_TEST_S3_ENDPOINT"));
    cJSON_AddStringToObject(options, "bucket", getenv("SLUICE_TEST_S3_BUCKET"));
    cJSON_AddNumberToObject(options, "tries", 3);
    if (getenv("SLUICE_TEST_S3_CA"))
        cJSON_AddStringToObject(options, "ca_file", getenv("SLUICE_TEST_S3_CA"));
    return options;
}

static Sink *open_with(const char *option, const char *value, const SinkSecret *secret)
{
    cJSON *options = options_make();
    Sink *sink = NULL;

    if (option) {
        cJSON_DeleteItemFromObject(options, option);
        cJSON_AddStringToObject(options, option, value);
    }
    if (sink_open("s3", options, secret, (Beat){count_beat, NULL}, &sink, &error) < 0)
        printf("# %s\n", error.message);
    cJSON_Delete(options);
    return sink;
}

static const char *key_of(const char *name)
{
    static char keys[8][128];
    static int next;
    char *key = keys[next++ % 8];

    snprintf(key, sizeof keys[0], "%s/sluice_day=2026-11-20/%s", folder, name);
    return key;
}

static bool holds(int result, const char *name)
{
    bool good = check(result == 0, name);

    if (!good)
        printf("# %s [%s] %s\n", error.message, error.code, error.hint);
    return good;
}

static void test_small(Sink *sink)
{
    const char *key = key_of("small.jsonl");
    SinkOutcome outcome = SINK_EXISTS;
    Buffer content;
    SinkHead head;

    holds(sink_head(sink, key, &head, &error), "head of an absent object is no error");
    check(!head.exists, "an absent object is absent");
    holds(sink_put(sink, key, ATTEMPT_1, "hello", 5, &outcome, &error), "a small object is put");
    check(outcome == SINK_CREATED, "it is created");
    holds(sink_head(sink, key, &head, &error), "its head is read");
    check(head.exists && head.bytes == 5 && strcmp(head.attempt, ATTEMPT_1) == 0 && head.etag[0] && head.etag[0] != '"', "head has bytes, attempt, etag");
    holds(sink_put(sink, key, ATTEMPT_2, "other", 5, &outcome, &error), "a second writer's put is no error");
    check(outcome == SINK_EXISTS, "it is told that the object exists");
    holds(sink_put(sink, key, ATTEMPT_1, "hello", 5, &outcome, &error), "the same attempt once more");
    check(outcome == SINK_CREATED, "an object found to carry our attempt is ours");
    buffer_init(&content, 100);
    holds(sink_get(sink, key, &content, &error), "it is read");
    check(content.length == 5 && memcmp(content.data, "hello", 5) == 0, "it holds what was first written");
    check(sink_get(sink, key_of("absent"), &content, &error) < 0 && error.kind == ERROR_GONE, "get of an absent object says gone");
    holds(sink_put(sink, key_of("empty"), ATTEMPT_1, "", 0, &outcome, &error), "an empty object is put");
    buffer_free(&content);
}

/* `bytes` of a pattern that differs in every part. */
static SinkObject *prepared(Sink *sink, const char *key, const char *attempt, size_t bytes, size_t *memory)
{
    static uint32_t piece[32768];
    SinkObject *object = NULL;
    uint32_t value = 1;

    if (sink_object_begin(sink, key, attempt, &object, &error) < 0)
        return NULL;
    *memory = 0;
    while (bytes) {
        size_t take = bytes < sizeof piece ? bytes : sizeof piece;

        for (size_t i = 0; i < sizeof piece / sizeof piece[0]; i++)
            piece[i] = value = value * 1664525 + 1013904223;
        if (sink_object_write(object, piece, take, &error) < 0) {
            holds(-1, "a piece is written");
            break;
        }
        bytes -= take;
        *memory = sink_object_memory(object) > *memory ? sink_object_memory(object) : *memory;
    }
    holds(sink_object_prepare(object, &error), "parts are uploaded and answered");
    return object;
}

static void test_multipart(Sink *sink)
{
    const char *key = key_of("large.jsonl");
    size_t bytes = 2 * PART_BYTES + 12345, memory;
    SinkOutcome outcome = SINK_EXISTS;
    SinkObject *object;
    Buffer content;
    SinkHead head;

    object = prepared(sink, key, ATTEMPT_1, bytes, &memory);
    check(memory <= (PARTS_IN_FLIGHT + 1) * PART_BYTES, "memory is bounded by the parts in flight");
    holds(sink_head(sink, key, &head, &error), "head before completing");
    check(!head.exists, "an upload is not visible before it is completed");
    holds(sink_objects_complete(sink, &object, 1, &outcome, &head, &error), "three parts are completed");
    check(outcome == SINK_CREATED && head.bytes == bytes && strchr(head.etag, '-') && !strchr(head.etag, '"'), "created, with bytes and etag");
    sink_object_close(object);
    holds(sink_head(sink, key, &head, &error), "head after completing");
    check(head.bytes == bytes && strcmp(head.attempt, ATTEMPT_1) == 0, "it has all bytes and the attempt");
    buffer_init(&content, MIB(32));
    holds(sink_get(sink, key, &content, &error), "17 MB are read back");
    check(content.length == bytes, "all of them");
    buffer_free(&content);
    object = prepared(sink, key, ATTEMPT_2, PART_BYTES + 1, &memory);
    holds(sink_objects_complete(sink, &object, 1, &outcome, &head, &error), "a second writer's upload is no error");
    check(outcome == SINK_EXISTS && strcmp(head.attempt, ATTEMPT_1) == 0, "it is told whose object exists");
    sink_object_close(object);
}

/* The reply to Complete is lost: the same upload is completed again and found to be ours. */
static void test_lost_reply(Sink *sink)
{
    const char *key = key_of("lost.jsonl");
    SinkOutcome outcome = SINK_EXISTS;
    SinkObject *object;
    SinkHead head;
    size_t memory;

    object = prepared(sink, key, ATTEMPT_1, PART_BYTES + 1, &memory);
    holds(sink_objects_complete(sink, &object, 1, &outcome, &head, &error), "an upload is completed");
    outcome = SINK_EXISTS;
    holds(sink_objects_complete(sink, &object, 1, &outcome, &head, &error), "and completed again, as after a lost reply");
    check(outcome == SINK_CREATED && head.bytes == PART_BYTES + 1, "it is adopted as ours");
    sink_object_close(object);
}

static void test_fence(Sink *sink)
{
    const char *key = key_of("fenced.jsonl");
    SinkObject *zombie;
    SinkOutcome outcome;
    SinkHead head;
    size_t memory;

    zombie = prepared(sink, key, ATTEMPT_1, PART_BYTES + 1, &memory);
    holds(sink_uploads_abort(sink, key_of("fenced"), &error), "aborting the uploads of a key that is a prefix of it");
    holds(sink_uploads_abort(sink, key, &error), "aborting its own");
    check(sink_objects_complete(sink, &zombie, 1, &outcome, &head, &error) < 0 && error.kind == ERROR_FENCED, "an aborted upload cannot be completed");
    sink_object_close(zombie);
    holds(sink_head(sink, key, &head, &error), "head of it");
    check(!head.exists, "nothing became visible");
    zombie = prepared(sink, key, ATTEMPT_1, PART_BYTES + 1, &memory);
    holds(sink_uploads_abort(sink, key_of("fenced"), &error), "aborting a prefix's uploads again");
    holds(sink_objects_complete(sink, &zombie, 1, &outcome, &head, &error), "leaves the longer key's upload alone");
    sink_object_close(zombie);
}

static void test_many(Sink *sink)
{
    enum { MANY = 40 };
    SinkObject *objects[MANY];
    SinkOutcome outcomes[MANY];
    SinkHead heads[MANY];
    bool all = true;

    for (int i = 0; i < MANY; i++) {
        char name[32];

        snprintf(name, sizeof name, "many/%02d", i);
        sink_object_begin(sink, key_of(name), i % 2 ? ATTEMPT_1 : ATTEMPT_2, &objects[i], &error);
        sink_object_write(objects[i], "row\n", 4, &error);
        sink_object_prepare(objects[i], &error);
    }
    holds(sink_objects_complete(sink, objects, MANY, outcomes, heads, &error), "forty objects are completed together");
    for (int i = 0; i < MANY; i++) {
        all = outcomes[i] == SINK_CREATED && heads[i].bytes == 4 && all;
        sink_object_close(objects[i]);
    }
    check(all, "each of them is created");
}

typedef struct Listed {
    int count, etags;
    bool sorted;
    char last[256];
} Listed;

static int list_take(void *context, const SinkEntry *entry)
{
    Listed *listed = context;

    listed->sorted = listed->sorted && strcmp(listed->last, entry->key) < 0;
    listed->etags += entry->etag[0] && entry->etag[0] != '"';
    snprintf(listed->last, sizeof listed->last, "%s", entry->key);
    return ++listed->count == 1000;
}

static void test_list(Sink *sink)
{
    Listed listed = {.sorted = true};

    holds(sink_list(sink, key_of("many/"), NULL, list_take, &listed, &error), "a prefix is listed");
    check(listed.count == 40 && listed.sorted && listed.etags == 40, "all keys, in order, each with its bare ETag");
    listed = (Listed){.sorted = true};
    holds(sink_list(sink, key_of("many/"), key_of("many/30"), list_take, &listed, &error), "it is listed behind a key");
    check(listed.count == 9, "only what sorts after it");
    listed = (Listed){.count = 990, .sorted = true};
    holds(sink_list(sink, key_of("many/"), NULL, list_take, &listed, &error), "the taker may end a listing");
    check(listed.count == 1000, "then it ends");
}

static void test_remove(Sink *sink)
{
    const char *key = key_of("removed");
    SinkOutcome outcome;
    SinkHead head;

    holds(sink_put(sink, key, ATTEMPT_1, "x", 1, &outcome, &error), "an object that is to go");
    holds(sink_remove(sink, key, &error), "is removed");
    holds(sink_head(sink, key, &head, &error), "looked for");
    check(!head.exists, "and gone");
    holds(sink_remove(sink, key, &error), "removing what is not there is no error");
}

/* A server that checks signatures takes them, so the new headers are signed as sent. */
static void test_options(void)
{
    cJSON *options = options_make();
    SinkOutcome outcome = SINK_EXISTS;
    Sink *sink = NULL;
    SinkObject *object;
    SinkHead head;
    size_t memory;

    cJSON_AddItemToObject(options, "tags", cJSON_Parse("[\"team=data + more@x\", \"env=\"]"));
    cJSON_AddStringToObject(options, "storage_class", "STANDARD");
    cJSON_AddStringToObject(options, "sse", "aws:kms");
    cJSON_AddStringToObject(options, "kms_key", "alias/lake");
    cJSON_AddBoolToObject(options, "requester_pays", true);
    if (getenv("SLUICE_TEST_S3_CA"))
        cJSON_AddStringToObject(options, "payload_hash", "unsigned");
    holds(sink_open("s3", options, NULL, (Beat){count_beat, NULL}, &sink, &error), "a target with every option opens");
    holds(sink_put(sink, key_of("options"), ATTEMPT_1, "x", 1, &outcome, &error), "a put with tags, class and encryption");
    object = prepared(sink, key_of("options.large"), ATTEMPT_1, 2 * PART_BYTES, &memory);
    holds(sink_objects_complete(sink, &object, 1, &outcome, &head, &error), "an upload with them");
    check(outcome == SINK_CREATED, "is created");
    sink_object_close(object);
    sink_close(sink);
    cJSON_Delete(options);
}

/* The status of a GET that anybody may make who has the URL. */
static long presigned_get(S3Sink *sink, const char *key, int64_t signed_s, Buffer *body)
{
    const S3Http *http = &sink->http;
    char now[SIGN_TIME_TEXT];
    Buffer path, url;
    SignRequest request = {.method = "GET", .query = "", .payload_sha256 = SIGN_UNSIGNED, .region = http->region, .service = "s3", .time = now,
                           .access_key = http->credentials.keys.access_key, .secret_key = http->credentials.keys.secret_key};
    S3Fetch fetch = {.method = "GET", .ca_file = http->ca_file[0] ? http->ca_file : NULL, .timeout_ms = 5000, .tries = 1};
    long status = 0;

    buffer_init(&path, KIB(4));
    buffer_init(&url, KIB(8));
    sign_time(signed_s, now);
    request.headers[request.headers_count++] = (SignPair){"host", http->host};
    if (buffer_format(&path, &error, "%s/", http->path) == 0 && sign_uri(&path, key, true, &error) == 0 &&
        buffer_format(&url, &error, "%s%s?", http->origin, path.data) == 0) {
        request.path = path.data;
        if (sign_presigned(&request, NULL, 0, 60, NULL, &url, &error) == 0) {
            fetch.url = url.data;
            s3_fetch(&fetch, &status, body, &error);
        }
    }
    buffer_free(&path);
    buffer_free(&url);
    return status;
}

static void test_presigned(Sink *sink)
{
    int64_t now_s = clock_wall_us() / 1000000;
    SinkOutcome outcome;
    Buffer body;

    buffer_init(&body, KIB(64));
    holds(sink_put(sink, key_of("d=1/presigned"), ATTEMPT_1, "hello", 5, &outcome, &error), "an object to be handed out");
    check(presigned_get((S3Sink *)sink, key_of("d=1/presigned"), now_s, &body) == 200 && body.length == 5, "a presigned URL gives it without keys");
    check(presigned_get((S3Sink *)sink, key_of("d=1/presigned"), now_s - 120, &body) == 403, "until it has expired");
    buffer_free(&body);
}

static void test_sweep(Sink *sink)
{
    char prefix[80];
    SinkObject *stale;
    int ended = 0;
    size_t memory;

    snprintf(prefix, sizeof prefix, "%s/", folder);
    stale = prepared(sink, key_of("stale.jsonl"), ATTEMPT_1, PART_BYTES + 1, &memory);
    holds(sink_uploads_sweep(sink, prefix, 3600, &ended, &error), "a sweep for uploads older than an hour");
    check(ended == 0, "leaves a young one alone");
    clock_sleep_ms(2100);
    holds(sink_uploads_sweep(sink, "elsewhere/", 0, &ended, &error), "a sweep below another prefix");
    check(ended == 0, "leaves it alone");
    holds(sink_uploads_sweep(sink, prefix, 0, &ended, &error), "a sweep for all that is older than now");
    check(ended == 1, "ends and counts it");
    sink_object_close(stale);
}

static void put_fails(Sink *sink, const char *name)
{
    SinkHead head;
    SinkOutcome outcome;

    if (!sink)
        return;
    check(sink_put(sink, key_of("x"), ATTEMPT_1, "x", 1, &outcome, &error) < 0 && error.hint[0] && !strstr(error.message, "wrong-secret"), name);
    printf("# %s [%s, %s]: %s\n", error.message, error_kind_name(error.kind), error.code, error.hint);
    check(sink_head(sink, key_of("x"), &head, &error) < 0 || !head.exists, "nor is there an object");
    sink_close(sink);
}

static void test_refusals(void)
{
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    cJSON *options = cJSON_CreateObject();
    Sink *sink;

    put_fails(open_with("bucket", "no-such-bucket-here", NULL), "an absent bucket is an error with a hint");
    put_fails(open_with(NULL, NULL, &(SinkSecret){getenv("AWS_ACCESS_KEY_ID"), "wrong-secret", NULL}), "a wrong secret key is an error with a hint");
    put_fails(open_with(NULL, NULL, &(SinkSecret){"NOBODY", secret, NULL}), "a wrong access key is an error with a hint");
    put_fails(open_with("endpoint", "http://127.0.0.1:9", NULL), "an endpoint where nobody listens is an error with a hint");
    if (getenv("SLUICE_TEST_S3_CA"))
        put_fails(open_with("ca_file", "", NULL), "a certificate of an unknown authority is refused with a hint");
    check(sink_open("s3", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0 && error.hint[0], "an s3 target without bucket is refused");
    cJSON_AddStringToObject(options, "bucket", "abc");
    cJSON_AddStringToObject(options, "endpoint", "https://key:secret@host");
    check(sink_open("s3", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0 && !strstr(error.message, "secret@"), "keys in the endpoint are refused");
    cJSON_Delete(options);
}

static void test_skew(void)
{
    Sink *sink = open_with(NULL, NULL, NULL);
    SinkHead head;

    ((S3Sink *)sink)->http.clock_offset_s = 3600;
    holds(sink_head(sink, key_of("small.jsonl"), &head, &error), "a clock an hour ahead is corrected by the server's");
    sink_close(sink);
}

static void test_doctor(void)
{
    cJSON *options = options_make();
    cJSON *answer = NULL;
    const cJSON *row;
    int good = 0;

    holds(sink_check("s3", options, NULL, (Beat){count_beat, NULL}, folder, &answer, &error), "the doctor answers");
    cJSON_ArrayForEach(row, answer) {
        good += json_boolean(row, "ok", false);
        printf("# %s: %s\n", json_text(row, "check", ""), json_text(row, "found", ""));
    }
    check(good == 14, "its fourteen steps hold");
    cJSON_Delete(answer);
    cJSON_Delete(options);
}

int main(void)
{
    Sink *sink;

    signal(SIGPIPE, SIG_IGN); /* as the worker does */
    if (!getenv("SLUICE_TEST_S3_ENDPOINT") || !getenv("SLUICE_TEST_S3_BUCKET")) {
        printf("ok - nothing is asked # SKIP no server is named in SLUICE_TEST_S3_ENDPOINT and SLUICE_TEST_S3_BUCKET\n");
        return 0;
    }
    snprintf(folder, sizeof folder, "unit-%lld-%d", (long long)clock_wall_us(), (int)getpid());
    sink = open_with(NULL, NULL, NULL);
    if (!check(sink != NULL, "the sink opens"))
        return 1;
    test_small(sink);
    test_multipart(sink);
    test_lost_reply(sink);
    test_fence(sink);
    test_many(sink);
    test_list(sink);
    test_remove(sink);
    test_sweep(sink);
    test_presigned(sink);
    test_options();
    sink_close(sink);
    test_refusals();
    test_doctor();
    test_skew();
    check(beats > 0, "waiting beats");
    return check_end();
}
