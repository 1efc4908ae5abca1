/*
 * footer.h - what stands behind the data: page index and file metadata, gathered while row groups are written.
 * Source: apache/parquet-format, parquet.thrift (FileMetaData, ColumnIndex, OffsetIndex), PageIndex.md. Inside format/ only.
 *
 * Memory grows with the file's pages, some 100 bytes each: the file's end holds the same.
 */
#ifndef SLUICE_FORMAT_PARQUET_FOOTER_H
#define SLUICE_FORMAT_PARQUET_FOOTER_H

#include "format/parquet/chunk.h"

/* A column chunk that has been written; positions are of the file. */
typedef struct ParquetChunkNote {
    uint64_t dictionary_at; /* 0 = it has none */
    uint64_t data_at;
    uint64_t bytes, plain_bytes;
    uint64_t nulls;
    ParquetBounds bounds;
    uint32_t encoded_pages[9];
    uint64_t bloom_at; /* 0 = it has none */
    size_t bloom_bytes;
    size_t column_index_bytes; /* 0 = it has none: a page whose bounds cannot be told */
    size_t offset_index_bytes;
} ParquetChunkNote;

typedef struct ParquetGroupNote {
    uint64_t at, rows;
} ParquetGroupNote;

typedef struct ParquetFooter {
    const ParquetType *types;
    size_t columns;
    int codec;                 /* parquet_codec_id */
    ParquetChunkNote *chunks;  /* [groups * columns], one group after another */
    size_t chunk_count, chunk_room;
    ParquetGroupNote *groups;
    size_t group_count, group_room;
    Buffer column_indexes, offset_indexes;
    uint64_t rows;
    uint64_t note_bytes;       /* estimate of what the chunks' metadata will take */
} ParquetFooter;

void parquet_footer_init(ParquetFooter *footer, const ParquetType *types, size_t columns, int codec);
void parquet_footer_free(ParquetFooter *footer);
/* Notes an ended chunk whose head, then pages, stand at `at`. */
int parquet_footer_chunk(ParquetFooter *footer, const ParquetChunk *chunk, uint64_t at, Error *error);
void parquet_footer_bloom(ParquetFooter *footer, size_t column, uint64_t at, size_t bytes); /* of the group being written */
int parquet_footer_group(ParquetFooter *footer, uint64_t at, uint64_t rows, Error *error);
/* Page index, metadata, its length and the magic: all that follows from position `at` on. */
int parquet_footer_write(ParquetFooter *footer, uint64_t at, Buffer *out, Error *error);
/* Bytes that will be, counting a chunk that has not been noted yet if open is set for each column; an estimate. */
uint64_t parquet_footer_size(const ParquetFooter *footer, const ParquetChunk *open);

#endif
