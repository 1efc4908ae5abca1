/* charset.c - see charset.h */
#include "source/mysql/charset.h"
#include "source/mysql/charset_patch.h"
#include "source/mysql/charset_table.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#define UNICODE_MAX 0x10ffffu

typedef enum CharsetMode { CHARSET_UTF8, CHARSET_TABLE, CHARSET_UCS2, CHARSET_UTF16, CHARSET_UTF16LE, CHARSET_UTF32, CHARSET_ICONV } CharsetMode;

/* How many bytes a character has by its first ones. */
typedef enum CharsetLead { LEAD_TWO, LEAD_SJIS, LEAD_EUC, LEAD_GB18030 } CharsetLead;

typedef struct CharsetName {
    const char *name;
    const char *iconv; /* as glibc calls it */
    CharsetMode mode;
    CharsetLead lead;
} CharsetName;

struct Charset {
    CharsetMode mode;
    iconv_t converter;
    CharsetLead lead;
    int patches;          /* charset_patch_set(), -1: none */
    uint8_t lengths[256]; /* of the UTF-8 form of each byte */
    char texts[256][4];
};

static const CharsetName charset_names[] = {
    {"utf8mb4", NULL, CHARSET_UTF8, LEAD_TWO},
    {"utf8mb3", NULL, CHARSET_UTF8, LEAD_TWO},
    {"utf8", NULL, CHARSET_UTF8, LEAD_TWO},
    {"ucs2", NULL, CHARSET_UCS2, LEAD_TWO},
    {"utf16", NULL, CHARSET_UTF16, LEAD_TWO},
    {"utf16le", NULL, CHARSET_UTF16LE, LEAD_TWO},
    {"utf32", NULL, CHARSET_UTF32, LEAD_TWO},
    {"big5", "BIG5", CHARSET_ICONV, LEAD_TWO},
    {"cp932", "CP932", CHARSET_ICONV, LEAD_SJIS},
    {"eucjpms", "EUC-JP-MS", CHARSET_ICONV, LEAD_EUC},
    {"euckr", "UHC", CHARSET_ICONV, LEAD_TWO},
    {"gb18030", "GB18030", CHARSET_ICONV, LEAD_GB18030},
    {"gb2312", "EUC-CN", CHARSET_ICONV, LEAD_TWO},
    {"gbk", "CP936", CHARSET_ICONV, LEAD_TWO},
    {"sjis", "SJIS", CHARSET_ICONV, LEAD_SJIS},
    {"ujis", "EUC-JP", CHARSET_ICONV, LEAD_EUC},
};

static const CharsetName *name_find(const char *name)
{
    for (size_t i = 0; i < sizeof charset_names / sizeof charset_names[0]; i++) {
        if (strcmp(charset_names[i].name, name) == 0)
            return &charset_names[i];
    }
    return NULL;
}

static size_t code_put(uint32_t code, char *ret)
{
    if (code > UNICODE_MAX || (code >= 0xd800 && code < 0xe000))
        code = '?';
    if (code < 0x80) {
        ret[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret[0] = (char)(0xc0 | code >> 6);
        ret[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        ret[0] = (char)(0xe0 | code >> 12);
        ret[1] = (char)(0x80 | (code >> 6 & 63));
        ret[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    ret[0] = (char)(0xf0 | code >> 18);
    ret[1] = (char)(0x80 | (code >> 12 & 63));
    ret[2] = (char)(0x80 | (code >> 6 & 63));
    ret[3] = (char)(0x80 | (code & 63));
    return 4;
}

int charset_open(const char *name, Charset **ret, Error *error)
{
    const CharsetName *known = name_find(name);
    uint16_t codes[256] = {0};
    Charset *charset;

    if (!known && !charset_table(name, codes))
        return error_set(error, ERROR_PERMANENT, "Leave the column out.", "the character set %.64s cannot be converted to UTF-8", name);
    if (known && known->mode == CHARSET_UTF8) {
        *ret = NULL;
        return 0;
    }
    charset = calloc(1, sizeof *charset);
    if (!charset)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a character set");
    charset->mode = known ? known->mode : CHARSET_TABLE;
    charset->lead = known ? known->lead : LEAD_TWO;
    charset->patches = charset_patch_set(name);
    if (charset->mode == CHARSET_ICONV) {
        charset->converter = iconv_open("UTF-8", known->iconv);
        if (charset->converter == (iconv_t)-1) {
            free(charset);
            return error_set(error, ERROR_PERMANENT, "Install the C library's character sets (Debian: libc6, from 13 on libc-gconv-modules-extra).",
                             "the character set %.64s (%s) is unknown to this machine", name, known->iconv);
        }
    }
    for (unsigned byte = 0; charset->mode == CHARSET_TABLE && byte < 256; byte++)
        charset->lengths[byte] = (uint8_t)code_put(codes[byte], charset->texts[byte]);
    *ret = charset;
    return 0;
}

bool charset_known(const char *name)
{
    Charset *charset = NULL;
    Error ignored;

    if (charset_open(name, &charset, &ignored) < 0)
        return false;
    charset_close(charset);
    return true;
}

void charset_close(Charset *charset)
{
    if (charset && charset->mode == CHARSET_ICONV)
        iconv_close(charset->converter);
    free(charset);
}

static uint32_t unit16(const uint8_t *data, bool little)
{
    return little ? (uint32_t)(data[0] | data[1] << 8) : (uint32_t)(data[0] << 8 | data[1]);
}

/* Each two bytes give three of UTF-8 at most, a pair of surrogates four. */
static int utf16_text(const Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    bool little = charset->mode == CHARSET_UTF16LE;

    if (buffer_reserve(text, length / 2 * 3 + 1, error) < 0)
        return -1;
    for (size_t i = 0; i + 1 < length; i += 2) {
        uint32_t code = unit16(data + i, little), next = i + 3 < length ? unit16(data + i + 2, little) : 0;

        if (charset->mode != CHARSET_UCS2 && (code & 0xfc00) == 0xd800 && (next & 0xfc00) == 0xdc00) {
            code = 0x10000 + ((code & 0x3ff) << 10 | (next & 0x3ff));
            i += 2;
        }
        text->length += code_put(code, text->data + text->length);
    }
    return 0;
}

static int utf32_text(const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    if (buffer_reserve(text, length + 1, error) < 0)
        return -1;
    for (size_t i = 0; i + 3 < length; i += 4)
        text->length += code_put((uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16 | (uint32_t)data[i + 2] << 8 | data[i + 3], text->data + text->length);
    return 0;
}

static int table_text(const Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    char *to;

    if (buffer_reserve(text, length * 3 + 4, error) < 0)
        return -1;
    to = text->data + text->length;
    for (size_t i = 0; i < length; i++) {
        memcpy(to, charset->texts[data[i]], 4);
        to += charset->lengths[data[i]];
    }
    text->length = (size_t)(to - text->data);
    return 0;
}

/* Bytes of the character at data; never more than there are. */
static size_t character_bytes(const Charset *charset, const uint8_t *data, size_t left)
{
    size_t bytes = 2;

    if (data[0] < 0x80)
        return 1;
    if (charset->lead == LEAD_SJIS && (data[0] == 0x80 || data[0] == 0xa0 || (data[0] > 0xa0 && data[0] < 0xe0) || data[0] > 0xfc))
        bytes = 1;
    if (charset->lead == LEAD_EUC && data[0] == 0x8f)
        bytes = 3;
    if (charset->lead == LEAD_EUC && data[0] < 0xa1 && data[0] != 0x8e && data[0] != 0x8f)
        bytes = 1;
    if (charset->lead == LEAD_GB18030 && left > 1 && data[1] >= 0x30 && data[1] <= 0x39)
        bytes = 4;
    return bytes < left ? bytes : left;
}

/* The code point that the servers give a character where the C library gives another; 0: there is no difference. */
static uint32_t character_patched(const Charset *charset, const uint8_t *data, size_t bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | data[i];
    /* Characters of the user's own, which EUC-JP of the C library leaves out. */
    if (charset->lead == LEAD_EUC && bytes >= 2 && data[bytes - 2] >= 0xf5 && data[bytes - 2] < 0xff && data[bytes - 1] >= 0xa1 && data[bytes - 1] < 0xff)
        return (bytes == 3 ? 0xe3acu : 0xe000u) + (data[bytes - 2] - 0xf5u) * 94 + (data[bytes - 1] - 0xa1u);
    return charset_patch(charset->patches, number);
}

/* A run that the C library converts as the servers do. Three bytes of UTF-8 for one are more than any of these sets gives. */
static int run_text(const Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    char *from = (char *)(uintptr_t)data, *end = from + length;

    iconv(charset->converter, NULL, NULL, NULL, NULL);
    while (from < end) {
        size_t left = (size_t)(end - from), room;
        char *to;

        if (buffer_reserve(text, left * 3 + 16, error) < 0)
            return -1;
        to = text->data + text->length;
        room = text->capacity - text->length;
        if (iconv(charset->converter, &from, &left, &to, &room) == (size_t)-1 && errno != E2BIG) {
            *to++ = '?';
            from += character_bytes(charset, (const uint8_t *)from, left);
        }
        text->length = (size_t)(to - text->data);
    }
    return 0;
}

static int iconv_text(const Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    size_t begin = 0, at = 0;

    while (charset->patches >= 0 && at < length) {
        size_t bytes = character_bytes(charset, data + at, length - at);
        uint32_t code = bytes > 1 ? character_patched(charset, data + at, bytes) : 0;

        if (code) {
            if (run_text(charset, data + begin, at - begin, text, error) < 0 || buffer_reserve(text, 4, error) < 0)
                return -1;
            text->length += code_put(code, text->data + text->length);
            begin = at + bytes;
        }
        at += bytes;
    }
    return run_text(charset, data + begin, length - begin, text, error);
}

int charset_text(Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    switch (charset->mode) {
    case CHARSET_TABLE:
        return table_text(charset, data, length, text, error);
    case CHARSET_UCS2:
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
        return utf16_text(charset, data, length, text, error);
    case CHARSET_UTF32:
        return utf32_text(data, length, text, error);
    case CHARSET_ICONV:
        return iconv_text(charset, data, length, text, error);
    default:
        return buffer_append(text, data, length, error);
    }
}
