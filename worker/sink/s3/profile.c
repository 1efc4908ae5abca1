/*
 * profile.c - keys from the files that AWS's tools share; see credentials.h
 *
 * Source: AWS SDKs and Tools reference guide, "Shared config and credentials files". A profile of the credentials file stands above
 * the one of the same name in the config file. Not followed: credential_process (it would run a program with the worker's rights),
 * SSO and MFA (they want a person); each is named where it is met.
 */
#include "base/limits.h"
#include "sink/s3/credentials.h"

#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX KIB(256)
#define CHAIN_MAX 5 /* profiles that name one another as their source */
#define VALUE_MAX 512

typedef struct Profile {
    bool found;
    char access_key[160], secret_key[160], session_token[S3_TOKEN_MAX];
    char role_arn[VALUE_MAX], source_profile[VALUE_MAX], credential_source[VALUE_MAX], external_id[VALUE_MAX], session_name[VALUE_MAX];
    char token_file[VALUE_MAX], region[S3_REGION_MAX], duration[16], refused[32];
} Profile;

static void file_path(const char *variable, const char *name, char ret[PATH_MAX])
{
    const char *given = getenv(variable), *home = getenv("HOME");

    if (given && given[0]) {
        snprintf(ret, PATH_MAX, "%s", given);
        return;
    }
    if (!home || !home[0]) {
        const struct passwd *user = getpwuid(geteuid());

        home = user ? user->pw_dir : "";
    }
    snprintf(ret, PATH_MAX, "%.3000s/.aws/%s", home, name);
}

static void take(char *ret, size_t size, const char *value)
{
    if (!ret[0])
        snprintf(ret, size, "%s", value);
}

static void value_take(Profile *profile, const char *key, const char *value)
{
    static const char *const refused[] = {"credential_process", "sso_session", "sso_account_id", "mfa_serial"};
    const struct {
        const char *key;
        char *ret;
        size_t size;
    } known[] = {
        {"aws_access_key_id", profile->access_key, sizeof profile->access_key},
        {"aws_secret_access_key", profile->secret_key, sizeof profile->secret_key},
        {"aws_session_token", profile->session_token, sizeof profile->session_token},
        {"role_arn", profile->role_arn, VALUE_MAX},
        {"source_profile", profile->source_profile, VALUE_MAX},
        {"credential_source", profile->credential_source, VALUE_MAX},
        {"external_id", profile->external_id, VALUE_MAX},
        {"role_session_name", profile->session_name, VALUE_MAX},
        {"web_identity_token_file", profile->token_file, VALUE_MAX},
        {"region", profile->region, sizeof profile->region},
        {"duration_seconds", profile->duration, sizeof profile->duration},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(key, known[i].key) == 0)
            take(known[i].ret, known[i].size, value);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (strcmp(key, refused[i]) == 0)
            take(profile->refused, sizeof profile->refused, key);
    }
}

static char *trimmed(char *text)
{
    char *end;

    text += strspn(text, " \t\r");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]))
        *--end = '\0';
    return text;
}

/* "[name]" of the credentials file, "[profile name]" of the config file, where only "default" may stand alone. */
static bool section_is(char *line, const char *name, bool config)
{
    char *end = strchr(line, ']');
    char *found;

    if (!end)
        return false;
    *end = '\0';
    found = trimmed(line + 1);
    if (config && strncmp(found, "profile", 7) == 0 && found[7] && strchr(" \t", found[7]))
        found = trimmed(found + 8);
    else if (config && strcmp(found, "default") != 0)
        return false;
    if (found[0] == '"' && found[1] && found[strlen(found) - 1] == '"') {
        found[strlen(found) - 1] = '\0';
        found++;
    }
    return strcmp(found, name) == 0;
}

static void lines_take(char *text, const char *name, bool config, Profile *profile)
{
    bool ours = false;
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        char *value;

        if (!line[0] || strchr("#; \t", line[0]))
            continue; /* a line that begins with a blank belongs to a setting inside another */
        if (line[0] == '[') {
            ours = section_is(line, name, config);
            profile->found |= ours;
            continue;
        }
        value = strchr(line, '=');
        if (!ours || !value)
            continue;
        *value++ = '\0';
        value_take(profile, trimmed(line), trimmed(value));
    }
}

static int profile_read(const char *name, Profile *ret, Error *error)
{
    char path[PATH_MAX];
    int result = 0;

    memset(ret, 0, sizeof *ret);
    for (int config = 0; result == 0 && config < 2; config++) {
        Buffer text;

        buffer_init(&text, FILE_MAX);
        file_path(config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE", config ? "config" : "credentials", path);
        if (s3_file_read(path, &text, error) == 0)
            lines_take(text.data, name, config, ret);
        else if (error->kind != ERROR_GONE && (error->kind != ERROR_PERMANENT || access(path, F_OK) == 0))
            result = -1;
        s3_wipe(&text);
    }
    return result;
}

static const char *profile_name(void)
{
    const char *name = getenv("AWS_PROFILE");

    return name && name[0] ? name : "default";
}

static int refused(const char *name, const Profile *profile, Error *error)
{
    if (strcmp(profile->refused, "credential_process") == 0)
        return error_set(error, ERROR_PERMANENT, "Let a timer of the system run it and write a profile or a secret file that the worker reads.",
                         "profile %.100s asks for credential_process, which the worker does not run", name);
    return error_set(error, ERROR_PERMANENT, "Name a profile that needs no person.", "profile %.100s asks for %s, which wants a person", name,
                     profile->refused);
}

static int keys_of(const S3Credentials *asker, const char *name, int depth, S3Keys *ret, Error *error);

static int source_keys(const S3Credentials *asker, const char *name, const Profile *profile, int depth, S3Keys *ret, Error *error)
{
    const char *source = profile->credential_source;
    int found = -1;

    if (profile->source_profile[0] && strcmp(profile->source_profile, name) == 0)
        found = s3_keys_set(ret, profile->access_key, profile->secret_key, profile->session_token, "the profile", error) < 0 ? -1 : 1;
    else if (profile->source_profile[0])
        found = keys_of(asker, profile->source_profile, depth + 1, ret, error);
    else if (strcmp(source, "Environment") == 0)
        found = s3_environment_keys(ret, error);
    else if (strcmp(source, "EcsContainer") == 0)
        found = s3_container_keys(asker, ret, error);
    else if (strcmp(source, "Ec2InstanceMetadata") == 0)
        found = s3_instance_keys(asker, ret, error);
    else
        error_set(error, ERROR_PERMANENT, "Add source_profile to it.", "it has a role_arn and neither source_profile nor credential_source");
    return found > 0 ? 0 : error_prefix(error, "profile %.100s", name);
}

static int profile_role(const S3Credentials *asker, const char *name, const Profile *profile, int depth, S3Keys *ret, Error *error)
{
    S3Role role = {.arn = profile->role_arn, .session_name = profile->session_name, .external_id = profile->external_id,
                   .token_file = profile->token_file, .duration_s = (int)strtol(profile->duration, NULL, 10)};
    S3Keys keys = {0};
    int result = 0;

    if (!profile->token_file[0])
        result = source_keys(asker, name, profile, depth, &keys, error);
    if (result == 0)
        result = s3_role_assume(asker, &role, &keys, ret, error);
    OPENSSL_cleanse(&keys, sizeof keys);
    return result;
}

/* 1, -1, or 0 where there is no such profile, or nothing in it. */
static int keys_of(const S3Credentials *asker, const char *name, int depth, S3Keys *ret, Error *error)
{
    Profile profile;
    int result = 0;

    if (depth >= CHAIN_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "profiles name one another as source_profile more than %d deep", CHAIN_MAX);
    if (profile_read(name, &profile, error) < 0)
        result = -1;
    else if (!profile.found)
        error_set(error, ERROR_PERMANENT, NULL, "there is no profile %.100s", name);
    else if (profile.role_arn[0])
        result = profile_role(asker, name, &profile, depth, ret, error) < 0 ? -1 : 1;
    else if (profile.access_key[0])
        result = s3_keys_set(ret, profile.access_key, profile.secret_key, profile.session_token, "the profile", error) < 0 ? -1 : 1;
    else if (profile.refused[0])
        result = refused(name, &profile, error);
    else
        error_set(error, ERROR_PERMANENT, NULL, "profile %.100s names no keys", name);
    OPENSSL_cleanse(&profile, sizeof profile);
    return result;
}

int s3_profile_keys(const S3Credentials *asker, S3Keys *ret, Error *error)
{
    const char *chosen = getenv("AWS_PROFILE");
    int found = keys_of(asker, profile_name(), 0, ret, error);

    /* Whoever names a profile means it. */
    return found == 0 && chosen && chosen[0] ? -1 : found;
}

void s3_profile_region(char ret[S3_REGION_MAX])
{
    Profile profile;
    Error ignored;

    ret[0] = '\0';
    if (profile_read(profile_name(), &profile, &ignored) == 0)
        memcpy(ret, profile.region, S3_REGION_MAX);
    OPENSSL_cleanse(&profile, sizeof profile);
}
