/* json_text.c - see json_text.h */
#include "format/json_text.h"

#include <string.h>

#define BYTES_OF(value) (UINT64_C(0x0101010101010101) * (value))
#define HIGH_BITS BYTES_OF(0x80)

/* Non-zero where one of the 8 bytes needs a look: below 0x20, '"', '\\' or above 0x7f. May also hit a byte above such a one. */
static inline uint64_t needs_look(uint64_t eight)
{
    uint64_t quote = eight ^ BYTES_OF('"');
    uint64_t backslash = eight ^ BYTES_OF('\\');

    return ((eight - BYTES_OF(0x20)) | (quote - BYTES_OF(1)) | (backslash - BYTES_OF(1)) | eight) & HIGH_BITS;
}

static char *escape_ascii(char *text, uint8_t byte)
{
    static const char letters[32] = {[8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r'};
    static const char digits[] = "0123456789abcdef";

    *text++ = '\\';
    if (byte >= 0x20) {
        *text++ = (char)byte;
    } else if (letters[byte]) {
        *text++ = letters[byte];
    } else {
        memcpy(text, "u00", 3);
        text[3] = digits[byte >> 4];
        text[4] = digits[byte & 15];
        text += 5;
    }
    return text;
}

size_t json_character(const uint8_t *data, size_t left)
{
    uint8_t first = data[0];
    uint8_t low = 0x80, high = 0xbf;
    size_t length;

    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : 0x80;
        high = first == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < length || data[1] < low || data[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static char *escape_surrogate(char *text, const uint8_t *data)
{
    static const char digits[] = "0123456789abcdef";
    unsigned unit = 0xd000u | (data[1] & 0x3fu) << 6 | (data[2] & 0x3fu);

    *text++ = '\\';
    *text++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *text++ = digits[unit >> shift & 15];
    return text;
}

char *json_escape(char *text, const uint8_t *data, size_t length, size_t *bad)
{
    size_t at = 0;

    while (at < length) {
        while (at + 8 <= length) {
            uint64_t eight;

            memcpy(&eight, data + at, 8);
            memcpy(text, &eight, 8);
            eight = needs_look(eight);
            if (eight) {
                /* Borrows only travel upwards, so the lowest mark is true: all below it is plain. */
                size_t plain = (size_t)__builtin_ctzll(eight) / 8;

                at += plain;
                text += plain;
                break;
            }
            at += 8;
            text += 8;
        }
        if (at == length)
            break;
        if (data[at] >= 0x20 && data[at] < 0x80 && data[at] != '"' && data[at] != '\\') {
            *text++ = (char)data[at++];
        } else if (data[at] < 0x80) {
            text = escape_ascii(text, data[at++]);
        } else {
            size_t count = json_character(data + at, length - at);

            if (!count) {
                *bad = at;
                return NULL;
            }
            if (data[at] == 0xed && data[at + 1] >= 0xa0) {
                text = escape_surrogate(text, data + at);
            } else {
                memcpy(text, data + at, count);
                text += count;
            }
            at += count;
        }
    }
    return text;
}

size_t json_piece(const uint8_t *data, size_t length, size_t limit)
{
    size_t piece = limit;

    if (length <= limit)
        return length;
    /* At most 3 bytes back; a longer run of continuation bytes is invalid anyway and found by json_escape. */
    while (piece > limit - 3 && (data[piece] & 0xc0) == 0x80)
        piece--;
    return piece;
}
