/* split.c - where the next load range ends: the key of the row `rows` further on */
#include "source/mysql/load_key.h"
#include "source/mysql/mysql.h"

#include <stdlib.h>

static int split_text(const LoadKey *key, const cJSON *ask, const cJSON *from, int64_t rows, Buffer *text, Error *error)
{
    const char *schema, *table;

    if (json_need_text(ask, "schema", &schema, error) < 0 || json_need_text(ask, "table", &table, error) < 0 ||
        buffer_text(text, "SELECT ", error) < 0)
        return -1;
    for (int i = 0; i < key->count; i++) {
        if ((i && buffer_text(text, ", ", error) < 0) || load_key_select(key, i, text, error) < 0)
            return -1;
    }
    if (buffer_text(text, " FROM ", error) < 0 || session_name(text, schema, error) < 0 || buffer_text(text, ".", error) < 0 ||
        session_name(text, table, error) < 0)
        return -1;
    if (from && (buffer_text(text, " WHERE ", error) < 0 || load_key_bound(key, false, from, text, error) < 0))
        return -1;
    if (load_key_order(key, text, error) < 0 || buffer_format(text, error, " LIMIT %lld, 1", (long long)(rows - 1)) < 0)
        return -1;
    return buffer_terminate(text, error);
}

static int split_row(const LoadKey *key, MYSQL_RES *rows, cJSON **ret, Error *error)
{
    MYSQL_ROW row = mysql_fetch_row(rows);
    const unsigned long *lengths = mysql_fetch_lengths(rows);
    cJSON *list;

    *ret = NULL;
    if (!row || !lengths)
        return 0; /* the table ends */
    list = cJSON_CreateArray();
    for (int i = 0; i < key->count; i++) {
        cJSON *text;

        if (load_key_value(key, i, row[i], lengths[i], &text, error) < 0) {
            cJSON_Delete(list);
            return -1;
        }
        cJSON_AddItemToArray(list, text);
    }
    *ret = list;
    return 0;
}

static int split_ask(Session *session, const LoadKey *key, const cJSON *ask, cJSON **ret, Error *error)
{
    const cJSON *from = json_member(ask, "from");
    int64_t rows = json_integer(ask, "rows", RANGE_READ_ROWS);
    MYSQL_RES *result = NULL;
    Buffer text;
    int status;

    if (rows < 1)
        rows = RANGE_READ_ROWS;
    if (!cJSON_IsArray(from) || cJSON_GetArraySize(from) == 0)
        from = NULL;
    buffer_init(&text, MIB(1));
    status = split_text(key, ask, from, rows, &text, error);
    if (status == 0)
        status = session_select(session, text.data, &result, error);
    buffer_free(&text);
    if (status < 0)
        return -1;
    status = split_row(key, result, ret, error);
    mysql_free_result(result);
    return status;
}

int mysql_source_split(Source *source, const cJSON *ask, cJSON **ret, Error *error)
{
    LoadKey *key = calloc(1, sizeof *key);
    int status;

    *ret = NULL;
    if (!key)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a key");
    status = load_key_read(json_member(ask, "keys"), json_member(ask, "columns"), key, error);
    if (status == 0 && key->count) /* else one scan */
        status = split_ask(&((MySql *)source)->session, key, ask, ret, error);
    free(key);
    if (status < 0)
        return error_prefix(error, "%s.%s", json_text(ask, "schema", "?"), json_text(ask, "table", "?"));
    return 0;
}
