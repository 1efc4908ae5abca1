/*
 * rows.h - the rows that the file benchmarks write: 10 columns of common types, the same numbers as tests/harness/benchrows.py makes.
 */
#ifndef SLUICE_BENCH_ROWS_H
#define SLUICE_BENCH_ROWS_H

#include "base/column.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Field rows_fields[] = {
    {.name = "id", .source_name = "id", .type = COLUMN_INT64, .key_ordinal = 1},
    {.name = "quantity", .source_name = "quantity", .type = COLUMN_INT32},
    {.name = "price", .source_name = "price", .type = COLUMN_DECIMAL, .precision = 18, .scale = 2},
    {.name = "weight", .source_name = "weight", .type = COLUMN_FLOAT64},
    {.name = "made", .source_name = "made", .type = COLUMN_TIMESTAMP, .precision = 6},
    {.name = "day", .source_name = "day", .type = COLUMN_DATE},
    {.name = "customer", .source_name = "customer", .type = COLUMN_STRING},
    {.name = "city", .source_name = "city", .type = COLUMN_STRING},
    {.name = "token", .source_name = "token", .type = COLUMN_STRING},
    {.name = "paid", .source_name = "paid", .type = COLUMN_BOOLEAN, .nullable = true},
};

/* splitmix64, so that any language makes the same numbers. */
static inline uint64_t mix(uint64_t n)
{
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

static inline Schema rows_schema(void)
{
    return (Schema){(Field *)(void *)(uintptr_t)rows_fields, (int)(sizeof rows_fields / sizeof rows_fields[0])};
}

#define DRAW(column) mix((uint64_t)row * 16 + (column))
#define SET(index, type) (*(type *)column_set_fixed(batch, index))

static inline int row_make(ColumnBatch *batch, int64_t row, Error *error)
{
    char text[40];
    int result = 0;

    SET(0, int64_t) = row;
    SET(1, int32_t) = (int32_t)(DRAW(1) % 100000);
    SET(2, __int128) = (__int128)(DRAW(2) % 10000000);
    SET(3, double) = (double)(DRAW(3) % 1000000) / 128;
    SET(4, int64_t) = (INT64_C(1760000000000000) + row * 1000 + (int64_t)(DRAW(4) % 1000)) * 10;
    SET(5, int32_t) = 20000 + (int32_t)(row / 20000);
    snprintf(text, sizeof text, "customer %05u", (unsigned)(DRAW(6) % 50000));
    result |= column_set_bytes(batch, 6, text, strlen(text), error);
    snprintf(text, sizeof text, "city of the north %03u", (unsigned)(DRAW(7) % 300));
    result |= column_set_bytes(batch, 7, text, strlen(text), error);
    snprintf(text, sizeof text, "%012llx", (unsigned long long)(DRAW(8) & UINT64_C(0xffffffffffff)));
    result |= column_set_bytes(batch, 8, text, 12, error);
    if (DRAW(9) % 10 == 0)
        column_set_null(batch, 9, false);
    else
        *(uint8_t *)column_set_fixed(batch, 9) = DRAW(9) % 2;
    batch->op[batch->rows] = 'R';
    batch->commit_us[batch->rows] = INT64_C(1760000000000000);
    for (int i = 0; i < 8; i++)
        batch->position[batch->rows][i] = (uint8_t)(row >> (56 - 8 * i));
    column_row_end(batch);
    return result;
}

/* The batch filled with rows from *row on, at most up to `end`. */
static inline int rows_make(ColumnBatch *batch, int64_t *row, int64_t end, Error *error)
{
    column_batch_clear(batch);
    while (*row < end && !column_batch_full(batch)) {
        if (row_make(batch, (*row)++, error) < 0)
            return -1;
    }
    return 0;
}

/* Peak resident memory of this program; getrusage would tell the parent's, where that was larger before exec. */
static inline long rows_peak_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    }
    if (status)
        fclose(status);
    return kib;
}

#endif
