/*
 * value_text.h - numbers, times and bytes as text, at the speed of the row writer.
 *
 * Each function writes without a 0 byte and returns where it stopped; the caller has made room, the most each can take
 * stands beside it. 8 bytes beyond the returned end may be written too.
 */
#ifndef SLUICE_VALUE_TEXT_H
#define SLUICE_VALUE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define INTEGER_TEXT_MAX 20
#define DECIMAL_TEXT_MAX 48
#define DATE_TEXT_MAX 10
#define TIME_TEXT_MAX 16
#define OFFSET_TEXT_MAX 6
#define UUID_TEXT_MAX 36

#define TICKS_PER_SECOND 10000000LL              /* 100 ns units */
#define TICKS_PER_DAY (86400 * TICKS_PER_SECOND)
#define DATE_DAYS_MIN (-719162)                  /* 0001-01-01 */
#define DATE_DAYS_MAX 2932896                    /* 9999-12-31 */

char *digits_text(char *text, uint64_t value, int count); /* the last `count` digits, leading zeros kept */
char *uint64_text(char *text, uint64_t value);
char *int64_text(char *text, int64_t value);
/* Exactly `scale` fractional digits (0..38), all digits, never an exponent. */
char *decimal128_text(char *text, __int128 unscaled, int scale);
char *date_text(char *text, int32_t days);               /* "2026-11-20", days within DATE_DAYS_MIN..MAX */
char *time_text(char *text, int64_t ticks, int digits);  /* "12:34:56.1234567" with 0..7 fractional digits */
char *offset_text(char *text, int minutes);              /* "+02:00" */
char *uuid_text(char *text, const uint8_t bytes[16]);
char *hex_text(char *text, const uint8_t *data, size_t length);    /* 2 * length */
char *base64_text(char *text, const uint8_t *data, size_t length); /* 4 * ceil(length / 3), padded */
/* Divisors by which a tick count is cut to `digits` fractional digits: 10^(7 - digits). */
int64_t ticks_unit(int digits);

#endif
