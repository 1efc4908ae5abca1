/* compress_test.c - gzip and zstd files read back equal, in bounded memory, and their size is known while they grow. */
#include "check.h"
#include "format/format.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define BATCHES 40

static Error error;

static int collect(void *context, const void *data, size_t length, Error *err)
{
    return buffer_append(context, data, length, err);
}

static int refuse(void *context, const void *data, size_t length, Error *err)
{
    (void)context;
    (void)data;
    (void)length;
    return error_set(err, ERROR_TRANSIENT, NULL, "refused");
}

static void fill(ColumnBatch *batch, int turn)
{
    column_batch_clear(batch);
    while (!column_batch_full(batch)) {
        int64_t id = turn * 100000 + batch->rows;
        char text[64];

        snprintf(text, sizeof text, "customer %d of %d", (int)(id * 7919 % 1000), turn);
        memcpy(column_set_fixed(batch, 0), &id, sizeof id);
        column_set_bytes(batch, 1, text, strlen(text), &error);
        batch->op[batch->rows] = 'R';
        batch->commit_us[batch->rows] = INT64_MIN;
        column_row_end(batch);
    }
}

/* Returns the greatest distance by which format_size was behind what came out, or -1. */
static int64_t land(const char *compression, ColumnBatch *batch, Buffer *ret)
{
    FormatSpec spec = {.format = "jsonl", .compression = compression, .profile = "sluice", .epoch = 1};
    int64_t behind = 0;
    Format *format;

    if (format_open(&spec, batch->schema, (FormatOutput){collect, ret}, &format, &error) < 0)
        return -1;
    for (int turn = 0; turn < BATCHES; turn++) {
        fill(batch, turn);
        if (format_write(format, batch, 0, batch->rows, &error) < 0)
            behind = -1;
        if ((int64_t)ret->length - (int64_t)format_size(format) > behind)
            behind = (int64_t)ret->length - (int64_t)format_size(format);
    }
    if (format_finish(format, &error) < 0)
        behind = -1;
    if (format_size(format) != ret->length)
        behind = -1;
    format_close(format);
    return behind;
}

static bool gunzip_equal(const Buffer *packed, const Buffer *wanted)
{
    char *plain = malloc(wanted->length + 1);
    z_stream stream = {.next_in = (Bytef *)packed->data, .avail_in = (uInt)packed->length, .next_out = (Bytef *)plain,
                       .avail_out = (uInt)wanted->length + 1};
    bool equal;

    inflateInit2(&stream, 15 + 16);
    equal = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == wanted->length && !stream.avail_in &&
            memcmp(plain, wanted->data, wanted->length) == 0;
    inflateEnd(&stream);
    free(plain);
    return equal;
}

/* Decompressed as a stream: the frame does not tell its content's size. */
static bool unzstd_equal(const Buffer *packed, const Buffer *wanted)
{
    char *plain = malloc(wanted->length + 1);
    size_t length = ZSTD_decompress(plain, wanted->length + 1, packed->data, packed->length);
    bool equal = length == wanted->length && memcmp(plain, wanted->data, length) == 0;

    free(plain);
    return equal;
}

int main(void)
{
    Field fields[] = {{.name = "id", .type = COLUMN_INT64}, {.name = "name", .type = COLUMN_STRING}};
    Schema schema = {fields, 2};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    Buffer plain, gzip, zstd;
    Format *format;
    FormatSpec spec = {.format = "jsonl", .compression = "zstd", .profile = "sluice", .level = 99};

    buffer_init(&plain, MIB(64));
    buffer_init(&gzip, MIB(64));
    buffer_init(&zstd, MIB(64));
    column_batch_init(batch, &schema, 20, VALUE_BYTES_MAX, &error);
    check(land("none", batch, &plain) == 0, "a plain file's size is known to the byte");
    check(land("gzip", batch, &gzip) == 0, "a gzip file's size is never below what came out");
    check(land("zstd", batch, &zstd) == 0, "a zstd file's size is never below what came out");
    check(gunzip_equal(&gzip, &plain), "gzip reads back equal");
    check(unzstd_equal(&zstd, &plain), "zstd reads back equal");
    check(gzip.length < plain.length / 3 && zstd.length < plain.length / 3, "both are smaller");
    check(format_open(&spec, &schema, (FormatOutput){collect, &plain}, &format, &error) < 0, "an unknown level is refused");
    spec.level = 0;
    check(format_open(&spec, &schema, (FormatOutput){refuse, NULL}, &format, &error) == 0 && format_finish(format, &error) < 0 &&
              strcmp(error.message, "refused") == 0,
          "an error of the writer behind comes through");
    format_close(format);
    column_batch_free(batch);
    free(batch);
    buffer_free(&plain);
    buffer_free(&gzip);
    buffer_free(&zstd);
    return check_end();
}
