/*
 * stage.c - see stage.h
 *
 * A chain is a list of chunks that grow from 4 KiB to MMAP_BYTES, so that a thousand tables with a change each cost little and one with millions
 * few allocations; blocks of MMAP_BYTES go back to the system whole. An item never crosses a chunk: rows are decoded where they lie.
 */
#include "source/mysql/stage.h"

#include "base/limits.h"
#include "source/mysql/log_table.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MIN KIB(4)

typedef struct Chunk {
    struct Chunk *next;
    size_t size; /* with this head */
    size_t used;
} Chunk;

typedef struct Chain {
    StageState state;
    Chunk *first, *last;
    size_t bytes;
    const uint8_t *map; /* the one that the last rows were written under */
    size_t map_length;
} Chain;

struct Stage {
    int tables;
    size_t bytes_max, bytes;
    int64_t evictions;
    Chain chains[];
};

static size_t aligned(size_t length)
{
    return (length + 7) & ~(size_t)7;
}

static size_t item_bytes(size_t length)
{
    return sizeof(StageItem) + aligned(length);
}

int stage_new(int tables, size_t bytes_max, Stage **ret, Error *error)
{
    Stage *stage = calloc(1, sizeof *stage + (size_t)tables * sizeof *stage->chains);

    if (!stage)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the stage of %d tables", tables);
    stage->tables = tables;
    stage->bytes_max = bytes_max;
    for (int i = 0; i < tables; i++)
        stage->chains[i].state = STAGE_WAITING;
    *ret = stage;
    return 0;
}

void stage_free(Stage *stage)
{
    if (!stage)
        return;
    for (int i = 0; i < stage->tables; i++)
        stage_set(stage, i, STAGE_DONE);
    free(stage);
}

StageState stage_state(const Stage *stage, int table)
{
    return stage->chains[table].state;
}

void stage_set(Stage *stage, int table, StageState state)
{
    Chain *chain = &stage->chains[table];
    Chunk *chunk = chain->first;

    if (state == STAGE_WHOLE) {
        chain->state = state;
        return;
    }
    while (chunk) {
        Chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    stage->bytes -= chain->bytes;
    *chain = (Chain){.state = state};
}

/* One table gives way; which one: stage.h. */
static void stage_evict(Stage *stage)
{
    int largest = -1, last = -1;

    for (int i = 0; i < stage->tables; i++) {
        if (!stage->chains[i].bytes)
            continue;
        if (largest < 0 || stage->chains[i].bytes > stage->chains[largest].bytes)
            largest = i;
        last = i;
    }
    if (largest < 0)
        return;
    stage->evictions++;
    if (stage->chains[largest].bytes > stage->bytes_max / 4)
        stage_set(stage, largest, STAGE_LARGE);
    else
        stage_set(stage, last, STAGE_WAITING);
}

/* Room for `length` bytes at the end of an open chain; NULL with *ret 0 where the table gave way itself. */
static int chain_reserve(Stage *stage, int table, size_t length, Chunk **ret, Error *error)
{
    Chain *chain = &stage->chains[table];
    const size_t least = sizeof(Chunk) + length;
    size_t size;
    Chunk *chunk;

    *ret = NULL;
    if (least > stage->bytes_max / 4) {
        stage->evictions++;
        stage_set(stage, table, STAGE_LARGE);
    }
    while (chain->state == STAGE_OPEN && stage->bytes + least > stage->bytes_max && (!chain->last || chain->last->size - chain->last->used < length))
        stage_evict(stage);
    if (chain->state != STAGE_OPEN)
        return 0;
    if (chain->last && chain->last->size - chain->last->used >= length) {
        *ret = chain->last;
        return 0;
    }
    size = chain->last ? 2 * chain->last->size : CHUNK_BYTES_MIN;
    if (size > MMAP_BYTES)
        size = MMAP_BYTES;
    if (size < least || stage->bytes + size > stage->bytes_max)
        size = least;
    chunk = malloc(size);
    if (!chunk)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %zu bytes of a log", size);
    *chunk = (Chunk){.size = size, .used = sizeof *chunk};
    if (chain->last)
        chain->last->next = chunk;
    else
        chain->first = chunk;
    chain->last = chunk;
    chain->bytes += size;
    stage->bytes += size;
    *ret = chunk;
    return 0;
}

/* 1 = kept, 0 = the table gave way. */
static int chain_add(Stage *stage, int table, const StageItem *item, Error *error)
{
    StageItem kept = *item;
    Chunk *chunk;

    if (chain_reserve(stage, table, item_bytes(item->length), &chunk, error) < 0)
        return -1;
    if (!chunk)
        return 0;
    kept.data = (uint8_t *)chunk + chunk->used + sizeof kept;
    memcpy((uint8_t *)chunk + chunk->used, &kept, sizeof kept);
    memcpy((uint8_t *)chunk + chunk->used + sizeof kept, item->data, item->length);
    chunk->used += item_bytes(item->length);
    if (item->map) {
        stage->chains[table].map = kept.data;
        stage->chains[table].map_length = item->length;
    }
    return 1;
}

int stage_add(Stage *stage, int table, const uint8_t *map, size_t map_length, const StageItem *rows, Error *error)
{
    const Chain *chain = &stage->chains[table];

    if (chain->state != STAGE_OPEN)
        return 0;
    if (!chain->map || !log_table_map_same(chain->map, chain->map_length, map, map_length)) {
        int kept = chain_add(stage, table, &(StageItem){.map = true, .at = rows->at, .data = map, .length = map_length}, error);

        if (kept <= 0)
            return kept;
    }
    return chain_add(stage, table, rows, error) < 0 ? -1 : 0;
}

bool stage_next(const Stage *stage, int table, StageCursor *cursor, StageItem *ret)
{
    const Chunk *chunk = cursor->chunk;
    size_t offset = cursor->offset;

    if (!chunk || offset == chunk->used) {
        chunk = chunk ? chunk->next : stage->chains[table].first;
        offset = sizeof *chunk;
    }
    if (!chunk)
        return false;
    memcpy(ret, (const uint8_t *)chunk + offset, sizeof *ret);
    *cursor = (StageCursor){chunk, offset + item_bytes(ret->length)};
    return true;
}

size_t stage_bytes(const Stage *stage)
{
    return stage->bytes;
}

size_t stage_table_bytes(const Stage *stage, int table)
{
    return stage->chains[table].bytes;
}

int64_t stage_evictions(const Stage *stage)
{
    return stage->evictions;
}
