/* mysql_key_test.c - bounds of a load as literals: the column's own type and collation, and nothing but what a literal is made of */
#include "check.h"
#include "source/mysql/load_key.h"

#include <stdlib.h>

static const char keys_text[] =
    "[{\"name\":\"a`b\",\"source_type\":\"int unsigned\",\"type\":\"uint64\"},"
    "{\"name\":\"f\",\"source_type\":\"float\",\"type\":\"float32\"},"
    "{\"name\":\"e\",\"source_type\":\"enum\",\"type\":\"string\",\"collation\":\"utf8mb4_general_ci\",\"descending\":true},"
    "{\"name\":\"d\",\"source_type\":\"datetime(6)\",\"type\":\"timestamp\"},"
    "{\"name\":\"v\",\"source_type\":\"varchar(20)\",\"type\":\"string\",\"collation\":\"latin1_swedish_ci\"},"
    "{\"name\":\"w\",\"source_type\":\"char(4)\",\"type\":\"string\",\"collation\":\"utf8mb4_bin\"},"
    "{\"name\":\"b\",\"source_type\":\"varbinary(8)\",\"type\":\"binary\"}]";
static const char columns_text[] = "[{\"name\":\"e\",\"values\":[\"small\",\"large\"]},{\"name\":\"s\",\"source_type\":\"set\",\"type\":\"string\",\"values\":"
                                   "[\"x\",\"y\",\"z\"]}]";

static void keep(Buffer *text, char *ret, size_t size)
{
    Error error;

    buffer_terminate(text, &error);
    snprintf(ret, size, "%s", text->data ? text->data : "");
    buffer_free(text);
}

/* The bound of a key of the columns first..first+count-1. "" where it is refused. */
static void bound(int first, int count, bool upper, const char *values, char *ret, size_t size)
{
    cJSON *keys = cJSON_Parse(keys_text), *list = cJSON_Parse(values);
    LoadKey *key = calloc(1, sizeof *key), *part = calloc(1, sizeof *part);
    Buffer text;
    Error error;

    buffer_init(&text, KIB(64));
    load_key_read(keys, NULL, key, &error);
    part->count = count;
    memcpy(part->columns, key->columns + first, (size_t)count * sizeof *part->columns);
    if (load_key_bound(part, upper, list, &text, &error) < 0)
        buffer_clear(&text);
    keep(&text, ret, size);
    free(key);
    free(part);
    cJSON_Delete(keys);
    cJSON_Delete(list);
}

static void bounds(void)
{
    static const struct {
        int first, count;
        bool upper;
        const char *values, *wanted, *name;
    } cases[] = {
        {0, 1, false, "[\"18446744073709551615\"]", "(`a``b` > 18446744073709551615)", "a number is its digits"},
        {0, 1, true, "[\"5\"]", "(`a``b` <= 5)", "an upper bound includes its key"},
        {0, 2, false, "[\"1\",\"0.1\"]", "(`a``b` >= 1 AND (`a``b` > 1 OR (`a``b` = 1 AND `f` > 0.1e0)))", "two columns are ranges of an index"},
        {2, 1, false, "[\"2\"]", "((`e` + 0) < 2)", "a descending enum is compared by its number"},
        {3, 1, false, "[\"2024-01-02T03:04:05.000006\"]", "(`d` > '2024-01-02T03:04:05.000006')", "a time stands in quotes"},
        {4, 1, false, "[\"it's\"]", "(`v` > CONVERT(_utf8mb4 X'69742773' USING latin1) COLLATE latin1_swedish_ci)", "a text has its column's set and collation"},
        {5, 1, false, "[\"\"]", "(`w` > _utf8mb4 X'' COLLATE utf8mb4_bin)", "a text may be empty"},
        {6, 1, true, "[\"0x00Ff\"]", "(`b` <= X'00Ff')", "binary is hex"},
        {0, 1, false, "[\"1 OR 1=1\"]", "", "what is no number is refused"},
        {0, 1, false, "[\"\"]", "", "an empty number is refused"},
        {1, 1, false, "[\"NaN\"]", "", "what is no float is refused"},
        {3, 1, false, "[\"' OR ''='\"]", "", "a quote in a time is refused"},
        {6, 1, false, "[\"0x0\"]", "", "half a byte is refused"},
        {6, 1, false, "[\"00\"]", "", "binary without its mark is refused"},
        {0, 1, false, "[null]", "", "a bound without a value is refused"},
        {0, 2, false, "[\"1\"]", "", "a bound of fewer columns than its key is refused"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[500];

        bound(cases[i].first, cases[i].count, cases[i].upper, cases[i].values, found, sizeof found);
        check_text(found, cases[i].wanted, cases[i].name);
    }
}

static void selects(void)
{
    cJSON *keys = cJSON_Parse(keys_text);
    LoadKey *key = calloc(1, sizeof *key);
    char found[500];
    Buffer text;
    Error error;

    buffer_init(&text, KIB(64));
    check(load_key_read(keys, NULL, key, &error) == 0 && key->count == 7, "a key of seven columns is read");
    for (int i = 0; i < key->count; i++) {
        buffer_text(&text, i ? ", " : "", &error);
        load_key_select(key, i, &text, &error);
    }
    load_key_order(key, &text, &error);
    keep(&text, found, sizeof found);
    check_text(found,
               "`a``b`, (`f` + 0e0), (`e` + 0), `d`, `v`, `w`, CONCAT('0x', HEX(`b`)) ORDER BY `a``b`, `f`, `e` DESC, `d`, `v`, `w`, `b`",
               "each column is selected as its exact text and sorted as itself");
    free(key);
    cJSON_Delete(keys);
}

/* One value of a batch as key text; "" where it has none. */
static void batch_text(const char *source_type, const char *name, ColumnType type, const void *data, size_t length, char *ret, size_t size)
{
    Field field = {.type = type};
    Schema schema = {.fields = &field, .count = 1};
    cJSON *key_json = cJSON_CreateArray(), *item = cJSON_CreateObject(), *columns = cJSON_Parse(columns_text), *text = NULL;
    LoadKey *key = calloc(1, sizeof *key);
    ColumnBatch *batch = calloc(1, sizeof *batch);
    Error error;

    cJSON_AddItemToArray(key_json, item);
    cJSON_AddStringToObject(item, "name", name);
    cJSON_AddStringToObject(item, "source_type", source_type);
    cJSON_AddStringToObject(item, "type", column_type_name(type));
    *ret = 0;
    if (load_key_read(key_json, columns, key, &error) == 0 && column_batch_init(batch, &schema, 0, KIB(1), &error) == 0) {
        if (column_width(type))
            memcpy(column_set_fixed(batch, 0), data, column_width(type));
        else
            column_set_bytes(batch, 0, data, length, &error);
        column_row_end(batch);
        if (load_key_text(key, 0, batch, 0, 0, &text, &error) == 0)
            snprintf(ret, size, "%s", text->valuestring);
        column_batch_free(batch);
    }
    free(batch);
    free(key);
    cJSON_Delete(text);
    cJSON_Delete(columns);
    cJSON_Delete(key_json);
}

static void texts(void)
{
    const float tenth = 0.1F;
    const int64_t ticks = INT64_C(10000010);
    const ColumnInstant instant = {.utc = -10};
    char found[100];

    batch_text("float", "f", COLUMN_FLOAT32, &tenth, 0, found, sizeof found);
    check_text(found, "0.10000000149011612", "a float is the double it is compared as");
    batch_text("datetime(6)", "d", COLUMN_TIMESTAMP, &ticks, 0, found, sizeof found);
    check_text(found, "1970-01-01T00:00:01.000001", "a datetime keeps its six digits");
    batch_text("timestamp(6)", "t", COLUMN_TIMESTAMPTZ, &instant, 0, found, sizeof found);
    check_text(found, "1969-12-31T23:59:59.999999", "a timestamp is told in UTC");
    batch_text("enum", "e", COLUMN_STRING, "large", 5, found, sizeof found);
    check_text(found, "2", "an enum is its number");
    batch_text("enum", "e", COLUMN_STRING, "", 0, found, sizeof found);
    check_text(found, "0", "an enum's refused value is 0");
    batch_text("enum", "e", COLUMN_STRING, "none", 4, found, sizeof found);
    check_text(found, "", "what is no label has no number");
    batch_text("set", "s", COLUMN_STRING, "x,z", 3, found, sizeof found);
    check_text(found, "5", "a set is the sum of its bits");
    batch_text("varchar(9)", "v", COLUMN_STRING, "a\0b", 3, found, sizeof found);
    check_text(found, "", "a text with U+0000 has no key text");
    batch_text("varbinary(9)", "v", COLUMN_BINARY, "\0\xff", 2, found, sizeof found);
    check_text(found, "0x00ff", "binary is hex");
    batch_text("json", "j", COLUMN_STRING, "{}", 2, found, sizeof found);
    check_text(found, "", "a document bounds no load");
}

int main(void)
{
    bounds();
    selects();
    texts();
    return check_end();
}
