/* page.c - the open page of a chunk as bytes, in whichever encoding turns out smallest; see chunk.h */
#include "format/parquet/chunk.h"
#include "format/parquet/encode.h"

#include <string.h>

#define PAGE_BYTES_MAX INT32_MAX /* parquet.thrift, PageHeader: sizes are i32 */
#define DICTIONARY_SHARE 8       /* of a dictionary's bytes, what its first full page is charged with */
#define DICTIONARY_LARGE 8192    /* entries from which looking up a number costs more than compressing it */
#define DICTIONARY_TOLL 6        /* so that it must save a sixth */
#define EXPAND_FACTOR 2          /* values are not written out to be tried where that takes more than so many full pages */

int parquet_page_header(size_t packed, size_t plain, int type, uint32_t count, ParquetEncoding encoding, Buffer *out, Error *error)
{
    Thrift thrift;

    if (plain > PAGE_BYTES_MAX || packed > PAGE_BYTES_MAX)
        return error_set(error, ERROR_PERMANENT, "Lower max_value_bytes, or leave the column out.", "a parquet page of %zu bytes is beyond 2 GiB", plain);
    thrift_begin(&thrift, out, error);
    thrift_i32(&thrift, 1, type);
    thrift_i32(&thrift, 2, (int32_t)plain);
    thrift_i32(&thrift, 3, (int32_t)packed);
    thrift_struct(&thrift, type == 0 ? 5 : 7); /* DataPageHeader, DictionaryPageHeader */
    thrift_i32(&thrift, 1, (int32_t)count);
    thrift_i32(&thrift, 2, (int32_t)encoding);
    if (type == 0) {
        thrift_i32(&thrift, 3, PARQUET_ENCODING_RLE);
        thrift_i32(&thrift, 4, PARQUET_ENCODING_RLE); /* of repetition levels, of which there are none */
    }
    thrift_stop(&thrift);
    return thrift_end(&thrift);
}

static int values_encode(const ParquetChunk *chunk, ParquetShop *shop, ParquetEncoding encoding, Error *error)
{
    Buffer *out = &shop->plain;
    const ParquetOpenPage *page = &chunk->open;
    const void *values = page->values.data;

    switch (encoding) {
    case PARQUET_ENCODING_DICTIONARY: {
        uint8_t width = (uint8_t)bit_width(chunk->dictionary.count ? chunk->dictionary.count - 1 : 0);

        if (buffer_append(out, &width, 1, error) < 0)
            return -1;
        return rle_encode(out, page->entries, page->count, width, error);
    }
    case PARQUET_ENCODING_DELTA:
        return chunk->type.width == 4 ? delta32_encode(out, values, page->count, error) : delta64_encode(out, values, page->count, error);
    case PARQUET_ENCODING_DELTA_LENGTH:
        return delta_length_encode(out, values, page->entries, page->count, error);
    case PARQUET_ENCODING_DELTA_BYTES:
        if (!page->count)
            break;
        return delta_bytes_encode(out, values, page->entries, (const uint32_t *)(const void *)shop->prefixes.data, page->count, error);
    default:
        break;
    }
    if (chunk->type.physical == PARQUET_BOOLEAN)
        return boolean_encode(out, values, page->count, error);
    if (chunk->type.physical == PARQUET_BYTE_ARRAY)
        return bytes_encode(out, values, page->entries, page->count, error);
    return buffer_append(out, values, page->values.length, error);
}

/* What each value has in common with the one before goes to the shop; the sum of it, or -1. */
static int64_t prefixes_find(const ParquetOpenPage *page, ParquetShop *shop, Error *error)
{
    buffer_clear(&shop->prefixes);
    if (buffer_reserve(&shop->prefixes, page->count * sizeof(uint32_t) + 1, error) < 0)
        return -1;
    return (int64_t)bytes_prefixes((const uint8_t *)page->values.data, page->entries, page->count, (uint32_t *)(void *)shop->prefixes.data);
}

static int page_pack(const ParquetChunk *chunk, ParquetShop *shop, ParquetEncoding encoding, Buffer *packed, size_t *plain, Error *error)
{
    const ParquetOpenPage *page = &chunk->open;

    buffer_clear(&shop->plain);
    buffer_clear(packed);
    if (encoding == PARQUET_ENCODING_DELTA_BYTES && prefixes_find(page, shop, error) < 0)
        return -1;
    if (levels_encode(&shop->plain, page->levels, page->rows, page->nulls, error) < 0 || values_encode(chunk, shop, encoding, error) < 0)
        return -1;
    *plain = shop->plain.length;
    return parquet_codec_pack(shop->codec, shop->plain.data, shop->plain.length, packed, error);
}

/* "Plain" of the entries: as they lie, but for BYTE_ARRAY, where each has its length in front. */
static int entries_encode(const ParquetDictionary *dictionary, Buffer *out, Error *error)
{
    if (buffer_reserve(out, dictionary->values.length + (size_t)dictionary->count * 4, error) < 0)
        return -1;
    for (uint32_t i = 0; i < dictionary->count; i++) {
        const ParquetEntry *entry = &dictionary->entries[i];

        memcpy(out->data + out->length, &entry->length, 4);
        memcpy(out->data + out->length + 4, dictionary->values.data + entry->start, entry->length);
        out->length += 4 + entry->length;
    }
    return 0;
}

int parquet_dictionary_pack(const ParquetChunk *chunk, ParquetShop *shop, size_t *plain, Error *error)
{
    const ParquetDictionary *dictionary = &chunk->dictionary;
    Buffer *packed = &shop->packed[1];

    buffer_clear(&shop->plain);
    buffer_clear(packed);
    if (chunk->type.physical == PARQUET_BYTE_ARRAY ? entries_encode(dictionary, &shop->plain, error) < 0
                                                   : buffer_append(&shop->plain, dictionary->values.data, dictionary->values.length, error) < 0)
        return -1;
    *plain = shop->plain.length;
    return parquet_codec_pack(shop->codec, shop->plain.data, shop->plain.length, packed, error);
}

int parquet_page_expand(ParquetChunk *chunk, Error *error)
{
    const ParquetDictionary *dictionary = &chunk->dictionary;
    const size_t width = (size_t)dictionary->width;
    ParquetOpenPage *page = &chunk->open;
    char *to;

    buffer_clear(&page->values);
    if (buffer_reserve(&page->values, page->bytes + 1, error) < 0)
        return -1;
    to = page->values.data;
    for (uint32_t i = 0; i < page->count; i++) {
        uint32_t entry = page->entries[i];

        if (width) {
            memcpy(to, dictionary->values.data + entry * width, width);
            to += width;
            continue;
        }
        memcpy(to, dictionary->values.data + dictionary->entries[entry].start, dictionary->entries[entry].length);
        to += dictionary->entries[entry].length;
        page->entries[i] = dictionary->entries[entry].length;
    }
    page->values.length = (size_t)(to - page->values.data);
    return 0;
}

/* ---- choosing -------------------------------------------------------------- */

#define CLEARLY 2 /* an encoding so many times smaller before compression is taken without compressing the other */

/* The encodings worth compressing without a dictionary, by their size before that; *least is the smallest such size. */
static int direct_candidates(const ParquetChunk *chunk, ParquetShop *shop, ParquetEncoding ret[2], size_t *least, Error *error)
{
    const ParquetOpenPage *page = &chunk->open;
    const ParquetPhysical physical = chunk->type.physical;

    *least = page->values.length;
    ret[0] = ret[1] = PARQUET_ENCODING_PLAIN;
    if (physical == PARQUET_INT32 || physical == PARQUET_INT64) {
        buffer_clear(&shop->plain);
        if (values_encode(chunk, shop, PARQUET_ENCODING_DELTA, error) < 0)
            return -1;
        *least = shop->plain.length < *least ? shop->plain.length : *least;
        ret[0] = PARQUET_ENCODING_DELTA;
        if (shop->plain.length * CLEARLY <= page->values.length)
            ret[1] = PARQUET_ENCODING_DELTA;
    } else if (physical == PARQUET_BYTE_ARRAY) {
        int64_t common = prefixes_find(page, shop, error);

        if (common < 0)
            return -1;
        *least -= (size_t)common;
        ret[0] = (size_t)common * CLEARLY > page->values.length ? PARQUET_ENCODING_DELTA_BYTES : PARQUET_ENCODING_DELTA_LENGTH;
        ret[1] = (size_t)common * 8 > page->values.length ? PARQUET_ENCODING_DELTA_BYTES : PARQUET_ENCODING_DELTA_LENGTH;
    }
    return 0;
}

static void swap(ParquetShop *shop)
{
    Buffer packed = shop->packed[0];

    shop->packed[0] = shop->packed[1];
    shop->packed[1] = packed;
}

/* Compresses each candidate; packed[0] and ret are the best so far, `least` its cost. */
static int direct_try(ParquetChunk *chunk, ParquetShop *shop, const ParquetEncoding candidates[2], size_t least, ParquetChoice *ret, Error *error)
{
    for (int i = 0; i < 2; i++) {
        size_t plain;

        if (i && candidates[1] == candidates[0])
            continue;
        if (page_pack(chunk, shop, candidates[i], &shop->packed[1], &plain, error) < 0)
            return -1;
        if (shop->packed[1].length >= least)
            continue;
        least = shop->packed[1].length;
        *ret = (ParquetChoice){.encoding = candidates[i], .plain = plain};
        swap(shop);
    }
    return 0;
}

/* Entries were packed; the page written out is compared with them, first by size and, where that does not tell, compressed. */
static int dictionary_compare(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error)
{
    const ParquetDictionary *dictionary = &chunk->dictionary;
    const size_t share = last ? 1 : DICTIONARY_SHARE;
    ParquetEncoding candidates[2];
    size_t direct, plain, cost;

    if (direct_candidates(chunk, shop, candidates, &direct, error) < 0)
        return -1;
    plain = ret->plain + (dictionary->values.length + (dictionary->width ? 0 : 4 * (size_t)dictionary->count)) / share;
    /* Text compresses, dictionary indices do not: here the dictionary must be smaller by more. */
    if (plain * (dictionary->width ? CLEARLY : CLEARLY * CLEARLY) <= direct)
        return 0;
    cost = direct * CLEARLY <= plain ? SIZE_MAX : shop->packed[0].length + ret->dictionary / share;
    if (cost != SIZE_MAX && dictionary->width && dictionary->count > DICTIONARY_LARGE)
        cost += cost / DICTIONARY_TOLL;
    return direct_try(chunk, shop, candidates, cost, ret, error);
}

/* The page's entries are written out in the shop, which takes their place for as long as it is compared. */
static int dictionary_try(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error)
{
    const ParquetOpenPage kept = chunk->open;
    size_t plain;
    int status;

    if (parquet_dictionary_pack(chunk, shop, &plain, error) < 0)
        return -1;
    ret->dictionary = shop->packed[1].length;
    buffer_clear(&shop->lengths);
    if (buffer_append(&shop->lengths, kept.entries, kept.count * sizeof *kept.entries, error) < 0)
        return -1;
    chunk->open.entries = (uint32_t *)(void *)shop->lengths.data;
    chunk->open.values = shop->values_out;
    status = parquet_page_expand(chunk, error);
    if (status == 0)
        status = dictionary_compare(chunk, shop, last, ret, error);
    shop->values_out = chunk->open.values;
    chunk->open = kept;
    return status;
}

bool parquet_page_stays(const ParquetChunk *chunk, const ParquetShop *shop)
{
    return chunk->open.bytes > EXPAND_FACTOR * shop->page_bytes;
}

/* Levels only. */
static int nothing_pack(const ParquetChunk *chunk, ParquetShop *shop, ParquetChoice *ret, Error *error)
{
    *ret = (ParquetChoice){.encoding = PARQUET_ENCODING_PLAIN};
    return page_pack(chunk, shop, PARQUET_ENCODING_PLAIN, &shop->packed[0], &ret->plain, error);
}

int parquet_page_choose(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error)
{
    ParquetEncoding candidates[2];
    size_t least;

    if (!chunk->open.count)
        return nothing_pack(chunk, shop, ret, error);
    if (chunk->dictionary_on) {
        *ret = (ParquetChoice){.encoding = PARQUET_ENCODING_DICTIONARY};
        if (page_pack(chunk, shop, PARQUET_ENCODING_DICTIONARY, &shop->packed[0], &ret->plain, error) < 0)
            return -1;
        if (chunk->dictionary_used || parquet_page_stays(chunk, shop))
            return 0;
        return dictionary_try(chunk, shop, last, ret, error);
    }
    *ret = (ParquetChoice){.encoding = chunk->direct};
    if (chunk->direct_known)
        return page_pack(chunk, shop, chunk->direct, &shop->packed[0], &ret->plain, error);
    if (direct_candidates(chunk, shop, candidates, &least, error) < 0)
        return -1;
    return direct_try(chunk, shop, candidates, SIZE_MAX, ret, error);
}

int parquet_page_measure(ParquetChunk *chunk, ParquetShop *shop, bool entries, ParquetChoice *ret, Error *error)
{
    ParquetOpenPage kept = chunk->open;
    size_t plain;
    int status;

    if (!chunk->open.count)
        return nothing_pack(chunk, shop, ret, error);
    *ret = (ParquetChoice){.encoding = entries ? PARQUET_ENCODING_DICTIONARY : chunk->direct};
    if (entries && chunk->dictionary_on) {
        if (parquet_dictionary_pack(chunk, shop, &plain, error) < 0)
            return -1;
        ret->dictionary = shop->packed[1].length;
    }
    if (entries || !chunk->dictionary_on)
        return page_pack(chunk, shop, ret->encoding, &shop->packed[0], &ret->plain, error);
    buffer_clear(&shop->lengths);
    if (buffer_append(&shop->lengths, kept.entries, kept.count * sizeof *kept.entries, error) < 0)
        return -1;
    chunk->open.entries = (uint32_t *)(void *)shop->lengths.data;
    chunk->open.values = shop->values_out;
    status = parquet_page_expand(chunk, error);
    if (status == 0)
        status = page_pack(chunk, shop, ret->encoding, &shop->packed[0], &ret->plain, error);
    shop->values_out = chunk->open.values;
    chunk->open = kept;
    return status;
}
