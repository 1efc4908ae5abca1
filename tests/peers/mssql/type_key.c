/*
 * Sort keys. Text under a binary collation sorts by its code units; under any other by a primary weight per character
 * (punctuation, digits, letters without case and accent), then by accents, then, where the collation says CS, by
 * case (capitals first under the SQL_ collations, last under those of Windows).
 * Trailing spaces do not count, as in every comparison of SQL Server. This is the documented order of classes, not
 * the full weight table of Windows.
 */
#include "scalar.h"
#include "text.h"
#include <string.h>

static void big(Bytes *ret, uint64_t number, size_t size)
{
    uint8_t raw[8];

    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    bytes_append(ret, raw, size);
}

/* Every exact number as sign byte and 16 bytes of magnitude; negative ones inverted. The scale is the column's. */
static void number_key(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    Scalar scalar = {0};
    uint8_t key[17];

    number_decode(type, value, length, &scalar);
    bool negative = scalar.negative && scalar.magnitude > 0;
    key[0] = negative ? 0 : 1;
    for (int i = 0; i < 16; i++)
        key[1 + i] = (uint8_t)(scalar.magnitude >> (8 * (15 - i))) ^ (negative ? 0xFF : 0);
    if (type->type == TYPE_DECIMAL || type->type == TYPE_NUMERIC)
        bytes_append(ret, key, sizeof key);
    else { /* up to 64 bits */
        bytes_append(ret, key, 1);
        bytes_append(ret, key + 9, 8);
    }
}

static void float_key(const TypeInfo *type, const uint8_t *value, Bytes *ret)
{
    double number;
    float narrow;
    uint64_t bits;

    if (type->type == TYPE_REAL) {
        memcpy(&narrow, value, 4);
        number = (double)narrow;
    } else {
        memcpy(&number, value, 8);
    }
    if (number == 0)
        number = 0; /* -0 equals 0 */
    memcpy(&bits, &number, 8);
    big(ret, bits >> 63 ? ~bits : bits | 1ULL << 63, 8);
}

static void time_key(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    Scalar scalar = {0};

    time_decode(type, value, length, &scalar);
    int64_t ticks = scalar.ticks - scalar.offset_minutes * 60 * TICKS_PER_SECOND; /* by the moment, not the clock */
    int32_t days = scalar.days;
    if (ticks < 0) {
        ticks += TICKS_PER_DAY;
        days--;
    }
    if (ticks >= TICKS_PER_DAY) {
        ticks -= TICKS_PER_DAY;
        days++;
    }
    if (type->type != TYPE_TIME)
        big(ret, (uint64_t)(days + 1), 4);
    if (type->type != TYPE_DATE)
        big(ret, (uint64_t)ticks, 8);
}

/* The letters U+00C0..U+017F stand for, in upper case; 0 = no letter of ASCII (its own weight). */
static const char base_00c0[] = "AAAAAA\0CEEEEIIII\0NOOOOO\0OUUUUY\0\0"
                                "AAAAAA\0CEEEEIIII\0NOOOOO\0OUUUUY\0Y";
static const char base_0100[] = "AAAAAACCCCCCCCDDDDEEEEEEEEEEGGGG"
                                "GGGGHHHHIIIIIIIIII\0\0JJKK\0LLLLLL\0"
                                "\0LLNNNNNN\0\0\0OOOOOO\0\0RRRRRRSSSSSS"
                                "SSTTTTTTUUUUUUUUUUUUWWYYYZZZZZZS";

static uint32_t upper(uint32_t code)
{
    if ((code >= 'a' && code <= 'z') || (code >= 0xE0 && code <= 0xFE && code != 0xF7) ||
        (code >= 0x3B1 && code <= 0x3C9) || (code >= 0x430 && code <= 0x44F))
        return code - 32;
    if (code >= 0x450 && code <= 0x45F)
        return code - 80;
    if (code == 0xFF)
        return 0x178;
    if ((code >= 0x100 && code <= 0x137) || (code >= 0x14A && code <= 0x177))
        return code & ~1u;
    if ((code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E))
        return (code & 1) ? code : code - 1;
    return code;
}

static uint32_t base(uint32_t code)
{
    char letter = '\0';

    if (code >= 0xC0 && code < 0x100)
        letter = base_00c0[code - 0xC0];
    else if (code >= 0x100 && code < 0x100 + sizeof base_0100 - 1)
        letter = base_0100[code - 0x100];
    return letter ? (uint32_t)letter : code;
}

static uint16_t weight(uint32_t code)
{
    static const char punctuation[] = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

    if (code >= '0' && code <= '9')
        return (uint16_t)(0x0400 + code);
    if (code >= 'A' && code <= 'Z')
        return (uint16_t)(0x0500 + code);
    const char *found = code && code < 0x80 ? strchr(punctuation, (int)code) : NULL;
    if (found)
        return (uint16_t)(0x0100 + (found - punctuation));
    if (code < 0x20)
        return (uint16_t)(0x0010 + code);
    return code < 0xA0 ? (uint16_t)(0x0200 + code) : code > 0xF000 ? 0xFFFF : (uint16_t)(0x0600 + code);
}

static void dictionary_key(const char *text, size_t length, bool case_counts, bool capitals_first, bool accent_counts,
                           Bytes *ret)
{
    Bytes accents = {0}, cases = {0};

    for (const char *end = text + length; text < end;) {
        uint32_t code = text_next_utf8(&text, end), capital = upper(code), letter = base(capital);
        uint16_t primary = weight(letter);
        uint8_t accent = letter == capital ? 1 : (uint8_t)(2 + (capital & 0x7F)),
                small = (capital == code) == capitals_first ? 1 : 2;
        big(ret, primary, 2);
        if (primary == 0xFFFF || code > 0xFFFF)
            big(ret, code, 4); /* beyond the table: by its number */
        bytes_append(&accents, &accent, 1);
        bytes_append(&cases, &small, 1);
    }
    if (accent_counts || case_counts)
        big(ret, 0, 2);
    if (accent_counts)
        bytes_append(ret, accents.data, accents.length);
    if (case_counts) {
        big(ret, 0, 1);
        bytes_append(ret, cases.data, cases.length);
    }
    bytes_free(&accents);
    bytes_free(&cases);
}

static void text_key(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    Bytes utf8 = {0};
    size_t unit = is_wide(type->type) ? 2 : 1;

    while (length >= unit && value[length - unit] == ' ' && (unit == 1 || value[length - 1] == 0))
        length -= unit;
    if (strstr(type->collation, "_BIN")) {
        for (size_t i = 0; i + unit <= length; i += unit) {
            if (unit == 2)
                bytes_append(ret, &value[i + 1], 1);
            bytes_append(ret, &value[i], 1);
        }
        return;
    }
    if (unit == 2)
        text_utf8_from_utf16(value, length, &utf8);
    else
        text_utf8_from_1252(value, length, &utf8);
    dictionary_key((const char *)utf8.data, utf8.length, strstr(type->collation, "_CS") != NULL,
                   strncmp(type->collation, "SQL_", 4) == 0, strstr(type->collation, "_AI") == NULL, ret);
    bytes_free(&utf8);
}

static void guid_key(const uint8_t *value, Bytes *ret)
{
    static const uint8_t order[16] = {10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3};

    for (int i = 0; i < 16; i++)
        bytes_append(ret, &value[order[i]], 1);
}

/* Trailing zeros do not count: binary values compare as if padded with them. */
static void binary_key(const uint8_t *value, size_t length, Bytes *ret)
{
    while (length > 0 && value[length - 1] == 0)
        length--;
    bytes_append(ret, value, length);
}

/* Data type families of sql_variant, highest first in the documentation; within a family by value. */
static int variant_key(const uint8_t *value, size_t length, Bytes *ret)
{
    TypeInfo type;
    const uint8_t *inner;
    size_t inner_length;
    Bytes cast = {0};
    SqlError error;

    if (variant_unwrap(value, length, &type, &inner, &inner_length) != 0)
        return -1;
    uint8_t family = is_binary(type.type)                 ? 1
                     : type.type == TYPE_UNIQUEIDENTIFIER ? 2
                     : is_text(type.type)                 ? 3
                     : is_number(type.type)               ? 4
                     : !is_time(type.type)                ? 5
                                                          : 6;
    TypeInfo common = type;
    if (family == 4)
        type_parse("decimal", 38, 10, &common, &error);
    else if (family == 6)
        type_parse("datetimeoffset", 7, -1, &common, &error);
    bytes_append(ret, &family, 1);
    int result = 0;
    if (value_cast(&type, inner, inner_length, &common, &cast, &error) == 0)
        result = value_sort_key(&common, cast.data, cast.length, ret);
    else
        result = value_sort_key(&type, inner, inner_length, ret);
    bytes_free(&cast);
    return result;
}

int value_sort_key(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    if (is_number(type->type))
        number_key(type, value, length, ret);
    else if (type->type == TYPE_REAL || type->type == TYPE_FLOAT)
        float_key(type, value, ret);
    else if (is_time(type->type))
        time_key(type, value, length, ret);
    else if (is_text(type->type))
        text_key(type, value, length, ret);
    else if (type->type == TYPE_UNIQUEIDENTIFIER)
        guid_key(value, ret);
    else if (type->type == TYPE_SQL_VARIANT)
        return variant_key(value, length, ret);
    else if (is_binary(type->type))
        binary_key(value, length, ret);
    else
        bytes_append(ret, value, length);
    return 0;
}
