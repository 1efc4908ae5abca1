/* clock.c - see clock.h. The civil-date arithmetic counts years from March so that leap days come last. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

int64_t clock_wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&wait, NULL);
}

int64_t clock_days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void clock_civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* Whole days since 1970 and the microseconds of the day; also before 1970. */
static int64_t days_of(int64_t wall_us, int64_t *rest_us)
{
    int64_t days = wall_us / DAY_US;

    *rest_us = wall_us % DAY_US;
    if (*rest_us < 0) {
        *rest_us += DAY_US;
        days--;
    }
    return days;
}

void clock_day_hour(int64_t wall_us, char day[11], char hour[3])
{
    int64_t rest, days = days_of(wall_us, &rest);
    int year, month, date;
    char text[40];

    clock_civil_from_days(days, &year, &month, &date);
    snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, date);
    snprintf(day, 11, "%.10s", text);
    snprintf(text, sizeof text, "%02d", (int)(rest / HOUR_US));
    snprintf(hour, 3, "%.2s", text);
}

int64_t clock_seconds_from_text(const char *text)
{
    int year, month, day, hour, minute, second;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6 || year < 1970 || year > 9999 ||
        month < 1 || month > 12 || day < 1 || day > 31)
        return -1;
    return ((clock_days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

void clock_stamp(int64_t wall_us, char stamp[19])
{
    int64_t rest, days = days_of(wall_us, &rest);
    int year, month, date;
    char text[80];

    clock_civil_from_days(days, &year, &month, &date);
    snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d%03d", year, month, date, (int)(rest / HOUR_US), (int)(rest / 60000000 % 60),
             (int)(rest / 1000000 % 60), (int)(rest / 1000 % 1000));
    snprintf(stamp, 19, "%.18s", text);
}
