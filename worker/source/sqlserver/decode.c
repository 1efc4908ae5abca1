/* decode.c - see decode.h */
#include "source/sqlserver/decode.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sybdb.h>

#define DAYS_1900_TO_1970 25567
#define TICKS_A_DAY 864000000000LL /* 100 ns units */
#define WIRE_NVARCHAR 231
#define WIRE_NCHAR 239
#define WIRE_XML 241
#define WIRE_UDT 240
#define WIRE_BIGVARCHAR 167
#define WIRE_BIGCHAR 175
#define WIRE_BIGVARBINARY 165
#define WIRE_BIGBINARY 173

static int short_value(const ColumnBatch *batch, int index, int length, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "a value of column \"%.200s\" came with %d bytes",
                     batch->schema->fields[index].source_name, length);
}

static int decode_bit(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    if (length != 1)
        return short_value(batch, index, length, error);
    *(uint8_t *)column_set_fixed(batch, index) = *(const uint8_t *)data != 0;
    return 0;
}

static int decode_tinyint(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    if (length != 1)
        return short_value(batch, index, length, error);
    *(int16_t *)column_set_fixed(batch, index) = *(const uint8_t *)data;
    return 0;
}

/* Integers and floats: the same bytes. */
static int decode_copy2(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    if (length != 2)
        return short_value(batch, index, length, error);
    memcpy(column_set_fixed(batch, index), data, 2);
    return 0;
}

static int decode_copy4(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    if (length != 4)
        return short_value(batch, index, length, error);
    memcpy(column_set_fixed(batch, index), data, 4);
    return 0;
}

static int decode_copy8(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    if (length != 8)
        return short_value(batch, index, length, error);
    memcpy(column_set_fixed(batch, index), data, 8);
    return 0;
}

static int decode_numeric(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    /* Bytes of the magnitude for a precision: ceil(precision * log2(10) / 8). */
    static const uint8_t sizes[39] = {0, 1, 1,  2,  2,  3,  3,  3,  4,  4,  5,  5,  5,  6,  6,  7,  7,  8,  8, 8,
                                      9, 9, 10, 10, 10, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 15, 16, 16};
    const Field *field = &batch->schema->fields[index];
    DBNUMERIC numeric;
    unsigned __int128 value = 0;
    __int128 signed_value;

    if (length < 3 || length > (int)sizeof numeric)
        return short_value(batch, index, length, error);
    memset(&numeric, 0, sizeof numeric);
    memcpy(&numeric, data, (size_t)length);
    if (numeric.precision < 1 || numeric.precision > 38)
        return short_value(batch, index, length, error);
    if (numeric.scale != field->scale)
        return error_set(error, ERROR_GONE, "CALL sluice.refresh of the source.",
                         "column \"%.200s\" has scale %d and not %d any more", field->source_name, numeric.scale,
                         field->scale);
    for (int i = 1; i <= sizes[numeric.precision]; i++)
        value = value << 8 | numeric.array[i];
    signed_value = numeric.array[0] ? -(__int128)value : (__int128)value;
    memcpy(column_set_fixed(batch, index), &signed_value, sizeof signed_value);
    return 0;
}

static int decode_money(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    __int128 value;

    if (length == 8) {
        DBMONEY money;

        memcpy(&money, data, sizeof money);
        value = (int64_t)((uint64_t)(uint32_t)money.mnyhigh << 32 | money.mnylow);
    } else if (length == 4) {
        int32_t money;

        memcpy(&money, data, sizeof money);
        value = money;
    } else {
        return short_value(batch, index, length, error);
    }
    memcpy(column_set_fixed(batch, index), &value, sizeof value);
    return 0;
}

static int decode_date(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    DBDATETIMEALL all;

    if (length != (int)sizeof all)
        return short_value(batch, index, length, error);
    memcpy(&all, data, sizeof all);
    *(int32_t *)column_set_fixed(batch, index) = all.date - DAYS_1900_TO_1970;
    return 0;
}

static int decode_time(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    DBDATETIMEALL all;

    if (length != (int)sizeof all)
        return short_value(batch, index, length, error);
    memcpy(&all, data, sizeof all);
    *(int64_t *)column_set_fixed(batch, index) = (int64_t)all.time;
    return 0;
}

int decode_datetime2(const void *data, int length, int64_t *ret)
{
    DBDATETIMEALL all;

    if (length != (int)sizeof all)
        return -1;
    memcpy(&all, data, sizeof all);
    *ret = ((int64_t)all.date - DAYS_1900_TO_1970) * TICKS_A_DAY + (int64_t)all.time;
    return 0;
}

int decode_datetime(const void *data, int length, int64_t *ret)
{
    if (length == 8) {
        DBDATETIME datetime;

        /* 1/300 s, shown (and kept) with three digits: .000, .003, .007 */
        memcpy(&datetime, data, sizeof datetime);
        *ret = ((int64_t)datetime.dtdays - DAYS_1900_TO_1970) * TICKS_A_DAY +
               (((int64_t)datetime.dttime * 10 + 1) / 3) * 10000;
        return 0;
    }
    if (length == 4) {
        DBDATETIME4 datetime;

        memcpy(&datetime, data, sizeof datetime);
        *ret = ((int64_t)datetime.days - DAYS_1900_TO_1970) * TICKS_A_DAY + (int64_t)datetime.minutes * 600000000;
        return 0;
    }
    return -1;
}

static int decode_timestamp(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    int64_t ticks;

    if ((length == (int)sizeof(DBDATETIMEALL) ? decode_datetime2(data, length, &ticks)
                                              : decode_datetime(data, length, &ticks)) < 0)
        return short_value(batch, index, length, error);
    *(int64_t *)column_set_fixed(batch, index) = ticks;
    return 0;
}

int decode_datetimeoffset(const void *data, int length, ColumnInstant *ret)
{
    DBDATETIMEALL all;

    if (length != (int)sizeof all)
        return -1;
    memcpy(&all, data, sizeof all);
    memset(ret, 0, sizeof *ret);
    ret->utc = ((int64_t)all.date - DAYS_1900_TO_1970) * TICKS_A_DAY + (int64_t)all.time;
    ret->offset_minutes = all.offset;
    return 0;
}

static int decode_instant(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    ColumnInstant instant;

    if (decode_datetimeoffset(data, length, &instant) < 0)
        return short_value(batch, index, length, error);
    memcpy(column_set_fixed(batch, index), &instant, sizeof instant);
    return 0;
}

/* The first three groups are little-endian on the wire. */
static int decode_uuid(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint8_t *bytes = data;
    uint8_t *ret;

    if (length != 16)
        return short_value(batch, index, length, error);
    ret = column_set_fixed(batch, index);
    for (int i = 0; i < 16; i++)
        ret[i] = bytes[order[i]];
    return 0;
}

static int decode_bytes(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    return column_set_bytes(batch, index, data, (size_t)length, error);
}

static size_t utf8_put(uint32_t code, uint8_t *ret)
{
    if (code < 0x80) {
        ret[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        ret[0] = (uint8_t)(0xC0 | code >> 6);
        ret[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        ret[0] = (uint8_t)(0xE0 | code >> 12);
        ret[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        ret[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    ret[0] = (uint8_t)(0xF0 | code >> 18);
    ret[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    ret[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    ret[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

int decode_utf16(ColumnBatch *batch, int index, const void *data, int length, Error *error)
{
    const uint8_t *bytes = data;
    uint8_t *text;
    size_t size = 0;
    int status;

    if (length % 2)
        return short_value(batch, index, length, error);
    text = malloc((size_t)length / 2 * 3 + 1);
    if (!text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a text of %d bytes", length);
    for (int i = 0; i < length; i += 2) {
        uint32_t code = bytes[i] | (uint32_t)bytes[i + 1] << 8;
        uint32_t next = i + 3 < length ? bytes[i + 2] | (uint32_t)bytes[i + 3] << 8 : 0;

        if ((code & 0xFC00) == 0xD800 && (next & 0xFC00) == 0xDC00) {
            code = 0x10000 + ((code & 0x3FF) << 10 | (next & 0x3FF));
            i += 2;
        }
        size += utf8_put(code, text + size);
    }
    status = column_set_bytes(batch, index, text, size, error);
    free(text);
    return status;
}

typedef struct Fit {
    ColumnType type;
    int wire;
    Decode decode;
} Fit;

static const Fit fits[] = {
    {COLUMN_BOOLEAN, SYBBIT, decode_bit},
    {COLUMN_BOOLEAN, SYBBITN, decode_bit},
    {COLUMN_INT16, SYBINT1, decode_tinyint},
    {COLUMN_INT16, SYBINT2, decode_copy2},
    {COLUMN_INT32, SYBINT4, decode_copy4},
    {COLUMN_INT64, SYBINT8, decode_copy8},
    {COLUMN_FLOAT32, SYBREAL, decode_copy4},
    {COLUMN_FLOAT64, SYBFLT8, decode_copy8},
    {COLUMN_DECIMAL, SYBDECIMAL, decode_numeric},
    {COLUMN_DECIMAL, SYBNUMERIC, decode_numeric},
    {COLUMN_DECIMAL, SYBMONEY, decode_money},
    {COLUMN_DECIMAL, SYBMONEY4, decode_money},
    {COLUMN_DATE, SYBMSDATE, decode_date},
    {COLUMN_TIME, SYBMSTIME, decode_time},
    {COLUMN_TIMESTAMP, SYBDATETIME, decode_timestamp},
    {COLUMN_TIMESTAMP, SYBDATETIME4, decode_timestamp},
    {COLUMN_TIMESTAMP, SYBMSDATETIME2, decode_timestamp},
    {COLUMN_TIMESTAMPTZ, SYBMSDATETIMEOFFSET, decode_instant},
    {COLUMN_STRING, SYBCHAR, decode_bytes},
    {COLUMN_STRING, SYBVARCHAR, decode_bytes},
    {COLUMN_STRING, SYBTEXT, decode_bytes},
    {COLUMN_STRING, SYBNTEXT, decode_bytes},
    {COLUMN_STRING, WIRE_NVARCHAR, decode_bytes},
    {COLUMN_STRING, WIRE_NCHAR, decode_bytes},
    {COLUMN_STRING, WIRE_BIGVARCHAR, decode_bytes},
    {COLUMN_STRING, WIRE_BIGCHAR, decode_bytes},
    {COLUMN_STRING, WIRE_XML, decode_bytes},
    {COLUMN_BINARY, SYBBINARY, decode_bytes},
    {COLUMN_BINARY, SYBVARBINARY, decode_bytes},
    {COLUMN_BINARY, SYBIMAGE, decode_bytes},
    {COLUMN_BINARY, WIRE_BIGVARBINARY, decode_bytes},
    {COLUMN_BINARY, WIRE_BIGBINARY, decode_bytes},
    {COLUMN_BINARY, WIRE_UDT, decode_bytes},
    {COLUMN_UUID, 36, decode_uuid},
};

int decode_choose(const Field *field, int wire, Decode *ret, Error *error)
{
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        if (fits[i].type == field->type && fits[i].wire == wire) {
            *ret = fits[i].decode;
            return 0;
        }
    }
    return error_set(error, ERROR_GONE, "CALL sluice.refresh of the source: the column was altered.",
                     "column \"%.200s\" is %s in the schema, but comes as wire type %d", field->source_name,
                     field->source_type, wire);
}
