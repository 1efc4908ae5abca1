/* retry.c - whether a request is made once more, and when; see http.h */
#include "base/clock.h"
#include "sink/s3/http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 20000
#define SKEW_SECONDS 600 /* S3 refuses a difference of 15 minutes */
#define RETRY_COST 5
#define RETRY_COST_TIMEOUT 10
#define PARALLEL_GROW 4 /* good answers, per transfer at once, after which one more is dared */
#define SLOWED_MS 1000

int64_t s3_backoff_ms(int n)
{
    int64_t limit = n > 8 ? BACKOFF_LAST_MS : (int64_t)BACKOFF_FIRST_MS << n;
    uint32_t number = 0;

    if (limit > BACKOFF_LAST_MS)
        limit = BACKOFF_LAST_MS;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
        return limit;
    return number % (limit + 1);
}

int64_t s3_now_s(const S3Http *http)
{
    return clock_wall_us() / 1000000 + http->clock_offset_s;
}

bool s3_call_unsettled(const S3Call *call)
{
    static const char *const codes[] = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException",
                                        "RequestLimitExceeded", "Busy",
                                        /* damaged on the way: what was signed is not what came */
                                        "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"};

    if (call->broken || call->too_large)
        return false;
    switch (call->curl) {
    case CURLE_OK:
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN:
        return false;
    default:
        return true;
    }
    if (call->status == 500 || call->status == 502 || call->status == 503 || call->status == 504 || call->status == 429)
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(call->code, codes[i]) == 0)
            return true;
    }
    return false;
}

/* The answer to a HEAD has no body that could say RequestTimeTooSkewed: there the clocks themselves do. */
static bool skew_correct(S3Call *call)
{
    int64_t offset = call->date_s - clock_wall_us() / 1000000;
    int64_t skew = llabs(offset - call->http->clock_offset_s);
    bool silent = call->status == 403 && !call->code[0] && skew > SKEW_SECONDS;

    if (call->skew_corrected || !call->date_s || (!silent && strcmp(call->code, "RequestTimeTooSkewed") != 0))
        return false;
    call->skew_corrected = true;
    call->http->clock_offset_s = offset;
    return true;
}

/* The answer to a HEAD has no body that could say ExpiredToken: there S3 says 400 and nothing else. */
static bool keys_renew(S3Call *call)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"};
    S3Http *http = call->http;
    bool expired = call->status == 400 && !call->code[0] && strcmp(call->method, "HEAD") == 0 && http->credentials.keys.session_token[0];

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        expired |= strcmp(call->code, codes[i]) == 0;
    if (!expired || call->renewed)
        return false;
    call->renewed = true;
    return s3_credentials_renew(&http->credentials, call->generation, s3_now_s(http));
}

/* True where the bucket of tokens allows one more try; it is paid then. */
static bool retry_paid(S3Call *call)
{
    int cost = call->curl == CURLE_OPERATION_TIMEDOUT ? RETRY_COST_TIMEOUT : RETRY_COST;

    if (call->http->retry_tokens < cost)
        return false;
    call->http->retry_tokens -= cost;
    call->retry_cost = cost;
    return true;
}

/* What the answer says of the server's strength. */
static void pace_learn(S3Call *call)
{
    S3Http *http = call->http;
    int64_t now = clock_monotonic_ms();

    if (s3_call_good(call)) {
        http->retry_tokens += call->retry_cost ? call->retry_cost : 1;
        if (http->retry_tokens > S3_RETRY_TOKENS)
            http->retry_tokens = S3_RETRY_TOKENS;
        if (++http->parallel_good >= PARALLEL_GROW * http->parallel && http->parallel < http->parallel_max) {
            http->parallel++;
            http->parallel_good = 0;
        }
    } else if (call->status == 503 || call->status == 429 || strcmp(call->code, "SlowDown") == 0) {
        http->parallel_good = 0;
        /* Answers of one moment are one complaint. */
        if (http->parallel > 1 && (!http->slowed_ms || now - http->slowed_ms >= SLOWED_MS)) {
            http->parallel /= 2;
            http->slowed_ms = now;
        }
    }
}

bool s3_call_again(S3Call *call, int64_t *pause_ms)
{
    int limit = call->tries_max ? call->tries_max : call->http->tries_max;

    *pause_ms = 0;
    pace_learn(call);
    if (skew_correct(call) || keys_renew(call))
        return true;
    if (!s3_call_unsettled(call) || call->tries >= limit || !retry_paid(call))
        return false;
    *pause_ms = s3_backoff_ms(call->tries - 1);
    return true;
}
