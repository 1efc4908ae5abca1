/* column_test.c - the batch between source and format. */
#include "base/column.h"
#include "check.h"

#include <stdlib.h>

static Error error;

static void test_types(void)
{
    bool all = true;
    ColumnType type;

    for (int i = COLUMN_BOOLEAN; i <= COLUMN_UUID; i++)
        all = column_type_parse(column_type_name((ColumnType)i), &type) == 0 && type == (ColumnType)i && all;
    check(all, "every type's name reads back");
    check(column_type_parse("varchar", &type) < 0, "an unknown type name is refused");
    check(column_width(COLUMN_DECIMAL) == 16 && column_width(COLUMN_TIMESTAMPTZ) == sizeof(ColumnInstant) && column_width(COLUMN_STRING) == 0,
          "widths are those of the header");
}

static void test_rows(ColumnBatch *batch)
{
    int32_t number = 42;
    ColumnVector *text = &batch->columns[1];

    memcpy(column_set_fixed(batch, 0), &number, 4);
    check(column_set_bytes(batch, 1, "abandoned", 9, &error) == 0, "a value is set");
    column_set_bytes(batch, 1, "one", 3, &error);
    column_row_end(batch);
    column_set_null(batch, 0, false);
    column_set_null(batch, 1, true);
    column_row_end(batch);
    memcpy(column_set_fixed(batch, 0), &number, 4);
    column_set_bytes(batch, 1, "", 0, &error);
    column_row_end(batch);
    check(batch->rows == 3 && text->offsets[1] == 3 && text->offsets[2] == 3 && text->offsets[3] == 3 && memcmp(text->bytes.data, "one", 3) == 0,
          "a value set again takes the former one's place");
    check(!batch->columns[0].valid[1] && !text->valid[1] && text->unchanged[1] && !text->unchanged[0] && text->valid[2],
          "NULL, unchanged and empty are told apart");
    check(batch->columns[0].unchanged == NULL, "a column that is never unchanged keeps no marks");
}

static void test_limits(ColumnBatch *batch)
{
    size_t size = KIB(64);
    char *data = calloc(1, size + 1);
    int rows = 0;

    check(column_set_bytes(batch, 1, data, size + 1, &error) < 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "source_t"),
          "a value above the limit is refused, naming the column");
    column_batch_clear(batch);
    while (!column_batch_full(batch)) {
        column_set_null(batch, 0, false);
        if (column_set_bytes(batch, 1, data, size, &error) < 0)
            break;
        column_row_end(batch);
        rows++;
    }
    check(rows == 4, "a batch is full by bytes");
    column_batch_clear(batch);
    for (rows = 0; !column_batch_full(batch); rows++) {
        column_set_null(batch, 0, false);
        column_set_null(batch, 1, false);
        column_row_end(batch);
    }
    check(rows == BATCH_ROWS_MAX, "a batch is full by rows");
    free(data);
}

int main(void)
{
    Field fields[] = {{.name = "n", .source_name = "source_n", .type = COLUMN_INT32},
                      {.name = "t", .source_name = "source_t", .type = COLUMN_STRING, .large = true}};
    Schema schema = {fields, 2};
    ColumnBatch *batch = calloc(1, sizeof *batch);

    test_types();
    check(column_batch_init(batch, &schema, POSITION_BYTES_MAX + 1, KIB(64), &error) < 0, "a position too long is refused");
    check(column_batch_init(batch, &schema, 20, KIB(64), &error) == 0, "a batch is made");
    test_rows(batch);
    test_limits(batch);
    column_batch_free(batch);
    free(batch);
    return check_end();
}
