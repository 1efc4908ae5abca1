/*
 * log_table.h - which table an event of the log is about, read from its first bytes.
 *
 * Table map: number of the table (6 bytes, little-endian), flags (2), length and name of the database, 0, length and name of the table, 0, ... Rows: number
 * (6), flags (2), ... (MySQL internals, "Table_map_event", "Rows_event"). Numbers hold until the end of the statement.
 */
#ifndef SLUICE_MYSQL_LOG_TABLE_H
#define SLUICE_MYSQL_LOG_TABLE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TABLE_ID_BYTES 6

typedef struct LogTableName {
    const char *schema, *table; /* not 0-terminated, in the event */
    size_t schema_length, table_length;
} LogTableName;

/* ERROR_INTERNAL where the event is too short for what it says. */
int log_table_id(const uint8_t *data, size_t length, uint64_t *ret, Error *error);
int log_table_name(const uint8_t *data, size_t length, LogTableName *ret, Error *error);
/* Is it the last rows event of its statement? log_table_id has succeeded. */
bool log_table_statement_end(const uint8_t *data);
/* Do two table maps say the same of a table, whatever number the server gave it? */
bool log_table_map_same(const uint8_t *left, size_t left_length, const uint8_t *right, size_t right_length);

#endif
