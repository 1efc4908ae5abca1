#include "scalar.h"
#include "text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int type_error(SqlError *error, int32_t number, int state, const char *format, ...)
{
    va_list arguments;

    *error = (SqlError){.number = number, .state = (uint8_t)state, .severity = 16};
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return -1;
}

bool is_text(SqlType type)
{
    return (type >= TYPE_CHAR && type <= TYPE_NVARCHAR) || type == TYPE_TEXT || type == TYPE_NTEXT || type == TYPE_XML;
}

bool is_wide(SqlType type)
{
    return type == TYPE_NCHAR || type == TYPE_NVARCHAR || type == TYPE_NTEXT || type == TYPE_XML;
}

bool is_binary(SqlType type)
{
    return type == TYPE_BINARY || type == TYPE_VARBINARY || type == TYPE_IMAGE || type == TYPE_ROWVERSION;
}

static bool has_limit(const TypeInfo *to)
{
    return to->max_length >= 0 && to->type != TYPE_TEXT && to->type != TYPE_NTEXT && to->type != TYPE_IMAGE &&
           to->type != TYPE_XML;
}

static void pad(Bytes *ret, size_t from, size_t to, const char *fill, size_t fill_size)
{
    for (size_t length = from; length + fill_size <= to; length += fill_size)
        bytes_append(ret, fill, fill_size);
}

/* Spaces beyond the limit are cut without a word; anything else is 2628, or is cut too by an explicit CAST. */
int text_encode(const char *utf8, size_t length, const TypeInfo *to, bool cut, Bytes *ret, SqlError *error)
{
    bool wide = is_wide(to->type);
    size_t unit = wide ? 2 : 1, start = ret->length;

    if (wide)
        text_utf16_from_utf8(utf8, length, ret);
    else
        text_1252_from_utf8(utf8, length, ret);
    if (!has_limit(to))
        return 0;
    size_t limit = (size_t)to->max_length;
    for (size_t at = start + limit; !cut && at < ret->length; at += unit)
        if (ret->data[at] != ' ' || (wide && ret->data[at + 1])) {
            Bytes kept = {0};
            if (wide)
                text_utf8_from_utf16(ret->data + start, limit, &kept);
            else
                text_utf8_from_1252(ret->data + start, limit, &kept);
            ret->length = start;
            type_error(error, 2628, 1, "String or binary data would be truncated. Truncated value: '%.*s'.",
                       kept.length > 120 ? 120 : (int)kept.length, (const char *)kept.data);
            bytes_free(&kept);
            return -1;
        }
    if (ret->length > start + limit)
        ret->length = start + limit;
    if (to->type == TYPE_CHAR || to->type == TYPE_NCHAR)
        pad(ret, ret->length - start, limit, wide ? " \0" : " ", unit);
    return 0;
}

int binary_encode(const uint8_t *data, size_t length, const TypeInfo *to, bool cut, Bytes *ret, SqlError *error)
{
    size_t limit = to->type == TYPE_ROWVERSION ? 8 : has_limit(to) ? (size_t)to->max_length : length;

    for (size_t at = limit; !cut && at < length; at++)
        if (data[at]) /* zeros beyond the limit go without a word */
            return type_error(error, 2628, 1, "String or binary data would be truncated. Truncated value: ''.");
    bytes_append(ret, data, length < limit ? length : limit);
    if (to->type == TYPE_BINARY || to->type == TYPE_ROWVERSION)
        pad(ret, length, limit, "\0", 1);
    return 0;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* 0x and hexadecimal digits; an odd number of them has a zero in front, as T-SQL reads 0xABC. */
int hex_parse(const char *text, size_t length, const TypeInfo *to, Bytes *ret, SqlError *error)
{
    Bytes raw = {0};
    int result = length >= 2 && text[0] == '0' && (text[1] | 32) == 'x' ? 0 : -1;

    for (size_t i = 2; result == 0 && i < length;) {
        bool odd = i == 2 && length % 2;
        int high = odd ? 0 : nibble(text[i]), low = nibble(text[odd ? i : i + 1]);
        uint8_t byte = (uint8_t)(high * 16 + low);
        result = high < 0 || low < 0 ? -1 : 0;
        bytes_append(&raw, &byte, 1);
        i += odd ? 1 : 2;
    }
    if (result != 0)
        type_error(error, 257, 3,
                   "Implicit conversion from data type varchar to %s is not allowed. Use the CONVERT "
                   "function to run this query.",
                   type_name(to));
    else if (is_binary(to->type))
        result = binary_encode(raw.data, raw.length, to, false, ret, error);
    else
        bytes_append(ret, raw.data, raw.length);
    bytes_free(&raw);
    return result;
}

/* Where the bytes of a GUID stand in its text: the first three groups are little-endian in the value. */
static const uint8_t guid_order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

int guid_parse(const char *text, size_t length, Bytes *ret, SqlError *error)
{
    uint8_t value[16];
    size_t at = length > 0 && text[0] == '{' ? 1 : 0, from = at;
    bool good = length >= 36 + 2 * from;

    for (int i = 0; good && i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') {
            good = false;
            break;
        }
        int high = nibble(text[at]), low = nibble(text[at + 1]);
        good = high >= 0 && low >= 0;
        value[guid_order[i]] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    if (!good || (from && text[at] != '}'))
        return type_error(error, 8169, 2,
                          "Conversion failed when converting from a character string to uniqueidentifier.");
    bytes_append(ret, value, sizeof value);
    return 0;
}

void guid_format(const uint8_t *value, Bytes *ret)
{
    static const char hex[] = "0123456789ABCDEF";

    for (int i = 0; i < 16; i++) {
        uint8_t byte = value[guid_order[i]];
        char pair[2] = {hex[byte >> 4], hex[byte & 15]};
        if (i == 4 || i == 6 || i == 8 || i == 10)
            bytes_append(ret, "-", 1);
        bytes_append(ret, pair, 2);
    }
}

void hex_format(const uint8_t *value, size_t length, Bytes *ret)
{
    static const char hex[] = "0123456789ABCDEF";

    bytes_append(ret, "0x", 2);
    for (size_t i = 0; i < length; i++) {
        char pair[2] = {hex[value[i] >> 4], hex[value[i] & 15]};
        bytes_append(ret, pair, 2);
    }
}
