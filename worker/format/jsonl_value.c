/* jsonl_value.c - a column's name and its values of fixed width; see jsonl.h */
#include "format/jsonl.h"
#include "format/float_text.h"
#include "format/json_text.h"
#include "format/value_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_ROOM 72 /* the longest fixed value, with quotes and what may be written beyond its end */

static char *literal(char *text, const char *what, size_t length)
{
    memcpy(text, what, length);
    return text + length;
}
#define LITERAL(text, what) literal(text, what, sizeof what - 1)

static int name_escape(const char *name, Buffer *ret, Error *error)
{
    size_t length = strlen(name);
    size_t bad;
    char *end;

    if (buffer_reserve(ret, length * JSON_ESCAPE_FACTOR + 8, error) < 0)
        return -1;
    end = json_escape(ret->data + ret->length, (const uint8_t *)name, length, &bad);
    if (!end)
        return error_set(error, ERROR_PERMANENT, "Override the name of this column.", "a column name is not UTF-8 at its byte %zu", bad + 1);
    ret->length = (size_t)(end - ret->data);
    return 0;
}

int jsonl_column_init(JsonlColumn *column, const Field *field, bool first, Error *error)
{
    Buffer prefix, once, quoted;
    int result = -1;

    *column = (JsonlColumn){.field = field, .width = column_width(field->type), .date_days = INT32_MIN};
    buffer_init(&prefix, KIB(16));
    buffer_init(&once, KIB(16));
    buffer_init(&quoted, KIB(32));
    if (buffer_reserve(&prefix, JSONL_COPY_STEP, error) < 0 || buffer_text(&prefix, first ? "{\"" : ",\"", error) < 0 || name_escape(field->name, &prefix, error) < 0 ||
        buffer_text(&prefix, "\":", error) < 0)
        goto fail;
    if (field->large) {
        /* A JSON text inside a JSON string: the quoted name is escaped once more. */
        if (buffer_text(&once, "\"", error) < 0 || name_escape(field->name, &once, error) < 0 || buffer_text(&once, "\"", error) < 0 ||
            buffer_terminate(&once, error) < 0 || name_escape(once.data, &quoted, error) < 0)
            goto fail;
    }
    column->prefix = prefix.data;
    column->prefix_length = prefix.length;
    column->quoted_name = quoted.data;
    column->quoted_length = quoted.length;
    prefix.data = quoted.data = NULL;
    result = 0;
fail:
    buffer_free(&prefix);
    buffer_free(&once);
    buffer_free(&quoted);
    return result;
}

void jsonl_column_free(JsonlColumn *column)
{
    free(column->prefix);
    free(column->quoted_name);
}

size_t jsonl_column_room(const JsonlColumn *column)
{
    return column->prefix_length + JSONL_COPY_STEP + VALUE_ROOM + column->quoted_length + 1;
}

static int out_of_range(const JsonlColumn *column, const char *what, int64_t value, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\": %s %lld cannot be written", column->field->name, what, (long long)value);
}

static int date_write(JsonlColumn *column, int64_t days, char *text, char **end, Error *error)
{
    if (days != column->date_days) {
        if (days < DATE_DAYS_MIN || days > DATE_DAYS_MAX)
            return out_of_range(column, "day", days, error);
        date_text(column->date, (int32_t)days);
        column->date_days = (int32_t)days;
    }
    memcpy(text, column->date, sizeof column->date);
    *end = text + sizeof column->date;
    return 0;
}

/* A time finer than the column's precision is a source that promised too little; cutting it would lose a value in silence. */
static int time_write(const JsonlColumn *column, int64_t ticks, char *text, char **end, Error *error)
{
    int digits = column->field->precision;

    if (digits > 7 || ticks < 0 || ticks >= TICKS_PER_DAY || (digits < 7 && ticks % ticks_unit(digits) != 0))
        return out_of_range(column, "time of day (100 ns)", ticks, error);
    *end = time_text(text, ticks, digits);
    return 0;
}

static int timestamp_write(JsonlColumn *column, int64_t ticks, char *text, char **end, Error *error)
{
    int64_t days = ticks / TICKS_PER_DAY;
    int64_t rest = ticks % TICKS_PER_DAY;

    if (rest < 0) {
        rest += TICKS_PER_DAY;
        days--;
    }
    if (date_write(column, days, text, &text, error) < 0)
        return -1;
    *text++ = 'T';
    return time_write(column, rest, text, end, error);
}

static int instant_write(JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error)
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
    *end = offset_text(text, instant.offset_minutes);
    return 0;
}

/* JSON has no word for these three. */
static char *float_write(double value, bool single, char *text)
{
    if (isnan(value))
        return LITERAL(text, "\"NaN\"");
    if (isinf(value))
        return value < 0 ? LITERAL(text, "\"-Infinity\"") : LITERAL(text, "\"Infinity\"");
    return single ? float32_text(text, (float)value) : float64_text(text, value);
}

/* Loads without asking for alignment: vectors are aligned, but nothing here depends on it. */
#define LOAD(type, from) (__extension__({ type loaded; memcpy(&loaded, from, sizeof loaded); loaded; }))

static int quoted_value(JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error)
{
    int result = 0;

    *text++ = '"';
    switch (column->field->type) {
    case COLUMN_DATE:
        result = date_write(column, LOAD(int32_t, value), text, &text, error);
        break;
    case COLUMN_TIME:
        result = time_write(column, LOAD(int64_t, value), text, &text, error);
        break;
    case COLUMN_TIMESTAMP:
        result = timestamp_write(column, LOAD(int64_t, value), text, &text, error);
        break;
    case COLUMN_TIMESTAMPTZ:
        result = instant_write(column, value, text, &text, error);
        break;
    case COLUMN_UUID:
        text = uuid_text(text, value);
        break;
    default:
        return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\" has no fixed type", column->field->name);
    }
    *text++ = '"';
    *end = text;
    return result;
}

int jsonl_value(JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error)
{
    switch (column->field->type) {
    case COLUMN_BOOLEAN:
        *end = *value ? LITERAL(text, "true") : LITERAL(text, "false");
        return 0;
    case COLUMN_INT16:
        *end = int64_text(text, LOAD(int16_t, value));
        return 0;
    case COLUMN_INT32:
        *end = int64_text(text, LOAD(int32_t, value));
        return 0;
    case COLUMN_INT64:
        *end = int64_text(text, LOAD(int64_t, value));
        return 0;
    case COLUMN_UINT64:
        *end = uint64_text(text, LOAD(uint64_t, value));
        return 0;
    case COLUMN_FLOAT32:
        *end = float_write(LOAD(float, value), true, text);
        return 0;
    case COLUMN_FLOAT64:
        *end = float_write(LOAD(double, value), false, text);
        return 0;
    case COLUMN_DECIMAL:
        *end = decimal128_text(text, LOAD(__int128, value), column->field->scale);
        return 0;
    default:
        return quoted_value(column, value, text, end, error);
    }
}
