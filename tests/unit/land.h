/*
 * land.h - a batch as a whole file in memory, for the unit tests of formats. Included once a program; `landed` holds the last file, ended by a
 * 0 byte that is not counted.
 */
#ifndef SLUICE_TEST_LAND_H
#define SLUICE_TEST_LAND_H

#include "format/format.h"

#include <stdlib.h>
#include <string.h>

static Buffer landed;
static Error error;

static int land_collect(void *context, const void *data, size_t length, Error *err)
{
    return buffer_append(context, data, length, err);
}

static int land(const ColumnBatch *batch, const FormatSpec *spec)
{
    Format *format;
    int result;

    buffer_free(&landed);
    buffer_init(&landed, MIB(256));
    if (format_open(spec, batch->schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0)
        return -1;
    result = format_write(format, batch, 0, batch->rows, &error);
    if (result == 0)
        result = format_finish(format, &error);
    format_close(format);
    return result < 0 ? -1 : buffer_terminate(&landed, &error);
}

/* One inserted row of one column "v"; value NULL = NULL. */
static inline int land_value(Field field, const void *value, size_t length, const FormatSpec *spec)
{
    Schema schema = {&field, 1};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    int result;

    memcpy(field.name, "v", 2);
    memcpy(field.source_name, "v", 2);
    column_batch_init(batch, &schema, 4, VALUE_BYTES_MAX, &error);
    if (!value)
        column_set_null(batch, 0, false);
    else if (column_width(field.type))
        memcpy(column_set_fixed(batch, 0), value, column_width(field.type));
    else
        column_set_bytes(batch, 0, value, length, &error);
    batch->op[0] = 'I';
    column_row_end(batch);
    result = land(batch, spec);
    column_batch_free(batch);
    free(batch);
    return result;
}

#endif
