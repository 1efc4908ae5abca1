/*
 * lob.c - values the change log does not hold (an update that left a LOB alone), read from
 * the table by key. What the table shows may be newer than the change: the newer change follows with a higher
 * position. Where the row is gone the value stays marked as unchanged.
 */
#include "source/sqlserver/reader.h"

#include "base/hex.h"

#include <stdlib.h>
#include <string.h>

#define FOUND_BYTES_MAX MIB(1) /* soft: rows behind the one that reaches it are read once more, in a batch of their own */

typedef struct Found {
    int column;
    int row;
    bool present; /* false: the row was found, the value is NULL */
    Buffer bytes;
} Found;

typedef struct FoundList {
    Found *list;
    int count;
    int capacity;
    size_t bytes; /* of all */
} FoundList;

static void found_free(FoundList *found)
{
    for (int i = 0; i < found->count; i++)
        buffer_free(&found->list[i].bytes);
    free(found->list);
}

static Found *found_add(FoundList *found, int column, int row, size_t maximum)
{
    Found *ret;

    if (found->count == found->capacity) {
        int capacity = found->capacity ? found->capacity * 2 : 64;
        Found *list = realloc(found->list, sizeof *list * (size_t)capacity);

        if (!list)
            return NULL;
        found->list = list;
        found->capacity = capacity;
    }
    ret = &found->list[found->count++];
    memset(ret, 0, sizeof *ret);
    ret->column = column;
    ret->row = row;
    buffer_init(&ret->bytes, maximum + 1);
    return ret;
}

/* The key the schema names; a table without one cannot be asked for a row. */
static int reread_keyset(const SqlReader *reader, const cJSON *schema, Keyset *keyset, int index[KEY_COLUMNS_MAX],
                         Error *error)
{
    const cJSON *columns = json_member(schema, "columns");
    cJSON *keys = cJSON_CreateArray();
    int status, count = 0;

    for (int ordinal = 1; ordinal <= KEY_COLUMNS_MAX; ordinal++) {
        for (int i = 0; i < reader->plan.schema->count; i++) {
            if (reader->plan.schema->fields[i].key_ordinal == ordinal) {
                cJSON_AddItemToArray(keys, cJSON_CreateString(reader->plan.schema->fields[i].source_name));
                index[count++] = i;
            }
        }
    }
    status = keyset_read(keys, columns, keyset, error);
    cJSON_Delete(keys);
    return status;
}

static int reread_text(const SqlReader *reader, const cJSON *schema, const Keyset *keyset, Buffer *text, Error *error)
{
    bool first = true;

    if (buffer_text(text, "SELECT ", error) < 0)
        return -1;
    for (int i = 0; i < reader->plan.schema->count; i++) {
        if (!reader->plan.columns[i].large)
            continue;
        if ((!first && buffer_text(text, ", ", error) < 0) ||
            plan_expression(&reader->plan.schema->fields[i], NULL, text, error) < 0)
            return -1;
        if (buffer_format(text, error, " AS c%d, DATALENGTH(", i + 1) < 0 ||
            text_name(text, reader->plan.schema->fields[i].source_name, error) < 0 ||
            buffer_format(text, error, ") AS n%d", i + 1) < 0)
            return -1;
        first = false;
    }
    if (buffer_text(text, " FROM ", error) < 0 ||
        text_table(text, json_text(schema, "source_schema", ""), json_text(schema, "source_table", ""), error) < 0 ||
        buffer_text(text, " WHERE ", error) < 0 || keyset_equal(keyset, text, error) < 0)
        return -1;
    return buffer_terminate(text, error);
}

static int value_keep(const SqlReader *reader, const Statement *statement, int column, int row, int wire,
                      FoundList *list, Error *error)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, wire);
    const char *name = reader->plan.schema->fields[column].source_name;
    size_t length = data ? (size_t)dbdatlen(process, wire) : 0;
    TypeLength rule = reader->plan.columns[column].rule;
    int64_t told = rule != LENGTH_NONE ? statement_integer(statement, wire + 1) : 0;
    Found *found;

    /* Longer values were cut at twice the limit by SET TEXTSIZE. */
    if (length > reader->plan.value_bytes_max || told > (int64_t)reader->plan.value_bytes_max * 2)
        return error_set(error, ERROR_PERMANENT, "Raise max_value_bytes for this table, or leave the column out.",
                         "a value of column \"%.200s\" has %zu bytes, more than max_value_bytes (%zu)", name, length,
                         reader->plan.value_bytes_max);
    if (data && type_length_check(rule, data, length, told) < 0)
        return error_set(error, ERROR_TRANSIENT, NULL,
                         "a value of column \"%.200s\" came shorter than the server counts", name);
    found = found_add(list, column, row, reader->plan.value_bytes_max);
    if (!found)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for re-read values");
    found->present = data != NULL;
    list->bytes += length;
    return data ? buffer_append(&found->bytes, data, length, error) : 0;
}

/* A delete is not asked for: what has its key now is another row. Nor is a before image: what its update left alone is
 * the same before and after. */
static bool row_asks(const SqlReader *reader, int row)
{
    if (reader->rows.op[row] == 'D' || reader->rows.op[row] == 'B')
        return false;
    for (int i = 0; i < reader->plan.schema->count; i++) {
        if (reader->rows.columns[i].unchanged && reader->rows.columns[i].unchanged[row] &&
            !reader->rows.columns[i].valid[row])
            return true;
    }
    return false;
}

static int row_reread(SqlReader *reader, const char *text, const Keyset *keyset, const int *index, int row,
                      FoundList *list, Error *error)
{
    Parameters parameters = {.count = 0};
    Statement statement;
    cJSON *key = cJSON_CreateArray();
    int got, status;

    for (int k = 0; k < keyset->count; k++)
        cJSON_AddItemToArray(key, key_text(&reader->rows, index[k], row));
    status = keyset_parameters(keyset, 'f', key, &parameters, error);
    if (status == 0)
        status = statement_start(&statement, sqlserver_connection(reader->server), text, &parameters, error);
    cJSON_Delete(key);
    if (status < 0)
        return -1;
    while ((got = statement_set(&statement, error)) > 0) {
        while ((got = statement_row(&statement, error)) > 0) {
            int wire = 1;

            for (int i = 0; i < reader->plan.schema->count; i++) {
                const ColumnVector *vector = &reader->rows.columns[i];

                if (!reader->plan.columns[i].large)
                    continue;
                if (vector->unchanged[row] && !vector->valid[row] &&
                    value_keep(reader, &statement, i, row, wire, list, error) < 0) {
                    statement_cancel(&statement);
                    return -1;
                }
                wire += 2;
            }
        }
        if (got < 0)
            return -1;
    }
    return got;
}

/* The value found for a row; a before image takes its update's, unless it has one. */
static const Found *found_for(const SqlReader *reader, int column, int row, const FoundList *list)
{
    const ColumnVector *vector = &reader->rows.columns[column];
    bool image = reader->rows.op[row] == 'B';

    if (vector->valid[row] || !vector->unchanged[row])
        return NULL;
    for (int i = 0; i < list->count; i++) {
        if (list->list[i].column == column && list->list[i].row == row + image)
            return &list->list[i];
    }
    return NULL;
}

/* Variable values lie one behind the other: a column with found values is laid out anew. */
static int column_rebuild(SqlReader *reader, int column, const FoundList *list, Error *error)
{
    ColumnVector *vector = &reader->rows.columns[column];
    Buffer bytes;
    uint32_t start = 0;

    buffer_init(&bytes, UINT32_MAX); /* what offsets can tell; FOUND_BYTES_MAX bounds it */
    for (int row = 0; row < reader->rows.rows; row++) {
        const Found *found = found_for(reader, column, row, list);
        uint32_t length = vector->offsets[row + 1] - start;
        int status = 0;

        if (found) {
            vector->unchanged[row] = 0;
            vector->valid[row] = found->present;
            if (found->present && found->bytes.length)
                status = buffer_append(&bytes, found->bytes.data, found->bytes.length, error);
        } else if (length) {
            status = buffer_append(&bytes, vector->bytes.data + start, length, error);
        }
        if (status < 0) {
            buffer_free(&bytes);
            return -1;
        }
        start = vector->offsets[row + 1];
        vector->offsets[row + 1] = (uint32_t)bytes.length;
    }
    bytes.maximum = vector->bytes.maximum;
    buffer_free(&vector->bytes);
    vector->bytes = bytes;
    return 0;
}

static int found_apply(SqlReader *reader, const FoundList *list, Error *error)
{
    for (int i = 0; i < reader->plan.schema->count; i++) {
        bool any = false;

        for (int f = 0; f < list->count; f++)
            any |= list->list[f].column == i;
        if (any && column_rebuild(reader, i, list, error) < 0)
            return -1;
    }
    return 0;
}

/* Only the first rows stay; reading goes on behind them. The last is none that another row belongs to: it was asked for. */
static int rows_cut(SqlReader *reader, int rows, Error *error)
{
    char position[2 * ROW_POSITION_BYTES + 1];

    hex_encode(reader->rows.position[rows - 1], ROW_POSITION_BYTES, position);
    position[2 * ROW_POSITION_BYTES] = '\0';
    column_batch_cut(&reader->rows, rows);
    reader->finished = false;
    return change_position_parse(position, &reader->from, error);
}

int reader_reread(SqlReader *reader, Error *error)
{
    const cJSON *schema = json_member(reader->batch, "schema");
    int index[KEY_COLUMNS_MAX], status = 0;
    FoundList list = {0};
    bool any = false;
    Keyset keyset;
    Buffer text;

    for (int row = 0; row < reader->rows.rows; row++)
        any |= row_asks(reader, row);
    if (!any)
        return 0;
    if (reread_keyset(reader, schema, &keyset, index, error) < 0)
        return -1;
    if (keyset.count == 0)
        return 0;
    buffer_init(&text, TEXT_MAX);
    status = reread_text(reader, schema, &keyset, &text, error);
    for (int row = 0; row < reader->rows.rows && status == 0; row++) {
        if (!row_asks(reader, row))
            continue;
        status = row_reread(reader, text.data, &keyset, index, row, &list, error);
        if (status == 0 && list.bytes >= FOUND_BYTES_MAX && row + 1 < reader->rows.rows)
            status = rows_cut(reader, row + 1, error);
    }
    if (status == 0)
        status = found_apply(reader, &list, error);
    found_free(&list);
    buffer_free(&text);
    return status;
}
