/* load_value.c - see load_value.h */
#include "source/mysql/load_value.h"
#include "source/mysql/load_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int load_value_short(const LoadValue *value, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "a row ends within column \"%.200s\"", value->field->source_name);
}

int load_value_malformed(const LoadValue *value, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\" came in a form its type does not have", value->field->source_name);
}

/* ---- integers and floats ---- */

/* Of the same width on both sides: as they are. */
#define COPIED(name, bytes)                                                                                              \
    static int name(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)                      \
    {                                                                                                                    \
        if (end - *at < (bytes))                                                                                         \
            return load_value_short(value, error);                                                                              \
        memcpy(value->vector->fixed + (size_t)row * (bytes), *at, (bytes));                                              \
        *at += (bytes);                                                                                                  \
        return 1;                                                                                                        \
    }
COPIED(copy_2, 2)
COPIED(copy_4, 4)
COPIED(copy_8, 8)

#define WIDENED(name, from, to)                                                                                          \
    static int name(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)                      \
    {                                                                                                                    \
        from wire;                                                                                                       \
                                                                                                                         \
        if (end - *at < (ptrdiff_t)sizeof wire)                                                                          \
            return load_value_short(value, error);                                                                              \
        memcpy(&wire, *at, sizeof wire);                                                                                 \
        *at += sizeof wire;                                                                                              \
        ((to *)(void *)value->vector->fixed)[row] = (to)wire;                                                            \
        return 1;                                                                                                        \
    }
WIDENED(int8_to_int16, int8_t, int16_t)
WIDENED(uint8_to_int16, uint8_t, int16_t)
WIDENED(uint16_to_int32, uint16_t, int32_t)
WIDENED(uint32_to_int64, uint32_t, int64_t)

/* ---- what has a length ---- */

/* A length-encoded value: *data and *length, *at goes behind it. */
static inline int take(const LoadValue *value, const uint8_t **at, const uint8_t *end, const uint8_t **data, size_t *length, Error *error)
{
    const uint8_t *from = *at;
    size_t bytes, size = 0;

    if (from == end)
        return load_value_short(value, error);
    size = *from++;
    if (__builtin_expect(size > 250, 0)) {
        bytes = size == 252 ? 2 : size == 253 ? 3 : size == 254 ? 8 : 0;
        if (bytes == 0 || (size_t)(end - from) < bytes)
            return load_value_short(value, error);
        size = 0;
        memcpy(&size, from, bytes);
        from += bytes;
    }
    if ((size_t)(end - from) < size)
        return load_value_short(value, error);
    *data = from;
    *length = size;
    *at = from + size;
    return 0;
}

int load_value_store(const LoadValue *value, int row, const void *data, size_t length, Error *error)
{
    ColumnVector *vector = value->vector;

    if (length > vector->value_bytes_max)
        return error_set(error, ERROR_PERMANENT, "Raise max_value_bytes for this table, or leave the column out.",
                         "a value of %zu bytes in column \"%.200s\" exceeds the limit of %zu", length, value->field->source_name,
                         vector->value_bytes_max);
    if (vector->bytes.capacity - vector->bytes.length < length && buffer_reserve(&vector->bytes, length, error) < 0)
        return error_prefix(error, "column \"%.200s\"", value->field->source_name);
    if (length)
        memcpy(vector->bytes.data + vector->bytes.length, data, length);
    vector->bytes.length += length;
    vector->offsets[row + 1] = (uint32_t)vector->bytes.length;
    return 1;
}

static int bytes_as_they_are(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    const uint8_t *data;
    size_t length;

    if (take(value, at, end, &data, &length, error) < 0)
        return -1;
    return load_value_store(value, row, data, length, error);
}

static int bit_value(LoadValue *value, const uint8_t **at, const uint8_t *end, uint64_t *ret, Error *error)
{
    const uint8_t *data;
    size_t length;

    *ret = 0;
    if (take(value, at, end, &data, &length, error) < 0)
        return -1;
    if (length > sizeof *ret)
        return load_value_malformed(value, error);
    for (size_t i = 0; i < length; i++)
        *ret = *ret << 8 | data[i];
    return 0;
}

static int bit_to_boolean(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    uint64_t bits;

    if (bit_value(value, at, end, &bits, error) < 0)
        return -1;
    value->vector->fixed[row] = bits != 0;
    return 1;
}

static int bit_to_uint64(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    return bit_value(value, at, end, &((uint64_t *)(void *)value->vector->fixed)[row], error) < 0 ? -1 : 1;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "123e4567-e89b-12d3-a456-426655440000" */
static int uuid_of_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    uint8_t *to = value->vector->fixed + (size_t)row * 16;
    const uint8_t *data;
    size_t length, digits = 0;

    if (take(value, at, end, &data, &length, error) < 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int digit = hex_digit(data[i]);

        if (data[i] == '-')
            continue;
        if (digit < 0 || digits == 32)
            return load_value_malformed(value, error);
        to[digits / 2] = (uint8_t)(digits % 2 ? to[digits / 2] | digit : digit << 4);
        digits++;
    }
    return digits == 32 ? 1 : load_value_malformed(value, error);
}

/* ---- decimals ---- */

#define DECIMAL_DIGITS_MAX 38
#define WORD_DIGITS_MAX 18 /* of a uint64_t, and one to spare */

/* `length` digits behind those of *number; false where something else is among them. */
static inline bool digits_add(const uint8_t *text, size_t length, uint64_t *number)
{
    uint64_t sum = *number;
    bool good = true;

    for (size_t i = 0; i < length; i++) {
        uint8_t digit = (uint8_t)(text[i] - '0');

        good &= digit <= 9;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return good;
}

static bool digits_long(const uint8_t *text, size_t length, unsigned __int128 *number)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (uint8_t)(text[i] - '0');
    }
    return true;
}

/* The server writes as many digits behind the point as the column has, and a zero before it; a zerofilled one has more of them. */
static int decimal_of_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    size_t scale = value->field->scale, length, whole;
    unsigned __int128 digits = 0;
    __int128 number;
    const uint8_t *data;
    uint64_t word = 0;
    bool negative;

    if (take(value, at, end, &data, &length, error) < 0)
        return -1;
    negative = length && data[0] == '-';
    data += negative;
    length -= negative;
    whole = scale ? length - scale - 1 : length;
    if (length <= scale || (scale && data[whole] != '.'))
        return load_value_malformed(value, error);
    if (length <= WORD_DIGITS_MAX) {
        if (!digits_add(data, whole, &word) || (scale && !digits_add(data + whole + 1, scale, &word)))
            return load_value_malformed(value, error);
        number = negative ? -(__int128)word : (__int128)word;
    } else {
        for (; whole > 1 && data[0] == '0'; whole--)
            data++;
        if (whole + scale > DECIMAL_DIGITS_MAX + 1 || !digits_long(data, whole, &digits) || (scale && !digits_long(data + whole + 1, scale, &digits)))
            return load_value_malformed(value, error);
        number = negative ? -(__int128)digits : (__int128)digits;
    }
    memcpy(value->vector->fixed + (size_t)row * sizeof number, &number, sizeof number);
    return 1;
}

/* More than 38 digits: text. Zerofill is no part of the number. */
static int decimal_as_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    const uint8_t *data;
    size_t length;

    if (take(value, at, end, &data, &length, error) < 0)
        return -1;
    while (length > 1 && data[0] == '0' && data[1] != '.') {
        data++;
        length--;
    }
    return load_value_store(value, row, data, length, error);
}

/* ---- the plan ---- */

static LoadDecode decode_of_number(const WireColumn *wire, ColumnType type)
{
    switch (wire->type) {
    case MYSQL_TYPE_TINY:
        return type != COLUMN_INT16 ? NULL : wire->is_unsigned ? uint8_to_int16 : int8_to_int16;
    case MYSQL_TYPE_YEAR:
        return type == COLUMN_INT16 ? copy_2 : NULL;
    case MYSQL_TYPE_SHORT:
        if (wire->is_unsigned)
            return type == COLUMN_INT32 ? uint16_to_int32 : NULL;
        return type == COLUMN_INT16 ? copy_2 : NULL;
    case MYSQL_TYPE_INT24: /* 4 bytes here */
        return type == COLUMN_INT32 ? copy_4 : NULL;
    case MYSQL_TYPE_LONG:
        if (wire->is_unsigned)
            return type == COLUMN_INT64 ? uint32_to_int64 : NULL;
        return type == COLUMN_INT32 ? copy_4 : NULL;
    case MYSQL_TYPE_LONGLONG:
        return type == (wire->is_unsigned ? COLUMN_UINT64 : COLUMN_INT64) ? copy_8 : NULL;
    case MYSQL_TYPE_FLOAT:
        return type == COLUMN_FLOAT32 ? copy_4 : NULL;
    case MYSQL_TYPE_DOUBLE:
        return type == COLUMN_FLOAT64 ? copy_8 : NULL;
    case MYSQL_TYPE_BIT:
        return type == COLUMN_BOOLEAN ? bit_to_boolean : type == COLUMN_UINT64 ? bit_to_uint64 : NULL;
    default: /* DECIMAL, NEWDECIMAL */
        return type == COLUMN_DECIMAL ? decimal_of_text : type == COLUMN_STRING ? decimal_as_text : NULL;
    }
}

static LoadDecode decode_of(const WireColumn *wire, ColumnType type)
{
    switch (wire->type) {
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return type == COLUMN_DATE ? load_time_date : type == COLUMN_STRING ? load_time_date_text : NULL;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
        return type == COLUMN_TIMESTAMP ? load_time_timestamp : type == COLUMN_STRING ? load_time_date_text : NULL;
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        return type == COLUMN_TIMESTAMPTZ ? load_time_instant : type == COLUMN_STRING ? load_time_date_text : NULL;
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
        return type == COLUMN_STRING ? load_time_text : NULL;
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return decode_of_number(wire, type);
    case MYSQL_TYPE_NULL:
        return NULL;
    default: /* every other is length-encoded */
        return type == COLUMN_STRING || type == COLUMN_BINARY ? bytes_as_they_are : type == COLUMN_UUID ? uuid_of_text : NULL;
    }
}

static int changed(const char *what, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, "The table has changed since its columns were read; the next poll takes them up.", "%s", what);
}

int load_row_init(LoadRow *ret, ColumnBatch *batch, const WireColumn *columns, int count, const int *large, int lengths, Error *error)
{
    const Schema *schema = batch->schema;

    *ret = (LoadRow){.batch = batch, .count = schema->count, .lengths = lengths, .large = large};
    if (count != schema->count + lengths)
        return changed("a row has another number of columns than the schema", error);
    ret->length_bytes = lengths && columns[schema->count].type == MYSQL_TYPE_LONG ? sizeof(uint32_t) : sizeof(uint64_t);
    ret->values = calloc((size_t)schema->count + 1, sizeof *ret->values);
    if (!ret->values)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", schema->count);
    for (int i = 0; i < schema->count; i++) {
        LoadValue *value = &ret->values[i];
        char what[400];

        *value = (LoadValue){.wire = columns[i], .field = &schema->fields[i], .vector = &batch->columns[i], .date = LOAD_TIME_NONE};
        value->decode = decode_of(&value->wire, value->field->type);
        ret->row_bytes += value->vector->offsets ? sizeof *value->vector->offsets : column_width(value->field->type);
        if (value->decode)
            continue;
        snprintf(what, sizeof what, "column \"%.200s\" of type %s came as wire type %u%s", value->field->source_name, value->field->source_type,
                 value->wire.type, value->wire.is_unsigned ? " unsigned" : "");
        return changed(what, error);
    }
    return 0;
}

void load_row_free(LoadRow *row)
{
    free(row->values);
    row->values = NULL;
}

static bool bitmap_null(const uint8_t *bitmap, int index)
{
    return bitmap[(index + 2) / 8] >> (index + 2) % 8 & 1;
}

static inline void set_null(const LoadValue *value, int row)
{
    value->vector->valid[row] = 0;
    if (value->vector->offsets)
        value->vector->offsets[row + 1] = value->vector->offsets[row];
}

static int key_refused(const LoadValue *value, Error *error)
{
    return error_set(error, ERROR_PERMANENT, "Correct the value at the source, or land the column as text.",
                     "the key column \"%.200s\" holds a date that is no day of the calendar", value->field->source_name);
}

/* A large value above the limit was not asked for: in its place comes its length, little-endian. */
static int lengths_check(const LoadRow *row, const uint8_t *bitmap, const uint8_t *at, const uint8_t *end, Error *error)
{
    for (int i = 0; i < row->lengths; i++) {
        const LoadValue *value = &row->values[row->large[i]];
        uint64_t length = 0;

        if (bitmap_null(bitmap, row->count + i))
            continue;
        if ((size_t)(end - at) < row->length_bytes)
            return load_value_short(value, error);
        memcpy(&length, at, row->length_bytes);
        return error_set(error, ERROR_PERMANENT, "Raise max_value_bytes for this table, or leave the column out.",
                         "a value of %llu bytes in column \"%.200s\" exceeds the limit of %zu", (unsigned long long)length,
                         value->field->source_name, value->vector->value_bytes_max);
    }
    return 0;
}

int load_row_decode(LoadRow *row, const uint8_t *packet, size_t length, Error *error)
{
    const uint8_t *bitmap = packet + 1, *end = packet + length, *at;
    size_t bitmap_bytes = ((size_t)row->count + (size_t)row->lengths + 2 + 7) / 8, before = 0;
    int at_row = row->batch->rows, status = 0;
    Error later;

    if (length < 1 + bitmap_bytes)
        return error_set(error, ERROR_TRANSIENT, NULL, "a row ends before its values");
    at = bitmap + bitmap_bytes;
    before = (size_t)(end - at);
    for (int i = 0; i < row->count; i++) {
        LoadValue *value = &row->values[i];
        int got = 0;

        if (bitmap_null(bitmap, i)) {
            set_null(value, at_row);
            continue;
        }
        got = value->decode(value, at_row, &at, end, status < 0 ? &later : error);
        if (got > 0) {
            value->vector->valid[at_row] = 1;
            continue;
        }
        set_null(value, at_row);
        row->nulled += got == 0;
        if (got == 0 && value->field->key_ordinal)
            got = key_refused(value, status < 0 ? &later : error);
        status = got < 0 ? -1 : status;
    }
    row->batch->size += row->row_bytes + before;
    return status < 0 ? -1 : lengths_check(row, bitmap, at, end, error);
}
