/*
 * object_loop.c - one object of a size asked for, rows in memory -> format -> sink, as the pipeline does it: the file ends once
 * format_size has reached the target.
 *
 *   object_loop FORMAT COMPRESSION BYTES KIND TARGET KEY [FORMAT_OPTIONS [MEMORY_MIB]]
 *
 * KIND and TARGET (JSON) are those of sink_open, credentials the environment's. Prints `rows bytes cpu_seconds peak_kib`.
 */
#include "format/format.h"
#include "rows.h"
#include "sink/sink.h"

#include <malloc.h>
#include <time.h>

#define ATTEMPT "00112233445566778899aabbccddeeff"

static int give(void *context, const void *data, size_t length, Error *error)
{
    return sink_object_write(context, data, length, error);
}

static int rows_write(Format *format, const Schema *schema, uint64_t bytes, int64_t *rows, Error *error)
{
    static ColumnBatch batch;

    if (column_batch_init(&batch, schema, 8, VALUE_BYTES_MAX, error) < 0)
        return -1;
    while (format_size(format) < bytes) {
        if (rows_make(&batch, rows, INT64_MAX, error) < 0 || format_write(format, &batch, 0, batch.rows, error) < 0) {
            column_batch_free(&batch);
            return -1;
        }
    }
    column_batch_free(&batch);
    return format_finish(format, error);
}

static int object_write(const FormatSpec *spec, Sink *sink, const char *key, uint64_t bytes, int64_t *rows, SinkHead *head, Error *error)
{
    Schema schema = rows_schema();
    SinkOutcome outcome = SINK_EXISTS;
    SinkObject *object = NULL;
    Format *format = NULL;
    int result;

    result = sink_object_begin(sink, key, ATTEMPT, &object, error);
    if (result == 0)
        result = format_open(spec, &schema, (FormatOutput){give, object}, &format, error);
    if (result == 0)
        result = rows_write(format, &schema, bytes, rows, error);
    if (result == 0)
        result = sink_object_prepare(object, error);
    format_close(format);
    if (result == 0)
        result = sink_objects_complete(sink, &object, 1, &outcome, head, error);
    if (result == 0 && outcome != SINK_CREATED)
        result = error_set(error, ERROR_PERMANENT, NULL, "an object stands at the key already");
    if (object)
        sink_object_close(object);
    return result;
}

static int run(char **arguments, const FormatSpec *spec, int64_t *rows, SinkHead *head, Error *error)
{
    cJSON *target = cJSON_Parse(arguments[5]);
    Sink *sink = NULL;
    int result = sink_open(arguments[4], target, NULL, (Beat){NULL, NULL}, &sink, error);

    if (result == 0)
        result = object_write(spec, sink, arguments[6], strtoull(arguments[3], NULL, 10), rows, head, error);
    sink_close(sink);
    cJSON_Delete(target);
    return result;
}

int main(int count, char **arguments)
{
    struct timespec spent;
    SinkHead head = {0};
    Error error = {0};
    FormatSpec spec;
    int64_t rows = 0;
    cJSON *options;
    int result;

    if (count < 7) {
        fputs("usage: object_loop FORMAT COMPRESSION BYTES KIND TARGET KEY [FORMAT_OPTIONS [MEMORY_MIB]]\n", stderr);
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD, (int)MMAP_BYTES); /* as worker/main.c */
    options = cJSON_Parse(count > 7 ? arguments[7] : "{}");
    spec = (FormatSpec){.format = arguments[1], .compression = arguments[2], .profile = "sluice", .options = options, .epoch = 1, .incarnation = 1,
                        .source_kind = "", .source = "", .database = "", .schema = "", .table = "",
                        .memory_max = count > 8 ? MIB(strtoul(arguments[8], NULL, 10)) : 0};
    result = run(arguments, &spec, &rows, &head, &error);
    cJSON_Delete(options);
    if (result < 0) {
        fprintf(stderr, "object_loop: %s\n%s\n", error.message, error.hint);
        return 1;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    printf("%lld %llu %.3f %ld\n", (long long)rows, (unsigned long long)head.bytes, (double)spent.tv_sec + (double)spent.tv_nsec / 1e9, rows_peak_kib());
    return 0;
}
