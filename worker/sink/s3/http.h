/*
 * http.h - signed requests to one bucket through one curl multi handle. Inside sink/ only.
 *
 * A call is one request with all its retries: it is signed anew for each try, retried with full jitter (100 ms..20 s) after
 * network failures, 500, 502, 503, 504, 429, SlowDown and RequestTimeout, and once after RequestTimeTooSkewed with the clock corrected by the
 * server's Date, and once after ExpiredToken with renewed credentials. Retries draw on a bucket of tokens, as AWS's SDKs do ("Retry
 * behavior", standard mode): 500 of them, 5 a retry, 10 after a time-out, given back by success; where they run out, a call fails at its
 * first try. The process ignores SIGPIPE. Up to the caller's own limit many calls run at once; connections are kept and reused.
 */
#ifndef SLUICE_SINK_S3_HTTP_H
#define SLUICE_SINK_S3_HTTP_H

#include "base/limits.h"
#include "sink/kind.h"
#include "sink/s3/credentials.h"
#include "sink/s3/sign.h"
#include <curl/curl.h>
#include <limits.h>

#define S3_TRIES_DEFAULT 8
#define S3_RETRY_TOKENS 500
#define S3_OBJECT_HEADERS_MAX 8
#define S3_ANSWER_MAX MIB(4) /* 1000 keys of a listing, escaped */

typedef struct S3Call S3Call;

typedef struct S3Http {
    char origin[512];   /* "https://host:port" */
    char host[300];     /* as in the Host header */
    char path[300];     /* "/bucket" or "" */
    char region[S3_REGION_MAX];
    char ca_file[PATH_MAX];
    S3Credentials credentials;
    SignPair object_headers[S3_OBJECT_HEADERS_MAX]; /* of every object that is made; the strings are the owner's */
    int object_headers_count;
    bool requester_pays;
    bool unsigned_payload;  /* the bodies of PUT are not hashed: TLS alone guards them */
    Beat beat;
    int64_t beat_ms;
    int tries_max;
    int64_t clock_offset_s; /* server's clock - ours, once it has complained */
    int retry_tokens;       /* left */
    int parallel, parallel_max; /* transfers of large bodies at once: halved by SlowDown, grown by what goes well */
    int parallel_good;      /* answers since the last change */
    int64_t slowed_ms;      /* when it was last halved */
    CURLM *multi;
    S3Call *calls;          /* all that are not done */
} S3Http;

struct S3Call {
    /* The request, set before s3_call_start. Strings and body belong to the caller and outlive the call. */
    S3Http *http;
    const char *method;
    const char *key;     /* NULL: the bucket itself */
    SignPair query[SIGN_QUERY_MAX];
    int query_count;
    const void *body;
    size_t body_length;
    bool if_none_match;
    bool creates;              /* an object is made of it: the http's object_headers go with it */
    const char *attempt;       /* into x-amz-meta-sluice-attempt, or NULL */
    const char *answer_root;   /* a 200 whose XML has another root element is a failure */
    int tries_max;             /* 0 = the http's */
    long stall_s;              /* without a byte in either direction this long a try is lost; 0 = 30 */
    long timeout_ms;           /* of the whole of one try; 0 = only that it must not stall */
    void (*done)(S3Call *call); /* called from s3_wait when it is over; may be NULL */
    void *context;

    /* The answer of the last try. */
    bool over;
    CURLcode curl;
    long status;
    char code[64], message[256]; /* <Code>, <Message> of an <Error> */
    char region[64], etag[96], request_id[64], attempt_found[64];
    uint64_t content_length;
    int64_t date_s;        /* of the Date header, 0 = none */
    Buffer answer;
    bool reached;          /* some try may have come to the server */
    bool too_large;        /* the answer exceeded its buffer */
    bool broken;           /* could not even be sent; `error` says why */
    Error error;

    /* Its own. */
    CURL *easy;
    struct curl_slist *headers;
    Buffer url;
    char sha256[SHA256_TEXT];
    int tries;
    int sends;            /* how often the request went out: curl sends again by itself where a kept connection turns out dead */
    bool skew_corrected, renewed;
    unsigned generation;  /* of the credentials it was last signed with */
    int retry_cost;       /* tokens drawn for the last retry */
    int64_t wake_ms; /* next try, where easy is NULL */
    S3Call *next;
};

int s3_http_open(S3Http *http, Error *error); /* after origin, host, path, region, credentials, parallel_max have been set */
void s3_http_close(S3Http *http);

void s3_call_init(S3Call *call, S3Http *http, const char *method, const char *key);
void s3_call_query(S3Call *call, const char *name, const char *value);
int s3_call_start(S3Call *call, Error *error);
/* Lets calls go on for at most `ms` (<= 1000) or until one is over, and beats. */
int s3_wait(S3Http *http, int64_t ms, Error *error);
int s3_pause(S3Http *http, int64_t ms, Error *error);
/* Start and wait until over. 0 also for answers that are failures: s3_call_good tells. -1: interrupted or out of memory. */
int s3_call_run(S3Call *call, Error *error);
bool s3_call_good(const S3Call *call);
/* The last try was one that may pass: what happened at the server is not known. */
bool s3_call_unsettled(const S3Call *call);
/* Ends it, where it stands, and frees what it holds. */
void s3_call_end(S3Call *call);
/* Overwrites and frees headers, since some hold a token. */
void s3_headers_free(struct curl_slist *headers);
/* retry.c: after a try; true = once more, in *pause_ms. Learns from the answer: clock, credentials, how much the server bears. */
bool s3_call_again(S3Call *call, int64_t *pause_ms);
int64_t s3_now_s(const S3Http *http); /* seconds since 1970, by the server's clock as far as it is known */
/* 0..limit ms for the n-th (0..) retry, full jitter. */
int64_t s3_backoff_ms(int n);

/* What a failed call means: kind, hint without a secret. Returns -1. */
int s3_call_error(const S3Call *call, const char *what, Error *error);

#endif
