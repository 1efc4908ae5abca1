/* compress.c - see compress.h */
#include "format/compress.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define ZSTD_LEVEL_DEFAULT 1 /* half of snappy's size and faster, measured on row data */
#define GZIP_LEVEL_DEFAULT 6
#define OUTPUT_PIECE KIB(128)
#define RATIO_GUESS 4 /* until the file has shown its own ratio */

typedef enum CompressKind { COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD } CompressKind;

struct Compressor {
    CompressKind kind;
    FormatOutput output;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t bytes_in_seen; /* bytes_in when output last came: what came later is held inside */
    z_stream gzip;
    ZSTD_CCtx *zstd;
    char piece[OUTPUT_PIECE];
};

static const struct {
    const char *name, *extension;
    int level_default, level_max;
} compressions[] = {
    [COMPRESS_NONE] = {"none", "", 0, 0},
    [COMPRESS_GZIP] = {"gzip", ".gz", GZIP_LEVEL_DEFAULT, 9},
    [COMPRESS_ZSTD] = {"zstd", ".zst", ZSTD_LEVEL_DEFAULT, 19},
};

static int kind_find(const char *name)
{
    for (int i = 0; name && i < (int)(sizeof compressions / sizeof compressions[0]); i++) {
        if (strcmp(compressions[i].name, name) == 0)
            return i;
    }
    return -1;
}

const char *compress_extension(const char *compression)
{
    int kind = kind_find(compression);

    return kind < 0 ? NULL : compressions[kind].extension;
}

static int output_give(Compressor *compressor, const void *data, size_t length, Error *error)
{
    if (!length)
        return 0;
    compressor->bytes_out += length;
    compressor->bytes_in_seen = compressor->bytes_in;
    return compressor->output.write(compressor->output.context, data, length, error);
}

static int gzip_step(Compressor *compressor, const void *data, size_t length, int flush, Error *error)
{
    z_stream *stream = &compressor->gzip;
    int result;

    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    do {
        stream->next_out = (Bytef *)compressor->piece;
        stream->avail_out = sizeof compressor->piece;
        result = deflate(stream, flush);
        if (result == Z_STREAM_ERROR)
            return error_set(error, ERROR_INTERNAL, NULL, "gzip: deflate was called out of turn");
        if (output_give(compressor, compressor->piece, sizeof compressor->piece - stream->avail_out, error) < 0)
            return -1;
    } while (flush == Z_FINISH ? result != Z_STREAM_END : stream->avail_out == 0);
    return 0;
}

static int zstd_step(Compressor *compressor, const void *data, size_t length, ZSTD_EndDirective end, Error *error)
{
    ZSTD_inBuffer in = {data, length, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {compressor->piece, sizeof compressor->piece, 0};

        left = ZSTD_compressStream2(compressor->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return error_set(error, ERROR_TRANSIENT, NULL, "zstd: %s", ZSTD_getErrorName(left));
        if (output_give(compressor, compressor->piece, out.pos, error) < 0)
            return -1;
    } while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

static int compressor_start(Compressor *compressor, int level, Error *error)
{
    if (compressor->kind == COMPRESS_GZIP) {
        /* 15 bits of window; + 16 asks for the gzip wrapper */
        if (deflateInit2(&compressor->gzip, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a gzip stream");
    } else if (compressor->kind == COMPRESS_ZSTD) {
        compressor->zstd = ZSTD_createCCtx();
        if (!compressor->zstd)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a zstd stream");
        ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_checksumFlag, 1);
    }
    return 0;
}

int compress_open(const char *compression, int level, FormatOutput output, Compressor **ret, Error *error)
{
    int kind = kind_find(compression);
    Compressor *compressor;

    if (kind < 0)
        return error_set(error, ERROR_PERMANENT, "Known are none, gzip and zstd.", "unknown compression \"%.60s\"", compression ? compression : "");
    if (level < 0 || level > compressions[kind].level_max)
        return error_set(error, ERROR_PERMANENT, "Leave the level out to take the default.", "compression %s has levels 0 to %d, not %d",
                         compression, compressions[kind].level_max, level);
    compressor = calloc(1, sizeof *compressor);
    if (!compressor)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a compressor");
    compressor->kind = (CompressKind)kind;
    compressor->output = output;
    if (compressor_start(compressor, level ? level : compressions[kind].level_default, error) < 0) {
        free(compressor);
        return -1;
    }
    *ret = compressor;
    return 0;
}

int compress_write(Compressor *compressor, const void *data, size_t length, Error *error)
{
    compressor->bytes_in += length;
    switch (compressor->kind) {
    case COMPRESS_GZIP:
        return gzip_step(compressor, data, length, Z_NO_FLUSH, error);
    case COMPRESS_ZSTD:
        return zstd_step(compressor, data, length, ZSTD_e_continue, error);
    case COMPRESS_NONE:
        break;
    }
    return output_give(compressor, data, length, error);
}

uint64_t compress_size(const Compressor *compressor, uint64_t extra)
{
    uint64_t held = compressor->bytes_in - compressor->bytes_in_seen + extra;

    if (compressor->kind == COMPRESS_NONE)
        return compressor->bytes_out + extra;
    if (!compressor->bytes_out)
        return held / RATIO_GUESS;
    return compressor->bytes_out + (uint64_t)((double)held * (double)compressor->bytes_out / (double)compressor->bytes_in_seen);
}

int compress_finish(Compressor *compressor, Error *error)
{
    switch (compressor->kind) {
    case COMPRESS_GZIP:
        return gzip_step(compressor, NULL, 0, Z_FINISH, error);
    case COMPRESS_ZSTD:
        return zstd_step(compressor, NULL, 0, ZSTD_e_end, error);
    case COMPRESS_NONE:
        break;
    }
    return 0;
}

void compress_close(Compressor *compressor)
{
    if (!compressor)
        return;
    if (compressor->kind == COMPRESS_GZIP)
        deflateEnd(&compressor->gzip);
    ZSTD_freeCCtx(compressor->zstd);
    free(compressor);
}
