/*
 * compress.h - a stream of bytes, compressed on its way to the next writer.
 *
 * "none" passes through. Memory: one window of the library (zstd level 1: about 1.3 MiB; gzip: 256 KiB) and one output piece.
 * The result is one zstd frame with a content checksum (RFC 8878), or one gzip member (RFC 1952) without name and time.
 */
#ifndef SLUICE_COMPRESS_H
#define SLUICE_COMPRESS_H

#include "format/format.h"

typedef struct Compressor Compressor;

/* "", ".gz" or ".zst"; NULL for an unknown name. */
const char *compress_extension(const char *compression);
/* level 0 = default. ERROR_PERMANENT for an unknown name or level. */
int compress_open(const char *compression, int level, FormatOutput output, Compressor **ret, Error *error);
int compress_write(Compressor *compressor, const void *data, size_t length, Error *error);
/* Bytes given out, and an estimate of what `extra` bytes still to come and those held inside will add. */
uint64_t compress_size(const Compressor *compressor, uint64_t extra);
int compress_finish(Compressor *compressor, Error *error);
void compress_close(Compressor *compressor);

#endif
