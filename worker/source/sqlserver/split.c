/* split.c - where the next load range ends: the key of the row `rows` further on */
#include "source/sqlserver/keyset.h"
#include "source/sqlserver/plan.h"

#include <string.h>

static int split_text(const Keyset *keyset, const cJSON *ask, const cJSON *from, int64_t rows, Buffer *text,
                      Error *error)
{
    const char *schema, *table;

    if (json_need_text(ask, "schema", &schema, error) < 0 || json_need_text(ask, "table", &table, error) < 0 ||
        buffer_text(text, "SELECT ", error) < 0)
        return -1;
    for (int i = 0; i < keyset->count; i++) {
        if ((i && buffer_text(text, ", ", error) < 0) ||
            plan_expression(&keyset->columns[i].field, NULL, text, error) < 0 ||
            buffer_format(text, error, " AS c%d", i + 1) < 0)
            return -1;
    }
    if (buffer_text(text, " FROM ", error) < 0 || text_table(text, schema, table, error) < 0)
        return -1;
    if (from && (buffer_text(text, " WHERE ", error) < 0 || keyset_bound(keyset, 'f', text, error) < 0))
        return -1;
    if (keyset_order(keyset, false, text, error) < 0 ||
        buffer_format(text, error, " OFFSET %lld ROWS FETCH NEXT 1 ROWS ONLY", (long long)(rows - 1)) < 0)
        return -1;
    return buffer_terminate(text, error);
}

typedef struct SplitRow {
    const Keyset *keyset;
    cJSON *key; /* NULL: the table ends */
} SplitRow;

static int split_value(const Statement *statement, ColumnBatch *batch, int index, cJSON *key, Error *error)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, index + 1);
    cJSON *text = NULL;
    Decode decode;

    if (decode_choose(&batch->schema->fields[index], dbcoltype(process, index + 1), &decode, error) < 0)
        return -1;
    if (data && decode(batch, index, data, dbdatlen(process, index + 1), error) < 0)
        return -1;
    if (data)
        text = key_text(batch, index, 0);
    if (!text)
        return error_set(
            error, ERROR_PERMANENT, "Give the table a key whose values are texts without U+0000 and never NULL.",
            "a value of the key column \"%.200s\" cannot be written as text", batch->schema->fields[index].source_name);
    cJSON_AddItemToArray(key, text);
    return 0;
}

/* The one row's values as key texts. */
static int split_row(const Statement *statement, int set, void *context, Error *error)
{
    SplitRow *row = context;
    Field fields[KEY_COLUMNS_MAX];
    Schema schema = {.fields = fields, .count = row->keyset->count};
    ColumnBatch batch;
    int status = 0;

    (void)set;
    for (int i = 0; i < schema.count; i++)
        fields[i] = row->keyset->columns[i].field;
    if (column_batch_init(&batch, &schema, 0, KIB(64), error) < 0)
        return -1;
    cJSON_Delete(row->key);
    row->key = cJSON_CreateArray();
    for (int i = 0; i < schema.count && status == 0; i++)
        status = split_value(statement, &batch, i, row->key, error);
    column_batch_free(&batch);
    return status;
}

int sqlserver_split(Source *source, const cJSON *ask, cJSON **ret, Error *error)
{
    const cJSON *from = json_member(ask, "from");
    int64_t rows = json_integer(ask, "rows", RANGE_READ_ROWS);
    Parameters parameters = {.count = 0};
    Keyset keyset;
    SplitRow row = {.keyset = &keyset};
    Buffer text;
    int status;

    *ret = NULL;
    if (keyset_read(json_member(ask, "keys"), json_member(ask, "columns"), &keyset, error) < 0)
        return -1;
    if (keyset.count == 0)
        return 0; /* one scan */
    if (rows < 1)
        rows = RANGE_READ_ROWS;
    if (!cJSON_IsArray(from) || cJSON_GetArraySize(from) == 0)
        from = NULL;
    if (from && keyset_parameters(&keyset, 'f', from, &parameters, error) < 0)
        return -1;
    buffer_init(&text, TEXT_MAX);
    status = split_text(&keyset, ask, from, rows, &text, error);
    if (status == 0)
        status =
            statement_each(sqlserver_connection((SqlServer *)source), text.data, &parameters, split_row, &row, error);
    buffer_free(&text);
    if (status < 0) {
        cJSON_Delete(row.key);
        return error_prefix(error, "%s.%s", json_text(ask, "schema", "?"), json_text(ask, "table", "?"));
    }
    *ret = row.key;
    return 0;
}
