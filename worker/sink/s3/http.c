/* http.c - see http.h */
#include "sink/s3/http.h"
#include "base/clock.h"
#include "base/limits.h"
#include "sink/s3/xml.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 5000L
#define STALL_SECONDS 30L /* without a byte in either direction */
#define CONNECTIONS_KEPT 16L
#define BEAT_MS 200
#define WAIT_MS 500

int s3_http_open(S3Http *http, Error *error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return error_set(error, ERROR_INTERNAL, NULL, "libcurl cannot be initialised");
    http->multi = curl_multi_init();
    if (!http->multi) {
        curl_global_cleanup();
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an S3 connection");
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    http->retry_tokens = S3_RETRY_TOKENS;
    http->parallel = http->parallel_max;
    return 0;
}

void s3_http_close(S3Http *http)
{
    while (http->calls)
        s3_call_end(http->calls);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    s3_credentials_close(&http->credentials);
}

void s3_call_init(S3Call *call, S3Http *http, const char *method, const char *key)
{
    memset(call, 0, sizeof *call);
    call->http = http;
    call->method = method;
    call->key = key;
    buffer_init(&call->answer, S3_ANSWER_MAX);
    buffer_init(&call->url, KIB(16));
}

void s3_call_query(S3Call *call, const char *name, const char *value)
{
    if (call->query_count < SIGN_QUERY_MAX)
        call->query[call->query_count++] = (SignPair){name, value};
}

static size_t answer_take(char *data, size_t size, size_t count, void *context)
{
    S3Call *call = context;
    Error ignored;

    (void)size;
    if (buffer_append(&call->answer, data, count, &ignored) < 0) {
        call->too_large = true;
        return 0;
    }
    return count;
}

/* Copies a header's value without blanks and quotes around it; a longer one is left out, being none of ours. */
static void header_copy(const char *line, size_t length, const char *name, char *ret, size_t size)
{
    size_t start = strlen(name);

    if (length < start || strncasecmp(line, name, start) != 0)
        return;
    while (start < length && strchr(" \t\"", line[start]) && line[start])
        start++;
    while (length > start && strchr(" \t\r\n\"", line[length - 1]))
        length--;
    if (length - start >= size)
        return;
    memcpy(ret, line + start, length - start);
    ret[length - start] = '\0';
}

static size_t header_take(char *line, size_t size, size_t length, void *context)
{
    S3Call *call = context;
    char text[64] = "";

    (void)size;
    header_copy(line, length, "etag:", call->etag, sizeof call->etag);
    header_copy(line, length, "x-amz-meta-sluice-attempt:", call->attempt_found, sizeof call->attempt_found);
    header_copy(line, length, "x-amz-bucket-region:", call->region, sizeof call->region);
    header_copy(line, length, "x-amz-request-id:", call->request_id, sizeof call->request_id);
    header_copy(line, length, "content-length:", text, sizeof text);
    if (text[0])
        call->content_length = strtoull(text, NULL, 10);
    text[0] = '\0';
    header_copy(line, length, "date:", text, sizeof text);
    if (text[0]) {
        time_t date = curl_getdate(text, NULL);

        call->date_s = date > 0 ? (int64_t)date : 0;
    }
    return length;
}

/* value NULL: takes the header away. The line can hold the session token, so it is wiped. */
static int header_add(S3Call *call, const char *name, const char *value, Error *error)
{
    struct curl_slist *list = NULL;
    Buffer line;
    int result;

    buffer_init(&line, KIB(8));
    result = buffer_format(&line, error, "%s:%s%s", name, value ? " " : "", value ? value : "");
    if (result == 0)
        result = buffer_terminate(&line, error);
    if (result == 0)
        list = curl_slist_append(call->headers, line.data);
    if (line.data)
        OPENSSL_cleanse(line.data, line.length);
    buffer_free(&line);
    if (result < 0)
        return -1;
    if (!list)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");
    call->headers = list;
    return 0;
}

/* Empty values take away what curl would add by itself and we would not have signed. */
static int headers_make(S3Call *call, const char *path, const char *query, Error *error)
{
    const S3Http *http = call->http;
    char now[SIGN_TIME_TEXT];
    Buffer authorization;
    int result = 0;
    SignRequest request = {.method = call->method, .path = path, .query = query, .payload_sha256 = call->sha256, .region = http->region,
                           .service = "s3", .time = now, .access_key = http->credentials.keys.access_key,
                           .secret_key = http->credentials.keys.secret_key};

    sign_time(clock_wall_us() / 1000000 + http->clock_offset_s, now);
    request.headers[request.headers_count++] = (SignPair){"host", http->host};
    request.headers[request.headers_count++] = (SignPair){"x-amz-content-sha256", call->sha256};
    request.headers[request.headers_count++] = (SignPair){"x-amz-date", now};
    if (call->if_none_match)
        request.headers[request.headers_count++] = (SignPair){"if-none-match", "*"};
    if (call->attempt)
        request.headers[request.headers_count++] = (SignPair){"x-amz-meta-sluice-attempt", call->attempt};
    for (int i = 0; call->creates && i < http->object_headers_count; i++)
        request.headers[request.headers_count++] = http->object_headers[i];
    if (http->requester_pays)
        request.headers[request.headers_count++] = (SignPair){"x-amz-request-payer", "requester"};
    if (http->credentials.keys.session_token[0])
        request.headers[request.headers_count++] = (SignPair){"x-amz-security-token", http->credentials.keys.session_token};
    buffer_init(&authorization, KIB(8));
    if (sign_authorization(&request, &authorization, error) < 0)
        result = -1;
    for (int i = 0; result == 0 && i < request.headers_count; i++)
        result = header_add(call, request.headers[i].name, request.headers[i].value, error);
    if (result == 0 && (header_add(call, "Authorization", authorization.data, error) < 0 || header_add(call, "Expect", NULL, error) < 0 ||
                        header_add(call, "Content-Type", NULL, error) < 0))
        result = -1;
    buffer_free(&authorization);
    return result;
}

static int address_make(S3Call *call, Buffer *path, Buffer *query, Error *error)
{
    const S3Http *http = call->http;

    buffer_clear(&call->url);
    if (buffer_text(path, http->path, error) < 0 || (!call->key && !http->path[0] && buffer_text(path, "/", error) < 0) ||
        (call->key && (buffer_text(path, "/", error) < 0 || sign_uri(path, call->key, true, error) < 0)) || buffer_terminate(path, error) < 0 ||
        sign_query(query, call->query, call->query_count, error) < 0)
        return -1;
    if (buffer_format(&call->url, error, "%s%s%s%s", http->origin, path->data, query->length ? "?" : "", query->data) < 0)
        return -1;
    return buffer_terminate(&call->url, error);
}

static int send_count(void *context, char *server_ip, char *local_ip, int server_port, int local_port)
{
    (void)server_ip;
    (void)local_ip;
    (void)server_port;
    (void)local_port;
    ((S3Call *)context)->sends++;
    return CURL_PREREQFUNC_OK;
}

static void easy_prepare(S3Call *call)
{
    const S3Http *http = call->http;
    CURL *easy = call->easy;
    bool sends = strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0;

    curl_easy_setopt(easy, CURLOPT_URL, call->url.data);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, call->stall_s ? call->stall_s : STALL_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, send_count);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    if (http->ca_file[0])
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    if (sends) {
        /* The body stays where it is: curl reads it again by itself when a kept connection turns out dead. */
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body ? call->body : "");
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (call->tries > 0) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L); /* another address may do better */
        curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    }
}

static void easy_drop(S3Call *call)
{
    if (call->easy) {
        curl_multi_remove_handle(call->http->multi, call->easy);
        curl_easy_cleanup(call->easy);
        call->easy = NULL;
    }
    s3_headers_free(call->headers);
    call->headers = NULL;
}

void s3_headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line; line = line->next)
        OPENSSL_cleanse(line->data, strlen(line->data));
    curl_slist_free_all(headers);
}

static void answer_clear(S3Call *call)
{
    call->curl = CURLE_OK;
    call->status = 0;
    call->content_length = 0;
    call->date_s = 0;
    call->code[0] = call->message[0] = call->region[0] = call->etag[0] = call->request_id[0] = call->attempt_found[0] = '\0';
    buffer_clear(&call->answer);
}

static int try_begin(S3Call *call, Error *error)
{
    Buffer path, query;
    int result;

    answer_clear(call);
    buffer_init(&path, KIB(8));
    buffer_init(&query, KIB(8));
    result = s3_credentials_ready(&call->http->credentials, s3_now_s(call->http), error);
    call->generation = call->http->credentials.generation;
    if (result == 0)
        result = address_make(call, &path, &query, error);
    if (result == 0)
        result = headers_make(call, path.data, query.data, error);
    buffer_free(&path);
    buffer_free(&query);
    if (result == 0) {
        call->easy = curl_easy_init();
        if (!call->easy)
            result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");
    }
    if (result == 0) {
        easy_prepare(call);
        if (curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
            result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a request");
    }
    if (result < 0)
        easy_drop(call);
    call->tries++;
    return result;
}

int s3_call_start(S3Call *call, Error *error)
{
    if (call->http->unsigned_payload && call->body && strcmp(call->method, "PUT") == 0)
        snprintf(call->sha256, sizeof call->sha256, SIGN_UNSIGNED);
    else if (sign_sha256(call->body ? call->body : "", call->body ? call->body_length : 0, call->sha256, error) < 0)
        return -1;
    if (try_begin(call, error) < 0)
        return -1;
    call->next = call->http->calls;
    call->http->calls = call;
    return 0;
}

static void call_unlink(S3Call *call)
{
    S3Call **at = &call->http->calls;

    while (*at && *at != call)
        at = &(*at)->next;
    if (*at)
        *at = call->next;
    call->next = NULL;
}

void s3_call_end(S3Call *call)
{
    if (!call->http)
        return;
    call_unlink(call);
    easy_drop(call);
    buffer_free(&call->answer);
    buffer_free(&call->url);
    call->http = NULL;
}

static void error_body_read(S3Call *call, XmlSpan root)
{
    xml_find_text(root, "Code", call->code, sizeof call->code);
    xml_find_text(root, "Message", call->message, sizeof call->message);
    if (!call->region[0])
        xml_find_text(root, "Region", call->region, sizeof call->region);
}

/* A failure can come as a body of status 200 (CompleteMultipartUpload says 200 before it knows); one cut off is no answer. */
static void answer_judge(S3Call *call)
{
    XmlSpan document = xml_span(call->answer.data, call->answer.length);
    char root[XML_NAME_MAX] = "";
    XmlSpan inner;
    int found;

    if (call->curl != CURLE_OK || (call->status < 300 && !call->answer_root))
        return;
    found = xml_next(&document, root, &inner);
    if (found > 0 && strcmp(root, "Error") == 0) {
        error_body_read(call, inner);
        if (call->status < 300)
            call->status = 500;
    } else if (call->status < 300 && (found <= 0 || strcmp(root, call->answer_root) != 0)) {
        call->curl = CURLE_PARTIAL_FILE;
    }
}

bool s3_call_good(const S3Call *call)
{
    return !call->broken && call->curl == CURLE_OK && call->status >= 200 && call->status < 300;
}

static void call_over(S3Call *call)
{
    call->over = true;
    call_unlink(call);
    if (call->done)
        call->done(call);
}

static void try_end(S3Call *call, CURLcode curl)
{
    int64_t pause_ms;

    call->curl = curl;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
    answer_judge(call);
    call->reached |= curl != CURLE_COULDNT_RESOLVE_PROXY && curl != CURLE_COULDNT_RESOLVE_HOST && curl != CURLE_COULDNT_CONNECT;
    easy_drop(call);
    if (s3_call_again(call, &pause_ms))
        call->wake_ms = clock_monotonic_ms() + pause_ms;
    else
        call_over(call);
}

/* Returns how many calls are over. A call's `done` may end it or start others, so the list is read anew after each. */
static int answers_take(S3Http *http)
{
    CURLMsg *message;
    int left, count = 0;

    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        S3Call *call = NULL;
        CURLcode result = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        try_end(call, result);
        count++;
    }
    return count;
}

/* Starts the tries that are due. Returns the time until the next one, at most `ms`. */
static int64_t tries_begin(S3Http *http, int64_t ms)
{
    int64_t now = clock_monotonic_ms();
    S3Call *next;

    for (S3Call *call = http->calls; call; call = next) {
        next = call->next;
        if (call->easy)
            continue;
        if (call->wake_ms > now) {
            ms = call->wake_ms - now < ms ? call->wake_ms - now : ms;
        } else if (try_begin(call, &call->error) < 0) {
            call->broken = true;
            call_over(call);
            return 0;
        }
    }
    return ms;
}

static int beat(S3Http *http, Error *error)
{
    int64_t now = clock_monotonic_ms();

    if (!http->beat.beat || now - http->beat_ms < BEAT_MS)
        return 0;
    http->beat_ms = now;
    if (http->beat.beat(http->beat.context) != 0)
        return error_set(error, ERROR_INTERRUPTED, NULL, "stopped while waiting for %.200s", http->host);
    return 0;
}

int s3_wait(S3Http *http, int64_t ms, Error *error)
{
    int running;

    if (beat(http, error) < 0)
        return -1;
    ms = tries_begin(http, ms > WAIT_MS ? WAIT_MS : ms);
    curl_multi_perform(http->multi, &running);
    if (answers_take(http) > 0 || ms <= 0)
        return 0;
    curl_multi_poll(http->multi, NULL, 0, (int)ms, NULL);
    curl_multi_perform(http->multi, &running);
    answers_take(http);
    return beat(http, error);
}

int s3_pause(S3Http *http, int64_t ms, Error *error)
{
    int64_t end = clock_monotonic_ms() + ms;
    int64_t now;

    while ((now = clock_monotonic_ms()) < end) {
        if (s3_wait(http, end - now, error) < 0)
            return -1;
    }
    return 0;
}

int s3_call_run(S3Call *call, Error *error)
{
    if (s3_call_start(call, error) < 0)
        return -1;
    while (!call->over) {
        if (s3_wait(call->http, WAIT_MS, error) < 0)
            return -1;
    }
    return 0;
}
