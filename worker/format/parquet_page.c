/* parquet_page.c - the open page of a chunk as bytes, in whichever encoding turns out smallest; see parquet_chunk.h */
#include "format/parquet_chunk.h"
#include "format/parquet_encode.h"

#include <string.h>

#define PAGE_BYTES_MAX INT32_MAX /* parquet.thrift, PageHeader: sizes are i32 */
#define DICTIONARY_SHARE 8       /* of a dictionary's bytes, what its first full page is charged with */
#define DICTIONARY_LARGE 8192    /* entries from which looking up a number costs more than compressing it */
#define DICTIONARY_TOLL 6        /* so that it must save a sixth */
#define EXPAND_FACTOR 2          /* values are not written out to be tried where that takes more than so many full pages */

int parquet_page_write(const Buffer *packed, size_t plain, int type, uint32_t count, ParquetEncoding encoding, Buffer *out, size_t *header, Error *error)
{
    const size_t before = out->length;
    Thrift thrift;

    if (plain > PAGE_BYTES_MAX || packed->length > PAGE_BYTES_MAX)
        return error_set(error, ERROR_PERMANENT, "Lower max_value_bytes, or leave the column out.", "a parquet page of %zu bytes is beyond 2 GiB", plain);
    thrift_begin(&thrift, out, error);
    thrift_i32(&thrift, 1, type);
    thrift_i32(&thrift, 2, (int32_t)plain);
    thrift_i32(&thrift, 3, (int32_t)packed->length);
    thrift_struct(&thrift, type == 0 ? 5 : 7); /* DataPageHeader, DictionaryPageHeader */
    thrift_i32(&thrift, 1, (int32_t)count);
    thrift_i32(&thrift, 2, (int32_t)encoding);
    if (type == 0) {
        thrift_i32(&thrift, 3, PARQUET_ENCODING_RLE);
        thrift_i32(&thrift, 4, PARQUET_ENCODING_RLE); /* of repetition levels, of which there are none */
    }
    thrift_stop(&thrift);
    if (thrift_end(&thrift) < 0)
        return -1;
    *header = out->length - before;
    return buffer_append(out, packed->data, packed->length, error);
}

static int values_encode(const ParquetChunk *chunk, ParquetEncoding encoding, Buffer *out, Error *error)
{
    const ParquetOpenPage *page = &chunk->open;
    const void *values = page->values.data;
    int status;

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
    case PARQUET_ENCODING_DELTA_BYTES: {
        Buffer prefixes;

        buffer_init(&prefixes, out->maximum);
        status = buffer_reserve(&prefixes, page->count * sizeof(uint32_t) + 1, error);
        if (status == 0) {
            bytes_prefixes(values, page->entries, page->count, (uint32_t *)(void *)prefixes.data);
            status = delta_bytes_encode(out, values, page->entries, (uint32_t *)(void *)prefixes.data, page->count, error);
        }
        buffer_free(&prefixes);
        return status;
    }
    default:
        break;
    }
    if (chunk->type.physical == PARQUET_BOOLEAN)
        return boolean_encode(out, values, page->count, error);
    if (chunk->type.physical == PARQUET_BYTE_ARRAY)
        return bytes_encode(out, values, page->entries, page->count, error);
    return buffer_append(out, values, page->values.length, error);
}

static int page_pack(const ParquetChunk *chunk, ParquetShop *shop, ParquetEncoding encoding, Buffer *packed, size_t *plain, Error *error)
{
    const ParquetOpenPage *page = &chunk->open;

    buffer_clear(&shop->plain);
    buffer_clear(packed);
    if (levels_encode(&shop->plain, page->levels, page->rows, page->nulls, error) < 0 || values_encode(chunk, encoding, &shop->plain, error) < 0)
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

/* The encodings worth a try without a dictionary; ended by -1. */
static const int *direct_candidates(const ParquetType *type)
{
    static const int plain[] = {PARQUET_ENCODING_PLAIN, -1};
    static const int integers[] = {PARQUET_ENCODING_DELTA, PARQUET_ENCODING_PLAIN, -1};
    static const int bytes[] = {PARQUET_ENCODING_DELTA_LENGTH, PARQUET_ENCODING_DELTA_BYTES, -1};

    if (type->physical == PARQUET_INT32 || type->physical == PARQUET_INT64)
        return integers;
    return type->physical == PARQUET_BYTE_ARRAY ? bytes : plain;
}

static void swap(ParquetShop *shop)
{
    Buffer packed = shop->packed[0];

    shop->packed[0] = shop->packed[1];
    shop->packed[1] = packed;
}

/* Tries each encoding without dictionary on values written out; packed[0] and ret are the best so far, `least` its cost. */
static int direct_try(ParquetChunk *chunk, ParquetShop *shop, size_t least, ParquetChoice *ret, Error *error)
{
    for (const int *candidate = direct_candidates(&chunk->type); *candidate >= 0; candidate++) {
        size_t plain;

        if (page_pack(chunk, shop, (ParquetEncoding)*candidate, &shop->packed[1], &plain, error) < 0)
            return -1;
        if (shop->packed[1].length >= least)
            continue;
        least = shop->packed[1].length;
        *ret = (ParquetChoice){.encoding = (ParquetEncoding)*candidate, .plain = plain};
        swap(shop);
    }
    return 0;
}

/* The page as entries against the page written out, which then takes the entries' place in a copy of the page. */
static int dictionary_try(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error)
{
    ParquetOpenPage kept = chunk->open;
    size_t dictionary_plain, cost;
    Buffer entries;
    int status = -1;

    if (parquet_dictionary_pack(chunk, shop, &dictionary_plain, error) < 0)
        return -1;
    ret->dictionary = shop->packed[1].length;
    cost = shop->packed[0].length + (last ? ret->dictionary : ret->dictionary / DICTIONARY_SHARE);
    if (chunk->dictionary.width && chunk->dictionary.count > DICTIONARY_LARGE)
        cost += cost / DICTIONARY_TOLL;
    buffer_init(&entries, SIZE_MAX / 2);
    buffer_init(&chunk->open.values, kept.values.maximum);
    if (buffer_append(&entries, kept.entries, kept.count * sizeof *kept.entries, error) == 0) {
        chunk->open.entries = (uint32_t *)(void *)entries.data;
        if (parquet_page_expand(chunk, error) == 0)
            status = direct_try(chunk, shop, cost, ret, error);
    }
    buffer_free(&entries);
    buffer_free(&chunk->open.values);
    chunk->open = kept;
    return status;
}

int parquet_page_choose(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error)
{
    if (!chunk->open.count) { /* levels only */
        *ret = (ParquetChoice){.encoding = PARQUET_ENCODING_PLAIN};
        return page_pack(chunk, shop, PARQUET_ENCODING_PLAIN, &shop->packed[0], &ret->plain, error);
    }
    if (chunk->dictionary_on) {
        *ret = (ParquetChoice){.encoding = PARQUET_ENCODING_DICTIONARY};
        if (page_pack(chunk, shop, PARQUET_ENCODING_DICTIONARY, &shop->packed[0], &ret->plain, error) < 0)
            return -1;
        if (chunk->dictionary_used || chunk->open.bytes > EXPAND_FACTOR * shop->page_bytes)
            return 0;
        return dictionary_try(chunk, shop, last, ret, error);
    }
    *ret = (ParquetChoice){.encoding = chunk->direct};
    if (chunk->direct_known)
        return page_pack(chunk, shop, chunk->direct, &shop->packed[0], &ret->plain, error);
    return direct_try(chunk, shop, SIZE_MAX, ret, error);
}
