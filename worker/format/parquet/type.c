/* type.c - see type.h */
#include "format/parquet/type.h"
#include "format/utf8.h"

#include <string.h>

/* parquet.thrift, enum ConvertedType: what readers older than logical types look at */
enum { CONVERTED_NONE = -1, CONVERTED_UTF8 = 0, CONVERTED_DECIMAL = 5, CONVERTED_DATE = 6, CONVERTED_TIMESTAMP_MICROS = 10, CONVERTED_INT_16 = 16,
       CONVERTED_INT_32 = 17 };

/* Least bytes whose signed range holds 10^precision - 1. */
static int decimal_bytes(int precision)
{
    __int128 greatest = 1;
    int bytes = 1;

    for (int i = 0; i < precision; i++)
        greatest *= 10;
    greatest -= 1;
    while (bytes < 16 && greatest >> (8 * bytes - 1))
        bytes++;
    return bytes;
}

static int decimal_choose(ParquetType *type, int precision, int scale, Error *error)
{
    if (precision < 1 || precision > 38 || scale > precision)
        return error_set(error, ERROR_PERMANENT, "Leave the column out of the table, or land it as jsonl.",
                         "column \"%.200s\": a decimal of %d digits and scale %d has no form in parquet (1 to 38 digits, scale within them)",
                         type->field->name, precision, scale);
    type->logical = PARQUET_DECIMAL;
    type->precision = precision;
    type->scale = scale;
    type->physical = precision <= 9 ? PARQUET_INT32 : precision <= 18 ? PARQUET_INT64 : PARQUET_FIXED;
    type->width = precision <= 9 ? 4 : precision <= 18 ? 8 : decimal_bytes(precision);
    return 0;
}

static void text_choose(ParquetType *type, bool made)
{
    type->physical = PARQUET_BYTE_ARRAY;
    type->logical = PARQUET_STRING;
    type->text = made;
    field_text_init(&type->text_form, type->field, 'T');
}

static void number_choose(ParquetType *type, ParquetPhysical physical, int width, ParquetLogical logical)
{
    type->physical = physical;
    type->width = width;
    type->logical = logical;
    type->bits = logical == PARQUET_INTEGER ? 8 * width : 0;
}

static void time_choose(ParquetType *type, ParquetTimes times)
{
    const Field *field = type->field;

    /* Spark has no TIME: one such column keeps it (4.3 still) from reading the whole file, so a time of day is always text. */
    if (field->type == COLUMN_TIME || (times == PARQUET_TIMES_EXACT && (field->precision > 6 || (field->type == COLUMN_TIMESTAMPTZ && !field->utc)))) {
        text_choose(type, true);
        return;
    }
    number_choose(type, PARQUET_INT64, 8, PARQUET_TIMESTAMP);
    type->utc = field->type == COLUMN_TIMESTAMPTZ;
}

int parquet_type_choose(const Field *field, ParquetTimes times, ParquetType *ret, Error *error)
{
    const size_t name = strlen(field->name), valid = utf8_check((const uint8_t *)field->name, name);

    *ret = (ParquetType){.field = field};
    if (valid < name)
        return error_set(error, ERROR_PERMANENT, "Override the name of this column.", "a column name is not UTF-8 at its byte %zu: \"%.200s\"", valid + 1,
                         field->source_name);
    switch (field->type) {
    case COLUMN_BOOLEAN:
        number_choose(ret, PARQUET_BOOLEAN, 1, PARQUET_PLAIN);
        break;
    case COLUMN_INT16:
        number_choose(ret, PARQUET_INT32, 4, PARQUET_INTEGER);
        ret->bits = 16;
        break;
    case COLUMN_INT32:
        number_choose(ret, PARQUET_INT32, 4, PARQUET_INTEGER);
        break;
    case COLUMN_INT64:
        number_choose(ret, PARQUET_INT64, 8, PARQUET_PLAIN);
        break;
    case COLUMN_UINT64:
        /* Readers without unsigned types show INTEGER(64, unsigned) as negative numbers, in silence. */
        return decimal_choose(ret, 20, 0, error);
    case COLUMN_FLOAT32:
        number_choose(ret, PARQUET_FLOAT, 4, PARQUET_PLAIN);
        break;
    case COLUMN_FLOAT64:
        number_choose(ret, PARQUET_DOUBLE, 8, PARQUET_PLAIN);
        break;
    case COLUMN_DECIMAL:
        return decimal_choose(ret, field->precision, field->scale, error);
    case COLUMN_DATE:
        number_choose(ret, PARQUET_INT32, 4, PARQUET_DATE);
        break;
    case COLUMN_TIME:
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMPTZ:
        if (field->precision > 7)
            return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\" has a time of %d fractional digits", field->name, field->precision);
        time_choose(ret, times);
        break;
    case COLUMN_STRING:
        text_choose(ret, false);
        break;
    case COLUMN_BINARY:
        ret->physical = PARQUET_BYTE_ARRAY;
        break;
    case COLUMN_UUID:
        text_choose(ret, true);
        break;
    }
    return 0;
}

static int converted_type(const ParquetType *type)
{
    switch (type->logical) {
    case PARQUET_STRING:
        return CONVERTED_UTF8;
    case PARQUET_DECIMAL:
        return CONVERTED_DECIMAL;
    case PARQUET_DATE:
        return CONVERTED_DATE;
    case PARQUET_TIMESTAMP:
        return type->utc ? CONVERTED_TIMESTAMP_MICROS : CONVERTED_NONE; /* the old one is always an instant */
    case PARQUET_INTEGER:
        return type->bits == 16 ? CONVERTED_INT_16 : CONVERTED_INT_32;
    case PARQUET_PLAIN:
        break;
    }
    return CONVERTED_NONE;
}

static void timestamp_write(Thrift *thrift, bool utc)
{
    thrift_bool(thrift, 1, utc);
    thrift_struct(thrift, 2); /* TimeUnit */
    thrift_struct(thrift, 2); /* MICROS */
    thrift_stop(thrift);
    thrift_stop(thrift);
}

/* union LogicalType */
static void logical_write(const ParquetType *type, Thrift *thrift)
{
    static const int16_t members[] = {[PARQUET_STRING] = 1, [PARQUET_DECIMAL] = 5, [PARQUET_DATE] = 6, [PARQUET_TIMESTAMP] = 8,
                                      [PARQUET_INTEGER] = 10};

    thrift_struct(thrift, members[type->logical]);
    if (type->logical == PARQUET_DECIMAL) {
        thrift_i32(thrift, 1, type->scale);
        thrift_i32(thrift, 2, type->precision);
    } else if (type->logical == PARQUET_TIMESTAMP) {
        timestamp_write(thrift, type->utc);
    } else if (type->logical == PARQUET_INTEGER) {
        thrift_byte(thrift, 1, (int8_t)type->bits);
        thrift_bool(thrift, 2, true);
    }
    thrift_stop(thrift);
}

void parquet_type_write(const ParquetType *type, Thrift *thrift)
{
    int converted = converted_type(type);

    thrift_i32(thrift, 1, (int)type->physical);
    if (type->physical == PARQUET_FIXED)
        thrift_i32(thrift, 2, type->width);
    thrift_i32(thrift, 3, 1); /* OPTIONAL: a change may leave out any column, and a column may become nullable between two files */
    thrift_binary(thrift, 4, type->field->name, strlen(type->field->name));
    if (converted != CONVERTED_NONE)
        thrift_i32(thrift, 6, converted);
    if (type->logical == PARQUET_DECIMAL) {
        thrift_i32(thrift, 7, type->scale);
        thrift_i32(thrift, 8, type->precision);
    }
    if (type->logical == PARQUET_PLAIN)
        return;
    thrift_struct(thrift, 10);
    logical_write(type, thrift);
    thrift_stop(thrift);
}
