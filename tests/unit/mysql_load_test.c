/* Rows as a load of MySQL and MariaDB gets them, recorded from real servers (tests/peers/binlog/sample), against what the servers say of them. */
#include "check.h"
#include "pipeline/schema.h"
#include "sample.h"
#include "source/mysql/load_value.h"

#include <stdlib.h>

/* One table of the sample: its schema as discovery makes it, its wire columns. */
typedef struct Table {
    cJSON *schema_json;
    Schema schema;
    ColumnBatch batch;
    WireColumn wire[64];
    LoadRow row;
} Table;

static bool table_open(Table *table, const cJSON *columns, const cJSON *wire, bool mariadb, size_t limit)
{
    cJSON *shape = sample_shape(columns, mariadb);
    const cJSON *each;
    Error error;
    int count = 0;

    memset(table, 0, sizeof *table);
    table->schema_json = cJSON_CreateObject();
    if (!shape)
        return false;
    cJSON_AddItemToObject(table->schema_json, "columns", shape);
    cJSON_ArrayForEach(each, wire) {
        table->wire[count].type = (uint8_t)cJSON_GetArrayItem(each, 0)->valueint;
        table->wire[count].decimals = (uint8_t)cJSON_GetArrayItem(each, 1)->valueint;
        table->wire[count].charset = (uint16_t)cJSON_GetArrayItem(each, 2)->valueint;
        table->wire[count++].is_unsigned = cJSON_IsTrue(cJSON_GetArrayItem(each, 3));
    }
    return schema_parse(table->schema_json, &table->schema, &error) == 0 && column_batch_init(&table->batch, &table->schema, 0, limit, &error) == 0 &&
           load_row_init(&table->row, &table->batch, table->wire, count, NULL, 0, &error) == 0;
}

static void table_close(Table *table)
{
    load_row_free(&table->row);
    column_batch_free(&table->batch);
    schema_free(&table->schema);
    cJSON_Delete(table->schema_json);
}

/* Exactly as long as the packet, so that a read beyond it is seen. */
static uint8_t *packet_of(const cJSON *hex, size_t *length)
{
    const char *text = hex->valuestring;
    uint8_t *packet;

    *length = strlen(text) / 2;
    packet = malloc(*length + !*length);
    for (size_t i = 0; i < *length; i++) {
        unsigned byte;

        sscanf(text + 2 * i, "%2x", &byte);
        packet[i] = (uint8_t)byte;
    }
    return packet;
}

static int rows_differ(Table *table, const cJSON *packets, const cJSON *rows, const char *name)
{
    int differ = 0, index = 0;
    const cJSON *packet;
    Error error;

    cJSON_ArrayForEach(packet, packets) {
        const cJSON *wanted = cJSON_GetArrayItem(rows, index++);
        size_t length;
        uint8_t *bytes = packet_of(packet, &length);

        column_batch_clear(&table->batch);
        if (load_row_decode(&table->row, bytes, length, &error) < 0) {
            printf("# %s row %d: %s\n", name, index, error.message);
            differ++;
        }
        for (int i = 0; i < table->schema.count; i++) {
            const cJSON *text = cJSON_GetArrayItem(wanted, i);

            if (sample_same(&table->batch, i, text))
                continue;
            printf("# %s.%s row %d wanted %.200s\n", name, table->schema.fields[i].name, index, cJSON_IsString(text) ? text->valuestring : "NULL");
            differ++;
        }
        free(bytes);
    }
    return differ + (index != cJSON_GetArraySize(rows));
}

/* Every prefix of a row is refused, and nothing is read behind it (the sanitizers see to that). */
static int prefixes_taken(Table *table, const cJSON *packets)
{
    int taken = 0;
    const cJSON *packet;

    cJSON_ArrayForEach(packet, packets) {
        size_t length, step;
        uint8_t *bytes = packet_of(packet, &length);

        step = length > 2000 ? length / 200 : 1;
        for (size_t cut = 1; cut < length; cut += step) {
            uint8_t *shorter = malloc(cut);
            Error error;

            memcpy(shorter, bytes, cut);
            column_batch_clear(&table->batch);
            taken += load_row_decode(&table->row, shorter, cut, &error) == 0;
            free(shorter);
        }
        free(bytes);
    }
    return taken;
}

static void check_server(const char *server)
{
    int differ = 0, taken = 0, tables = 0;
    char name[100];
    cJSON *facts, *packets;
    const cJSON *each;

    snprintf(name, sizeof name, "%s.json", server);
    facts = sample_json(name);
    snprintf(name, sizeof name, "%s.packets.json", server);
    packets = sample_json(name);
    cJSON_ArrayForEach(each, packets) {
        const cJSON *rows = json_member(each, "rows");
        Table table;

        if (!table_open(&table, json_member(json_member(facts, "columns"), each->string), json_member(each, "wire"), strcmp(server, "mariadb") == 0, MIB(1))) {
            printf("# %s: no plan\n", each->string);
            differ++;
        } else {
            differ += rows_differ(&table, rows, json_member(json_member(facts, "rows"), each->string), each->string);
            taken += prefixes_taken(&table, rows);
        }
        table_close(&table);
        tables++;
    }
    snprintf(name, sizeof name, "every value of %s's sample lands as the server prints it", server);
    check(tables > 5 && differ == 0, name);
    snprintf(name, sizeof name, "a row of %s that ends too early is refused", server);
    check(tables > 5 && taken == 0, name);
    cJSON_Delete(facts);
    cJSON_Delete(packets);
}

/* ---- what the sample does not have ---- */

static int decode_one(const WireColumn *wire, const Field *fields, int count, const char *packet, size_t length, size_t limit, ColumnBatch *batch,
                      LoadRow *row, Error *error)
{
    static Schema schema;
    uint8_t *bytes = malloc(length);
    int status;

    schema = (Schema){.fields = (Field *)(uintptr_t)fields, .count = count};
    memcpy(bytes, packet, length);
    memset(row, 0, sizeof *row);
    status = column_batch_init(batch, &schema, 0, limit, error) < 0 || load_row_init(row, batch, wire, count, NULL, 0, error) < 0 ? -2
             : load_row_decode(row, bytes, length, error);
    free(bytes);
    return status;
}

static void check_texts(void)
{
    static const Field fields[] = {{.name = "t", .source_name = "t", .source_type = "time(3)", .type = COLUMN_STRING, .nullable = true},
                                   {.name = "z", .source_name = "z", .source_type = "datetime(2)", .type = COLUMN_STRING, .nullable = true},
                                   {.name = "d", .source_name = "d", .source_type = "date", .type = COLUMN_STRING, .nullable = true},
                                   {.name = "w", .source_name = "w", .source_type = "decimal(40,1)", .type = COLUMN_STRING, .nullable = true}};
    static const WireColumn wire[] = {{.type = MYSQL_TYPE_TIME, .decimals = 3}, {.type = MYSQL_TYPE_DATETIME, .decimals = 2}, {.type = MYSQL_TYPE_DATE},
                                      {.type = MYSQL_TYPE_NEWDECIMAL}};
    static const char packet[] = "\0\0" "\x0c\1\1\0\0\0\2\3\4\x40\xe2\1\0" "\0" "\4\xea\7\2\0" "\x06" "0000.5";
    static const char *const wanted[] = {"-26:03:04.123", "0000-00-00 00:00:00.00", "2026-02-00", "0.5"};
    ColumnBatch batch;
    LoadRow row;
    Error error;
    int same = 0;

    if (decode_one(wire, fields, 4, packet, sizeof packet - 1, KIB(1), &batch, &row, &error) == 0) {
        for (int i = 0; i < 4; i++) {
            cJSON *text = key_text(&batch, i, 0);

            same += text && strcmp(text->valuestring, wanted[i]) == 0;
            cJSON_Delete(text);
        }
    }
    check(same == 4 && row.nulled == 0, "times, dates that are no days and zerofilled decimals have one text");
    load_row_free(&row);
    column_batch_free(&batch);
}

static void check_refusals(void)
{
    static const Field large[] = {{.name = "v", .source_name = "v", .source_type = "longtext", .type = COLUMN_STRING, .large = true},
                                  {.name = "id", .source_name = "id", .source_type = "int", .type = COLUMN_INT32, .key_ordinal = 1}};
    static const Field day = {.name = "day", .source_name = "day", .source_type = "date", .type = COLUMN_DATE, .key_ordinal = 1};
    static const WireColumn wire[] = {{.type = MYSQL_TYPE_BLOB}, {.type = MYSQL_TYPE_LONG}}, date = {.type = MYSQL_TYPE_DATE};
    ColumnBatch batch;
    LoadRow row;
    Error error;

    check(decode_one(wire, large, 2, "\0\0" "\5hello" "\7\0\0\0", 12, 4, &batch, &row, &error) == -1 && error.kind == ERROR_PERMANENT &&
              strstr(error.message, "\"v\"") && batch.columns[1].valid[0] && *(int32_t *)(void *)batch.columns[1].fixed == 7,
          "a value above the limit is refused by name, and the row's key can still be told");
    load_row_free(&row);
    column_batch_free(&batch);
    check(decode_one(&date, &day, 1, "\0\0\0", 3, 4, &batch, &row, &error) == -1 && error.kind == ERROR_PERMANENT, "a zero date in a key is refused, never a key without value");
    load_row_free(&row);
    column_batch_free(&batch);
    check(decode_one(&date, &large[1], 1, "\0\0\0", 3, 4, &batch, &row, &error) == -2 && strstr(error.message, "\"id\""),
          "a column that comes as another type than its schema's is refused by name");
    load_row_free(&row);
    column_batch_free(&batch);
}

int main(void)
{
    check_server("mariadb");
    check_server("mysql");
    check_texts();
    check_refusals();
    return check_end();
}
