/* bounds.c - see bounds.h */
#include "format/parquet/bounds.h"

#include <math.h>
#include <string.h>

typedef enum BoundsKind { BOUNDS_INTEGER, BOUNDS_REAL, BOUNDS_BYTES } BoundsKind;

static BoundsKind bounds_kind(const ParquetType *type)
{
    if (type->physical == PARQUET_FLOAT || type->physical == PARQUET_DOUBLE)
        return BOUNDS_REAL;
    return type->physical == PARQUET_BYTE_ARRAY || type->physical == PARQUET_FIXED ? BOUNDS_BYTES : BOUNDS_INTEGER;
}

/* FIXED holds decimals, two's complement big-endian: with its top bit turned the first byte sorts as unsigned like the rest. */
static uint8_t first_flip(const ParquetType *type)
{
    return type->physical == PARQUET_FIXED ? 0x80 : 0;
}

/* ---- bytes ----------------------------------------------------------------- */

static int bytes_compare(const uint8_t *left, uint32_t left_length, const uint8_t *right, uint32_t right_length, uint8_t flip)
{
    uint32_t common = left_length < right_length ? left_length : right_length;
    int order;

    common = common < BOUND_ROOM ? common : BOUND_ROOM;
    if (common && left[0] != right[0])
        return (left[0] ^ flip) - (right[0] ^ flip);
    order = common ? memcmp(left, right, common) : 0;
    if (order || common == BOUND_ROOM)
        return order;
    return (left_length > right_length) - (left_length < right_length);
}

static void bound_set(ParquetBound *bound, const uint8_t *bytes, uint32_t length)
{
    bound->length = length;
    if (length)
        memcpy(bound->bytes, bytes, length < BOUND_ROOM ? length : BOUND_ROOM);
}

void parquet_bounds_add_bytes(ParquetBounds *bounds, const ParquetType *type, const uint8_t *bytes, uint32_t length)
{
    const uint8_t flip = first_flip(type);
    ParquetBound *min = &bounds->bytes.min, *max = &bounds->bytes.max;

    if (!bounds->any) {
        bounds->any = true;
        bound_set(min, bytes, length);
        bound_set(max, bytes, length);
        return;
    }
    if (bytes_compare(bytes, length, min->bytes, min->length, flip) < 0)
        bound_set(min, bytes, length);
    /* Of two that agree in all that is kept the longer one stands, so that neither is taken for the whole. */
    else if (bytes_compare(bytes, length, max->bytes, max->length, flip) > 0 || (length > BOUND_ROOM && length > max->length &&
             bytes_compare(bytes, length, max->bytes, max->length, flip) == 0))
        bound_set(max, bytes, length);
}

/* First 8 bytes as a number that sorts like them; a shorter value is filled with zeros. */
static inline uint64_t sort_key(const uint8_t *bytes, uint32_t length)
{
    uint64_t key = 0;

    if (length >= 8) {
        memcpy(&key, bytes, 8);
        return __builtin_bswap64(key);
    }
    for (uint32_t i = 0; i < length; i++)
        key |= (uint64_t)bytes[i] << (56 - 8 * i);
    return key;
}

static void bytes_add(ParquetBounds *bounds, const ParquetType *type, const ParquetValues *values)
{
    const uint64_t flip = (uint64_t)first_flip(type) << 56;
    uint64_t least, greatest;
    int i = 0;

    if (!values->count)
        return;
    if (!bounds->any)
        parquet_bounds_add_bytes(bounds, type, values->bytes + values->starts[i], values->lengths[i]);
    least = sort_key(bounds->bytes.min.bytes, bounds->bytes.min.length) ^ flip;
    greatest = sort_key(bounds->bytes.max.bytes, bounds->bytes.max.length) ^ flip;
    for (; i < values->count; i++) {
        const uint8_t *bytes = values->bytes + values->starts[i];
        uint64_t key = sort_key(bytes, values->lengths[i]) ^ flip;

        /* Most lie strictly between the bounds. */
        if (key > least && key < greatest)
            continue;
        parquet_bounds_add_bytes(bounds, type, bytes, values->lengths[i]);
        least = sort_key(bounds->bytes.min.bytes, bounds->bytes.min.length) ^ flip;
        greatest = sort_key(bounds->bytes.max.bytes, bounds->bytes.max.length) ^ flip;
    }
}

/* ---- numbers --------------------------------------------------------------- */

#define INTEGERS_ADD(type_name) \
    do { \
        const type_name *from = values->fixed; \
        type_name min = from[0], max = from[0]; \
        for (int i = 1; i < values->count; i++) { \
            min = from[i] < min ? from[i] : min; \
            max = from[i] > max ? from[i] : max; \
        } \
        if (!bounds->any || min < bounds->integer.min) \
            bounds->integer.min = min; \
        if (!bounds->any || max > bounds->integer.max) \
            bounds->integer.max = max; \
        bounds->any = true; \
    } while (0)

static void integers_add(ParquetBounds *bounds, const ParquetType *type, const ParquetValues *values)
{
    if (type->width == 1)
        INTEGERS_ADD(uint8_t);
    else if (type->width == 4)
        INTEGERS_ADD(int32_t);
    else
        INTEGERS_ADD(int64_t);
}

static inline void real_add(ParquetBounds *bounds, double value)
{
    if (isnan(value))
        return;
    if (!bounds->any || value < bounds->real.min)
        bounds->real.min = value;
    if (!bounds->any || value > bounds->real.max)
        bounds->real.max = value;
    bounds->any = true;
}

static void reals_add(ParquetBounds *bounds, const ParquetType *type, const ParquetValues *values)
{
    const float *singles = values->fixed;
    const double *doubles = values->fixed;

    for (int i = 0; i < values->count; i++)
        real_add(bounds, type->width == 4 ? (double)singles[i] : doubles[i]);
}

void parquet_bounds_add(ParquetBounds *bounds, const ParquetType *type, const ParquetValues *values)
{
    if (!values->count)
        return;
    switch (bounds_kind(type)) {
    case BOUNDS_INTEGER:
        integers_add(bounds, type, values);
        break;
    case BOUNDS_REAL:
        reals_add(bounds, type, values);
        break;
    case BOUNDS_BYTES:
        bytes_add(bounds, type, values);
        break;
    }
}

void parquet_bounds_merge(ParquetBounds *bounds, const ParquetType *type, const ParquetBounds *other)
{
    if (!other->any)
        return;
    if (!bounds->any) {
        *bounds = *other;
        return;
    }
    switch (bounds_kind(type)) {
    case BOUNDS_INTEGER:
        bounds->integer.min = other->integer.min < bounds->integer.min ? other->integer.min : bounds->integer.min;
        bounds->integer.max = other->integer.max > bounds->integer.max ? other->integer.max : bounds->integer.max;
        break;
    case BOUNDS_REAL:
        real_add(bounds, other->real.min);
        real_add(bounds, other->real.max);
        break;
    case BOUNDS_BYTES:
        /* A kept prefix stands for its value: no more of it is ever looked at. */
        parquet_bounds_add_bytes(bounds, type, other->bytes.min.bytes, other->bytes.min.length);
        parquet_bounds_add_bytes(bounds, type, other->bytes.max.bytes, other->bytes.max.length);
        break;
    }
}

int parquet_bounds_compare_min(const ParquetBounds *left, const ParquetBounds *right, const ParquetType *type)
{
    switch (bounds_kind(type)) {
    case BOUNDS_INTEGER:
        return (left->integer.min > right->integer.min) - (left->integer.min < right->integer.min);
    case BOUNDS_REAL:
        return (left->real.min > right->real.min) - (left->real.min < right->real.min);
    case BOUNDS_BYTES:
        break;
    }
    return bytes_compare(left->bytes.min.bytes, left->bytes.min.length, right->bytes.min.bytes, right->bytes.min.length, first_flip(type));
}

int parquet_bounds_compare_max(const ParquetBounds *left, const ParquetBounds *right, const ParquetType *type)
{
    switch (bounds_kind(type)) {
    case BOUNDS_INTEGER:
        return (left->integer.max > right->integer.max) - (left->integer.max < right->integer.max);
    case BOUNDS_REAL:
        return (left->real.max > right->real.max) - (left->real.max < right->real.max);
    case BOUNDS_BYTES:
        break;
    }
    return bytes_compare(left->bytes.max.bytes, left->bytes.max.length, right->bytes.max.bytes, right->bytes.max.length, first_flip(type));
}

/* ---- as bytes of the file -------------------------------------------------- */

static void number_text(const ParquetType *type, int64_t integer, double real, ParquetBoundText *ret)
{
    float single = (float)real;

    ret->any = ret->exact = true;
    ret->length = (size_t)type->width;
    if (type->physical == PARQUET_FLOAT)
        memcpy(ret->bytes, &single, sizeof single);
    else if (type->physical == PARQUET_DOUBLE)
        memcpy(ret->bytes, &real, sizeof real);
    else
        memcpy(ret->bytes, &integer, ret->length); /* little-endian, so the low bytes come first */
}

/* Bytes of a long value that are kept: text only up to the last whole character. */
static uint32_t cut_length(const ParquetType *type, const ParquetBound *bound)
{
    uint32_t cut = BOUND_BYTES_MAX;

    while (type->logical == PARQUET_STRING && cut && (bound->bytes[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

/* The least text above all that begin with these whole characters: the last one that can be raised is, what follows it goes. */
static size_t text_raise(uint8_t *bytes, size_t length)
{
    while (length) {
        size_t start = length - 1, count;
        uint32_t code;

        while (start && (bytes[start] & 0xc0) == 0x80)
            start--;
        count = length - start;
        code = bytes[start] & (count == 1 ? 0x7fu : 0xffu >> (count + 1));
        for (size_t i = 1; i < count; i++)
            code = code << 6 | (bytes[start + i] & 0x3fu);
        code = code == 0xd7ff ? 0xe000 : code + 1; /* surrogates are no characters */
        length = start;
        if (code > 0x10ffff)
            continue;
        if (code < 0x80) {
            bytes[length++] = (uint8_t)code;
        } else if (code < 0x800) {
            bytes[length++] = (uint8_t)(0xc0 | code >> 6);
            bytes[length++] = (uint8_t)(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            bytes[length++] = (uint8_t)(0xe0 | code >> 12);
            bytes[length++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
            bytes[length++] = (uint8_t)(0x80 | (code & 0x3f));
        } else {
            bytes[length++] = (uint8_t)(0xf0 | code >> 18);
            bytes[length++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
            bytes[length++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
            bytes[length++] = (uint8_t)(0x80 | (code & 0x3f));
        }
        return length;
    }
    return 0;
}

static size_t binary_raise(uint8_t *bytes, size_t length)
{
    while (length && bytes[length - 1] == 0xff)
        length--;
    if (length)
        bytes[length - 1]++;
    return length;
}

static void bytes_text(const ParquetType *type, const ParquetBound *bound, ParquetBoundText *ret)
{
    ret->any = true;
    ret->exact = bound->length <= BOUND_BYTES_MAX;
    ret->length = ret->exact ? bound->length : cut_length(type, bound);
    memcpy(ret->bytes, bound->bytes, ret->length);
}

void parquet_bounds_min(const ParquetBounds *bounds, const ParquetType *type, ParquetBoundText *ret)
{
    *ret = (ParquetBoundText){0};
    if (!bounds->any)
        return;
    if (bounds_kind(type) == BOUNDS_BYTES)
        bytes_text(type, &bounds->bytes.min, ret);
    else /* a zero may stand for -0.0 too (parquet.thrift, ColumnOrder) */
        number_text(type, bounds->integer.min, bounds->real.min == 0 ? -0.0 : bounds->real.min, ret);
}

void parquet_bounds_max(const ParquetBounds *bounds, const ParquetType *type, ParquetBoundText *ret)
{
    *ret = (ParquetBoundText){0};
    if (!bounds->any)
        return;
    if (bounds_kind(type) != BOUNDS_BYTES) {
        number_text(type, bounds->integer.max, bounds->real.max == 0 ? 0.0 : bounds->real.max, ret);
        return;
    }
    bytes_text(type, &bounds->bytes.max, ret);
    if (ret->exact)
        return;
    ret->length = type->logical == PARQUET_STRING ? text_raise(ret->bytes, ret->length) : binary_raise(ret->bytes, ret->length);
    ret->any = ret->length > 0;
}
