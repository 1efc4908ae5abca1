/*
 * type.h - SQL Server data types and values, as the simulator keeps them.
 *
 * A *value* is the bytes that stand on the wire after its length ([MS-TDS] 2.2.5.5): integers
 * little-endian, decimal = sign byte (1 = positive) + little-endian magnitude of the fixed size for its
 * precision (4, 8, 12, 16), datetime = i32 days since 1900 + u32 1/300 s, nchar/nvarchar = UTF-16LE,
 * char/varchar/text = bytes of the column's code page (Windows-1252 here), uniqueidentifier mixed-endian,
 * (max), xml, CLR types = the contiguous bytes without PLP chunk headers, sql_variant = base type, property
 * length, properties, value.  NULL is a null pointer, never a length.
 *
 * A *sort key* is a byte string whose memcmp order is the order SQL Server gives the values (uniqueidentifier
 * by bytes 10-15, 8-9, 6-7, 4-5, 0-3; strings case-insensitively unless the collation says CS or BIN).
 *
 * Everything here is pure: no I/O, no globals. Buffers are the caller's. Functions return 0 or -1 with the
 * SQL Server error (number and text) in *error.
 */
#ifndef MSSQL_TYPE_H
#define MSSQL_TYPE_H

#include <stddef.h>
#include <stdint.h>

typedef enum SqlType {
    TYPE_BIT, TYPE_TINYINT, TYPE_SMALLINT, TYPE_INT, TYPE_BIGINT,
    TYPE_DECIMAL, TYPE_NUMERIC, TYPE_MONEY, TYPE_SMALLMONEY, TYPE_REAL, TYPE_FLOAT,
    TYPE_DATE, TYPE_TIME, TYPE_DATETIME, TYPE_SMALLDATETIME, TYPE_DATETIME2, TYPE_DATETIMEOFFSET,
    TYPE_CHAR, TYPE_VARCHAR, TYPE_NCHAR, TYPE_NVARCHAR, TYPE_BINARY, TYPE_VARBINARY,
    TYPE_TEXT, TYPE_NTEXT, TYPE_IMAGE, TYPE_UNIQUEIDENTIFIER, TYPE_XML, TYPE_ROWVERSION,
    TYPE_SQL_VARIANT, TYPE_HIERARCHYID, TYPE_GEOMETRY, TYPE_GEOGRAPHY
} SqlType;

typedef struct TypeInfo {
    SqlType type;
    int32_t max_length;   /* bytes as in sys.columns.max_length; -1 = max */
    uint8_t precision;
    uint8_t scale;
    char collation[129];  /* "" where the type has none */
} TypeInfo;

typedef struct SqlError {
    int32_t number;
    uint8_t state;
    uint8_t severity;
    char text[1024];      /* UTF-8 */
} SqlError;

/* A growable byte buffer; data is malloc'ed, the owner frees it with bytes_free. */
typedef struct Bytes {
    uint8_t *data;
    size_t length;
    size_t capacity;
} Bytes;

void bytes_append(Bytes *bytes, const void *data, size_t length);
void bytes_clear(Bytes *bytes);
void bytes_free(Bytes *bytes);

/* "decimal" with (18,4) -> TypeInfo. length_or_precision/scale are -1 where not written, -2 for "max". */
int type_parse(const char *name, int length_or_precision, int scale, TypeInfo *ret, SqlError *error);
/* The name in sys.types ("nvarchar"), and the ids of sys.types.system_type_id / user_type_id. */
const char *type_name(const TypeInfo *type);
int type_system_id(const TypeInfo *type);
int type_user_id(const TypeInfo *type);

/* A T-SQL literal or a cast from text, by the conversion rules for the type; from_literal of binary types takes 0x.. */
int value_from_text(const TypeInfo *type, const char *utf8, size_t length, Bytes *ret, SqlError *error);
/* The text CONVERT(nvarchar, value) gives in its default style (ISO for date, time, datetime2, datetimeoffset). */
int value_to_text(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret, SqlError *error);
/* Implicit conversion between types (int -> bigint, nvarchar -> datetime2, ...); error 529, 245, 241, 8114, 8115, 2628 as documented. */
int value_cast(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, Bytes *ret, SqlError *error);
/* The explicit CAST/CONVERT: as value_cast, but too long strings are cut in silence and more pairs are allowed. */
int value_convert(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, Bytes *ret, SqlError *error);
int value_sort_key(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret);

#endif
