/* log_reader.c - see log_reader.h */
#include "source/mysql/log_reader.h"

#include "base/hex.h"
#include "base/limits.h"
#include "source/mysql/log_stage.h"
#include "source/mysql/log_stream.h"
#include "source/mysql/log_table.h"
#include "source/mysql/shape_code.h"
#include "source/mysql/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_BYTES_MAX MIB(1)

typedef struct LogReader {
    MySqlReader base;
    MySql *source;
    const char *label; /* "erp.shop.orders", of the batch */
    const char *schema_name, *table_name;
    const Schema *schema;
    LogRange range;
    bool images;
    size_t value_bytes_max;
    Shape shape;
    ColumnBatch rows;
    bool rows_ready;

    Buffer map_bytes; /* the table map that `plan` was made of */
    TableMap map;
    RowPlan *plan;    /* NULL = none yet */
    RowsCursor cursor;
    bool cursor_open;

    int staged;       /* its number in the stage, -1 = the stream is read */
    StageCursor at;
    uint64_t id;      /* stream: the table's number in this statement */
    bool id_known;
    bool touched;     /* the group under way has rows of it */
    bool moved;       /* rows have been given since the stream was opened */

    uint8_t last[LOG_ROW_BYTES]; /* rows up to here have been given */
    bool skipping;               /* what comes may stand at or below `last` */
    bool finished;
    int64_t nulled;
} LogReader;

static int reader_resume(LogReader *reader, const char *resume, Error *error)
{
    RowPosition position;

    if (!resume)
        return 0;
    if (row_position_parse(resume, &position, error) < 0)
        return -1;
    row_position_encode(&position, reader->last);
    reader->skipping = true;
    return 0;
}

static int reader_init(LogReader *reader, MySql *source, const ReadSpec *spec, Error *error)
{
    const cJSON *schema = json_member(spec->batch, "schema");

    reader->source = source;
    reader->label = json_text(spec->batch, "table", "the table");
    reader->schema = spec->schema;
    reader->value_bytes_max = spec->value_bytes_max;
    reader->images = json_boolean(schema, "images", false);
    if (json_need_text(schema, "source_schema", &reader->schema_name, error) < 0 || json_need_text(schema, "source_table", &reader->table_name, error) < 0 ||
        log_range_of(spec->batch, &reader->range, error) < 0 || shape_parse(json_member(schema, "log_columns"), &reader->shape, error) < 0 ||
        reader_resume(reader, spec->resume, error) < 0)
        return -1;
    if (column_batch_init(&reader->rows, spec->schema, LOG_ROW_BYTES, spec->value_bytes_max, error) < 0)
        return -1;
    reader->rows_ready = true;
    if (log_stage_turn(source, spec->batch, &reader->staged, error) < 0)
        return -1;
    return reader->staged < 0 ? log_stream_begin(source, &reader->range, error) : 0;
}

int log_reader_open(MySql *source, const ReadSpec *spec, MySqlReader **ret, Error *error)
{
    LogReader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a reader");
    reader->staged = -1;
    buffer_init(&reader->map_bytes, MAP_BYTES_MAX);
    if (reader_init(reader, source, spec, error) < 0) {
        log_reader_close(&reader->base);
        return error_prefix(error, "%s", json_text(spec->batch, "table", "the table"));
    }
    *ret = &reader->base;
    return 0;
}

/* The plan for rows under this table map; the one there is, while the table looks the same. */
static int reader_plan(LogReader *reader, const uint8_t *data, size_t length, Error *error)
{
    /* A row image is always whole here: an update that moves a row says so (batch.schema.before or not), where SQL Server's log has a delete and an insert. */
    RowPlanSpec spec = {.map = &reader->map, .shape = &reader->shape, .schema = reader->schema, .before = true, .images = reader->images,
                        .value_bytes_max = reader->value_bytes_max, .nulled = &reader->nulled};

    if (reader->plan && log_table_map_same((const uint8_t *)reader->map_bytes.data, reader->map_bytes.length, data, length))
        return 0;
    rowplan_close(reader->plan);
    reader->plan = NULL;
    table_map_free(&reader->map);
    reader->map = (TableMap){0};
    buffer_clear(&reader->map_bytes);
    if (buffer_append(&reader->map_bytes, data, length, error) < 0 ||
        table_map_parse((const uint8_t *)reader->map_bytes.data, reader->map_bytes.length, &reader->map, error) < 0 ||
        shape_fits(&reader->shape, &reader->map, error) < 0)
        return -1;
    return rowplan_open(&spec, &reader->plan, error);
}

/* Opens the cursor on a rows event, unless all of its rows have been given. */
static int reader_rows(LogReader *reader, uint8_t code, LogPosition at, uint64_t inner, int64_t commit_us, const uint8_t *data, size_t length,
                       Error *error)
{
    const BinlogItem item = {.type = BINLOG_ROWS, .code = code, .begin = at, .end = at, .inner = inner, .commit_us = commit_us, .data = data,
                             .length = length};

    if (reader->skipping) {
        uint8_t above[LOG_ROW_BYTES]; /* of every row of the event */

        row_position_encode(&(RowPosition){.at = at, .inner = inner, .row = UINT64_MAX}, above);
        if (memcmp(above, reader->last, LOG_ROW_BYTES) <= 0)
            return 0;
        row_position_encode(&(RowPosition){.at = at, .inner = inner}, above);
        reader->skipping = memcmp(above, reader->last, LOG_ROW_BYTES) <= 0;
    }
    if (!reader->plan)
        return error_set(error, ERROR_INTERNAL, NULL, "rows came before their table map");
    reader->cursor_open = rows_open(&reader->cursor, reader->plan, &item, at, inner, error) == 0;
    if (reader->skipping)
        reader->cursor.behind = (int64_t)big_endian(reader->last + LOG_ROW_BYTES - 8, 8);
    return reader->cursor_open ? 0 : -1;
}

static int undone(const LogReader *reader, Error *error)
{
    const bool plain = !strchr(reader->label, '\'');
    char hint[512];

    snprintf(hint, sizeof hint, "SELECT sluice.resync_table(%s%.400s%s) loads the table again.", plain ? "'" : "", plain ? reader->label : "...", plain ? "'" : "");
    return error_set(error, ERROR_PERMANENT, hint,
                     "a transaction that had changed %s.%s was rolled back in part or as a whole after it had changed a table without transactions: "
                     "which of its rows count is not in the log",
                     reader->schema_name, reader->table_name);
}

static bool name_is(const LogReader *reader, const LogTableName *name)
{
    return strlen(reader->schema_name) == name->schema_length && memcmp(reader->schema_name, name->schema, name->schema_length) == 0 &&
           strlen(reader->table_name) == name->table_length && memcmp(reader->table_name, name->table, name->table_length) == 0;
}

static int stream_map(LogReader *reader, const LogItem *item, Error *error)
{
    LogTableName name;
    uint64_t id;

    if (log_table_id(item->data, item->length, &id, error) < 0 || log_table_name(item->data, item->length, &name, error) < 0)
        return -1;
    if (!name_is(reader, &name)) {
        reader->id_known = reader->id_known && reader->id != id;
        return 0;
    }
    reader->id = id;
    reader->id_known = true;
    return reader_plan(reader, item->data, item->length, error);
}

static int stream_rows(LogReader *reader, const LogItem *item, Error *error)
{
    uint64_t id;

    if (log_table_id(item->data, item->length, &id, error) < 0)
        return -1;
    if (!reader->id_known || reader->id != id)
        return 0;
    reader->touched = true;
    return reader_rows(reader, item->code, item->at, item->inner, item->commit_us, item->data, item->length, error);
}

/* Reading goes on behind the last row that stands in the batch or was given before. */
static int stream_again(LogReader *reader, Error *error)
{
    if (!reader->moved || error->kind != ERROR_TRANSIENT)
        return -1;
    if (reader->rows.rows)
        memcpy(reader->last, reader->rows.position[reader->rows.rows - 1], LOG_ROW_BYTES);
    reader->skipping = true;
    reader->moved = reader->id_known = reader->touched = false;
    log_stream_close(reader->source->stream);
    reader->source->stream = NULL;
    return log_stream_begin(reader->source, &reader->range, error);
}

/* The next item of the stream: 1, 0 at the end of the range. It may have opened the cursor. */
static int stream_item(LogReader *reader, Error *error)
{
    LogItem item;
    int status = log_stream_next(reader->source->stream, &item, error);

    if (status < 0)
        return stream_again(reader, error) < 0 ? -1 : 1;
    if (status == 0)
        return 0;
    switch (item.type) {
    case LOG_MAP:
        return stream_map(reader, &item, error) < 0 ? -1 : 1;
    case LOG_ROWS:
        return stream_rows(reader, &item, error) < 0 ? -1 : 1;
    case LOG_UNDONE:
        if (reader->touched)
            return undone(reader, error);
        break;
    case LOG_GROUP_END:
        reader->touched = reader->id_known = false;
        break;
    }
    return 1;
}

static int staged_item(LogReader *reader, Error *error)
{
    StageItem item;

    if (!stage_next(log_stage_rows(reader->source->stage), reader->staged, &reader->at, &item))
        return 0;
    if (item.map)
        return reader_plan(reader, item.data, item.length, error) < 0 ? -1 : 1;
    return reader_rows(reader, item.code, item.at, item.inner, item.commit_us, item.data, item.length, error) < 0 ? -1 : 1;
}

/* The next change into the batch, if it was not given before. */
static int reader_change(LogReader *reader, Error *error)
{
    int status = rows_next(&reader->cursor, &reader->rows, error);

    if (status < 0)
        return -1;
    if (status == 0) {
        reader->cursor_open = reader->skipping = false;
        return 0;
    }
    reader->moved = true;
    return 0;
}

static int reader_fill(LogReader *reader, Error *error)
{
    /* One change may become two rows. */
    while (!column_batch_full(&reader->rows) && reader->rows.rows < BATCH_ROWS_MAX - 1) {
        int status;

        if (reader->cursor_open) {
            if (reader_change(reader, error) < 0)
                return -1;
            continue;
        }
        status = reader->staged < 0 ? stream_item(reader, error) : staged_item(reader, error);
        if (status < 0)
            return -1;
        if (status == 0) {
            reader->finished = true;
            return 0;
        }
    }
    return 0;
}

int log_reader_next(MySqlReader *base, const ColumnBatch **ret, Error *error)
{
    LogReader *reader = (LogReader *)base;

    if (reader->rows.rows)
        memcpy(reader->last, reader->rows.position[reader->rows.rows - 1], LOG_ROW_BYTES);
    column_batch_clear(&reader->rows);
    if (!reader->finished && reader_fill(reader, error) < 0)
        return error_prefix(error, "%s", reader->label);
    *ret = reader->rows.rows ? &reader->rows : NULL;
    return 0;
}

int64_t log_reader_nulled(const MySqlReader *base)
{
    return ((const LogReader *)base)->nulled;
}

void log_reader_close(MySqlReader *base)
{
    LogReader *reader = (LogReader *)base;

    if (reader->staged >= 0)
        stage_set(log_stage_rows(reader->source->stage), reader->staged, STAGE_DONE);
    rowplan_close(reader->plan);
    table_map_free(&reader->map);
    buffer_free(&reader->map_bytes);
    shape_free(&reader->shape);
    if (reader->rows_ready)
        column_batch_free(&reader->rows);
    free(reader);
}
