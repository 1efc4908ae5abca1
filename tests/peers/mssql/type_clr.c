/*
 * The CLR types as text. hierarchyid: the whole numbers of a path from -4168 to 5199 ([MS-SSCLRT] 2.2, ORDPATH bit
 * patterns); fractions ("/1.5/") are refused. geometry and geography: POINT only ([MS-SSCLRT] 2.1); every other
 * shape goes in and out as 0x... bytes.
 */
#include "scalar.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A range of ordinals: prefix bits, then the bits of (ordinal - least) where the pattern has x; its literal 0 and 1
 * stand between them. T, the last bit, is 1 at the end of a level. */
typedef struct Pattern {
    int least, most;
    const char *bits;
} Pattern;

static const Pattern patterns[] = {
    {0, 3, "01xxT"},
    {4, 7, "100xxT"},
    {8, 15, "101xxxT"},
    {16, 79, "110xx0x1xxxT"},
    {80, 1103, "1110xxx0xxx0x1xxxT"},
    {1104, 5199, "11110xxxxx0xxx0x1xxxT"},
    {-8, -1, "00111xxxT"},
    {-72, -9, "0010xx0x1xxxT"},
    {-4168, -73, "000110xxxxx0xxx0x1xxxT"},
};

static int count_x(const char *bits)
{
    int count = 0;

    for (; *bits; bits++)
        count += *bits == 'x';
    return count;
}

typedef struct BitWriter {
    uint8_t bytes[892];
    size_t bits;
} BitWriter;

static bool bit_put(BitWriter *writer, int bit)
{
    if (writer->bits >= sizeof writer->bytes * 8)
        return false;
    if (bit)
        writer->bytes[writer->bits / 8] |= (uint8_t)(0x80 >> (writer->bits % 8));
    writer->bits++;
    return true;
}

static bool level_put(BitWriter *writer, long ordinal)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (ordinal < patterns[i].least || ordinal > patterns[i].most)
            continue;
        long rest = ordinal - patterns[i].least;
        int left = count_x(patterns[i].bits);
        for (const char *bit = patterns[i].bits; *bit; bit++)
            if (!bit_put(writer, *bit == 'x' ? (int)(rest >> --left & 1) : *bit == 'T' || *bit == '1'))
                return false;
        return true;
    }
    return false;
}

static int path_parse(const char *text, size_t length, Bytes *ret, SqlError *error)
{
    BitWriter writer = {.bits = 0};
    bool good = length > 0 && text[0] == '/' && text[length - 1] == '/' && length < 4000;
    char copy[4001] = "";

    if (good)
        memcpy(copy, text, length);
    for (char *p = copy + 1; good && *p;) {
        char *end;
        long ordinal = strtol(p, &end, 10);
        good = end > p && *end == '/' && level_put(&writer, ordinal);
        p = end + 1;
    }
    if (!good)
        return type_error(
            error, 6522, 2,
            "A .NET Framework error occurred during execution of user-defined routine or "
            "aggregate \"hierarchyid\": 24001: SqlHierarchyId.Parse failed because the input string '%.*s' "
            "is not a valid string representation of a SqlHierarchyId node.",
            length > 200 ? 200 : (int)length, text);
    bytes_append(ret, writer.bytes, (writer.bits + 7) / 8);
    return 0;
}

static int bit_at(const uint8_t *value, size_t bits, size_t at)
{
    return at < bits ? value[at / 8] >> (7 - at % 8) & 1 : -1;
}

/* Tries one pattern at *at; on a match moves *at behind it. */
static bool level_get(const Pattern *pattern, const uint8_t *value, size_t bits, size_t *at, int *ordinal)
{
    int rest = 0;
    size_t i = *at;

    for (const char *bit = pattern->bits; *bit; bit++, i++) {
        int stands = bit_at(value, bits, i);
        if (stands < 0 || (*bit == '0' && stands) || ((*bit == '1' || *bit == 'T') && !stands))
            return false;
        if (*bit == 'x')
            rest = rest << 1 | stands;
    }
    *at = i;
    *ordinal = pattern->least + rest;
    return true;
}

static int path_format(const uint8_t *value, size_t length, Bytes *ret)
{
    size_t bits = length * 8, at = 0, start = ret->length;

    bytes_append(ret, "/", 1);
    while (at < bits) {
        char text[16];
        int ordinal = 0;
        bool found = false, rest = false;
        for (size_t i = at; i < bits; i++)
            rest = rest || bit_at(value, bits, i);
        if (!rest) /* the padding of the last byte */
            break;
        for (size_t i = 0; !found && i < sizeof patterns / sizeof *patterns; i++)
            found = level_get(&patterns[i], value, bits, &at, &ordinal);
        if (!found) {
            ret->length = start;
            return -1;
        }
        bytes_append(ret, text, (size_t)snprintf(text, sizeof text, "%d/", ordinal));
    }
    return 0;
}

static int point_parse(const TypeInfo *to, const char *text, size_t length, Bytes *ret, SqlError *error)
{
    char copy[200] = "";
    double x, y;
    int used = 0;

    if (length > 0 && length < sizeof copy)
        memcpy(copy, text, length);
    if (strncasecmp(copy, "POINT", 5) != 0 || sscanf(copy + 5, " ( %lf %lf ) %n", &x, &y, &used) != 2 ||
        copy[5 + used] != '\0' || used == 0)
        return type_error(error, 6522, 1,
                          "A .NET Framework error occurred during execution of user-defined routine or "
                          "aggregate \"%s\": 24114: The label %.*s in the input well-known text (WKT) is not valid. "
                          "(The simulator knows POINT (x y); give other shapes as 0x bytes.)",
                          type_name(to), length > 40 ? 40 : (int)length, text);
    bool geography = to->type == TYPE_GEOGRAPHY;
    int32_t srid = geography ? 4326 : 0;
    bytes_append(ret, &srid, 4);
    bytes_append(ret, "\x01\x0C", 2);          /* version 1; valid, a single point */
    bytes_append(ret, geography ? &y : &x, 8); /* geography keeps the latitude first */
    bytes_append(ret, geography ? &x : &y, 8);
    return 0;
}

int clr_parse(const TypeInfo *to, const char *text, size_t length, Bytes *ret, SqlError *error)
{
    if (length >= 2 && text[0] == '0' && (text[1] | 32) == 'x')
        return hex_parse(text, length, to, ret, error);
    return to->type == TYPE_HIERARCHYID ? path_parse(text, length, ret, error)
                                        : point_parse(to, text, length, ret, error);
}

int clr_format(const TypeInfo *type, const uint8_t *value, size_t length, Bytes *ret)
{
    char text[100];
    double first, second;

    if (type->type == TYPE_HIERARCHYID && path_format(value, length, ret) == 0)
        return 0;
    if (type->type != TYPE_HIERARCHYID && length == 22 && value[4] == 1 && value[5] == 0x0C) {
        memcpy(&first, value + 6, 8);
        memcpy(&second, value + 14, 8);
        bool geography = type->type == TYPE_GEOGRAPHY;
        int size =
            snprintf(text, sizeof text, "POINT (%.15g %.15g)", geography ? second : first, geography ? first : second);
        bytes_append(ret, text, (size_t)size);
        return 0;
    }
    hex_format(value, length, ret);
    return 0;
}
