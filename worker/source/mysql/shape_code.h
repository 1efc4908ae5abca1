/*
 * shape_code.h - the type codes of the log (MySQL internals, "Column types", enum_field_types; MariaDB sql/field.h for 140 and 141) and its integers.
 */
#ifndef SLUICE_MYSQL_SHAPE_CODE_H
#define SLUICE_MYSQL_SHAPE_CODE_H

#include "source/mysql/bytes.h"

enum {
    CODE_TINY = 1,
    CODE_SHORT = 2,
    CODE_LONG = 3,
    CODE_FLOAT = 4,
    CODE_DOUBLE = 5,
    CODE_TIMESTAMP = 7,
    CODE_LONGLONG = 8,
    CODE_INT24 = 9,
    CODE_DATE = 10,
    CODE_TIME = 11,
    CODE_DATETIME = 12,
    CODE_YEAR = 13,
    CODE_NEWDATE = 14,
    CODE_VARCHAR = 15,
    CODE_BIT = 16,
    CODE_TIMESTAMP2 = 17,
    CODE_DATETIME2 = 18,
    CODE_TIME2 = 19,
    CODE_BLOB_COMPRESSED = 140,
    CODE_VARCHAR_COMPRESSED = 141,
    CODE_VECTOR = 242,
    CODE_JSON = 245,
    CODE_NEWDECIMAL = 246,
    CODE_ENUM = 247,
    CODE_SET = 248,
    CODE_BLOB = 252,
    CODE_VAR_STRING = 253,
    CODE_STRING = 254,
    CODE_GEOMETRY = 255
};

/* STRING hides enum and set in the first byte of its metadata, and there two more bits of the length of a CHAR. */
static inline uint8_t shape_code_real(uint8_t code, uint16_t meta)
{
    uint8_t inner = (uint8_t)(meta >> 8);

    return code == CODE_STRING && (inner == CODE_ENUM || inner == CODE_SET) ? inner : code;
}

/* The most bytes that a CHAR, BINARY or one of their kin can have. */
static inline unsigned shape_code_bytes(uint16_t meta)
{
    unsigned high = meta >> 8;

    return (high & 0x30) == 0x30 ? meta & 0xffu : (meta & 0xffu) | ((high & 0x30) ^ 0x30) << 4;
}

/* "int<lenenc>"; -1: the bytes end in it. */
static inline int packed_take(Bytes *bytes, uint64_t *ret)
{
    *ret = bytes_packed(bytes);
    return bytes->short_of ? -1 : 0;
}

/* Of a value whose length is known. */
static inline uint64_t little_endian(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0;

    for (size_t i = length; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static inline uint64_t big_endian(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

#endif
