/*
 * codec.h - compression of single pages. Inside format/ only.
 * Source: apache/parquet-format, Compression.md: GZIP is RFC 1952, SNAPPY the raw format without framing.
 */
#ifndef SLUICE_FORMAT_PARQUET_CODEC_H
#define SLUICE_FORMAT_PARQUET_CODEC_H

#include "base/buffer.h"

typedef struct ParquetCodec ParquetCodec;

/* compression "none", "gzip", "zstd", "snappy"; level 0 = the default (zstd 1, gzip 6). ERROR_PERMANENT for what does not exist. */
int parquet_codec_open(const char *compression, int level, ParquetCodec **ret, Error *error);
/* The CompressionCodec of the Thrift definition. */
int parquet_codec_id(const ParquetCodec *codec);
/* Appends the compressed form of the bytes to `out`. */
int parquet_codec_pack(ParquetCodec *codec, const void *data, size_t length, Buffer *out, Error *error);
void parquet_codec_close(ParquetCodec *codec);

#endif
