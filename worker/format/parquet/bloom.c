/* bloom.c - see bloom.h */
#include "format/parquet/bloom.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define WORDS 8
#define FALSE_POSITIVES_MAX 0.01

int parquet_bloom_init(ParquetBloom *bloom, size_t bytes, Error *error)
{
    uint32_t blocks = 1;

    while (blocks < UINT32_C(1) << 22 && (size_t)blocks * 2 * BLOOM_BLOCK <= bytes)
        blocks *= 2;
    bloom->words = calloc(blocks, BLOOM_BLOCK);
    if (!bloom->words)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a Bloom filter of %u bytes", blocks * BLOOM_BLOCK);
    bloom->blocks = blocks;
    return 0;
}

void parquet_bloom_free(ParquetBloom *bloom)
{
    free(bloom->words);
    *bloom = (ParquetBloom){0};
}

static void hash_insert(ParquetBloom *bloom, uint64_t hash)
{
    static const uint32_t salt[WORDS] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU, 0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
    uint32_t *block = bloom->words + ((hash >> 32) * bloom->blocks >> 32) * WORDS;

    for (int i = 0; i < WORDS; i++)
        block[i] |= UINT32_C(1) << ((uint32_t)hash * salt[i] >> 27);
}

void parquet_bloom_add(ParquetBloom *bloom, const ParquetType *type, const ParquetValues *values)
{
    for (int i = 0; i < values->count; i++) {
        const size_t length = values->fixed ? (size_t)type->width : values->lengths[i];
        const uint8_t *bytes = values->fixed ? (const uint8_t *)values->fixed + (size_t)i * length : values->bytes + values->starts[i];

        if (bytes)
            hash_insert(bloom, XXH64(bytes, length, 0));
    }
}

/* Chance that a value which is not there seems to be, were block 2i folded with 2i + 1. */
static double folded_false_positives(const ParquetBloom *bloom)
{
    const uint32_t pairs = bloom->blocks / 2;
    double sum = 0;

    for (uint32_t pair = 0; pair < pairs; pair++) {
        const uint32_t *words = bloom->words + (size_t)pair * 2 * WORDS;
        double chance = 1;

        for (int i = 0; i < WORDS; i++)
            chance *= __builtin_popcount(words[i] | words[i + WORDS]) / 32.0;
        sum += chance;
    }
    return sum / pairs;
}

static void fold(ParquetBloom *bloom)
{
    bloom->blocks /= 2;
    for (uint32_t block = 0; block < bloom->blocks; block++) {
        for (int i = 0; i < WORDS; i++)
            bloom->words[block * WORDS + i] = bloom->words[block * 2 * WORDS + i] | bloom->words[(block * 2 + 1) * WORDS + i];
    }
}

int parquet_bloom_write(ParquetBloom *bloom, Buffer *out, Error *error)
{
    const uint32_t blocks = bloom->blocks;
    Thrift thrift;
    int status;

    while (bloom->blocks > 1 && folded_false_positives(bloom) <= FALSE_POSITIVES_MAX)
        fold(bloom);
    thrift_begin(&thrift, out, error);
    thrift_i32(&thrift, 1, (int32_t)(bloom->blocks * BLOOM_BLOCK));
    for (int16_t field = 2; field <= 4; field++) { /* algorithm BLOCK, hash XXHASH, compression UNCOMPRESSED: unions of empty structs */
        thrift_struct(&thrift, field);
        thrift_struct(&thrift, 1);
        thrift_stop(&thrift);
        thrift_stop(&thrift);
    }
    status = thrift_end(&thrift);
    if (status == 0)
        status = buffer_append(out, bloom->words, (size_t)bloom->blocks * BLOOM_BLOCK, error);
    bloom->blocks = blocks;
    memset(bloom->words, 0, (size_t)blocks * BLOOM_BLOCK);
    return status;
}
