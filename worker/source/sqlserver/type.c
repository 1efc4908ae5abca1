/* type.c - see type.h */
#include "source/sqlserver/type.h"

#include <stdio.h>
#include <string.h>

typedef enum Shape { SHAPE_BARE, SHAPE_LENGTH, SHAPE_WIDE_LENGTH, SHAPE_DECIMAL, SHAPE_FRACTION, SHAPE_FLOAT } Shape;

typedef struct Known {
    const char *base;
    ColumnType type;
    Shape shape;
    uint8_t precision;
    uint8_t scale;
    bool large;
} Known;

static const Known known[] = {
    {"bit", COLUMN_BOOLEAN, SHAPE_BARE, 0, 0, false},
    {"tinyint", COLUMN_INT16, SHAPE_BARE, 0, 0, false},
    {"smallint", COLUMN_INT16, SHAPE_BARE, 0, 0, false},
    {"int", COLUMN_INT32, SHAPE_BARE, 0, 0, false},
    {"bigint", COLUMN_INT64, SHAPE_BARE, 0, 0, false},
    {"decimal", COLUMN_DECIMAL, SHAPE_DECIMAL, 0, 0, false},
    {"numeric", COLUMN_DECIMAL, SHAPE_DECIMAL, 0, 0, false},
    {"money", COLUMN_DECIMAL, SHAPE_BARE, 19, 4, false},
    {"smallmoney", COLUMN_DECIMAL, SHAPE_BARE, 10, 4, false},
    {"real", COLUMN_FLOAT32, SHAPE_BARE, 0, 0, false},
    {"float", COLUMN_FLOAT64, SHAPE_FLOAT, 0, 0, false},
    {"date", COLUMN_DATE, SHAPE_BARE, 0, 0, false},
    {"time", COLUMN_TIME, SHAPE_FRACTION, 0, 0, false},
    {"datetime", COLUMN_TIMESTAMP, SHAPE_BARE, 3, 0, false},
    {"smalldatetime", COLUMN_TIMESTAMP, SHAPE_BARE, 0, 0, false},
    {"datetime2", COLUMN_TIMESTAMP, SHAPE_FRACTION, 0, 0, false},
    {"datetimeoffset", COLUMN_TIMESTAMPTZ, SHAPE_FRACTION, 0, 0, false},
    {"char", COLUMN_STRING, SHAPE_LENGTH, 0, 0, false},
    {"varchar", COLUMN_STRING, SHAPE_LENGTH, 0, 0, false},
    {"nchar", COLUMN_STRING, SHAPE_WIDE_LENGTH, 0, 0, false},
    {"nvarchar", COLUMN_STRING, SHAPE_WIDE_LENGTH, 0, 0, false},
    {"sysname", COLUMN_STRING, SHAPE_BARE, 0, 0, false},
    {"text", COLUMN_STRING, SHAPE_BARE, 0, 0, true},
    {"ntext", COLUMN_STRING, SHAPE_BARE, 0, 0, true},
    {"xml", COLUMN_STRING, SHAPE_BARE, 0, 0, true},
    {"binary", COLUMN_BINARY, SHAPE_LENGTH, 0, 0, false},
    {"varbinary", COLUMN_BINARY, SHAPE_LENGTH, 0, 0, false},
    {"image", COLUMN_BINARY, SHAPE_BARE, 0, 0, true},
    {"timestamp", COLUMN_BINARY, SHAPE_BARE, 0, 0, false},
    {"rowversion", COLUMN_BINARY, SHAPE_BARE, 0, 0, false},
    {"uniqueidentifier", COLUMN_UUID, SHAPE_BARE, 0, 0, false},
    {"sql_variant", COLUMN_STRING, SHAPE_BARE, 0, 0, false},
    {"hierarchyid", COLUMN_STRING, SHAPE_BARE, 0, 0, false},
    {"geometry", COLUMN_BINARY, SHAPE_BARE, 0, 0, true},
    {"geography", COLUMN_BINARY, SHAPE_BARE, 0, 0, true},
};

static void known_apply(const Known *type, int max_length, int precision, int scale, TypeFacts *ret)
{
    int characters = type->shape == SHAPE_WIDE_LENGTH ? max_length / 2 : max_length;

    ret->type = type->type;
    ret->precision = type->precision;
    ret->scale = type->scale;
    ret->large = type->large;
    switch (type->shape) {
    case SHAPE_BARE:
        snprintf(ret->source_type, sizeof ret->source_type, "%s", type->base);
        break;
    case SHAPE_FLOAT:
        snprintf(ret->source_type, sizeof ret->source_type, "float(%d)", precision > 0 ? precision : 53);
        break;
    case SHAPE_LENGTH:
    case SHAPE_WIDE_LENGTH:
        if (max_length < 0) {
            ret->large = true;
            snprintf(ret->source_type, sizeof ret->source_type, "%s(max)", type->base);
        } else {
            snprintf(ret->source_type, sizeof ret->source_type, "%s(%d)", type->base, characters);
        }
        break;
    case SHAPE_DECIMAL:
        ret->precision = (uint8_t)precision;
        ret->scale = (uint8_t)scale;
        snprintf(ret->source_type, sizeof ret->source_type, "%s(%d,%d)", type->base, precision, scale);
        break;
    case SHAPE_FRACTION:
        ret->precision = (uint8_t)scale; /* sys.columns.scale holds the fractional digits */
        snprintf(ret->source_type, sizeof ret->source_type, "%s(%d)", type->base, scale);
        break;
    }
}

void type_facts(const char *base, int max_length, int precision, int scale, TypeFacts *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].base, base) == 0) {
            known_apply(&known[i], max_length, precision, scale, ret);
            return;
        }
    }
    ret->type = COLUMN_STRING;
    snprintf(ret->source_type, sizeof ret->source_type, "%.60s", base);
    snprintf(ret->refused, sizeof ret->refused, "the type %.60s has no exact form outside SQL Server", base);
}

TypeRead type_read(const char *source_type)
{
    if (strcmp(source_type, "sql_variant") == 0)
        return READ_VARIANT;
    if (strcmp(source_type, "hierarchyid") == 0)
        return READ_HIERARCHY;
    if (strcmp(source_type, "geometry") == 0 || strcmp(source_type, "geography") == 0)
        return READ_SPATIAL;
    return READ_PLAIN;
}

bool type_is_legacy_lob(const char *source_type)
{
    return strcmp(source_type, "text") == 0 || strcmp(source_type, "ntext") == 0 || strcmp(source_type, "image") == 0;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

TypeLength type_length(const char *source_type, const char *collation)
{
    size_t length = collation ? strlen(collation) : 0;

    if (strcmp(source_type, "nvarchar(max)") == 0 || strcmp(source_type, "ntext") == 0)
        return LENGTH_UTF16;
    if (strcmp(source_type, "varbinary(max)") == 0 || strcmp(source_type, "image") == 0 ||
        type_read(source_type) == READ_SPATIAL)
        return LENGTH_BYTES;
    if (strcmp(source_type, "varchar(max)") != 0 && strcmp(source_type, "text") != 0)
        return LENGTH_NONE; /* xml: DATALENGTH counts its binary form */
    if (length > 5 && strcmp(collation + length - 5, "_UTF8") == 0)
        return LENGTH_BYTES;
    /* Code pages with characters of two bytes: one character is at most two of DATALENGTH's bytes. */
    if (length == 0 || starts(collation, "Japanese") || starts(collation, "Chinese") || starts(collation, "Korean") ||
        starts(collation, "SQL_AltDiction_CP932"))
        return LENGTH_AT_MOST;
    return LENGTH_CHARACTERS;
}

/* UTF-8 lead bytes say how many UTF-16 units follow from them: none, one, or two for four-byte sequences. */
static int64_t utf16_units(const uint8_t *data, size_t length)
{
    int64_t units = 0;

    for (size_t i = 0; i < length; i++)
        units += ((data[i] & 0xC0) != 0x80) + (data[i] >= 0xF0);
    return units;
}

int type_length_check(TypeLength rule, const void *data, size_t length, int64_t told)
{
    switch (rule) {
    case LENGTH_BYTES:
        return (int64_t)length == told ? 0 : -1;
    case LENGTH_UTF16:
        return utf16_units(data, length) * 2 == told ? 0 : -1;
    case LENGTH_CHARACTERS:
        return utf16_units(data, length) == told ? 0 : -1;
    case LENGTH_AT_MOST:
        return utf16_units(data, length) * 2 >= told ? 0 : -1;
    case LENGTH_NONE:
        break;
    }
    return 0;
}

int type_length_check_utf16(TypeLength rule, size_t length, int64_t told)
{
    switch (rule) {
    case LENGTH_UTF16:
        return (int64_t)length == told ? 0 : -1;
    case LENGTH_CHARACTERS:
        return (int64_t)length == 2 * told ? 0 : -1;
    case LENGTH_AT_MOST:
        return (int64_t)length >= told ? 0 : -1;
    case LENGTH_BYTES: /* UTF-8: a character is two bytes here for one to three there */
        return 3 * (int64_t)length / 2 >= told ? 0 : -1;
    case LENGTH_NONE:
        break;
    }
    return 0;
}
