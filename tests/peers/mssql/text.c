#include "text.h"

/* 0x80..0x9F of code page 1252; the five holes map to the C1 control of the same number, as Windows does it. */
static const uint16_t high_1252[32] = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                       0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                       0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

uint32_t text_next_utf8(const char **utf8, const char *end)
{
    const uint8_t *p = (const uint8_t *)*utf8;
    size_t left = (size_t)(end - *utf8);
    size_t need = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    uint32_t code = need < 2 ? p[0] : p[0] & (0x7Fu >> need);
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t i = 1; i < need; i++) {
        if (i >= left || (p[i] & 0xC0) != 0x80) {
            *utf8 += i;
            return 0xFFFD;
        }
        code = code << 6 | (p[i] & 0x3F);
    }
    *utf8 += need ? need : 1;
    if (need == 0 || code < smallest[need] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0xFFFD;
    return code;
}

static void utf16_put(uint32_t code, Bytes *ret)
{
    uint8_t unit[4];
    size_t length = 2;

    if (code >= 0x10000) {
        uint32_t high = 0xD800 + ((code - 0x10000) >> 10), low = 0xDC00 + ((code - 0x10000) & 0x3FF);
        unit[0] = (uint8_t)high;
        unit[1] = (uint8_t)(high >> 8);
        unit[2] = (uint8_t)low;
        unit[3] = (uint8_t)(low >> 8);
        length = 4;
    } else {
        unit[0] = (uint8_t)code;
        unit[1] = (uint8_t)(code >> 8);
    }
    bytes_append(ret, unit, length);
}

static void utf8_put(uint32_t code, Bytes *ret)
{
    uint8_t out[4];
    size_t length;

    if (code < 0x80) {
        out[0] = (uint8_t)code;
        length = 1;
    } else if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        length = 2;
    } else if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        length = 3;
    } else {
        out[0] = (uint8_t)(0xF0 | code >> 18);
        out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[3] = (uint8_t)(0x80 | (code & 0x3F));
        length = 4;
    }
    bytes_append(ret, out, length);
}

void text_utf16_from_utf8(const char *utf8, size_t length, Bytes *ret)
{
    for (const char *end = utf8 + length; utf8 < end;)
        utf16_put(text_next_utf8(&utf8, end), ret);
}

void text_utf8_from_utf16(const uint8_t *utf16, size_t length, Bytes *ret)
{
    for (size_t i = 0; i + 1 < length; i += 2) {
        uint32_t code = (uint32_t)utf16[i] | (uint32_t)utf16[i + 1] << 8;
        if (code >= 0xD800 && code < 0xDC00 && i + 3 < length) {
            uint32_t low = (uint32_t)utf16[i + 2] | (uint32_t)utf16[i + 3] << 8;
            if (low >= 0xDC00 && low < 0xE000) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        if (code >= 0xD800 && code < 0xE000)
            code = 0xFFFD;
        utf8_put(code, ret);
    }
}

uint32_t text_1252_decode(uint8_t byte)
{
    return byte >= 0x80 && byte < 0xA0 ? high_1252[byte - 0x80] : byte;
}

static uint8_t encode_1252(uint32_t code)
{
    if (code < 0x80 || (code >= 0xA0 && code < 0x100))
        return (uint8_t)code;
    for (int i = 0; i < 32; i++)
        if (high_1252[i] == code)
            return (uint8_t)(0x80 + i);
    return '?';
}

void text_1252_from_utf8(const char *utf8, size_t length, Bytes *ret)
{
    for (const char *end = utf8 + length; utf8 < end;) {
        uint32_t code = text_next_utf8(&utf8, end);
        /* SQL Server converts UTF-16 unit by unit: a surrogate pair becomes two question marks. */
        uint8_t out[2] = {encode_1252(code), '?'};
        bytes_append(ret, out, code >= 0x10000 ? 2 : 1);
    }
}

void text_utf8_from_1252(const uint8_t *bytes, size_t length, Bytes *ret)
{
    for (size_t i = 0; i < length; i++)
        utf8_put(text_1252_decode(bytes[i]), ret);
}
