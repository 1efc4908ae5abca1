/* columns.c - see columns.h */
#include "source/mysql/columns.h"

#include <stdlib.h>
#include <string.h>

enum { SCHEMA, TABLE, NAME, ORDINAL, TYPE, CHARSET, COLLATION, NULLABLE, DEFAULT, EXTRA, GENERATION };

static int column_add(const MYSQL_ROW row, bool mariadb, cJSON *columns, Error *error)
{
    const ColumnFacts facts = {.name = row[NAME],
                               .column_type = row[TYPE],
                               .character_set = row[CHARSET],
                               .collation = row[COLLATION],
                               .is_nullable = row[NULLABLE],
                               .column_default = row[DEFAULT],
                               .extra = row[EXTRA],
                               .generation_expression = row[GENERATION],
                               .ordinal = row[ORDINAL] ? (int)strtol(row[ORDINAL], NULL, 10) : 0,
                               .mariadb = mariadb};
    cJSON *column;

    if (!row[SCHEMA] || !row[TABLE] || !row[NAME] || !row[TYPE])
        return error_set(error, ERROR_TRANSIENT, NULL, "information_schema.columns has a row without a name");
    if (shape_column(&facts, &column, error) < 0)
        return error_prefix(error, "%.64s.%.64s", row[SCHEMA], row[TABLE]);
    cJSON_AddItemToArray(columns, column);
    return 0;
}

static int rows_take(MYSQL_RES *rows, bool mariadb, ColumnsTake take, void *context, Error *error)
{
    MYSQL_ROW row = mysql_fetch_row(rows);

    while (row) {
        const char *schema = row[SCHEMA], *table = row[TABLE];
        cJSON *columns = cJSON_CreateArray();

        if (!columns)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for columns");
        do {
            if (column_add(row, mariadb, columns, error) < 0) {
                cJSON_Delete(columns);
                return -1;
            }
            row = mysql_fetch_row(rows);
        } while (row && row[SCHEMA] && row[TABLE] && strcmp(row[SCHEMA], schema) == 0 && strcmp(row[TABLE], table) == 0);
        if (take(context, schema, table, columns, error) < 0)
            return -1;
    }
    return 0;
}

int columns_read(Session *session, const char *where, ColumnsTake take, void *context, Error *error)
{
    MYSQL_RES *rows;
    Buffer text;
    int status = -1;

    buffer_init(&text, MIB(4));
    if (buffer_format(&text, error,
                      "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.ORDINAL_POSITION, c.COLUMN_TYPE, c.CHARACTER_SET_NAME, "
                      "c.COLLATION_NAME, c.IS_NULLABLE, c.COLUMN_DEFAULT, c.EXTRA, c.GENERATION_EXPRESSION "
                      "FROM information_schema.COLUMNS AS c WHERE %s ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION",
                      where) == 0 &&
        buffer_terminate(&text, error) == 0 && session_select(session, text.data, &rows, error) == 0) {
        status = rows_take(rows, session->mariadb, take, context, error);
        mysql_free_result(rows);
    }
    buffer_free(&text);
    return status;
}
