/*
 * binlog_fuzz.c - what a log says of a table and its rows, as bytes that no server would write, through shape.h, rows.h, document.h and charset.h.
 *
 * An input is a byte of flags (1: before, 2: images, 4: dates as text) and items, each a letter, two bytes of length (little-endian) and its bytes:
 *   F  a column as information_schema has it: "name\0column_type\0character_set\0"; they make the shape of maps without names
 *   M  the body of a table map; a map with names makes the shape by itself, from what is known of the columns before it
 *   R  a type code and the body of a rows event of that table
 *   J  a JSON document in MySQL's binary form
 *   T  the name of a character set, 0, a text in it
 * corpus.py makes inputs of it from the logs of real servers.
 */
#include "source/mysql/charset.h"
#include "source/mysql/document.h"
#include "source/mysql/rows.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX KIB(64)
#define COLUMNS_TRIED 200 /* a map of 4096 columns costs time and finds nothing more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

typedef struct Fuzz {
    uint8_t flags;
    cJSON *columns;
    TableMap map;
    Shape shape;
    Schema schema;
    ColumnBatch *batch;
    RowPlan *plan;
    int64_t nulled;
} Fuzz;

static void plan_end(Fuzz *fuzz)
{
    rowplan_close(fuzz->plan);
    if (fuzz->batch)
        column_batch_free(fuzz->batch);
    free(fuzz->batch);
    free(fuzz->schema.fields);
    shape_free(&fuzz->shape);
    table_map_free(&fuzz->map);
    fuzz->plan = NULL;
    fuzz->batch = NULL;
    fuzz->schema = (Schema){0};
}

static void column_item(Fuzz *fuzz, const uint8_t *data, size_t length)
{
    char text[3][200] = {"", "", ""};
    ColumnFacts facts = {.name = text[0], .column_type = text[1], .character_set = text[2], .is_nullable = "YES", .ordinal = cJSON_GetArraySize(fuzz->columns) + 1};
    cJSON *column;
    Error error;

    for (int i = 0; i < 3; i++) {
        size_t size = strnlen((const char *)data, length);

        memcpy(text[i], data, size < sizeof text[i] ? size : sizeof text[i] - 1);
        data += size < length ? size + 1 : size;
        length -= size < length ? size + 1 : size;
    }
    if (cJSON_GetArraySize(fuzz->columns) < COLUMNS_TRIED && shape_column(&facts, &column, &error) == 0)
        cJSON_AddItemToArray(fuzz->columns, column);
}

static int schema_make(Fuzz *fuzz)
{
    fuzz->schema.fields = calloc((size_t)fuzz->shape.count, sizeof *fuzz->schema.fields);
    for (int i = 0; i < fuzz->shape.count; i++) {
        const ShapeColumn *column = &fuzz->shape.columns[i];
        Field *field = &fuzz->schema.fields[fuzz->schema.count];

        if (json_member(cJSON_GetArrayItem(fuzz->columns, i), "refused"))
            continue;
        memcpy(field->source_name, column->name, sizeof field->source_name);
        field->type = column->type;
        if ((fuzz->flags & 4) && column->declared.kind >= SHAPE_DATE && column->declared.kind <= SHAPE_TIMESTAMP)
            field->type = COLUMN_STRING;
        field->precision = column->precision;
        field->scale = column->scale;
        field->key_ordinal = i == 0;
        fuzz->schema.count++;
    }
    return fuzz->schema.count ? 0 : -1;
}

static void map_item(Fuzz *fuzz, const uint8_t *data, size_t length)
{
    RowPlanSpec spec;
    Error error;

    plan_end(fuzz);
    if (table_map_parse(data, length, &fuzz->map, &error) < 0)
        return;
    if (fuzz->map.count > COLUMNS_TRIED)
        return;
    if (fuzz->map.full) {
        cJSON *columns;

        if (shape_of_map(&fuzz->map, fuzz->columns, &columns, &error) < 0)
            return;
        cJSON_Delete(fuzz->columns);
        fuzz->columns = columns;
    }
    if (cJSON_GetArraySize(fuzz->columns) < 1 || shape_parse(fuzz->columns, &fuzz->shape, &error) < 0 || schema_make(fuzz) < 0)
        return;
    fuzz->batch = calloc(1, sizeof *fuzz->batch);
    if (column_batch_init(fuzz->batch, &fuzz->schema, LOG_ROW_BYTES, VALUE_MAX, &error) < 0)
        return;
    spec = (RowPlanSpec){.map = &fuzz->map, .shape = &fuzz->shape, .schema = &fuzz->schema, .value_bytes_max = VALUE_MAX, .nulled = &fuzz->nulled,
                         .before = fuzz->flags & 1, .images = fuzz->flags & 2};
    if (rowplan_open(&spec, &fuzz->plan, &error) < 0)
        fuzz->plan = NULL;
}

static void rows_item(Fuzz *fuzz, const uint8_t *data, size_t length)
{
    BinlogItem item = {.type = BINLOG_ROWS, .code = length ? data[0] : 0, .data = data + 1, .length = length ? length - 1 : 0};
    RowsCursor cursor;
    Error error;

    if (!fuzz->plan || length == 0 || rows_open(&cursor, fuzz->plan, &item, (LogPosition){1, 4}, 0, &error) < 0)
        return;
    while (rows_next(&cursor, fuzz->batch, &error) > 0) {
        if (fuzz->batch->rows + 2 > BATCH_ROWS_MAX || column_batch_full(fuzz->batch))
            column_batch_clear(fuzz->batch);
    }
    column_batch_clear(fuzz->batch);
}

static void document_item(const uint8_t *data, size_t length)
{
    Buffer text;
    Error error;

    buffer_init(&text, VALUE_MAX);
    (void)document_text(data, length, &text, &error);
    buffer_free(&text);
}

static void text_item(const uint8_t *data, size_t length)
{
    size_t size = strnlen((const char *)data, length);
    char name[32] = "";
    Charset *charset = NULL;
    Buffer text;
    Error error;

    memcpy(name, data, size < sizeof name ? size : sizeof name - 1);
    if (size == length || charset_open(name, &charset, &error) < 0)
        return;
    buffer_init(&text, MIB(1));
    if (charset)
        (void)charset_text(charset, data + size + 1, length - size - 1, &text, &error);
    charset_close(charset);
    buffer_free(&text);
}

static void item_run(Fuzz *fuzz, uint8_t letter, const uint8_t *data, size_t length)
{
    /* A copy of its own, so that a read beyond its end is seen. */
    uint8_t *copy = malloc(length ? length : 1);

    memcpy(copy, data, length);
    switch (letter) {
    case 'F':
        column_item(fuzz, copy, length);
        break;
    case 'M':
        map_item(fuzz, copy, length);
        break;
    case 'R':
        rows_item(fuzz, copy, length);
        break;
    case 'J':
        document_item(copy, length);
        break;
    case 'T':
        text_item(copy, length);
        break;
    default:
        break;
    }
    /* A map's bytes are read as long as its plan is. */
    if (letter == 'M' && fuzz->plan) {
        plan_end(fuzz);
        map_item(fuzz, data, length);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    Fuzz fuzz = {.columns = cJSON_CreateArray()};
    size_t at = 1;

    if (length)
        fuzz.flags = data[0];
    while (at + 3 <= length) {
        size_t size = (size_t)data[at + 1] | (size_t)data[at + 2] << 8;

        if (size > length - at - 3)
            size = length - at - 3;
        item_run(&fuzz, data[at], data + at + 3, size);
        at += 3 + size;
    }
    plan_end(&fuzz);
    cJSON_Delete(fuzz.columns);
    return 0;
}
