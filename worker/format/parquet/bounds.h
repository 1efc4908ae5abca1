/*
 * bounds.h - least and greatest value of a page or a column chunk, by the order that the column's type defines.
 * Source: apache/parquet-format, parquet.thrift (Statistics, ColumnOrder) and PageIndex.md. Inside format/ only.
 *
 * NULL and NaN never count. Byte arrays are kept by their first BOUND_ROOM bytes and given out with at most BOUND_BYTES_MAX (+ 3): a
 * longer least value is cut, a longer greatest one is cut and raised, both between two characters where the column is text.
 */
#ifndef SLUICE_FORMAT_PARQUET_BOUNDS_H
#define SLUICE_FORMAT_PARQUET_BOUNDS_H

#include "format/parquet/type.h"

#define BOUND_BYTES_MAX 64
#define BOUND_ROOM 72

typedef struct ParquetBound {
    uint32_t length; /* of the value; its first BOUND_ROOM bytes are kept */
    uint8_t bytes[BOUND_ROOM];
} ParquetBound;

typedef struct ParquetBounds {
    bool any; /* a value has counted */
    union {
        struct { int64_t min, max; } integer;
        struct { double min, max; } real;
        struct { ParquetBound min, max; } bytes;
    };
} ParquetBounds;

/* What a bound looks like in the file. */
typedef struct ParquetBoundText {
    bool any;
    bool exact; /* a value of the column; else only a bound of all of them */
    size_t length;
    uint8_t bytes[BOUND_ROOM];
} ParquetBoundText;

void parquet_bounds_add(ParquetBounds *bounds, const ParquetType *type, const ParquetValues *values);
/* One value of a BYTE_ARRAY or FIXED column. */
void parquet_bounds_add_bytes(ParquetBounds *bounds, const ParquetType *type, const uint8_t *bytes, uint32_t length);
void parquet_bounds_merge(ParquetBounds *bounds, const ParquetType *type, const ParquetBounds *other);
void parquet_bounds_min(const ParquetBounds *bounds, const ParquetType *type, ParquetBoundText *ret);
void parquet_bounds_max(const ParquetBounds *bounds, const ParquetType *type, ParquetBoundText *ret);
/* Below, at or above 0 as the least (greatest) value of `left` sorts to that of `right`; both must have one. */
int parquet_bounds_compare_min(const ParquetBounds *left, const ParquetBounds *right, const ParquetType *type);
int parquet_bounds_compare_max(const ParquetBounds *left, const ParquetBounds *right, const ParquetType *type);

#endif
