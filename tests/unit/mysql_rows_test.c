/* Rows events become changes (worker/source/mysql/rows.h): what of an update lands, what of a versioned table counts, what is refused. */
#include "base/hex.h"
#include "check.h"
#include "source/mysql/document.h"
#include "source/mysql/rows.h"

#include <stdlib.h>

static Error error;

/* One table's plan and batch; `map` and `columns` are hex and JSON. */
typedef struct Table {
    uint8_t bytes[512], event[512];
    TableMap map;
    cJSON *columns;
    Shape shape;
    Field fields[8];
    Schema schema;
    ColumnBatch *batch;
    RowPlan *plan;
    RowsCursor cursor;
    int64_t nulled;
} Table;

#define HEAD "100000000000" "0100" "0174" "00" "0161" "00" /* table t.a */

static bool table_open(Table *table, const char *map, const char *columns, bool before, bool images, size_t value_bytes_max)
{
    size_t length = strlen(map) / 2;
    RowPlanSpec spec;

    memset(table, 0, sizeof *table);
    hex_decode(map, table->bytes, length);
    table->columns = cJSON_Parse(columns);
    if (table_map_parse(table->bytes, length, &table->map, &error) < 0 || shape_parse(table->columns, &table->shape, &error) < 0)
        return false;
    for (int i = 0; i < table->shape.count; i++) {
        strcpy(table->fields[i].source_name, table->shape.columns[i].name);
        table->fields[i].type = table->shape.columns[i].type;
        table->fields[i].scale = table->shape.columns[i].scale;
        table->fields[i].key_ordinal = (int)json_integer(cJSON_GetArrayItem(table->columns, i), "key", 0);
    }
    table->schema = (Schema){table->fields, table->shape.count};
    table->batch = calloc(1, sizeof *table->batch);
    spec = (RowPlanSpec){.map = &table->map, .shape = &table->shape, .schema = &table->schema, .before = before, .images = images,
                         .value_bytes_max = value_bytes_max, .nulled = &table->nulled};
    return column_batch_init(table->batch, &table->schema, LOG_ROW_BYTES, value_bytes_max, &error) == 0 && rowplan_open(&spec, &table->plan, &error) == 0;
}

static void table_close(Table *table)
{
    rowplan_close(table->plan);
    column_batch_free(table->batch);
    free(table->batch);
    shape_free(&table->shape);
    table_map_free(&table->map);
    cJSON_Delete(table->columns);
}

static int event_open(Table *table, uint8_t code, const char *hex)
{
    size_t length = strlen(hex) / 2;
    BinlogItem item = {.type = BINLOG_ROWS, .code = code, .data = table->event, .length = length, .commit_us = 5};

    hex_decode(hex, table->event, length);
    return rows_open(&table->cursor, table->plan, &item, (LogPosition){1, 99}, 0, &error);
}

/* All changes of an event: "U7 I8", an op and the number of its row each, then the values of the first column. */
static const char *changes(Table *table, uint8_t code, const char *hex, int64_t behind)
{
    static char text[256];
    int length = 0, status;

    column_batch_clear(table->batch);
    text[0] = '\0';
    if (event_open(table, code, hex) < 0)
        return error.message;
    table->cursor.behind = behind;
    while ((status = rows_next(&table->cursor, table->batch, &error)) > 0)
        ;
    if (status < 0)
        return error.message;
    for (int row = 0; row < table->batch->rows; row++) {
        int32_t id;

        memcpy(&id, table->batch->columns[0].fixed + (size_t)row * 4, 4);
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%c%d:%d", row ? " " : "", table->batch->op[row],
                           table->batch->position[row][LOG_ROW_BYTES - 1], id);
    }
    return text;
}

/* id INT, a VARCHAR(10); MariaDB's events of version 1: update of 1 'a' to 1 'b', then of 2 NULL to 3 NULL */
#define PAIR_MAP HEAD "02" "030f" "02" "0a00" "02"
#define PAIR_COLUMNS "[{\"name\": \"id\", \"source_type\": \"int\", \"type\": \"int32\", \"key\": 1}, {\"name\": \"a\", \"source_type\": \"varchar(10)\", \"type\": \"string\"}]"
#define KEYLESS_COLUMNS "[{\"name\": \"id\", \"source_type\": \"int\", \"type\": \"int32\"}, {\"name\": \"a\", \"source_type\": \"varchar(10)\", \"type\": \"string\"}]"
#define EVENT "100000000000" "0100" "02"
#define UPDATE_ROWS "00010000000161" "00010000000162" "0202000000" "0203000000"
#define UPDATE EVENT "ffff" UPDATE_ROWS

static void test_updates(void)
{
    Table table;

    if (!check(table_open(&table, PAIR_MAP, PAIR_COLUMNS, false, false, 100), "a plan is made of map, shape and schema"))
        printf("# %s\n", error.message);
    check_text(changes(&table, 24, UPDATE, -1), "U1:1 U3:3", "an update is its row after, numbered behind the row before");
    check_text(changes(&table, 31, "100000000000" "0100" "0200" "02" "ffff" UPDATE_ROWS, -1), "U1:1 U3:3", "events of version 2 are the same");
    check_text(changes(&table, 23, EVENT "ff" "00010000000161" "0202000000", -1), "I0:1 I1:2", "inserts count one by one");
    check_text(changes(&table, 25, EVENT "ff" "0202000000", -1), "D0:2", "a delete is the row as it was");
    table_close(&table);
    table_open(&table, PAIR_MAP, PAIR_COLUMNS, true, false, 100);
    check_text(changes(&table, 24, UPDATE, -1), "U1:1 D2:2 I3:3", "with rows before, an update of the key is a delete and an insert, another an update");
    check_text(changes(&table, 24, UPDATE, 2), "I3:3", "reading taken up behind the delete gives the insert alone");
    check_text(changes(&table, 24, UPDATE, 3), "", "reading taken up behind the last row gives nothing");
    table_close(&table);
    table_open(&table, PAIR_MAP, PAIR_COLUMNS, true, true, 100);
    check_text(changes(&table, 24, UPDATE, -1), "B0:1 U1:1 D2:2 I3:3", "with images, the row before an update comes too");
    table_close(&table);
    table_open(&table, PAIR_MAP, KEYLESS_COLUMNS, true, false, 100);
    check_text(changes(&table, 24, UPDATE, -1), "D0:1 I1:1 D2:2 I3:3", "without a key each update is a delete and an insert");
    table_close(&table);
}

static void test_refused(void)
{
    Table table;
    bool refused = true;

    table_open(&table, PAIR_MAP, PAIR_COLUMNS, false, false, 4);
    check(strstr(changes(&table, 24, EVENT "ff" "01" "0001000000" "0161" "0001000000", -1), "leaves column \"a\"") && error.kind == ERROR_PERMANENT &&
              strstr(error.hint, "binlog_row_image = FULL"),
          "an image that leaves a column out is refused, naming column and setting");
    check(strstr(changes(&table, 23, EVENT "ff" "00070000000568656c6c6f", -1), "id=7") && error.kind == ERROR_PERMANENT && strstr(error.message, "\"a\""),
          "a value above the limit is refused, naming column and key");
    for (size_t cut = 0; cut < strlen(UPDATE); cut += 2) {
        char text[sizeof UPDATE] = "";

        memcpy(text, UPDATE, cut);
        /* Cut between two rows it is an event of fewer rows. */
        refused = refused && (cut == strlen(EVENT "ffff") || cut == strlen(EVENT "ffff") + 28 || strlen(changes(&table, 24, text, -1)) > 20);
    }
    check(refused, "a rows event that ends early is refused, wherever it ends");
    check(strstr(changes(&table, 23, "100000000000" "0100" "03" "ff" "00", -1), "3 columns") != NULL, "a rows event of another number of columns is refused");
    check(strstr(changes(&table, 39, UPDATE, -1), "39") != NULL, "an event type without whole rows is refused");
    table_close(&table);
}

/* MariaDB 10.11, WITH SYSTEM VERSIONING: id INT, a VARCHAR(10), hidden row_start and row_end. */
#define VERSIONED_MAP HEAD "04" "030f1111" "04" "0a000606" "02"
#define NOW "7fffffff0f423f"
#define THEN "6b00639e001c3c"

static void test_versioned(void)
{
    Table table;

    table_open(&table, VERSIONED_MAP, PAIR_COLUMNS, false, false, 100);
    check_text(changes(&table, 23, "160000000000" "0100" "04" "0f" "f001000000" "0161" THEN NOW, -1), "I0:1", "a row of a versioned table that counts is an insert");
    check_text(changes(&table, 23, "160000000000" "0100" "04" "0f" "f001000000" "0161" THEN THEN, -1), "", "a row that is history from the start is none");
    check_text(changes(&table, 24, "160000000000" "0100" "04" "0f0f" "f001000000" "0161" THEN NOW "f001000000" "0162" THEN NOW, -1), "U1:1", "an update of a versioned table is one");
    check_text(changes(&table, 24, "160000000000" "0100" "04" "0f0f" "f001000000" "0162" THEN NOW "f001000000" "0162" THEN THEN, -1), "D0:1",
               "a row that becomes history is deleted");
    check_text(changes(&table, 25, "160000000000" "0100" "04" "0f" "f001000000" "0161" THEN THEN, -1), "", "history that is dropped is no delete");
    table_close(&table);
}

static void test_dates(void)
{
    Table table;

    /* id INT, d DATE: 2024-00-10, 0000-00-00, 2023-02-31, 2024-02-29 */
    table_open(&table, HEAD "02" "030a" "00" "02",
               "[{\"name\": \"id\", \"source_type\": \"int\", \"type\": \"int32\"}, {\"name\": \"d\", \"source_type\": \"date\", \"type\": \"date\"}]", false, false, 100);
    check_text(changes(&table, 23, EVENT "ff" "00010000000ad00f" "0002000000000000" "00030000005fce0f" "00040000005dd00f", -1), "I0:1 I1:2 I2:3 I3:4",
               "days that no calendar has do not stop a row");
    check(table.nulled == 3 && !table.batch->columns[1].valid[2] && table.batch->columns[1].valid[3], "they land as null and are counted");
    table_close(&table);
}

static void test_documents(void)
{
    uint8_t deep[1000];
    Buffer text;

    buffer_init(&text, 4096);
    check(document_text((const uint8_t *)"", 0, &text, &error) == 0 && text.length == 4, "a document without bytes is null, as the server says");
    /* Small arrays of one element, each in the other: count 1, size, type 2, offset 7. */
    memset(deep, 0, sizeof deep);
    for (int i = 0; i < 120; i++) {
        uint8_t entry[7] = {1, 0, (uint8_t)(900 - 7 * i), (uint8_t)((900 - 7 * i) >> 8), 2, 7, 0};

        memcpy(deep + 1 + 7 * i, entry, sizeof entry);
    }
    deep[0] = 2;
    buffer_clear(&text);
    check(document_text(deep, 901, &text, &error) < 0 && error.kind == ERROR_INTERNAL, "a document deeper than the server makes is refused");
    buffer_free(&text);
}

int main(void)
{
    test_updates();
    test_refused();
    test_versioned();
    test_dates();
    test_documents();
    return check_end();
}
