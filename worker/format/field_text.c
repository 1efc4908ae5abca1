/* field_text.c - see field_text.h */
#include "format/field_text.h"
#include "format/float_text.h"
#include "format/value_text.h"

#include <math.h>
#include <string.h>

static char *literal(char *text, const char *what, size_t length)
{
    memcpy(text, what, length);
    return text + length;
}
#define LITERAL(text, what) literal(text, what, sizeof what - 1)

/* Loads without asking for alignment: vectors are aligned, but nothing here depends on it. */
#define LOAD(type, from) (__extension__({ type loaded; memcpy(&loaded, from, sizeof loaded); loaded; }))

void field_text_init(FieldText *text, const Field *field, char separator)
{
    *text = (FieldText){.field = field, .width = column_width(field->type), .separator = separator, .date_days = INT32_MIN};
}

static int out_of_range(const FieldText *text, const char *what, int64_t value, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\": %s %lld cannot be written", text->field->name, what, (long long)value);
}

static int date_write(FieldText *text, int64_t days, char *to, char **end, Error *error)
{
    if (days != text->date_days) {
        if (days < DATE_DAYS_MIN || days > DATE_DAYS_MAX)
            return out_of_range(text, "day", days, error);
        date_text(text->date, (int32_t)days);
        text->date_days = (int32_t)days;
    }
    memcpy(to, text->date, sizeof text->date);
    *end = to + sizeof text->date;
    return 0;
}

/* A time finer than the column's precision is a source that promised too little; cutting it would lose a value in silence. */
static int time_write(const FieldText *text, int64_t ticks, char *to, char **end, Error *error)
{
    int digits = text->field->precision;

    if (digits > 7 || ticks < 0 || ticks >= TICKS_PER_DAY || (digits < 7 && ticks % ticks_unit(digits) != 0))
        return out_of_range(text, "time of day (100 ns)", ticks, error);
    *end = time_text(to, ticks, digits);
    return 0;
}

static int timestamp_write(FieldText *text, int64_t ticks, char *to, char **end, Error *error)
{
    int64_t days = ticks / TICKS_PER_DAY;
    int64_t rest = ticks % TICKS_PER_DAY;

    if (rest < 0) {
        rest += TICKS_PER_DAY;
        days--;
    }
    if (date_write(text, days, to, &to, error) < 0)
        return -1;
    *to++ = text->separator;
    return time_write(text, rest, to, end, error);
}

static int instant_write(FieldText *text, const uint8_t *value, char *to, char **end, Error *error)
{
    ColumnInstant instant;
    int64_t local;

    memcpy(&instant, value, sizeof instant);
    if (instant.offset_minutes < -1439 || instant.offset_minutes > 1439)
        return out_of_range(text, "offset", instant.offset_minutes, error);
    if (__builtin_add_overflow(instant.utc, instant.offset_minutes * 60 * TICKS_PER_SECOND, &local))
        return out_of_range(text, "instant", instant.utc, error);
    if (timestamp_write(text, local, to, &to, error) < 0)
        return -1;
    *end = offset_text(to, instant.offset_minutes);
    return 0;
}

static char *float_write(double value, bool single, char *to)
{
    if (isnan(value))
        return LITERAL(to, "NaN");
    if (isinf(value))
        return value < 0 ? LITERAL(to, "-Infinity") : LITERAL(to, "Infinity");
    return single ? float32_text(to, (float)value) : float64_text(to, value);
}

bool field_text_is_word(const FieldText *text, const uint8_t *value)
{
    if (text->field->type == COLUMN_FLOAT32)
        return !isfinite(LOAD(float, value));
    return text->field->type == COLUMN_FLOAT64 && !isfinite(LOAD(double, value));
}

static int temporal_write(FieldText *text, const uint8_t *value, char *to, char **end, Error *error)
{
    switch (text->field->type) {
    case COLUMN_DATE:
        return date_write(text, LOAD(int32_t, value), to, end, error);
    case COLUMN_TIME:
        return time_write(text, LOAD(int64_t, value), to, end, error);
    case COLUMN_TIMESTAMP:
        return timestamp_write(text, LOAD(int64_t, value), to, end, error);
    case COLUMN_TIMESTAMPTZ:
        return instant_write(text, value, to, end, error);
    default:
        return error_set(error, ERROR_INTERNAL, NULL, "column \"%.200s\" has no fixed type", text->field->name);
    }
}

int field_text(FieldText *text, const uint8_t *value, char *to, char **end, Error *error)
{
    switch (text->field->type) {
    case COLUMN_BOOLEAN:
        *end = *value ? LITERAL(to, "true") : LITERAL(to, "false");
        return 0;
    case COLUMN_INT16:
        *end = int64_text(to, LOAD(int16_t, value));
        return 0;
    case COLUMN_INT32:
        *end = int64_text(to, LOAD(int32_t, value));
        return 0;
    case COLUMN_INT64:
        *end = int64_text(to, LOAD(int64_t, value));
        return 0;
    case COLUMN_UINT64:
        *end = uint64_text(to, LOAD(uint64_t, value));
        return 0;
    case COLUMN_FLOAT32:
        *end = float_write(LOAD(float, value), true, to);
        return 0;
    case COLUMN_FLOAT64:
        *end = float_write(LOAD(double, value), false, to);
        return 0;
    case COLUMN_DECIMAL:
        *end = decimal128_text(to, LOAD(__int128, value), text->field->scale);
        return 0;
    case COLUMN_UUID:
        *end = uuid_text(to, value);
        return 0;
    default:
        return temporal_write(text, value, to, end, error);
    }
}
