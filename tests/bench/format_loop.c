/*
 * format_loop.c - rows made in memory, written in one format to one file; the same rows as tests/harness/benchrows.py makes for the peers.
 *
 *   format_loop ROWS FORMAT COMPRESSION PROFILE OUTPUT [OPTIONS]      (OPTIONS: JSON, FormatSpec.options)
 *
 * prints `bytes cpu_seconds rss_kib`: CPU of this process, user and system, from format_open to the end of format_finish without what
 * it took to make the rows; output by write(2) in the pieces that the format gives.
 */
#include "format/format.h"
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct Loop {
    int file;
    uint64_t bytes;
    double spent; /* CPU seconds in the format */
} Loop;

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int give(void *context, const void *data, size_t length, Error *error)
{
    Loop *loop = context;
    const char *at = data;

    loop->bytes += length;
    while (length) {
        ssize_t written = write(loop->file, at, length);

        if (written <= 0)
            return error_set(error, ERROR_TRANSIENT, NULL, "the output cannot be written");
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

static int rows_write(Loop *loop, Format *format, ColumnBatch *batch, int64_t rows, Error *error)
{
    double began;

    for (int64_t row = 0; row < rows;) {
        if (rows_make(batch, &row, rows, error) < 0)
            return -1;
        began = cpu_seconds();
        if (format_write(format, batch, 0, batch->rows, error) < 0)
            return -1;
        loop->spent += cpu_seconds() - began;
    }
    began = cpu_seconds();
    if (format_finish(format, error) < 0)
        return -1;
    loop->spent += cpu_seconds() - began;
    return 0;
}

static int run(Loop *loop, const FormatSpec *spec, int64_t rows, Error *error)
{
    static ColumnBatch batch;
    Schema schema = rows_schema();
    Format *format;
    double began = cpu_seconds();
    int result;

    if (format_open(spec, &schema, (FormatOutput){give, loop}, &format, error) < 0)
        return -1;
    loop->spent = cpu_seconds() - began;
    result = column_batch_init(&batch, &schema, 8, VALUE_BYTES_MAX, error);
    if (result == 0)
        result = rows_write(loop, format, &batch, rows, error);
    format_close(format);
    column_batch_free(&batch);
    return result;
}

int main(int count, char **arguments)
{
    Loop loop = {0};
    Error error = {0};
    FormatSpec spec;
    cJSON *options;

    if (count < 6 || (loop.file = open(arguments[5], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        fputs("usage: format_loop ROWS FORMAT COMPRESSION PROFILE OUTPUT [OPTIONS]\n", stderr);
        return 2;
    }
    options = cJSON_Parse(count > 6 ? arguments[6] : "{}");
    spec = (FormatSpec){.format = arguments[2], .compression = arguments[3], .profile = arguments[4], .options = options, .epoch = 1,
                        .incarnation = 1, .load = true, .source_kind = "", .source = "", .database = "", .schema = "", .table = ""};
    if (run(&loop, &spec, strtoll(arguments[1], NULL, 10), &error) < 0) {
        fprintf(stderr, "format_loop: %s\n%s\n", error.message, error.hint);
        return 1;
    }
    cJSON_Delete(options);
    printf("%llu %.6f %ld\n", (unsigned long long)loop.bytes, loop.spent, rows_peak_kib());
    return 0;
}
