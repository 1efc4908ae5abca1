/* s3.c - opening a bucket, and the requests that concern one whole object; see s3.h */
#include "sink/s3/s3.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int s3_open(const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error)
{
    S3Sink *sink = calloc(1, sizeof *sink);

    if (!sink)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an s3 target");
    sink->http.beat = beat;
    if (s3_options_take(sink, options, error) < 0 ||
        s3_credentials_open(&sink->http.credentials, secret, sink->http.region, beat, error) < 0 || s3_http_open(&sink->http, error) < 0) {
        OPENSSL_cleanse(sink, sizeof *sink);
        free(sink);
        return -1;
    }
    *ret = &sink->sink;
    return 0;
}

static void s3_close(Sink *base)
{
    S3Sink *sink = (S3Sink *)base;

    s3_http_close(&sink->http);
    free(sink);
}

void s3_etag_bare(char *etag)
{
    size_t length = strlen(etag);

    if (length < 2 || etag[0] != '"' || etag[length - 1] != '"')
        return;
    etag[length - 1] = '\0';
    memmove(etag, etag + 1, length - 1);
}

int s3_head_key(S3Sink *sink, const char *key, SinkHead *ret, Error *error)
{
    SinkHead head = {.exists = true};
    S3Call call;
    int result;

    s3_call_init(&call, &sink->http, "HEAD", key);
    result = s3_call_run(&call, error);
    if (result == 0 && call.curl == CURLE_OK && !call.broken && call.status == 404) {
        *ret = (SinkHead){.exists = false};
    } else if (result == 0 && !s3_call_good(&call)) {
        result = s3_call_error(&call, "HeadObject", error);
    } else if (result == 0) {
        head.bytes = call.content_length;
        snprintf(head.etag, sizeof head.etag, "%s", call.etag);
        snprintf(head.attempt, sizeof head.attempt, "%s", call.attempt_found);
        *ret = head;
    }
    s3_call_end(&call);
    return result;
}

static int s3_head(Sink *sink, const char *key, SinkHead *ret, Error *error)
{
    return s3_head_key((S3Sink *)sink, key, ret, error);
}

static int s3_get(Sink *base, const char *key, Buffer *ret, Error *error)
{
    S3Sink *sink = (S3Sink *)base;
    S3Call call;
    int result;

    s3_call_init(&call, &sink->http, "GET", key);
    call.answer.maximum = ret->maximum > S3_ANSWER_MAX ? ret->maximum : S3_ANSWER_MAX;
    result = s3_call_run(&call, error);
    if (result == 0 && !s3_call_good(&call))
        result = s3_call_error(&call, "GetObject", error);
    if (result == 0 && call.answer.length > ret->maximum)
        result = error_set(error, ERROR_PERMANENT, NULL, "the object %.300s has %zu bytes, at most %zu were expected", key, call.answer.length,
                           ret->maximum);
    if (result == 0) {
        /* The answer's memory changes hands, so that it is there once only. */
        size_t maximum = ret->maximum;

        buffer_free(ret);
        *ret = call.answer;
        ret->maximum = maximum;
        buffer_init(&call.answer, 0);
    }
    s3_call_end(&call);
    return result;
}

static int s3_remove(Sink *base, const char *key, Error *error)
{
    S3Sink *sink = (S3Sink *)base;
    S3Call call;
    int result;

    s3_call_init(&call, &sink->http, "DELETE", key);
    result = s3_call_run(&call, error);
    if (result == 0 && !s3_call_good(&call) && call.status != 404)
        result = s3_call_error(&call, "DeleteObject", error);
    s3_call_end(&call);
    return result;
}

int s3_upload_abort(S3Sink *sink, const char *key, const char *upload_id, int tries, long timeout_ms, Error *error)
{
    S3Call call;
    int result;

    s3_call_init(&call, &sink->http, "DELETE", key);
    call.tries_max = tries;
    call.timeout_ms = timeout_ms;
    s3_call_query(&call, "uploadId", upload_id);
    result = s3_call_run(&call, error);
    if (result == 0 && !s3_call_good(&call) && strcmp(call.code, "NoSuchUpload") != 0)
        result = s3_call_error(&call, "AbortMultipartUpload", error);
    s3_call_end(&call);
    return result;
}

const SinkKind s3_kind = {
    .name = "s3",
    .open = s3_open,
    .close = s3_close,
    .begin = s3_object_begin,
    .write = s3_object_write,
    .memory = s3_object_memory,
    .prepare = s3_object_prepare,
    .complete = s3_objects_complete,
    .object_close = s3_object_close,
    .uploads_abort = s3_uploads_abort,
    .head = s3_head,
    .get = s3_get,
    .list = s3_list,
    .uploads_sweep = s3_uploads_sweep,
    .remove = s3_remove,
    .connect_steps = s3_connect_steps,
    .connect_run = s3_connect_run,
    .part_end = s3_object_part_end,
};
