/* error.c - what a failed call means and what a person can do about it; see http.h */
#include "sink/s3/http.h"

#include <stdio.h>
#include <string.h>

typedef struct Meaning {
    const char *code;
    ErrorKind kind;
    const char *hint;
} Meaning;

/* By <Code>: S3 API reference, "List of error codes"; XAdminUserNotFound is versitygw's word for an unknown access key. */
static const Meaning by_code[] = {
    {"InvalidAccessKeyId", ERROR_PERMANENT, "The server does not know the access key: check the target's secret, or AWS_ACCESS_KEY_ID of the worker."},
    {"XAdminUserNotFound", ERROR_PERMANENT, "The server does not know the access key: check the target's secret, or AWS_ACCESS_KEY_ID of the worker."},
    {"SignatureDoesNotMatch", ERROR_PERMANENT,
     "The secret key does not belong to the access key: check the target's secret, or AWS_SECRET_ACCESS_KEY of the worker."},
    {"InvalidToken", ERROR_PERMANENT, "The session token is not valid: check AWS_SESSION_TOKEN of the worker."},
    {"AccessDenied", ERROR_PERMANENT,
     "Grant s3:PutObject, s3:GetObject, s3:AbortMultipartUpload on the prefix and s3:ListBucket, s3:ListBucketMultipartUploads on the bucket."},
    {"AllAccessDisabled", ERROR_PERMANENT, "The bucket has been disabled by its owner."},
    {"NoSuchBucket", ERROR_PERMANENT, "Make the bucket, or set the target's option bucket to one that exists."},
    {"InvalidBucketName", ERROR_PERMANENT, "Set the target's option bucket to a valid name."},
    {"NotImplemented", ERROR_PERMANENT, "The server lacks a function that sluice needs: sluice.check_target() says which."},
    {"RequestTimeTooSkewed", ERROR_TRANSIENT, "Set the clock of the worker's machine (NTP)."},
    {"NoSuchKey", ERROR_GONE, NULL},
    {"QuotaExceeded", ERROR_TRANSIENT, "Free space in the bucket or raise its quota."},
    {"XMinioStorageFull", ERROR_TRANSIENT, "Free space on the server that holds the bucket."},
};

static int curl_error(const S3Call *call, const char *what, Error *error)
{
    const char *host = call->http->host;
    const char *reason = curl_easy_strerror(call->curl);
    const char *hint = NULL;
    ErrorKind kind = s3_call_unsettled(call) ? ERROR_TRANSIENT : ERROR_PERMANENT;

    switch (call->curl) {
    case CURLE_COULDNT_RESOLVE_HOST:
        hint = "Check the target's option endpoint (or region) and the name server of the worker's machine.";
        break;
    case CURLE_COULDNT_CONNECT:
        hint = "Check that the target's endpoint is up, its port, and the firewall between the worker and it.";
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        hint = "Set the target's option ca_file to the certificate of the authority that signed the server's, and use the name that it certifies.";
        break;
    case CURLE_SSL_CACERT_BADFILE:
        hint = "The target's option ca_file must be a PEM file that the worker's user can read.";
        break;
    case CURLE_SSL_CONNECT_ERROR:
        hint = "The server may not speak TLS on this port: check http or https in the target's option endpoint.";
        break;
    case CURLE_OPERATION_TIMEDOUT:
        hint = "The server did not answer in time.";
        break;
    default:
        break;
    }
    return error_set(error, kind, hint, "%s at %.200s: %s", what, host, reason);
}

/* 301, 307 and AuthorizationHeaderMalformed: the bucket lives elsewhere. */
static int region_error(const S3Call *call, const char *what, Error *error)
{
    char hint[256];
    char code[16];

    snprintf(code, sizeof code, "%ld", call->status);
    if (call->region[0] && strcmp(call->region, call->http->region) != 0)
        snprintf(hint, sizeof hint, "The bucket lies in region %s: set the target's option region to it.", call->region);
    else
        snprintf(hint, sizeof hint, "Check the target's options region, endpoint and path_style.");
    return error_set_code(error, ERROR_PERMANENT, code, hint, "%s at %.200s: the bucket is not in region %s", what, call->http->host,
                          call->http->region);
}

/* Keys that cannot be asked for anew by us. Those of the target's own secret are read again when the target is opened again. */
static const Meaning *expired_find(const S3Call *call)
{
    static const Meaning own = {"ExpiredToken", ERROR_TRANSIENT, "The session token of the target's secret has expired: renew what its options name."};
    static const Meaning other = {"ExpiredToken", ERROR_PERMANENT,
                                  "The session token has expired: renew the worker's credentials; those of its environment want a restart."};

    return call->http->credentials.given.access_key[0] ? &own : &other;
}

static const Meaning *meaning_find(const S3Call *call)
{
    /* The answer to a HEAD has no body: only its status speaks. */
    static const Meaning forbidden = {"AccessDenied", ERROR_PERMANENT,
                                      "Check access key, secret key and rights (s3:GetObject, and s3:ListBucket: without it an absent object looks "
                                      "forbidden)."};
    static const Meaning absent = {"NotFound", ERROR_PERMANENT, "Check that the bucket exists and the target's option endpoint is right."};

    if (strcmp(call->code, "ExpiredToken") == 0)
        return expired_find(call);
    for (size_t i = 0; i < sizeof by_code / sizeof by_code[0]; i++) {
        if (strcmp(by_code[i].code, call->code) == 0)
            return &by_code[i];
    }
    if (!call->code[0] && (call->status == 403 || call->status == 401))
        return &forbidden;
    return !call->code[0] && call->status == 404 ? &absent : NULL;
}

static int status_error(const S3Call *call, const char *what, Error *error)
{
    const Meaning *meaning = meaning_find(call);
    ErrorKind kind = meaning ? meaning->kind : s3_call_unsettled(call) ? ERROR_TRANSIENT : ERROR_PERMANENT;
    char code[16];

    snprintf(code, sizeof code, "%ld", call->status);
    return error_set_code(error, kind, code, meaning ? meaning->hint : NULL, "%s%s%.200s at %.150s%.100s: HTTP %ld %s %s%s%s", what,
                          call->key ? " " : "", call->key ? call->key : "", call->http->host, call->http->path, call->status, call->code, call->message,
                          call->request_id[0] ? ", request " : "", call->request_id);
}

int s3_call_error(const S3Call *call, const char *what, Error *error)
{
    if (call->broken) {
        *error = call->error;
        return error_prefix(error, "%s", what);
    }
    if (call->too_large)
        return error_set(error, ERROR_PERMANENT, NULL, "%s at %.200s: the answer is larger than %zu bytes", what, call->http->host,
                         call->answer.maximum);
    if (call->curl != CURLE_OK)
        return curl_error(call, what, error);
    if ((call->status >= 300 && call->status < 400) ||
        (call->status == 400 && !call->code[0] && call->region[0] && strcmp(call->region, call->http->region) != 0) || strcmp(call->code, "AuthorizationHeaderMalformed") == 0)
        return region_error(call, what, error);
    return status_error(call, what, error);
}
