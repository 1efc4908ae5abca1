#include "scalar.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days since 0001-01-01 of the proleptic Gregorian calendar, and back. */
static int32_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 306;
}

static void date_of(int32_t days, int *year, int *month, int *day)
{
    int32_t z = days + 306, era = z / 146097, doe = z - era * 146097;
    int32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int32_t mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

bool is_time(SqlType type)
{
    return type >= TYPE_DATE && type <= TYPE_DATETIMEOFFSET;
}

static int64_t ticks_unit(int scale) /* 100 ns in one unit of time(scale) */
{
    int64_t unit = 1;

    for (int i = scale; i < 7; i++)
        unit *= 10;
    return unit;
}

static uint64_t little(const uint8_t *value, size_t length)
{
    uint64_t number = 0;

    for (size_t i = 0; i < length; i++)
        number |= (uint64_t)value[i] << (8 * i);
    return number;
}

/* Moves ticks that left their day into the neighbouring one. */
static void carry(Scalar *scalar)
{
    while (scalar->ticks >= TICKS_PER_DAY) {
        scalar->ticks -= TICKS_PER_DAY;
        scalar->days++;
    }
    while (scalar->ticks < 0) {
        scalar->ticks += TICKS_PER_DAY;
        scalar->days--;
    }
}

void time_decode(const TypeInfo *type, const uint8_t *value, size_t length, Scalar *ret)
{
    size_t time_size = type->scale <= 2 ? 3 : type->scale <= 4 ? 4 : 5;

    ret->kind = SCALAR_TIME;
    ret->has_date = type->type != TYPE_TIME;
    ret->has_time = type->type != TYPE_DATE;
    ret->days = DAYS_1900;
    switch (type->type) {
    case TYPE_DATE:
        ret->days = (int32_t)little(value, 3);
        break;
    case TYPE_DATETIME:
        ret->days = (int32_t)(uint32_t)little(value, 4) + DAYS_1900;
        ret->ticks = ((int64_t)little(value + 4, 4) * 100000 + 1) / 3;
        break;
    case TYPE_SMALLDATETIME:
        ret->days = (int32_t)little(value, 2) + DAYS_1900;
        ret->ticks = (int64_t)little(value + 2, 2) * 60 * TICKS_PER_SECOND;
        break;
    default:
        ret->ticks = (int64_t)little(value, time_size) * ticks_unit(type->scale);
        if (type->type != TYPE_TIME)
            ret->days = (int32_t)little(value + time_size, 3);
        if (type->type == TYPE_DATETIMEOFFSET) { /* stored in UTC */
            ret->offset_minutes = (int16_t)little(value + length - 2, 2);
            ret->has_offset = true;
            ret->ticks += ret->offset_minutes * 60 * TICKS_PER_SECOND;
            carry(ret);
        }
    }
}

static void put(Bytes *ret, uint64_t number, size_t size)
{
    uint8_t raw[8];

    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(number >> (8 * i));
    bytes_append(ret, raw, size);
}

static int out_of_range(const TypeInfo *from, const TypeInfo *to, SqlError *error)
{
    return type_error(error, 242, 3,
                      "The conversion of a %s data type to a %s data type resulted in an out-of-range value.",
                      type_name(from), type_name(to));
}

static int datetime_encode(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    int32_t days = scalar->days;
    int64_t units = (scalar->ticks * 3 + 50000) / 100000;

    if (units == 25920000) {
        units = 0;
        days++;
    }
    if (days < DAYS_1753 || days > DAYS_MAX)
        return out_of_range(from, to, error);
    put(ret, (uint32_t)(days - DAYS_1900), 4);
    put(ret, (uint64_t)units, 4);
    return 0;
}

/* Up to 29.998 s a minute is rounded down, from 29.999 s on up: the value passes through 1/300 s first. */
static int smalldatetime_encode(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret,
                                SqlError *error)
{
    int32_t days = scalar->days;
    int64_t units = (scalar->ticks * 3 + 50000) / 100000, minutes = (units + 9000) / 18000;

    if (minutes == 1440) {
        minutes = 0;
        days++;
    }
    if (days < DAYS_1900 || days - DAYS_1900 > 65535)
        return out_of_range(from, to, error);
    put(ret, (uint64_t)(days - DAYS_1900), 2);
    put(ret, (uint64_t)minutes, 2);
    return 0;
}

static int fine_encode(const Scalar *given, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    Scalar scalar = *given;
    int64_t unit = ticks_unit(to->scale);
    size_t time_size = to->scale <= 2 ? 3 : to->scale <= 4 ? 4 : 5;

    if (to->type == TYPE_DATETIMEOFFSET) {
        scalar.ticks -= scalar.offset_minutes * 60 * TICKS_PER_SECOND;
        carry(&scalar);
    }
    int64_t rounded = (scalar.ticks + unit / 2) / unit * unit;
    if (rounded >= TICKS_PER_DAY && to->type != TYPE_TIME && scalar.days >= DAYS_MAX)
        rounded = scalar.ticks / unit * unit; /* there is no day after 9999-12-31: the fraction is cut */
    scalar.ticks = rounded;
    carry(&scalar);
    if (to->type != TYPE_TIME && (scalar.days < 0 || scalar.days > DAYS_MAX))
        return out_of_range(from, to, error);
    put(ret, (uint64_t)(scalar.ticks / unit), time_size);
    if (to->type != TYPE_TIME)
        put(ret, (uint32_t)scalar.days, 3);
    if (to->type == TYPE_DATETIMEOFFSET)
        put(ret, (uint16_t)(int16_t)scalar.offset_minutes, 2);
    return 0;
}

int time_encode(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    if ((from->type == TYPE_DATE && to->type == TYPE_TIME) || (from->type == TYPE_TIME && to->type == TYPE_DATE))
        return type_error(error, 206, 2, "Operand type clash: %s is incompatible with %s", type_name(from),
                          type_name(to));
    switch (to->type) {
    case TYPE_DATE:
        put(ret, (uint32_t)scalar->days, 3);
        return 0;
    case TYPE_DATETIME:
        return datetime_encode(scalar, from, to, ret, error);
    case TYPE_SMALLDATETIME:
        return smalldatetime_encode(scalar, from, to, ret, error);
    default:
        return fine_encode(scalar, from, to, ret, error);
    }
}

/* A cursor over the text of a date or time. */
typedef struct Cursor {
    const char *at, *end;
} Cursor;

static bool skip(Cursor *cursor, char c)
{
    if (cursor->at < cursor->end && *cursor->at == c) {
        cursor->at++;
        return true;
    }
    return false;
}

static void spaces(Cursor *cursor)
{
    while (skip(cursor, ' '))
        ;
}

/* The number of digits read; 0 if none stand there. */
static int digits(Cursor *cursor, int most, int *ret)
{
    int count = 0;

    *ret = 0;
    while (cursor->at < cursor->end && isdigit((unsigned char)*cursor->at) && count < most) {
        *ret = *ret * 10 + (*cursor->at++ - '0');
        count++;
    }
    return count;
}

static bool date_set(Scalar *ret, int year, int month, int day)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    ret->has_date = true;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
        return false;
    ret->days = days_of(year, month, day);
    return true;
}

/* "Nov 20 2026" or "Nov 20, 2026". */
static bool month_name_parse(Cursor *cursor, Scalar *ret)
{
    int day, year;

    for (int month = 0; month < 12; month++)
        if (cursor->end - cursor->at > 3 && strncasecmp(cursor->at, months[month], 3) == 0) {
            cursor->at += 3;
            while (cursor->at < cursor->end && isalpha((unsigned char)*cursor->at))
                cursor->at++;
            spaces(cursor);
            if (digits(cursor, 2, &day) == 0)
                return false;
            skip(cursor, ',');
            spaces(cursor);
            return digits(cursor, 4, &year) == 4 && date_set(ret, year, month + 1, day);
        }
    return false;
}

/* YYYY-MM-DD, YYYY/MM/DD, YYYY.MM.DD, YYYYMMDD and, under us_english, MM/DD/YYYY. Nothing that is a time is eaten. */
static bool date_parse(Cursor *cursor, Scalar *ret, bool *found)
{
    Cursor start = *cursor;
    int first, second, third, count = digits(cursor, 8, &first);

    *found = true;
    if (count == 0)
        return month_name_parse(cursor, ret);
    if (count == 8)
        return date_set(ret, first / 10000, first / 100 % 100, first % 100);
    char separator = cursor->at < cursor->end ? *cursor->at : '\0';
    if (separator == ':' || count == 3 || count > 4 || (count <= 2 && !strchr("-/.", separator)) || !separator) {
        *cursor = start;
        *found = false;
        return separator == ':' || count <= 2;
    }
    if (!strchr("-/.", separator) || !skip(cursor, separator) || digits(cursor, 2, &second) == 0 ||
        !skip(cursor, separator))
        return false;
    int last = digits(cursor, 4, &third);
    return count == 4 ? last <= 2 && date_set(ret, first, second, third)
                      : last == 4 && date_set(ret, third, first, second);
}

static bool offset_parse(Cursor *cursor, Scalar *ret)
{
    int hours, minutes;
    bool negative;

    spaces(cursor);
    if (skip(cursor, 'Z') || skip(cursor, 'z')) {
        ret->has_offset = true;
        return true;
    }
    negative = skip(cursor, '-');
    if (!negative && !skip(cursor, '+'))
        return true;
    if (digits(cursor, 2, &hours) != 2 || !skip(cursor, ':') || digits(cursor, 2, &minutes) != 2 || minutes > 59 ||
        hours * 60 + minutes > 840)
        return false;
    ret->has_offset = true;
    ret->offset_minutes = (negative ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

/* hh:mm[:ss[.fraction]] [AM|PM], also hhAM. */
static bool clock_parse(Cursor *cursor, Scalar *ret)
{
    int hour, minute = 0, second = 0, fraction = 0, noon = -1;
    bool colon;

    if (digits(cursor, 2, &hour) == 0)
        return false;
    colon = skip(cursor, ':');
    if (colon && digits(cursor, 2, &minute) == 0)
        return false;
    if (colon && skip(cursor, ':')) {
        if (digits(cursor, 2, &second) == 0)
            return false;
        if (skip(cursor, '.') && (ret->fraction_digits = digits(cursor, 7, &fraction)) == 0)
            return false;
        for (int i = ret->fraction_digits; i < 7 && ret->fraction_digits; i++)
            fraction *= 10;
    }
    spaces(cursor);
    if (cursor->end - cursor->at >= 2 && toupper((unsigned char)cursor->at[1]) == 'M') {
        char half = (char)toupper((unsigned char)cursor->at[0]);
        noon = half == 'A' ? 0 : half == 'P' ? 1 : -1;
        cursor->at += noon >= 0 ? 2 : 0;
    }
    if ((!colon && noon < 0) || hour > (noon >= 0 ? 12 : 23) || minute > 59 || second > 59)
        return false;
    if (noon >= 0)
        hour = hour % 12 + 12 * noon;
    ret->ticks = ((int64_t)hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + fraction;
    ret->has_time = true;
    return true;
}

int time_parse(const TypeInfo *to, const char *text, size_t length, Scalar *ret, SqlError *error)
{
    Cursor cursor = {text, text + length};
    bool found = false, good = true;

    ret->kind = SCALAR_TIME;
    ret->days = DAYS_1900;
    while (cursor.end > cursor.at && cursor.end[-1] == ' ')
        cursor.end--;
    spaces(&cursor);
    if (cursor.at < cursor.end) { /* an empty string is 1900-01-01 */
        good = date_parse(&cursor, ret, &found);
        if (good && found && cursor.at < cursor.end && !skip(&cursor, 'T'))
            spaces(&cursor);
        bool more = cursor.at < cursor.end && isdigit((unsigned char)*cursor.at);
        if (good && more)
            good = clock_parse(&cursor, ret);
        good = good && offset_parse(&cursor, ret) && cursor.at == cursor.end && (ret->has_date || ret->has_time);
    }
    /* The old types take at most milliseconds and no offset other than Z. */
    bool old = to->type == TYPE_DATETIME || to->type == TYPE_SMALLDATETIME;
    if (good && !(old && (ret->fraction_digits > 3 || ret->offset_minutes)))
        return 0;
    if (old && !good && ret->has_date && !ret->has_time && cursor.at == cursor.end) /* a date that no calendar has */
        return type_error(error, 242, 3,
                          "The conversion of a varchar data type to a %s data type resulted in an out-of-range "
                          "value.",
                          type_name(to));
    if (to->type == TYPE_SMALLDATETIME)
        return type_error(error, 295, 3,
                          "Conversion failed when converting character string to smalldatetime data type.");
    return type_error(error, 241, 1, "Conversion failed when converting date and/or time from character string.");
}

static size_t clock_format(char *text, size_t size, const Scalar *scalar, int scale)
{
    int seconds = (int)(scalar->ticks / TICKS_PER_SECOND);
    int length = snprintf(text, size, "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);

    if (scale > 0)
        length += snprintf(text + length, size - (size_t)length, ".%0*lld", scale,
                           (long long)(scalar->ticks % TICKS_PER_SECOND / ticks_unit(scale)));
    return (size_t)length;
}

void time_format(const TypeInfo *type, const Scalar *scalar, Bytes *ret)
{
    char text[80];
    int year, month, day, length = 0;

    date_of(scalar->days, &year, &month, &day);
    if (type->type == TYPE_DATETIME || type->type == TYPE_SMALLDATETIME) { /* style 0 */
        int minutes = (int)(scalar->ticks / (60 * TICKS_PER_SECOND)), hour = minutes / 60;
        length = snprintf(text, sizeof text, "%s %2d %04d %2d:%02d%s", months[month - 1], day, year,
                          hour % 12 ? hour % 12 : 12, minutes % 60, hour < 12 ? "AM" : "PM");
        bytes_append(ret, text, (size_t)length);
        return;
    }
    if (type->type != TYPE_TIME)
        length = snprintf(text, sizeof text, "%04d-%02d-%02d%s", year, month, day, type->type == TYPE_DATE ? "" : " ");
    if (type->type != TYPE_DATE)
        length += (int)clock_format(text + length, sizeof text - (size_t)length, scalar, type->scale);
    if (type->type == TYPE_DATETIMEOFFSET) {
        int offset = scalar->offset_minutes < 0 ? -scalar->offset_minutes : scalar->offset_minutes;
        length += snprintf(text + length, sizeof text - (size_t)length, " %c%02d:%02d",
                           scalar->offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
    }
    bytes_append(ret, text, (size_t)length);
}
