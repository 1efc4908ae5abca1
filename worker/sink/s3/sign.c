/* sign.c - see sign.h */
#include "sink/s3/sign.h"
#include "base/hex.h"
#include "base/limits.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHA256_BYTES 32
#define SCOPE_MAX 200
#define ALGORITHM "AWS4-HMAC-SHA256"

int sign_uri(Buffer *ret, const char *text, bool keep_slash, Error *error)
{
    static const char digits[] = "0123456789ABCDEF";

    if (buffer_reserve(ret, strlen(text) * 3 + 1, error) < 0)
        return -1;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool plain = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || strchr("-._~", *at) ||
                     (keep_slash && *at == '/');

        if (plain) {
            ret->data[ret->length++] = (char)*at;
        } else {
            ret->data[ret->length++] = '%';
            ret->data[ret->length++] = digits[*at >> 4];
            ret->data[ret->length++] = digits[*at & 15];
        }
    }
    return buffer_terminate(ret, error);
}

/* Insertion sort by name, then value: there are a handful. */
static void pairs_sort(SignPair *pairs, int count)
{
    for (int i = 1; i < count; i++) {
        SignPair moved = pairs[i];
        int to = i;

        for (; to > 0; to--) {
            int order = strcmp(pairs[to - 1].name, moved.name);

            if (order < 0 || (order == 0 && strcmp(pairs[to - 1].value, moved.value) <= 0))
                break;
            pairs[to] = pairs[to - 1];
        }
        pairs[to] = moved;
    }
}

/* Appends the encoded text and its 0 byte to `work`, which has the room, and points to it. */
static int encoded(Buffer *work, const char *text, const char **ret, Error *error)
{
    *ret = work->data + work->length;
    if (sign_uri(work, text, false, error) < 0)
        return -1;
    work->length++;
    return 0;
}

/* Sorted by what is sent, encoded names first and not whole pairs: "a=" comes before "a-b=". */
int sign_query(Buffer *ret, const SignPair *pairs, int count, Error *error)
{
    SignPair sorted[SIGN_QUERY_MAX];
    size_t room = 16;
    Buffer work;
    int result;

    if (count > SIGN_QUERY_MAX)
        return error_set(error, ERROR_INTERNAL, NULL, "a query of %d pairs cannot be signed", count);
    for (int i = 0; i < count; i++)
        room += (strlen(pairs[i].name) + strlen(pairs[i].value)) * 3 + 4;
    buffer_init(&work, KIB(64));
    result = buffer_reserve(&work, room, error);
    for (int i = 0; result == 0 && i < count; i++) {
        if (encoded(&work, pairs[i].name, &sorted[i].name, error) < 0 || encoded(&work, pairs[i].value, &sorted[i].value, error) < 0)
            result = -1;
    }
    if (result == 0)
        pairs_sort(sorted, count);
    for (int i = 0; result == 0 && i < count; i++)
        result = buffer_format(ret, error, "%s%s=%s", i ? "&" : "", sorted[i].name, sorted[i].value);
    buffer_free(&work);
    return result < 0 ? -1 : buffer_terminate(ret, error);
}

int sign_sha256(const void *data, size_t length, char ret[SHA256_TEXT], Error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_INTERNAL, NULL, "SHA-256 is not available");
    hex_encode(digest, SHA256_BYTES, ret);
    ret[SHA256_TEXT - 1] = '\0';
    return 0;
}

void sign_time(long long unix_seconds, char ret[SIGN_TIME_TEXT])
{
    time_t seconds = (time_t)unix_seconds;
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(ret, SIGN_TIME_TEXT, "%Y%m%dT%H%M%SZ", &parts);
}

/* Leading and trailing blanks off, runs of them inside as one. */
static int header_value(Buffer *ret, const char *value, Error *error)
{
    size_t start;

    if (buffer_reserve(ret, strlen(value) + 1, error) < 0)
        return -1;
    value += strspn(value, " \t");
    start = ret->length;
    for (; *value; value++) {
        bool blank = *value == ' ' || *value == '\t';

        if (blank && (value[1] == ' ' || value[1] == '\t' || !value[1]))
            continue;
        ret->data[ret->length++] = blank ? ' ' : *value;
    }
    while (ret->length > start && ret->data[ret->length - 1] == ' ')
        ret->length--;
    return 0;
}

static int names_text(Buffer *ret, const SignPair *headers, int count, Error *error)
{
    for (int i = 0; i < count; i++) {
        if ((i && buffer_text(ret, ";", error) < 0) || buffer_text(ret, headers[i].name, error) < 0)
            return -1;
    }
    return buffer_terminate(ret, error);
}

static int canonical_request(Buffer *ret, const SignRequest *request, const SignPair *headers, Error *error)
{
    if (buffer_format(ret, error, "%s\n%s\n%s\n", request->method, request->path, request->query) < 0)
        return -1;
    for (int i = 0; i < request->headers_count; i++) {
        if (buffer_format(ret, error, "%s:", headers[i].name) < 0 || header_value(ret, headers[i].value, error) < 0 ||
            buffer_text(ret, "\n", error) < 0)
            return -1;
    }
    if (buffer_text(ret, "\n", error) < 0 || names_text(ret, headers, request->headers_count, error) < 0)
        return -1;
    return buffer_format(ret, error, "\n%s", request->payload_sha256);
}

static int hmac(const void *key, size_t key_length, const char *text, unsigned char ret[SHA256_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (!HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text), digest, NULL))
        return -1;
    memcpy(ret, digest, SHA256_BYTES);
    return 0;
}

/* The chain of section "Calculate the signature": secret -> date -> region -> service -> aws4_request -> text. */
static int signature(const SignRequest *request, const char *text, char ret[SHA256_TEXT], Error *error)
{
    char secret[256];
    char date[9];
    unsigned char key[SHA256_BYTES];
    int length = snprintf(secret, sizeof secret, "AWS4%s", request->secret_key);
    int result = -1;

    memcpy(date, request->time, 8);
    date[8] = '\0';
    if (length < (int)sizeof secret && hmac(secret, (size_t)length, date, key) == 0 && hmac(key, sizeof key, request->region, key) == 0 &&
        hmac(key, sizeof key, request->service, key) == 0 && hmac(key, sizeof key, "aws4_request", key) == 0 &&
        hmac(key, sizeof key, text, key) == 0)
        result = 0;
    OPENSSL_cleanse(secret, sizeof secret);
    if (result < 0)
        return error_set(error, ERROR_PERMANENT, "Check the secret key of the target.", "a request cannot be signed with this secret key");
    hex_encode(key, sizeof key, ret);
    ret[SHA256_TEXT - 1] = '\0';
    return 0;
}

static void scope_text(const SignRequest *request, char ret[SCOPE_MAX])
{
    snprintf(ret, SCOPE_MAX, "%.8s/%s/%s/aws4_request", request->time, request->region, request->service);
}

/* `headers` are the request's, sorted. */
static int request_sign(const SignRequest *request, const SignPair *headers, char ret[SHA256_TEXT], Error *error)
{
    char scope[SCOPE_MAX];
    Buffer work;
    int result = -1;

    buffer_init(&work, KIB(64));
    scope_text(request, scope);
    if (canonical_request(&work, request, headers, error) == 0 && sign_sha256(work.data, work.length, ret, error) == 0) {
        buffer_clear(&work);
        if (buffer_format(&work, error, ALGORITHM "\n%s\n%s\n%s", request->time, scope, ret) == 0 && buffer_terminate(&work, error) == 0)
            result = signature(request, work.data, ret, error);
    }
    buffer_free(&work);
    return result;
}

static int headers_sorted(const SignRequest *request, SignPair ret[SIGN_HEADERS_MAX], Error *error)
{
    if (request->headers_count > SIGN_HEADERS_MAX)
        return error_set(error, ERROR_INTERNAL, NULL, "a request of %d headers cannot be signed", request->headers_count);
    memcpy(ret, request->headers, (size_t)request->headers_count * sizeof ret[0]);
    pairs_sort(ret, request->headers_count);
    return 0;
}

int sign_authorization(const SignRequest *request, Buffer *ret, Error *error)
{
    SignPair headers[SIGN_HEADERS_MAX];
    char scope[SCOPE_MAX], digest[SHA256_TEXT];

    scope_text(request, scope);
    if (headers_sorted(request, headers, error) < 0 || request_sign(request, headers, digest, error) < 0 ||
        buffer_format(ret, error, ALGORITHM " Credential=%s/%s, SignedHeaders=", request->access_key, scope) < 0 ||
        names_text(ret, headers, request->headers_count, error) < 0 || buffer_format(ret, error, ", Signature=%s", digest) < 0)
        return -1;
    return buffer_terminate(ret, error);
}

static int presigned(const SignRequest *request, SignPair *pairs, int count, const SignPair *headers, Buffer *ret, Error *error)
{
    SignRequest copy = *request;
    char digest[SHA256_TEXT];
    Buffer query;
    int result;

    buffer_init(&query, KIB(64));
    result = sign_query(&query, pairs, count, error);
    copy.query = query.data;
    if (result == 0)
        result = request_sign(&copy, headers, digest, error);
    if (result == 0)
        result = buffer_format(ret, error, "%s&X-Amz-Signature=%s", query.data, digest);
    buffer_free(&query);
    return result < 0 ? -1 : buffer_terminate(ret, error);
}

int sign_presigned(const SignRequest *request, const SignPair *pairs, int count, int expires_s, const char *token, Buffer *ret, Error *error)
{
    SignPair headers[SIGN_HEADERS_MAX], all[SIGN_QUERY_MAX];
    char scope[SCOPE_MAX], credential[SCOPE_MAX + 160], expires[12];
    Buffer names;
    int result;

    if (count > SIGN_QUERY_MAX - 6)
        return error_set(error, ERROR_INTERNAL, NULL, "a query of %d pairs cannot be presigned", count);
    if (headers_sorted(request, headers, error) < 0)
        return -1;
    if (count)
        memcpy(all, pairs, (size_t)count * sizeof all[0]);
    scope_text(request, scope);
    snprintf(credential, sizeof credential, "%.159s/%s", request->access_key, scope);
    snprintf(expires, sizeof expires, "%d", expires_s);
    buffer_init(&names, KIB(4));
    result = names_text(&names, headers, request->headers_count, error);
    if (result == 0) {
        all[count++] = (SignPair){"X-Amz-Algorithm", ALGORITHM};
        all[count++] = (SignPair){"X-Amz-Credential", credential};
        all[count++] = (SignPair){"X-Amz-Date", request->time};
        all[count++] = (SignPair){"X-Amz-Expires", expires};
        all[count++] = (SignPair){"X-Amz-SignedHeaders", names.data};
        if (token)
            all[count++] = (SignPair){"X-Amz-Security-Token", token};
        result = presigned(request, all, count, headers, ret, error);
    }
    buffer_free(&names);
    return result;
}
