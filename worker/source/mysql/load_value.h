/*
 * load_value.h - rows of the binary protocol (load_statement.h) into column batches, one decode function a column and no allocation a value.
 *
 * How values lie: MySQL client/server protocol, "Binary Protocol Value"; decimals, bits, enums, sets, json, uuid and inet are length-encoded texts or
 * bytes there, as the server prints them in the session's character set. What lands is what rows.h lands from the log:
 *   time            "-838:59:59.000000", as many fractional digits as the column has
 *   zero dates      a date, datetime or timestamp that is no day of the calendar of the years 1 to 9999 lands as NULL and is counted, or as text where
 *                   the field is a string
 *   decimal > 38    text without leading zeros
 */
#ifndef SLUICE_MYSQL_LOAD_VALUE_H
#define SLUICE_MYSQL_LOAD_VALUE_H

#include "base/column.h"
#include "source/mysql/load_statement.h"

typedef struct LoadValue LoadValue;
/* The value at *at into row `row`, *at goes behind it. 1: stored; 0: it lands as NULL; -1. */
typedef int (*LoadDecode)(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);

struct LoadValue {
    WireColumn wire;
    const Field *field;
    ColumnVector *vector;
    LoadDecode decode;
    uint32_t date; /* year, month, day of the value before, and its day number */
    int64_t day;
};

typedef struct LoadRow {
    ColumnBatch *batch;
    LoadValue *values; /* [count]: the batch's columns */
    int count;
    int lengths;       /* columns behind them: NULL, or the length of the large value that was left out for it */
    const int *large;  /* [lengths] index of the column each stands for */
    size_t length_bytes; /* of one of them on the wire: OCTET_LENGTH is an int on MariaDB, a bigint on MySQL */
    size_t row_bytes;  /* of fixed values, for the batch's size */
    int64_t nulled;
} LoadRow;

/* columns: of the result, the batch's schema first, then one for each of `large`, which outlives *ret. ERROR_TRANSIENT, naming the column, where a
 * wire type does not go with its field: the table has changed since the schema was read. */
int load_row_init(LoadRow *ret, ColumnBatch *batch, const WireColumn *columns, int count, const int *large, int lengths, Error *error);
void load_row_free(LoadRow *row);
/* Adds a row to the batch, all but what column_row_end does. After an error the rest of the row is in the batch where it could be read: its
 * key is what the error must name. */
int load_row_decode(LoadRow *row, const uint8_t *packet, size_t length, Error *error);

/* For decode functions: the row's bytes end too early; they are none of the type; the value of a variable type, 1 or -1. */
int load_value_short(const LoadValue *value, Error *error);
int load_value_malformed(const LoadValue *value, Error *error);
int load_value_store(const LoadValue *value, int row, const void *data, size_t length, Error *error);

#endif
