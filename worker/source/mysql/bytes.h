/*
 * bytes.h - reading little-endian bytes from a server within their bounds.
 */
#ifndef SLUICE_MYSQL_BYTES_H
#define SLUICE_MYSQL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read. A read beyond the end gives 0 and makes `short_of` true, which stays. */
typedef struct Bytes {
    const uint8_t *at, *end;
    bool short_of;
} Bytes;

static inline Bytes bytes_of(const uint8_t *data, size_t length)
{
    return (Bytes){.at = data, .end = data + length};
}

static inline size_t bytes_left(const Bytes *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

/* The next `length` bytes, NULL where there are fewer. */
static inline const uint8_t *bytes_take(Bytes *bytes, size_t length)
{
    const uint8_t *at = bytes->at;

    if (bytes->short_of || bytes_left(bytes) < length) {
        bytes->short_of = true;
        return NULL;
    }
    bytes->at += length;
    return at;
}

static inline uint64_t bytes_number(Bytes *bytes, int length)
{
    const uint8_t *at = bytes_take(bytes, (size_t)length);
    uint64_t number = 0;

    for (int i = length; at && i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

/* "int<lenenc>" of the client protocol. */
static inline uint64_t bytes_packed(Bytes *bytes)
{
    uint8_t first = (uint8_t)bytes_number(bytes, 1);

    if (first < 251)
        return first;
    if (first == 252)
        return bytes_number(bytes, 2);
    if (first == 253)
        return bytes_number(bytes, 3);
    if (first == 254)
        return bytes_number(bytes, 8);
    bytes->short_of = true;
    return 0;
}

/* Variable-length unsigned integer of MySQL's serialization library (its readme.md): as many bytes as the first has trailing ones, and one. */
static inline uint64_t bytes_varlen(Bytes *bytes)
{
    uint8_t first = (uint8_t)bytes_number(bytes, 1);
    int more = 0;
    uint64_t low;

    while (more < 8 && first >> more & 1)
        more++;
    low = more < 7 ? (uint64_t)(first >> (more + 1)) : 0;
    if (more == 0)
        return low;
    return more == 8 ? bytes_number(bytes, 8) : bytes_number(bytes, more) << (7 - more) | low;
}

#endif
