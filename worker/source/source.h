/*
 * source.h - a database we capture from. Knows nothing of formats, sinks or the control plane.
 *
 * A Source is one connection of one process to one source database. Questions and answers that the control
 * plane keeps (polls, discovery, checks) are JSON objects, described member by member in
 * control/README.md; rows are column batches.  Positions are lower-case hex text of fixed width that sorts
 * bytewise; only the source does arithmetic on them.
 *
 * Every call may block no longer than the query timeout; `beat` is called at least once a second while it
 * waits and stops the call (ERROR_INTERRUPTED) by returning non-zero.
 */
#ifndef SLUICE_SOURCE_H
#define SLUICE_SOURCE_H

#include "base/column.h"
#include "base/beat.h"
#include "base/json.h"

typedef struct Source Source;
typedef struct Reader Reader;

/* What one reader is to read: all of it comes from a claimed batch (control/README.md, batch_claim). */
typedef struct ReadSpec {
    const cJSON *batch;      /* kind, from, to, keys, job, range, schema {source, instance, ...} */
    const Schema *schema;    /* parsed from batch.schema.columns, outlives the reader */
    const char *resume;      /* row position behind which reading goes on, NULL = from the beginning; of a load only the
                                position's L is used */
    const cJSON *resume_key; /* load: key texts of the last row that is already landed (reader_last_key), NULL = from
                                the beginning */
    size_t value_bytes_max;
} ReadSpec;

/* password: the secret itself, resolved by the caller, wiped by it afterwards; may be NULL (Kerberos). */
int source_open(const char *kind, const cJSON *options, const char *password, Beat beat, Source **ret,
                Error *error);
void source_close(Source *source);

/* One round trip: where the log is now, what moved (ask and answer: control/README.md, poll). Caller frees *answer. */
int source_poll(Source *source, const cJSON *ask, cJSON **answer, Error *error);
/* All tables, columns, keys, instances of the database in one round trip. Caller frees *answer. */
int source_discover(Source *source, cJSON **answer, Error *error);
/* The upper bound of the next load range: *ret = JSON array of key texts, or NULL where the table ends. Caller frees.
 */
int source_split(Source *source, const cJSON *ask, cJSON **ret, Error *error);

/* Says which batches of changes (JSON array of a claim) will be read next, one after another, so that a log which holds all of
 * their tables is read once. Keeps no pointer to them after source_stage(source, NULL, ..), which forgets them. */
int source_stage(Source *source, const cJSON *batches, Error *error);

int source_read(Source *source, const ReadSpec *spec, Reader **ret, Error *error);
/* *ret = a batch with at least one row, or NULL at the proved end of the range. */
int reader_next(Reader *reader, const ColumnBatch **ret, Error *error);
/* Reads the low-water mark again: ERROR_LOST if rows behind `from` (hex) may have been cleaned up since, ERROR_GONE if
 * the instance is not the one planned for. A no-op for a load. Call with no statement open: between reader_next and
 * NULL is fine. */
int reader_verify(Reader *reader, Error *error);
/* A load: the position read before the rows (20 hex digits), known once source_read has returned; NULL for a change
 * reader. */
const char *reader_position(const Reader *reader);
/* A load by key: *ret = JSON array of the key texts of the last row that reader_next gave, NULL before the first row,
 * for a table without key and for a change reader. The caller frees it; it comes back as ReadSpec.resume_key. */
int reader_last_key(const Reader *reader, cJSON **ret, Error *error);
/* How many values landed as null so far because no type holds them, by policy (zero dates of MySQL). */
int64_t reader_nulled(const Reader *reader);
/* A scan without key: the end of the log now, to be asked after reader_next gave NULL. "" where the server does not
 * tell us (the fence for a clock read after the scan is then the proof). */
int source_position_after(Source *source, char *ret, size_t size, Error *error);
void reader_close(Reader *reader);

/* The doctor. Needs no open source: each step {check, object, ok, severity, found, wanted, fix_sql, ms, skipped}.
 * Caller frees. */
int source_check(const char *kind, const cJSON *options, const char *password, Beat beat, cJSON **answer,
                 Error *error);

#endif
