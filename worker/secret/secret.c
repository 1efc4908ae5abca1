/* secret.c - see secret.h */
#include "secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 4096

void secret_wipe(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

static int secret_from_environment(const char *variable, char **ret, Error *error)
{
    const char *value = getenv(variable);

    if (!value)
        return error_set(error, ERROR_PERMANENT, "set the variable in the worker's environment (of the PostgreSQL server when it supervises "
                         "the worker, of the systemd unit otherwise) and restart it",
                         "environment variable %s, which should hold a secret, is not set", variable);
    *ret = strdup(value);
    return *ret ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

static int secret_from_file(const char *path, char **ret, Error *error)
{
    char text[SECRET_BYTES_MAX + 1];
    struct stat facts;
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (file < 0)
        return error_set(error, ERROR_PERMANENT, "create the file with mode 0600, owned by the user the worker runs as",
                         "secret file %s cannot be opened: %s", path, strerror(errno));
    if (fstat(file, &facts) < 0 || !S_ISREG(facts.st_mode) || (facts.st_mode & 077)) {
        close(file);
        return error_set(error, ERROR_PERMANENT, "chmod 0600 it", "secret file %s must be a plain file that only its owner can read", path);
    }
    length = read(file, text, SECRET_BYTES_MAX);
    close(file);
    if (length < 0)
        return error_set(error, ERROR_PERMANENT, NULL, "secret file %s cannot be read: %s", path, strerror(errno));
    text[length] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    *ret = strdup(text);
    explicit_bzero(text, sizeof text);
    return *ret ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

int secret_resolve(const cJSON *options, const char *name, char **ret, Error *error)
{
    char member[80];
    const char *reference;

    snprintf(member, sizeof member, "%s_env", name);
    reference = json_text(options, member, NULL);
    if (reference)
        return secret_from_environment(reference, ret, error);
    snprintf(member, sizeof member, "%s_file", name);
    reference = json_text(options, member, NULL);
    if (reference)
        return secret_from_file(reference, ret, error);
    *ret = NULL;
    return 0;
}
