/*
 * format_driver.c - a row file (tests/harness/rowfile.py writes it) through worker/format/format.h into a file, so that tests in another
 * language judge what any format writes.
 *
 *   format_driver ROWFILE OUTPUT
 *
 * prints `rows bytes estimate`: rows given, bytes of the file, the last format_size before the end. A refusal is `kind: message` on stderr and exit code 1.
 *
 * Row file, all little endian: uint32 length and JSON {"spec": {FormatSpec}, "position_length": n, "value_bytes_max": n, "fields":
 * [{Field}]}; then batches: uint32 rows (0 = the end), uint32 rows a format_write gets at a time, ops (1 byte each), commit times (int64
 * each), positions; then per column: valid (1 byte each), unchanged (1 byte each, only where the field is large), and fixed values or
 * uint32 offsets[rows + 1] and bytes.
 */
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Driver {
    FILE *input, *output;
    cJSON *head;
    Schema schema;
    ColumnBatch *batch;
    Format *format;
    uint64_t rows, bytes;
} Driver;

static int take(Driver *driver, void *data, size_t length, Error *error)
{
    if (fread(data, 1, length, driver->input) != length)
        return error_set(error, ERROR_INTERNAL, NULL, "the row file ends early");
    return 0;
}

static int give(void *context, const void *data, size_t length, Error *error)
{
    Driver *driver = context;

    driver->bytes += length;
    if (fwrite(data, 1, length, driver->output) != length)
        return error_set(error, ERROR_TRANSIENT, NULL, "the output cannot be written");
    return 0;
}

static int head_read(Driver *driver, Error *error)
{
    uint32_t length;
    char *text;
    int result;

    if (take(driver, &length, sizeof length, error) < 0)
        return -1;
    text = malloc((size_t)length + 1);
    if (!text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    result = take(driver, text, length, error);
    if (result == 0) {
        driver->head = cJSON_ParseWithLength(text, length);
        if (!driver->head)
            result = error_set(error, ERROR_INTERNAL, NULL, "the head of the row file is no JSON");
    }
    free(text);
    return result;
}

static int field_read(const cJSON *from, Field *field, Error *error)
{
    const char *name, *type;

    if (json_need_text(from, "name", &name, error) < 0 || json_need_text(from, "type", &type, error) < 0)
        return -1;
    if (column_type_parse(type, &field->type) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "unknown column type %.60s", type);
    snprintf(field->name, sizeof field->name, "%s", name);
    snprintf(field->source_name, sizeof field->source_name, "%s", json_text(from, "source_name", name));
    snprintf(field->source_type, sizeof field->source_type, "%s", json_text(from, "source_type", ""));
    field->precision = (uint8_t)json_integer(from, "precision", 0);
    field->scale = (uint8_t)json_integer(from, "scale", 0);
    field->nullable = json_boolean(from, "nullable", true);
    field->utc = json_boolean(from, "utc", false);
    field->large = json_boolean(from, "large", false);
    field->key_ordinal = (int)json_integer(from, "key_ordinal", 0);
    return 0;
}

static int schema_read(Driver *driver, Error *error)
{
    const cJSON *fields = json_member(driver->head, "fields"), *from;

    driver->schema.fields = calloc((size_t)cJSON_GetArraySize(fields) + 1, sizeof(Field));
    if (!driver->schema.fields)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    cJSON_ArrayForEach(from, fields)
    {
        if (field_read(from, &driver->schema.fields[driver->schema.count++], error) < 0)
            return -1;
    }
    driver->batch = calloc(1, sizeof *driver->batch);
    if (!driver->batch)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    return column_batch_init(driver->batch, &driver->schema, (int)json_integer(driver->head, "position_length", 0),
                             (size_t)json_integer(driver->head, "value_bytes_max", (int64_t)VALUE_BYTES_MAX), error);
}

static int driver_open(Driver *driver, Error *error)
{
    const cJSON *from;
    FormatSpec spec;

    if (head_read(driver, error) < 0 || schema_read(driver, error) < 0)
        return -1;
    from = json_member(driver->head, "spec");
    spec = (FormatSpec){.format = json_text(from, "format", ""),
                        .compression = json_text(from, "compression", "none"),
                        .level = (int)json_integer(from, "level", 0),
                        .profile = json_text(from, "profile", "sluice"),
                        .options = json_member(from, "options"),
                        .epoch = (uint32_t)json_integer(from, "epoch", 1),
                        .incarnation = (uint16_t)json_integer(from, "incarnation", 1),
                        .load = json_boolean(from, "load", false),
                        .load_us = json_integer(from, "load_us", INT64_MIN),
                        .source_kind = json_text(from, "source_kind", ""),
                        .source = json_text(from, "source", ""),
                        .database = json_text(from, "database", ""),
                        .schema = json_text(from, "schema", ""),
                        .table = json_text(from, "table", ""),
                        .memory_max = (size_t)json_integer(from, "memory_max", 0)};
    return format_open(&spec, &driver->schema, (FormatOutput){give, driver}, &driver->format, error);
}

static int vector_read(Driver *driver, int index, int rows, Error *error)
{
    ColumnVector *vector = &driver->batch->columns[index];
    size_t width = column_width(driver->schema.fields[index].type), count = (size_t)rows;

    if (take(driver, vector->valid, count, error) < 0 || (vector->unchanged && take(driver, vector->unchanged, count, error) < 0))
        return -1;
    if (width)
        return take(driver, vector->fixed, count * width, error);
    if (take(driver, vector->offsets, (count + 1) * sizeof *vector->offsets, error) < 0)
        return -1;
    buffer_clear(&vector->bytes);
    if (buffer_reserve(&vector->bytes, vector->offsets[rows], error) < 0)
        return -1;
    vector->bytes.length = vector->offsets[rows];
    return take(driver, vector->bytes.data, vector->bytes.length, error);
}

/* The next batch; 0 rows at the end. *step is how many of its rows a format_write gets. */
static int batch_read(Driver *driver, uint32_t *step, Error *error)
{
    ColumnBatch *batch = driver->batch;
    uint32_t rows;

    column_batch_clear(batch);
    if (take(driver, &rows, sizeof rows, error) < 0 || rows == 0)
        return rows == 0 ? 0 : -1;
    if (rows > BATCH_ROWS_MAX)
        return error_set(error, ERROR_INTERNAL, NULL, "a batch of %u rows", rows);
    if (take(driver, step, sizeof *step, error) < 0 || take(driver, batch->op, rows, error) < 0 ||
        take(driver, batch->commit_us, rows * sizeof batch->commit_us[0], error) < 0)
        return -1;
    for (uint32_t i = 0; i < rows; i++) {
        if (take(driver, batch->position[i], (size_t)batch->position_length, error) < 0)
            return -1;
    }
    for (int i = 0; i < driver->schema.count; i++) {
        if (vector_read(driver, i, (int)rows, error) < 0)
            return -1;
    }
    batch->rows = (int)rows;
    return 0;
}

static int batches_write(Driver *driver, Error *error)
{
    uint32_t step = 0;

    for (;;) {
        if (batch_read(driver, &step, error) < 0)
            return -1;
        if (driver->batch->rows == 0)
            return 0;
        for (int first = 0, count; first < driver->batch->rows; first += count) {
            count = driver->batch->rows - first < (int)step ? driver->batch->rows - first : (int)step;
            if (format_write(driver->format, driver->batch, first, count, error) < 0)
                return -1;
        }
        driver->rows += (uint64_t)driver->batch->rows;
    }
}

static void driver_close(Driver *driver)
{
    format_close(driver->format);
    if (driver->batch)
        column_batch_free(driver->batch);
    free(driver->batch);
    free(driver->schema.fields);
    cJSON_Delete(driver->head);
}

static int run(Driver *driver, Error *error)
{
    uint64_t estimate;

    if (driver_open(driver, error) < 0 || batches_write(driver, error) < 0)
        return -1;
    estimate = format_size(driver->format);
    if (format_finish(driver->format, error) < 0)
        return -1;
    printf("%llu %llu %llu\n", (unsigned long long)driver->rows, (unsigned long long)driver->bytes, (unsigned long long)estimate);
    return 0;
}

int main(int count, char **arguments)
{
    Driver driver = {0};
    Error error = {0};
    int result;

    if (count != 3 || !(driver.input = fopen(arguments[1], "rb")) || !(driver.output = fopen(arguments[2], "wb"))) {
        fputs("usage: format_driver ROWFILE OUTPUT\n", stderr);
        return 2;
    }
    result = run(&driver, &error);
    if (result < 0)
        fprintf(stderr, "%s: %s\n%s\n", error_kind_name(error.kind), error.message, error.hint);
    driver_close(&driver);
    fclose(driver.input);
    if (fclose(driver.output) != 0)
        result = -1;
    return result < 0 ? 1 : 0;
}
