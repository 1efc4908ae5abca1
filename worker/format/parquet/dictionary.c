/* dictionary.c - see dictionary.h */
#include "format/parquet/dictionary.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define ROOM_MIN 256
#define AHEAD 8 /* values */
#define ENTRY_BYTES_MIN 8 /* counted for each entry at least: its place in the table costs more than a small value */

void parquet_dictionary_init(ParquetDictionary *dictionary, const ParquetType *type, size_t bytes_max)
{
    *dictionary = (ParquetDictionary){.width = type->physical == PARQUET_FIXED ? 0 : type->width, .bytes_max = bytes_max};
    buffer_init(&dictionary->values, bytes_max + 8);
}

void parquet_dictionary_free(ParquetDictionary *dictionary)
{
    free(dictionary->entries);
    free(dictionary->used);
    free(dictionary->slots);
    buffer_free(&dictionary->values);
    *dictionary = (ParquetDictionary){.width = dictionary->width, .bytes_max = dictionary->bytes_max, .values = dictionary->values};
}

size_t parquet_dictionary_memory(const ParquetDictionary *dictionary)
{
    size_t entry = dictionary->width ? 0 : sizeof(ParquetEntry) + 1;

    return dictionary->values.capacity + dictionary->room * entry + (dictionary->slots ? ((size_t)dictionary->slots_mask + 1) * sizeof(uint64_t) : 0);
}

static int out_of_memory(Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the dictionary of a column");
}

static int entries_grow(ParquetDictionary *dictionary, uint32_t room, Error *error)
{
    ParquetEntry *entries;
    uint8_t *used;

    if (dictionary->width) {
        dictionary->room = room;
        return 0;
    }
    entries = realloc(dictionary->entries, room * sizeof *entries);
    if (entries)
        dictionary->entries = entries;
    used = realloc(dictionary->used, room);
    if (used)
        dictionary->used = used;
    if (!entries || !used)
        return out_of_memory(error);
    memset(used + dictionary->room, 0, room - dictionary->room);
    dictionary->room = room;
    return 0;
}

/* Doubles entries and slots together. */
static int dictionary_grow(ParquetDictionary *dictionary, Error *error)
{
    uint32_t room = dictionary->room ? dictionary->room * 2 : ROOM_MIN;
    uint32_t mask = room * 2 - 1;
    uint64_t *slots = calloc((size_t)mask + 1, sizeof *slots);

    if (!slots)
        return out_of_memory(error);
    if (entries_grow(dictionary, room, error) < 0) {
        free(slots);
        return -1;
    }
    for (size_t i = 0; dictionary->slots && i <= dictionary->slots_mask; i++) {
        uint64_t slot = dictionary->slots[i];
        uint32_t at = (uint32_t)(slot >> 32) & mask;

        if (!slot)
            continue;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = slot;
    }
    free(dictionary->slots);
    dictionary->slots = slots;
    dictionary->slots_mask = mask;
    return 0;
}

/* Whether one entry more of these bytes would be too large; makes room for it if not. */
static int entry_room(ParquetDictionary *dictionary, size_t bytes, bool *full, Error *error)
{
    *full = dictionary->count >= DICTIONARY_ENTRIES_MAX || dictionary->count >= dictionary->bytes_max / ENTRY_BYTES_MIN || dictionary->values.length + bytes > dictionary->bytes_max;
    if (*full)
        return 0;
    if (dictionary->count == dictionary->room && dictionary_grow(dictionary, error) < 0)
        return -1;
    return buffer_reserve(&dictionary->values, bytes + 1, error); /* where all entries are empty, there is still something to point at */
}

/* Of 4 bytes it is one to one, so that equal hashes are equal values. */
static inline uint32_t number_hash(uint64_t value, int width)
{
    if (width == 4) {
        uint32_t hash = (uint32_t)value * UINT32_C(0x9e3779b1);

        return hash ^ hash >> 15;
    }
    value *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((value ^ value >> 29) >> 16);
}

/* Finds a number; else says in which slot it belongs. */
static inline __attribute__((always_inline)) bool number_find(const ParquetDictionary *dictionary, uint64_t value, uint32_t hash, int width,
                                                              uint32_t *slot, uint32_t *entry)
{
    uint32_t at = hash & dictionary->slots_mask;

    while (dictionary->slots[at]) {
        if ((uint32_t)(dictionary->slots[at] >> 32) == hash) {
            uint64_t held = 0;

            *entry = (uint32_t)dictionary->slots[at] - 1;
            if (width == 4)
                return true;
            memcpy(&held, dictionary->values.data + (size_t)*entry * (size_t)width, (size_t)width);
            if (held == value)
                return true;
        }
        at = (at + 1) & dictionary->slots_mask;
    }
    *slot = at;
    return false;
}

static inline int number_add(ParquetDictionary *dictionary, uint64_t value, uint32_t hash, uint32_t slot, bool *full, Error *error)
{
    const uint32_t room = dictionary->room;

    if (entry_room(dictionary, (size_t)dictionary->width, full, error) < 0)
        return -1;
    if (*full)
        return 0;
    if (room != dictionary->room) { /* the slots have moved */
        uint32_t entry;

        number_find(dictionary, value, hash, dictionary->width, &slot, &entry);
    }
    memcpy(dictionary->values.data + dictionary->values.length, &value, (size_t)dictionary->width);
    dictionary->values.length += (size_t)dictionary->width;
    dictionary->slots[slot] = (uint64_t)hash << 32 | ++dictionary->count;
    return 0;
}

/* The table is larger than a core's cache: the slots of the next values are asked for before they are needed. */
static inline __attribute__((always_inline)) int numbers_map(ParquetDictionary *dictionary, const uint8_t *from, int width, int count, uint32_t *ret,
                                                             int *mapped, Error *error)
{
    uint32_t hashes[BATCH_ROWS_MAX], slot, entry;
    bool full;

    for (int i = 0; i < count; i++) {
        uint64_t value = 0;

        memcpy(&value, from + (size_t)i * (size_t)width, (size_t)width);
        hashes[i] = number_hash(value, width);
    }
    for (int i = 0; i < count; i++) {
        uint64_t value = 0;

        if (i + AHEAD < count)
            __builtin_prefetch(&dictionary->slots[hashes[i + AHEAD] & dictionary->slots_mask]);
        memcpy(&value, from + (size_t)i * (size_t)width, (size_t)width);
        if (!number_find(dictionary, value, hashes[i], width, &slot, &entry)) {
            entry = dictionary->count;
            if (number_add(dictionary, value, hashes[i], slot, &full, error) < 0)
                return -1;
            if (full) {
                *mapped = i;
                return 0;
            }
        }
        ret[i] = entry;
    }
    *mapped = count;
    return 0;
}

static inline bool bytes_find(const ParquetDictionary *dictionary, const uint8_t *bytes, uint32_t length, uint32_t hash, uint32_t *slot, uint32_t *entry)
{
    uint32_t at = hash & dictionary->slots_mask;

    while (dictionary->slots[at]) {
        if ((uint32_t)(dictionary->slots[at] >> 32) == hash) {
            *entry = (uint32_t)dictionary->slots[at] - 1;
            if (dictionary->entries[*entry].length == length &&
                (!length || memcmp(dictionary->values.data + dictionary->entries[*entry].start, bytes, length) == 0))
                return true;
        }
        at = (at + 1) & dictionary->slots_mask;
    }
    *slot = at;
    return false;
}

static int bytes_entry_add(ParquetDictionary *dictionary, const uint8_t *bytes, uint32_t length, uint32_t hash, uint32_t slot, bool *full, Error *error)
{
    const uint32_t room = dictionary->room;
    uint32_t entry;

    if (entry_room(dictionary, length, full, error) < 0)
        return -1;
    if (*full)
        return 0;
    if (room != dictionary->room)
        bytes_find(dictionary, bytes, length, hash, &slot, &entry);
    dictionary->entries[dictionary->count] = (ParquetEntry){(uint32_t)dictionary->values.length, length};
    if (length)
        memcpy(dictionary->values.data + dictionary->values.length, bytes, length);
    dictionary->values.length += length;
    dictionary->slots[slot] = (uint64_t)hash << 32 | ++dictionary->count;
    return 0;
}

/* Asks for the entry that the slot of this hash seems to hold, or for that entry's bytes; what comes before has been asked for. */
static inline void entry_prefetch(const ParquetDictionary *dictionary, uint32_t hash, bool bytes)
{
    uint64_t slot = dictionary->slots[hash & dictionary->slots_mask];

    if (slot && bytes)
        __builtin_prefetch(dictionary->values.data + dictionary->entries[(uint32_t)slot - 1].start);
    else if (slot)
        __builtin_prefetch(&dictionary->entries[(uint32_t)slot - 1]);
}

static int bytes_map(ParquetDictionary *dictionary, const ParquetValues *values, uint32_t *ret, int *mapped, Error *error)
{
    uint32_t hashes[BATCH_ROWS_MAX], slot, entry;
    bool full = false;

    for (int i = 0; i < values->count; i++)
        hashes[i] = (uint32_t)XXH3_64bits(values->bytes + values->starts[i], values->lengths[i]);
    for (int i = 0; i < values->count; i++) {
        const uint8_t *bytes = values->bytes + values->starts[i];

        if (i + 3 * AHEAD < values->count) {
            __builtin_prefetch(&dictionary->slots[hashes[i + 3 * AHEAD] & dictionary->slots_mask]);
            entry_prefetch(dictionary, hashes[i + 2 * AHEAD], false);
            entry_prefetch(dictionary, hashes[i + AHEAD], true);
        }
        if (!bytes_find(dictionary, bytes, values->lengths[i], hashes[i], &slot, &entry)) {
            entry = dictionary->count;
            if (bytes_entry_add(dictionary, bytes, values->lengths[i], hashes[i], slot, &full, error) < 0)
                return -1;
            if (full) {
                *mapped = i;
                return 0;
            }
        }
        dictionary->used[entry] = 1;
        ret[i] = entry;
    }
    *mapped = values->count;
    return 0;
}

int parquet_dictionary_map(ParquetDictionary *dictionary, const ParquetValues *values, uint32_t *ret, int *mapped, Error *error)
{
    if (!dictionary->slots && dictionary_grow(dictionary, error) < 0)
        return -1;
    if (dictionary->width == 4)
        return numbers_map(dictionary, values->fixed, 4, values->count, ret, mapped, error);
    if (dictionary->width == 8)
        return numbers_map(dictionary, values->fixed, 8, values->count, ret, mapped, error);
    return bytes_map(dictionary, values, ret, mapped, error);
}

void parquet_dictionary_bounds(ParquetDictionary *dictionary, const ParquetType *type, ParquetBounds *bounds)
{
    for (uint32_t i = 0; i < dictionary->count; i++) {
        if (!dictionary->used[i])
            continue;
        dictionary->used[i] = 0;
        parquet_bounds_add_bytes(bounds, type, (const uint8_t *)dictionary->values.data + dictionary->entries[i].start, dictionary->entries[i].length);
    }
}
