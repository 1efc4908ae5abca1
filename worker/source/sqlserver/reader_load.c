/*
 * reader_load.c - rows of the table itself: by keyset where there is a key, else one scan.
 *
 * L, the captured maximum, is read before the first row. Every state a later row shows that is newer than L is in the
 * change log behind L, so the higher position wins in the end; no lock, no snapshot, nothing written.
 */
#include "source/sqlserver/reader.h"

#include <string.h>

static int text_build(SqlReader *reader, Error *error)
{
    const cJSON *schema = json_member(reader->batch, "schema");
    Buffer *text = &reader->text;
    const char *owner, *table;

    buffer_clear(text);
    if (json_need_text(schema, "source_schema", &owner, error) < 0 ||
        json_need_text(schema, "source_table", &table, error) < 0)
        return -1;
    if (buffer_text(text, "SELECT ", error) < 0 ||
        (reader->keyset.count && buffer_format(text, error, "TOP (%lld) ", (long long)reader->statement_rows) < 0) ||
        plan_select(&reader->plan, NULL, text, error) < 0 || buffer_text(text, " FROM ", error) < 0 ||
        text_table(text, owner, table, error) < 0)
        return -1;
    /* keyless => 'lock': nobody changes the table while this statement reads it. */
    if (strcmp(json_text(reader->batch, "keyless", ""), "lock") == 0 && buffer_text(text, " WITH (TABLOCK)", error) < 0)
        return -1;
    if (reader->after &&
        (buffer_text(text, " WHERE ", error) < 0 || keyset_bound(&reader->keyset, 'f', text, error) < 0))
        return -1;
    if (reader->until && (buffer_text(text, reader->after ? " AND " : " WHERE ", error) < 0 ||
                          keyset_bound(&reader->keyset, 't', text, error) < 0))
        return -1;
    if (keyset_order(&reader->keyset, false, text, error) < 0)
        return -1;
    return buffer_terminate(text, error);
}

static int load_start(SqlReader *reader, Error *error)
{
    Parameters parameters = {.count = 0};

    if (reader->begun && reader->keyset.count == 0)
        return error_set(error, ERROR_TRANSIENT, "The table has no key: its scan starts anew.",
                         "a scan without key was interrupted");
    if (reader->build(reader, error) < 0)
        return -1;
    if ((reader->after && keyset_parameters(&reader->keyset, 'f', reader->after, &parameters, error) < 0) ||
        (reader->until && keyset_parameters(&reader->keyset, 't', reader->until, &parameters, error) < 0))
        return -1;
    return statement_start(&reader->statement, &reader->server->connection, reader->text.data, &parameters, error);
}

static int load_row(SqlReader *reader, Error *error)
{
    ColumnBatch *rows = &reader->rows;

    rows->op[rows->rows] = 'R';
    rows->commit_us[rows->rows] = INT64_MIN;
    memcpy(rows->position[rows->rows], reader->load_position, ROW_POSITION_BYTES);
    return plan_row(&reader->plan, reader->server->connection.process, rows, PLAN_COMPLETE, NULL, 0, error) < 0 ? -1
                                                                                                                : 1;
}

/* Each key column must be among the columns read: its last value is where the next statement begins. */
static int keys_find(SqlReader *reader, const Schema *schema, Error *error)
{
    for (int k = 0; k < reader->keyset.count; k++) {
        KeyColumn *key = &reader->keyset.columns[k];

        reader->key_index[k] = -1;
        for (int i = 0; i < schema->count; i++) {
            if (strcmp(schema->fields[i].source_name, key->field.source_name) == 0)
                reader->key_index[k] = i;
        }
        if (reader->key_index[k] < 0)
            return error_set(error, ERROR_INTERNAL, NULL,
                             "the key column \"%.200s\" is not among the columns that are read",
                             key->field.source_name);
    }
    return 0;
}

static const cJSON *bound_of(const cJSON *keys, const char *name)
{
    const cJSON *bound = json_member(keys, name);

    return cJSON_IsArray(bound) && cJSON_GetArraySize(bound) > 0 ? bound : NULL;
}

int reader_load_init(SqlReader *reader, const ReadSpec *spec, Error *error)
{
    const cJSON *schema = json_member(spec->batch, "schema"), *keys = json_member(spec->batch, "keys");
    const cJSON *after, *until;
    uint8_t lsn[LSN_BYTES];

    if (keyset_read(json_member(keys, "columns"), json_member(schema, "columns"), &reader->keyset, error) < 0 ||
        keys_find(reader, spec->schema, error) < 0)
        return -1;
    if (reader->keyset.count == 0)
        reader->statement_rows = 0;
    after = spec->resume_key ? spec->resume_key : bound_of(keys, "from");
    until = bound_of(keys, "to");
    reader->after = after && reader->keyset.count ? cJSON_Duplicate(after, true) : NULL;
    reader->until = until && reader->keyset.count ? cJSON_Duplicate(until, true) : NULL;
    reader->build = text_build;
    reader->start = load_start;
    reader->row = load_row;
    if (sqlserver_position(&reader->server->base, reader->position, sizeof reader->position, error) < 0)
        return -1;
    if (lsn_parse(reader->position, lsn) < 0 ||
        load_position_encode(lsn, json_integer(spec->batch, "job_id", 0), json_integer(spec->batch, "range", 0),
                             reader->load_position, error) < 0)
        return -1;
    return plan_init(&reader->plan, spec->schema, json_member(schema, "columns"), 0, spec->value_bytes_max, error);
}

int sqlserver_last_key(const Reader *base, cJSON **ret, Error *error)
{
    const SqlReader *reader = (const SqlReader *)base;
    cJSON *key;

    *ret = NULL;
    if (reader->changes || reader->keyset.count == 0)
        return 0;
    if (!reader->rows_ready || reader->rows.rows == 0) {
        *ret = reader->begun && reader->after ? cJSON_Duplicate(reader->after, true) : NULL;
        return 0;
    }
    key = cJSON_CreateArray();
    for (int k = 0; k < reader->keyset.count; k++) {
        cJSON *text = key_text(&reader->rows, reader->key_index[k], reader->rows.rows - 1);

        if (!text) {
            cJSON_Delete(key);
            return error_set(error, ERROR_PERMANENT,
                             "Give the table a key whose values are texts without U+0000 and never NULL.",
                             "a value of the key column \"%.200s\" cannot be written as text",
                             reader->keyset.columns[k].field.source_name);
        }
        cJSON_AddItemToArray(key, text);
    }
    *ret = key;
    return 0;
}
