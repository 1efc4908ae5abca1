/* encode.c - see encode.h */
#include "format/parquet/encode.h"
#include "format/parquet/thrift.h"

#include <string.h>

#define DELTA_BLOCK 128 /* values; a multiple of 128 */
#define DELTA_MINIBLOCKS 4
#define DELTA_MINIBLOCK (DELTA_BLOCK / DELTA_MINIBLOCKS)
#define PACK_SPILL 8    /* bytes that packing may write beyond its end */

int bit_width(uint32_t greatest)
{
    return greatest ? 32 - __builtin_clz(greatest) : 0;
}

/* Little-endian, least significant bit first; count is a multiple of 8, so that it ends on a whole byte. */
static inline __attribute__((always_inline)) uint8_t *pack_width(uint8_t *to, const uint32_t *values, size_t count, int width)
{
    for (size_t i = 0; i < count; i += 8) {
        uint64_t low = 0;
        int bits = 0;

        for (int k = 0; k < 8; k++) {
            low |= (uint64_t)values[i + (size_t)k] << bits;
            bits += width;
            if (bits >= 32) {
                uint32_t word = (uint32_t)low;

                memcpy(to, &word, 4);
                to += 4;
                low >>= 32;
                bits -= 32;
            }
        }
        memcpy(to, &low, 8);
        to += bits / 8;
    }
    return to;
}

#define PACK_CASE(n) case n: return pack_width(to, values, count, n)
#define PACK_CASES(n) PACK_CASE(n); PACK_CASE(n + 1); PACK_CASE(n + 2); PACK_CASE(n + 3); PACK_CASE(n + 4); PACK_CASE(n + 5); PACK_CASE(n + 6); PACK_CASE(n + 7)

/* The width as a constant lets the compiler unroll each. */
static uint8_t *pack32(uint8_t *to, const uint32_t *values, size_t count, int width)
{
    switch (width) {
        PACK_CASES(1);
        PACK_CASES(9);
        PACK_CASES(17);
        PACK_CASES(25);
    default:
        return to;
    }
}

static uint8_t *pack64(uint8_t *to, const uint64_t *values, size_t count, int width)
{
    unsigned __int128 low = 0;
    int bits = 0;

    for (size_t i = 0; i < count; i++) {
        low |= (unsigned __int128)values[i] << bits;
        bits += width;
        if (bits >= 64) {
            uint64_t word = (uint64_t)low;

            memcpy(to, &word, 8);
            to += 8;
            low >>= 64;
            bits -= 64;
        }
    }
    memcpy(to, &low, 8);
    return to + bits / 8;
}

/* ---- the hybrid ------------------------------------------------------------ */

/* Values from which a run is worth its header and the header of the packed run that it splits. */
static size_t run_worth(int width)
{
    return width <= 2 ? 32 : width <= 4 ? 16 : 8;
}

static inline size_t run_length(const uint32_t *values, size_t from, size_t count)
{
    size_t at = from + 1;

    while (at < count && values[at] == values[from])
        at++;
    return at - from;
}

static uint8_t *packed_run(uint8_t *to, const uint32_t *values, size_t count, int width)
{
    size_t whole = count / 8 * 8;
    uint32_t rest[8] = {0};

    if (!count)
        return to;
    to = varint_write(to, (uint64_t)((count + 7) / 8) << 1 | 1);
    to = pack32(to, values, whole, width);
    if (whole == count)
        return to;
    memcpy(rest, values + whole, (count - whole) * sizeof *rest);
    return pack32(to, rest, 8, width);
}

static uint8_t *equal_run(uint8_t *to, uint32_t value, size_t count, int width)
{
    to = varint_write(to, (uint64_t)count << 1);
    memcpy(to, &value, 4);
    return to + (width + 7) / 8;
}

int rle_encode(Buffer *out, const uint32_t *values, size_t count, int width, Error *error)
{
    /* Worst is a run of 8 and a packed run of 8 in turn, each with a header. */
    const size_t room = (count / 8 + 2) * ((size_t)width + 6) + VARINT_MAX + PACK_SPILL;
    const size_t worth = run_worth(width);
    size_t packed_from = 0, at = 0;
    uint8_t *to;

    if (buffer_reserve(out, room, error) < 0)
        return -1;
    to = (uint8_t *)out->data + out->length;
    while (at < count) {
        size_t run;

        /* Most values differ from their neighbours: one look at a distance before counting. */
        if (count - at > 8 && values[at] != values[at + 7]) {
            at += 8;
            continue;
        }
        run = run_length(values, at, count);
        if (run >= worth || (run >= 8 && at + run == count)) {
            to = packed_run(to, values + packed_from, at - packed_from, width);
            to = equal_run(to, values[at], run, width);
            at += run;
            packed_from = at;
        } else {
            at += 8;
        }
    }
    to = packed_run(to, values + packed_from, count - packed_from, width);
    out->length = (size_t)(to - (uint8_t *)out->data);
    return 0;
}

/* Bits of 8 levels (0 or 1 a byte) as one byte, first level lowest. */
static inline uint8_t levels_byte(const uint8_t *levels)
{
    uint64_t eight;

    memcpy(&eight, levels, 8);
    return (uint8_t)((eight * UINT64_C(0x0102040810204080)) >> 56);
}

static uint8_t *levels_packed(uint8_t *to, const uint8_t *levels, size_t count)
{
    uint8_t rest[8] = {0};
    size_t whole = count / 8 * 8;

    for (size_t i = 0; i < whole; i += 8)
        *to++ = levels_byte(levels + i);
    if (whole == count)
        return to;
    memcpy(rest, levels + whole, count - whole);
    *to++ = levels_byte(rest);
    return to;
}

int boolean_encode(Buffer *out, const uint8_t *values, size_t count, Error *error)
{
    if (buffer_reserve(out, count / 8 + 1, error) < 0)
        return -1;
    out->length = (size_t)(levels_packed((uint8_t *)out->data + out->length, values, count) - (uint8_t *)out->data);
    return 0;
}

int levels_encode(Buffer *out, const uint8_t *levels, size_t count, size_t nulls, Error *error)
{
    uint8_t *start, *to;
    uint32_t length;

    if (buffer_reserve(out, count / 8 + 1 + 4 + VARINT_MAX, error) < 0)
        return -1;
    start = (uint8_t *)out->data + out->length + 4;
    if (nulls == 0 || nulls == count) {
        to = varint_write(start, (uint64_t)count << 1);
        *to++ = nulls == 0;
    } else {
        to = varint_write(start, (uint64_t)((count + 7) / 8) << 1 | 1);
        to = levels_packed(to, levels, count);
    }
    length = (uint32_t)(to - start);
    memcpy(start - 4, &length, 4);
    out->length = (size_t)(to - (uint8_t *)out->data);
    return 0;
}

/* ---- plain and delta ------------------------------------------------------- */

int bytes_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, size_t count, Error *error)
{
    size_t total = 0;
    char *to;

    for (size_t i = 0; i < count; i++)
        total += lengths[i];
    if (buffer_reserve(out, total + 4 * count, error) < 0)
        return -1;
    to = out->data + out->length;
    for (size_t i = 0; i < count; i++) {
        memcpy(to, &lengths[i], 4);
        if (lengths[i]) /* where all are empty there may be no bytes to point at */
            memcpy(to + 4, bytes, lengths[i]);
        to += 4 + lengths[i];
        bytes += lengths[i];
    }
    out->length = (size_t)(to - out->data);
    return 0;
}

static uint8_t *delta_header(uint8_t *to, size_t count, int64_t first)
{
    to = varint_write(to, DELTA_BLOCK);
    to = varint_write(to, DELTA_MINIBLOCKS);
    to = varint_write(to, count);
    return varint_write(to, zigzag(first));
}

/* Header and, of each block, least delta, widths and packed bits at the full width of the type. */
static size_t delta_room(size_t count, size_t value_bytes)
{
    return 4 * VARINT_MAX + (count / DELTA_BLOCK + 1) * (VARINT_MAX + DELTA_MINIBLOCKS + DELTA_BLOCK * value_bytes) + PACK_SPILL;
}

/* Differences are taken modulo 2^32: a reader adds them the same way, and no width is above 32. */
static uint8_t *delta32_block(uint8_t *to, const int32_t *values, size_t count)
{
    uint32_t deltas[DELTA_BLOCK] = {0};
    int32_t least = INT32_MAX;
    uint8_t *widths;

    for (size_t i = 0; i < count; i++) {
        int32_t delta = (int32_t)((uint32_t)values[i + 1] - (uint32_t)values[i]);

        deltas[i] = (uint32_t)delta;
        least = delta < least ? delta : least;
    }
    to = varint_write(to, zigzag(least));
    widths = to;
    to += DELTA_MINIBLOCKS;
    for (size_t mini = 0; mini < DELTA_MINIBLOCKS; mini++) {
        uint32_t *from = deltas + mini * DELTA_MINIBLOCK, bits = 0;
        size_t start = mini * DELTA_MINIBLOCK;
        size_t held = count > start ? count - start : 0;

        for (size_t i = 0; i < held && i < DELTA_MINIBLOCK; i++) {
            from[i] -= (uint32_t)least;
            bits |= from[i];
        }
        widths[mini] = (uint8_t)bit_width(bits);
        to = pack32(to, from, DELTA_MINIBLOCK, widths[mini]);
    }
    return to;
}

static uint8_t *delta64_block(uint8_t *to, const int64_t *values, size_t count)
{
    uint64_t deltas[DELTA_BLOCK] = {0};
    int64_t least = INT64_MAX;
    uint8_t *widths;

    for (size_t i = 0; i < count; i++) {
        int64_t delta = (int64_t)((uint64_t)values[i + 1] - (uint64_t)values[i]);

        deltas[i] = (uint64_t)delta;
        least = delta < least ? delta : least;
    }
    to = varint_write(to, zigzag(least));
    widths = to;
    to += DELTA_MINIBLOCKS;
    for (size_t mini = 0; mini < DELTA_MINIBLOCKS; mini++) {
        uint64_t *from = deltas + mini * DELTA_MINIBLOCK, bits = 0;
        uint32_t narrow[DELTA_MINIBLOCK];
        size_t start = mini * DELTA_MINIBLOCK;
        size_t held = count > start ? count - start : 0;

        for (size_t i = 0; i < held && i < DELTA_MINIBLOCK; i++) {
            from[i] -= (uint64_t)least;
            bits |= from[i];
        }
        widths[mini] = (uint8_t)(bits ? 64 - __builtin_clzll(bits) : 0);
        if (widths[mini] > 32) {
            to = pack64(to, from, DELTA_MINIBLOCK, widths[mini]);
            continue;
        }
        for (size_t i = 0; i < DELTA_MINIBLOCK; i++)
            narrow[i] = (uint32_t)from[i];
        to = pack32(to, narrow, DELTA_MINIBLOCK, widths[mini]);
    }
    return to;
}

int delta32_encode(Buffer *out, const int32_t *values, size_t count, Error *error)
{
    uint8_t *to;

    if (buffer_reserve(out, delta_room(count, 4), error) < 0)
        return -1;
    to = delta_header((uint8_t *)out->data + out->length, count, count ? values[0] : 0);
    for (size_t done = 1; done < count; done += DELTA_BLOCK)
        to = delta32_block(to, values + done - 1, count - done < DELTA_BLOCK ? count - done : DELTA_BLOCK);
    out->length = (size_t)(to - (uint8_t *)out->data);
    return 0;
}

int delta64_encode(Buffer *out, const int64_t *values, size_t count, Error *error)
{
    uint8_t *to;

    if (buffer_reserve(out, delta_room(count, 8), error) < 0)
        return -1;
    to = delta_header((uint8_t *)out->data + out->length, count, count ? values[0] : 0);
    for (size_t done = 1; done < count; done += DELTA_BLOCK)
        to = delta64_block(to, values + done - 1, count - done < DELTA_BLOCK ? count - done : DELTA_BLOCK);
    out->length = (size_t)(to - (uint8_t *)out->data);
    return 0;
}

int delta_length_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, size_t count, Error *error)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += lengths[i];
    if (delta32_encode(out, (const int32_t *)lengths, count, error) < 0)
        return -1;
    return buffer_append(out, bytes, total, error);
}

size_t bytes_prefixes(const uint8_t *bytes, const uint32_t *lengths, size_t count, uint32_t *ret)
{
    const uint8_t *before = bytes;
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t most = i == 0 ? 0 : lengths[i - 1] < lengths[i] ? lengths[i - 1] : lengths[i];
        uint32_t same = 0;

        while (same + 8 <= most) {
            uint64_t left, right;

            memcpy(&left, before + same, 8);
            memcpy(&right, bytes + same, 8);
            if (left != right)
                break;
            same += 8;
        }
        while (same < most && before[same] == bytes[same])
            same++;
        ret[i] = same;
        total += same;
        before = bytes;
        bytes += lengths[i];
    }
    return total;
}

int delta_bytes_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, const uint32_t *prefixes, size_t count, Error *error)
{
    Buffer suffixes;
    size_t total = 0;
    int status = -1;
    int32_t *rest;
    char *to;

    buffer_init(&suffixes, out->maximum);
    for (size_t i = 0; i < count; i++)
        total += lengths[i] - prefixes[i];
    if (buffer_reserve(&suffixes, count * sizeof *rest + 1, error) < 0)
        return -1;
    rest = (int32_t *)(void *)suffixes.data;
    for (size_t i = 0; i < count; i++)
        rest[i] = (int32_t)(lengths[i] - prefixes[i]);
    if (delta32_encode(out, (const int32_t *)prefixes, count, error) == 0 && delta32_encode(out, rest, count, error) == 0 &&
        buffer_reserve(out, total, error) == 0) {
        to = out->data + out->length;
        for (size_t i = 0; i < count; i++) {
            if (lengths[i] > prefixes[i]) /* where all are empty there may be no bytes to point at */
                memcpy(to, bytes + prefixes[i], lengths[i] - prefixes[i]);
            to += lengths[i] - prefixes[i];
            bytes += lengths[i];
        }
        out->length += total;
        status = 0;
    }
    buffer_free(&suffixes);
    return status;
}
