/*
 * type.h - how a column's type is held in Parquet: physical type, logical type, and the values in that form.
 * Source: apache/parquet-format, LogicalTypes.md and parquet.thrift. Inside format/ only.
 *
 * The rule is: exact, or as text, or refused. What each reader makes of the types was tried (README.md).
 */
#ifndef SLUICE_FORMAT_PARQUET_TYPE_H
#define SLUICE_FORMAT_PARQUET_TYPE_H

#include "base/column.h"
#include "format/field_text.h"
#include "format/parquet/thrift.h"

/* parquet.thrift, enum Type */
typedef enum ParquetPhysical {
    PARQUET_BOOLEAN = 0,
    PARQUET_INT32 = 1,
    PARQUET_INT64 = 2,
    PARQUET_FLOAT = 4,
    PARQUET_DOUBLE = 5,
    PARQUET_BYTE_ARRAY = 6,
    PARQUET_FIXED = 7 /* FIXED_LEN_BYTE_ARRAY */
} ParquetPhysical;

typedef enum ParquetLogical {
    PARQUET_PLAIN, /* the physical type says all */
    PARQUET_STRING,
    PARQUET_DECIMAL,
    PARQUET_DATE,
    PARQUET_TIMESTAMP, /* microseconds */
    PARQUET_INTEGER
} ParquetLogical;

typedef struct ParquetType {
    const Field *field;
    ParquetPhysical physical;
    ParquetLogical logical;
    int width;     /* bytes of a value; 0 for BYTE_ARRAY */
    int precision; /* of a decimal */
    int scale;
    int bits;      /* of an integer */
    bool utc;      /* timestamp: an instant, isAdjustedToUTC */
    bool text;     /* written in exact text form: bytes come from the value, not from the batch */
    FieldText text_form;
} ParquetType;

/* How timestamps finer than a microsecond, or with an offset, land. */
typedef enum ParquetTimes {
    PARQUET_TIMES_EXACT, /* as text */
    PARQUET_TIMES_MICROS /* as TIMESTAMP; a value that has a seventh digit is refused, an offset is folded into the instant */
} ParquetTimes;

/* The values of one column of at most BATCH_ROWS_MAX rows, NULLs left out. The memory is the struct's and the batch's. */
typedef struct ParquetValues {
    const uint8_t *valid; /* [rows] */
    int rows;
    int count;            /* of values */
    const void *fixed;    /* [count * width] little-endian; NULL for BYTE_ARRAY and FIXED, which have: */
    const uint8_t *bytes;
    uint32_t *starts;     /* [count] into bytes */
    uint32_t *lengths;    /* [count] */
    size_t bytes_total;
    union {
        uint8_t u8[BATCH_ROWS_MAX];
        int32_t i32[BATCH_ROWS_MAX];
        int64_t i64[BATCH_ROWS_MAX];
        uint8_t bytes[BATCH_ROWS_MAX * FIELD_TEXT_MAX];
    } room;
    uint32_t start_room[BATCH_ROWS_MAX];
    uint32_t length_room[BATCH_ROWS_MAX];
} ParquetValues;

/* ERROR_PERMANENT naming the column for a type that has no form. `field` must outlive ret. */
int parquet_type_choose(const Field *field, ParquetTimes times, ParquetType *ret, Error *error);
/* Fields of a SchemaElement, the struct itself being the caller's. */
void parquet_type_write(const ParquetType *type, Thrift *thrift);
/* Rows [first, first + count) of column `column`. A value that the type cannot hold exactly is an ERROR_PERMANENT naming the column. */
int parquet_values_take(ParquetType *type, const ColumnBatch *batch, int column, int first, int count, ParquetValues *ret, Error *error);

#endif
