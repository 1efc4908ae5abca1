/* load.c - see load.h */
#include "source/mysql/load.h"
#include "source/mysql/load_key.h"
#include "source/mysql/load_snapshot.h"
#include "source/mysql/load_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_MAX MIB(4) /* names of COLUMNS_MAX columns, bounds */

typedef struct LoadReader {
    MySqlReader base;
    MySql *source;
    const cJSON *batch; /* the caller's, outlives the reader */
    LoadSnapshot snapshot;
    LoadStatement statement;
    LoadRow row;
    ColumnBatch rows;
    LoadKey key;
    int key_index[LOAD_KEY_COLUMNS_MAX]; /* field of each key column */
    int *large;                          /* fields whose values may exceed the limit and are measured by the server first */
    int large_count;
    bool finished;
    char position[LOG_POSITION_TEXT];
} LoadReader;

/* ---- the statement ---- */

/* Can a value of this type be longer than the limit? The others are bounded by the server's row size. */
static bool field_may_exceed(const Field *field, size_t value_bytes_max)
{
    static const char *const small[] = {"tinytext", "tinyblob", "text", "blob"};

    if (!field->large)
        return false;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        if (strcmp(field->source_type, small[i]) == 0)
            return value_bytes_max < KIB(64);
    }
    return true;
}

static int large_find(LoadReader *reader, const Schema *schema, size_t value_bytes_max, Error *error)
{
    reader->large = calloc((size_t)schema->count + 1, sizeof *reader->large);
    if (!reader->large)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", schema->count);
    for (int i = 0; i < schema->count; i++) {
        if (field_may_exceed(&schema->fields[i], value_bytes_max))
            reader->large[reader->large_count++] = i;
    }
    return 0;
}

/* libmariadb holds a row whole, so a huge value would break the memory limit before it could be refused: its length comes instead. */
static int text_large(const Field *field, bool length, size_t limit, Buffer *text, Error *error)
{
    if (buffer_text(text, "IF(OCTET_LENGTH(", error) < 0 || session_name(text, field->source_name, error) < 0 ||
        buffer_format(text, error, ") > %zu, ", limit) < 0)
        return -1;
    if (!length)
        return buffer_text(text, "NULL, ", error) < 0 || session_name(text, field->source_name, error) < 0 ? -1 : buffer_text(text, ")", error);
    if (buffer_text(text, "OCTET_LENGTH(", error) < 0 || session_name(text, field->source_name, error) < 0)
        return -1;
    return buffer_text(text, "), NULL)", error);
}

static int text_columns(const LoadReader *reader, const Schema *schema, size_t limit, Buffer *text, Error *error)
{
    int large = 0;

    for (int i = 0; i < schema->count; i++) {
        const Field *field = &schema->fields[i];
        bool is_large = large < reader->large_count && reader->large[large] == i;

        if (i && buffer_text(text, ", ", error) < 0)
            return -1;
        if (is_large ? text_large(field, false, limit, text, error) < 0 : session_name(text, field->source_name, error) < 0)
            return -1;
        large += is_large;
    }
    for (int i = 0; i < reader->large_count; i++) {
        if (buffer_text(text, ", ", error) < 0 || text_large(&schema->fields[reader->large[i]], true, limit, text, error) < 0)
            return -1;
    }
    return 0;
}

static const cJSON *bound_of(const cJSON *keys, const char *name)
{
    const cJSON *bound = json_member(keys, name);

    return cJSON_IsArray(bound) && cJSON_GetArraySize(bound) > 0 ? bound : NULL;
}

static int text_build(const LoadReader *reader, const ReadSpec *spec, Buffer *text, Error *error)
{
    const cJSON *schema = json_member(spec->batch, "schema"), *keys = json_member(spec->batch, "keys");
    const cJSON *after = spec->resume_key ? spec->resume_key : bound_of(keys, "from"), *until = bound_of(keys, "to");
    const char *database, *table;

    if (json_need_text(schema, "source_schema", &database, error) < 0 || json_need_text(schema, "source_table", &table, error) < 0)
        return -1;
    if (buffer_text(text, "SELECT ", error) < 0 || text_columns(reader, spec->schema, spec->value_bytes_max, text, error) < 0 ||
        buffer_text(text, " FROM ", error) < 0 || session_name(text, database, error) < 0 || buffer_text(text, ".", error) < 0 ||
        session_name(text, table, error) < 0)
        return -1;
    if (reader->key.count == 0)
        return 0;
    if (after && (buffer_text(text, " WHERE ", error) < 0 || load_key_bound(&reader->key, false, after, text, error) < 0))
        return -1;
    if (until && (buffer_text(text, after ? " AND " : " WHERE ", error) < 0 || load_key_bound(&reader->key, true, until, text, error) < 0))
        return -1;
    return load_key_order(&reader->key, text, error);
}

static int statement_open(LoadReader *reader, const ReadSpec *spec, Error *error)
{
    Buffer text;
    int status;

    buffer_init(&text, STATEMENT_MAX);
    status = text_build(reader, spec, &text, error);
    if (status == 0)
        status = load_statement_start(&reader->statement, &reader->source->session, text.data, text.length, error);
    buffer_free(&text);
    if (status < 0)
        return -1;
    return load_row_init(&reader->row, &reader->rows, reader->statement.columns, reader->statement.count, reader->large, reader->large_count, error);
}

/* ---- opening ---- */

/* Each key column must be among the columns read: its last value is where a later statement begins. */
static int keys_find(LoadReader *reader, const ReadSpec *spec, Error *error)
{
    const cJSON *columns = json_member(json_member(spec->batch, "schema"), "log_columns");

    if (!columns)
        columns = json_member(json_member(spec->batch, "schema"), "columns");
    if (load_key_read(json_member(json_member(spec->batch, "keys"), "columns"), columns, &reader->key, error) < 0)
        return -1;
    for (int k = 0; k < reader->key.count; k++) {
        reader->key_index[k] = -1;
        for (int i = 0; i < spec->schema->count; i++) {
            if (strcmp(spec->schema->fields[i].source_name, reader->key.columns[k].name) == 0)
                reader->key_index[k] = i;
        }
        if (reader->key_index[k] < 0)
            return error_set(error, ERROR_INTERNAL, NULL, "the key column \"%.200s\" is not among the columns that are read",
                             reader->key.columns[k].name);
    }
    return 0;
}

/* All rows of a range have one position, no commit time and the same operation: they are written once. */
static int rows_init(LoadReader *reader, const ReadSpec *spec, Error *error)
{
    uint8_t position[LOG_ROW_BYTES];

    if (log_load_position_encode(reader->snapshot.at, json_integer(spec->batch, "job_id", 0), json_integer(spec->batch, "range", 0), position,
                                 error) < 0 ||
        column_batch_init(&reader->rows, spec->schema, LOG_ROW_BYTES, spec->value_bytes_max, error) < 0)
        return -1;
    for (int i = 0; i < BATCH_ROWS_MAX; i++) {
        reader->rows.op[i] = 'R';
        reader->rows.commit_us[i] = INT64_MIN;
        memcpy(reader->rows.position[i], position, sizeof position);
    }
    return 0;
}

/* The L of the seals: the first 20 digits of a row's position. */
static int resume_read(const ReadSpec *spec, LogPosition *ret, Error *error)
{
    char text[LOG_POSITION_TEXT];

    snprintf(text, sizeof text, "%s", spec->resume);
    if (log_position_parse(text, ret) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no position of a loaded row", spec->resume);
    return 0;
}

static int reader_begin(LoadReader *reader, const ReadSpec *spec, Error *error)
{
    MySql *source = reader->source;
    LogPosition at;

    source->scanned[0] = 0;
    if (!source->session.mysql && session_open(&source->session, &source->options, source->password, source->beat, error) < 0)
        return -1;
    if (keys_find(reader, spec, error) < 0 || large_find(reader, spec->schema, spec->value_bytes_max, error) < 0 ||
        (spec->resume && resume_read(spec, &at, error) < 0))
        return -1;
    if (spec->resume && reader->key.count == 0)
        return error_set(error, ERROR_TRANSIENT, "The table has no key: its scan starts anew.", "a scan without key was interrupted");
    if (load_snapshot_begin(source, spec->batch, spec->resume ? &at : NULL, &reader->snapshot, error) < 0)
        return -1;
    log_position_text(reader->snapshot.at, reader->position);
    return rows_init(reader, spec, error) < 0 ? -1 : statement_open(reader, spec, error);
}

int load_reader_open(MySql *source, const ReadSpec *spec, MySqlReader **ret, Error *error)
{
    LoadReader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a reader");
    reader->base = (MySqlReader){.base.kind = source->base.kind, .load = true};
    reader->source = source;
    reader->batch = spec->batch;
    if (reader_begin(reader, spec, error) < 0) {
        load_reader_close(&reader->base);
        return error_prefix(error, "%s", json_text(spec->batch, "table", "table"));
    }
    *ret = &reader->base;
    return 0;
}

/* ---- reading ---- */

/* Names the row whose value stopped us, as far as its key could be read. */
static int row_failed(const LoadReader *reader, Error *error)
{
    char key[200] = "";
    size_t at = 0;

    for (int k = 0; k < reader->key.count; k++) {
        cJSON *text = NULL;
        Error ignored;

        if (load_key_text(&reader->key, k, &reader->rows, reader->key_index[k], reader->rows.rows, &text, &ignored) < 0)
            return -1;
        at += (size_t)snprintf(key + at, sizeof key - at, "%s%.40s", k ? ", " : "", text->valuestring);
        cJSON_Delete(text);
        if (at >= sizeof key)
            break;
    }
    return reader->key.count ? error_prefix(error, "key (%s)", key) : -1;
}

/* The transaction ends with the range, and a scan's L2 is asked for. */
static int range_end(LoadReader *reader, Error *error)
{
    LogPosition end;

    reader->finished = true;
    if (reader->key.count == 0) {
        if (load_snapshot_after(&reader->snapshot, &end, error) < 0)
            return -1;
        log_position_text(end, reader->source->scanned);
    }
    return load_snapshot_end(&reader->snapshot, error);
}

/* 1: the batch is filled anew; 0: there was nothing left, the rows before stay for reader_last_key; -1. */
static int rows_fill(LoadReader *reader, Error *error)
{
    const uint8_t *packet;
    size_t length;
    int got = load_statement_row(&reader->statement, &packet, &length, error);

    if (got <= 0)
        return got < 0 ? -1 : range_end(reader, error);
    column_batch_clear(&reader->rows);
    for (;;) {
        if (load_row_decode(&reader->row, packet, length, error) < 0)
            return error->kind == ERROR_PERMANENT ? row_failed(reader, error) : -1;
        column_row_end(&reader->rows);
        if (column_batch_full(&reader->rows))
            return 1;
        got = load_statement_row(&reader->statement, &packet, &length, error);
        if (got <= 0)
            return got < 0 || range_end(reader, error) < 0 ? -1 : 1;
    }
}

int load_reader_next(MySqlReader *base, const ColumnBatch **ret, Error *error)
{
    LoadReader *reader = (LoadReader *)base;
    int got = reader->finished ? 0 : rows_fill(reader, error);

    if (got < 0)
        return error_prefix(error, "%s", json_text(reader->batch, "table", "table"));
    *ret = got ? &reader->rows : NULL;
    return 0;
}

const char *load_reader_position(const MySqlReader *base)
{
    return ((const LoadReader *)base)->position;
}

int load_reader_last_key(const MySqlReader *base, cJSON **ret, Error *error)
{
    const LoadReader *reader = (const LoadReader *)base;
    cJSON *keys;

    *ret = NULL;
    if (reader->key.count == 0 || reader->rows.rows == 0)
        return 0;
    keys = cJSON_CreateArray();
    for (int k = 0; k < reader->key.count; k++) {
        cJSON *text;

        if (load_key_text(&reader->key, k, &reader->rows, reader->key_index[k], reader->rows.rows - 1, &text, error) < 0) {
            cJSON_Delete(keys);
            return -1;
        }
        cJSON_AddItemToArray(keys, text);
    }
    *ret = keys;
    return 0;
}

int64_t load_reader_nulled(const MySqlReader *base)
{
    return ((const LoadReader *)base)->row.nulled;
}

void load_reader_close(MySqlReader *base)
{
    LoadReader *reader = (LoadReader *)base;
    MySql *source = reader->source;
    Error ignored;
    bool anew = reader->statement.pending;

    load_statement_close(&reader->statement);
    if (!anew && load_snapshot_end(&reader->snapshot, &ignored) < 0)
        anew = true;
    if (anew) {
        session_close(&source->session);
        (void)session_open(&source->session, &source->options, source->password, source->beat, &ignored);
    }
    load_row_free(&reader->row);
    column_batch_free(&reader->rows);
    free(reader->large);
    free(reader);
}

int mysql_source_position_after(Source *source, char *ret, size_t size, Error *error)
{
    (void)error;
    snprintf(ret, size, "%s", ((MySql *)source)->scanned);
    return 0;
}
