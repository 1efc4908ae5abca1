/* value_text.c - see value_text.h. Two digits a step from a table: division is what costs here. */
#include "format/value_text.h"
#include "base/clock.h"

#include <string.h>

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static inline void pair_text(char *text, unsigned value)
{
    memcpy(text, digit_pairs + 2 * value, 2);
}

/* Exactly `count` digits, leading zeros kept. */
static void padded_text(char *text, uint64_t value, int count)
{
    for (; count >= 2; count -= 2) {
        pair_text(text + count - 2, (unsigned)(value % 100));
        value /= 100;
    }
    if (count)
        *text = (char)('0' + value % 10);
}

char *digits_text(char *text, uint64_t value, int count)
{
    padded_text(text, value, count);
    return text + count;
}

static int digits_count(uint64_t value)
{
    static const uint64_t powers[] = {0,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      10000000000,
                                      100000000000,
                                      1000000000000,
                                      10000000000000,
                                      100000000000000,
                                      1000000000000000,
                                      10000000000000000,
                                      100000000000000000,
                                      1000000000000000000,
                                      10000000000000000000U};
    /* bits * log10(2), which is the count of digits or one less */
    int guess = ((64 - __builtin_clzll(value | 1)) * 1233) >> 12;

    return guess + (value >= powers[guess]);
}

char *uint64_text(char *text, uint64_t value)
{
    int count = value ? digits_count(value) : 1;

    padded_text(text, value, count);
    return text + count;
}

char *int64_text(char *text, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;

    if (value < 0) {
        *text++ = '-';
        magnitude = 0 - magnitude;
    }
    return uint64_text(text, magnitude);
}

/* All digits of up to 39, in pieces of 19 since 128-bit division is slow. */
static char *uint128_text(char *text, unsigned __int128 value)
{
    const uint64_t piece = 10000000000000000000U;

    if (value >> 64 == 0)
        return uint64_text(text, (uint64_t)value);
    text = uint128_text(text, value / piece);
    padded_text(text, (uint64_t)(value % piece), 19);
    return text + 19;
}

char *decimal128_text(char *text, __int128 unscaled, int scale)
{
    unsigned __int128 magnitude = (unsigned __int128)unscaled;
    char digits[40];
    int count;

    if (unscaled < 0) {
        *text++ = '-';
        magnitude = 0 - magnitude;
    }
    if (!scale)
        return uint128_text(text, magnitude);
    count = (int)(uint128_text(digits, magnitude) - digits);
    if (count <= scale) {
        *text++ = '0';
        *text++ = '.';
        memset(text, '0', (size_t)(scale - count));
        text += scale - count;
        memcpy(text, digits, (size_t)count);
        return text + count;
    }
    memcpy(text, digits, (size_t)(count - scale));
    text += count - scale;
    *text++ = '.';
    memcpy(text, digits + count - scale, (size_t)scale);
    return text + scale;
}

char *date_text(char *text, int32_t days)
{
    int year, month, day;

    clock_civil_from_days(days, &year, &month, &day);
    padded_text(text, (uint64_t)year, 4);
    text[4] = '-';
    pair_text(text + 5, (unsigned)month);
    text[7] = '-';
    pair_text(text + 8, (unsigned)day);
    return text + 10;
}

int64_t ticks_unit(int digits)
{
    static const int64_t units[] = {10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};

    return units[digits];
}

char *time_text(char *text, int64_t ticks, int digits)
{
    unsigned seconds = (unsigned)(ticks / TICKS_PER_SECOND);
    unsigned fraction = (unsigned)(ticks % TICKS_PER_SECOND);

    pair_text(text, seconds / 3600);
    text[2] = ':';
    pair_text(text + 3, seconds / 60 % 60);
    text[5] = ':';
    pair_text(text + 6, seconds % 60);
    if (!digits)
        return text + 8;
    text[8] = '.';
    padded_text(text + 9, fraction / (unsigned)ticks_unit(digits), digits);
    return text + 9 + digits;
}

char *offset_text(char *text, int minutes)
{
    unsigned magnitude = (unsigned)(minutes < 0 ? -minutes : minutes);

    text[0] = minutes < 0 ? '-' : '+';
    pair_text(text + 1, magnitude / 60);
    text[3] = ':';
    pair_text(text + 4, magnitude % 60);
    return text + 6;
}

char *hex_text(char *text, const uint8_t *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15];
    }
    return text;
}

char *uuid_text(char *text, const uint8_t bytes[16])
{
    text = hex_text(text, bytes, 4);
    for (int i = 4; i < 10; i += 2) {
        *text++ = '-';
        text = hex_text(text, bytes + i, 2);
    }
    *text++ = '-';
    return hex_text(text, bytes + 10, 6);
}

char *base64_text(char *text, const uint8_t *data, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;

    for (i = 0; i + 3 <= length; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];

        *text++ = letters[three >> 18];
        *text++ = letters[three >> 12 & 63];
        *text++ = letters[three >> 6 & 63];
        *text++ = letters[three & 63];
    }
    if (i < length) {
        uint32_t rest = (uint32_t)data[i] << 16 | (i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0);

        *text++ = letters[rest >> 18];
        *text++ = letters[rest >> 12 & 63];
        *text++ = i + 1 < length ? letters[rest >> 6 & 63] : '=';
        *text++ = '=';
    }
    return text;
}
