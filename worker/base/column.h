/*
 * column.h - the column batch: what a source yields and a format consumes.
 *
 * A batch holds at most BATCH_ROWS_MAX rows and about BATCH_BYTES_MAX bytes, small enough to stay in the L2
 * cache; one large value may exceed that. All memory belongs to the batch and is reused by the source for
 * the next one: a consumer keeps nothing beyond its call. A batch is of one table and one schema.
 */
#ifndef SLUICE_COLUMN_H
#define SLUICE_COLUMN_H

#include "base/buffer.h"
#include "base/limits.h"
#include <stdbool.h>

/* How a value is held, independent of the source. */
typedef enum ColumnType {
    COLUMN_BOOLEAN,     /* fixed, 1 byte 0/1 */
    COLUMN_INT16,       /* fixed, int16_t (tinyint of SQL Server is 0..255 and fits) */
    COLUMN_INT32,
    COLUMN_INT64,
    COLUMN_UINT64,
    COLUMN_FLOAT32,     /* bit for bit */
    COLUMN_FLOAT64,
    COLUMN_DECIMAL,     /* fixed, 16 bytes: __int128 unscaled value, native order; scale from the field, precision <= 38 */
    COLUMN_DATE,        /* fixed, int32_t days since 1970-01-01 */
    COLUMN_TIME,        /* fixed, int64_t 100 ns units since midnight */
    COLUMN_TIMESTAMP,   /* fixed, int64_t 100 ns units since 1970-01-01T00:00, no zone */
    COLUMN_TIMESTAMPTZ, /* fixed, ColumnInstant */
    COLUMN_STRING,      /* variable, UTF-8 (lone surrogates arrive as WTF-8 and are the format's to escape) */
    COLUMN_BINARY,      /* variable */
    COLUMN_UUID         /* fixed, 16 bytes in text order */
} ColumnType;

typedef struct ColumnInstant {
    int64_t utc;            /* 100 ns units since 1970-01-01T00:00Z */
    int16_t offset_minutes; /* as written at the source */
} ColumnInstant;

/* One column of a table's schema version. */
typedef struct Field {
    char name[513];         /* as it lands, UTF-8 */
    char source_name[513];  /* as the source calls it */
    char source_type[64];   /* "datetime2(7)" */
    ColumnType type;
    uint8_t precision;      /* decimal: digits; time and timestamps: fractional digits 0..7 */
    uint8_t scale;
    bool nullable;
    bool utc;               /* timestamptz: an instant of which the source keeps no offset; all are 0 */
    bool large;             /* LOB: may be unchanged in an update */
    int key_ordinal;        /* 1.. in the key, 0 = not in the key */
} Field;

typedef struct Schema {
    Field *fields;
    int count;
} Schema;

typedef struct ColumnVector {
    uint8_t *valid;       /* [rows] 1 = has a value */
    uint8_t *unchanged;   /* [rows] 1 = the source did not log it (then valid = 0); NULL where the column is never so */
    uint8_t *fixed;       /* [rows * width] for fixed types */
    uint32_t *offsets;    /* [rows + 1] into bytes, for variable types */
    Buffer bytes;
    size_t value_bytes_max; /* of one value, where column_set_bytes sets it */
} ColumnVector;

typedef struct ColumnBatch {
    const Schema *schema;
    int rows;
    size_t size;                                      /* bytes of data, to bound the batch */
    ColumnVector *columns;                            /* [schema->count] */
    char op[BATCH_ROWS_MAX];                          /* 'R' 'I' 'U' 'D'; 'B' the row before the 'U' that follows it in the same
                                                         batch (only where the batch asks for images) */
    int64_t commit_us[BATCH_ROWS_MAX];                /* UTC microseconds; INT64_MIN = unknown */
    int position_length;                              /* bytes of each position */
    uint8_t position[BATCH_ROWS_MAX][POSITION_BYTES_MAX]; /* sorts bytewise; lands as lower-case hex after epoch and incarnation */
} ColumnBatch;

/* Bytes of one value of a fixed type; 0 for variable types. */
size_t column_width(ColumnType type);
/* "boolean", "int16", ... as the control plane writes them; -1 for an unknown word. */
const char *column_type_name(ColumnType type);
int column_type_parse(const char *name, ColumnType *ret);

/* Vectors sized for BATCH_ROWS_MAX rows; value_bytes_max bounds one value. Beyond BATCH_BYTES_MAX there is room for two of them in each
 * column: a row and the one before it. schema must outlive the batch. */
int column_batch_init(ColumnBatch *batch, const Schema *schema, int position_length, size_t value_bytes_max, Error *error);
void column_batch_clear(ColumnBatch *batch); /* rows = 0, memory kept */
void column_batch_cut(ColumnBatch *batch, int rows); /* the first `rows` rows stay */
void column_batch_free(ColumnBatch *batch);
/* Stores into row `batch->rows` (the row under construction), column `index`; batch_row_end counts the row. */
void column_set_null(ColumnBatch *batch, int index, bool unchanged);
void *column_set_fixed(ColumnBatch *batch, int index); /* where the caller stores the value */
int column_set_bytes(ColumnBatch *batch, int index, const void *data, size_t length, Error *error);
void column_row_end(ColumnBatch *batch);
bool column_batch_full(const ColumnBatch *batch);

#endif
