/* fetch.c - see fetch.h */
#include "sink/s3/fetch.h"
#include "base/clock.h"
#include "sink/s3/http.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 200

void s3_wipe(Buffer *buffer)
{
    if (buffer->data)
        OPENSSL_cleanse(buffer->data, buffer->capacity);
    buffer_free(buffer);
}

int s3_file_read(const char *path, Buffer *ret, Error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0;
    int result = 0;

    if (file < 0)
        return error_set(error, errno == ENOENT || errno == ENOTDIR ? ERROR_GONE : ERROR_PERMANENT, "Let the worker's user read the file.",
                         "%.300s cannot be opened: %s", path, strerror(errno));
    /* All room at once: a buffer that grows leaves copies behind. */
    result = buffer_reserve(ret, ret->maximum, error);
    while (result == 0 && ret->length < ret->maximum && (length = read(file, ret->data + ret->length, ret->maximum - ret->length)) > 0)
        ret->length += (size_t)length;
    if (result == 0 && length < 0)
        result = error_set(error, ERROR_PERMANENT, NULL, "%.300s cannot be read: %s", path, strerror(errno));
    if (result == 0 && ret->length == ret->maximum)
        result = error_set(error, ERROR_PERMANENT, NULL, "%.300s is larger than %zu bytes", path, ret->maximum - 1);
    close(file);
    if (result == 0)
        ret->data[ret->length] = '\0'; /* there is room: length < maximum */
    return result;
}

static size_t body_take(char *data, size_t size, size_t count, void *context)
{
    Error ignored;

    (void)size;
    return buffer_append(context, data, count, &ignored) < 0 ? 0 : count;
}

static int headers_make(const S3Fetch *fetch, struct curl_slist **ret, Error *error)
{
    struct curl_slist *list = NULL;
    Buffer line;
    int result = 0;

    for (int i = 0; result == 0 && i < fetch->headers_count; i++) {
        struct curl_slist *more = NULL;

        buffer_init(&line, KIB(16));
        result = buffer_format(&line, error, "%s: %s", fetch->headers[i].name, fetch->headers[i].value);
        if (result == 0)
            result = buffer_terminate(&line, error);
        if (result == 0)
            more = curl_slist_append(list, line.data);
        s3_wipe(&line);
        if (result == 0 && !more)
            result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");
        list = more ? more : list;
    }
    *ret = list;
    return result;
}

static void easy_prepare(CURL *easy, const S3Fetch *fetch, struct curl_slist *headers, Buffer *body)
{
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, fetch->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (fetch->direct)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (fetch->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, fetch->ca_file);
    if (fetch->body || strcmp(fetch->method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, fetch->body ? (long)strlen(fetch->body) : 0L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body ? fetch->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method);
}

int s3_transfer(CURLM *multi, Beat beat, CURLcode *ret, Error *error)
{
    for (;;) {
        CURLMsg *message;
        int left;

        curl_multi_perform(multi, &left);
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            if (message->msg == CURLMSG_DONE) {
                *ret = message->data.result;
                return 0;
            }
        }
        curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
        if (beat_once(beat) != 0)
            return error_set(error, ERROR_INTERRUPTED, NULL, "stopped while waiting for an answer");
    }
}

static int try_once(CURLM *multi, const S3Fetch *fetch, struct curl_slist *headers, long *status, Buffer *body, Error *error)
{
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OK;
    int result;

    if (!easy)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");
    buffer_clear(body);
    easy_prepare(easy, fetch, headers, body);
    curl_multi_add_handle(multi, easy);
    result = s3_transfer(multi, fetch->beat, &code, error);
    if (result == 0 && code != CURLE_OK)
        result = error_set(error, ERROR_TRANSIENT, NULL, "no answer from %.200s: %s", fetch->url, curl_easy_strerror(code));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    return result;
}

static int pause_ms(const S3Fetch *fetch, int64_t ms, Error *error)
{
    for (int64_t end = clock_monotonic_ms() + ms; clock_monotonic_ms() < end;) {
        clock_sleep_ms(WAIT_MS < ms ? WAIT_MS : ms);
        if (beat_once(fetch->beat) != 0)
            return error_set(error, ERROR_INTERRUPTED, NULL, "stopped while waiting for credentials");
    }
    return 0;
}

int s3_fetch(const S3Fetch *fetch, long *status, Buffer *body, Error *error)
{
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers = NULL;
    int result = multi ? headers_make(fetch, &headers, error) : error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");

    for (int tries = 1; result == 0; tries++) {
        result = try_once(multi, fetch, headers, status, body, error);
        if (tries >= fetch->tries || (result < 0 && error->kind != ERROR_TRANSIENT) || (result == 0 && *status < 500 && *status != 429))
            break;
        result = pause_ms(fetch, s3_backoff_ms(tries), error);
    }
    s3_headers_free(headers);
    curl_multi_cleanup(multi);
    return result < 0 ? -1 : buffer_terminate(body, error);
}
