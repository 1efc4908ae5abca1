/*
 * scalar.h - what a value means, between its bytes and another type: the one place conversions go through.
 *
 * Private to the type*.c files. A conversion decodes the value of one type into a Scalar and encodes that as the
 * other type; rules and error numbers are those of "CAST and CONVERT (Transact-SQL)", "Data type conversion" and
 * "Database Engine events and errors" of the SQL Server documentation.
 */
#ifndef MSSQL_SCALAR_H
#define MSSQL_SCALAR_H

#include "type.h"
#include <stdbool.h>

__extension__ typedef unsigned __int128 U128;

enum { DAYS_MAX = 3652058, DAYS_1900 = 693595, DAYS_1753 = 639905 }; /* since 0001-01-01 */
#define TICKS_PER_SECOND 10000000LL                                  /* 100 ns */
#define TICKS_PER_DAY (86400 * TICKS_PER_SECOND)

typedef enum ScalarKind { SCALAR_NUMBER, SCALAR_FLOAT, SCALAR_TIME, SCALAR_TEXT, SCALAR_BINARY } ScalarKind;

typedef struct Scalar {
    ScalarKind kind;
    bool negative; /* SCALAR_NUMBER: sign, magnitude / 10^scale */
    int scale;
    U128 magnitude;
    double number; /* SCALAR_FLOAT */
    int32_t days;  /* SCALAR_TIME: local date, local time of day, offset from UTC */
    int64_t ticks;
    int offset_minutes;
    bool has_date, has_time, has_offset;
    int fraction_digits; /* as written, in a text */
    Bytes text;          /* SCALAR_TEXT (UTF-8) or SCALAR_BINARY; the caller frees it */
} Scalar;

/* Fills *error and returns -1. */
int type_error(SqlError *error, int32_t number, int state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* type_number.c */
bool is_number(SqlType type); /* bit, integers, decimal, money */
size_t decimal_bytes(uint8_t precision);
int number_decode(const TypeInfo *type, const uint8_t *value, size_t length, Scalar *ret);
int number_encode(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error);
int number_parse(const TypeInfo *from, const TypeInfo *to, const char *text, size_t length, Scalar *ret,
                 SqlError *error);
void number_format(const TypeInfo *type, const Scalar *scalar, Bytes *ret);
int float_encode(const Scalar *scalar, const TypeInfo *to, Bytes *ret, SqlError *error);

/* type_time.c */
bool is_time(SqlType type); /* date, time, datetime, smalldatetime, datetime2, datetimeoffset */
void time_decode(const TypeInfo *type, const uint8_t *value, size_t length, Scalar *ret);
int time_encode(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error);
int time_parse(const TypeInfo *to, const char *text, size_t length, Scalar *ret, SqlError *error);
void time_format(const TypeInfo *type, const Scalar *scalar, Bytes *ret);

/* type_clr.c */
int clr_parse(const TypeInfo *to, const char *text, size_t length, Bytes *ret, SqlError *error);
int clr_format(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret);

/* type_text.c */
bool is_text(SqlType type);   /* char ... nvarchar, text, ntext, xml */
bool is_wide(SqlType type);   /* nchar, nvarchar, ntext, xml */
bool is_binary(SqlType type); /* binary, varbinary, image, rowversion */
int text_encode(const char *utf8, size_t length, const TypeInfo *to, bool cut, Bytes *ret, SqlError *error);
int binary_encode(const uint8_t *data, size_t length, const TypeInfo *to, bool cut, Bytes *ret, SqlError *error);
int hex_parse(const char *text, size_t length, const TypeInfo *to, Bytes *ret, SqlError *error);
int guid_parse(const char *text, size_t length, Bytes *ret, SqlError *error);
void guid_format(const uint8_t *value, Bytes *ret);
void hex_format(const uint8_t *value, size_t length, Bytes *ret);

/* type_cast.c: the inside of a sql_variant */
int variant_unwrap(const uint8_t *value, size_t length, TypeInfo *type, const uint8_t **inner, size_t *inner_length);

#endif
