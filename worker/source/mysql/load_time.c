/* load_time.c - see load_time.h */
#include "source/mysql/load_time.h"
#include "base/clock.h"

#include <string.h>

#define TICKS_A_SECOND 10000000LL
#define TICKS_A_DAY (86400 * TICKS_A_SECOND)
#define TICKS_A_MICROSECOND 10

typedef struct WireMoment {
    uint16_t year;
    uint8_t month, day, hour, minute, second;
    uint32_t microsecond;
} WireMoment;

/* A length byte, then as much of year, month, day, hour, minute, second, microseconds as is not zero. */
static int moment_take(const LoadValue *value, const uint8_t **at, const uint8_t *end, WireMoment *ret, Error *error)
{
    const uint8_t *from = *at;
    size_t length;

    memset(ret, 0, sizeof *ret);
    if (from == end)
        return load_value_short(value, error);
    length = *from++;
    if ((size_t)(end - from) < length)
        return load_value_short(value, error);
    if (length != 0 && length != 4 && length != 7 && length != 11)
        return load_value_malformed(value, error);
    if (length >= 4) {
        memcpy(&ret->year, from, 2);
        ret->month = from[2];
        ret->day = from[3];
    }
    if (length >= 7) {
        ret->hour = from[4];
        ret->minute = from[5];
        ret->second = from[6];
    }
    if (length == 11)
        memcpy(&ret->microsecond, from + 7, 4);
    *at = from + length;
    if (ret->hour > 23 || ret->minute > 59 || ret->second > 59 || ret->microsecond > 999999)
        return load_value_malformed(value, error);
    return 0;
}

/* The number of the day, kept from row to row since neighbours mostly share it. False: no day of the calendar. */
static bool moment_day(LoadValue *value, const WireMoment *moment, int64_t *ret)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t date = (uint32_t)moment->year << 16 | (uint32_t)moment->month << 8 | moment->day;

    if (date != value->date) {
        bool leap = moment->year % 4 == 0 && (moment->year % 100 != 0 || moment->year % 400 == 0);

        if (moment->year < 1 || moment->year > 9999 || moment->month < 1 || moment->month > 12 || moment->day < 1 ||
            moment->day > days[moment->month - 1] + (leap && moment->month == 2))
            return false;
        value->day = clock_days_from_civil(moment->year, moment->month, moment->day);
        value->date = date;
    }
    *ret = value->day;
    return true;
}

static int64_t moment_ticks(const WireMoment *moment)
{
    return (moment->hour * 3600 + moment->minute * 60 + moment->second) * TICKS_A_SECOND + (int64_t)moment->microsecond * TICKS_A_MICROSECOND;
}

int load_time_date(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    WireMoment moment;
    int64_t day;

    if (moment_take(value, at, end, &moment, error) < 0)
        return -1;
    if (!moment_day(value, &moment, &day))
        return 0;
    ((int32_t *)(void *)value->vector->fixed)[row] = (int32_t)day;
    return 1;
}

int load_time_timestamp(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    WireMoment moment;
    int64_t day;

    if (moment_take(value, at, end, &moment, error) < 0)
        return -1;
    if (!moment_day(value, &moment, &day))
        return 0;
    ((int64_t *)(void *)value->vector->fixed)[row] = day * TICKS_A_DAY + moment_ticks(&moment);
    return 1;
}

/* The session is in UTC. */
int load_time_instant(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    WireMoment moment;
    int64_t day;

    if (moment_take(value, at, end, &moment, error) < 0)
        return -1;
    if (!moment_day(value, &moment, &day))
        return 0;
    ((ColumnInstant *)(void *)value->vector->fixed)[row] = (ColumnInstant){.utc = day * TICKS_A_DAY + moment_ticks(&moment)};
    return 1;
}

static char *digits_put(char *to, uint32_t number, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + count;
}

static char *clock_put(char *to, const WireMoment *moment, uint32_t hours, int fraction)
{
    static const uint32_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

    to = digits_put(to, hours, hours > 99 ? 3 : 2);
    *to++ = ':';
    to = digits_put(to, moment->minute, 2);
    *to++ = ':';
    to = digits_put(to, moment->second, 2);
    if (fraction > 0 && fraction <= 6) {
        *to++ = '.';
        to = digits_put(to, moment->microsecond / units[fraction], fraction);
    }
    return to;
}

int load_time_date_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    char text[40], *to = text;
    WireMoment moment;

    if (moment_take(value, at, end, &moment, error) < 0)
        return -1;
    to = digits_put(to, moment.year, 4);
    *to++ = '-';
    to = digits_put(to, moment.month, 2);
    *to++ = '-';
    to = digits_put(to, moment.day, 2);
    if (value->wire.type != MYSQL_TYPE_DATE && value->wire.type != MYSQL_TYPE_NEWDATE) {
        *to++ = ' ';
        to = clock_put(to, &moment, moment.hour, value->wire.decimals);
    }
    return load_value_store(value, row, text, (size_t)(to - text), error);
}

/* A length byte: 0 = zero, 8 or 12: sign, days (4), hour, minute, second, microseconds (4). */
int load_time_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error)
{
    const uint8_t *from = *at;
    WireMoment moment = {0};
    char text[40], *to = text;
    uint32_t days = 0;
    size_t length;

    if (from == end)
        return load_value_short(value, error);
    length = *from++;
    if ((size_t)(end - from) < length)
        return load_value_short(value, error);
    if (length != 0 && length != 8 && length != 12)
        return load_value_malformed(value, error);
    if (length) {
        if (from[0])
            *to++ = '-';
        memcpy(&days, from + 1, 4);
        moment.hour = from[5];
        moment.minute = from[6];
        moment.second = from[7];
    }
    if (length == 12)
        memcpy(&moment.microsecond, from + 8, 4);
    *at = from + length;
    if (days > 34 || moment.hour > 23 || moment.minute > 59 || moment.second > 59 || moment.microsecond > 999999)
        return load_value_malformed(value, error);
    to = clock_put(to, &moment, days * 24 + moment.hour, value->wire.decimals);
    return load_value_store(value, row, text, (size_t)(to - text), error);
}
