/* document_scalar.c - see document_scalar.h */
#include "source/mysql/document_scalar.h"
#include "source/mysql/shape_code.h"
#include "source/mysql/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE64_LINE 76 /* after so many letters the server writes a line feed */
#define DIGITS_MAX 17
#define POINT_MIN (-14) /* where the point may stand for the number to be written without exponent */
#define POINT_MAX 15

int document_quote(const char *data, size_t length, Buffer *text, Error *error)
{
    static const char letters[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    size_t begin = 0;

    if (buffer_append(text, "\"", 1, error) < 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        uint8_t letter = (uint8_t)data[i];
        char escape[8];
        int size;

        if (letter >= 0x20 && letter != '"' && letter != '\\')
            continue;
        if (letter >= 0x20)
            size = snprintf(escape, sizeof escape, "\\%c", letter);
        else if (letter < sizeof letters && letters[letter])
            size = snprintf(escape, sizeof escape, "\\%c", letters[letter]);
        else
            size = snprintf(escape, sizeof escape, "\\u%04x", letter);
        if (buffer_append(text, data + begin, i - begin, error) < 0 || buffer_append(text, escape, (size_t)size, error) < 0)
            return -1;
        begin = i + 1;
    }
    return buffer_append(text, data + begin, length - begin, error) < 0 ? -1 : buffer_append(text, "\"", 1, error);
}

/* The fewest digits that read back as the number, and where its point stands: 0.{digits} * 10^*point. */
static int digits_find(double number, char digits[DIGITS_MAX + 1], int *point)
{
    int count = fabs(number) < DBL_MIN ? 1 : DBL_DIG;
    char text[40];
    int length = 0;

    for (; count < DIGITS_MAX; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, number);
        if (strtod(text, NULL) == number)
            break;
    }
    snprintf(text, sizeof text, "%.*e", count - 1, number);
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    for (const char *at = text; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            digits[length++] = *at;
    }
    while (length > 1 && digits[length - 1] == '0')
        length--;
    digits[length] = '\0';
    return length;
}

int document_double(const uint8_t *data, Buffer *text, Error *error)
{
    uint64_t bits = little_endian(data, 8);
    char digits[DIGITS_MAX + 1];
    const char *sign = bits >> 63 ? "-" : "";
    double number;
    int count, point;

    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number))
        return error_set(error, ERROR_INTERNAL, NULL, "a JSON document holds a number that JSON does not have");
    if (number == 0)
        return buffer_format(text, error, "%s0.0", sign);
    count = digits_find(fabs(number), digits, &point);
    if (point < POINT_MIN || (point > POINT_MAX && point >= count))
        return buffer_format(text, error, "%s%c%s%se%d", sign, digits[0], count > 1 ? "." : "", digits + 1, point - 1);
    if (point <= 0)
        return buffer_format(text, error, "%s0.%.*s%s", sign, -point, "00000000000000", digits);
    if (point >= count)
        return buffer_format(text, error, "%s%s%.*s.0", sign, digits, point - count, "00000000000000");
    return buffer_format(text, error, "%s%.*s.%s", sign, point, digits, digits + point);
}

static int malformed(Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "a value in a JSON document is malformed");
}

static int opaque_decimal(const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    char digits[VALUE_DECIMAL_TEXT];
    const char *begin;

    if (length < 2 || data[0] < 1 || data[0] > 65 || data[1] > data[0] || length - 2 < value_decimal_width(data[0], data[1]))
        return malformed(error);
    begin = value_decimal_text(data + 2, data[0], data[1], digits);
    return buffer_text(text, begin, error);
}

/* One number: date, time of day (17 bits), microseconds (24 bits). MySQL source, mysys/my_time.cc, TIME_from_longlong_*_packed. */
static int opaque_time(uint8_t type, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    int64_t packed;
    uint64_t number;
    unsigned us, clock, date;

    if (length != 8)
        return malformed(error);
    packed = (int64_t)little_endian(data, 8);
    number = packed < 0 ? 0 - (uint64_t)packed : (uint64_t)packed;
    us = (unsigned)(number & 0xffffff) % 1000000;
    if (type == CODE_TIME) {
        clock = (unsigned)(number >> 24);
        return buffer_format(text, error, "\"%s%02u:%02u:%02u.%06u\"", packed < 0 ? "-" : "", clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63, us);
    }
    clock = (unsigned)(number >> 24 & 0x1ffff);
    date = (unsigned)(number >> 41);
    if (buffer_format(text, error, "\"%04u-%02u-%02u", (date >> 5) / 13, (date >> 5) % 13, date & 31) < 0)
        return -1;
    if (type == CODE_DATE)
        return buffer_append(text, "\"", 1, error);
    return buffer_format(text, error, " %02u:%02u:%02u.%06u\"", clock >> 12, clock >> 6 & 63, clock & 63, us);
}

static int opaque_base64(uint8_t type, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;

    if (buffer_format(text, error, "\"base64:type%u:", type) < 0)
        return -1;
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16 | (i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < length ? data[i + 2] : 0);
        char four[4] = {letters[group >> 18], letters[group >> 12 & 63], i + 1 < length ? letters[group >> 6 & 63] : '=',
                        i + 2 < length ? letters[group & 63] : '='};

        if (written == BASE64_LINE) {
            if (buffer_append(text, "\\n", 2, error) < 0)
                return -1;
            written = 0;
        }
        if (buffer_append(text, four, sizeof four, error) < 0)
            return -1;
        written += sizeof four;
    }
    return buffer_append(text, "\"", 1, error);
}

int document_opaque(uint8_t type, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    switch (type) {
    case CODE_NEWDECIMAL:
        return opaque_decimal(data, length, text, error);
    case CODE_DATE:
    case CODE_TIME:
    case CODE_DATETIME:
    case CODE_TIMESTAMP:
        return opaque_time(type, data, length, text, error);
    default:
        return opaque_base64(type, data, length, text, error);
    }
}
