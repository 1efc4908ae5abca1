/* utf8.c - see utf8.h */
#include "format/utf8.h"
#include "format/json_text.h"

#include <string.h>

size_t utf8_check(const uint8_t *data, size_t length)
{
    size_t at = 0;

    while (at < length) {
        uint64_t eight;
        size_t sequence;

        if (at + 8 <= length) {
            memcpy(&eight, data + at, 8);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
        }
        if (data[at] < 0x80) {
            at++;
            continue;
        }
        sequence = json_character(data + at, length - at);
        if (!sequence || (data[at] == 0xed && data[at + 1] >= 0xa0))
            return at;
        at += sequence;
    }
    return length;
}
