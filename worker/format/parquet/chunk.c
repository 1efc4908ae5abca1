/* chunk.c - see chunk.h */
#include "format/parquet/chunk.h"

#include <stdlib.h>
#include <string.h>

#define DICTIONARY_SAMPLE 16384   /* values after which a dictionary that saves nothing is given up */
#define DICTIONARY_REST 7         /* row groups until it is tried again */
#define PROBE_BYTES_MIN 4096
#define PROBE_GROWTH 3
#define HEADER_GUESS 32           /* bytes of a page header */
#define KEPT_PAGES 4              /* of memory kept by each buffer that works on a page */
#define RATIO_GUESS 0.5           /* until a column has shown its own */

void parquet_shop_init(ParquetShop *shop)
{
    buffer_init(&shop->plain, SIZE_MAX / 2);
    buffer_init(&shop->packed[0], SIZE_MAX / 2);
    buffer_init(&shop->packed[1], SIZE_MAX / 2);
    buffer_init(&shop->lengths, SIZE_MAX / 2);
    buffer_init(&shop->values_out, SIZE_MAX / 2);
    buffer_init(&shop->prefixes, SIZE_MAX / 2);
}

void parquet_shop_free(ParquetShop *shop)
{
    parquet_codec_close(shop->codec);
    buffer_free(&shop->plain);
    buffer_free(&shop->packed[0]);
    buffer_free(&shop->packed[1]);
    buffer_free(&shop->lengths);
    buffer_free(&shop->values_out);
    buffer_free(&shop->prefixes);
}

static ParquetEncoding direct_default(const ParquetType *type)
{
    if (type->physical == PARQUET_INT32 || type->physical == PARQUET_INT64)
        return PARQUET_ENCODING_DELTA;
    return type->physical == PARQUET_BYTE_ARRAY ? PARQUET_ENCODING_DELTA_LENGTH : PARQUET_ENCODING_PLAIN;
}

void parquet_chunk_init(ParquetChunk *chunk, const ParquetType *type, const ParquetShop *shop)
{
    *chunk = (ParquetChunk){.type = *type, .direct = direct_default(type), .dictionary_ratio = RATIO_GUESS, .probe_bytes = PROBE_BYTES_MIN};
    buffer_init(&chunk->open.values, SIZE_MAX / 2);
    buffer_init(&chunk->head, SIZE_MAX / 2);
    parquet_dictionary_init(&chunk->dictionary, type, shop->dictionary_bytes);
    parquet_chunk_reset(chunk, shop);
}

static void pages_free(ParquetChunk *chunk)
{
    for (size_t i = 0; i < chunk->page_count; i++)
        free(chunk->pages[i].data);
    chunk->page_count = 0;
    chunk->body_bytes = 0;
}

void parquet_chunk_free(ParquetChunk *chunk)
{
    pages_free(chunk);
    parquet_dictionary_free(&chunk->dictionary);
    parquet_bloom_free(&chunk->bloom);
    free(chunk->open.levels);
    free(chunk->open.entries);
    free(chunk->pages);
    buffer_free(&chunk->open.values);
    buffer_free(&chunk->head);
}

static void page_clear(ParquetOpenPage *page)
{
    page->rows = page->nulls = page->count = 0;
    page->bytes = 0;
    page->bounds.any = false;
    buffer_clear(&page->values);
}

void parquet_chunk_reset(ParquetChunk *chunk, const ParquetShop *shop)
{
    pages_free(chunk);
    buffer_free(&chunk->head);
    parquet_dictionary_free(&chunk->dictionary);
    page_clear(&chunk->open);
    if (chunk->dictionary_rest > 0)
        chunk->dictionary_rest--;
    chunk->dictionary_on = chunk->type.physical != PARQUET_BOOLEAN && chunk->dictionary_rest == 0 && shop->dictionary_bytes > 0;
    chunk->dictionary_used = chunk->direct_known = chunk->direct_likely = chunk->probed = false;
    chunk->bounds.any = false;
    chunk->rows = chunk->nulls = chunk->plain_bytes = 0;
    memset(chunk->encoded_pages, 0, sizeof chunk->encoded_pages);
}

/* ---- pages ----------------------------------------------------------------- */

static int pages_room(ParquetChunk *chunk, Error *error)
{
    size_t room = chunk->page_room ? chunk->page_room * 2 : 4;
    ParquetPage *pages;

    if (chunk->page_count < chunk->page_room)
        return 0;
    pages = realloc(chunk->pages, room * sizeof *pages);
    if (!pages)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %zu pages of a column", room);
    chunk->pages = pages;
    chunk->page_room = room;
    return 0;
}

/* Values may differ a thousandfold in length, so that pages of them are measured by bytes; entries do not. */
static void page_measure(ParquetChunk *chunk, const ParquetShop *shop, const ParquetChoice *choice)
{
    const ParquetOpenPage *open = &chunk->open;

    if (choice->encoding == PARQUET_ENCODING_DICTIONARY)
        chunk->row_bytes = (double)shop->packed[0].length / open->rows;
    else if (open->bytes)
        chunk->direct_ratio = (double)shop->packed[0].length / (double)open->bytes;
    if (choice->dictionary)
        chunk->dictionary_ratio = (double)choice->dictionary / (double)(chunk->dictionary.values.length + 1);
}

/* The open page, which is packed[0] of the shop by now, joins the finished ones. */
static int page_store(ParquetChunk *chunk, ParquetShop *shop, const ParquetChoice *choice, Error *error)
{
    const ParquetOpenPage *open = &chunk->open;
    const Buffer *packed = &shop->packed[0];
    Buffer *header = &shop->plain; /* what was in it is packed */
    ParquetPage *page;
    size_t size;
    char *data;

    buffer_clear(header);
    if (pages_room(chunk, error) < 0 || parquet_page_header(packed->length, choice->plain, 0, open->rows, choice->encoding, header, error) < 0)
        return -1;
    size = header->length + packed->length;
    data = malloc(size);
    if (!data)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a page of %zu bytes", size);
    memcpy(data, header->data, header->length);
    memcpy(data + header->length, packed->data, packed->length);
    page = &chunk->pages[chunk->page_count++];
    *page = (ParquetPage){.data = data, .offset = chunk->body_bytes, .size = (uint32_t)size, .first_row = chunk->rows, .rows = open->rows,
                          .nulls = open->nulls, .bounds = open->bounds};
    chunk->body_bytes += page->size;
    parquet_bounds_merge(&chunk->bounds, &chunk->type, &open->bounds);
    chunk->rows += open->rows;
    chunk->nulls += open->nulls;
    chunk->plain_bytes += header->length + choice->plain;
    chunk->encoded_pages[choice->encoding]++;
    chunk->measured = true;
    page_measure(chunk, shop, choice);
    return 0;
}

static void dictionary_drop(ParquetChunk *chunk, bool at_once)
{
    chunk->dictionary_on = false;
    if (!chunk->dictionary_used)
        parquet_dictionary_free(&chunk->dictionary);
    /* One that is given up after its sample costs next to nothing to try again. */
    if (!at_once && !chunk->dictionary_used)
        chunk->dictionary_rest = DICTIONARY_REST + 1;
}

/* What a page of long values needed is given back: the next may be of another column. */
static void buffers_trim(ParquetChunk *chunk, ParquetShop *shop)
{
    Buffer *buffers[] = {&chunk->open.values, &shop->plain, &shop->packed[0], &shop->packed[1], &shop->values_out};

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        if (buffers[i]->capacity > KEPT_PAGES * shop->page_bytes)
            buffer_free(buffers[i]);
    }
}

static int page_end(ParquetChunk *chunk, ParquetShop *shop, bool last, Error *error)
{
    ParquetChoice choice;

    if (!chunk->open.rows)
        return 0;
    if (chunk->dictionary_on && !chunk->dictionary.width)
        parquet_dictionary_bounds(&chunk->dictionary, &chunk->type, &chunk->open.bounds);
    if (parquet_page_choose(chunk, shop, last, &choice, error) < 0 || page_store(chunk, shop, &choice, error) < 0)
        return -1;
    if (choice.encoding == PARQUET_ENCODING_DICTIONARY) {
        chunk->dictionary_used = true;
    } else if (chunk->open.count) {
        chunk->direct = choice.encoding;
        chunk->direct_known = true;
        if (chunk->dictionary_on)
            dictionary_drop(chunk, false);
    }
    page_clear(&chunk->open);
    buffers_trim(chunk, shop);
    return 0;
}

/* ---- taking values --------------------------------------------------------- */

static int page_room(ParquetOpenPage *page, uint32_t rows, Error *error)
{
    uint32_t room = page->room ? page->room : 256;
    uint32_t *entries;
    uint8_t *levels;

    if (page->rows + rows <= page->room)
        return 0;
    while (room < page->rows + rows)
        room *= 2;
    levels = realloc(page->levels, room);
    if (levels)
        page->levels = levels;
    entries = realloc(page->entries, room * sizeof *entries);
    if (entries)
        page->entries = entries;
    if (!levels || !entries)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a page of %u rows", room);
    page->room = room;
    return 0;
}

/* Values [from, count) as they are. */
static int values_append(ParquetChunk *chunk, const ParquetValues *values, int from, Error *error)
{
    ParquetOpenPage *page = &chunk->open;
    size_t count = (size_t)(values->count - from), width = (size_t)chunk->type.width, total = 0;

    if (values->fixed) {
        page->count += (uint32_t)count;
        page->bytes += count * width;
        return buffer_append(&page->values, (const uint8_t *)values->fixed + (size_t)from * width, count * width, error);
    }
    for (int i = from; i < values->count; i++)
        total += values->lengths[i];
    if (buffer_reserve(&page->values, total, error) < 0)
        return -1;
    for (int i = from; i < values->count; i++) {
        if (values->lengths[i])
            memcpy(page->values.data + page->values.length, values->bytes + values->starts[i], values->lengths[i]);
        page->values.length += values->lengths[i];
        page->entries[page->count++] = values->lengths[i];
    }
    page->bytes += total;
    return 0;
}

static void entries_count(ParquetChunk *chunk, const ParquetValues *values, int mapped)
{
    ParquetOpenPage *page = &chunk->open;

    page->count += (uint32_t)mapped;
    if (values->fixed) {
        page->bytes += (size_t)mapped * (size_t)chunk->type.width;
        return;
    }
    for (int i = 0; i < mapped; i++)
        page->bytes += values->lengths[i];
}

/* The open page goes on without its dictionary. */
static int page_redirect(ParquetChunk *chunk, bool at_once, Error *error)
{
    if (!chunk->dictionary.width)
        parquet_dictionary_bounds(&chunk->dictionary, &chunk->type, &chunk->open.bounds);
    if (parquet_page_expand(chunk, error) < 0)
        return -1;
    dictionary_drop(chunk, at_once);
    return 0;
}

/* The levels of the rows whose values are done: all of them, or those before value number `values_done`. */
static void levels_append(ParquetOpenPage *page, const uint8_t *valid, int rows, int count)
{
    memcpy(page->levels + page->rows, valid, (size_t)rows);
    page->rows += (uint32_t)rows;
    page->nulls += (uint32_t)(rows - count);
}

/* A dictionary that is full. If its entries were repeated it has paid: its page is closed, at the row that found no room. */
static int dictionary_overflow(ParquetChunk *chunk, ParquetShop *shop, const ParquetValues *values, int mapped, int *rows_done, Error *error)
{
    ParquetOpenPage *page = &chunk->open;
    int rows = 0;

    if (!chunk->dictionary_used && page->count <= 2 * chunk->dictionary.count && page->bytes <= 2 * shop->page_bytes)
        return page_redirect(chunk, false, error);
    for (int left = mapped; left > 0 || (rows < values->rows && !values->valid[rows]); rows++)
        left -= values->valid[rows];
    levels_append(page, values->valid, rows, mapped);
    *rows_done = rows;
    if (values->fixed && mapped) /* wider than need be: by the values that follow in the next page */
        parquet_bounds_add(&page->bounds, &chunk->type, values);
    chunk->dictionary_used = true;
    if (page_end(chunk, shop, false, error) < 0)
        return -1;
    dictionary_drop(chunk, false);
    return 0;
}

/* Of so many values nearly all were new: of 2048 none came twice (of 130,000 distinct ones some 16 would have), or later few did. */
static bool dictionary_vain(uint32_t values, uint32_t distinct)
{
    if (values < 2 * BATCH_ROWS_MAX)
        return false;
    return distinct == values || (values >= DICTIONARY_SAMPLE && values < DICTIONARY_SAMPLE + BATCH_ROWS_MAX && distinct > values / 25 * 24);
}

static int entries_append(ParquetChunk *chunk, ParquetShop *shop, const ParquetValues *values, int *mapped, int *rows_done, Error *error)
{
    ParquetOpenPage *page = &chunk->open;

    if (parquet_dictionary_map(&chunk->dictionary, values, page->entries + page->count, mapped, error) < 0)
        return -1;
    entries_count(chunk, values, *mapped);
    if (*mapped < values->count)
        return dictionary_overflow(chunk, shop, values, *mapped, rows_done, error);
    if (!chunk->dictionary_used && page->bytes <= 2 * shop->page_bytes && dictionary_vain(page->count, chunk->dictionary.count))
        return page_redirect(chunk, true, error);
    return 0;
}

/* How large the first page has become is found out by making it, each time it has grown so much. */
static int page_probe(ParquetChunk *chunk, ParquetShop *shop, Error *error)
{
    ParquetChoice choice;
    bool entries;

    if (chunk->dictionary_on && parquet_page_stays(chunk, shop))
        chunk->direct_likely = false;
    entries = chunk->dictionary_on && !chunk->direct_likely;
    if (chunk->probed ? parquet_page_measure(chunk, shop, entries, &choice, error) < 0 : parquet_page_choose(chunk, shop, true, &choice, error) < 0)
        return -1;
    page_measure(chunk, shop, &choice);
    if (choice.encoding != PARQUET_ENCODING_DICTIONARY) {
        chunk->direct = choice.encoding;
        chunk->direct_likely = true;
    }
    chunk->probed = true;
    chunk->probe_bytes = chunk->open.bytes * PROBE_GROWTH;
    return 0;
}

int parquet_chunk_add(ParquetChunk *chunk, ParquetShop *shop, const ParquetValues *values, Error *error)
{
    ParquetOpenPage *page = &chunk->open;
    int mapped = 0, rows_done = 0;

    if (page_room(page, (uint32_t)values->rows, error) < 0)
        return -1;
    if (chunk->bloom.blocks)
        parquet_bloom_add(&chunk->bloom, &chunk->type, values);
    if (chunk->dictionary_on && entries_append(chunk, shop, values, &mapped, &rows_done, error) < 0)
        return -1;
    if (!chunk->dictionary_on && values_append(chunk, values, mapped, error) < 0)
        return -1;
    if (values->fixed || !chunk->dictionary_on)
        parquet_bounds_add(&page->bounds, &chunk->type, values);
    levels_append(page, values->valid + rows_done, values->rows - rows_done, values->count - (rows_done ? mapped : 0));
    if (page->rows >= shop->page_rows || page->values.length >= shop->page_bytes)
        return page_end(chunk, shop, false, error);
    if (!chunk->measured && page->bytes >= chunk->probe_bytes)
        return page_probe(chunk, shop, error);
    return 0;
}

int parquet_chunk_end(ParquetChunk *chunk, ParquetShop *shop, Error *error)
{
    size_t plain;

    if (page_end(chunk, shop, true, error) < 0)
        return -1;
    if (!chunk->dictionary_used)
        return 0;
    if (parquet_dictionary_pack(chunk, shop, &plain, error) < 0 ||
        parquet_page_header(shop->packed[1].length, plain, 2, chunk->dictionary.count, PARQUET_ENCODING_PLAIN, &chunk->head, error) < 0)
        return -1;
    chunk->plain_bytes += chunk->head.length + plain;
    if (buffer_append(&chunk->head, shop->packed[1].data, shop->packed[1].length, error) < 0)
        return -1;
    chunk->dictionary_ratio = (double)shop->packed[1].length / (double)(chunk->dictionary.values.length + 1);
    return 0;
}

/* ---- measures -------------------------------------------------------------- */

uint64_t parquet_chunk_size(const ParquetChunk *chunk)
{
    const ParquetOpenPage *open = &chunk->open;
    const bool entries = chunk->dictionary_on && !(chunk->direct_likely && !chunk->dictionary_used);
    double size = (double)(chunk->body_bytes + chunk->head.length);

    if (open->rows && entries && chunk->row_bytes > 0)
        size += HEADER_GUESS + open->rows * chunk->row_bytes;
    else if (open->rows)
        size += HEADER_GUESS + (double)open->bytes * (chunk->direct_ratio > 0 ? chunk->direct_ratio : RATIO_GUESS);
    if ((entries || chunk->dictionary_used) && !chunk->head.length && chunk->row_bytes > 0)
        size += HEADER_GUESS + (double)chunk->dictionary.values.length * chunk->dictionary_ratio;
    return (uint64_t)size;
}

size_t parquet_chunk_memory(const ParquetChunk *chunk)
{
    return chunk->body_bytes + chunk->head.length + chunk->open.values.capacity + chunk->open.room * (sizeof(uint32_t) + 1) +
           chunk->page_room * sizeof *chunk->pages + parquet_dictionary_memory(&chunk->dictionary) + (size_t)chunk->bloom.blocks * BLOOM_BLOCK;
}
