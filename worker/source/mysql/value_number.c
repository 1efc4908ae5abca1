/* value_number.c - integers, floats, decimals, bits and years of the log. */
#include "source/mysql/shape_code.h"
#include "source/mysql/value.h"

#include <string.h>

#define GROUP_DIGITS 9 /* decimal digits of a group of 4 bytes */
#define GROUP_BASE 1000000000u

static const uint8_t rest_bytes[GROUP_DIGITS + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

static int decode_tiny(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int16_t number = (int16_t)(*data - ((*data & 0x80) << 1));

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_unsigned_tiny(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int16_t number = *data;

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_copy2(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), data, 2);
    return 0;
}

static int decode_unsigned_short(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int32_t number = data[0] | data[1] << 8;

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_medium(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int32_t number = (int32_t)((uint32_t)data[0] << 8 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 24) >> 8;

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_unsigned_medium(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int32_t number = data[0] | data[1] << 8 | data[2] << 16;

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_copy4(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), data, 4);
    return 0;
}

static int decode_unsigned_int(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int64_t number = (int64_t)little_endian(data, 4);

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_copy8(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), data, 8);
    return 0;
}

static int decode_bit(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length, (void)error;
    *(uint8_t *)column_set_fixed(batch, value->field) = data[0] & 1;
    return 0;
}

static int decode_bits(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t number = big_endian(data, length);

    (void)error;
    memcpy(column_set_fixed(batch, value->field), &number, sizeof number);
    return 0;
}

static int decode_year(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int16_t year = *data ? (int16_t)(1900 + *data) : 0;

    (void)length, (void)error;
    memcpy(column_set_fixed(batch, value->field), &year, sizeof year);
    return 0;
}

uint32_t value_decimal_width(unsigned precision, unsigned scale)
{
    unsigned whole = precision - scale;

    return whole / GROUP_DIGITS * 4 + rest_bytes[whole % GROUP_DIGITS] + scale / GROUP_DIGITS * 4 + rest_bytes[scale % GROUP_DIGITS];
}

/* Groups from the front: the incomplete one of the whole digits, the whole ones, then those of the fraction with the incomplete one last. Each is
 * big-endian; the first bit is turned over, and all bits of a negative number. MySQL source, strings/decimal.cc, decimal2bin. */
typedef struct DecimalRead {
    const uint8_t *at;
    uint8_t flip;  /* of the first byte */
    uint8_t turn;  /* of every byte */
} DecimalRead;

static uint32_t group_read(DecimalRead *read, unsigned bytes)
{
    uint32_t group = 0;

    for (unsigned i = 0; i < bytes; i++) {
        group = group << 8 | (uint8_t)(*read->at++ ^ read->turn ^ read->flip);
        read->flip = 0;
    }
    return group;
}

static DecimalRead decimal_begin(const uint8_t *data)
{
    return (DecimalRead){.at = data, .flip = 0x80, .turn = *data & 0x80 ? 0 : 0xff};
}

static int decode_decimal(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    unsigned whole = value->precision - value->scale;
    DecimalRead read = decimal_begin(data);
    unsigned __int128 number = group_read(&read, rest_bytes[whole % GROUP_DIGITS]);
    __int128 result;

    (void)length, (void)error;
    for (unsigned i = whole / GROUP_DIGITS + value->scale / GROUP_DIGITS; i > 0; i--)
        number = number * GROUP_BASE + group_read(&read, 4);
    if (value->scale % GROUP_DIGITS)
        number = number * powers[value->scale % GROUP_DIGITS] + group_read(&read, rest_bytes[value->scale % GROUP_DIGITS]);
    result = read.turn ? -(__int128)number : (__int128)number;
    memcpy(column_set_fixed(batch, value->field), &result, sizeof result);
    return 0;
}

static char *digits_put(char *to, uint32_t group, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; group /= 10)
        to[i] = (char)('0' + group % 10);
    return to + digits;
}

const char *value_decimal_text(const uint8_t *data, unsigned precision, unsigned scale, char ret[VALUE_DECIMAL_TEXT])
{
    unsigned whole = precision - scale;
    char *end = ret + 1, *begin = ret + 1;
    DecimalRead read = decimal_begin(data);
    bool zero = true;

    memset(ret, '0', VALUE_DECIMAL_TEXT);
    end = digits_put(end, group_read(&read, rest_bytes[whole % GROUP_DIGITS]), whole % GROUP_DIGITS);
    for (unsigned i = whole / GROUP_DIGITS; i > 0; i--)
        end = digits_put(end, group_read(&read, 4), GROUP_DIGITS);
    while (begin < end - 1 && *begin == '0')
        begin++;
    if (begin == end)
        *end++ = '0';
    if (scale) {
        *end++ = '.';
        for (unsigned i = scale / GROUP_DIGITS; i > 0; i--)
            end = digits_put(end, group_read(&read, 4), GROUP_DIGITS);
        end = digits_put(end, group_read(&read, rest_bytes[scale % GROUP_DIGITS]), scale % GROUP_DIGITS);
    }
    *end = '\0';
    for (const char *at = begin; at < end; at++)
        zero = zero && (*at == '0' || *at == '.');
    if (read.turn && !zero)
        *--begin = '-';
    return begin;
}

static int decode_decimal_text(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    char text[VALUE_DECIMAL_TEXT];
    const char *begin = value_decimal_text(data, value->precision, value->scale, text);

    (void)length;
    return column_set_bytes(batch, value->field, begin, strlen(begin), error);
}

static ValueDecode decimal_choose(const ValueSpec *spec, Value *ret, ColumnType type)
{
    uint16_t meta = spec->map->meta[spec->index];

    ret->precision = (uint8_t)(meta >> 8);
    ret->scale = (uint8_t)meta;
    if (type == COLUMN_DECIMAL && ret->precision <= 38 && spec->schema->fields[spec->field].scale == ret->scale)
        return decode_decimal;
    return type == COLUMN_STRING ? decode_decimal_text : NULL;
}

int value_number_choose(const ValueSpec *spec, Value *ret)
{
    static const struct {
        ShapeKind kind;
        bool is_unsigned;
        ColumnType type;
        ValueDecode decode;
    } choices[] = {
        {SHAPE_TINYINT, false, COLUMN_INT16, decode_tiny},          {SHAPE_TINYINT, true, COLUMN_INT16, decode_unsigned_tiny},
        {SHAPE_SMALLINT, false, COLUMN_INT16, decode_copy2},        {SHAPE_SMALLINT, true, COLUMN_INT32, decode_unsigned_short},
        {SHAPE_MEDIUMINT, false, COLUMN_INT32, decode_medium},      {SHAPE_MEDIUMINT, true, COLUMN_INT32, decode_unsigned_medium},
        {SHAPE_INT, false, COLUMN_INT32, decode_copy4},             {SHAPE_INT, true, COLUMN_INT64, decode_unsigned_int},
        {SHAPE_BIGINT, false, COLUMN_INT64, decode_copy8},          {SHAPE_BIGINT, true, COLUMN_UINT64, decode_copy8},
        {SHAPE_FLOAT, false, COLUMN_FLOAT32, decode_copy4},         {SHAPE_FLOAT, true, COLUMN_FLOAT32, decode_copy4},
        {SHAPE_DOUBLE, false, COLUMN_FLOAT64, decode_copy8},        {SHAPE_DOUBLE, true, COLUMN_FLOAT64, decode_copy8},
        {SHAPE_BIT, false, COLUMN_BOOLEAN, decode_bit},             {SHAPE_BIT, false, COLUMN_UINT64, decode_bits},
        {SHAPE_YEAR, false, COLUMN_INT16, decode_year},
    };
    const ShapeType *declared = &spec->column->declared;
    ColumnType type = spec->schema->fields[spec->field].type;

    if (declared->kind == SHAPE_DECIMAL) {
        ret->decode = decimal_choose(spec, ret, type);
        return 0;
    }
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (choices[i].kind == declared->kind && choices[i].is_unsigned == declared->is_unsigned && choices[i].type == type)
            ret->decode = choices[i].decode;
    }
    return 0;
}
