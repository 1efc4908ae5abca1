/* Whole logs of real servers (tests/peers/binlog/sample) become the values that the servers say, and bytes cut short become none. */
#include "check.h"
#include "pipeline/schema.h"
#include "sample.h"
#include "source/mysql/log_decoder.h"
#include "source/mysql/log_table.h"
#include "source/mysql/rows.h"

#include <stdlib.h>

#define MAGIC_BYTES 4
#define ZERO_DATES 9             /* of table `times` */
#define CHANGED_COLUMNS_BEFORE 3 /* of table `changed`, before its ALTER */

/* One table of the sample, with the map that its rows come under and those rows that the server had at the end. */
typedef struct Table {
    char name[64];
    cJSON *shape_json, *schema_json;
    Shape shape;
    Schema schema;
    ColumnBatch batch;
    uint8_t *map_bytes;
    TableMap map;
    uint64_t id;
    const cJSON *rows; /* NULL: not compared */
    int row, differ, taken; /* taken: events cut short that were not refused */
    int64_t nulled, nulled_cut;
} Table;

typedef struct Sample {
    const char *server;
    uint8_t *file;
    size_t length;
    cJSON *facts;
    Table tables[16];
    int count;
    int failed;
    char story[64]; /* of table `changed`: I, U, D, and what else stands in the log between them */
} Sample;

static void tell(Sample *sample, char what)
{
    size_t length = strlen(sample->story);

    if (length + 1 < sizeof sample->story)
        sample->story[length] = what;
}

static bool table_open(Table *table, const cJSON *columns, const char *name, bool mariadb, int most)
{
    Error error;
    cJSON *list = sample_shape(columns, mariadb);

    snprintf(table->name, sizeof table->name, "%s", name);
    table->shape_json = list;
    table->schema_json = cJSON_CreateObject();
    if (!list)
        return false;
    while (cJSON_GetArraySize(list) > most)
        cJSON_DeleteItemFromArray(list, most);
    cJSON_AddItemReferenceToObject(table->schema_json, "columns", list);
    return shape_parse(list, &table->shape, &error) == 0 && schema_parse(table->schema_json, &table->schema, &error) == 0 &&
           column_batch_init(&table->batch, &table->schema, LOG_ROW_BYTES, MIB(1), &error) == 0;
}

static void table_close(Table *table)
{
    if (table->map_bytes)
        table_map_free(&table->map);
    free(table->map_bytes);
    column_batch_free(&table->batch);
    schema_free(&table->schema);
    shape_free(&table->shape);
    cJSON_Delete(table->schema_json);
    cJSON_Delete(table->shape_json);
}

static void sample_open(Sample *sample, const char *server)
{
    const cJSON *each;
    char name[64];

    memset(sample, 0, sizeof *sample);
    sample->server = server;
    snprintf(name, sizeof name, "%s.json", server);
    sample->facts = sample_json(name);
    snprintf(name, sizeof name, "%s.binlog", server);
    sample->file = sample_read(name, &sample->length);
    cJSON_ArrayForEach(each, json_member(sample->facts, "columns")) {
        bool changed = strcmp(each->string, "changed") == 0;
        bool mariadb = strcmp(server, "mariadb") == 0;
        Table *table = &sample->tables[sample->count++];

        sample->failed += !table_open(table, each, each->string, mariadb, COLUMNS_MAX);
        table->rows = changed ? NULL : json_member(json_member(sample->facts, "rows"), each->string);
        if (changed)
            sample->failed += !table_open(&sample->tables[sample->count++], each, each->string, mariadb, CHANGED_COLUMNS_BEFORE);
    }
}

static void sample_close(Sample *sample)
{
    for (int i = 0; i < sample->count; i++)
        table_close(&sample->tables[i]);
    cJSON_Delete(sample->facts);
    free(sample->file);
}

/* Exactly as long as the event's body, so that the sanitizers see a read beyond it. */
static uint8_t *copy_of(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length + !length);

    memcpy(copy, data, length);
    return copy;
}

/* The table whose map this is, in the shape that it has as many columns as; NULL: none of ours. */
static Table *table_of(Sample *sample, const LogTableName *name, int count)
{
    for (int i = 0; i < sample->count; i++) {
        Table *table = &sample->tables[i];

        if (strlen(table->name) == name->table_length && memcmp(table->name, name->table, name->table_length) == 0 && table->shape.count == count)
            return table;
    }
    return NULL;
}

static void take_map(Sample *sample, const BinlogItem *item)
{
    uint8_t *copy = copy_of(item->data, item->length);
    LogTableName name;
    TableMap map;
    Error error;
    Table *table = NULL;

    if (log_table_name(copy, item->length, &name, &error) == 0 && table_map_parse(copy, item->length, &map, &error) == 0) {
        table = table_of(sample, &name, map.count);
        if (!table)
            table_map_free(&map);
    } else {
        printf("# a table map: %s\n", error.message);
        sample->failed++;
    }
    if (!table) {
        free(copy);
        return;
    }
    if (table->map_bytes)
        table_map_free(&table->map);
    free(table->map_bytes);
    table->map_bytes = copy;
    table->map = map;
    table->id = map.table_id;
}

static void compare_row(Table *table)
{
    const cJSON *wanted = cJSON_GetArrayItem(table->rows, table->row++);

    for (int i = 0; i < table->schema.count; i++) {
        const cJSON *text = cJSON_GetArrayItem(wanted, i);

        if (text && sample_same(&table->batch, i, text))
            continue;
        printf("# %s.%s row %d wanted %.200s\n", table->name, table->schema.fields[i].name, table->row, cJSON_IsString(text) ? text->valuestring : "NULL");
        table->differ++;
    }
}

/* All changes of an event; told and compared where `told` is given. 0 = to its end. */
static int take_changes(Table *table, const BinlogItem *item, Sample *told, Error *error)
{
    RowPlanSpec spec = {.map = &table->map, .shape = &table->shape, .schema = &table->schema, .before = true, .value_bytes_max = MIB(1),
                        .nulled = told ? &table->nulled : &table->nulled_cut};
    RowPlan *plan;
    RowsCursor cursor;
    int found = -1;

    if (rowplan_open(&spec, &plan, error) < 0)
        return -1;
    if (rows_open(&cursor, plan, item, item->end, item->inner, error) == 0) {
        do {
            column_batch_clear(&table->batch);
            found = rows_next(&cursor, &table->batch, error);
            for (int i = 0; found > 0 && told && !table->rows && i < table->batch.rows; i++)
                tell(told, table->batch.op[i]);
            if (found > 0 && told && table->rows)
                compare_row(table);
        } while (found > 0);
    }
    rowplan_close(plan);
    return found;
}

static void take_rows(Sample *sample, const BinlogItem *item)
{
    uint64_t id = 0;
    size_t step = item->length > 2000 ? item->length / 200 : 1;
    Table *table = NULL;
    BinlogItem cut = *item;
    Error error;

    if (log_table_id(item->data, item->length, &id, &error) == 0) {
        for (int i = 0; i < sample->count; i++)
            table = sample->tables[i].map_bytes && sample->tables[i].id == id ? &sample->tables[i] : table;
    }
    if (!table || take_changes(table, item, sample, &error) < 0) {
        printf("# rows of %s: %s\n", table ? table->name : "no table", table ? error.message : "");
        sample->failed++;
        return;
    }
    for (cut.length = 0; cut.length < item->length; cut.length += step) {
        uint8_t *copy = copy_of(item->data, cut.length);

        cut.data = copy;
        table->taken += take_changes(table, &cut, NULL, &error) == 0;
        free(copy);
    }
}

static void take_item(Sample *sample, const BinlogItem *item)
{
    static const char marks[] = {[BINLOG_ROLLBACK] = 'R', [BINLOG_SAVEPOINT] = 'S', [BINLOG_PREPARE] = 'p', [BINLOG_XA_COMMIT] = 'x', [BINLOG_XA_ROLLBACK] = 'r'};

    if (item->type == BINLOG_TABLE_MAP)
        take_map(sample, item);
    else if (item->type == BINLOG_ROWS)
        take_rows(sample, item);
    else if (item->type == BINLOG_STATEMENT && item->length > 19 && memcmp(item->data, "ALTER TABLE changed", 19) == 0)
        tell(sample, 'A');
    else if ((size_t)item->type < sizeof marks && marks[item->type])
        tell(sample, marks[item->type]);
}

static void read_log(Sample *sample)
{
    const uint8_t *at = sample->file + MAGIC_BYTES, *end = sample->file + sample->length;
    LogDecoderStart start = {.mariadb = strcmp(sample->server, "mariadb") == 0, .gtids = true, .file = "binlog.000002", .offset = MAGIC_BYTES};
    const BinlogItem *item = NULL;
    LogDecoder *decoder;
    Error error;
    int result = log_decoder_open(&start, &decoder, &error);

    while (result == 0 && at < end) {
        uint32_t size = (uint32_t)at[9] | (uint32_t)at[10] << 8 | (uint32_t)at[11] << 16 | (uint32_t)at[12] << 24;

        result = log_decoder_feed(decoder, at, size, &error);
        while (result == 0 && (result = log_decoder_next(decoder, &item, &error)) == 0 && item)
            take_item(sample, item);
        at += size;
    }
    if (result < 0)
        printf("# %s\n", error.message);
    sample->failed += result < 0 || log_decoder_in_group(decoder) || log_decoder_position(decoder).offset != sample->length;
    log_decoder_close(decoder);
}

static void check_server(const char *server)
{
    Sample sample;
    int differ = 0, taken = 0, rows = 0, wanted = 0;
    int64_t nulled = 0;
    char name[160];

    sample_open(&sample, server);
    read_log(&sample);
    for (int i = 0; i < sample.count; i++) {
        const Table *table = &sample.tables[i];

        differ += table->differ;
        taken += table->taken;
        rows += table->row;
        wanted += table->rows ? cJSON_GetArraySize(table->rows) : 0;
        nulled += table->nulled;
    }
    snprintf(name, sizeof name, "the log of %s is read to its end, and every value in it lands as the server prints it", server);
    check(wanted > 20 && rows == wanted && differ == 0 && sample.failed == 0, name);
    snprintf(name, sizeof name, "%s: what stands in the log is told in its order: changes of keys as two, ends of XA transactions, statements", server);
    check_text(sample.story, "IIIUUDIDIIpxIprAIIIUD", name);
    snprintf(name, sizeof name, "%s: dates that are none are counted", server);
    check(nulled == ZERO_DATES, name);
    snprintf(name, sizeof name, "%s: a rows event that is cut short is refused, but for one that ends with a row", server);
    check(taken < 3 * rows, name);
    sample_close(&sample);
}

int main(void)
{
    check_server("mariadb");
    check_server("mysql");
    return check_end();
}
