/*
 * file.h - objects as files below one folder. Inside sink/ only.
 *
 * Options: path (absolute folder), xattr (default true; false keeps attempts in `.attempt` files everywhere).
 * A file is written below {path}/_sluice/tmp, on the same file system, under a name made of its key and attempt, and becomes
 * visible by link(2), which never overwrites. Its attempt stands in the extended attribute user.sluice.attempt. Where the file
 * system has none, a file `.{name}.{inode, hex}.attempt` beside the final name holds it: named after the inode, it tells which of
 * several writers' files was linked. All of it is on disk (fsync of file and folders) before a call says so.
 */
#ifndef SLUICE_SINK_FILE_H
#define SLUICE_SINK_FILE_H

#include "sink/kind.h"
#include <limits.h>
#include <sys/stat.h>

#define FILE_TEMPORARY "_sluice/tmp"
#define FILE_FOLDERS_KNOWN 256
#define FILE_ATTEMPT_MAX 64

typedef struct FileSink {
    Sink sink;
    char path[PATH_MAX];
    Beat beat;
    int64_t beat_ms; /* when it was last called */
    bool xattr;
    char *folders[FILE_FOLDERS_KNOWN]; /* known to be there and durable */
    int folders_count, folders_next;
} FileSink;

int file_path(const FileSink *sink, const char *key, char ret[PATH_MAX], Error *error);
/* ERROR_* by errno, with a hint naming the path. */
int file_failed(const char *what, const char *path, Error *error);
int file_beat(FileSink *sink, Error *error);
int file_sync_folder(const char *path, Error *error);
/* Makes the folder in which `path` lies, and all above it down to the target's own, durably. */
int file_make_folder(FileSink *sink, const char *path, Error *error);
int file_write_all(int fd, const void *data, size_t length);

/* The attempt of the file open at `fd`, which is or will be at `path`. */
int file_attempt_set(const FileSink *sink, int fd, const char *path, const char *attempt, Error *error);
int file_attempt_get(int fd, const char *path, char ret[FILE_ATTEMPT_MAX], Error *error);
void file_attempt_remove(const char *path, const struct stat *status);

int file_list(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error);

#endif
