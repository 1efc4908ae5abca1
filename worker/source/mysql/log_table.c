/* log_table.c - see log_table.h */
#include "source/mysql/log_table.h"

#include <string.h>

#define POST_HEADER_BYTES 8
#define STATEMENT_END 1 /* STMT_END_F */

int log_table_id(const uint8_t *data, size_t length, uint64_t *ret, Error *error)
{
    if (length < POST_HEADER_BYTES)
        return error_set(error, ERROR_INTERNAL, NULL, "an event of the log about a table has %zu bytes", length);
    *ret = 0;
    for (int i = LOG_TABLE_ID_BYTES - 1; i >= 0; i--)
        *ret = *ret << 8 | data[i];
    return 0;
}

/* A name with its length before and a 0 behind it; *at is moved on. */
static int name_read(const uint8_t *data, size_t length, size_t *at, const char **ret, size_t *ret_length, Error *error)
{
    if (*at >= length || length - *at < (size_t)data[*at] + 2)
        return error_set(error, ERROR_INTERNAL, NULL, "a table map of the log ends within a name");
    *ret_length = data[*at];
    *ret = (const char *)data + *at + 1;
    *at += *ret_length + 2;
    return 0;
}

int log_table_name(const uint8_t *data, size_t length, LogTableName *ret, Error *error)
{
    size_t at = POST_HEADER_BYTES;

    if (name_read(data, length, &at, &ret->schema, &ret->schema_length, error) < 0)
        return -1;
    return name_read(data, length, &at, &ret->table, &ret->table_length, error);
}

bool log_table_statement_end(const uint8_t *data)
{
    return data[LOG_TABLE_ID_BYTES] & STATEMENT_END;
}

bool log_table_map_same(const uint8_t *left, size_t left_length, const uint8_t *right, size_t right_length)
{
    return left_length == right_length && left_length >= LOG_TABLE_ID_BYTES &&
           memcmp(left + LOG_TABLE_ID_BYTES, right + LOG_TABLE_ID_BYTES, left_length - LOG_TABLE_ID_BYTES) == 0;
}
