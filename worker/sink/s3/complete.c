/*
 * complete.c - the request that makes an object visible, for many objects at once; see s3.h
 *
 * What a failed request did at the server is never guessed: 412, 409, NoSuchUpload and every lost answer are settled by a HEAD.
 * The attempt that the object carries tells whether it is ours; where nothing is there, the request is made again.
 */
#include "base/crash.h"
#include "base/limits.h"
#include "sink/s3/object.h"
#include "sink/s3/xml.h"

#include <stdio.h>
#include <string.h>

#define COMPLETES_A_TRANSFER 2 /* they are small: more of them at once than parts */
#define ROUNDS_MAX 6
#define DOUBTS_MAX 3
#define COMPLETE_STALL_SECONDS 300L /* a server may put all parts together before it says a word */
#define WAIT_MS 500

static int body_make(S3Object *object, Error *error)
{
    Buffer *body = &object->body;

    buffer_free(body);
    buffer_init(body, MIB(2)); /* 10,000 parts of about 180 bytes */
    if (buffer_text(body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", error) < 0)
        return -1;
    for (int i = 0; i < object->parts; i++) {
        if (buffer_format(body, error, "<Part><PartNumber>%d</PartNumber><ETag>&quot;%s&quot;</ETag></Part>", i + 1, object->etags[i]) < 0)
            return -1;
    }
    return buffer_text(body, "</CompleteMultipartUpload>", error);
}

static int request_start(S3Object *object, Error *error)
{
    S3Call *call = &object->call;
    bool upload = object->upload_id[0] != '\0';

    s3_call_end(call);
    s3_call_init(call, &object->sink->http, upload ? "POST" : "PUT", object->key);
    call->if_none_match = true;
    if (upload) {
        if (body_make(object, error) < 0)
            return -1;
        call->body = object->body.data;
        call->body_length = object->body.length;
        call->answer_root = "CompleteMultipartUploadResult";
        call->stall_s = COMPLETE_STALL_SECONDS;
        s3_call_query(call, "uploadId", object->upload_id);
        CRASH_POINT("complete_before");
    } else {
        call->attempt = object->attempt;
        call->creates = true;
        call->body = object->data.data;
        call->body_length = object->data.length;
    }
    object->state = S3_RUNNING;
    return s3_call_start(call, error);
}

/* Runs the requests of all waiting objects to their end, a window of them at a time. */
static int round_run(S3Sink *sink, SinkObject **objects, int count, Error *error)
{
    int next = 0;

    for (;;) {
        int running = 0;

        for (int i = 0; i < next; i++) {
            const S3Object *object = (const S3Object *)objects[i];

            running += object->state == S3_RUNNING && !object->call.over;
        }
        for (; next < count && running < COMPLETES_A_TRANSFER * sink->http.parallel; next++) {
            S3Object *object = (S3Object *)objects[next];

            if (object->state != S3_WAITING)
                continue;
            if (request_start(object, error) < 0)
                return -1;
            running++;
        }
        if (!running)
            return 0;
        if (s3_wait(&sink->http, WAIT_MS, error) < 0)
            return -1;
    }
}

static void created(S3Object *object, SinkOutcome *outcome, SinkHead *head)
{
    Error ignored;

    object->over = true;
    *outcome = SINK_CREATED;
    /* An upload that was begun twice has left a twin behind that nobody knows: it costs money until it is ended. */
    if (object->upload_doubtful)
        s3_uploads_abort(&object->sink->sink, object->key, &ignored);
    if (head->exists)
        return;
    *head = (SinkHead){.exists = true, .bytes = object->bytes};
    snprintf(head->attempt, sizeof head->attempt, "%s", object->attempt);
}

static void etag_take(const S3Object *object, SinkHead *head)
{
    const S3Call *call = &object->call;
    XmlSpan document = xml_span(call->answer.data, call->answer.length);
    char name[XML_NAME_MAX];
    char etag[S3_ETAG_MAX + 4];
    XmlSpan root;

    if (!object->upload_id[0]) {
        snprintf(head->etag, sizeof head->etag, "%s", call->etag);
        return;
    }
    if (xml_next(&document, name, &root) <= 0 || xml_find_text(root, "ETag", etag, sizeof etag) < 0)
        return;
    s3_etag_bare(etag);
    snprintf(head->etag, sizeof head->etag, "%.95s", etag);
}

/* Nothing is there under the key. 1: make the request again. */
static int settle_absent(S3Object *object, Error *error)
{
    const S3Call *call = &object->call;
    const char *what = object->upload_id[0] ? "CompleteMultipartUpload" : "PutObject";

    if (strcmp(call->code, "NoSuchUpload") == 0) {
        if (object->conflicts)
            return error_set(error, ERROR_TRANSIENT, NULL, "the upload of %.300s ended in a conflict and must be made again", object->key);
        error_set(error, ERROR_FENCED, NULL, "another worker has ended our upload of %.300s", object->key);
        /* An earlier try of ours, its answer lost, may be at work still: the object can be about to appear. */
        return (call->sends > 1 || object->doubts) && ++object->doubts < DOUBTS_MAX ? 1 : -1;
    }
    if (call->status == 409 || call->status == 412) {
        object->conflicts++;
        s3_call_error(call, what, error);
        error->kind = ERROR_TRANSIENT; /* what is left where the rounds run out */
        return 1;
    }
    return s3_call_error(call, what, error);
}

/* 0 settled, 1 once more, -1 failed. */
static int settle(S3Object *object, SinkOutcome *outcome, SinkHead *head, Error *error)
{
    const S3Call *call = &object->call;
    bool doubtful = call->status == 409 || call->status == 412 || strcmp(call->code, "NoSuchUpload") == 0 ||
                    (call->reached && s3_call_unsettled(call));

    *head = (SinkHead){.exists = false};
    if (s3_call_good(call)) {
        if (object->upload_id[0])
            CRASH_POINT("complete_after");
        created(object, outcome, head);
        etag_take(object, head);
        return 0;
    }
    if (!doubtful)
        return s3_call_error(call, object->upload_id[0] ? "CompleteMultipartUpload" : "PutObject", error);
    if (s3_head_key(object->sink, object->key, head, error) < 0)
        return -1;
    if (!head->exists)
        return settle_absent(object, error);
    if (strcmp(head->attempt, object->attempt) == 0)
        created(object, outcome, head);
    else
        *outcome = SINK_EXISTS;
    return 0;
}

/* Returns how many wait for another round. The first failure is kept; the others are settled all the same. */
static int round_settle(SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, int *failed, Error *error)
{
    int waiting = 0;

    for (int i = 0; i < count; i++) {
        S3Object *object = (S3Object *)objects[i];
        Error failure;
        int result;

        if (object->state != S3_RUNNING)
            continue;
        result = settle(object, &outcomes[i], &heads[i], &failure);
        object->state = result > 0 ? S3_WAITING : result < 0 ? S3_FAILED : S3_SETTLED;
        waiting += result > 0;
        if (result != 0 && !*failed)
            *error = failure;
        *failed += result < 0;
        if (result < 0 && failure.kind == ERROR_INTERRUPTED)
            return 0;
    }
    return waiting;
}

int s3_objects_complete(Sink *base, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error)
{
    S3Sink *sink = (S3Sink *)base;
    int waiting = count;
    int failed = 0;

    for (int i = 0; i < count; i++) {
        ((S3Object *)objects[i])->state = S3_WAITING;
        ((S3Object *)objects[i])->conflicts = 0;
        ((S3Object *)objects[i])->doubts = 0;
    }
    for (int round = 0; waiting && round < ROUNDS_MAX; round++) {
        if (round && s3_pause(&sink->http, s3_backoff_ms(round), error) < 0)
            return -1;
        if (round_run(sink, objects, count, error) < 0)
            return -1;
        waiting = round_settle(objects, count, outcomes, heads, &failed, error);
    }
    return waiting || failed ? -1 : 0;
}
