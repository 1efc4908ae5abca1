/* debezium_value.c - one value as Debezium writes it; see debezium.h */
#include "format/debezium.h"
#include "format/float_text.h"
#include "format/json_text.h"
#include "format/value_text.h"

#include <stdlib.h>
#include <string.h>

#define LOAD(type, from) (__extension__({ type loaded; memcpy(&loaded, from, sizeof loaded); loaded; }))

static int out_of_range(const JsonlColumn *column, const char *what, int64_t value, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\": %s %lld cannot be written", column->value.field->name, what, (long long)value);
}

/* As java.math.BigInteger gives its bytes, which Kafka Connect's Decimal is made of: no more than the sign needs, at least one. */
static char *decimal_bytes(__int128 unscaled, char *text)
{
    uint8_t bytes[16];
    size_t skip = 0;

    for (int i = 15; i >= 0; i--) {
        bytes[i] = (uint8_t)((unsigned __int128)unscaled & 0xff);
        unscaled >>= 8;
    }
    while (skip < 15 && ((bytes[skip] == 0x00 && bytes[skip + 1] < 0x80) || (bytes[skip] == 0xff && bytes[skip + 1] >= 0x80)))
        skip++;
    *text++ = '"';
    text = base64_text(text, bytes + skip, sizeof bytes - skip);
    *text++ = '"';
    return text;
}

/* Through the decimal text, which strtod rounds correctly; the worker never leaves the C locale. */
static char *decimal_double(__int128 unscaled, int scale, char *text)
{
    char digits[DECIMAL_TEXT_MAX + 9];

    *decimal128_text(digits, unscaled, scale) = '\0';
    return float64_text(text, strtod(digits, NULL));
}

static char *decimal_string(__int128 unscaled, int scale, char *text)
{
    *text++ = '"';
    text = decimal128_text(text, unscaled, scale);
    *text++ = '"';
    return text;
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* A datetime2(7) before 1677 or after 2262 has more nanoseconds than 64 bits hold. The connector's number wraps; this one is right. */
static char *nanoseconds(int64_t ticks, char *text)
{
    return decimal128_text(text, (__int128)ticks * 100, 0);
}

/* Of the fraction no more digits than it needs, none where it is 0. */
static char *time_short(char *text, int64_t ticks)
{
    char *end = time_text(text, ticks, 7);

    while (end[-1] == '0')
        end--;
    return end[-1] == '.' ? end - 1 : end;
}

static int date_write(const JsonlColumn *column, int64_t days, char *text, char **end, Error *error)
{
    if (days < DATE_DAYS_MIN || days > DATE_DAYS_MAX)
        return out_of_range(column, "day", days, error);
    *end = date_text(text, (int32_t)days);
    return 0;
}

static int time_write(const JsonlColumn *column, int64_t ticks, char *text, char **end, Error *error)
{
    if (ticks < 0 || ticks >= TICKS_PER_DAY)
        return out_of_range(column, "time of day (100 ns)", ticks, error);
    *end = time_short(text, ticks);
    return 0;
}

static int timestamp_write(const JsonlColumn *column, int64_t ticks, char *text, char **end, Error *error)
{
    int64_t days = floor_divide(ticks, TICKS_PER_DAY);

    if (date_write(column, days, text, &text, error) < 0)
        return -1;
    *text++ = 'T';
    *end = time_short(text, ticks - days * TICKS_PER_DAY);
    return 0;
}

static int instant_write(const JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error)
{
    ColumnInstant instant;
    int64_t local;

    memcpy(&instant, value, sizeof instant);
    if (instant.offset_minutes < -1439 || instant.offset_minutes > 1439)
        return out_of_range(column, "offset", instant.offset_minutes, error);
    if (__builtin_add_overflow(instant.utc, instant.offset_minutes * 60 * TICKS_PER_SECOND, &local))
        return out_of_range(column, "instant", instant.utc, error);
    if (timestamp_write(column, local, text, &text, error) < 0)
        return -1;
    if (instant.offset_minutes)
        text = offset_text(text, instant.offset_minutes);
    else
        *text++ = 'Z';
    *end = text;
    return 0;
}

static void upper(char *text, const char *end)
{
    for (; text < end; text++) {
        if (*text >= 'a' && *text <= 'f')
            *text = (char)(*text - 'a' + 'A');
    }
}

static int quoted_value(JsonlColumn *column, DebeziumForm form, const uint8_t *value, char *text, char **end, Error *error)
{
    char *start = text + 1;
    int result = 0;

    *text++ = '"';
    switch (form) {
    case DEBEZIUM_ISO_DATE:
        result = date_write(column, LOAD(int32_t, value), text, &text, error);
        break;
    case DEBEZIUM_ISO_TIME:
        result = time_write(column, LOAD(int64_t, value), text, &text, error);
        break;
    case DEBEZIUM_ISO_TIMESTAMP:
        result = timestamp_write(column, LOAD(int64_t, value), text, &text, error);
        break;
    case DEBEZIUM_ZONED:
        result = instant_write(column, value, text, &text, error);
        break;
    case DEBEZIUM_UUID:
        text = uuid_text(text, value);
        upper(start, text);
        break;
    default:
        return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\" has no fixed type", column->value.field->name);
    }
    if (form == DEBEZIUM_ISO_DATE || form == DEBEZIUM_ISO_TIME || form == DEBEZIUM_ISO_TIMESTAMP)
        *text++ = 'Z';
    *text++ = '"';
    *end = text;
    return result;
}

int debezium_value(JsonlColumn *column, DebeziumForm form, const uint8_t *value, char *text, char **end, Error *error)
{
    switch (form) {
    case DEBEZIUM_PLAIN:
        return jsonl_value(column, value, text, end, error);
    case DEBEZIUM_DECIMAL_BYTES:
        *end = decimal_bytes(LOAD(__int128, value), text);
        return 0;
    case DEBEZIUM_DECIMAL_DOUBLE:
        *end = decimal_double(LOAD(__int128, value), column->value.field->scale, text);
        return 0;
    case DEBEZIUM_DECIMAL_STRING:
        *end = decimal_string(LOAD(__int128, value), column->value.field->scale, text);
        return 0;
    case DEBEZIUM_DAYS:
        *end = int64_text(text, LOAD(int32_t, value));
        return 0;
    case DEBEZIUM_MILLISECONDS:
        *end = int64_text(text, floor_divide(LOAD(int64_t, value), 10000));
        return 0;
    case DEBEZIUM_MICROSECONDS:
        *end = int64_text(text, floor_divide(LOAD(int64_t, value), 10));
        return 0;
    case DEBEZIUM_NANOSECONDS:
        *end = nanoseconds(LOAD(int64_t, value), text);
        return 0;
    default:
        return quoted_value(column, form, value, text, end, error);
    }
}

char *debezium_bytes(DebeziumForm form, const uint8_t *data, size_t length, char *text)
{
    char *end;

    if (form == DEBEZIUM_HEX)
        return hex_text(text, data, length);
    end = base64_text(text, data, length);
    for (; form == DEBEZIUM_BASE64_URL && text < end; text++) {
        if (*text == '+')
            *text = '-';
        else if (*text == '/')
            *text = '_';
    }
    return end;
}

int debezium_quote(const char *value, Buffer *ret, Error *error)
{
    size_t length = strlen(value), bad;
    char *end;

    if (buffer_reserve(ret, length * JSON_ESCAPE_FACTOR + 16, error) < 0)
        return -1;
    ret->data[ret->length++] = '"';
    end = json_escape(ret->data + ret->length, (const uint8_t *)value, length, &bad);
    if (!end)
        return error_set(error, ERROR_PERMANENT, NULL, "the name \"%.200s\" is not UTF-8 at its byte %zu", value, bad + 1);
    *end++ = '"';
    ret->length = (size_t)(end - ret->data);
    return 0;
}
