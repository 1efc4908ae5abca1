/* s3.c - opening a bucket, and the requests that concern one whole object; see s3.h */
#include "sink/s3.h"
#include "base/limits.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define HOST_CHARACTERS BUCKET_CHARACTERS ":[]"
#define REGION_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* ret = value; false where it is too long. */
static bool copy(char *ret, size_t size, const char *value)
{
    return (size_t)snprintf(ret, size, "%s", value) < size;
}

static int credentials_take(S3Http *http, const SinkSecret *secret, Error *error)
{
    static const char hint[] = "Give the target a secret, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the worker.";
    bool given = secret && secret->access_key && secret->secret_key;
    const char *access_key = given ? secret->access_key : getenv("AWS_ACCESS_KEY_ID");
    const char *secret_key = given ? secret->secret_key : getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = given ? secret->session_token : getenv("AWS_SESSION_TOKEN");

    if (!access_key || !access_key[0] || !secret_key || !secret_key[0])
        return error_set(error, ERROR_PERMANENT, hint, "an s3 target has no credentials");
    if (!copy(http->access_key, sizeof http->access_key, access_key) || !copy(http->secret_key, sizeof http->secret_key, secret_key) ||
        !copy(http->session_token, sizeof http->session_token, token ? token : ""))
        return error_set(error, ERROR_PERMANENT, hint, "the credentials of an s3 target are too long");
    if (strpbrk(access_key, " /,\r\n\t") || strpbrk(secret_key, "\r\n") || strpbrk(http->session_token, "\r\n"))
        return error_set(error, ERROR_PERMANENT, hint, "the credentials of an s3 target hold characters that no key has");
    return 0;
}

static int endpoint_refuse(const char *why, Error *error)
{
    return error_set(error, ERROR_PERMANENT, "Write it as https://host or https://host:port.", "the target's option endpoint %s", why);
}

/* Scheme and host[:port]; a default port is taken off, as HTTP clients leave it out of the Host header that is signed. */
static int endpoint_parse(const char *endpoint, char scheme[6], char host[256], Error *error)
{
    const char *at = strstr(endpoint, "://");
    const char *port;
    size_t length;

    memcpy(scheme, "https", 6);
    if (at) {
        if (strncmp(endpoint, "http://", 7) == 0)
            memcpy(scheme, "http", 5);
        else if (strncmp(endpoint, "https://", 8) != 0)
            return endpoint_refuse("is neither http nor https", error);
        endpoint = at + 3;
    }
    if (strchr(endpoint, '@'))
        return error_set(error, ERROR_PERMANENT, "Give the keys as the target's secret.", "the target's option endpoint must not hold credentials");
    length = strcspn(endpoint, "/");
    if (!length || length >= 256 || strspn(endpoint, HOST_CHARACTERS) < length || (endpoint[length] && endpoint[length + 1]))
        return endpoint_refuse("is not a host with an optional port", error);
    port = strcmp(scheme, "https") == 0 ? ":443" : ":80";
    if (length > strlen(port) && strncmp(endpoint + length - strlen(port), port, strlen(port)) == 0)
        length -= strlen(port);
    memcpy(host, endpoint, length);
    host[length] = '\0';
    return 0;
}

static int address_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const char *endpoint = json_text(options, "endpoint", NULL);
    bool path_style = json_boolean(options, "path_style", endpoint != NULL || strchr(sink->bucket, '.'));
    S3Http *http = &sink->http;
    char scheme[6];
    char host[256];
    char amazon[160];

    if (!endpoint) {
        snprintf(amazon, sizeof amazon, "https://s3.%s.amazonaws.com%s", http->region, strncmp(http->region, "cn-", 3) == 0 ? ".cn" : "");
        endpoint = amazon;
    }
    if (endpoint_parse(endpoint, scheme, host, error) < 0)
        return -1;
    if (path_style) {
        snprintf(http->host, sizeof http->host, "%s", host);
        snprintf(http->path, sizeof http->path, "/%s", sink->bucket);
    } else if ((size_t)snprintf(http->host, sizeof http->host, "%s.%s", sink->bucket, host) >= sizeof http->host) {
        return endpoint_refuse("is too long", error);
    }
    snprintf(http->origin, sizeof http->origin, "%s://%s", scheme, http->host);
    return 0;
}

static const char *region_default(void)
{
    const char *region = getenv("AWS_REGION");

    if (!region || !region[0])
        region = getenv("AWS_DEFAULT_REGION");
    return region && region[0] ? region : "us-east-1";
}

static int options_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const char *bucket = json_text(options, "bucket", "");
    const char *region = json_text(options, "region", region_default());
    S3Http *http = &sink->http;

    if (strlen(bucket) < 3 || bucket[strspn(bucket, BUCKET_CHARACTERS)] || !copy(sink->bucket, sizeof sink->bucket, bucket))
        return error_set(error, ERROR_PERMANENT, "Set the target's option bucket to the bucket's bare name.", "\"%.100s\" is no name of a bucket",
                         bucket);
    if (!region[0] || region[strspn(region, REGION_CHARACTERS)] || !copy(http->region, sizeof http->region, region))
        return error_set(error, ERROR_PERMANENT, "Set the target's option region, for instance to eu-central-1.", "\"%.100s\" is no region", region);
    if (!copy(http->ca_file, sizeof http->ca_file, json_text(options, "ca_file", "")))
        return error_set(error, ERROR_PERMANENT, NULL, "the path of ca_file is too long");
    http->tries_max = (int)json_integer(options, "tries", S3_TRIES_DEFAULT);
    if (http->tries_max < 1)
        http->tries_max = 1;
    return address_take(sink, options, error);
}

static int s3_open(const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error)
{
    S3Sink *sink = calloc(1, sizeof *sink);

    if (!sink)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an s3 target");
    sink->http.beat = beat;
    if (options_take(sink, options, error) < 0 || credentials_take(&sink->http, secret, error) < 0 || s3_http_open(&sink->http, error) < 0) {
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
    .part_end = s3_object_part_end,
};
