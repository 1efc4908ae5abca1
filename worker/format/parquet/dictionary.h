/*
 * dictionary.h - the distinct values of a column chunk, numbered in the order in which they came. Inside format/ only.
 *
 * Bounded by DICTIONARY_ENTRIES_MAX entries and by the bytes given at init; memory grows with what it holds.
 */
#ifndef SLUICE_FORMAT_PARQUET_DICTIONARY_H
#define SLUICE_FORMAT_PARQUET_DICTIONARY_H

#include "format/parquet/bounds.h"

#define DICTIONARY_ENTRIES_MAX 131072

/* One value among `values`. */
typedef struct ParquetEntry {
    uint32_t start, length;
} ParquetEntry;

typedef struct ParquetDictionary {
    int width;         /* of numbers; 0 for BYTE_ARRAY and FIXED */
    size_t bytes_max;
    Buffer values;     /* the entries one after another */
    ParquetEntry *entries; /* [room], with width 0 */
    uint8_t *used;     /* [room], with width 0: by the page under construction */
    uint32_t count;
    uint32_t room;
    uint64_t *slots;   /* hash << 32 | entry + 1, 0 = free; linear probing, at most half full */
    uint32_t slots_mask;
} ParquetDictionary;

void parquet_dictionary_init(ParquetDictionary *dictionary, const ParquetType *type, size_t bytes_max);
void parquet_dictionary_free(ParquetDictionary *dictionary); /* may be used again: it is empty then */
/* Stores the entry of each value, until one would make the dictionary too large; *mapped of them are done. */
int parquet_dictionary_map(ParquetDictionary *dictionary, const ParquetValues *values, uint32_t *ret, int *mapped, Error *error);
/* Bounds of the entries used since the last call (width 0 only). */
void parquet_dictionary_bounds(ParquetDictionary *dictionary, const ParquetType *type, ParquetBounds *bounds);
size_t parquet_dictionary_memory(const ParquetDictionary *dictionary);

#endif
