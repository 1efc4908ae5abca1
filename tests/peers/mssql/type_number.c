#include "scalar.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static U128 power10(int exponent)
{
    U128 power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

bool is_number(SqlType type)
{
    return type <= TYPE_SMALLMONEY;
}

size_t decimal_bytes(uint8_t precision)
{
    return precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17;
}

static int64_t signed_little(const uint8_t *value, size_t length)
{
    uint64_t number = 0;

    for (size_t i = 0; i < length; i++)
        number |= (uint64_t)value[i] << (8 * i);
    if (length < 8 && (value[length - 1] & 0x80))
        number |= ~0ULL << (8 * length);
    return (int64_t)number;
}

static void scalar_integer(Scalar *ret, int64_t number)
{
    ret->negative = number < 0;
    ret->magnitude = number < 0 ? (U128)(-(number + 1)) + 1 : (U128)number;
}

int number_decode(const TypeInfo *type, const uint8_t *value, size_t length, Scalar *ret)
{
    ret->kind = SCALAR_NUMBER;
    switch (type->type) {
    case TYPE_BIT:
    case TYPE_TINYINT:
        ret->magnitude = value[0];
        return 0;
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        scalar_integer(ret, signed_little(value, length));
        return 0;
    case TYPE_MONEY: { /* the high half comes first */
        uint8_t ordered[8];
        memcpy(ordered, value + 4, 4);
        memcpy(ordered + 4, value, 4);
        scalar_integer(ret, signed_little(ordered, 8));
        ret->scale = 4;
        return 0;
    }
    case TYPE_SMALLMONEY:
        scalar_integer(ret, signed_little(value, 4));
        ret->scale = 4;
        return 0;
    default:
        ret->negative = value[0] == 0;
        for (size_t i = length; i-- > 1;)
            ret->magnitude = ret->magnitude << 8 | value[i];
        ret->scale = type->scale;
        return 0;
    }
}

/* Rounds half away from zero, or cuts; false if it does not fit 38 digits. */
static bool rescale(Scalar *scalar, int scale, bool cut)
{
    while (scalar->scale < scale) {
        if (scalar->magnitude > (~(U128)0) / 10)
            return false;
        scalar->magnitude *= 10;
        scalar->scale++;
    }
    if (scalar->scale > scale) {
        int digits = scalar->scale - scale;
        U128 divisor = digits > 38 ? 0 : power10(digits);
        U128 rest = divisor ? scalar->magnitude % divisor : scalar->magnitude;
        scalar->magnitude = divisor ? scalar->magnitude / divisor : 0;
        if (!cut && divisor && rest >= divisor - rest)
            scalar->magnitude++;
        scalar->scale = scale;
    }
    return true;
}

static const char *source_name(const TypeInfo *from)
{
    switch (from->type) {
    case TYPE_BIT:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_MONEY:
        return "expression";
    case TYPE_DECIMAL:
        return "numeric";
    default:
        return type_name(from);
    }
}

static int overflow(const TypeInfo *from, const TypeInfo *to, SqlError *error)
{
    const char *name = to->type == TYPE_DECIMAL ? "numeric" : type_name(to);

    return type_error(error, 8115, to->type == TYPE_DECIMAL || to->type == TYPE_NUMERIC ? 8 : 2,
                      "Arithmetic overflow error converting %s to data type %s.", source_name(from), name);
}

/* Overflows of the small integers have their own numbers, by where the value came from. */
static int integer_overflow(const Scalar *scalar, const TypeInfo *from, const TypeInfo *to, SqlError *error)
{
    long long shown = (long long)scalar->magnitude;

    if (is_text(from->type) && (to->type == TYPE_TINYINT || to->type == TYPE_SMALLINT))
        return type_error(error, 244, 1,
                          "The conversion of the %s value '%s%lld' overflowed an %s column. Use a larger "
                          "integer column.",
                          type_name(from), scalar->negative ? "-" : "", shown,
                          to->type == TYPE_TINYINT ? "INT1" : "INT2");
    if (is_text(from->type) && to->type == TYPE_INT)
        return type_error(error, 248, 1, "The conversion of the %s value '%s%lld' overflowed an int column.",
                          type_name(from), scalar->negative ? "-" : "", shown);
    if (from->type <= TYPE_INT && to->type <= TYPE_SMALLINT)
        return type_error(error, 220, 2, "Arithmetic overflow error for data type %s, value = %s%lld.", type_name(to),
                          scalar->negative ? "-" : "", shown);
    return overflow(from, to, error);
}

static void little_append(Bytes *ret, uint64_t number, size_t size)
{
    uint8_t raw[8];

    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(number >> (8 * i));
    bytes_append(ret, raw, size);
}

static int integer_encode(Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    static const uint64_t most[] = {
        [TYPE_TINYINT] = 255, [TYPE_SMALLINT] = INT16_MAX, [TYPE_INT] = INT32_MAX, [TYPE_BIGINT] = INT64_MAX};
    bool money = from->type == TYPE_MONEY || from->type == TYPE_SMALLMONEY;

    rescale(scalar, 0, !money); /* numeric is cut, money is rounded */
    U128 limit = (U128)most[to->type] + (scalar->negative ? 1 : 0);
    if (to->type == TYPE_TINYINT && scalar->negative && scalar->magnitude > 0)
        limit = 0;
    if (scalar->magnitude > limit)
        return integer_overflow(scalar, from, to, error);
    uint64_t number = (uint64_t)scalar->magnitude;
    little_append(ret, scalar->negative ? 0 - number : number, (size_t)to->max_length);
    return 0;
}

static int money_encode(Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    uint64_t most = to->type == TYPE_MONEY ? INT64_MAX : INT32_MAX;

    if (!rescale(scalar, 4, false) || scalar->magnitude > (U128)most + (scalar->negative ? 1 : 0))
        return overflow(from, to, error);
    uint64_t number = (uint64_t)scalar->magnitude;
    if (scalar->negative)
        number = 0 - number;
    if (to->type == TYPE_MONEY)
        little_append(ret, number >> 32, 4);
    little_append(ret, number & 0xFFFFFFFF, 4);
    return 0;
}

static int decimal_encode(Scalar *scalar, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    uint8_t raw[17] = {0};
    size_t size = decimal_bytes(to->precision);

    if (!rescale(scalar, to->scale, false) || scalar->magnitude >= power10(to->precision))
        return overflow(from, to, error);
    raw[0] = scalar->negative && scalar->magnitude > 0 ? 0 : 1;
    for (size_t i = 1; i < size; i++)
        raw[i] = (uint8_t)(scalar->magnitude >> (8 * (i - 1)));
    bytes_append(ret, raw, size);
    return 0;
}

/* A double as an exact number: all digits below 10^38 that a double can tell apart (17). */
static bool float_to_number(double number, Scalar *ret)
{
    char text[64];

    if (!isfinite(number) || fabs(number) >= 1e38)
        return false;
    int exponent = 0;
    snprintf(text, sizeof text, "%.16e", fabs(number));
    ret->kind = SCALAR_NUMBER;
    ret->negative = number < 0;
    ret->magnitude = 0;
    for (const char *p = text; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            ret->magnitude = ret->magnitude * 10 + (U128)(*p - '0');
    exponent = atoi(strchr(text, 'e') + 1);
    ret->scale = 16 - exponent;
    return ret->scale >= 0 || rescale(ret, 0, false);
}

int number_encode(const Scalar *given, const TypeInfo *from, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    Scalar scalar = *given;

    if (given->kind == SCALAR_FLOAT && to->type == TYPE_BIT) {
        little_append(ret, given->number != 0, 1);
        return 0;
    }
    if (given->kind == SCALAR_FLOAT && !float_to_number(given->number, &scalar))
        return overflow(from, to, error);
    switch (to->type) {
    case TYPE_BIT:
        little_append(ret, scalar.magnitude != 0, 1);
        return 0;
    case TYPE_MONEY:
    case TYPE_SMALLMONEY:
        return money_encode(&scalar, from, to, ret, error);
    case TYPE_DECIMAL:
    case TYPE_NUMERIC:
        return decimal_encode(&scalar, from, to, ret, error);
    default:
        return integer_encode(&scalar, from, to, ret, error);
    }
}

int float_encode(const Scalar *scalar, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    double number = scalar->number;

    if (scalar->kind == SCALAR_NUMBER) {
        char text[80];
        Scalar plain = *scalar;
        Bytes digits = {0};
        number_format(NULL, &plain, &digits);
        snprintf(text, sizeof text, "%.*s", (int)digits.length, (const char *)digits.data);
        bytes_free(&digits);
        number = strtod(text, NULL); /* correctly rounded, which magnitude / 10^scale is not */
    }
    if (to->type == TYPE_REAL) {
        float narrow = (float)number;
        if (isinf(narrow) && !isinf(number))
            return type_error(error, 8115, 2, "Arithmetic overflow error converting expression to data type real.");
        bytes_append(ret, &narrow, 4);
    } else {
        bytes_append(ret, &number, 8);
    }
    return 0;
}

static int not_convertible(const TypeInfo *from, const TypeInfo *to, const char *text, size_t length, SqlError *error)
{
    int shown = length > 200 ? 200 : (int)length;

    switch (to->type) {
    case TYPE_BIT:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
        return type_error(error, 245, 1, "Conversion failed when converting the %s value '%.*s' to data type %s.",
                          type_name(from), shown, text, type_name(to));
    case TYPE_MONEY:
    case TYPE_SMALLMONEY:
        return type_error(error, 235, 0, "Cannot convert a char value to money. The char value has incorrect syntax.");
    default:
        return type_error(error, 8114, 5, "Error converting data type %s to %s.", type_name(from),
                          to->type == TYPE_DECIMAL ? "numeric" : type_name(to));
    }
}

static int float_parse(const TypeInfo *from, const TypeInfo *to, const char *text, size_t length, Scalar *ret,
                       SqlError *error)
{
    char copy[512], *end;

    ret->kind = SCALAR_FLOAT;
    if (length == 0) {
        ret->number = 0;
        return 0;
    }
    if (length >= sizeof copy)
        return not_convertible(from, to, text, length, error);
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "+-0123456789.eE") < length)
        return not_convertible(from, to, text, length, error);
    errno = 0;
    ret->number = strtod(copy, &end);
    if (*end || end == copy)
        return not_convertible(from, to, text, length, error);
    if (errno == ERANGE && fabs(ret->number) > 1)
        return type_error(error, 8115, 2, "Arithmetic overflow error converting %s to data type %s.", type_name(from),
                          type_name(to));
    return 0;
}

/* [sign] digits [. digits]; digits beyond 38 behind the point only round. */
static int digits_parse(const char *text, size_t length, bool money, Scalar *ret, bool *too_big)
{
    size_t i = 0;
    bool point = false, any = false;
    U128 limit = power10(38);

    *too_big = false;
    for (; i < length && (text[i] == '+' || text[i] == '-' || text[i] == ' ' || (money && text[i] == '$')); i++)
        if (text[i] == '-')
            ret->negative = true;
    for (; i < length; i++) {
        if (text[i] == '.' && !point) {
            point = true;
        } else if (text[i] >= '0' && text[i] <= '9') {
            any = true;
            if (ret->magnitude >= limit / 10) {
                *too_big = *too_big || !point;
                continue;
            }
            ret->magnitude = ret->magnitude * 10 + (U128)(text[i] - '0');
            ret->scale += point;
        } else if (!(money && text[i] == ',')) {
            return -1;
        }
    }
    return any ? 0 : -1;
}

int number_parse(const TypeInfo *from, const TypeInfo *to, const char *text, size_t length, Scalar *ret,
                 SqlError *error)
{
    bool money = to->type == TYPE_MONEY || to->type == TYPE_SMALLMONEY, too_big;
    bool integer = to->type <= TYPE_BIGINT;

    while (length > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n' || text[0] == '\r')) {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (to->type == TYPE_FLOAT || to->type == TYPE_REAL)
        return float_parse(from, to, text, length, ret, error);
    ret->kind = SCALAR_NUMBER;
    if (length == 0 && (integer || money))
        return 0; /* an empty string is 0 */
    if (to->type == TYPE_BIT && length == 4 && strncasecmp(text, "true", 4) == 0) {
        ret->magnitude = 1;
        return 0;
    }
    if (to->type == TYPE_BIT && length == 5 && strncasecmp(text, "false", 5) == 0)
        return 0;
    if (digits_parse(text, length, money, ret, &too_big) != 0 || (integer && memchr(text, '.', length)))
        return not_convertible(from, to, text, length, error);
    return too_big ? overflow(from, to, error) : 0;
}

static void float_format(const TypeInfo *type, double number, Bytes *ret)
{
    char text[64];
    (void)type;

    /* Style 0: at most six digits, an exponent has three. */
    int length = snprintf(text, sizeof text, "%.6g", number);
    char *e = strchr(text, 'e');
    if (e) {
        int exponent = atoi(e + 1);
        length = (int)(e - text);
        length += snprintf(e, sizeof text - (size_t)length, "e%c%03d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    bytes_append(ret, text, (size_t)length);
}

/* type NULL: plain digits at the scalar's own scale. Money shows two digits behind the point (style 0). */
void number_format(const TypeInfo *type, const Scalar *given, Bytes *ret)
{
    Scalar scalar = *given;
    char text[64];
    int at = (int)sizeof text, digits = 0;

    if (scalar.kind == SCALAR_FLOAT) {
        float_format(type, scalar.number, ret);
        return;
    }
    if (type && (type->type == TYPE_MONEY || type->type == TYPE_SMALLMONEY))
        rescale(&scalar, 2, false);
    while (scalar.magnitude > 0 || digits <= scalar.scale) {
        if (digits == scalar.scale && digits > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + (int)(scalar.magnitude % 10));
        scalar.magnitude /= 10;
        digits++;
    }
    if (given->negative && given->magnitude > 0)
        text[--at] = '-';
    bytes_append(ret, text + at, sizeof text - (size_t)at);
}
