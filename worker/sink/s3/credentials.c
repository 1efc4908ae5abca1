/* credentials.c - the order in which keys are looked for, and when they are renewed; see credentials.h */
#include "sink/s3/credentials.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_BEFORE_S 300
#define RENEW_AGAIN_S 30 /* after a failure, while the old keys are good */

static bool copy(char *ret, size_t size, const char *value)
{
    return (size_t)snprintf(ret, size, "%s", value) < size;
}

int s3_keys_set(S3Keys *ret, const char *access_key, const char *secret_key, const char *token, const char *whose, Error *error)
{
    if (!copy(ret->access_key, sizeof ret->access_key, access_key) || !copy(ret->secret_key, sizeof ret->secret_key, secret_key) ||
        !copy(ret->session_token, sizeof ret->session_token, token ? token : ""))
        return error_set(error, ERROR_PERMANENT, NULL, "the credentials from %s are too long", whose);
    if (!access_key[0] || !secret_key[0])
        return error_set(error, ERROR_PERMANENT, NULL, "the credentials from %s are empty", whose);
    if (strpbrk(access_key, " /,\r\n\t") || strpbrk(secret_key, " \r\n\t") || strpbrk(ret->session_token, " \r\n\t"))
        return error_set(error, ERROR_PERMANENT, NULL, "the credentials from %s hold characters that no key has", whose);
    return 0;
}

int s3_environment_keys(S3Keys *ret, Error *error)
{
    const char *access_key = getenv("AWS_ACCESS_KEY_ID"), *secret_key = getenv("AWS_SECRET_ACCESS_KEY");

    if (!access_key || !access_key[0] || !secret_key || !secret_key[0]) {
        error_set(error, ERROR_PERMANENT, NULL, "%s is not set", access_key && access_key[0] ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return 0;
    }
    return s3_keys_set(ret, access_key, secret_key, getenv("AWS_SESSION_TOKEN"), "the environment", error) < 0 ? -1 : 1;
}

static int given_keys(const S3Credentials *credentials, S3Keys *ret, Error *error)
{
    if (!credentials->given.access_key[0]) {
        error_set(error, ERROR_PERMANENT, NULL, "none is named");
        return 0;
    }
    *ret = credentials->given;
    return 1;
}

static int environment_step(const S3Credentials *credentials, S3Keys *ret, Error *error)
{
    (void)credentials;
    return s3_environment_keys(ret, error);
}

typedef struct Step {
    const char *name;
    int (*keys)(const S3Credentials *asker, S3Keys *ret, Error *error);
    bool renewable;
} Step;

static const Step steps[] = {
    {"the target's secret", given_keys, false},
    {"environment", environment_step, false},
    {"web identity", s3_web_identity_keys, true},
    {"profile", s3_profile_keys, true},
    {"container", s3_container_keys, true},
    {"instance metadata", s3_instance_keys, true},
};

static int chain_run(S3Credentials *credentials, S3Keys *ret, Error *error)
{
    static const char hint[] = "Give the target access_key_file and secret_key_file, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
                               "worker's environment; docs/s3.md has every way and how to set it up.";
    char tried[380] = "";

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        Error failure = {.kind = ERROR_PERMANENT};
        int found = steps[i].keys(credentials, ret, &failure);
        size_t length = strlen(tried);

        if (found > 0) {
            credentials->origin = steps[i].name;
            credentials->renewable = steps[i].renewable;
            return 0;
        }
        if (found < 0) {
            *error = failure;
            return error_prefix(error, "credentials by %s", steps[i].name);
        }
        snprintf(tried + length, sizeof tried - length, "%s%s: %.140s", length ? "; " : "", steps[i].name, failure.message);
    }
    return error_set(error, ERROR_PERMANENT, hint, "the target has no credentials (%s)", tried);
}

int s3_credentials_open(S3Credentials *credentials, const SinkSecret *secret, const char *region, Beat beat, Error *error)
{
    memset(credentials, 0, sizeof *credentials);
    credentials->beat = beat;
    snprintf(credentials->region, sizeof credentials->region, "%s", region);
    if (!secret || (!secret->access_key && !secret->secret_key))
        return 0;
    if (!secret->access_key || !secret->secret_key)
        return error_set(error, ERROR_PERMANENT, "Give the target access_key_env or access_key_file, and secret_key_env or secret_key_file.",
                         "the target's secret has no %s", secret->access_key ? "secret_key" : "access_key");
    return s3_keys_set(&credentials->given, secret->access_key, secret->secret_key, secret->session_token, "the target's secret", error);
}

void s3_credentials_close(S3Credentials *credentials)
{
    OPENSSL_cleanse(credentials, sizeof *credentials);
}

static int keys_renew(S3Credentials *credentials, int64_t now_s, Error *error)
{
    S3Keys keys = {0};
    int result = chain_run(credentials, &keys, error);

    if (result == 0) {
        if (strcmp(keys.access_key, credentials->keys.access_key) != 0 || strcmp(keys.session_token, credentials->keys.session_token) != 0 ||
            strcmp(keys.secret_key, credentials->keys.secret_key) != 0)
            credentials->generation++;
        credentials->keys = keys;
        /* An instance may give out keys that have expired, when AWS itself is in trouble, and take them all the same. */
        credentials->renew_s = keys.expires_s ? keys.expires_s - RENEW_BEFORE_S : 0;
        if (credentials->renew_s && credentials->renew_s < now_s + RENEW_AGAIN_S)
            credentials->renew_s = now_s + RENEW_AGAIN_S;
    }
    OPENSSL_cleanse(&keys, sizeof keys);
    return result;
}

int s3_credentials_ready(S3Credentials *credentials, int64_t now_s, Error *error)
{
    if (credentials->origin && (!credentials->renew_s || now_s < credentials->renew_s))
        return 0;
    if (keys_renew(credentials, now_s, error) == 0)
        return 0;
    if (error->kind == ERROR_INTERRUPTED || !credentials->origin || now_s >= credentials->keys.expires_s)
        return -1;
    credentials->renew_s = now_s + RENEW_AGAIN_S;
    return 0;
}

bool s3_credentials_renew(S3Credentials *credentials, unsigned generation, int64_t now_s)
{
    Error ignored;

    if (credentials->generation != generation)
        return true;
    return credentials->renewable && keys_renew(credentials, now_s, &ignored) == 0 && credentials->generation != generation;
}
