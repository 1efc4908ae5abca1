/*
 * chunk.h - one column of the row group under construction: its values become compressed data pages as they fill.
 * Source: apache/parquet-format, README.md (column chunks), Encodings.md, parquet.thrift (PageHeader). Inside format/ only.
 *
 * A chunk begins with a dictionary; it goes over to writing values directly where the dictionary grows too large or does not pay,
 * which is settled by compressing the first page both ways. What was learned holds for the row groups that follow.
 */
#ifndef SLUICE_FORMAT_PARQUET_CHUNK_H
#define SLUICE_FORMAT_PARQUET_CHUNK_H

#include "format/parquet/bloom.h"
#include "format/parquet/bounds.h"
#include "format/parquet/codec.h"
#include "format/parquet/dictionary.h"

/* parquet.thrift, enum Encoding; those we write */
typedef enum ParquetEncoding {
    PARQUET_ENCODING_PLAIN = 0,
    PARQUET_ENCODING_RLE = 3, /* of definition levels */
    PARQUET_ENCODING_DELTA = 5,
    PARQUET_ENCODING_DELTA_LENGTH = 6,
    PARQUET_ENCODING_DELTA_BYTES = 7,
    PARQUET_ENCODING_DICTIONARY = 8
} ParquetEncoding;

/* What all chunks of a file share: they work one after another. */
typedef struct ParquetShop {
    ParquetCodec *codec;
    size_t page_bytes;      /* a page closes from here on, before compression */
    uint32_t page_rows;     /* and has at most these and a batch's */
    size_t dictionary_bytes;
    Buffer plain;           /* the page as encoded */
    Buffer packed[2];       /* and compressed: the best so far, and the one tried */
    Buffer lengths, values_out, prefixes; /* a page of entries written out; what its values have in common */
    ParquetValues values;
} ParquetShop;

/* A finished data page. */
typedef struct ParquetPage {
    char *data;      /* header and bytes, in memory of just their size: pages live until their row group is full */
    uint64_t offset; /* from the first data page's header on */
    uint32_t size;   /* with its header */
    uint64_t first_row;
    uint32_t rows;
    uint32_t nulls;
    ParquetBounds bounds;
} ParquetPage;

/* The page under construction. In dictionary mode entries are held, else bytes and lengths or numbers. */
typedef struct ParquetOpenPage {
    uint32_t rows;
    uint32_t nulls;
    uint32_t count;     /* of values */
    uint32_t room;      /* rows that levels, entries and lengths have room for */
    uint8_t *levels;    /* 1 = value, 0 = NULL */
    uint32_t *entries;  /* dictionary indices; or the lengths of bytes */
    uint64_t bytes;     /* of the values, plain, were they all written out */
    Buffer values;
    ParquetBounds bounds;
} ParquetOpenPage;

typedef struct ParquetChunk {
    ParquetType type;
    bool dictionary_on;           /* the open page holds entries */
    bool dictionary_used;         /* a finished page needs it */
    int dictionary_rest;          /* row groups for which none is tried: it did not pay */
    bool direct_known;            /* `direct` was tried out in this row group */
    bool direct_likely;           /* by the last probe, the dictionary will not pay */
    bool probed;                  /* and there was one */
    ParquetEncoding direct;       /* how values are written without a dictionary */
    ParquetDictionary dictionary;
    ParquetOpenPage open;
    ParquetBloom bloom;
    ParquetBounds bounds;         /* of the finished pages */
    uint64_t body_bytes;          /* of all finished pages */
    Buffer head;                  /* the dictionary page, once the chunk has ended */
    ParquetPage *pages;
    size_t page_count, page_room;
    uint64_t rows, nulls;         /* of the finished pages */
    uint64_t plain_bytes;         /* of all pages with headers, uncompressed */
    uint32_t encoded_pages[9];    /* data pages by encoding */
    double row_bytes;             /* compressed bytes of a row of entries, as last seen; 0 = never */
    double direct_ratio;          /* compressed bytes of a byte of values written directly; 0 = never seen */
    bool measured;                /* by a finished page, not only by a probe */
    double dictionary_ratio;      /* of the dictionary page */
    uint64_t probe_bytes;         /* the open page's size is found out when it has grown to this */
} ParquetChunk;

void parquet_shop_init(ParquetShop *shop);
void parquet_shop_free(ParquetShop *shop);

void parquet_chunk_init(ParquetChunk *chunk, const ParquetType *type, const ParquetShop *shop);
void parquet_chunk_free(ParquetChunk *chunk);
/* Takes the values; pages that fill are compressed. */
int parquet_chunk_add(ParquetChunk *chunk, ParquetShop *shop, const ParquetValues *values, Error *error);
/* Closes the last page and the dictionary: head, then the pages are what goes to the file. */
int parquet_chunk_end(ParquetChunk *chunk, ParquetShop *shop, Error *error);
/* Empties it for the next row group. */
void parquet_chunk_reset(ParquetChunk *chunk, const ParquetShop *shop);
/* Bytes that head and pages would have if the chunk ended now; an estimate. */
uint64_t parquet_chunk_size(const ParquetChunk *chunk);
size_t parquet_chunk_memory(const ParquetChunk *chunk);

/* ---- page.c -------------------------------------------------------- */

/* How the open page is best written. `packed` of the shop then holds it, compressed, as number 0. */
typedef struct ParquetChoice {
    ParquetEncoding encoding;
    size_t plain;      /* bytes before compression */
    size_t dictionary; /* bytes of the dictionary page, if encoding is that; else 0 */
} ParquetChoice;

/* last: no page follows, so that the dictionary must pay with this one. Encodings that are close before compression are compressed,
 * and the smallest is taken. */
int parquet_page_choose(ParquetChunk *chunk, ParquetShop *shop, bool last, ParquetChoice *ret, Error *error);
/* The same without a choice: as entries, or directly as last chosen. */
int parquet_page_measure(ParquetChunk *chunk, ParquetShop *shop, bool entries, ParquetChoice *ret, Error *error);
/* The open page's entries are worth so many bytes that they are never written out: what it takes has no bound but the page's rows. */
bool parquet_page_stays(const ParquetChunk *chunk, const ParquetShop *shop);
/* Turns the open page's entries into values. */
int parquet_page_expand(ParquetChunk *chunk, Error *error);
/* PageHeader of a page of `packed` bytes, `plain` before compression. type: 0 data page, 2 dictionary page. */
int parquet_page_header(size_t packed, size_t plain, int type, uint32_t count, ParquetEncoding encoding, Buffer *out, Error *error);
/* The dictionary page's content, compressed, as packed[1] of the shop; its size before compression. */
int parquet_dictionary_pack(const ParquetChunk *chunk, ParquetShop *shop, size_t *plain, Error *error);

#endif
