/*
 * thrift.h - Thrift's compact protocol, as far as Parquet's headers and footers need it.
 * Source: Apache Thrift, doc/specs/thrift-compact-protocol.md. Inside format/ only.
 *
 * Fields must be written in rising order of their ids. The first failure is kept: the calls return nothing, thrift_end says how
 * all of them went. Structs nest at most THRIFT_DEPTH_MAX deep; deeper is an ERROR_INTERNAL.
 */
#ifndef SLUICE_FORMAT_PARQUET_THRIFT_H
#define SLUICE_FORMAT_PARQUET_THRIFT_H

#include "base/buffer.h"
#include <stdbool.h>

#define THRIFT_DEPTH_MAX 8
#define VARINT_MAX 10 /* bytes of the longest */

typedef enum ThriftType {
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_STRUCT = 12
} ThriftType;

typedef struct Thrift {
    Buffer *out;
    Error *error;
    int status;
    int depth;
    int16_t last[THRIFT_DEPTH_MAX]; /* id of the field last written, by depth */
} Thrift;

/* Appends one struct to `out`, whose fields follow. */
void thrift_begin(Thrift *thrift, Buffer *out, Error *error);
int thrift_end(Thrift *thrift);

void thrift_bool(Thrift *thrift, int16_t field, bool value);
void thrift_byte(Thrift *thrift, int16_t field, int8_t value);
void thrift_i16(Thrift *thrift, int16_t field, int16_t value);
void thrift_i32(Thrift *thrift, int16_t field, int32_t value);
void thrift_i64(Thrift *thrift, int16_t field, int64_t value);
void thrift_binary(Thrift *thrift, int16_t field, const void *data, size_t length);
void thrift_struct(Thrift *thrift, int16_t field); /* until thrift_stop */
void thrift_stop(Thrift *thrift);
void thrift_list(Thrift *thrift, int16_t field, ThriftType of, size_t count); /* then `count` elements: */
void thrift_element_bool(Thrift *thrift, bool value);
void thrift_element_i32(Thrift *thrift, int32_t value);
void thrift_element_i64(Thrift *thrift, int64_t value);
void thrift_element_binary(Thrift *thrift, const void *data, size_t length);
void thrift_element_struct(Thrift *thrift); /* until thrift_stop */

/* ULEB128 at `to`, which has VARINT_MAX bytes of room; where it ended. */
uint8_t *varint_write(uint8_t *to, uint64_t value);
static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

#endif
