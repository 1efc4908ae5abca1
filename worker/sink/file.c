/* file.c - objects as files: written aside, then linked to their name; see file.h */
#include "sink/file.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SYNC_BYTES MIB(64)
#define KEY_DIGEST_BYTES 16 /* of the key's SHA-256, in a temporary's name */

typedef struct FileObject {
    SinkObject object;
    FileSink *sink;
    char attempt[FILE_ATTEMPT_MAX];
    char final[PATH_MAX];
    char temporary[PATH_MAX];
    int fd;
    uint64_t bytes;
    size_t bytes_unsynced;
    bool linked;
} FileObject;

/* A name of fixed length, since a key may be longer than a file name. All temporaries of a key begin alike. */
static int temporary_prefix(const char *key, char ret[2 * KEY_DIGEST_BYTES + 2], Error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(key, strlen(key), digest, NULL, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_INTERNAL, NULL, "SHA-256 is not available");
    for (int i = 0; i < KEY_DIGEST_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    memcpy(ret + 2 * KEY_DIGEST_BYTES, ".", 2);
    return 0;
}

static bool is_temporary_key(const char *key)
{
    size_t length = strlen(FILE_TEMPORARY);

    return strncmp(key, FILE_TEMPORARY, length) == 0 && (key[length] == '/' || !key[length]);
}

static int file_open_sink(const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error)
{
    const char *path = json_text(options, "path", NULL);
    size_t length = path ? strlen(path) : 0;
    struct stat status;
    FileSink *sink;

    (void)secret;
    if (!path || path[0] != '/')
        return error_set(error, ERROR_PERMANENT, "Set the target's option path to an absolute folder.", "a file target needs the option path");
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= PATH_MAX / 2)
        return error_set(error, ERROR_PERMANENT, "Choose a shorter folder for the target.", "the path %.200s is too long", path);
    if (stat(path, &status) < 0)
        return errno == ENOENT ? error_set(error, ERROR_PERMANENT, "Make the folder and give the worker's user the right to write in it.",
                                           "the target's folder %.300s does not exist", path)
                               : file_failed("cannot reach the folder", path, error);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, ERROR_PERMANENT, "Set the target's option path to a folder.", "%.300s is no folder", path);
    sink = calloc(1, sizeof *sink);
    if (!sink)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a file target");
    /* "/" alone stays empty, so that path + "/" + key is right for it too. */
    if (length > 1)
        memcpy(sink->path, path, length);
    sink->beat = beat;
    sink->xattr = json_boolean(options, "xattr", true);
    *ret = &sink->sink;
    return 0;
}

static void file_close_sink(Sink *base)
{
    FileSink *sink = (FileSink *)base;

    for (int i = 0; i < sink->folders_count; i++)
        free(sink->folders[i]);
    free(sink);
}

static int temporary_create(FileObject *object, const char *key, Error *error)
{
    char prefix[2 * KEY_DIGEST_BYTES + 2];

    if (temporary_prefix(key, prefix, error) < 0)
        return -1;
    if (snprintf(object->temporary, PATH_MAX, "%s/%s/%s%s", object->sink->path, FILE_TEMPORARY, prefix, object->attempt) >= PATH_MAX)
        return error_set(error, ERROR_PERMANENT, "Choose a shorter folder for the target.", "the path %.300s is too long", object->sink->path);
    if (file_make_folder(object->sink, object->temporary, error) < 0)
        return -1;
    /* Unlinked first, not truncated: under the same attempt it may already be linked to the final name. */
    if (unlink(object->temporary) < 0 && errno != ENOENT)
        return file_failed("cannot remove", object->temporary, error);
    object->fd = open(object->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (object->fd < 0)
        return file_failed("cannot create", object->temporary, error);
    return 0;
}

static int file_begin(Sink *base, const char *key, const char *attempt, SinkObject **ret, Error *error)
{
    FileObject *object;

    if (is_temporary_key(key))
        return error_set(error, ERROR_PERMANENT, NULL, "the key \"%.300s\" lies where temporaries are kept", key);
    object = calloc(1, sizeof *object);
    if (!object)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an object");
    object->sink = (FileSink *)base;
    object->fd = -1;
    snprintf(object->attempt, sizeof object->attempt, "%s", attempt);
    if (file_path(object->sink, key, object->final, error) < 0 || temporary_create(object, key, error) < 0) {
        free(object);
        return -1;
    }
    *ret = &object->object;
    return 0;
}

static int file_write(SinkObject *base, const void *data, size_t length, Error *error)
{
    FileObject *object = (FileObject *)base;

    if (file_write_all(object->fd, data, length) < 0)
        return file_failed("cannot write", object->temporary, error);
    object->bytes += length;
    object->bytes_unsynced += length;
    /* From time to time, so that no single fsync of a large file blocks for longer than a beat may be late. */
    if (object->bytes_unsynced >= FILE_SYNC_BYTES) {
        object->bytes_unsynced = 0;
        if (fdatasync(object->fd) < 0)
            return file_failed("cannot sync", object->temporary, error);
    }
    return file_beat(object->sink, error);
}

static size_t file_memory(const SinkObject *base)
{
    (void)base;
    return 0;
}

static int file_prepare(SinkObject *base, Error *error)
{
    FileObject *object = (FileObject *)base;

    if (file_make_folder(object->sink, object->final, error) < 0 ||
        file_attempt_set(object->sink, object->fd, object->final, object->attempt, error) < 0)
        return -1;
    if (fsync(object->fd) < 0)
        return file_failed("cannot sync", object->temporary, error);
    CRASH_POINT("file_synced");
    return file_beat(object->sink, error);
}

static int head_of(const char *path, SinkHead *ret, Error *error)
{
    struct stat status;
    SinkHead head = {.exists = true};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int result;

    if (fd < 0) {
        if (errno != ENOENT)
            return file_failed("cannot open", path, error);
        *ret = (SinkHead){.exists = false};
        return 0;
    }
    if (fstat(fd, &status) < 0) {
        file_failed("cannot stat", path, error);
        close(fd);
        return -1;
    }
    result = file_attempt_get(fd, path, head.attempt, error);
    close(fd);
    head.bytes = (uint64_t)status.st_size;
    if (result == 0)
        *ret = head;
    return result;
}

/* The name is taken: by our own file where the link was made in an earlier try. */
static int complete_exists(FileObject *object, SinkOutcome *outcome, SinkHead *head, Error *error)
{
    if (head_of(object->final, head, error) < 0)
        return -1;
    if (!head->exists)
        return error_set(error, ERROR_TRANSIENT, NULL, "%.300s was there and is gone", object->final);
    *outcome = strcmp(head->attempt, object->attempt) == 0 ? SINK_CREATED : SINK_EXISTS;
    object->linked = *outcome == SINK_CREATED;
    return 0;
}

static int complete_one(FileObject *object, SinkOutcome *outcome, SinkHead *head, Error *error)
{
    if (link(object->temporary, object->final) == 0) {
        object->linked = true;
        *outcome = SINK_CREATED;
        *head = (SinkHead){.exists = true, .bytes = object->bytes};
        memcpy(head->attempt, object->attempt, sizeof head->attempt);
        return 0;
    }
    if (errno == EEXIST)
        return complete_exists(object, outcome, head, error);
    if (errno == ENOENT && access(object->temporary, F_OK) < 0)
        return error_set(error, ERROR_FENCED, NULL, "another worker has ended our upload of %.300s", object->final);
    return file_failed("cannot link", object->final, error);
}

/* Neighbouring objects mostly share their folder: one fsync for a run of them. */
static int folders_sync(FileSink *sink, SinkObject **objects, int count, Error *error)
{
    char last[PATH_MAX] = "";

    for (int i = 0; i < count; i++) {
        char folder[PATH_MAX];

        memcpy(folder, ((FileObject *)objects[i])->final, sizeof folder);
        *strrchr(folder, '/') = '\0';
        if (!folder[0])
            memcpy(folder, "/", 2);
        if (strcmp(folder, last) == 0)
            continue;
        if (file_sync_folder(folder, error) < 0 || file_beat(sink, error) < 0)
            return -1;
        memcpy(last, folder, sizeof last);
    }
    return 0;
}

static int file_complete(Sink *base, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error)
{
    for (int i = 0; i < count; i++) {
        if (complete_one((FileObject *)objects[i], &outcomes[i], &heads[i], error) < 0)
            return -1;
    }
    CRASH_POINT("link_after");
    if (folders_sync((FileSink *)base, objects, count, error) < 0)
        return -1;
    CRASH_POINT("link_synced");
    /* Only now: until the folder is on disk the temporary is the one durable name of the file. */
    for (int i = 0; i < count; i++) {
        if (outcomes[i] == SINK_CREATED)
            unlink(((FileObject *)objects[i])->temporary);
    }
    return 0;
}

static void file_object_close(SinkObject *base)
{
    FileObject *object = (FileObject *)base;
    struct stat status;

    if (!object->linked && fstat(object->fd, &status) == 0)
        file_attempt_remove(object->final, &status);
    unlink(object->temporary);
    close(object->fd);
    free(object);
}

static int file_uploads_abort(Sink *base, const char *key, Error *error)
{
    FileSink *sink = (FileSink *)base;
    char prefix[2 * KEY_DIGEST_BYTES + 2];
    char folder[PATH_MAX];
    char final[PATH_MAX];
    struct dirent *entry;
    DIR *directory;
    int result = 0;

    if (temporary_prefix(key, prefix, error) < 0 || file_path(sink, key, final, error) < 0 || file_path(sink, FILE_TEMPORARY, folder, error) < 0)
        return -1;
    directory = opendir(folder);
    if (!directory)
        return errno == ENOENT ? 0 : file_failed("cannot open the folder", folder, error);
    while (result == 0 && (entry = readdir(directory)) != NULL) {
        struct stat status;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink == 1)
            file_attempt_remove(final, &status);
        if (unlinkat(dirfd(directory), entry->d_name, 0) < 0 && errno != ENOENT)
            result = file_failed("cannot remove the temporary of", final, error);
    }
    closedir(directory);
    return result;
}

/* A temporary's writer touches it as it writes, so one that is old has lost its writer. */
static int file_uploads_sweep(Sink *base, const char *prefix, int64_t older_than_s, int *ended, Error *error)
{
    FileSink *sink = (FileSink *)base;
    int64_t now = clock_wall_us() / 1000000;
    char folder[PATH_MAX];
    struct dirent *entry;
    DIR *directory;
    int result = 0;

    (void)prefix;
    if (file_path(sink, FILE_TEMPORARY, folder, error) < 0)
        return -1;
    directory = opendir(folder);
    if (!directory)
        return errno == ENOENT ? 0 : file_failed("cannot open the folder", folder, error);
    while (result == 0 && (entry = readdir(directory)) != NULL) {
        struct stat status;

        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
            now - status.st_mtime <= older_than_s)
            continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) == 0)
            (*ended)++;
        else if (errno != ENOENT)
            result = file_failed("cannot remove an old temporary in", folder, error);
        if (result == 0)
            result = file_beat(sink, error);
    }
    closedir(directory);
    return result;
}

/* Whoever made the name may have died before it was on disk, and its temporary, the other name, is unlinked by us. */
static int file_head(Sink *base, const char *key, SinkHead *ret, Error *error)
{
    char path[PATH_MAX];

    if (file_path((FileSink *)base, key, path, error) < 0 || head_of(path, ret, error) < 0)
        return -1;
    if (!ret->exists)
        return 0;
    *strrchr(path, '/') = '\0';
    return file_sync_folder(path[0] ? path : "/", error);
}

static int file_get(Sink *base, const char *key, Buffer *ret, Error *error)
{
    char path[PATH_MAX];
    int result = 0;
    ssize_t count;
    int fd;

    if (file_path((FileSink *)base, key, path, error) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(error, ERROR_GONE, NULL, "%.300s does not exist", path);
    if (fd < 0)
        return file_failed("cannot open", path, error);
    buffer_clear(ret);
    do {
        if (buffer_reserve(ret, 1, error) < 0) {
            result = error_prefix(error, "reading %.200s", path);
            break;
        }
        count = read(fd, ret->data + ret->length, ret->capacity - ret->length);
        if (count > 0)
            ret->length += (size_t)count;
        else if (count < 0 && errno != EINTR)
            result = file_failed("cannot read", path, error);
    } while (result == 0 && count != 0);
    close(fd);
    return result;
}

static int file_remove(Sink *base, const char *key, Error *error)
{
    struct stat status;
    char path[PATH_MAX];

    if (file_path((FileSink *)base, key, path, error) < 0)
        return -1;
    if (stat(path, &status) == 0)
        file_attempt_remove(path, &status);
    if (unlink(path) < 0 && errno != ENOENT)
        return file_failed("cannot remove", path, error);
    return 0;
}

const SinkKind file_kind = {
    .name = "file",
    .open = file_open_sink,
    .close = file_close_sink,
    .begin = file_begin,
    .write = file_write,
    .memory = file_memory,
    .prepare = file_prepare,
    .complete = file_complete,
    .object_close = file_object_close,
    .uploads_abort = file_uploads_abort,
    .head = file_head,
    .get = file_get,
    .list = file_list,
    .uploads_sweep = file_uploads_sweep,
    .remove = file_remove,
};
