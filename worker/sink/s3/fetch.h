/*
 * fetch.h - one request to whoever gives credentials (STS, container, instance), waited for. Inside sink/ only.
 *
 * It has a curl multi handle of its own, so the transfers of the sink are not touched, but they stand still meanwhile: time-outs are
 * short. A network failure, 429 and 5xx are tried again. Answers hold secrets: whoever takes one hands it to s3_wipe.
 */
#ifndef SLUICE_SINK_S3_FETCH_H
#define SLUICE_SINK_S3_FETCH_H

#include "base/beat.h"
#include "base/buffer.h"
#include "sink/s3/sign.h"
#include <curl/curl.h>
#include <stdbool.h>

typedef struct S3Fetch {
    const char *method;
    const char *url;
    SignPair headers[6];
    int headers_count;
    const char *body;     /* NULL: none */
    const char *ca_file;  /* NULL: the system's */
    long timeout_ms;      /* of one try, all of it */
    int tries;
    bool direct;          /* a link-local address: never through a proxy */
    Beat beat;
} S3Fetch;

/* Appends the answer's body, whatever its status; the body is cleared first. -1: no answer (ERROR_TRANSIENT) or interrupted. */
int s3_fetch(const S3Fetch *fetch, long *status, Buffer *body, Error *error);
/* Drives the one transfer of `multi` to its end, which is *ret. -1: interrupted. */
int s3_transfer(CURLM *multi, Beat beat, CURLcode *ret, Error *error);
/* Overwrites what the buffer holds and frees it. */
void s3_wipe(Buffer *buffer);
/* A small file, whole: profiles, tokens. ERROR_GONE where it is absent. The last line's end is kept. */
int s3_file_read(const char *path, Buffer *ret, Error *error);

#endif
