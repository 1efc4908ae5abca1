/*
 * metadata.c - keys that the surroundings give: a container's agent (ECS, EKS Pod Identity) or the machine (EC2's IMDSv2); see
 * credentials.h
 *
 * Sources: AWS SDKs and Tools reference guide, "Container credential provider" and "IMDS credential provider". IMDSv1, which asks
 * without a token, is not spoken.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "sink/s3/credentials.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONTAINER_HOST "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 2000L
#define CONTAINER_TRIES 3
#define INSTANCE_TIMEOUT_MS 1000L /* off EC2 nobody answers, and a hop limit of 1 drops the token's answer */
#define INSTANCE_TRIES 2
#define INSTANCE_PATH "/latest/meta-data/iam/security-credentials/"
#define URL_MAX 1100

/* {"AccessKeyId":..,"SecretAccessKey":..,"Token":..,"Expiration":..}: the same from both. */
static int answer_read(const Buffer *answer, const char *whose, S3Keys *ret, Error *error)
{
    cJSON *found = cJSON_ParseWithLength(answer->data, answer->length);
    const char *expires = json_text(found, "Expiration", NULL);
    int result;

    if (!json_text(found, "AccessKeyId", NULL))
        result = error_set(error, ERROR_TRANSIENT, NULL, "%s: the answer holds no credentials (%.60s)", whose, json_text(found, "Code", "no code"));
    else
        result = s3_keys_set(ret, json_text(found, "AccessKeyId", ""), json_text(found, "SecretAccessKey", ""), json_text(found, "Token", ""), whose,
                             error);
    ret->expires_s = expires ? clock_seconds_from_text(expires) : 0;
    if (ret->expires_s < 0)
        ret->expires_s = 0;
    for (cJSON *item = found ? found->child : NULL; item; item = item->next) {
        if (cJSON_IsString(item))
            OPENSSL_cleanse(item->valuestring, strlen(item->valuestring));
    }
    cJSON_Delete(found);
    return result;
}

static int status_error(const char *whose, const char *url, long status, Error *error)
{
    char code[16];

    snprintf(code, sizeof code, "%ld", status);
    return error_set_code(error, status >= 500 || status == 429 ? ERROR_TRANSIENT : ERROR_PERMANENT, code, NULL, "%s answers HTTP %ld at %.200s",
                          whose, status, url);
}

/* ---- container ---------------------------------------------------------------- */

/* A token must not be sent in clear to just anybody: plain http only to this machine and to the agents' own addresses. */
static bool address_allowed(const char *url)
{
    static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "::1"};
    char host[128];
    struct in_addr address;
    size_t length;

    if (strncasecmp(url, "https://", 8) == 0)
        return true;
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    url += 7;
    if (url[0] == '[')
        length = strcspn(++url, "]");
    else
        length = strcspn(url, ":/?#");
    if (length >= sizeof host || memchr(url, '@', strcspn(url, "/?#")))
        return false;
    memcpy(host, url, length);
    host[length] = '\0';
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++) {
        if (strcasecmp(host, agents[i]) == 0)
            return true;
    }
    if (strcasecmp(host, "localhost") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

/* Read each time: the token in the file is renewed by others. */
static int token_read(Buffer *ret, Error *error)
{
    const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file && file[0]) {
        if (s3_file_read(file, ret, error) < 0) {
            error->kind = ERROR_PERMANENT;
            return -1;
        }
        while (ret->length && strchr("\r\n", ret->data[ret->length - 1]))
            ret->data[--ret->length] = '\0';
    } else if (buffer_text(ret, token ? token : "", error) < 0 || buffer_terminate(ret, error) < 0) {
        return -1;
    }
    if (strpbrk(ret->data, "\r\n"))
        return error_set(error, ERROR_PERMANENT, NULL, "the container's authorization token has more than one line");
    return 0;
}

static int container_fetch(const S3Credentials *asker, const char *url, S3Keys *ret, Error *error)
{
    static const char whose[] = "the container's agent";
    S3Fetch fetch = {.method = "GET", .url = url, .timeout_ms = CONTAINER_TIMEOUT_MS, .tries = CONTAINER_TRIES, .direct = true, .beat = asker->beat};
    Buffer token, answer;
    long status = 0;
    int result;

    buffer_init(&token, KIB(16));
    buffer_init(&answer, KIB(64));
    result = token_read(&token, error);
    if (result == 0) {
        if (token.length)
            fetch.headers[fetch.headers_count++] = (SignPair){"Authorization", token.data};
        result = s3_fetch(&fetch, &status, &answer, error);
    }
    if (result == 0)
        result = status == 200 ? answer_read(&answer, whose, ret, error) : status_error(whose, url, status, error);
    s3_wipe(&token);
    s3_wipe(&answer);
    return result;
}

int s3_container_keys(const S3Credentials *asker, S3Keys *ret, Error *error)
{
    const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[URL_MAX];

    if (relative && relative[0]) {
        snprintf(url, sizeof url, CONTAINER_HOST "%.1000s", relative);
    } else if (full && full[0]) {
        snprintf(url, sizeof url, "%.1000s", full);
        if (!address_allowed(url))
            return error_set(error, ERROR_PERMANENT, "Use https, or an address of this machine.",
                             "AWS_CONTAINER_CREDENTIALS_FULL_URI is http to a host that is neither this machine nor a container's agent");
    } else {
        error_set(error, ERROR_PERMANENT, NULL, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
        return 0;
    }
    return container_fetch(asker, url, ret, error) < 0 ? -1 : 1;
}

/* ---- instance ----------------------------------------------------------------- */
static const char *instance_endpoint(void)
{
    const char *given = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (given && given[0])
        return given;
    return mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static int instance_ask(const S3Credentials *asker, const char *method, const char *path, const char *token, Buffer *answer, Error *error)
{
    static const char whose[] = "the instance metadata service";
    const char *endpoint = instance_endpoint();
    size_t length = strlen(endpoint);
    char url[URL_MAX];
    S3Fetch fetch = {.method = method, .url = url, .timeout_ms = INSTANCE_TIMEOUT_MS, .tries = INSTANCE_TRIES, .direct = true, .beat = asker->beat};
    long status = 0;

    while (length && endpoint[length - 1] == '/')
        length--;
    snprintf(url, sizeof url, "%.*s%s", (int)(length < 500 ? length : 500), endpoint, path);
    fetch.headers[fetch.headers_count++] = token ? (SignPair){"X-aws-ec2-metadata-token", token}
                                                 : (SignPair){"X-aws-ec2-metadata-token-ttl-seconds", "21600"};
    if (s3_fetch(&fetch, &status, answer, error) < 0)
        return -1;
    return status == 200 ? 0 : status_error(whose, url, status, error);
}

/* The instance's role by its name, then the role's keys. */
static int instance_fetch(const S3Credentials *asker, const char *token, S3Keys *ret, Error *error)
{
    char path[400];
    Buffer answer;
    int result;

    buffer_init(&answer, KIB(64));
    result = instance_ask(asker, "GET", INSTANCE_PATH, token, &answer, error);
    if (result == 0) {
        snprintf(path, sizeof path, INSTANCE_PATH "%.*s", (int)strcspn(answer.data, "\r\n"), answer.data);
        result = instance_ask(asker, "GET", path, token, &answer, error);
    }
    if (result == 0)
        result = answer_read(&answer, "the instance metadata service", ret, error);
    s3_wipe(&answer);
    return result;
}

int s3_instance_keys(const S3Credentials *asker, S3Keys *ret, Error *error)
{
    const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
    Buffer token;
    int result = 0;

    if (disabled && strcasecmp(disabled, "true") == 0) {
        error_set(error, ERROR_PERMANENT, NULL, "AWS_EC2_METADATA_DISABLED is true");
        return 0;
    }
    buffer_init(&token, KIB(4));
    /* No token: this is no EC2 machine, as far as we can tell. */
    if (instance_ask(asker, "PUT", "/latest/api/token", NULL, &token, error) == 0)
        /* 404: the machine has no role. */
        result = instance_fetch(asker, token.data, ret, error) == 0 ? 1 : strcmp(error->code, "404") == 0 ? 0 : -1;
    else if (error->kind == ERROR_INTERRUPTED)
        result = -1;
    s3_wipe(&token);
    return result;
}
