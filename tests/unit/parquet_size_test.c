/* parquet_size_test.c - a Parquet file closes near the size asked for, and its writer holds no more than it may. */
#include "check.h"
#include "format/format.h"

#include <malloc.h>
#include <stdlib.h>

static Error error;

static int collect(void *context, const void *data, size_t length, Error *err)
{
    return buffer_append(context, data, length, err);
}

static FormatSpec spec_of(const char *compression, const char *options)
{
    return (FormatSpec){.format = "parquet", .compression = compression, .profile = "sluice", .options = cJSON_Parse(options), .epoch = 1, .incarnation = 1};
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Rows of a few kinds: running number, random number, few words, random words, sometimes nothing. */
static void rows_fill(ColumnBatch *batch, int count, uint64_t *state)
{
    column_batch_clear(batch);
    for (int row = 0; row < count; row++) {
        int64_t number = (int64_t)(random_next(state) % 1000000);
        char text[64];

        memcpy(column_set_fixed(batch, 0), &number, 8);
        number = (int64_t)random_next(state);
        memcpy(column_set_fixed(batch, 1), &number, 8);
        snprintf(text, sizeof text, "city %d", (int)(random_next(state) % 40));
        column_set_bytes(batch, 2, text, strlen(text), &error);
        snprintf(text, sizeof text, "%016llx and more of it", (unsigned long long)random_next(state));
        if (random_next(state) % 4)
            column_set_bytes(batch, 3, text, strlen(text), &error);
        else
            column_set_null(batch, 3, false);
        batch->op[row] = 'R';
        batch->commit_us[row] = INT64_C(1795046400000000);
        memcpy(batch->position[row], state, 8);
        column_row_end(batch);
    }
}

static Field mixed_fields[] = {{.name = "n", .type = COLUMN_INT64}, {.name = "r", .type = COLUMN_INT64}, {.name = "city", .type = COLUMN_STRING},
                               {.name = "word", .type = COLUMN_STRING}};

/* Per cent by which the file differs from the size at which it was closed; most memory held on the way in *memory. */
static double size_missed(const char *compression, const char *options, uint64_t target, int rows, size_t memory_max, size_t *memory)
{
    Schema schema = {mixed_fields, 4};
    FormatSpec spec = spec_of(compression, options);
    ColumnBatch *batch = calloc(1, sizeof *batch);
    uint64_t state = 88172645463325252, before;
    Format *format;
    Buffer out;
    double missed;

    spec.memory_max = memory_max;
    buffer_init(&out, MIB(256));
    buffer_reserve(&out, target + MIB(2), &error);
    column_batch_init(batch, &schema, 8, VALUE_BYTES_MAX, &error);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    *memory = 0;
    if (format_open(&spec, &schema, (FormatOutput){collect, &out}, &format, &error) < 0)
        return 100;
    while (format_size(format) < target) {
        rows_fill(batch, rows, &state);
        if (format_write(format, batch, 0, batch->rows, &error) < 0)
            break;
        if (mallinfo2().uordblks + mallinfo2().hblkhd - before > *memory)
            *memory = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    }
    format_finish(format, &error);
    missed = 100.0 * ((double)out.length - (double)target) / (double)target;
    format_close(format);
    column_batch_free(batch);
    free(batch);
    buffer_free(&out);
    cJSON_Delete((cJSON *)(uintptr_t)spec.options);
    return missed;
}

static void check_size(const char *compression, const char *options, uint64_t target, int rows)
{
    char name[160];
    size_t memory;
    double missed = size_missed(compression, options, target, rows, 0, &memory);

    snprintf(name, sizeof name, "a %s file closes within 5 %% of %llu bytes (%s)", compression, (unsigned long long)target, options);
    check(missed > -5 && missed < 5, name);
    if (missed <= -5 || missed >= 5)
        printf("# missed by %.2f %%\n", missed);
}

static void test_sizes(void)
{
    size_t memory;

    check_size("zstd", "{}", KIB(64), 20);
    check_size("zstd", "{}", KIB(256), 50);
    check_size("zstd", "{}", MIB(1), 200);
    check_size("zstd", "{}", MIB(12), 1000);
    check_size("zstd", "{\"row_group_bytes\": 100000}", MIB(1), 200);
    check_size("snappy", "{}", MIB(1), 200);
    check_size("gzip", "{}", KIB(64), 20);
    check_size("none", "{}", MIB(2), 1000);
    size_missed("zstd", "{}", MIB(24), 1000, MIB(8), &memory);
    check(memory < MIB(10), "an encoder holds what it may, not what the file has");
    if (memory >= MIB(10))
        printf("# %zu bytes\n", memory);
}

/* A table of many columns in little memory: each row group has its metadata, so there must not be one for each batch. */
static void test_wide_table(void)
{
    enum { COLUMNS = 300, ROWS = 3000 };
    Field *fields = calloc(COLUMNS, sizeof *fields);
    Schema schema = {fields, COLUMNS};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    FormatSpec spec = spec_of("none", "{}");
    uint64_t state = 88172645463325252, sizes[2] = {0, 0};
    Format *format;
    Buffer out;

    for (int i = 0; i < COLUMNS; i++) {
        snprintf(fields[i].name, sizeof fields[i].name, "column_%d", i);
        fields[i].type = COLUMN_INT64;
    }
    column_batch_init(batch, &schema, 4, VALUE_BYTES_MAX, &error);
    for (int little = 0; little < 2; little++) {
        spec.memory_max = little ? MIB(1) : 0;
        buffer_init(&out, MIB(64));
        format_open(&spec, &schema, (FormatOutput){collect, &out}, &format, &error);
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < COLUMNS; i++) {
                random_next(&state);
                memcpy(column_set_fixed(batch, i), &state, 8);
            }
            batch->op[batch->rows] = 'R';
            batch->commit_us[batch->rows] = 0;
            column_row_end(batch);
            if (column_batch_full(batch) || row == ROWS - 1) {
                format_write(format, batch, 0, batch->rows, &error);
                column_batch_clear(batch);
            }
        }
        format_finish(format, &error);
        format_close(format);
        sizes[little] = out.length;
        buffer_free(&out);
    }
    check(sizes[1] < sizes[0] + sizes[0] / 5, "little memory makes smaller row groups, but none that is mostly metadata");
    column_batch_free(batch);
    free(batch);
    free(fields);
    cJSON_Delete((cJSON *)(uintptr_t)spec.options);
}

int main(void)
{
    test_sizes();
    test_wide_table();
    return check_end();
}
