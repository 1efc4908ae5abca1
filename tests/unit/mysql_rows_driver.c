/*
 * mysql_rows_driver.c - a log file of MySQL or MariaDB as it lies on the server's disk, and what information_schema says of its tables, through shape.h and
 * rows.h into lines of text, so that tests in another language judge what lands.
 *
 *   mysql_rows_driver LOGFILE < TABLES
 *
 * TABLES: JSON {"tables": {"schema.table": {"facts": [{ColumnFacts}], "key": [name..], "text": [name..]}}, "mariadb", "before", "images"}; the columns of `text` land as
 * text whatever their type. Prints a JSON line a row: ["schema.table", op, number, value..], each value as text or null, bytes in hex with 0x; before the first row
 * of a table {"table", "columns": its shape, "map": the shape its full table map tells by itself}, at the end {"nulled": n}. Events of other kinds, compressed ones too, are passed over.
 * A refusal is `kind: message` on stderr and exit code 1.
 */
#include "base/clock.h"
#include "source/mysql/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 19
#define CHECKSUM_BYTES 4
#define VALUE_MAX MIB(16)

typedef struct Driver {
    cJSON *input;
    const char *table;  /* name of the one under way, NULL = not ours */
    char name[600];
    cJSON *columns;
    TableMap map;
    Shape shape;
    Schema schema;
    ColumnBatch *batch;
    RowPlan *plan;
    int64_t nulled;
    cJSON *told;        /* tables whose shape was printed */
} Driver;

static bool in_list(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) {
        if (strcmp(item->valuestring, name) == 0)
            return true;
    }
    return false;
}

static int columns_make(Driver *driver, const cJSON *table, Error *error)
{
    bool mariadb = json_boolean(driver->input, "mariadb", false);
    const cJSON *item;

    driver->columns = cJSON_CreateArray();
    cJSON_ArrayForEach(item, json_member(table, "facts")) {
        ColumnFacts facts = {.name = json_text(item, "name", ""), .column_type = json_text(item, "column_type", ""),
                             .character_set = json_text(item, "character_set", NULL), .collation = json_text(item, "collation", NULL),
                             .is_nullable = json_text(item, "is_nullable", "YES"), .column_default = json_text(item, "column_default", NULL),
                             .extra = json_text(item, "extra", NULL), .generation_expression = json_text(item, "generation_expression", NULL),
                             .ordinal = (int)json_integer(item, "ordinal", 0), .mariadb = mariadb};
        cJSON *column;

        if (shape_column(&facts, &column, error) < 0)
            return -1;
        cJSON_AddItemToArray(driver->columns, column);
    }
    return shape_parse(driver->columns, &driver->shape, error);
}

static int batch_make(Driver *driver, const cJSON *table, Error *error)
{
    int key = 0;
    const cJSON *item, *refused;

    driver->schema = (Schema){.fields = calloc((size_t)driver->shape.count, sizeof(Field)), .count = 0};
    for (int i = 0; i < driver->shape.count; i++) {
        const ShapeColumn *column = &driver->shape.columns[i];
        Field *field = &driver->schema.fields[driver->schema.count];

        refused = json_member(cJSON_GetArrayItem(driver->columns, i), "refused");
        if (refused)
            continue;
        snprintf(field->name, sizeof field->name, "%s", column->name);
        snprintf(field->source_name, sizeof field->source_name, "%s", column->name);
        field->type = in_list(json_member(table, "text"), column->name) ? COLUMN_STRING : column->type;
        field->precision = column->precision;
        field->scale = column->scale;
        driver->schema.count++;
    }
    cJSON_ArrayForEach(item, json_member(table, "key")) {
        for (int i = 0; i < driver->schema.count; i++) {
            if (strcmp(driver->schema.fields[i].name, item->valuestring) == 0)
                driver->schema.fields[i].key_ordinal = ++key;
        }
    }
    driver->batch = calloc(1, sizeof *driver->batch);
    return column_batch_init(driver->batch, &driver->schema, LOG_ROW_BYTES, VALUE_MAX, error);
}

static void table_end(Driver *driver)
{
    rowplan_close(driver->plan);
    table_map_free(&driver->map);
    shape_free(&driver->shape);
    cJSON_Delete(driver->columns);
    if (driver->batch)
        column_batch_free(driver->batch);
    free(driver->batch);
    free(driver->schema.fields);
    driver->plan = NULL;
    driver->columns = NULL;
    driver->batch = NULL;
    driver->schema = (Schema){0};
    driver->table = NULL;
}

static int table_tell(Driver *driver, Error *error)
{
    cJSON *line, *map = NULL;
    char *text;

    if (cJSON_GetObjectItemCaseSensitive(driver->told, driver->name))
        return 0;
    cJSON_AddTrueToObject(driver->told, driver->name);
    if (driver->map.full && shape_of_map(&driver->map, NULL, &map, error) < 0)
        return -1;
    line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "table", driver->name);
    cJSON_AddItemReferenceToObject(line, "columns", driver->columns);
    if (map)
        cJSON_AddItemToObject(line, "map", map);
    text = cJSON_PrintUnformatted(line);
    printf("%s\n", text);
    free(text);
    cJSON_Delete(line);
    return 0;
}

static int table_begin(Driver *driver, const uint8_t *data, size_t length, Error *error)
{
    const cJSON *table;
    RowPlanSpec spec;

    table_end(driver);
    if (table_map_parse(data, length, &driver->map, error) < 0)
        return -1;
    snprintf(driver->name, sizeof driver->name, "%s.%s", driver->map.schema, driver->map.table);
    table = cJSON_GetObjectItemCaseSensitive(json_member(driver->input, "tables"), driver->name);
    if (!table)
        return 0;
    if (columns_make(driver, table, error) < 0 || batch_make(driver, table, error) < 0 || table_tell(driver, error) < 0)
        return -1;
    spec = (RowPlanSpec){.map = &driver->map, .shape = &driver->shape, .schema = &driver->schema, .value_bytes_max = VALUE_MAX, .nulled = &driver->nulled,
                         .before = json_boolean(driver->input, "before", false), .images = json_boolean(driver->input, "images", false)};
    if (rowplan_open(&spec, &driver->plan, error) < 0)
        return -1;
    driver->table = driver->name;
    return 0;
}

static void decimal_text(const uint8_t *data, int scale, char *ret, size_t size)
{
    __int128 number;
    char digits[64];
    int at = sizeof digits, count = 0;
    bool negative;

    memcpy(&number, data, sizeof number);
    negative = number < 0;
    digits[--at] = '\0';
    for (; number || count <= scale; count++, number /= 10) {
        if (scale && count == scale)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(negative ? -(number % 10) : number % 10));
    }
    snprintf(ret, size, "%s%s", negative ? "-" : "", digits + at);
}

static void ticks_text(int64_t ticks, int digits, char *ret, size_t size)
{
    int64_t seconds = ticks / 10000000 - (ticks % 10000000 < 0), days = seconds / 86400 - (seconds % 86400 < 0), clock = seconds - days * 86400;
    int year, month, day, length;

    clock_civil_from_days(days, &year, &month, &day);
    length = snprintf(ret, size, "%04d-%02d-%02d %02d:%02d:%02d", year, month, day, (int)(clock / 3600), (int)(clock / 60 % 60), (int)(clock % 60));
    if (digits)
        snprintf(ret + length, size - (size_t)length, ".%06d", (int)((ticks - seconds * 10000000) / 10)), ret[length + 1 + digits] = '\0';
}

static void hex_text(const uint8_t *data, size_t length, char *ret)
{
    ret += sprintf(ret, "0x");
    for (size_t i = 0; i < length; i++)
        ret += sprintf(ret, "%02x", data[i]);
}

static void fixed_text(const Field *field, const uint8_t *data, char *ret, size_t size)
{
    union { int16_t i2; int32_t i4; int64_t i8; uint64_t u8; float f4; double f8; ColumnInstant instant; } value;
    int year, month, day;

    memcpy(&value, data, column_width(field->type) < sizeof value ? column_width(field->type) : sizeof value);
    switch (field->type) {
    case COLUMN_BOOLEAN:
        snprintf(ret, size, "%d", *data);
        break;
    case COLUMN_INT16:
        snprintf(ret, size, "%d", value.i2);
        break;
    case COLUMN_INT32:
        snprintf(ret, size, "%" PRId32, value.i4);
        break;
    case COLUMN_INT64:
        snprintf(ret, size, "%" PRId64, value.i8);
        break;
    case COLUMN_UINT64:
        snprintf(ret, size, "%" PRIu64, value.u8);
        break;
    case COLUMN_FLOAT32:
        snprintf(ret, size, "%.9g", (double)value.f4);
        break;
    case COLUMN_FLOAT64:
        snprintf(ret, size, "%.17g", value.f8);
        break;
    case COLUMN_DECIMAL:
        decimal_text(data, field->scale, ret, size);
        break;
    case COLUMN_DATE:
        clock_civil_from_days(value.i4, &year, &month, &day);
        snprintf(ret, size, "%04d-%02d-%02d", year, month, day);
        break;
    case COLUMN_TIMESTAMP:
        ticks_text(value.i8, field->precision, ret, size);
        break;
    case COLUMN_TIMESTAMPTZ:
        ticks_text(value.instant.utc, field->precision, ret, size);
        break;
    default:
        hex_text(data, column_width(field->type), ret);
    }
}

/* A text may hold 0 bytes, which cJSON's cannot. */
static void json_print(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
            printf("\\u%04x", (unsigned)text[i]);
        else
            putchar(text[i]);
    }
    putchar('"');
}

static void value_print(const ColumnBatch *batch, int column, int row)
{
    const Field *field = &batch->schema->fields[column];
    const ColumnVector *vector = &batch->columns[column];
    size_t length;
    char text[128], *hex;

    if (!vector->valid[row]) {
        printf("null");
        return;
    }
    if (!vector->offsets) {
        fixed_text(field, vector->fixed + (size_t)row * column_width(field->type), text, sizeof text);
        json_print(text, strlen(text));
        return;
    }
    length = vector->offsets[row + 1] - vector->offsets[row];
    if (field->type != COLUMN_BINARY) {
        json_print(length ? vector->bytes.data + vector->offsets[row] : "", length);
        return;
    }
    hex = calloc(1, length * 2 + 3);
    hex_text((const uint8_t *)vector->bytes.data + vector->offsets[row], length, hex);
    json_print(hex, strlen(hex));
    free(hex);
}

static void rows_print(Driver *driver)
{
    for (int row = 0; row < driver->batch->rows; row++) {
        printf("[\"%s\", \"%c\", %d", driver->name, driver->batch->op[row], driver->batch->position[row][LOG_ROW_BYTES - 1]);
        for (int column = 0; column < driver->schema.count; column++) {
            printf(", ");
            value_print(driver->batch, column, row);
        }
        printf("]\n");
    }
    column_batch_clear(driver->batch);
}

static int rows_read(Driver *driver, uint8_t code, const uint8_t *data, size_t length, Error *error)
{
    BinlogItem item = {.type = BINLOG_ROWS, .code = code, .data = data, .length = length, .commit_us = 0};
    RowsCursor cursor;
    int status;

    if (rows_open(&cursor, driver->plan, &item, (LogPosition){1, 4}, 0, error) < 0)
        return -1;
    while ((status = rows_next(&cursor, driver->batch, error)) > 0) {
        if (driver->batch->rows + 2 > BATCH_ROWS_MAX || column_batch_full(driver->batch))
            rows_print(driver);
    }
    rows_print(driver);
    return status;
}

static int log_read(Driver *driver, const uint8_t *log, size_t length, Error *error)
{
    size_t at = 4;

    while (length - at >= HEADER_BYTES + CHECKSUM_BYTES) {
        uint8_t code = log[at + 4];
        uint32_t size;

        memcpy(&size, log + at + 9, sizeof size);
        if (size < HEADER_BYTES + CHECKSUM_BYTES || size > length - at)
            return 0;
        if (code == 19 && table_begin(driver, log + at + HEADER_BYTES, size - HEADER_BYTES - CHECKSUM_BYTES, error) < 0)
            return -1;
        if (((code >= 23 && code <= 25) || (code >= 30 && code <= 32)) && driver->table &&
            rows_read(driver, code, log + at + HEADER_BYTES, size - HEADER_BYTES - CHECKSUM_BYTES, error) < 0)
            return -1;
        at += size;
    }
    return 0;
}

/* All of a file; the caller frees. */
static char *file_read(FILE *file, size_t *length)
{
    size_t capacity = 1 << 16, got;
    char *data = malloc(capacity + 1);

    *length = 0;
    while ((got = fread(data + *length, 1, capacity - *length, file)) > 0) {
        *length += got;
        if (*length == capacity)
            data = realloc(data, (capacity *= 2) + 1);
    }
    data[*length] = '\0';
    return data;
}

int main(int argc, char **argv)
{
    Driver driver = {.told = cJSON_CreateObject()};
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t length, input_length;
    char *log, *input;
    Error error;
    int status;

    if (!file) {
        fprintf(stderr, "usage: mysql_rows_driver LOGFILE < TABLES\n");
        return 2;
    }
    log = file_read(file, &length);
    fclose(file);
    input = file_read(stdin, &input_length);
    driver.input = cJSON_Parse(input);
    status = length < 4 ? 0 : log_read(&driver, (const uint8_t *)log, length, &error);
    if (status < 0)
        fprintf(stderr, "%s: %s\n", error_kind_name(error.kind), error.message);
    printf("{\"nulled\": %lld}\n", (long long)driver.nulled);
    table_end(&driver);
    cJSON_Delete(driver.told);
    cJSON_Delete(driver.input);
    free(input);
    free(log);
    return status < 0;
}
