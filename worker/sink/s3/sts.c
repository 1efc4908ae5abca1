/* sts.c - roles: AssumeRole and AssumeRoleWithWebIdentity of the Security Token Service; see credentials.h */
#include "base/clock.h"
#include "base/limits.h"
#include "sink/s3/credentials.h"
#include "sink/s3/xml.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "2011-06-15" /* AWS Security Token Service API reference */
#define TRY_TIMEOUT_MS 5000L
#define TRIES 3
#define TOKEN_FILE_MAX KIB(20) /* a web identity token has at most 20,000 bytes */

/* AWS_ENDPOINT_URL_STS as the SDKs have it; else the region's own. */
static void endpoint_text(const S3Credentials *asker, char ret[300])
{
    const char *given = getenv("AWS_ENDPOINT_URL_STS");

    if (given && given[0])
        snprintf(ret, 300, "%.280s%s", given, given[strlen(given) - 1] == '/' ? "" : "/");
    else
        snprintf(ret, 300, "https://sts.%s.amazonaws.com%s/", asker->region, strncmp(asker->region, "cn-", 3) == 0 ? ".cn" : "");
}

static int pair_append(Buffer *body, const char *name, const char *value, Error *error)
{
    if (!value[0])
        return 0;
    return buffer_format(body, error, "&%s=", name) < 0 ? -1 : sign_uri(body, value, false, error);
}

static int body_make(const S3Role *role, const char *token, Buffer *body, Error *error)
{
    char session[80], duration[16] = "";

    snprintf(session, sizeof session, "sluice-%d", (int)getpid());
    if (role->duration_s)
        snprintf(duration, sizeof duration, "%d", role->duration_s);
    if (buffer_format(body, error, "Action=%s&Version=" VERSION, token ? "AssumeRoleWithWebIdentity" : "AssumeRole") < 0 ||
        pair_append(body, "RoleArn", role->arn, error) < 0 ||
        pair_append(body, "RoleSessionName", role->session_name[0] ? role->session_name : session, error) < 0 ||
        pair_append(body, "DurationSeconds", duration, error) < 0 || pair_append(body, "ExternalId", token ? "" : role->external_id, error) < 0 ||
        pair_append(body, "WebIdentityToken", token ? token : "", error) < 0)
        return -1;
    return buffer_terminate(body, error);
}

/* Adds what AssumeRole is signed with; the texts belong to the caller and outlive the fetch. */
static int fetch_sign(S3Fetch *fetch, const S3Credentials *asker, const S3Keys *keys, const char *host, char now[SIGN_TIME_TEXT],
                      Buffer *authorization, Error *error)
{
    char sha256[SHA256_TEXT];
    SignRequest request = {.method = "POST", .path = "/", .query = "", .payload_sha256 = sha256, .region = asker->region, .service = "sts",
                           .time = now, .access_key = keys->access_key, .secret_key = keys->secret_key};

    sign_time(clock_wall_us() / 1000000, now);
    fetch->headers[fetch->headers_count++] = (SignPair){"x-amz-date", now};
    if (keys->session_token[0])
        fetch->headers[fetch->headers_count++] = (SignPair){"x-amz-security-token", keys->session_token};
    request.headers[request.headers_count++] = (SignPair){"host", host};
    for (int i = 0; i < fetch->headers_count; i++)
        request.headers[request.headers_count++] = fetch->headers[i];
    if (sign_sha256(fetch->body, strlen(fetch->body), sha256, error) < 0 || sign_authorization(&request, authorization, error) < 0)
        return -1;
    fetch->headers[fetch->headers_count++] = (SignPair){"authorization", authorization->data};
    return 0;
}

static int answer_read(const Buffer *answer, const char *action, S3Keys *ret, Error *error)
{
    char result[80], access_key[160], secret_key[160], token[S3_TOKEN_MAX], expires[40], root_name[XML_NAME_MAX];
    XmlSpan document = xml_span(answer->data, answer->length), root, inner, given;
    int status = -1;

    snprintf(result, sizeof result, "%sResult", action);
    if (xml_next(&document, root_name, &root) > 0 && xml_find(root, result, &inner) > 0 && xml_find(inner, "Credentials", &given) > 0 &&
        xml_find_text(given, "AccessKeyId", access_key, sizeof access_key) == 0 &&
        xml_find_text(given, "SecretAccessKey", secret_key, sizeof secret_key) == 0 &&
        xml_find_text(given, "SessionToken", token, sizeof token) == 0 && xml_find_text(given, "Expiration", expires, sizeof expires) == 0) {
        status = s3_keys_set(ret, access_key, secret_key, token, "STS", error);
        ret->expires_s = clock_seconds_from_text(expires);
        if (status == 0 && ret->expires_s < 0)
            status = error_set(error, ERROR_TRANSIENT, NULL, "STS %s gave keys that do not say when they expire", action);
    } else {
        error_set(error, ERROR_TRANSIENT, NULL, "STS %s: the answer holds no credentials", action);
    }
    OPENSSL_cleanse(secret_key, sizeof secret_key);
    OPENSSL_cleanse(token, sizeof token);
    return status;
}

static int refusal(const Buffer *answer, long status, const char *action, const char *arn, Error *error)
{
    XmlSpan document = xml_span(answer->data, answer->length), root, inner;
    char name[XML_NAME_MAX], code[64] = "", message[200] = "", number[16];

    if (xml_next(&document, name, &root) > 0 && xml_find(root, "Error", &inner) > 0) {
        xml_find_text(inner, "Code", code, sizeof code);
        xml_find_text(inner, "Message", message, sizeof message);
    }
    snprintf(number, sizeof number, "%ld", status);
    return error_set_code(error, status >= 500 || status == 429 ? ERROR_TRANSIENT : ERROR_PERMANENT, number,
                          "Check that the role exists and that its trust policy names whoever asks.", "STS %s of %.160s: HTTP %ld %s %s", action, arn,
                          status, code, message);
}

static int role_fetch(const S3Credentials *asker, const S3Role *role, const S3Keys *keys, const char *body, S3Keys *ret, Error *error)
{
    const char *action = keys ? "AssumeRole" : "AssumeRoleWithWebIdentity";
    char url[300], host[300], now[SIGN_TIME_TEXT];
    Buffer authorization, answer;
    S3Fetch fetch = {.method = "POST", .url = url, .body = body, .ca_file = getenv("AWS_CA_BUNDLE"), .timeout_ms = TRY_TIMEOUT_MS, .tries = TRIES,
                     .beat = asker->beat};
    long status = 0;
    int result = 0;

    buffer_init(&authorization, KIB(8));
    buffer_init(&answer, KIB(64));
    endpoint_text(asker, url);
    snprintf(host, sizeof host, "%s", strstr(url, "://") ? strstr(url, "://") + 3 : url);
    host[strcspn(host, "/")] = '\0';
    fetch.headers[fetch.headers_count++] = (SignPair){"content-type", "application/x-www-form-urlencoded"};
    if (keys)
        result = fetch_sign(&fetch, asker, keys, host, now, &authorization, error);
    if (result == 0)
        result = s3_fetch(&fetch, &status, &answer, error);
    if (result == 0)
        result = status == 200 ? answer_read(&answer, action, ret, error) : refusal(&answer, status, action, role->arn, error);
    buffer_free(&authorization);
    s3_wipe(&answer);
    return result;
}

int s3_role_assume(const S3Credentials *asker, const S3Role *role, const S3Keys *keys, S3Keys *ret, Error *error)
{
    Buffer body, token;
    int result = 0;

    buffer_init(&body, KIB(64) + TOKEN_FILE_MAX);
    buffer_init(&token, TOKEN_FILE_MAX);
    if (role->token_file[0]) {
        result = s3_file_read(role->token_file, &token, error);
        if (result == 0)
            token.data[strcspn(token.data, "\r\n")] = '\0';
        else
            error->kind = ERROR_PERMANENT;
        keys = NULL;
    }
    if (result == 0)
        result = body_make(role, token.data, &body, error);
    if (result == 0)
        result = role_fetch(asker, role, keys, body.data, ret, error);
    s3_wipe(&token);
    s3_wipe(&body);
    return result;
}

int s3_web_identity_keys(const S3Credentials *asker, S3Keys *ret, Error *error)
{
    const char *file = getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), *arn = getenv("AWS_ROLE_ARN"), *session = getenv("AWS_ROLE_SESSION_NAME");
    S3Role role = {.arn = arn ? arn : "", .session_name = session ? session : "", .external_id = "", .token_file = file ? file : ""};

    if (!role.token_file[0]) {
        error_set(error, ERROR_PERMANENT, NULL, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
        return 0;
    }
    if (!role.arn[0])
        return error_set(error, ERROR_PERMANENT, "Set AWS_ROLE_ARN to the role to take.", "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
    return s3_role_assume(asker, &role, NULL, ret, error) < 0 ? -1 : 1;
}
