/*
 * format.h - turns column batches into the bytes of one file. Knows nothing of sources and sinks.
 *
 * Output is strictly sequential through `write`, so that it streams into parts. Memory is bounded by the encoder's
 * window, never by the file.
 */
#ifndef SLUICE_FORMAT_H
#define SLUICE_FORMAT_H

#include "base/column.h"
#include "base/json.h"

typedef struct Format Format;

typedef struct FormatOutput {
    int (*write)(void *context, const void *data, size_t length, Error *error);
    void *context;
} FormatOutput;

typedef struct FormatSpec {
    const char *format;      /* "jsonl", "csv", "parquet" */
    const char *compression; /* "none", "gzip", "zstd", "snappy" (parquet only) */
    int level;               /* 0 = the default (zstd 1, gzip 6) */
    const char *profile;     /* "sluice", "debezium" (jsonl), "dms" (csv, parquet) */
    const cJSON *options;    /* what else the table's options say of the format (sql/05_option.sql); NULL or a missing member = the default */
    bool load;               /* rows read from the table, not changes */
    int64_t load_us;         /* UTC microseconds: when the source stood no later than these rows were read; INT64_MIN = not known */
    uint32_t epoch;
    uint16_t incarnation;
    const char *source_kind, *source, *database, *schema, *table; /* where the rows come from, for envelopes that name it; "" = not known */
    size_t memory_max;       /* bytes the encoder may hold, 0 = its own default; it makes smaller row groups rather than hold more */
} FormatSpec;

/* "jsonl", "jsonl.zst", "jsonl.gz": the end of the object's name. ERROR_PERMANENT for a combination we do not write. */
int format_extension(const char *format, const char *compression, char *ret, size_t size, Error *error);
int format_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, Format **ret, Error *error);
/* Whether a row of this operation is a row of the file: no before image ever is, and a profile may be told to leave others out. */
bool format_lands(const FormatSpec *spec, char op);
/* Writes rows [first, first + count) of the batch. What does not land (format_lands) is passed over; a before image is shown beside its
 * update by a profile that does so. */
int format_write(Format *format, const ColumnBatch *batch, int first, int count, Error *error);
/* Bytes the file would have if closed now; an estimate that never runs far behind (<= one compressor window). */
uint64_t format_size(const Format *format);
/* Ends the file: everything has been given to `write` when it returns. */
int format_finish(Format *format, Error *error);
void format_close(Format *format); /* frees; without finish the file is worthless */

#endif
