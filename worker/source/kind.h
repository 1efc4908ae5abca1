/*
 * kind.h - what a kind of source implements; source.c dispatches to it.
 *
 * A kind's own Source and Reader begin with these structs. Promises are those of source.h.
 */
#ifndef SLUICE_SOURCE_KIND_H
#define SLUICE_SOURCE_KIND_H

#include "source/source.h"

typedef struct SourceKind {
    const char *name;
    int (*open)(const cJSON *options, const char *password, Beat beat, Source **ret, Error *error);
    void (*close)(Source *source);
    int (*poll)(Source *source, const cJSON *ask, cJSON **answer, Error *error);
    int (*discover)(Source *source, cJSON **answer, Error *error);
    int (*split)(Source *source, const cJSON *ask, cJSON **ret, Error *error);
    int (*stage)(Source *source, const cJSON *batches, Error *error); /* NULL: nothing is shared between tables */
    int (*position_after)(Source *source, char *ret, size_t size, Error *error);
    int (*read)(Source *source, const ReadSpec *spec, Reader **ret, Error *error);
    int (*next)(Reader *reader, const ColumnBatch **ret, Error *error);
    int (*verify)(Reader *reader, Error *error);
    const char *(*reader_position)(const Reader *reader);
    int64_t (*nulled)(const Reader *reader); /* NULL: never any */
    int (*last_key)(const Reader *reader, cJSON **ret, Error *error);
    void (*reader_close)(Reader *reader);
    int (*check)(const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error);
} SourceKind;

struct Source {
    const SourceKind *kind;
};

struct Reader {
    const SourceKind *kind;
};

extern const SourceKind sqlserver_kind, mysql_kind, mariadb_kind;

#endif
