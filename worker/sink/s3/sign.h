/*
 * sign.h - AWS Signature Version 4, header and query form, on libcrypto.
 *
 * Source: "Signature Version 4 signing process", AWS General Reference; for S3: URI encoded once, no path normalisation, the
 * payload's SHA-256 or UNSIGNED-PAYLOAD as the caller says. Proved by AWS's published vectors, both forms of each
 * (tests/unit/sink_s3_sign_test.c). libcurl's own signer is not used: that of 7.88 fails on unsorted queries, `=` in keys and
 * neighbouring header names.
 */
#ifndef SLUICE_SINK_S3_SIGN_H
#define SLUICE_SINK_S3_SIGN_H

#include "base/buffer.h"
#include <stdbool.h>

#define SIGN_HEADERS_MAX 20
#define SIGN_QUERY_MAX 16
#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"
#define SHA256_TEXT 65  /* with its 0 byte */
#define SIGN_TIME_TEXT 17 /* "20150830T123600Z" with its 0 byte */

typedef struct SignPair {
    const char *name;
    const char *value;
} SignPair;

typedef struct SignRequest {
    const char *method;
    const char *path;  /* as sent: encoded, beginning with "/" */
    const char *query; /* as sign_query makes it; "" for none */
    SignPair headers[SIGN_HEADERS_MAX]; /* every header to sign, names in lower case, any order; host and x-amz-date among them */
    int headers_count;
    const char *payload_sha256;
    const char *region;
    const char *service;
    const char *time; /* as in x-amz-date */
    const char *access_key;
    const char *secret_key;
} SignRequest;

/* Appends: unreserved characters as they are, all others as %XX; "/" stays where keep_slash. */
int sign_uri(Buffer *ret, const char *text, bool keep_slash, Error *error);
/* Appends the canonical query: encoded and sorted. At most SIGN_QUERY_MAX pairs. */
int sign_query(Buffer *ret, const SignPair *pairs, int count, Error *error);
int sign_sha256(const void *data, size_t length, char ret[SHA256_TEXT], Error *error);
void sign_time(long long unix_seconds, char ret[SIGN_TIME_TEXT]);
/* Appends the value of the Authorization header. */
int sign_authorization(const SignRequest *request, Buffer *ret, Error *error);
/* Appends the whole query of a presigned request: `pairs`, X-Amz-* (with `token`, where not NULL) and X-Amz-Signature. The
 * request's own query is not looked at; x-amz-date is none of its headers. Good for `expires_s` from request->time. */
int sign_presigned(const SignRequest *request, const SignPair *pairs, int count, int expires_s, const char *token, Buffer *ret, Error *error);

#endif
