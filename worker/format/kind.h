/*
 * kind.h - what one file format must offer; format.c picks by name and profile. Inside format/ only.
 *
 * The calls have the meaning of format.h. A format writes plain bytes to `output`; that they are compressed behind it is
 * compress.c's business.
 */
#ifndef SLUICE_FORMAT_KIND_H
#define SLUICE_FORMAT_KIND_H

#include "format/format.h"

typedef struct FormatKind {
    const char *name;        /* as in FormatSpec, and the first part of the extension */
    const char *profiles[4]; /* ended by NULL */
    bool expands;            /* wants the columns a profile adds as columns of schema and batch (profile.h); others write them themselves */
    bool compresses;         /* compresses by itself, inside the file: format.c puts no compressor behind it */
    int (*open)(const FormatSpec *spec, const Schema *schema, FormatOutput output, void **ret, Error *error);
    int (*write)(void *state, const ColumnBatch *batch, int first, int count, Error *error);
    uint64_t (*held)(const void *state); /* bytes not yet given to the output */
    int (*finish)(void *state, Error *error);
    void (*close)(void *state);
} FormatKind;

extern const FormatKind jsonl_kind, debezium_kind, csv_kind, parquet_kind;

#endif
