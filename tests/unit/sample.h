/*
 * sample.h - what real servers wrote and said (tests/peers/binlog/sample), for the unit tests of the decoders. Included once a program.
 */
#ifndef SLUICE_TEST_SAMPLE_H
#define SLUICE_TEST_SAMPLE_H

#include "base/json.h"
#include "source/key.h"
#include "source/mysql/shape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE "tests/peers/binlog/sample/"

/* The whole file, ended by a 0 byte that is not counted; the caller frees. */
static inline uint8_t *sample_read(const char *name, size_t *length)
{
    char path[200];
    uint8_t *data = malloc(1 << 20);
    FILE *file;

    *length = 0;
    snprintf(path, sizeof path, SAMPLE "%s", name);
    file = fopen(path, "rb");
    if (file) {
        *length = fread(data, 1, (1 << 20) - 1, file);
        fclose(file);
    }
    data[*length] = 0;
    return data;
}

static inline cJSON *sample_json(const char *name)
{
    size_t length;
    uint8_t *text = sample_read(name, &length);
    cJSON *ret = cJSON_Parse((char *)text);

    free(text);
    return ret;
}

/* The shape of a table as the catalogue told it, the first column its key. NULL where the shape refuses a column. */
static inline cJSON *sample_shape(const cJSON *columns, bool mariadb)
{
    cJSON *list = cJSON_CreateArray();
    const cJSON *column;
    Error error;
    int count = 0;

    cJSON_ArrayForEach(column, columns) {
        ColumnFacts facts = {.name = json_text(column, "name", ""), .column_type = json_text(column, "column_type", ""),
                             .character_set = json_text(column, "character_set", NULL), .is_nullable = "YES", .extra = "", .ordinal = ++count,
                             .mariadb = mariadb};
        cJSON *shape;

        if (shape_column(&facts, &shape, &error) < 0) {
            cJSON_Delete(list);
            return NULL;
        }
        if (count == 1)
            cJSON_AddNumberToObject(shape, "key_ordinal", 1);
        cJSON_AddItemToArray(list, shape);
    }
    return list;
}

static inline bool sample_moment_same(int64_t ticks, int digits, const char *wanted)
{
    char text[32];

    timestamp_text(ticks, digits, text);
    text[10] = ' ';
    return strcmp(text, wanted) == 0;
}

static inline bool sample_no_day(const char *wanted)
{
    return strncmp(wanted, "0000", 4) == 0 || strncmp(wanted + 4, "-00", 3) == 0 || strncmp(wanted + 7, "-00", 3) == 0;
}

/* Is row 0 of the batch what the server says? wanted: its own text; binary values and bits in hex. */
static inline bool sample_same(const ColumnBatch *batch, int column, const cJSON *wanted)
{
    const Field *field = &batch->schema->fields[column];
    const ColumnVector *vector = &batch->columns[column];
    const char *text = wanted->valuestring;
    bool same;
    cJSON *key;

    if (!cJSON_IsString(wanted) || !vector->valid[0])
        return !vector->valid[0] && (cJSON_IsNull(wanted) || sample_no_day(text));
    switch (field->type) {
    case COLUMN_INT16: /* year 0000 */
        return *(int16_t *)(void *)vector->fixed == strtol(text, NULL, 10);
    case COLUMN_BOOLEAN:
        return vector->fixed[0] == strtoull(text, NULL, 16);
    case COLUMN_UINT64:
        if (strncmp(field->source_type, "bit", 3) == 0)
            return *(uint64_t *)(void *)vector->fixed == strtoull(text, NULL, 16);
        break;
    case COLUMN_FLOAT32: /* the text has six digits */
        return fabs((double)*(float *)(void *)vector->fixed - strtod(text, NULL)) <= fabs(strtod(text, NULL)) * 1e-5;
    case COLUMN_FLOAT64:
        return *(double *)(void *)vector->fixed == strtod(text, NULL);
    case COLUMN_TIMESTAMP:
        return sample_moment_same(*(int64_t *)(void *)vector->fixed, field->precision, text);
    case COLUMN_TIMESTAMPTZ:
        return sample_moment_same(((ColumnInstant *)(void *)vector->fixed)->utc, field->precision, text);
    default:
        break;
    }
    key = key_text(batch, column, 0);
    same = key && strcmp(key->valuestring, text) == 0;
    if (!same)
        printf("# found: %.200s\n", key ? key->valuestring : "none");
    cJSON_Delete(key);
    return same;
}

#endif
