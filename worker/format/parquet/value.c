/* value.c - a column's values in their Parquet form; see type.h */
#include "base/hex.h"
#include "format/parquet/type.h"
#include "format/utf8.h"
#include "format/value_text.h"

#include <stdio.h>
#include <string.h>

/* One column being taken: what every step of it needs. */
typedef struct Taking {
    ParquetType *type;
    const ColumnBatch *batch;
    const ColumnVector *vector;
    int first;
    ParquetValues *values;
    Error *error;
} Taking;

#define LOAD(type, from) (__extension__({ type loaded; memcpy(&loaded, from, sizeof loaded); loaded; }))

static int value_refused(const Taking *taking, int row, const char *hint, const char *what)
{
    const ColumnBatch *batch = taking->batch;
    char position[2 * POSITION_BYTES_MAX + 1] = "";

    hex_encode(batch->position[row], (size_t)batch->position_length, position);
    position[2 * batch->position_length] = '\0';
    return error_set(taking->error, ERROR_PERMANENT, hint, "column \"%.200s\" of the row at position %s holds %s", taking->type->field->name, position,
                     what);
}

static int out_of_range(const Taking *taking, int row)
{
    return value_refused(taking, row, "Leave the column out of the table, or mend the row at the source.",
                         "a value outside the range or precision of its type");
}

/* ---- fixed width ----------------------------------------------------------- */

/* Calls `body` with `row` and `from` (its value) for each row that has one. */
#define EACH_VALUE(taking, value_width, body) \
    for (int row = (taking)->first; row < (taking)->first + (taking)->values->rows; row++) { \
        const uint8_t *from = (taking)->vector->fixed + (size_t)row * (value_width); \
        if (!(taking)->vector->valid[row]) \
            continue; \
        body \
    }

static int as_they_are(Taking *taking, size_t width)
{
    ParquetValues *values = taking->values;
    uint8_t *to = (uint8_t *)&values->room;

    if (values->count == values->rows) {
        values->fixed = taking->vector->fixed + (size_t)taking->first * width;
        return 0;
    }
    EACH_VALUE(taking, width, {
        memcpy(to, from, width);
        to += width;
    })
    return 0;
}

static int take_boolean(Taking *taking)
{
    uint8_t *to = taking->values->room.u8;

    EACH_VALUE(taking, 1, *to++ = *from != 0;)
    return 0;
}

static int take_int16(Taking *taking)
{
    int32_t *to = taking->values->room.i32;

    EACH_VALUE(taking, 2, *to++ = LOAD(int16_t, from);)
    return 0;
}

static int take_date(Taking *taking)
{
    int32_t *to = taking->values->room.i32;

    EACH_VALUE(taking, 4, {
        int32_t days = LOAD(int32_t, from);

        if (days < DATE_DAYS_MIN || days > DATE_DAYS_MAX)
            return out_of_range(taking, row);
        *to++ = days;
    })
    return 0;
}

static __int128 power_of_ten(int exponent)
{
    __int128 power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

static uint8_t *big_endian(uint8_t *to, __int128 value, int width)
{
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
        *to++ = (uint8_t)(value >> shift);
    return to;
}

static int take_decimal(Taking *taking)
{
    const ParquetType *type = taking->type;
    const __int128 limit = power_of_ten(type->precision);
    int32_t *to32 = taking->values->room.i32;
    int64_t *to64 = taking->values->room.i64;
    uint8_t *to = taking->values->room.bytes;

    EACH_VALUE(taking, 16, {
        __int128 value = LOAD(__int128, from);

        if (value <= -limit || value >= limit)
            return out_of_range(taking, row);
        if (type->physical == PARQUET_INT32)
            *to32++ = (int32_t)value;
        else if (type->physical == PARQUET_INT64)
            *to64++ = (int64_t)value;
        else
            to = big_endian(to, value, type->width);
    })
    return 0;
}

static int take_uint64(Taking *taking)
{
    uint8_t *to = taking->values->room.bytes;

    EACH_VALUE(taking, 8, to = big_endian(to, LOAD(uint64_t, from), taking->type->width);)
    return 0;
}

static bool timestamp_holds(int64_t ticks)
{
    return ticks >= DATE_DAYS_MIN * TICKS_PER_DAY && ticks < (DATE_DAYS_MAX + 1) * TICKS_PER_DAY;
}

/* Ticks of 100 ns as microseconds. */
static int take_micros(Taking *taking)
{
    const size_t width = column_width(taking->type->field->type);
    int64_t *to = taking->values->room.i64;

    EACH_VALUE(taking, width, {
        int64_t ticks = LOAD(int64_t, from); /* ColumnInstant begins with its ticks */

        if (!timestamp_holds(ticks))
            return out_of_range(taking, row);
        if (ticks % 10)
            return value_refused(taking, row, "Set the table's option timestamp_precision to exact: such columns then land as text, with all digits.",
                                 "a time finer than a microsecond");
        *to++ = ticks / 10;
    })
    return 0;
}

/* ---- text made from values ------------------------------------------------- */

/* The same texts as in JSON lines. */
static int take_text(Taking *taking)
{
    ParquetValues *values = taking->values;
    const size_t width = column_width(taking->type->field->type);
    char *start = (char *)values->room.bytes, *to = start;
    int count = 0;

    EACH_VALUE(taking, width, {
        char *end;

        if (field_text(&taking->type->text_form, from, to, &end, taking->error) < 0)
            return -1;
        values->start_room[count] = (uint32_t)(to - start);
        values->length_room[count++] = (uint32_t)(end - to);
        to = end;
    })
    values->bytes = values->room.bytes;
    values->bytes_total = (size_t)(to - start);
    return 0;
}

/* ---- bytes ----------------------------------------------------------------- */

/* Most columns are ASCII throughout, which one look at all their bytes tells. */
static bool ascii(const uint8_t *bytes, size_t length)
{
    uint64_t seen = 0, eight;
    size_t at = 0;

    for (; at + 8 <= length; at += 8) {
        memcpy(&eight, bytes + at, 8);
        seen |= eight;
    }
    for (; at < length; at++)
        seen |= bytes[at];
    return !(seen & UINT64_C(0x8080808080808080));
}

/* Where text is not UTF-8: readers trust the annotation, so that what is not must not carry it. */
static int text_check(const Taking *taking)
{
    const ColumnVector *vector = taking->vector;
    const uint8_t *bytes = (const uint8_t *)vector->bytes.data;
    const uint32_t *offsets = vector->offsets + taking->first;
    char what[96];

    if (!bytes || ascii(bytes + offsets[0], offsets[taking->values->rows] - offsets[0]))
        return 0;
    for (int row = taking->first; row < taking->first + taking->values->rows; row++) {
        uint32_t start = vector->offsets[row], length = vector->offsets[row + 1] - start;
        size_t bad;

        if (!vector->valid[row] || !length)
            continue;
        bad = utf8_check(bytes + start, length);
        if (bad == length)
            continue;
        snprintf(what, sizeof what, "text that is not valid UTF-8 or has half of a surrogate pair (byte %zu)", bad + 1);
        return value_refused(taking, row, "Leave the column out of the table, land the table as jsonl, which escapes halves of pairs, or mend the row.", what);
    }
    return 0;
}

static int take_bytes(Taking *taking)
{
    const ColumnVector *vector = taking->vector;
    ParquetValues *values = taking->values;
    int count = 0;

    if (taking->type->logical == PARQUET_STRING && text_check(taking) < 0)
        return -1;
    values->bytes = (const uint8_t *)(vector->bytes.data ? vector->bytes.data : "");
    for (int row = taking->first; row < taking->first + values->rows; row++) {
        if (!vector->valid[row])
            continue;
        values->start_room[count] = vector->offsets[row];
        values->length_room[count] = vector->offsets[row + 1] - vector->offsets[row];
        values->bytes_total += values->length_room[count++];
    }
    return 0;
}

static void fixed_bytes(ParquetValues *values, int width)
{
    values->bytes = values->room.bytes;
    values->bytes_total = (size_t)values->count * (size_t)width;
    for (int i = 0; i < values->count; i++) {
        values->start_room[i] = (uint32_t)(i * width);
        values->length_room[i] = (uint32_t)width;
    }
}

static int take_by_type(Taking *taking)
{
    switch (taking->type->field->type) {
    case COLUMN_BOOLEAN:
        return take_boolean(taking);
    case COLUMN_INT16:
        return take_int16(taking);
    case COLUMN_INT32:
    case COLUMN_FLOAT32:
        return as_they_are(taking, 4);
    case COLUMN_INT64:
    case COLUMN_FLOAT64:
        return as_they_are(taking, 8);
    case COLUMN_UINT64:
        return take_uint64(taking);
    case COLUMN_DECIMAL:
        return take_decimal(taking);
    case COLUMN_DATE:
        return take_date(taking);
    case COLUMN_TIME:
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMPTZ:
        return taking->type->text ? take_text(taking) : take_micros(taking);
    case COLUMN_STRING:
    case COLUMN_BINARY:
        return take_bytes(taking);
    case COLUMN_UUID:
        break;
    }
    return take_text(taking);
}

int parquet_values_take(ParquetType *type, const ColumnBatch *batch, int column, int first, int count, ParquetValues *ret, Error *error)
{
    const ColumnVector *vector = &batch->columns[column];
    Taking taking = {type, batch, vector, first, ret, error};

    ret->valid = vector->valid + first;
    ret->rows = count;
    ret->count = 0;
    ret->fixed = type->width && type->physical != PARQUET_FIXED ? &ret->room : NULL;
    ret->bytes = NULL;
    ret->bytes_total = 0;
    ret->starts = ret->start_room;
    ret->lengths = ret->length_room;
    for (int i = 0; i < count; i++)
        ret->count += ret->valid[i];
    if (take_by_type(&taking) < 0)
        return -1;
    if (type->physical == PARQUET_FIXED)
        fixed_bytes(ret, type->width);
    return 0;
}
