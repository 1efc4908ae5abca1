/*
 * encode.h - Parquet's encodings, as pure functions from values to bytes. Inside format/ only.
 * Source: apache/parquet-format, Encodings.md (section of each beside its function).
 *
 * Each appends to `out`; only running out of memory, or of the buffer's maximum, fails.
 */
#ifndef SLUICE_FORMAT_PARQUET_ENCODE_H
#define SLUICE_FORMAT_PARQUET_ENCODE_H

#include "base/buffer.h"

/* Bits that the greatest value needs, 0 for 0. */
int bit_width(uint32_t greatest);
/* "Run Length Encoding / Bit-Packing Hybrid": no length in front, values below 2^width. */
int rle_encode(Buffer *out, const uint32_t *values, size_t count, int width, Error *error);
/* Definition levels of an optional column in a v1 data page: 4 bytes of length, then the hybrid of width 1. */
int levels_encode(Buffer *out, const uint8_t *levels, size_t count, size_t nulls, Error *error);
/* "Plain" of booleans: bit-packed, least significant bit first. */
int boolean_encode(Buffer *out, const uint8_t *values, size_t count, Error *error);
/* "Plain" of BYTE_ARRAY: 4 bytes of length before each value; bytes lie one after another. */
int bytes_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, size_t count, Error *error);
/* "Delta Encoding (DELTA_BINARY_PACKED = 5)": blocks of 128 values in 4 miniblocks. */
int delta32_encode(Buffer *out, const int32_t *values, size_t count, Error *error);
int delta64_encode(Buffer *out, const int64_t *values, size_t count, Error *error);
/* "Delta-length byte array (DELTA_LENGTH_BYTE_ARRAY = 6)" */
int delta_length_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, size_t count, Error *error);
/* "Delta Strings (DELTA_BYTE_ARRAY = 7)"; prefixes is room for `count` numbers: bytes_prefixes has filled it. */
int delta_bytes_encode(Buffer *out, const uint8_t *bytes, const uint32_t *lengths, const uint32_t *prefixes, size_t count, Error *error);
/* Bytes each value has in common with the one before; returns their sum. */
size_t bytes_prefixes(const uint8_t *bytes, const uint32_t *lengths, size_t count, uint32_t *ret);

#endif
