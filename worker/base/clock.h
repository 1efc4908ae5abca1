/*
 * clock.h - time. Wall time is for people and object names, monotonic time for every wait and age.
 */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_us(void);      /* microseconds since 1970 UTC */
int64_t clock_monotonic_ms(void);
void clock_sleep_ms(int64_t ms);  /* returns early on a signal */
/* "2026-11-20" and "08" of a UTC microsecond time; day holds 11 bytes, hour 3. */
void clock_day_hour(int64_t wall_us, char day[11], char hour[3]);
/* Seconds since 1970 of "2026-11-20T11:50:00.000Z" (UTC; the fraction is passed over); -1 for any other text. */
int64_t clock_seconds_from_text(const char *text);
/* "20261120-083015123": the same time to the millisecond, as part of a name that sorts; stamp holds 19 bytes. */
void clock_stamp(int64_t wall_us, char stamp[19]);
/* Days since 1970-01-01 <-> civil date, proleptic Gregorian, years 1..9999. */
int64_t clock_days_from_civil(int year, int month, int day);
void clock_civil_from_days(int64_t days, int *year, int *month, int *day);

#endif
