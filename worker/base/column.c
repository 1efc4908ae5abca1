/* column.c - see column.h */
#include "base/column.h"

#include <stdlib.h>
#include <string.h>

/* A column's bytes beyond this are given back when the batch is cleared, or one huge value per column would stay for good. */
#define BYTES_KEPT_MAX (BATCH_BYTES_MAX * 4)

static const struct {
    const char *name;
    size_t width;
} column_types[] = {
    [COLUMN_BOOLEAN] = {"boolean", 1},
    [COLUMN_INT16] = {"int16", sizeof(int16_t)},
    [COLUMN_INT32] = {"int32", sizeof(int32_t)},
    [COLUMN_INT64] = {"int64", sizeof(int64_t)},
    [COLUMN_UINT64] = {"uint64", sizeof(uint64_t)},
    [COLUMN_FLOAT32] = {"float32", sizeof(float)},
    [COLUMN_FLOAT64] = {"float64", sizeof(double)},
    [COLUMN_DECIMAL] = {"decimal", 16},
    [COLUMN_DATE] = {"date", sizeof(int32_t)},
    [COLUMN_TIME] = {"time", sizeof(int64_t)},
    [COLUMN_TIMESTAMP] = {"timestamp", sizeof(int64_t)},
    [COLUMN_TIMESTAMPTZ] = {"timestamptz", sizeof(ColumnInstant)},
    [COLUMN_STRING] = {"string", 0},
    [COLUMN_BINARY] = {"binary", 0},
    [COLUMN_UUID] = {"uuid", 16},
};
#define COLUMN_TYPES ((int)(sizeof column_types / sizeof column_types[0]))

size_t column_width(ColumnType type)
{
    return column_types[type].width;
}

const char *column_type_name(ColumnType type)
{
    return column_types[type].name;
}

int column_type_parse(const char *name, ColumnType *ret)
{
    for (int i = 0; i < COLUMN_TYPES; i++) {
        if (strcmp(column_types[i].name, name) == 0) {
            *ret = (ColumnType)i;
            return 0;
        }
    }
    return -1;
}

/* calloc, so that a row never written reads as NULL and not as what the memory held before. */
static int vector_init(ColumnVector *vector, const Field *field, size_t value_bytes_max)
{
    size_t width = column_width(field->type);

    vector->value_bytes_max = value_bytes_max;
    buffer_init(&vector->bytes, value_bytes_max > (UINT32_MAX - BATCH_BYTES_MAX) / 2 ? UINT32_MAX : BATCH_BYTES_MAX + 2 * value_bytes_max);
    vector->valid = calloc(BATCH_ROWS_MAX, 1);
    if (!vector->valid)
        return -1;
    if (field->large) {
        vector->unchanged = calloc(BATCH_ROWS_MAX, 1);
        if (!vector->unchanged)
            return -1;
    }
    if (width) {
        vector->fixed = calloc(BATCH_ROWS_MAX, width);
        return vector->fixed ? 0 : -1;
    }
    vector->offsets = calloc(BATCH_ROWS_MAX + 1, sizeof *vector->offsets);
    return vector->offsets ? 0 : -1;
}

int column_batch_init(ColumnBatch *batch, const Schema *schema, int position_length, size_t value_bytes_max, Error *error)
{
    if (position_length < 0 || position_length > POSITION_BYTES_MAX)
        return error_set(error, ERROR_INTERNAL, NULL, "a position of %d bytes does not fit a column batch", position_length);
    if (value_bytes_max > UINT32_MAX - BATCH_BYTES_MAX)
        return error_set(error, ERROR_PERMANENT, "Choose a max_value_bytes below 4 GiB.", "values of up to %zu bytes do not fit a column batch",
                         value_bytes_max);
    batch->schema = schema;
    batch->rows = 0;
    batch->size = 0;
    batch->position_length = position_length;
    batch->columns = calloc((size_t)schema->count + 1, sizeof *batch->columns);
    if (!batch->columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a batch of %d columns", schema->count);
    for (int i = 0; i < schema->count; i++) {
        if (vector_init(&batch->columns[i], &schema->fields[i], value_bytes_max) < 0) {
            column_batch_free(batch);
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a batch of %d columns", schema->count);
        }
    }
    return 0;
}

void column_batch_clear(ColumnBatch *batch)
{
    batch->rows = 0;
    batch->size = 0;
    for (int i = 0; i < batch->schema->count; i++) {
        Buffer *bytes = &batch->columns[i].bytes;

        if (bytes->capacity > BYTES_KEPT_MAX)
            buffer_free(bytes);
        buffer_clear(bytes);
    }
}

void column_batch_free(ColumnBatch *batch)
{
    if (!batch->columns)
        return;
    for (int i = 0; i < batch->schema->count; i++) {
        ColumnVector *vector = &batch->columns[i];

        free(vector->valid);
        free(vector->unchanged);
        free(vector->fixed);
        free(vector->offsets);
        buffer_free(&vector->bytes);
    }
    free(batch->columns);
    batch->columns = NULL;
    batch->rows = 0;
}

void column_set_null(ColumnBatch *batch, int index, bool unchanged)
{
    ColumnVector *vector = &batch->columns[index];
    int row = batch->rows;

    vector->valid[row] = 0;
    if (vector->unchanged)
        vector->unchanged[row] = unchanged;
    if (vector->offsets) {
        vector->bytes.length = vector->offsets[row];
        vector->offsets[row + 1] = vector->offsets[row];
    }
    batch->size++;
}

void *column_set_fixed(ColumnBatch *batch, int index)
{
    ColumnVector *vector = &batch->columns[index];
    size_t width = column_width(batch->schema->fields[index].type);
    int row = batch->rows;

    vector->valid[row] = 1;
    if (vector->unchanged)
        vector->unchanged[row] = 0;
    batch->size += width;
    return vector->fixed + (size_t)row * width;
}

int column_set_bytes(ColumnBatch *batch, int index, const void *data, size_t length, Error *error)
{
    ColumnVector *vector = &batch->columns[index];
    int row = batch->rows;

    /* A value set again (a row begun anew) takes the place of the former one. */
    vector->bytes.length = vector->offsets[row];
    if (length > vector->value_bytes_max)
        return error_set(error, ERROR_PERMANENT, "Raise max_value_bytes for this table, or leave the column out.",
                         "a value of %zu bytes in column \"%s\" exceeds the limit of %zu", length, batch->schema->fields[index].source_name,
                         vector->value_bytes_max);
    if (buffer_append(&vector->bytes, data, length, error) < 0)
        return error_prefix(error, "column \"%.200s\"", batch->schema->fields[index].source_name);
    vector->offsets[row + 1] = (uint32_t)vector->bytes.length;
    vector->valid[row] = 1;
    if (vector->unchanged)
        vector->unchanged[row] = 0;
    batch->size += length + sizeof *vector->offsets;
    return 0;
}

void column_row_end(ColumnBatch *batch)
{
    batch->size += 1 + sizeof(int64_t) + (size_t)batch->position_length;
    batch->rows++;
}

void column_batch_cut(ColumnBatch *batch, int rows)
{
    for (int i = 0; i < batch->schema->count; i++) {
        if (batch->columns[i].offsets)
            batch->columns[i].bytes.length = batch->columns[i].offsets[rows];
    }
    batch->rows = rows;
}

bool column_batch_full(const ColumnBatch *batch)
{
    return batch->rows == BATCH_ROWS_MAX || batch->size >= BATCH_BYTES_MAX;
}
