/*
 * value_time.c - dates and times of the log.
 *
 * A zero or partial date, a day that the calendar does not have (ALLOW_INVALID_DATES) and the year 0 have no place in a field of a
 * temporal type: they land as null and are counted, or as the server's text where the field is text.
 * Layouts: MySQL source, mysys/my_time.cc (my_time_packed_from_binary and its kin); the old ones with a fraction MariaDB, sql/field.cc, Field_*_hires.
 */
#include "base/clock.h"
#include "source/mysql/shape_code.h"
#include "source/mysql/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS_A_SECOND 10000000LL /* 100 ns units */
#define DAY_SECONDS 86400
#define TIME_ZERO_SECONDS 3020400 /* 838:59:59 and one second: what MariaDB's old format adds to a time */
#define TEXT_MAX 64
#define FRACTION_MAX 16 /* room kept for it at the end of a text */

static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

typedef struct Civil {
    unsigned year, month, day, hour, minute, second, us;
} Civil;

static bool civil_sound(const Civil *civil)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned most;

    if (civil->year < 1 || civil->year > 9999 || civil->month < 1 || civil->month > 12)
        return false;
    most = days[civil->month - 1];
    if (civil->month == 2 && civil->year % 4 == 0 && (civil->year % 100 != 0 || civil->year % 400 == 0))
        most = 29;
    return civil->day >= 1 && civil->day <= most && civil->hour < 24 && civil->minute < 60 && civil->second < 60;
}

static int null_counted(const Value *value, ColumnBatch *batch)
{
    column_set_null(batch, value->field, false);
    if (value->nulled)
        ++*value->nulled;
    return 0;
}

static int fraction_put(char *to, unsigned us, unsigned digits)
{
    return digits ? snprintf(to, FRACTION_MAX, ".%0*u", (int)digits, us / (unsigned)powers[6 - digits]) : 0;
}

static int civil_text(const Value *value, const Civil *civil, ColumnBatch *batch, Error *error)
{
    char text[TEXT_MAX];
    int length = snprintf(text, sizeof text - FRACTION_MAX, "%04u-%02u-%02u %02u:%02u:%02u", civil->year, civil->month, civil->day, civil->hour, civil->minute,
                          civil->second);

    length += fraction_put(text + length, civil->us, value->scale);
    return column_set_bytes(batch, value->field, text, (size_t)length, error);
}

static int64_t civil_ticks(const Civil *civil)
{
    int64_t days = clock_days_from_civil((int)civil->year, (int)civil->month, (int)civil->day);

    return (days * DAY_SECONDS + (int64_t)(civil->hour * 3600 + civil->minute * 60 + civil->second)) * TICKS_A_SECOND + (int64_t)civil->us * 10;
}

static void ticks_civil(int64_t ticks, Civil *ret)
{
    int64_t seconds = ticks / TICKS_A_SECOND;
    int year, month, day;

    clock_civil_from_days(seconds / DAY_SECONDS, &year, &month, &day);
    seconds %= DAY_SECONDS;
    *ret = (Civil){(unsigned)year, (unsigned)month, (unsigned)day, (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60),
                   (unsigned)(ticks % TICKS_A_SECOND / 10)};
}

/* Microseconds of the bytes behind a DATETIME2, TIMESTAMP2: digits in pairs. */
static unsigned fraction_read(const uint8_t *data, unsigned bytes)
{
    static const unsigned units[] = {0, 10000, 100, 1};

    return bytes ? (unsigned)big_endian(data, bytes) * units[bytes] : 0;
}

static Civil date_read(const uint8_t *data)
{
    unsigned number = (unsigned)little_endian(data, 3);

    return (Civil){.year = number >> 9, .month = number >> 5 & 15, .day = number & 31};
}

static int decode_date(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    Civil civil = date_read(data);
    int32_t days;

    (void)length, (void)error;
    if (!civil_sound(&civil))
        return null_counted(value, batch);
    days = (int32_t)clock_days_from_civil((int)civil.year, (int)civil.month, (int)civil.day);
    memcpy(column_set_fixed(batch, value->field), &days, sizeof days);
    return 0;
}

static int decode_date_text(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    Civil civil = date_read(data);
    char text[TEXT_MAX];

    (void)length;
    length = (size_t)snprintf(text, sizeof text, "%04u-%02u-%02u", civil.year, civil.month, civil.day);
    return column_set_bytes(batch, value->field, text, length, error);
}

static int datetime_store(const Value *value, const Civil *civil, ColumnBatch *batch, Error *error)
{
    int64_t ticks;

    if (batch->schema->fields[value->field].type == COLUMN_STRING)
        return civil_text(value, civil, batch, error);
    if (!civil_sound(civil))
        return null_counted(value, batch);
    ticks = civil_ticks(civil);
    memcpy(column_set_fixed(batch, value->field), &ticks, sizeof ticks);
    return 0;
}

static int decode_datetime2(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t packed = big_endian(data, 5) & 0x7fffffffffULL;
    unsigned months = (unsigned)(packed >> 22), clock = (unsigned)packed & 0x1ffff;
    Civil civil = {months / 13, months % 13, (unsigned)(packed >> 17 & 31), clock >> 12, clock >> 6 & 63, clock & 63, fraction_read(data + 5, value->bytes)};

    (void)length;
    return datetime_store(value, &civil, batch, error);
}

/* 20241231235959 */
static int decode_datetime_old(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t number = little_endian(data, 8), date = number / 1000000, clock = number % 1000000;
    Civil civil = {(unsigned)(date / 10000), (unsigned)(date / 100 % 100), (unsigned)(date % 100), (unsigned)(clock / 10000), (unsigned)(clock / 100 % 100),
                   (unsigned)(clock % 100), 0};

    (void)length;
    return datetime_store(value, &civil, batch, error);
}

static int decode_datetime_hires(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t packed = big_endian(data, length), unit = (uint64_t)powers[value->scale], seconds = packed / unit;
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24, months = days / 32;
    Civil civil = {(unsigned)(months / 13), (unsigned)(months % 13), (unsigned)(days % 32), (unsigned)(hours % 24), (unsigned)(minutes % 60),
                   (unsigned)(seconds % 60), (unsigned)(packed % unit) * (unsigned)powers[6 - value->scale]};

    return datetime_store(value, &civil, batch, error);
}

/* Seconds of UTC; 0 and no fraction is the zero date. */
static int timestamp_store(const Value *value, uint32_t seconds, unsigned us, ColumnBatch *batch, Error *error)
{
    ColumnInstant instant;
    Civil civil = {0};

    memset(&instant, 0, sizeof instant);
    instant.utc = (int64_t)seconds * TICKS_A_SECOND + (int64_t)us * 10;
    if (batch->schema->fields[value->field].type == COLUMN_STRING) {
        if (instant.utc)
            ticks_civil(instant.utc, &civil);
        return civil_text(value, &civil, batch, error);
    }
    if (!instant.utc)
        return null_counted(value, batch);
    memcpy(column_set_fixed(batch, value->field), &instant, sizeof instant);
    return 0;
}

static int decode_timestamp2(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length;
    return timestamp_store(value, (uint32_t)big_endian(data, 4), fraction_read(data + 4, value->bytes), batch, error);
}

static int decode_timestamp_old(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    (void)length;
    return timestamp_store(value, (uint32_t)little_endian(data, 4), 0, batch, error);
}

static int decode_timestamp_hires(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    unsigned fraction = (unsigned)big_endian(data + 4, length - 4);

    return timestamp_store(value, (uint32_t)big_endian(data, 4), fraction * (unsigned)powers[6 - value->scale], batch, error);
}

static int time_store(const Value *value, bool negative, uint64_t hours, unsigned minutes, unsigned seconds, unsigned us, ColumnBatch *batch, Error *error)
{
    char text[TEXT_MAX];
    int length = snprintf(text, sizeof text - FRACTION_MAX, "%s%02u:%02u:%02u", negative ? "-" : "", (unsigned)hours, minutes, seconds);

    length += fraction_put(text + length, us, value->scale);
    return column_set_bytes(batch, value->field, text, (size_t)length, error);
}

/* Sign, hours 10 bits, minutes 6, seconds 6, fraction: one number, of which a negative one is the complement. */
static int decode_time2(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    static const unsigned units[] = {0, 10000, 100, 1};
    unsigned bits = value->bytes * 8u;
    int64_t packed = (int64_t)big_endian(data, length) - ((int64_t)0x800000 << bits);
    uint64_t number = (uint64_t)llabs(packed), clock = number >> bits;
    unsigned fraction = (unsigned)(number & ((1ULL << bits) - 1));

    return time_store(value, packed < 0, clock >> 12 & 0x3ff, (unsigned)(clock >> 6 & 63), (unsigned)(clock & 63), fraction * units[value->bytes], batch,
                      error);
}

/* 8385959, negative as a whole. */
static int decode_time_old(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int32_t number = (int32_t)((uint32_t)little_endian(data, 3) << 8) >> 8;
    unsigned clock = (unsigned)abs(number);

    (void)length;
    return time_store(value, number < 0, clock / 10000, clock / 100 % 100, clock % 100, 0, batch, error);
}

static int decode_time_hires(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    int64_t unit = powers[value->scale], packed = (int64_t)big_endian(data, length) - TIME_ZERO_SECONDS * unit;
    uint64_t number = (uint64_t)llabs(packed), seconds = number / (uint64_t)unit;
    unsigned us = (unsigned)(number % (uint64_t)unit) * (unsigned)powers[6 - value->scale];

    return time_store(value, packed < 0, seconds / 3600, (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), us, batch, error);
}

int value_time_choose(const ValueSpec *spec, Value *ret)
{
    ColumnType type = spec->schema->fields[spec->field].type;
    uint8_t code = spec->map->types[spec->index];
    bool text = type == COLUMN_STRING;

    if (spec->column->declared.kind < SHAPE_DATE || spec->column->declared.kind > SHAPE_TIMESTAMP)
        return 0;
    ret->scale = spec->column->declared.scale;
    ret->bytes = (uint8_t)((spec->map->meta[spec->index] + 1) / 2);
    switch (spec->column->declared.kind) {
    case SHAPE_DATE:
        ret->decode = text ? decode_date_text : type == COLUMN_DATE ? decode_date : NULL;
        break;
    case SHAPE_TIME:
        if (text)
            ret->decode = code == CODE_TIME2 ? decode_time2 : ret->scale ? decode_time_hires : decode_time_old;
        break;
    case SHAPE_DATETIME:
        if (text || type == COLUMN_TIMESTAMP)
            ret->decode = code == CODE_DATETIME2 ? decode_datetime2 : ret->scale ? decode_datetime_hires : decode_datetime_old;
        break;
    default:
        if (text || type == COLUMN_TIMESTAMPTZ)
            ret->decode = code == CODE_TIMESTAMP2 ? decode_timestamp2 : ret->scale ? decode_timestamp_hires : decode_timestamp_old;
    }
    return 0;
}
