/* connect.c - see connect.h */
#include "pipeline/connect.h"

#include "secret/secret.h"
#include "secret/store.h"
#include <string.h>

typedef struct TargetSecret {
    char *access_key, *secret_key, *session_token;
} TargetSecret;

/* From the vault's entry, else from where the options say. */
static int secret_of(const cJSON *options, const cJSON *entry, const char *name, char **ret, Error *error)
{
    const char *value = json_text(entry, name, NULL);

    if (!value)
        return secret_resolve(options, name, ret, error);
    *ret = strdup(value);
    return *ret ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

/* A source's options and password, of which the vault may hold the address too. */
typedef struct Login {
    cJSON *options;
    char *password;
} Login;

static void login_close(Login *login)
{
    json_wipe(login->options);
    secret_wipe(login->password);
}

static int login_open(const cJSON *options, Login *ret, Error *error)
{
    static const char *const address[] = {"host", "instance", "port", "database", "user"};
    cJSON *entry;

    *ret = (Login){.options = cJSON_Duplicate(options, true)};
    if (!ret->options)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    if (store_entry(options, &entry, error) < 0) {
        login_close(ret);
        return -1;
    }
    for (size_t i = 0; entry && i < sizeof address / sizeof address[0]; i++) {
        const char *value = json_text(entry, address[i], NULL);

        if (value) {
            cJSON_DeleteItemFromObjectCaseSensitive(ret->options, address[i]);
            cJSON_AddStringToObject(ret->options, address[i], value);
        }
    }
    if (secret_of(options, entry, "password", &ret->password, error) < 0) {
        json_wipe(entry);
        login_close(ret);
        return -1;
    }
    json_wipe(entry);
    return 0;
}

static void target_secret_wipe(TargetSecret *secret)
{
    secret_wipe(secret->access_key);
    secret_wipe(secret->secret_key);
    secret_wipe(secret->session_token);
}

static int target_secret_resolve(const cJSON *options, TargetSecret *ret, Error *error)
{
    cJSON *entry;
    int status;

    *ret = (TargetSecret){0};
    if (store_entry(options, &entry, error) < 0)
        return -1;
    status = secret_of(options, entry, "access_key", &ret->access_key, error) < 0 || secret_of(options, entry, "secret_key", &ret->secret_key, error) < 0 ||
                     secret_of(options, entry, "session_token", &ret->session_token, error) < 0
                 ? -1
                 : 0;
    json_wipe(entry);
    if (status < 0)
        target_secret_wipe(ret);
    return status;
}

int connect_source(const cJSON *source, Beat beat, Source **ret, Error *error)
{
    Login login;
    int status;

    if (login_open(json_member(source, "options"), &login, error) < 0)
        return -1;
    status = source_open(json_text(source, "kind", ""), login.options, login.password, beat, ret, error);
    login_close(&login);
    return status;
}

int connect_sink(const cJSON *target, Beat beat, Sink **ret, Error *error)
{
    const cJSON *options = json_member(target, "options");
    TargetSecret secret;
    int status;

    if (target_secret_resolve(options, &secret, error) < 0)
        return -1;
    status = sink_open(json_text(target, "kind", ""), options, &(SinkSecret){secret.access_key, secret.secret_key, secret.session_token},
                       beat, ret, error);
    target_secret_wipe(&secret);
    return status;
}

static cJSON *secret_step(const char *object, const Error *error)
{
    cJSON *steps = cJSON_CreateArray(), *step = cJSON_CreateObject();

    cJSON_AddStringToObject(step, "check", "secret");
    cJSON_AddStringToObject(step, "object", object);
    cJSON_AddBoolToObject(step, "ok", false);
    cJSON_AddStringToObject(step, "severity", "error");
    cJSON_AddStringToObject(step, "found", error->message);
    cJSON_AddStringToObject(step, "wanted", error->hint);
    cJSON_AddItemToArray(steps, step);
    return steps;
}

int connect_source_check(const cJSON *source, Beat beat, cJSON **steps, Error *error)
{
    Login login;
    int status;

    if (login_open(json_member(source, "options"), &login, error) < 0) {
        *steps = secret_step(json_text(source, "name", ""), error);
        return 0;
    }
    status = source_check(json_text(source, "kind", ""), login.options, login.password, beat, steps, error);
    login_close(&login);
    return status;
}

int connect_sink_check(const cJSON *target, Beat beat, cJSON **steps, Error *error)
{
    const cJSON *options = json_member(target, "options");
    TargetSecret secret;
    int status;

    if (target_secret_resolve(options, &secret, error) < 0) {
        *steps = secret_step(json_text(target, "name", ""), error);
        return 0;
    }
    status = sink_check(json_text(target, "kind", ""), options, &(SinkSecret){secret.access_key, secret.secret_key, secret.session_token},
                        beat, json_text(target, "prefix", ""), steps, error);
    target_secret_wipe(&secret);
    return status;
}

/* True if what is kept was made of this very row; else *made_of names the row to open from. */
static bool made_of_same(const cJSON *row, const char *kept, char **made_of)
{
    *made_of = cJSON_PrintUnformatted(row);
    if (!kept || !*made_of || strcmp(*made_of, kept) != 0)
        return false;
    cJSON_free(*made_of);
    return true;
}

int connect_source_keep(KeptSource *kept, const cJSON *source, Beat beat, Error *error)
{
    char *made_of;

    if (made_of_same(source, kept->made_of, &made_of))
        return 0;
    connect_source_drop(kept);
    if (connect_source(source, beat, &kept->source, error) < 0) {
        cJSON_free(made_of);
        return -1;
    }
    kept->made_of = made_of;
    return 1;
}

void connect_source_drop(KeptSource *kept)
{
    source_close(kept->source);
    cJSON_free(kept->made_of);
    *kept = (KeptSource){0};
}

int connect_sink_keep(KeptSink *kept, const cJSON *target, Beat beat, Error *error)
{
    char *made_of;

    if (made_of_same(target, kept->made_of, &made_of))
        return 0;
    connect_sink_drop(kept);
    if (connect_sink(target, beat, &kept->sink, error) < 0) {
        cJSON_free(made_of);
        return -1;
    }
    kept->made_of = made_of;
    return 0;
}

void connect_sink_drop(KeptSink *kept)
{
    sink_close(kept->sink);
    cJSON_free(kept->made_of);
    *kept = (KeptSink){0};
}
