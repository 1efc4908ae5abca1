/* float_text.c - see float_text.h. The algorithm is Schubfach (R. Giulietti, 2021), one routine for both widths. */
#include "format/float_text.h"
#include "format/decimal_powers.h"
#include "format/value_text.h"

#include <stdbool.h>
#include <string.h>

typedef struct Decimal {
    uint64_t digits;
    int exponent; /* value = digits * 10^exponent */
} Decimal;

/* floor(power * factor / 2^128) of a 128-bit power, its last bit set where a remainder was cut off. */
static uint64_t multiply_to_odd(const uint64_t power[2], uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power[1] * factor;
    unsigned __int128 sum = (unsigned __int128)power[0] * factor + (uint64_t)(low >> 64);

    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

/* Shortest decimal in the rounding interval of c * 2^q. `closer`: the lower neighbour is at half the distance (c a power of 2). */
static Decimal decimal_shortest(uint64_t c, int q, bool closer)
{
    bool odd = c & 1;
    int k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; /* floor(log10(2^q)), or of 3/4 of it */
    int h = q + ((-k * 1741647) >> 19) + 1;              /* (...) is floor(log2(10^-k)) */
    const uint64_t *power = decimal_powers[-k - DECIMAL_POWER_MIN];
    uint64_t lower = multiply_to_odd(power, (4 * c - 2 + closer) << h) + odd;
    uint64_t middle = multiply_to_odd(power, 4 * c << h);
    uint64_t upper = multiply_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = middle / 4;
    bool below, above;

    if (s >= 10) {
        uint64_t tens = s / 10;

        below = lower <= 40 * tens;
        above = 40 * tens + 40 <= upper;
        if (below != above)
            return (Decimal){tens + above, k + 1};
    }
    below = lower <= 4 * s;
    above = 4 * s + 4 <= upper;
    if (below != above)
        return (Decimal){s + above, k};
    /* Both or neither lie inside: the nearer one, ties to even. */
    return (Decimal){s + (middle > 4 * s + 2 || (middle == 4 * s + 2 && (s & 1))), k};
}

static char *decimal_text(char *text, Decimal decimal)
{
    char digits[24];
    int count, point;

    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    count = (int)(uint64_text(digits, decimal.digits) - digits);
    point = count + decimal.exponent; /* digits before the decimal point */
    if (point > 17 || point < -4) {
        *text++ = digits[0];
        if (count > 1) {
            *text++ = '.';
            memcpy(text, digits + 1, (size_t)count - 1);
            text += count - 1;
        }
        *text++ = 'e';
        return int64_text(text, point - 1);
    }
    if (point <= 0) {
        memcpy(text, "0.0000", 6);
        text += 2 - point;
        memcpy(text, digits, (size_t)count);
        return text + count;
    }
    if (point >= count) {
        memcpy(text, digits, (size_t)count);
        memset(text + count, '0', (size_t)(point - count));
        text += point;
        *text++ = '.';
        *text++ = '0';
        return text;
    }
    memcpy(text, digits, (size_t)point);
    text[point] = '.';
    memcpy(text + point + 1, digits + point, (size_t)(count - point));
    return text + count + 1;
}

/* bits: fraction below `width` bits, then the exponent with its bias; the sign has been taken off. */
static char *fraction_text(char *text, uint64_t bits, int width, int bias)
{
    uint64_t hidden = (uint64_t)1 << width;
    uint64_t fraction = bits & (hidden - 1);
    int exponent = (int)(bits >> width);
    uint64_t c = exponent ? hidden | fraction : fraction;
    int q = (exponent ? exponent : 1) - bias;

    if (!c) {
        memcpy(text, "0.0", 3);
        return text + 3;
    }
    if (q <= 0 && q > -width - 1 && (c & (((uint64_t)1 << -q) - 1)) == 0)
        return decimal_text(text, (Decimal){c >> -q, 0}); /* a small whole number */
    return decimal_text(text, decimal_shortest(c, q, fraction == 0 && exponent > 1));
}

char *float64_text(char *text, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (bits >> 63)
        *text++ = '-';
    return fraction_text(text, bits & ~((uint64_t)1 << 63), 52, 1075);
}

char *float32_text(char *text, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (bits >> 31)
        *text++ = '-';
    return fraction_text(text, bits & 0x7fffffff, 23, 150);
}
