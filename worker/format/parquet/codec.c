/* codec.c - see codec.h */
#include "format/parquet/codec.h"

#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

typedef enum CodecKind { CODEC_NONE, CODEC_SNAPPY, CODEC_GZIP, CODEC_ZSTD } CodecKind;

struct ParquetCodec {
    CodecKind kind;
    int level;
    z_stream gzip;
    ZSTD_CCtx *zstd;
};

/* zstd 1: half of snappy's size and faster, measured on row data. */
static const struct {
    const char *name;
    int id, level_default, level_max;
} codecs[] = {
    [CODEC_NONE] = {"none", 0, 0, 0},
    [CODEC_SNAPPY] = {"snappy", 1, 0, 0},
    [CODEC_GZIP] = {"gzip", 2, 6, 9},
    [CODEC_ZSTD] = {"zstd", 6, 1, 19},
};

static int codec_find(const char *name)
{
    for (int i = 0; name && i < (int)(sizeof codecs / sizeof codecs[0]); i++) {
        if (strcmp(codecs[i].name, name) == 0)
            return i;
    }
    return -1;
}

int parquet_codec_open(const char *compression, int level, ParquetCodec **ret, Error *error)
{
    int kind = codec_find(compression);
    ParquetCodec *codec;

    if (kind < 0)
        return error_set(error, ERROR_PERMANENT, "Parquet has none, gzip, zstd and snappy.", "unknown compression \"%.60s\" of a parquet file",
                         compression ? compression : "");
    if (level < 0 || level > codecs[kind].level_max)
        return error_set(error, ERROR_PERMANENT, "Leave the level out to take the default.", "compression %s has levels 0 to %d, not %d",
                         compression, codecs[kind].level_max, level);
    codec = calloc(1, sizeof *codec);
    if (!codec)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a compressor");
    codec->kind = (CodecKind)kind;
    codec->level = level ? level : codecs[kind].level_default;
    if (codec->kind == CODEC_ZSTD)
        codec->zstd = ZSTD_createCCtx();
    /* 15 bits of window; + 16 asks for the gzip wrapper */
    if ((codec->kind == CODEC_ZSTD && !codec->zstd) ||
        (codec->kind == CODEC_GZIP && deflateInit2(&codec->gzip, codec->level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)) {
        free(codec);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a compressor");
    }
    *ret = codec;
    return 0;
}

int parquet_codec_id(const ParquetCodec *codec)
{
    return codecs[codec->kind].id;
}

static int gzip_pack(ParquetCodec *codec, const void *data, size_t length, Buffer *out, Error *error)
{
    z_stream *stream = &codec->gzip;
    size_t room;

    deflateReset(stream);
    room = deflateBound(stream, length);
    if (buffer_reserve(out, room, error) < 0)
        return -1;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    stream->next_out = (Bytef *)out->data + out->length;
    stream->avail_out = (uInt)room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return error_set(error, ERROR_INTERNAL, NULL, "gzip: a page of %zu bytes did not fit %zu", length, room);
    out->length += room - stream->avail_out;
    return 0;
}

static int zstd_pack(ParquetCodec *codec, const void *data, size_t length, Buffer *out, Error *error)
{
    size_t room = ZSTD_compressBound(length), packed;

    if (buffer_reserve(out, room, error) < 0)
        return -1;
    packed = ZSTD_compressCCtx(codec->zstd, out->data + out->length, room, data, length, codec->level);
    if (ZSTD_isError(packed))
        return error_set(error, ERROR_TRANSIENT, NULL, "zstd: %s", ZSTD_getErrorName(packed));
    out->length += packed;
    return 0;
}

static int snappy_pack(const void *data, size_t length, Buffer *out, Error *error)
{
    size_t packed = snappy_max_compressed_length(length);

    if (buffer_reserve(out, packed, error) < 0)
        return -1;
    if (snappy_compress(data, length, out->data + out->length, &packed) != SNAPPY_OK)
        return error_set(error, ERROR_INTERNAL, NULL, "snappy: a page of %zu bytes could not be compressed", length);
    out->length += packed;
    return 0;
}

int parquet_codec_pack(ParquetCodec *codec, const void *data, size_t length, Buffer *out, Error *error)
{
    switch (codec->kind) {
    case CODEC_SNAPPY:
        return snappy_pack(data, length, out, error);
    case CODEC_GZIP:
        return gzip_pack(codec, data, length, out, error);
    case CODEC_ZSTD:
        return zstd_pack(codec, data, length, out, error);
    case CODEC_NONE:
        break;
    }
    return buffer_append(out, data, length, error);
}

void parquet_codec_close(ParquetCodec *codec)
{
    if (!codec)
        return;
    if (codec->kind == CODEC_GZIP)
        deflateEnd(&codec->gzip);
    ZSTD_freeCCtx(codec->zstd);
    free(codec);
}
