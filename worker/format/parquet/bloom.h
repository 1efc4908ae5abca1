/*
 * bloom.h - a split-block Bloom filter of a column chunk. Source: apache/parquet-format, BloomFilter.md (block insertion, salt, XXH64
 * with seed 0 of the plain encoding, BloomFilterHeader). Inside format/ only.
 *
 * How many distinct values will come is not known in front: it is filled at its greatest size and folded while it stays good enough,
 * which is exact, since the block of a value in half as many blocks is half of its block.
 */
#ifndef SLUICE_FORMAT_PARQUET_BLOOM_H
#define SLUICE_FORMAT_PARQUET_BLOOM_H

#include "format/parquet/type.h"

#define BLOOM_BLOCK 32 /* bytes: 8 words of 32 bits */

typedef struct ParquetBloom {
    uint32_t *words;
    uint32_t blocks; /* power of two; 0 = none is wanted */
} ParquetBloom;

/* Bytes are taken down to a power of two, at least one block. */
int parquet_bloom_init(ParquetBloom *bloom, size_t bytes, Error *error);
void parquet_bloom_free(ParquetBloom *bloom);
void parquet_bloom_add(ParquetBloom *bloom, const ParquetType *type, const ParquetValues *values);
/* Header and folded bits; the filter is empty afterwards. */
int parquet_bloom_write(ParquetBloom *bloom, Buffer *out, Error *error);

#endif
