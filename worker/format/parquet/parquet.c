/*
 * parquet.c - column batches as one Parquet file; a kind of format.h. Source: apache/parquet-format.
 *
 * Each column of the row group under construction is a chunk in memory, its pages compressed as they fill. When the chunks together
 * reach the row group's limit, or what the encoder may hold, they are given to the output one after another.
 */
#include "format/kind.h"
#include "format/parquet/footer.h"

#include <stdlib.h>
#include <string.h>

#define ROW_GROUP_BYTES_DEFAULT MIB(64)
#define ROW_GROUP_BYTES_MIN KIB(16)
#define ROW_GROUP_BYTES_MAX MIB(1024)
#define PAGE_BYTES_MIN KIB(8)
#define PAGE_BYTES_MAX MIB(1)
#define PAGE_ROWS_MAX 65536
#define PAGES_PER_CHUNK 4   /* a row group's share of one column is worth some pages, however many columns there are */
#define PAGE_ROW_BYTES 8    /* a page of narrow values closes by rows, as if each took so much */
#define SHOP_PAGES 6        /* pages' worth of memory that encoding one page takes */
#define CODEC_BYTES MIB(1)  /* of zstd's tables, about */
#define BLOOM_SHARE 16      /* of a row group's bytes, what a Bloom filter may take */
#define COLUMN_BYTES_MIN KIB(4) /* of each column in a row group, however little memory there is */
#define MAGIC_BYTES 4

typedef struct Parquet {
    FormatOutput output;
    size_t columns;
    ParquetType *types;
    ParquetChunk *chunks;
    ParquetShop shop;
    ParquetFooter footer;
    size_t row_group_bytes;
    size_t memory_max;
    uint64_t at;       /* bytes given to the output */
    uint64_t rows;     /* in the row group */
    bool finished;
} Parquet;

static int give(Parquet *parquet, const void *data, size_t length, Error *error)
{
    if (!length)
        return 0;
    if (parquet->output.write(parquet->output.context, data, length, error) < 0)
        return -1;
    parquet->at += length;
    return 0;
}

/* ---- the row group --------------------------------------------------------- */

static int blooms_give(Parquet *parquet, Error *error)
{
    Buffer *out = &parquet->shop.plain;

    for (size_t i = 0; i < parquet->columns; i++) {
        if (!parquet->chunks[i].bloom.blocks)
            continue;
        buffer_clear(out);
        if (parquet_bloom_write(&parquet->chunks[i].bloom, out, error) < 0)
            return -1;
        parquet_footer_bloom(&parquet->footer, i, parquet->at, out->length);
        if (give(parquet, out->data, out->length, error) < 0)
            return -1;
    }
    return 0;
}

static int pages_give(Parquet *parquet, const ParquetChunk *chunk, Error *error)
{
    for (size_t i = 0; i < chunk->page_count; i++) {
        if (give(parquet, chunk->pages[i].data, chunk->pages[i].size, error) < 0)
            return -1;
    }
    return 0;
}

static int group_give(Parquet *parquet, Error *error)
{
    uint64_t at;

    if (!parquet->at && give(parquet, "PAR1", MAGIC_BYTES, error) < 0)
        return -1;
    if (!parquet->rows)
        return 0;
    at = parquet->at;
    for (size_t i = 0; i < parquet->columns; i++) {
        ParquetChunk *chunk = &parquet->chunks[i];

        if (parquet_chunk_end(chunk, &parquet->shop, error) < 0 || parquet_footer_chunk(&parquet->footer, chunk, parquet->at, error) < 0 ||
            give(parquet, chunk->head.data, chunk->head.length, error) < 0 || pages_give(parquet, chunk, error) < 0)
            return -1;
        parquet_chunk_reset(chunk, &parquet->shop);
    }
    if (blooms_give(parquet, error) < 0 || parquet_footer_group(&parquet->footer, at, parquet->rows, error) < 0)
        return -1;
    parquet->rows = 0;
    return 0;
}

static bool group_full(const Parquet *parquet)
{
    size_t memory = CODEC_BYTES + SHOP_PAGES * parquet->shop.page_bytes;
    uint64_t bytes = 0;

    for (size_t i = 0; i < parquet->columns; i++) {
        bytes += parquet_chunk_size(&parquet->chunks[i]);
        memory += parquet_chunk_memory(&parquet->chunks[i]);
    }
    /* A row group's metadata takes some hundred bytes a column, so it must have values that are worth them. */
    return bytes >= parquet->row_group_bytes || (memory >= parquet->memory_max && bytes >= COLUMN_BYTES_MIN * parquet->columns);
}

static int parquet_write(void *state, const ColumnBatch *batch, int first, int count, Error *error)
{
    Parquet *parquet = state;

    for (size_t i = 0; i < parquet->columns; i++) {
        if (parquet_values_take(&parquet->types[i], batch, (int)i, first, count, &parquet->shop.values, error) < 0 ||
            parquet_chunk_add(&parquet->chunks[i], &parquet->shop, &parquet->shop.values, error) < 0)
            return -1;
    }
    parquet->rows += (uint64_t)count;
    return group_full(parquet) ? group_give(parquet, error) : 0;
}

static uint64_t parquet_held(const void *state)
{
    const Parquet *parquet = state;
    uint64_t held;

    if (parquet->finished)
        return 0;
    held = parquet_footer_size(&parquet->footer, parquet->chunks) + (parquet->at ? 0 : MAGIC_BYTES);
    for (size_t i = 0; i < parquet->columns; i++)
        held += parquet_chunk_size(&parquet->chunks[i]);
    return held;
}

static int parquet_finish(void *state, Error *error)
{
    Parquet *parquet = state;
    Buffer *out = &parquet->shop.plain;

    if (group_give(parquet, error) < 0)
        return -1;
    buffer_clear(out);
    if (parquet_footer_write(&parquet->footer, parquet->at, out, error) < 0)
        return -1;
    parquet->finished = true;
    return give(parquet, out->data, out->length, error);
}

static void parquet_close(void *state)
{
    Parquet *parquet = state;

    for (size_t i = 0; parquet->chunks && i < parquet->columns; i++)
        parquet_chunk_free(&parquet->chunks[i]);
    free(parquet->chunks);
    free(parquet->types);
    parquet_shop_free(&parquet->shop);
    parquet_footer_free(&parquet->footer);
    free(parquet);
}

/* ---- opening --------------------------------------------------------------- */

static int times_option(const cJSON *options, ParquetTimes *ret, Error *error)
{
    const char *value = json_text(options, "timestamp_precision", "exact");

    *ret = strcmp(value, "micros") == 0 ? PARQUET_TIMES_MICROS : PARQUET_TIMES_EXACT;
    if (*ret == PARQUET_TIMES_EXACT && strcmp(value, "exact") != 0)
        return error_set(error, ERROR_PERMANENT, "Known are exact and micros.", "unknown timestamp_precision \"%.60s\"", value);
    return 0;
}

static int row_group_option(Parquet *parquet, const FormatSpec *spec, Error *error)
{
    const cJSON *member = json_member(spec->options, "row_group_bytes");
    int64_t bytes = json_integer(spec->options, "row_group_bytes", member ? 0 : (int64_t)ROW_GROUP_BYTES_DEFAULT);

    if (bytes < (int64_t)ROW_GROUP_BYTES_MIN || bytes > (int64_t)ROW_GROUP_BYTES_MAX)
        return error_set(error, ERROR_PERMANENT, "Leave it out to take 64 MiB.", "row_group_bytes must be a number from %zu to %zu", ROW_GROUP_BYTES_MIN,
                         ROW_GROUP_BYTES_MAX);
    parquet->row_group_bytes = (size_t)bytes;
    parquet->memory_max = spec->memory_max ? spec->memory_max : SIZE_MAX;
    return 0;
}

/* Page and dictionary are each column's share of the row group, so that a table of 1000 columns stays in its memory. */
static void shop_sizes(Parquet *parquet)
{
    size_t bytes = parquet->row_group_bytes < parquet->memory_max ? parquet->row_group_bytes : parquet->memory_max;
    size_t share = bytes / (PAGES_PER_CHUNK * (parquet->columns ? parquet->columns : 1));

    share = share < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : share > PAGE_BYTES_MAX ? PAGE_BYTES_MAX : share;
    parquet->shop.page_bytes = parquet->shop.dictionary_bytes = share;
    parquet->shop.page_rows = share / PAGE_ROW_BYTES < PAGE_ROWS_MAX ? (uint32_t)(share / PAGE_ROW_BYTES) : PAGE_ROWS_MAX;
}

static int bloom_option(Parquet *parquet, const cJSON *options, Error *error)
{
    const cJSON *columns = json_member(options, "bloom_columns"), *column;
    size_t bytes = parquet->row_group_bytes < parquet->memory_max ? parquet->row_group_bytes : parquet->memory_max;

    if (columns && !cJSON_IsArray(columns))
        return error_set(error, ERROR_PERMANENT, "Give the columns' names as an array.", "bloom_columns is no list of columns");
    cJSON_ArrayForEach(column, columns) {
        const char *name = cJSON_IsString(column) ? column->valuestring : "";
        size_t i = 0;

        while (i < parquet->columns && strcmp(parquet->types[i].field->name, name) != 0)
            i++;
        if (i == parquet->columns)
            return error_set(error, ERROR_PERMANENT, "Name columns as they land.", "bloom_columns names \"%.200s\", which is no column of the file", name);
        if (parquet->types[i].physical == PARQUET_BOOLEAN)
            return error_set(error, ERROR_PERMANENT, "Take it out of bloom_columns.", "column \"%.200s\" is boolean, which takes no Bloom filter", name);
        if (!parquet->chunks[i].bloom.blocks && parquet_bloom_init(&parquet->chunks[i].bloom, bytes / BLOOM_SHARE, error) < 0)
            return -1;
    }
    return 0;
}

static int parquet_prepare(Parquet *parquet, const FormatSpec *spec, const Schema *schema, Error *error)
{
    ParquetTimes times;

    if (times_option(spec->options, &times, error) < 0 || row_group_option(parquet, spec, error) < 0)
        return -1;
    parquet->types = calloc((size_t)schema->count + 1, sizeof *parquet->types);
    parquet->chunks = calloc((size_t)schema->count + 1, sizeof *parquet->chunks);
    if (!parquet->types || !parquet->chunks)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a parquet writer of %d columns", schema->count);
    for (int i = 0; i < schema->count; i++) {
        if (parquet_type_choose(&schema->fields[i], times, &parquet->types[i], error) < 0)
            return -1;
    }
    if (parquet_codec_open(spec->compression, spec->level, &parquet->shop.codec, error) < 0)
        return -1;
    parquet->columns = (size_t)schema->count;
    shop_sizes(parquet);
    for (size_t i = 0; i < parquet->columns; i++)
        parquet_chunk_init(&parquet->chunks[i], &parquet->types[i], &parquet->shop);
    parquet_footer_init(&parquet->footer, parquet->types, parquet->columns, parquet_codec_id(parquet->shop.codec));
    return bloom_option(parquet, spec->options, error);
}

static int parquet_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, void **ret, Error *error)
{
    Parquet *parquet = calloc(1, sizeof *parquet);

    if (!parquet)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a parquet writer");
    parquet->output = output;
    parquet_shop_init(&parquet->shop);
    if (parquet_prepare(parquet, spec, schema, error) < 0) {
        parquet_close(parquet);
        return -1;
    }
    *ret = parquet;
    return 0;
}

const FormatKind parquet_kind = {
    .name = "parquet",
    .profiles = {"sluice", "dms"},
    .expands = true,
    .compresses = true,
    .open = parquet_open,
    .write = parquet_write,
    .held = parquet_held,
    .finish = parquet_finish,
    .close = parquet_close,
};
