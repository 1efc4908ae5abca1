/* reader.c - the common part of the readers: see reader.h and source.h */
#include "source/sqlserver/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * DB-Library holds a value whole, so a huge one would break the memory limit before it could be refused. The server
 * cuts values at twice the limit: what is longer there is too long here in any character set, and DATALENGTH says so.
 */
static int text_size_set(SqlServer *server, const ReadSpec *spec, Error *error)
{
    int64_t size = spec->value_bytes_max > INT32_MAX / 2 - 1 ? INT32_MAX : (int64_t)spec->value_bytes_max * 2 + 2;
    bool large = false;
    char text[48];

    for (int i = 0; i < spec->schema->count; i++)
        large |= spec->schema->fields[i].large;
    if (!large || server->text_size == size)
        return 0;
    snprintf(text, sizeof text, "SET TEXTSIZE %lld", (long long)size);
    if (connection_batch(sqlserver_connection(server), text, error) < 0)
        return -1;
    server->text_size = size;
    return 0;
}

static int reader_open(SqlReader *reader, const ReadSpec *spec, Error *error)
{
    const char *work = json_text(spec->batch, "work", json_text(spec->batch, "kind", ""));

    if (text_size_set(reader->server, spec, error) < 0)
        return -1;
    reader->changes = strcmp(work, "load") != 0;
    if (reader->changes ? reader_changes_init(reader, spec, error) < 0 : reader_load_init(reader, spec, error) < 0)
        return -1;
    if (column_batch_init(&reader->rows, spec->schema, ROW_POSITION_BYTES, spec->value_bytes_max, error) < 0)
        return -1;
    reader->rows_ready = true;
    return 0;
}

int sqlserver_read(Source *source, const ReadSpec *spec, Reader **ret, Error *error)
{
    SqlReader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a reader");
    reader->base.kind = &sqlserver_kind;
    reader->server = (SqlServer *)source;
    reader->batch = spec->batch;
    reader->statement_rows = RANGE_READ_ROWS;
    buffer_init(&reader->text, TEXT_MAX);
    if (reader_open(reader, spec, error) < 0) {
        sqlserver_reader_close(&reader->base);
        return -1;
    }
    *ret = &reader->base;
    return 0;
}

/* Opens the next statement's one result set. */
static int statement_begin(SqlReader *reader, Error *error)
{
    Connection *connection = sqlserver_connection(reader->server);
    int got;

    if (reader->start(reader, error) < 0)
        return -1;
    reader->begun = true;
    reader->server->open = &reader->statement;
    got = statement_set(&reader->statement, error);
    if (got == 0)
        error_set(error, ERROR_TRANSIENT, NULL, "%s answered without a result set", connection->target);
    if (got <= 0)
        return -1;
    return plan_bind(&reader->plan, connection->process, error);
}

/* The rows of the statement are at their end: is the whole call, and is the range? */
static int statement_end(SqlReader *reader, Error *error)
{
    int64_t rows = reader->statement.rows;
    int got = statement_set(&reader->statement, error);

    if (got < 0)
        return -1;
    if (got > 0) {
        statement_cancel(&reader->statement);
        return error_set(error, ERROR_INTERNAL, NULL, "a second result set came");
    }
    reader->server->open = NULL;
    reader->finished = reader->statement_rows == 0 || rows < reader->statement_rows;
    return 0;
}

static int reader_fill(SqlReader *reader, Error *error)
{
    /* One change may become two rows. */
    while (!column_batch_full(&reader->rows) && reader->rows.rows < BATCH_ROWS_MAX - 1) {
        int got = statement_row(&reader->statement, error);

        if (got < 0)
            return -1;
        if (got == 0)
            return statement_end(reader, error);
        got = reader->row(reader, error);
        if (got < 0)
            return -1;
        if (got > 0)
            column_row_end(&reader->rows);
    }
    return 0;
}

/* The batch is about to be reused: its last row is where a load goes on. */
static int load_remember(SqlReader *reader, Error *error)
{
    cJSON *last;

    if (reader->changes || reader->rows.rows == 0)
        return 0;
    if (sqlserver_last_key(&reader->base, &last, error) < 0)
        return -1;
    if (last) {
        cJSON_Delete(reader->after);
        reader->after = last;
    }
    return 0;
}

static int next_rows(SqlReader *reader, Error *error)
{
    Connection *connection = &reader->server->connection;

    if (load_remember(reader, error) < 0)
        return -1;
    column_batch_clear(&reader->rows);
    reader->given = reader->from;
    while (reader->rows.rows == 0 && !reader->finished) {
        if (connection_beat(connection, error) < 0)
            return -1;
        if (!reader->statement.open && statement_begin(reader, error) < 0)
            return -1;
        if (reader_fill(reader, error) < 0)
            return -1;
    }
    return reader->reread && reader->rows.rows > 0 ? reader_reread(reader, error) : 0;
}

/* A text came that DB-Library cannot convert: from the last row handed out on, texts are read in their exact form. */
static int next_exact(SqlReader *reader, Error *error)
{
    if (reader->plan.exact_text || strcmp(error->code, "2403") != 0 || reader->server->connection.dead ||
        (!reader->changes && reader->keyset.count == 0))
        return -1;
    (void)sqlserver_connection(reader->server);
    column_batch_clear(&reader->rows);
    reader->from = reader->given;
    reader->plan.exact_text = true;
    reader->finished = false;
    if (reader->build(reader, error) < 0)
        return -1;
    return next_rows(reader, error);
}

int sqlserver_next(Reader *base, const ColumnBatch **ret, Error *error)
{
    SqlReader *reader = (SqlReader *)base;

    if (next_rows(reader, error) < 0 && next_exact(reader, error) < 0) {
        if (reader->statement.open)
            (void)sqlserver_connection(reader->server);
        return error_prefix(error, "%s", json_text(reader->batch, "table", "table"));
    }
    *ret = reader->rows.rows > 0 ? &reader->rows : NULL;
    return 0;
}

const char *sqlserver_reader_position(const Reader *base)
{
    const SqlReader *reader = (const SqlReader *)base;

    return reader->changes ? NULL : reader->position;
}

void sqlserver_reader_close(Reader *base)
{
    SqlReader *reader = (SqlReader *)base;

    if (reader->server->open == &reader->statement)
        (void)sqlserver_connection(reader->server);
    if (reader->rows_ready)
        column_batch_free(&reader->rows);
    reader_changes_free(reader);
    plan_free(&reader->plan);
    buffer_free(&reader->text);
    cJSON_Delete(reader->after);
    cJSON_Delete(reader->until);
    free(reader);
}
