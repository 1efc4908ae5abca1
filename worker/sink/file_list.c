/*
 * file_list.c - the keys below a prefix in the order of their bytes, as an object store lists them; see file.h
 *
 * One folder's entries are held at a time per depth. A folder sorts as its name with "/" behind it: "a-b" < "a/c" < "a0".
 */
#include "sink/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

typedef struct Listing {
    FileSink *sink;
    const char *prefix;
    const char *after; /* "" = all */
    SinkEach each;
    void *context;
    bool ended;
} Listing;

typedef struct Entries {
    char **names; /* folders with "/" at the end */
    size_t count, capacity;
} Entries;

static void entries_free(Entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->names[i]);
    free(entries->names);
}

static int entries_add(Entries *entries, const char *name, bool folder)
{
    size_t length = strlen(name);
    char *copy;

    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? entries->capacity * 2 : 64;
        char **names = realloc(entries->names, capacity * sizeof *names);

        if (!names)
            return -1;
        entries->names = names;
        entries->capacity = capacity;
    }
    copy = malloc(length + 2);
    if (!copy)
        return -1;
    memcpy(copy, name, length + 1);
    if (folder)
        memcpy(copy + length, "/", 2);
    entries->names[entries->count++] = copy;
    return 0;
}

static int name_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool is_attempt_file(const char *name)
{
    size_t length = strlen(name);

    return name[0] == '.' && ((length > 8 && strcmp(name + length - 8, ".attempt") == 0) ||
                              (length > 12 && strcmp(name + length - 12, ".attempt.new") == 0));
}

/* Whether any key that begins with `part` (a folder's) or is it (a file's) can be wanted. */
static bool wanted(const Listing *listing, const char *part, bool folder)
{
    size_t length = strlen(part);
    size_t prefix = strlen(listing->prefix);

    if (strncmp(part, listing->prefix, length < prefix ? length : prefix) != 0 || (!folder && length < prefix))
        return false;
    if (folder)
        return strncmp(listing->after, part, length) <= 0;
    return strcmp(part, listing->after) > 0;
}

static int entries_read(const Listing *listing, const char *folder, Entries *entries, Error *error)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *directory;
    int result = 0;

    if (file_path(listing->sink, folder, path, error) < 0)
        return -1;
    directory = opendir(path);
    if (!directory)
        return errno == ENOENT || errno == ENOTDIR ? 0 : file_failed("cannot list", path, error);
    while (result == 0 && (entry = readdir(directory)) != NULL) {
        struct stat status;
        bool is_folder;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || is_attempt_file(entry->d_name))
            continue;
        if (entry->d_type == DT_UNKNOWN && fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            entry->d_type = IFTODT(status.st_mode);
        is_folder = entry->d_type == DT_DIR;
        if (!is_folder && entry->d_type != DT_REG)
            continue;
        if (entries_add(entries, entry->d_name, is_folder) < 0)
            result = error_set(error, ERROR_TRANSIENT, NULL, "out of memory listing %.300s", path);
    }
    closedir(directory);
    if (entries->count)
        qsort(entries->names, entries->count, sizeof *entries->names, name_compare);
    return result;
}

static int key_give(Listing *listing, const char *key, Error *error)
{
    char path[PATH_MAX];
    struct stat status;

    if (file_path(listing->sink, key, path, error) < 0)
        return -1;
    if (stat(path, &status) < 0)
        return errno == ENOENT ? 0 : file_failed("cannot stat", path, error);
    listing->ended = listing->each(listing->context, &(SinkEntry){key, (uint64_t)status.st_size, ""}) != 0;
    return 0;
}

/* `folder` is "" or ends with "/". */
static int folder_walk(Listing *listing, const char *folder, int depth, Error *error)
{
    Entries entries = {0};
    int result;

    if (depth > DEPTH_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "%.300s is nested too deep to list", folder);
    result = entries_read(listing, folder, &entries, error);
    if (result == 0)
        result = file_beat(listing->sink, error);
    for (size_t i = 0; result == 0 && i < entries.count && !listing->ended; i++) {
        const char *name = entries.names[i];
        bool is_folder = name[strlen(name) - 1] == '/';
        char key[PATH_MAX];

        if (snprintf(key, sizeof key, "%s%s", folder, name) >= PATH_MAX || !wanted(listing, key, is_folder) ||
            strcmp(key, FILE_TEMPORARY "/") == 0)
            continue;
        result = is_folder ? folder_walk(listing, key, depth + 1, error) : key_give(listing, key, error);
    }
    entries_free(&entries);
    return result;
}

int file_list(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error)
{
    Listing listing = {(FileSink *)sink, prefix, after ? after : "", each, context, false};
    char start[PATH_MAX];
    char *slash;

    /* Start at the deepest folder that the prefix names. */
    if (snprintf(start, sizeof start, "%s", prefix) >= PATH_MAX || strstr(prefix, "..") || prefix[0] == '/')
        return error_set(error, ERROR_PERMANENT, NULL, "\"%.300s\" is no prefix of keys", prefix);
    slash = strrchr(start, '/');
    if (slash)
        slash[1] = '\0';
    else
        start[0] = '\0';
    return folder_walk(&listing, start, 0, error);
}
