#include "scalar.h"
#include "text.h"
#include <string.h>

enum { VARIANT_TEXT_PROPERTIES = 7, VARIANT_VALUE_MAX = 8000 };

static bool is_clr(SqlType type)
{
    return type >= TYPE_HIERARCHYID;
}

static bool is_float(SqlType type)
{
    return type == TYPE_REAL || type == TYPE_FLOAT;
}

/* The type token inside a sql_variant is the fixed one for types of one size ([MS-TDS] 2.2.5.5.4). */
static const struct {
    uint8_t token;
    SqlType type;
    uint8_t properties;
} variants[] = {
    {0x30, TYPE_TINYINT, 0},
    {0x32, TYPE_BIT, 0},
    {0x34, TYPE_SMALLINT, 0},
    {0x38, TYPE_INT, 0},
    {0x7F, TYPE_BIGINT, 0},
    {0x3B, TYPE_REAL, 0},
    {0x3E, TYPE_FLOAT, 0},
    {0x3C, TYPE_MONEY, 0},
    {0x7A, TYPE_SMALLMONEY, 0},
    {0x3D, TYPE_DATETIME, 0},
    {0x3A, TYPE_SMALLDATETIME, 0},
    {0x24, TYPE_UNIQUEIDENTIFIER, 0},
    {0x28, TYPE_DATE, 0},
    {0x29, TYPE_TIME, 1},
    {0x2A, TYPE_DATETIME2, 1},
    {0x2B, TYPE_DATETIMEOFFSET, 1},
    {0x6A, TYPE_DECIMAL, 2},
    {0x6C, TYPE_NUMERIC, 2},
    {0xA5, TYPE_VARBINARY, 2},
    {0xAD, TYPE_BINARY, 2},
    {0xA7, TYPE_VARCHAR, VARIANT_TEXT_PROPERTIES},
    {0xAF, TYPE_CHAR, VARIANT_TEXT_PROPERTIES},
    {0xE7, TYPE_NVARCHAR, VARIANT_TEXT_PROPERTIES},
    {0xEF, TYPE_NCHAR, VARIANT_TEXT_PROPERTIES},
};

/* A client's variant may claim anything: what is decoded by size must have that size. */
static bool inner_fits(const TypeInfo *type, size_t length)
{
    if (is_wide(type->type))
        return length % 2 == 0;
    return is_text(type->type) || is_binary(type->type) || length == (size_t)type->max_length;
}

int variant_unwrap(const uint8_t *value, size_t length, TypeInfo *type, const uint8_t **inner, size_t *inner_length)
{
    SqlError error;

    for (size_t i = 0; length >= 2 && i < sizeof variants / sizeof *variants; i++) {
        if (variants[i].token != value[0])
            continue;
        size_t properties = value[1];
        const uint8_t *property = value + 2;
        TypeInfo plain = {.type = variants[i].type};
        if (properties != variants[i].properties || length < 2 + properties)
            return -1;
        if (properties == VARIANT_TEXT_PROPERTIES) {
            type_parse(type_name(&plain), -1, -1, type, &error);
            type->max_length = property[5] | property[6] << 8;
        } else if (properties == 2 && is_number(plain.type)) {
            if (type_parse(type_name(&plain), property[0], property[1], type, &error) != 0)
                return -1;
        } else if (properties == 1) {
            if (type_parse(type_name(&plain), property[0], -1, type, &error) != 0)
                return -1;
        } else {
            type_parse(type_name(&plain), -1, -1, type, &error);
            if (properties == 2)
                type->max_length = property[0] | property[1] << 8;
        }
        *inner = value + 2 + properties;
        *inner_length = length - 2 - properties;
        return inner_fits(type, *inner_length) ? 0 : -1;
    }
    return -1;
}

static int variant_wrap(const TypeInfo *from, const uint8_t *value, size_t length, Bytes *ret, SqlError *error)
{
    static const uint8_t collation[5] = {0x09, 0x04, 0xd0, 0x00, 0x34};
    uint8_t size[2] = {(uint8_t)from->max_length, (uint8_t)(from->max_length >> 8)};

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (variants[i].type != from->type || from->max_length < 0 || length > VARIANT_VALUE_MAX)
            continue;
        bytes_append(ret, &variants[i].token, 1);
        bytes_append(ret, &variants[i].properties, 1);
        if (variants[i].properties == VARIANT_TEXT_PROPERTIES) {
            bytes_append(ret, collation, sizeof collation);
            bytes_append(ret, size, 2);
        } else if (variants[i].properties == 2 && is_number(from->type)) {
            bytes_append(ret, &from->precision, 1);
            bytes_append(ret, &from->scale, 1);
        } else if (variants[i].properties == 2) {
            bytes_append(ret, size, 2);
        } else if (variants[i].properties == 1) {
            bytes_append(ret, &from->scale, 1);
        }
        bytes_append(ret, value, length);
        return 0;
    }
    return type_error(error, 206, 2, "Operand type clash: %s is incompatible with sql_variant", type_name(from));
}

/* Text becomes the meaning that the target wants. */
static int text_to(const TypeInfo *from, const char *text, size_t length, const TypeInfo *to, bool cut, Bytes *ret,
                   SqlError *error)
{
    Scalar scalar = {0};

    if (is_text(to->type))
        return text_encode(text, length, to, cut, ret, error);
    if (is_number(to->type) || is_float(to->type)) {
        if (number_parse(from, to, text, length, &scalar, error) != 0)
            return -1;
        return is_float(to->type) ? float_encode(&scalar, to, ret, error)
                                  : number_encode(&scalar, from, to, ret, error);
    }
    if (is_time(to->type))
        return time_parse(to, text, length, &scalar, error) != 0 ? -1 : time_encode(&scalar, from, to, ret, error);
    if (to->type == TYPE_UNIQUEIDENTIFIER)
        return guid_parse(text, length, ret, error);
    if (is_clr(to->type))
        return clr_parse(to, text, length, ret, error);
    return type_error(error, 257, 3,
                      "Implicit conversion from data type %s to %s is not allowed. Use the CONVERT function "
                      "to run this query.",
                      type_name(from), type_name(to));
}

int value_from_text(const TypeInfo *type, const char *utf8, size_t length, Bytes *ret, SqlError *error)
{
    TypeInfo from = {.type = TYPE_VARCHAR, .max_length = 8000};

    if (is_binary(type->type))
        return hex_parse(utf8, length, type, ret, error);
    if (type->type == TYPE_SQL_VARIANT) {
        Bytes wide = {0};
        text_utf16_from_utf8(utf8, length, &wide);
        from = (TypeInfo){.type = TYPE_NVARCHAR, .max_length = wide.length > 2 ? (int32_t)wide.length : 2};
        int result = variant_wrap(&from, wide.data, wide.length, ret, error);
        bytes_free(&wide);
        return result;
    }
    return text_to(&from, utf8, length, type, false, ret, error);
}

static void text_decode(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    if (is_wide(type->type))
        text_utf8_from_utf16(value, length, ret);
    else
        text_utf8_from_1252(value, length, ret);
}

static void float_decode(const TypeInfo *type, const uint8_t *value, Scalar *ret)
{
    float narrow;

    ret->kind = SCALAR_FLOAT;
    if (type->type == TYPE_REAL) {
        memcpy(&narrow, value, 4);
        ret->number = (double)narrow;
    } else {
        memcpy(&ret->number, value, 8);
    }
}

int value_to_text(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret, SqlError *error)
{
    Scalar scalar = {0};
    TypeInfo inner_type;
    const uint8_t *inner;
    size_t inner_length;

    if (is_text(type->type)) {
        text_decode(type, value, length, ret);
    } else if (is_number(type->type)) {
        number_decode(type, value, length, &scalar);
        number_format(type, &scalar, ret);
    } else if (is_float(type->type)) {
        float_decode(type, value, &scalar);
        number_format(type, &scalar, ret);
    } else if (is_time(type->type)) {
        time_decode(type, value, length, &scalar);
        time_format(type, &scalar, ret);
    } else if (type->type == TYPE_UNIQUEIDENTIFIER) {
        guid_format(value, ret);
    } else if (type->type == TYPE_SQL_VARIANT) {
        if (variant_unwrap(value, length, &inner_type, &inner, &inner_length) != 0)
            return type_error(error, 529, 3, "The bytes of the sql_variant value are damaged.");
        return value_to_text(&inner_type, inner, inner_length, ret, error);
    } else if (is_clr(type->type)) {
        return clr_format(type, value, length, ret);
    } else {
        hex_format(value, length, ret);
    }
    return 0;
}

static int clash(const TypeInfo *from, const TypeInfo *to, bool explicit, SqlError *error)
{
    if (explicit)
        return type_error(error, 529, 2, "Explicit conversion from data type %s to %s is not allowed.", type_name(from),
                          type_name(to));
    return type_error(error, 206, 2, "Operand type clash: %s is incompatible with %s", type_name(from), type_name(to));
}

/* From anything to a character type. A number that does not fit is an error of its own, not a cut. */
static int to_text(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, bool cut, Bytes *ret,
                   SqlError *error)
{
    Bytes utf8 = {0};
    TypeInfo same = *to;
    int result;

    if (is_binary(from->type)) { /* the bytes are taken as characters */
        same.type = is_wide(to->type) ? TYPE_NVARCHAR : TYPE_VARCHAR;
        text_decode(&same, value, length, &utf8);
        result = 0;
    } else {
        result = value_to_text(from, value, length, &utf8, error);
    }
    if (result == 0 && is_number(from->type) && from->type != TYPE_BIT && to->max_length >= 0 &&
        utf8.length * (is_wide(to->type) ? 2 : 1) > (size_t)to->max_length && to->type != TYPE_TEXT &&
        to->type != TYPE_NTEXT)
        result = type_error(error, 8115, 5, "Arithmetic overflow error converting %s to data type %s.",
                            from->type <= TYPE_BIGINT ? "expression" : type_name(from), type_name(to));
    if (result == 0)
        result = text_encode((const char *)utf8.data, utf8.length, to, cut, ret, error);
    bytes_free(&utf8);
    return result;
}

/* Numbers become their value big-endian; character types keep their bytes. */
static int to_binary(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, bool explicit,
                     Bytes *ret, SqlError *error)
{
    bool integer = from->type <= TYPE_BIGINT;

    if (is_text(from->type) && !explicit)
        return type_error(error, 257, 3,
                          "Implicit conversion from data type %s to %s is not allowed. Use the CONVERT "
                          "function to run this query.",
                          type_name(from), type_name(to));
    if (!integer)
        return binary_encode(value, length, to, explicit, ret, error);
    size_t size = to->type == TYPE_ROWVERSION ? 8 : to->type == TYPE_BINARY ? (size_t)to->max_length : length;
    uint8_t fill = from->type >= TYPE_SMALLINT && (value[length - 1] & 0x80) ? 0xFF : 0;
    for (size_t i = size; i-- > 0;)
        bytes_append(ret, i < length ? &value[i] : &fill, 1);
    return 0;
}

static int from_binary(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, bool explicit,
                       Bytes *ret, SqlError *error)
{
    uint8_t number[8] = {0};

    if (to->type <= TYPE_BIGINT && to->type != TYPE_BIT) {
        for (size_t i = 0; i < (size_t)to->max_length && i < length; i++)
            number[i] = value[length - 1 - i];
        bytes_append(ret, number, (size_t)to->max_length);
        return 0;
    }
    if (to->type == TYPE_BIT) {
        for (size_t i = 0; i < length; i++)
            number[0] |= value[i] != 0;
        bytes_append(ret, number, 1);
        return 0;
    }
    if (to->type == TYPE_UNIQUEIDENTIFIER && length >= 16) {
        bytes_append(ret, value, 16);
        return 0;
    }
    if (is_clr(to->type)) {
        bytes_append(ret, value, length);
        return 0;
    }
    return clash(from, to, explicit, error);
}

/* A number as a datetime is days since 1900-01-01. */
static int number_to_datetime(const Scalar *number, const TypeInfo *from, const TypeInfo *to, Bytes *ret,
                              SqlError *error)
{
    TypeInfo wide = {.type = TYPE_FLOAT, .max_length = 8};
    Bytes raw = {0};
    Scalar scalar = {.kind = SCALAR_TIME, .has_date = true, .has_time = true};
    double days;

    float_encode(number, &wide, &raw, error);
    memcpy(&days, raw.data, sizeof days);
    bytes_free(&raw);
    if (!(days > -60000 && days < 3000000))
        return type_error(error, 8115, 2, "Arithmetic overflow error converting expression to data type %s.",
                          type_name(to));
    int32_t whole = (int32_t)days - (days < (double)(int32_t)days ? 1 : 0);
    scalar.days = whole + DAYS_1900;
    scalar.ticks = (int64_t)((days - whole) * (double)TICKS_PER_DAY);
    return time_encode(&scalar, from, to, ret, error);
}

static int convert(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, bool explicit,
                   Bytes *ret, SqlError *error)
{
    Scalar scalar = {0};
    TypeInfo inner_type;
    const uint8_t *inner;
    size_t inner_length;

    if (from->type == TYPE_SQL_VARIANT && to->type != TYPE_SQL_VARIANT) {
        if (variant_unwrap(value, length, &inner_type, &inner, &inner_length) != 0)
            return clash(from, to, explicit, error);
        return convert(&inner_type, inner, inner_length, to, explicit, ret, error);
    }
    if (to->type == TYPE_SQL_VARIANT && from->type != TYPE_SQL_VARIANT)
        return variant_wrap(from, value, length, ret, error);
    if (is_text(to->type) && !(is_clr(from->type) && !explicit))
        return to_text(from, value, length, to, explicit, ret, error);
    if (is_text(from->type) && !is_binary(to->type)) {
        text_decode(from, value, length, &scalar.text);
        int result = text_to(from, (const char *)scalar.text.data, scalar.text.length, to, explicit, ret, error);
        bytes_free(&scalar.text);
        return result;
    }
    if (is_binary(to->type) && !is_float(from->type) && !(is_time(from->type) && !explicit) &&
        !(from->type == TYPE_UNIQUEIDENTIFIER && !explicit))
        return to_binary(from, value, length, to, explicit, ret, error);
    if (is_binary(from->type))
        return from_binary(from, value, length, to, explicit, ret, error);
    if (is_time(from->type) && is_time(to->type)) {
        time_decode(from, value, length, &scalar);
        return time_encode(&scalar, from, to, ret, error);
    }
    bool counts = is_number(from->type) || is_float(from->type);
    if (is_float(from->type))
        float_decode(from, value, &scalar);
    else if (counts)
        number_decode(from, value, length, &scalar);
    if (counts && is_float(to->type))
        return float_encode(&scalar, to, ret, error);
    if (counts && is_number(to->type))
        return number_encode(&scalar, from, to, ret, error);
    if (counts && (to->type == TYPE_DATETIME || to->type == TYPE_SMALLDATETIME))
        return number_to_datetime(&scalar, from, to, ret, error);
    if (from->type == to->type) { /* uniqueidentifier, sql_variant, CLR types */
        bytes_append(ret, value, length);
        return 0;
    }
    return clash(from, to, explicit, error);
}

int value_cast(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, Bytes *ret,
               SqlError *error)
{
    return convert(from, value, length, to, false, ret, error);
}

int value_convert(const TypeInfo *from, const uint8_t *value, size_t length, const TypeInfo *to, Bytes *ret,
                  SqlError *error)
{
    return convert(from, value, length, to, true, ret, error);
}
