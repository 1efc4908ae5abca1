/* connect.c - the way to a bucket before the first request, step by step, for the doctor; see kind.h */
#include "base/clock.h"
#include "sink/s3/s3.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 15000L

enum { STEP_DNS, STEP_TCP, STEP_TLS, STEP_CREDENTIALS };

const char *const s3_connect_steps[] = {"dns", "tcp", "tls", "credentials", NULL};

static int64_t info_ms(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    curl_easy_getinfo(easy, info, &us);
    return us / 1000;
}

/* One connection without a request: run at the first step, read by those behind it. */
static int way_try(S3Sink *sink, Error *error)
{
    const S3Http *http = &sink->http;
    S3Way *way = &sink->way;
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    char *address = NULL;
    int result = -1;

    memset(way, 0, sizeof *way);
    if (multi && easy) {
        curl_easy_setopt(easy, CURLOPT_URL, http->origin);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
        if (http->ca_file[0])
            curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
        curl_multi_add_handle(multi, easy);
        result = s3_transfer(multi, http->beat, &way->code, error);
        way->name_ms = info_ms(easy, CURLINFO_NAMELOOKUP_TIME_T);
        way->tcp_ms = info_ms(easy, CURLINFO_CONNECT_TIME_T);
        way->tls_ms = info_ms(easy, CURLINFO_APPCONNECT_TIME_T);
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &way->port);
        snprintf(way->address, sizeof way->address, "%s", address ? address : "");
        curl_multi_remove_handle(multi, easy);
    } else {
        error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a connection");
    }
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    return result;
}

/* The step at which the connection ended; STEP_CREDENTIALS where it stands. */
static int way_end(const S3Way *way)
{
    switch (way->code) {
    case CURLE_OK:
        return STEP_CREDENTIALS;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return STEP_DNS;
    case CURLE_COULDNT_CONNECT:
        return STEP_TCP;
    default:
        return way->tcp_ms || way->address[0] ? STEP_TLS : STEP_TCP;
    }
}

static int credentials_step(S3Sink *sink, char found[SINK_FOUND_MAX], Error *error)
{
    S3Credentials *credentials = &sink->http.credentials;
    int64_t now_s = s3_now_s(&sink->http);

    if (s3_credentials_ready(credentials, now_s, error) < 0)
        return -1;
    if (credentials->keys.expires_s)
        snprintf(found, SINK_FOUND_MAX, "from %s, for %lld s more", credentials->origin, (long long)(credentials->keys.expires_s - now_s));
    else
        snprintf(found, SINK_FOUND_MAX, "from %s", credentials->origin);
    return 0;
}

int s3_connect_run(Sink *base, int step, char found[SINK_FOUND_MAX], int64_t *ms, Error *error)
{
    S3Sink *sink = (S3Sink *)base;
    const S3Way *way = &sink->way;

    if (step == STEP_CREDENTIALS)
        return credentials_step(sink, found, error);
    if (step == STEP_DNS && way_try(sink, error) < 0)
        return -1;
    if (way_end(way) == step) {
        S3Call call;

        s3_call_init(&call, &sink->http, "GET", NULL);
        call.curl = way->code;
        s3_call_error(&call, "connecting", error);
        s3_call_end(&call);
        return -1;
    }
    if (step == STEP_DNS) {
        size_t length = sink->http.host[0] == '[' ? strcspn(sink->http.host, "]") + 1 : strcspn(sink->http.host, ":");

        snprintf(found, SINK_FOUND_MAX, "%.*s is %s", (int)length, sink->http.host, way->address[0] ? way->address : "known");
        *ms = way->name_ms;
    } else if (step == STEP_TCP) {
        snprintf(found, SINK_FOUND_MAX, "port %ld answers", way->port);
        *ms = way->tcp_ms > way->name_ms ? way->tcp_ms - way->name_ms : 0;
    } else if (strncmp(sink->http.origin, "https://", 8) == 0) {
        snprintf(found, SINK_FOUND_MAX, "certificate and name are good");
        *ms = way->tls_ms > way->tcp_ms ? way->tls_ms - way->tcp_ms : 0;
    } else {
        snprintf(found, SINK_FOUND_MAX, "none: the endpoint is http, whatever is sent can be read on its way");
    }
    return 0;
}
