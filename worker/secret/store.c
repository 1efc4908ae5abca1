/* store.c - see store.h */
#include "secret/store.h"

#include "base/yaml.h"
#include "secret/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_SECONDS "30"
#define KEY_BYTES_MAX 4096

static int store_memory(Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

/* The first line without white space around it, as ansible-vault takes a key. */
static int secret_of_text(char *text, Secret *ret, Error *error)
{
    size_t end;

    text += strspn(text, " \t");
    end = strcspn(text, "\r\n");
    while (end && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    text[end] = '\0';
    if (!text[0])
        return error_set(error, ERROR_PERMANENT, NULL, "the key of the vault is empty");
    ret->data = strdup(text);
    ret->length = strlen(text);
    return ret->data ? 0 : store_memory(error);
}

/* The command's errors go to the worker's own log, what it prints is the key. timeout(1) ends one that hangs. */
static int key_from_command(const char *command, Secret *ret, Error *error)
{
    char text[KEY_BYTES_MAX] = "", rest[256];
    FILE *pipe;
    int status;

    setenv("SLUICE_VAULT_KEY_COMMAND", command, 1); /* expanded by the shell: no quoting of ours can break it */
    pipe = popen("exec timeout " COMMAND_SECONDS " /bin/sh -c \"$SLUICE_VAULT_KEY_COMMAND\"", "re");
    if (!pipe)
        return error_set(error, ERROR_TRANSIENT, NULL, "the command for the vault's key cannot be started: %s", strerror(errno));
    if (!fgets(text, sizeof text, pipe))
        text[0] = '\0';
    while (fgets(rest, sizeof rest, pipe))
        ; /* a pipe closed early would fail the command */
    status = pclose(pipe);
    if (status != 0)
        status = error_set(error, ERROR_PERMANENT, "run the command in SLUICE_VAULT_KEY_COMMAND as the worker's user; it must print the key and end with 0 within " COMMAND_SECONDS " seconds",
                           "the command for the vault's key ended with %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    else
        status = secret_of_text(text, ret, error);
    explicit_bzero(text, sizeof text);
    return status;
}

static int key_from_options(const char *member, const char *value, Secret *ret, Error *error)
{
    cJSON *options = cJSON_CreateObject();
    char *text = NULL;
    int status;

    cJSON_AddStringToObject(options, member, value);
    status = secret_resolve(options, "key", &text, error);
    if (status == 0)
        status = secret_of_text(text, ret, error);
    secret_wipe(text);
    cJSON_Delete(options);
    return status;
}

int store_key(const char *key_file, Secret *ret, Error *error)
{
    const char *file = key_file ? key_file : getenv("SLUICE_VAULT_KEY_FILE");
    const char *key = key_file ? NULL : getenv("SLUICE_VAULT_KEY"), *command = key_file ? NULL : getenv("SLUICE_VAULT_KEY_COMMAND");

    if (!!file + !!key + !!command != 1)
        return error_set(error, ERROR_PERMANENT,
                         "set exactly one of SLUICE_VAULT_KEY_FILE (mode 0600), SLUICE_VAULT_KEY and SLUICE_VAULT_KEY_COMMAND in the worker's environment; "
                         "sluice-worker vault takes --key-file KEY as well",
                         file || key || command ? "more than one key of the vault is given" : "no key of the vault is given");
    if (command)
        return key_from_command(command, ret, error);
    return file ? key_from_options("key_file", file, ret, error) : key_from_options("key_env", "SLUICE_VAULT_KEY", ret, error);
}

int store_read(const char *path, Secret *ret, Error *error)
{
    struct stat facts;
    ssize_t got = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &facts) < 0) {
        if (file >= 0)
            close(file);
        return error_set(error, ERROR_PERMANENT, "give the path of the file, and the worker's user the right to read it", "%s cannot be opened: %s", path, strerror(errno));
    }
    if (!S_ISREG(facts.st_mode) || facts.st_size > (off_t)VAULT_BYTES_MAX) {
        close(file);
        return error_set(error, ERROR_PERMANENT, NULL, "%s is no plain file of at most %zu bytes", path, VAULT_BYTES_MAX);
    }
    ret->length = (size_t)facts.st_size;
    ret->data = calloc(1, ret->length + 1);
    if (ret->data)
        got = read(file, ret->data, ret->length);
    close(file);
    if (got == (ssize_t)ret->length)
        return 0;
    secret_free(ret);
    return error_set(error, ERROR_TRANSIENT, NULL, "%s cannot be read", path);
}

int store_write(const char *path, const Secret *text, Error *error)
{
    char beside[4096];
    int file, status = -1;

    if (snprintf(beside, sizeof beside, "%s.new-XXXXXX", path) >= (int)sizeof beside)
        return error_set(error, ERROR_PERMANENT, NULL, "the path %s is too long", path);
    file = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    if (file >= 0) {
        status = write(file, text->data, text->length) == (ssize_t)text->length && fsync(file) == 0 ? 0 : -1;
        if (close(file) < 0 || (status == 0 && rename(beside, path) < 0))
            status = -1;
        if (status < 0)
            unlink(beside);
    }
    return status == 0 ? 0 : error_set(error, ERROR_PERMANENT, "the folder must be writable, its disk not full", "%s cannot be written: %s", path, strerror(errno));
}

int store_parse(const char *name, const Secret *plain, cJSON **ret, Error *error)
{
    cJSON *entries, *entry, *value;

    if (yaml_read(name, plain->data, plain->length, true, NULL, &entries, error) < 0)
        return -1;
    cJSON_ArrayForEach(entry, entries) {
        bool plain_values = cJSON_IsObject(entry);

        cJSON_ArrayForEach(value, entry)
            plain_values = plain_values && cJSON_IsString(value);
        if (!plain_values) {
            error_set(error, ERROR_PERMANENT, "for example: erp: {host: db1, database: erp, user: sluice, password: secret}",
                      "%s: entry %s must be a mapping of names to text or numbers", name, entry->string ? entry->string : "without name");
            json_wipe(entries);
            return -1;
        }
    }
    *ret = entries;
    return 0;
}

static int store_open(cJSON **ret, Error *error)
{
    const char *path = getenv("SLUICE_VAULT");
    Secret text = {0}, key = {0}, plain = {0};
    char label[VAULT_LABEL_MAX];
    int status;

    if (!path)
        return error_set(error, ERROR_PERMANENT, "set SLUICE_VAULT to the path of the encrypted file in the worker's environment and restart it",
                         "option vault is set, but this worker has no vault");
    status = store_read(path, &text, error);
    if (status == 0)
        status = store_key(NULL, &key, error);
    if (status == 0 && (status = vault_decrypt(text.data, text.length, &key, &plain, label, error)) < 0)
        error_context(error, "%s", path);
    if (status == 0)
        status = store_parse(path, &plain, ret, error);
    secret_free(&text);
    secret_free(&key);
    secret_free(&plain);
    return status;
}

int store_entry(const cJSON *options, cJSON **ret, Error *error)
{
    const char *name = json_text(options, "vault", NULL);
    cJSON *entries = NULL, *entry;

    *ret = NULL;
    if (!name)
        return 0;
    if (store_open(&entries, error) < 0)
        return -1;
    entry = cJSON_DetachItemFromObjectCaseSensitive(entries, name);
    json_wipe(entries);
    if (!entry)
        return error_set(error, ERROR_PERMANENT, "sluice-worker vault view FILE shows what it holds; ansible-vault edit FILE changes it", "the vault has no entry %s", name);
    *ret = entry;
    return 0;
}
