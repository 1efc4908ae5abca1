/* xml.c - see xml.h */
#include "sink/s3/xml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { KIND_END, KIND_OPEN, KIND_CLOSE, KIND_EMPTY, KIND_BAD } Kind;

typedef struct Tag {
    Kind kind;
    const char *name; /* without prefix */
    size_t length;
    const char *start; /* the "<" */
} Tag;

XmlSpan xml_span(const char *data, size_t length)
{
    return (XmlSpan){data, data ? data + length : NULL};
}

static bool starts(const XmlSpan *span, const char *with)
{
    size_t length = strlen(with);

    return (size_t)(span->end - span->at) >= length && memcmp(span->at, with, length) == 0;
}

/* Moves behind `what`; false where it does not come. */
static bool skip_past(XmlSpan *span, const char *what)
{
    const char *found = memmem(span->at, (size_t)(span->end - span->at), what, strlen(what));

    if (!found)
        return false;
    span->at = found + strlen(what);
    return true;
}

/* Moves behind the ">" that ends a tag; one inside a quoted attribute does not. */
static bool skip_tag(XmlSpan *span, bool *empty)
{
    char quote = 0;

    for (; span->at < span->end; span->at++) {
        char c = *span->at;

        if (quote) {
            if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            *empty = span->at[-1] == '/';
            span->at++;
            return true;
        }
    }
    return false;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
}

/* Comments, declarations and CDATA are passed over: 1 passed one, 0 there is none, -1 it does not end. */
static int skip_other(XmlSpan *span)
{
    if (starts(span, "<!--"))
        return skip_past(span, "-->") ? 1 : -1;
    if (starts(span, "<![CDATA["))
        return skip_past(span, "]]>") ? 1 : -1;
    if (starts(span, "<?"))
        return skip_past(span, "?>") ? 1 : -1;
    return starts(span, "<!") ? -1 : 0;
}

static Tag tag_next(XmlSpan *span)
{
    Tag tag = {.kind = KIND_BAD};
    const char *colon;
    bool empty = false;
    bool close;
    int other;

    do {
        const char *found = span->at < span->end ? memchr(span->at, '<', (size_t)(span->end - span->at)) : NULL;

        if (!found) {
            tag.kind = KIND_END;
            return tag;
        }
        span->at = found;
        other = skip_other(span);
    } while (other > 0);
    if (other < 0)
        return tag;
    tag.start = span->at++;
    close = span->at < span->end && *span->at == '/';
    span->at += close;
    tag.name = span->at;
    while (span->at < span->end && is_name_char(*span->at))
        span->at++;
    tag.length = (size_t)(span->at - tag.name);
    colon = memchr(tag.name, ':', tag.length);
    if (colon) {
        tag.length -= (size_t)(colon + 1 - tag.name);
        tag.name = colon + 1;
    }
    if (!tag.length || tag.length >= XML_NAME_MAX || !skip_tag(span, &empty))
        return tag;
    tag.kind = close ? KIND_CLOSE : empty ? KIND_EMPTY : KIND_OPEN;
    return tag;
}

int xml_next(XmlSpan *cursor, char name[XML_NAME_MAX], XmlSpan *inner)
{
    Tag open = tag_next(cursor);
    int depth = 1;

    if (open.kind == KIND_END)
        return 0;
    if (open.kind == KIND_BAD || open.kind == KIND_CLOSE)
        return -1;
    memcpy(name, open.name, open.length);
    name[open.length] = '\0';
    inner->at = inner->end = cursor->at;
    if (open.kind == KIND_EMPTY)
        return 1;
    for (;;) {
        Tag tag = tag_next(cursor);

        if (tag.kind == KIND_END || tag.kind == KIND_BAD)
            return -1;
        depth += tag.kind == KIND_OPEN ? 1 : tag.kind == KIND_CLOSE ? -1 : 0;
        if (depth)
            continue;
        if (tag.length != open.length || memcmp(tag.name, open.name, open.length) != 0)
            return -1;
        inner->end = tag.start;
        return 1;
    }
}

int xml_find(XmlSpan level, const char *name, XmlSpan *inner)
{
    char found[XML_NAME_MAX];
    int result;

    while ((result = xml_next(&level, found, inner)) > 0) {
        if (strcmp(found, name) == 0)
            return 1;
    }
    return result;
}

static char *utf8_put(char *text, uint32_t code)
{
    if (code < 0x80) {
        *text++ = (char)code;
    } else if (code < 0x800) {
        *text++ = (char)(0xc0 | code >> 6);
        *text++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *text++ = (char)(0xe0 | code >> 12);
        *text++ = (char)(0x80 | (code >> 6 & 63));
        *text++ = (char)(0x80 | (code & 63));
    } else {
        *text++ = (char)(0xf0 | code >> 18);
        *text++ = (char)(0x80 | (code >> 12 & 63));
        *text++ = (char)(0x80 | (code >> 6 & 63));
        *text++ = (char)(0x80 | (code & 63));
    }
    return text;
}

/* span->at stands on "&"; moves behind the ";". Returns the character, 0 for an unknown entity. */
static uint32_t entity_decode(XmlSpan *span)
{
    static const struct {
        const char *text;
        uint32_t code;
    } named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    const char *semicolon;
    char digits[12];
    size_t length;
    char *end;
    unsigned long code;
    bool hex;

    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (starts(span, named[i].text)) {
            span->at += strlen(named[i].text);
            return named[i].code;
        }
    }
    semicolon = memchr(span->at, ';', (size_t)(span->end - span->at));
    if (!starts(span, "&#") || !semicolon)
        return 0;
    hex = span->at[2] == 'x';
    length = (size_t)(semicolon - span->at) - 2 - hex;
    if (!length || length >= sizeof digits)
        return 0;
    memcpy(digits, span->at + 2 + hex, length);
    digits[length] = '\0';
    code = strtoul(digits, &end, hex ? 16 : 10);
    span->at = semicolon + 1;
    return *end || code > 0x10ffff ? 0 : (uint32_t)code;
}

int xml_text(XmlSpan span, char *ret, size_t size)
{
    char *text = ret;
    char *limit = ret + size - 1;
    bool whole = true;

    while (whole && span.at < span.end) {
        if (starts(&span, "<![CDATA[")) {
            const char *from = span.at + 9;

            whole = skip_past(&span, "]]>") && span.at - 3 - from <= limit - text;
            if (whole) {
                memcpy(text, from, (size_t)(span.at - 3 - from));
                text += span.at - 3 - from;
            }
        } else if (*span.at == '&') {
            uint32_t code = entity_decode(&span);

            whole = code && limit - text >= 4;
            if (whole)
                text = utf8_put(text, code);
        } else {
            whole = text < limit;
            if (whole)
                *text++ = *span.at++;
        }
    }
    *text = '\0';
    return whole ? 0 : -1;
}

int xml_find_text(XmlSpan level, const char *name, char *ret, size_t size)
{
    XmlSpan inner;
    int found = xml_find(level, name, &inner);

    ret[0] = '\0';
    return found <= 0 ? found : xml_text(inner, ret, size);
}
