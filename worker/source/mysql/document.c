/* document.c - see document.h */
#include "source/mysql/document.h"
#include "source/mysql/document_scalar.h"
#include "source/mysql/shape_code.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    DOCUMENT_SMALL_OBJECT = 0,
    DOCUMENT_LARGE_OBJECT = 1,
    DOCUMENT_SMALL_ARRAY = 2,
    DOCUMENT_LARGE_ARRAY = 3,
    DOCUMENT_LITERAL = 4,
    DOCUMENT_INT16 = 5,
    DOCUMENT_UINT16 = 6,
    DOCUMENT_INT32 = 7,
    DOCUMENT_UINT32 = 8,
    DOCUMENT_INT64 = 9,
    DOCUMENT_UINT64 = 10,
    DOCUMENT_DOUBLE = 11,
    DOCUMENT_STRING = 12,
    DOCUMENT_OPAQUE = 15
};

static int malformed(Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "a JSON document is malformed");
}

/* A length of seven bits a byte, the lowest first. */
static int length_take(Bytes *wire, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        const uint8_t *at = bytes_take(wire, 1);

        if (!at)
            return -1;
        *ret |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at & 0x80))
            return 0;
    }
    return -1;
}

static int string_text(Bytes wire, Buffer *text, Error *error)
{
    const uint8_t *data;
    uint64_t length;

    if (length_take(&wire, &length) < 0 || !(data = bytes_take(&wire, length)))
        return malformed(error);
    return document_quote((const char *)data, length, text, error);
}

static int opaque_text(Bytes wire, Buffer *text, Error *error)
{
    const uint8_t *type = bytes_take(&wire, 1), *data;
    uint64_t length;

    if (!type || length_take(&wire, &length) < 0 || !(data = bytes_take(&wire, length)))
        return malformed(error);
    return document_opaque(*type, data, length, text, error);
}

static int literal_text(uint8_t literal, Buffer *text, Error *error)
{
    static const char *const words[] = {"null", "true", "false"};

    return literal < 3 ? buffer_text(text, words[literal], error) : malformed(error);
}

/* Numbers and literals of `width` bytes, in their place or in the entry that would point there. */
static int number_text(uint8_t type, const uint8_t *data, Buffer *text, Error *error)
{
    switch (type) {
    case DOCUMENT_LITERAL:
        return literal_text(*data, text, error);
    case DOCUMENT_INT16:
        return buffer_format(text, error, "%d", (int16_t)little_endian(data, 2));
    case DOCUMENT_UINT16:
        return buffer_format(text, error, "%u", (unsigned)little_endian(data, 2));
    case DOCUMENT_INT32:
        return buffer_format(text, error, "%d", (int32_t)little_endian(data, 4));
    case DOCUMENT_UINT32:
        return buffer_format(text, error, "%u", (unsigned)little_endian(data, 4));
    case DOCUMENT_INT64:
        return buffer_format(text, error, "%lld", (long long)little_endian(data, 8));
    case DOCUMENT_UINT64:
        return buffer_format(text, error, "%llu", (unsigned long long)little_endian(data, 8));
    default:
        return document_double(data, text, error);
    }
}

/* Bytes of what number_text reads; 0 for other types. */
static size_t number_width(uint8_t type)
{
    static const uint8_t widths[] = {[DOCUMENT_LITERAL] = 1, [DOCUMENT_INT16] = 2, [DOCUMENT_UINT16] = 2, [DOCUMENT_INT32] = 4,
                                     [DOCUMENT_UINT32] = 4,  [DOCUMENT_INT64] = 8, [DOCUMENT_UINT64] = 8, [DOCUMENT_DOUBLE] = 8};

    return type < sizeof widths ? widths[type] : 0;
}

static int value_text(uint8_t type, Bytes wire, int depth, Buffer *text, Error *error);

/* An object or array: count, size, entries of keys, entries of values; offsets count from its begin. */
typedef struct Container {
    const uint8_t *begin;
    size_t size;
    size_t count;
    size_t width; /* of offsets, counts: 2 or 4 */
    const uint8_t *keys, *values;
} Container;

static int container_read(Bytes wire, bool object, bool large, Container *ret)
{
    size_t key_entry, value_entry;

    *ret = (Container){.begin = wire.at, .width = large ? 4 : 2};
    if ((size_t)(wire.end - wire.at) < 2 * ret->width)
        return -1;
    ret->count = little_endian(wire.at, ret->width);
    ret->size = little_endian(wire.at + ret->width, ret->width);
    key_entry = object ? ret->width + 2 : 0;
    value_entry = 1 + ret->width;
    if (ret->size > (size_t)(wire.end - wire.at) || ret->size < 2 * ret->width || ret->count > (ret->size - 2 * ret->width) / (key_entry + value_entry))
        return -1;
    ret->keys = ret->begin + 2 * ret->width;
    ret->values = ret->keys + ret->count * key_entry;
    return 0;
}

static int key_text(const Container *container, size_t index, Buffer *text, Error *error)
{
    const uint8_t *entry = container->keys + index * (container->width + 2);
    size_t offset = little_endian(entry, container->width), length = little_endian(entry + container->width, 2);

    if (offset > container->size || length > container->size - offset)
        return malformed(error);
    return document_quote((const char *)container->begin + offset, length, text, error) < 0 ? -1 : buffer_append(text, ": ", 2, error);
}

static int entry_text(const Container *container, size_t index, int depth, Buffer *text, Error *error)
{
    const uint8_t *entry = container->values + index * (1 + container->width);
    uint8_t type = entry[0];
    size_t width = number_width(type), offset;

    if (width && width <= container->width)
        return number_text(type, entry + 1, text, error);
    offset = little_endian(entry + 1, container->width);
    if (offset > container->size)
        return malformed(error);
    return value_text(type, bytes_of(container->begin + offset, container->size - offset), depth, text, error);
}

static int container_text(Bytes wire, bool object, bool large, int depth, Buffer *text, Error *error)
{
    Container container;

    if (depth > DOCUMENT_DEPTH_MAX || container_read(wire, object, large, &container) < 0)
        return malformed(error);
    if (buffer_append(text, object ? "{" : "[", 1, error) < 0)
        return -1;
    for (size_t i = 0; i < container.count; i++) {
        if ((i && buffer_append(text, ", ", 2, error) < 0) || (object && key_text(&container, i, text, error) < 0) ||
            entry_text(&container, i, depth, text, error) < 0)
            return -1;
    }
    return buffer_append(text, object ? "}" : "]", 1, error);
}

static int value_text(uint8_t type, Bytes wire, int depth, Buffer *text, Error *error)
{
    size_t width = number_width(type);

    if (width)
        return (size_t)(wire.end - wire.at) < width ? malformed(error) : number_text(type, wire.at, text, error);
    if (type <= DOCUMENT_LARGE_ARRAY)
        return container_text(wire, type <= DOCUMENT_LARGE_OBJECT, type & 1, depth + 1, text, error);
    if (type == DOCUMENT_STRING)
        return string_text(wire, text, error);
    return type == DOCUMENT_OPAQUE ? opaque_text(wire, text, error) : malformed(error);
}

int document_text(const uint8_t *data, size_t length, Buffer *text, Error *error)
{
    /* What an INSERT IGNORE without a value leaves in a column that is NOT NULL. */
    if (length == 0)
        return buffer_text(text, "null", error);
    return value_text(data[0], bytes_of(data + 1, length - 1), 0, text, error);
}
