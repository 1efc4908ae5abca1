/* footer.c - see footer.h */
#include "format/parquet/footer.h"

#include <stdlib.h>
#include <string.h>

#define FOOTER_MAX INT32_MAX
#define CHUNK_GUESS 90 /* bytes of a chunk's metadata without name and bounds */
#define FIELD_GUESS 24 /* of its SchemaElement without the name */
#define PAGE_GUESS 16  /* of a page in both indexes without bounds */

void parquet_footer_init(ParquetFooter *footer, const ParquetType *types, size_t columns, int codec)
{
    *footer = (ParquetFooter){.types = types, .columns = columns, .codec = codec};
    buffer_init(&footer->column_indexes, FOOTER_MAX);
    buffer_init(&footer->offset_indexes, FOOTER_MAX);
}

void parquet_footer_free(ParquetFooter *footer)
{
    free(footer->chunks);
    free(footer->groups);
    buffer_free(&footer->column_indexes);
    buffer_free(&footer->offset_indexes);
}

/* ---- page index ------------------------------------------------------------ */

/* 1 where pages rise, 2 where they fall, 0 else (enum BoundaryOrder); pages of NULLs only do not count. */
static int boundary_order(const ParquetChunk *chunk)
{
    const ParquetBounds *before = NULL;
    bool rises = true, falls = true;

    for (size_t i = 0; i < chunk->page_count; i++) {
        const ParquetPage *page = &chunk->pages[i];

        if (page->nulls == page->rows)
            continue;
        if (before) {
            int min = parquet_bounds_compare_min(before, &page->bounds, &chunk->type);
            int max = parquet_bounds_compare_max(before, &page->bounds, &chunk->type);

            rises = rises && min <= 0 && max <= 0;
            falls = falls && min >= 0 && max >= 0;
        }
        before = &page->bounds;
    }
    return rises ? 1 : falls ? 2 : 0;
}

/* A page has values but no bounds (only NaN), or a bound that cannot be raised: then the chunk has no column index. */
static bool bounds_told(const ParquetChunk *chunk)
{
    for (size_t i = 0; i < chunk->page_count; i++) {
        const ParquetPage *page = &chunk->pages[i];
        ParquetBoundText max;

        if (page->nulls == page->rows)
            continue;
        parquet_bounds_max(&page->bounds, &chunk->type, &max);
        if (!max.any)
            return false;
    }
    return true;
}

static void bounds_list(const ParquetChunk *chunk, Thrift *thrift, bool max)
{
    for (size_t i = 0; i < chunk->page_count; i++) {
        const ParquetPage *page = &chunk->pages[i];
        ParquetBoundText text = {0};

        if (page->nulls < page->rows) {
            if (max)
                parquet_bounds_max(&page->bounds, &chunk->type, &text);
            else
                parquet_bounds_min(&page->bounds, &chunk->type, &text);
        }
        thrift_element_binary(thrift, text.bytes, text.length);
    }
}

static int column_index_write(const ParquetChunk *chunk, Buffer *out, Error *error)
{
    Thrift thrift;

    thrift_begin(&thrift, out, error);
    thrift_list(&thrift, 1, THRIFT_TRUE, chunk->page_count);
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_element_bool(&thrift, chunk->pages[i].nulls == chunk->pages[i].rows);
    thrift_list(&thrift, 2, THRIFT_BINARY, chunk->page_count);
    bounds_list(chunk, &thrift, false);
    thrift_list(&thrift, 3, THRIFT_BINARY, chunk->page_count);
    bounds_list(chunk, &thrift, true);
    thrift_i32(&thrift, 4, boundary_order(chunk));
    thrift_list(&thrift, 5, THRIFT_I64, chunk->page_count);
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_element_i64(&thrift, chunk->pages[i].nulls);
    return thrift_end(&thrift);
}

static int offset_index_write(const ParquetChunk *chunk, uint64_t data_at, Buffer *out, Error *error)
{
    Thrift thrift;

    thrift_begin(&thrift, out, error);
    thrift_list(&thrift, 1, THRIFT_STRUCT, chunk->page_count);
    for (size_t i = 0; i < chunk->page_count; i++) {
        const ParquetPage *page = &chunk->pages[i];

        thrift_element_struct(&thrift);
        thrift_i64(&thrift, 1, (int64_t)(data_at + page->offset));
        thrift_i32(&thrift, 2, (int32_t)page->size);
        thrift_i64(&thrift, 3, (int64_t)page->first_row);
        thrift_stop(&thrift);
    }
    return thrift_end(&thrift);
}

/* ---- notes ----------------------------------------------------------------- */

static size_t bounds_bytes(const ParquetBounds *bounds, const ParquetType *type)
{
    ParquetBoundText min, max;

    parquet_bounds_min(bounds, type, &min);
    parquet_bounds_max(bounds, type, &max);
    return min.length + max.length + 8;
}

int parquet_footer_chunk(ParquetFooter *footer, const ParquetChunk *chunk, uint64_t at, Error *error)
{
    size_t column_index = footer->column_indexes.length, offset_index = footer->offset_indexes.length;
    ParquetChunkNote *note;

    if (footer->chunk_count == footer->chunk_room) {
        size_t room = footer->chunk_room ? footer->chunk_room * 2 : footer->columns;

        note = realloc(footer->chunks, room * sizeof *note);
        if (!note)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the metadata of %zu column chunks", room);
        footer->chunks = note;
        footer->chunk_room = room;
    }
    note = &footer->chunks[footer->chunk_count];
    *note = (ParquetChunkNote){.dictionary_at = chunk->head.length ? at : 0, .data_at = at + chunk->head.length, .plain_bytes = chunk->plain_bytes,
                               .bytes = chunk->head.length + chunk->body_bytes, .nulls = chunk->nulls, .bounds = chunk->bounds};
    memcpy(note->encoded_pages, chunk->encoded_pages, sizeof note->encoded_pages);
    if ((bounds_told(chunk) && column_index_write(chunk, &footer->column_indexes, error) < 0) ||
        offset_index_write(chunk, note->data_at, &footer->offset_indexes, error) < 0)
        return -1;
    note->column_index_bytes = footer->column_indexes.length - column_index;
    note->offset_index_bytes = footer->offset_indexes.length - offset_index;
    footer->note_bytes += CHUNK_GUESS + strlen(chunk->type.field->name) + bounds_bytes(&chunk->bounds, &chunk->type);
    footer->chunk_count++;
    return 0;
}

void parquet_footer_bloom(ParquetFooter *footer, size_t column, uint64_t at, size_t bytes)
{
    ParquetChunkNote *note = &footer->chunks[footer->chunk_count - footer->columns + column];

    note->bloom_at = at;
    note->bloom_bytes = bytes;
}

int parquet_footer_group(ParquetFooter *footer, uint64_t at, uint64_t rows, Error *error)
{
    if (footer->group_count == footer->group_room) {
        size_t room = footer->group_room ? footer->group_room * 2 : 4;
        ParquetGroupNote *groups = realloc(footer->groups, room * sizeof *groups);

        if (!groups)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the metadata of %zu row groups", room);
        footer->groups = groups;
        footer->group_room = room;
    }
    footer->groups[footer->group_count++] = (ParquetGroupNote){at, rows};
    footer->rows += rows;
    return 0;
}

/* ---- file metadata --------------------------------------------------------- */

static void statistics_write(const ParquetChunkNote *note, const ParquetType *type, Thrift *thrift)
{
    ParquetBoundText min, max;

    parquet_bounds_min(&note->bounds, type, &min);
    parquet_bounds_max(&note->bounds, type, &max);
    thrift_struct(thrift, 12);
    thrift_i64(thrift, 3, (int64_t)note->nulls);
    if (max.any)
        thrift_binary(thrift, 5, max.bytes, max.length);
    if (min.any)
        thrift_binary(thrift, 6, min.bytes, min.length);
    if (max.any)
        thrift_bool(thrift, 7, max.exact);
    if (min.any)
        thrift_bool(thrift, 8, min.exact);
    thrift_stop(thrift);
}

static void encodings_write(const ParquetChunkNote *note, Thrift *thrift)
{
    const bool dictionary = note->dictionary_at != 0;
    size_t used = 0;

    for (int i = 0; i < 9; i++)
        used += note->encoded_pages[i] != 0;
    thrift_list(thrift, 2, THRIFT_I32, used + 1 + (dictionary && !note->encoded_pages[PARQUET_ENCODING_PLAIN]));
    thrift_element_i32(thrift, PARQUET_ENCODING_RLE);
    if (dictionary && !note->encoded_pages[PARQUET_ENCODING_PLAIN])
        thrift_element_i32(thrift, PARQUET_ENCODING_PLAIN);
    for (int i = 0; i < 9; i++) {
        if (note->encoded_pages[i])
            thrift_element_i32(thrift, i);
    }
}

static void encoding_stat(Thrift *thrift, int page_type, int encoding, uint32_t count)
{
    thrift_element_struct(thrift);
    thrift_i32(thrift, 1, page_type);
    thrift_i32(thrift, 2, encoding);
    thrift_i32(thrift, 3, (int32_t)count);
    thrift_stop(thrift);
}

/* By these a reader knows whether all values are in the dictionary, so that it may skip by that. */
static void encoding_stats_write(const ParquetChunkNote *note, Thrift *thrift)
{
    const bool dictionary = note->dictionary_at != 0;
    size_t used = dictionary;

    for (int i = 0; i < 9; i++)
        used += note->encoded_pages[i] != 0;
    thrift_list(thrift, 13, THRIFT_STRUCT, used);
    if (dictionary)
        encoding_stat(thrift, 2, PARQUET_ENCODING_PLAIN, 1);
    for (int i = 0; i < 9; i++) {
        if (note->encoded_pages[i])
            encoding_stat(thrift, 0, i, note->encoded_pages[i]);
    }
}

/* struct ColumnMetaData */
static void column_write(const ParquetFooter *footer, const ParquetChunkNote *note, const ParquetType *type, uint64_t rows, Thrift *thrift)
{
    thrift_struct(thrift, 3);
    thrift_i32(thrift, 1, (int)type->physical);
    encodings_write(note, thrift);
    thrift_list(thrift, 3, THRIFT_BINARY, 1);
    thrift_element_binary(thrift, type->field->name, strlen(type->field->name));
    thrift_i32(thrift, 4, footer->codec);
    thrift_i64(thrift, 5, (int64_t)rows);
    thrift_i64(thrift, 6, (int64_t)note->plain_bytes);
    thrift_i64(thrift, 7, (int64_t)note->bytes);
    thrift_i64(thrift, 9, (int64_t)note->data_at);
    if (note->dictionary_at)
        thrift_i64(thrift, 11, (int64_t)note->dictionary_at);
    statistics_write(note, type, thrift);
    encoding_stats_write(note, thrift);
    if (note->bloom_at) {
        thrift_i64(thrift, 14, (int64_t)note->bloom_at);
        thrift_i32(thrift, 15, (int32_t)note->bloom_bytes);
    }
    thrift_stop(thrift);
}

/* struct RowGroup; *column_index_at and *offset_index_at run through the page index. */
static void group_write(const ParquetFooter *footer, size_t number, uint64_t *column_index_at, uint64_t *offset_index_at, Thrift *thrift)
{
    const ParquetGroupNote *group = &footer->groups[number];
    const ParquetChunkNote *notes = footer->chunks + number * footer->columns;
    uint64_t bytes = 0, plain_bytes = 0;

    thrift_element_struct(thrift);
    thrift_list(thrift, 1, THRIFT_STRUCT, footer->columns);
    for (size_t i = 0; i < footer->columns; i++) {
        thrift_element_struct(thrift);
        thrift_i64(thrift, 2, 0); /* file_offset: of a copy of the metadata that nobody writes any more */
        column_write(footer, &notes[i], &footer->types[i], group->rows, thrift);
        thrift_i64(thrift, 4, (int64_t)*offset_index_at);
        thrift_i32(thrift, 5, (int32_t)notes[i].offset_index_bytes);
        if (notes[i].column_index_bytes) {
            thrift_i64(thrift, 6, (int64_t)*column_index_at);
            thrift_i32(thrift, 7, (int32_t)notes[i].column_index_bytes);
        }
        thrift_stop(thrift);
        *offset_index_at += notes[i].offset_index_bytes;
        *column_index_at += notes[i].column_index_bytes;
        bytes += notes[i].bytes;
        plain_bytes += notes[i].plain_bytes;
    }
    thrift_i64(thrift, 2, (int64_t)plain_bytes);
    thrift_i64(thrift, 3, (int64_t)group->rows);
    thrift_i64(thrift, 5, (int64_t)group->at);
    thrift_i64(thrift, 6, (int64_t)bytes);
    if (number <= INT16_MAX)
        thrift_i16(thrift, 7, (int16_t)number);
    thrift_stop(thrift);
}

static void schema_write(const ParquetFooter *footer, Thrift *thrift)
{
    thrift_list(thrift, 2, THRIFT_STRUCT, footer->columns + 1);
    thrift_element_struct(thrift);
    thrift_binary(thrift, 4, "schema", 6);
    thrift_i32(thrift, 5, (int32_t)footer->columns);
    thrift_stop(thrift);
    for (size_t i = 0; i < footer->columns; i++) {
        thrift_element_struct(thrift);
        parquet_type_write(&footer->types[i], thrift);
        thrift_stop(thrift);
    }
}

static int metadata_write(const ParquetFooter *footer, uint64_t column_index_at, uint64_t offset_index_at, Buffer *out, Error *error)
{
    /* Spark 3 and 4 ask this key, and nothing else, whether days before 1582-10-15 are of the proleptic Gregorian calendar. Without it
     * they refuse such days, or shift them in silence, as spark.sql.parquet.datetimeRebaseModeInRead says. */
    static const char calendar_key[] = "org.apache.spark.version", calendar_value[] = "3.0.0";
    static const char created_by[] = "sluice version " SLUICE_VERSION;
    Thrift thrift;

    thrift_begin(&thrift, out, error);
    thrift_i32(&thrift, 1, 2);
    schema_write(footer, &thrift);
    thrift_i64(&thrift, 3, (int64_t)footer->rows);
    thrift_list(&thrift, 4, THRIFT_STRUCT, footer->group_count);
    for (size_t i = 0; i < footer->group_count; i++)
        group_write(footer, i, &column_index_at, &offset_index_at, &thrift);
    thrift_list(&thrift, 5, THRIFT_STRUCT, 1);
    thrift_element_struct(&thrift);
    thrift_binary(&thrift, 1, calendar_key, sizeof calendar_key - 1);
    thrift_binary(&thrift, 2, calendar_value, sizeof calendar_value - 1);
    thrift_stop(&thrift);
    thrift_binary(&thrift, 6, created_by, sizeof created_by - 1);
    thrift_list(&thrift, 7, THRIFT_STRUCT, footer->columns); /* union ColumnOrder: each as its type defines */
    for (size_t i = 0; i < footer->columns; i++) {
        thrift_element_struct(&thrift);
        thrift_struct(&thrift, 1);
        thrift_stop(&thrift);
        thrift_stop(&thrift);
    }
    return thrift_end(&thrift);
}

int parquet_footer_write(ParquetFooter *footer, uint64_t at, Buffer *out, Error *error)
{
    const uint64_t offset_index_at = at + footer->column_indexes.length;
    size_t start;
    uint32_t length;

    if (buffer_append(out, footer->column_indexes.data, footer->column_indexes.length, error) < 0 ||
        buffer_append(out, footer->offset_indexes.data, footer->offset_indexes.length, error) < 0)
        return -1;
    start = out->length;
    if (metadata_write(footer, at, offset_index_at, out, error) < 0)
        return -1;
    if (out->length - start > FOOTER_MAX)
        return error_set(error, ERROR_PERMANENT, "Raise row_group_bytes or lower target_file_bytes.",
                         "the metadata of a parquet file of %zu row groups is beyond 2 GiB", footer->group_count);
    length = (uint32_t)(out->length - start);
    if (buffer_append(out, &length, 4, error) < 0)
        return -1;
    return buffer_append(out, "PAR1", 4, error);
}

uint64_t parquet_footer_size(const ParquetFooter *footer, const ParquetChunk *open)
{
    uint64_t size = footer->note_bytes + footer->column_indexes.length + footer->offset_indexes.length + 64;

    for (size_t i = 0; i < footer->columns; i++) {
        size_t name = strlen(footer->types[i].field->name);

        size += FIELD_GUESS + name + 4;
        if (open[i].rows + open[i].open.rows) {
            size_t bounds = open[i].page_count ? bounds_bytes(&open[i].bounds, &open[i].type) : 24;

            size += CHUNK_GUESS + name + bounds + (open[i].page_count + 1) * (PAGE_GUESS + bounds);
        }
    }
    return size;
}
