/* file_disk.c - folders, durability and the attempt of a file; see file.h */
#include "sink/file.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ATTEMPT_ATTRIBUTE "user.sluice.attempt"
#define BEAT_MS 250

int file_path(const FileSink *sink, const char *key, char ret[PATH_MAX], Error *error)
{
    if (snprintf(ret, PATH_MAX, "%s/%s", sink->path, key) >= PATH_MAX)
        return error_set(error, ERROR_PERMANENT, "Choose a shorter folder for the target.", "the path %.200s/%.200s is too long", sink->path, key);
    return 0;
}

/* The folder that a failure is about: the path itself, or what it lies in. */
static void folder_of(const char *path, char ret[PATH_MAX])
{
    struct stat status;
    char *slash;

    snprintf(ret, PATH_MAX, "%s", path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return;
    slash = strrchr(ret, '/');
    if (slash && slash > ret)
        *slash = '\0';
}

int file_failed(const char *what, const char *path, Error *error)
{
    char hint[400] = "";
    char folder[PATH_MAX];
    int number = errno;
    ErrorKind kind = ERROR_PERMANENT;

    folder_of(path, folder);

    switch (number) {
    case ENOSPC:
    case EDQUOT:
        kind = ERROR_TRANSIENT;
        snprintf(hint, sizeof hint, "Free space in the file system of %.300s%s", folder, number == EDQUOT ? ", or raise the quota." : ".");
        break;
    case EFBIG:
        kind = ERROR_TRANSIENT;
        snprintf(hint, sizeof hint, "Raise the limit on the size of the worker's files (ulimit -f), or lower the table's target_file_bytes.");
        break;
    case EACCES:
    case EPERM:
        snprintf(hint, sizeof hint, "Give the worker's operating system user the right to write in %.300s", folder);
        break;
    case EROFS:
        snprintf(hint, sizeof hint, "The file system is read-only: mount it for writing: %.300s", path);
        break;
    case ENOTDIR:
    case ELOOP:
        snprintf(hint, sizeof hint, "A part of the path is no folder: %.300s", path);
        break;
    case ENAMETOOLONG:
        snprintf(hint, sizeof hint, "Choose a shorter folder for the target.");
        break;
    default:
        kind = ERROR_TRANSIENT; /* EIO, ESTALE, EMFILE, ENOMEM: may pass */
    }
    return error_set(error, kind, hint, "%s %.300s: %s", what, path, strerror(number));
}

int file_beat(FileSink *sink, Error *error)
{
    int64_t now = clock_monotonic_ms();

    if (!sink->beat.beat || now - sink->beat_ms < BEAT_MS)
        return 0;
    sink->beat_ms = now;
    if (sink->beat.beat(sink->beat.context) != 0)
        return error_set(error, ERROR_INTERRUPTED, NULL, "stopped while writing below %.300s", sink->path);
    return 0;
}

int file_sync_folder(const char *path, Error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return file_failed("cannot open the folder", path, error);
    /* Some network file systems have no fsync of a folder and are synchronous there. */
    if (fsync(fd) < 0 && errno != EINVAL && errno != EBADF) {
        file_failed("cannot sync the folder", path, error);
        close(fd);
        return -1;
    }
    close(fd);
    return 0;
}

static bool folder_known(const FileSink *sink, const char *path)
{
    for (int i = 0; i < sink->folders_count; i++) {
        if (strcmp(sink->folders[i], path) == 0)
            return true;
    }
    return false;
}

/* Forgetting one only costs an fsync later. */
static void folder_remember(FileSink *sink, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return;
    if (sink->folders_count < FILE_FOLDERS_KNOWN) {
        sink->folders[sink->folders_count++] = copy;
        return;
    }
    free(sink->folders[sink->folders_next]);
    sink->folders[sink->folders_next] = copy;
    sink->folders_next = (sink->folders_next + 1) % FILE_FOLDERS_KNOWN;
}

/* A folder that was there already may be one that another process made a moment ago and has not synced: so its parent is
 * synced all the same, once a process. */
static int folder_make(FileSink *sink, const char *path, const char *parent, Error *error)
{
    if (folder_known(sink, path))
        return 0;
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return file_failed("cannot make the folder", path, error);
    if (file_sync_folder(parent, error) < 0)
        return -1;
    folder_remember(sink, path);
    return 0;
}

int file_make_folder(FileSink *sink, const char *path, Error *error)
{
    char folder[PATH_MAX];
    char parent[PATH_MAX];
    size_t from = strlen(sink->path);
    size_t end = strrchr(path, '/') - path;

    memcpy(folder, path, end);
    folder[end] = '\0';
    if (end <= from || folder_known(sink, folder))
        return 0;
    for (size_t i = from + 1; i <= end; i++) {
        char *slash;

        if (path[i] != '/')
            continue;
        memcpy(folder, path, i);
        folder[i] = '\0';
        memcpy(parent, folder, i + 1);
        slash = strrchr(parent, '/');
        *slash = '\0';
        if (folder_make(sink, folder, parent, error) < 0)
            return -1;
    }
    return 0;
}

int file_write_all(int fd, const void *data, size_t length)
{
    const char *at = data;

    while (length) {
        ssize_t written = write(fd, at, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

static int attempt_path(const char *path, const struct stat *status, char ret[PATH_MAX])
{
    const char *name = strrchr(path, '/') + 1;

    return snprintf(ret, PATH_MAX, "%.*s.%s.%llx.attempt", (int)(name - path), path, name, (unsigned long long)status->st_ino) < PATH_MAX ? 0 : -1;
}

/* Replaced whole by rename: a stale one can be there, of a writer that died and whose inode has come back to us. */
static int attempt_file_write(const char *path, const struct stat *status, const char *attempt, Error *error)
{
    char final[PATH_MAX];
    char temporary[PATH_MAX];
    int fd;

    if (attempt_path(path, status, final) < 0 || snprintf(temporary, sizeof temporary, "%s.new", final) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return file_failed("cannot name the attempt of", path, error);
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return file_failed("cannot create", temporary, error);
    if (file_write_all(fd, attempt, strlen(attempt)) < 0 || fsync(fd) < 0) {
        file_failed("cannot write", temporary, error);
        close(fd);
        unlink(temporary);
        return -1;
    }
    close(fd);
    if (rename(temporary, final) < 0) {
        file_failed("cannot rename", temporary, error);
        unlink(temporary);
        return -1;
    }
    *strrchr(final, '/') = '\0';
    return file_sync_folder(final, error);
}

static bool xattr_missing(int number)
{
    return number == ENOTSUP || number == EOPNOTSUPP || number == EPERM || number == ENOSYS || number == ENOSPC || number == E2BIG;
}

int file_attempt_set(const FileSink *sink, int fd, const char *path, const char *attempt, Error *error)
{
    struct stat status;

    if (sink->xattr) {
        if (fsetxattr(fd, ATTEMPT_ATTRIBUTE, attempt, strlen(attempt), 0) == 0)
            return 0;
        if (!xattr_missing(errno))
            return file_failed("cannot set the attempt of", path, error);
    }
    if (fstat(fd, &status) < 0)
        return file_failed("cannot stat", path, error);
    return attempt_file_write(path, &status, attempt, error);
}

int file_attempt_get(int fd, const char *path, char ret[FILE_ATTEMPT_MAX], Error *error)
{
    struct stat status;
    char beside[PATH_MAX];
    ssize_t length = fgetxattr(fd, ATTEMPT_ATTRIBUTE, ret, FILE_ATTEMPT_MAX - 1);
    int file;

    if (length >= 0) {
        ret[length] = '\0';
        return 0;
    }
    ret[0] = '\0';
    if (fstat(fd, &status) < 0 || attempt_path(path, &status, beside) < 0)
        return file_failed("cannot stat", path, error);
    file = open(beside, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? 0 : file_failed("cannot open", beside, error);
    length = read(file, ret, FILE_ATTEMPT_MAX - 1);
    if (length < 0)
        file_failed("cannot read", beside, error);
    else
        ret[length] = '\0';
    close(file);
    return length < 0 ? -1 : 0;
}

void file_attempt_remove(const char *path, const struct stat *status)
{
    char beside[PATH_MAX];

    if (attempt_path(path, status, beside) == 0)
        unlink(beside);
}
