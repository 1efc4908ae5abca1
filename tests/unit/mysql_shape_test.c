/* What information_schema and table maps say of a table's columns (worker/source/mysql/shape.h): texts and bytes are those of MariaDB 10.11 and MySQL 9.7. */
#include "base/hex.h"
#include "check.h"
#include "source/mysql/charset.h"
#include "source/mysql/shape.h"

#include <stdlib.h>

static Error error;

typedef struct Case {
    const char *column_type, *column_default, *extra;
    bool mariadb, not_null;
    const char *source_type, *type;
    const char *wanted; /* the default that lands; "expression"; NULL = null */
} Case;

static const Case cases[] = {
    {"int(11)", NULL, "auto_increment", true, true, "int", "int32", "expression"},
    {"int(10) unsigned zerofill", NULL, "", true, true, "int unsigned", "int64", "0"},
    {"bigint unsigned", "18446744073709551615", "", false, false, "bigint unsigned", "uint64", "18446744073709551615"},
    {"tinyint(1)", "1", "", false, false, "tinyint", "int16", "1"},
    {"mediumint(8) unsigned", "NULL", "", true, false, "mediumint unsigned", "int32", NULL},
    {"varchar(10)", "'US'", "", true, false, "varchar(10)", "string", "US"},
    {"varchar(10)", "US", "", false, false, "varchar(10)", "string", "US"},
    {"varchar(10)", "'it''s \\\\ \"q\"'", "", true, false, "varchar(10)", "string", "it's \\ \"q\""},
    {"varchar(20)", "'NULL'", "", true, false, "varchar(20)", "string", "NULL"},
    {"varchar(20)", "NULL", "", false, false, "varchar(20)", "string", "NULL"},
    {"varchar(5)", "'a\\nb'", "", true, false, "varchar(5)", "string", "a\nb"},
    {"varchar(40)", "uuid()", "", true, false, "varchar(40)", "string", "expression"},
    {"varchar(40)", "uuid()", "DEFAULT_GENERATED", false, false, "varchar(40)", "string", "expression"},
    {"varchar(50) /*M!100301 COMPRESSED*/", NULL, "", true, true, "varchar(50)", "string", ""},
    {"int(11)", "(1 + 2)", "", true, false, "int", "int32", "expression"},
    {"decimal(5,2)", "1.50", "", true, false, "decimal(5,2)", "decimal", "1.50"},
    {"decimal(65,30)", "NULL", "", true, false, "decimal(65,30)", "string", NULL},
    {"decimal(38,0) unsigned", NULL, "", false, true, "decimal(38,0) unsigned", "decimal", "0"},
    {"bit(3)", "b'101'", "", true, false, "bit(3)", "uint64", "5"},
    {"bit(1)", "b'1'", "", false, false, "bit(1)", "boolean", "true"},
    {"bit(1)", NULL, "", false, true, "bit(1)", "boolean", "false"},
    {"year(4)", "2024", "", true, false, "year", "int16", "2024"},
    {"date", "'0000-00-00'", "", true, false, "date", "date", NULL},
    {"date", NULL, "", false, true, "date", "date", NULL},
    {"date", "curdate()", "", true, false, "date", "date", "expression"},
    {"time(3)", "'10:00:00'", "", true, false, "time(3)", "string", "10:00:00"},
    {"time", NULL, "", true, true, "time", "string", "00:00:00"},
    {"datetime(6)", "2024-01-02 03:04:05", "", false, false, "datetime(6)", "timestamp", "2024-01-02 03:04:05"},
    {"timestamp", "current_timestamp()", "on update current_timestamp()", true, true, "timestamp", "timestamptz", "expression"},
    {"timestamp", "CURRENT_TIMESTAMP", "DEFAULT_GENERATED on update CURRENT_TIMESTAMP", false, true, "timestamp", "timestamptz", "expression"},
    {"enum('x','y''z','a\\\\b')", NULL, "", true, true, "enum", "string", "x"},
    {"set('p','q')", "p,q", "", false, false, "set", "string", "p,q"},
    {"binary(3)", "0x6162", "", false, false, "binary(3)", "binary", "expression"},
    {"json", "_utf8mb4\\'{}\\'", "DEFAULT_GENERATED", false, false, "json", "string", "expression"},
    {"int(11)", NULL, "VIRTUAL GENERATED", true, false, "int", "int32", "expression"},
    {"uuid", NULL, "", true, true, "uuid", "uuid", "00000000-0000-0000-0000-000000000000"},
    {"inet6", "NULL", "", true, false, "inet6", "string", NULL},
    {"multipolygon", NULL, "", false, false, "multipolygon", "binary", NULL},
    {"vector(3)", NULL, "", false, false, "vector(3)", "binary", NULL},
};

static bool case_holds(const Case *each)
{
    ColumnFacts facts = {.name = "c", .column_type = each->column_type, .is_nullable = each->not_null ? "NO" : "YES", .column_default = each->column_default,
                         .extra = each->extra, .ordinal = 1, .mariadb = each->mariadb};
    cJSON *column;
    bool expression, holds;
    const char *found;

    if (shape_column(&facts, &column, &error) < 0)
        return false;
    expression = json_boolean(column, "default_expression", false);
    found = expression ? "expression" : json_text(column, "default", NULL);
    holds = strcmp(json_text(column, "source_type", ""), each->source_type) == 0 && strcmp(json_text(column, "type", ""), each->type) == 0 &&
            !json_member(column, "refused") && json_boolean(column, "nullable", false) == !each->not_null &&
            (each->wanted ? found && strcmp(found, each->wanted) == 0 : !found);
    if (!holds)
        printf("# %s default %s: %s\n", each->column_type, each->column_default ? each->column_default : "none", cJSON_PrintUnformatted(column));
    cJSON_Delete(column);
    return holds;
}

static void test_columns(void)
{
    bool all = true;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        all = case_holds(&cases[i]) && all;
    check(all, "a column's type, landing type and default are read as each server writes them");
}

static cJSON *column_of(const char *column_type, const char *character_set)
{
    ColumnFacts facts = {.name = "c", .column_type = column_type, .character_set = character_set, .is_nullable = "YES", .ordinal = 1};
    cJSON *column = NULL;

    shape_column(&facts, &column, &error);
    return column;
}

static void test_refused(void)
{
    cJSON *unknown = column_of("sometype(3)", NULL), *charset = column_of("varchar(3)", "klingon"), *members = column_of("enum('x','y''z','a\\\\b','')", "latin1");
    const cJSON *values = json_member(members, "values");

    check(strstr(json_text(unknown, "refused", ""), "sometype(3)") != NULL, "a type that is not known is refused by name");
    check(strstr(json_text(charset, "refused", ""), "klingon") != NULL, "a character set that is not known is refused by name");
    check(cJSON_GetArraySize(values) == 4 && strcmp(cJSON_GetArrayItem(values, 1)->valuestring, "y'z") == 0 &&
              strcmp(cJSON_GetArrayItem(values, 2)->valuestring, "a\\b") == 0 && cJSON_GetArrayItem(values, 3)->valuestring[0] == '\0',
          "the members of an enum are those between the quotes");
    cJSON_Delete(unknown);
    cJSON_Delete(charset);
    cJSON_Delete(members);
}

/* The map of a table t.a: count of columns, types, metadata, nullable bitmap and options in hex. */
static size_t map_bytes(const char *body, uint8_t *ret)
{
    static const char head[] = "100000000000" "0100" "0174" "00" "0161" "00"; /* table t.a */
    size_t length = strlen(head) / 2 + strlen(body) / 2;
    char text[4096];

    snprintf(text, sizeof text, "%s%s", head, body);
    hex_decode(text, ret, length);
    return length;
}

static void test_map(void)
{
    /* id INT, a VARCHAR(10) latin1, row_start, row_end; signs, default collation 8, names, key */
    static const char body[] = "04" "030f1111" "04" "0a000606" "02" "010100" "020108" "0417" "026964" "0161" "09726f775f7374617274" "07726f775f656e64" "08020003";
    uint8_t bytes[512];
    size_t length = map_bytes(body, bytes);
    TableMap map;
    cJSON *columns = NULL;
    Shape shape;

    if (!check(table_map_parse(bytes, length, &map, &error) == 0, "a table map of MariaDB is parsed"))
        return;
    check(map.count == 4 && map.full && strcmp(map.schema, "t") == 0 && strcmp(map.table, "a") == 0 && strcmp(map.names[3], "row_end") == 0 && map.meta[1] == 10 &&
              map.collation[1] == 8 && map.is_unsigned && !map.is_unsigned[0],
          "types, metadata, names, signs and collations of a map are found");
    check(shape_of_map(&map, NULL, &columns, &error) == 0 && cJSON_GetArraySize(columns) == 2, "columns that MariaDB keeps for itself are no columns of the shape");
    check(shape_parse(columns, &shape, &error) == 0 && strcmp(shape.columns[1].source_type, "varchar(10)") == 0 && strcmp(shape.columns[1].character_set, "latin1") == 0,
          "a map with names tells types and character sets");
    check(shape_fits(&shape, &map, &error) == 0, "a shape fits the map that it comes from, hidden columns or not");
    shape.columns[1].name[0] = 'b';
    check(shape_fits(&shape, &map, &error) < 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "is a in the log, not b"), "a column of another name does not fit, and is named");
    shape_free(&shape);
    cJSON_Delete(columns);
    table_map_free(&map);
}

static void test_fits(void)
{
    uint8_t bytes[512];
    size_t length = map_bytes("02" "03f6" "02" "0a02" "03" "010180", bytes); /* int unsigned, decimal(10,2), without names */
    cJSON *columns = cJSON_Parse("[{\"name\": \"i\", \"source_type\": \"int unsigned\", \"type\": \"int64\"}, {\"name\": \"d\", \"source_type\": \"decimal(10,2)\", \"type\": \"decimal\"}]");
    TableMap map;
    Shape shape;

    check(table_map_parse(bytes, length, &map, &error) == 0 && shape_parse(columns, &shape, &error) == 0 && shape_fits(&shape, &map, &error) == 0,
          "a map without names fits by types");
    shape.columns[0].declared.is_unsigned = false;
    check(shape_fits(&shape, &map, &error) < 0 && strstr(error.message, "unsigned"), "another sign does not fit");
    shape.columns[0].declared.is_unsigned = true;
    shape.columns[1].declared.scale = 3;
    check(shape_fits(&shape, &map, &error) < 0 && strstr(error.hint, "binlog_row_metadata"), "another scale does not fit, and the hint says what would help");
    shape.columns[1].declared.scale = 2;
    shape.count = 1;
    check(shape_fits(&shape, &map, &error) < 0 && strstr(error.message, "2 columns"), "another number of columns does not fit");
    shape_free(&shape);
    table_map_free(&map);
    cJSON_Delete(columns);
}

static void test_malformed(void)
{
    static const char body[] = "04" "030f1111" "04" "0a000606" "02" "010100" "020108" "0417" "026964" "0161" "09726f775f7374617274" "07726f775f656e64" "08020003";
    uint8_t bytes[512];
    size_t length = map_bytes(body, bytes);
    bool refused = true;

    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *copy = malloc(cut + 1);
        TableMap map;

        memcpy(copy, bytes, cut);
        /* Cut between two options it is a map that says less. */
        if (table_map_parse(copy, cut, &map, &error) == 0) {
            refused = refused && cut >= 25;
            table_map_free(&map);
        }
        free(copy);
    }
    check(refused, "a table map that ends early is refused, wherever it ends");
}

static void text_is(const char *charset, const char *hex, const char *wanted, const char *name)
{
    uint8_t bytes[64];
    size_t length = strlen(hex) / 2;
    Charset *set = NULL;
    Buffer text;

    hex_decode(hex, bytes, length);
    buffer_init(&text, 1024);
    if (charset_open(charset, &set, &error) == 0 && set && charset_text(set, bytes, length, &text, &error) == 0 && buffer_terminate(&text, &error) == 0)
        check_text(text.data, wanted, name);
    else
        check(false, name);
    buffer_free(&text);
    charset_close(set);
}

static void test_charsets(void)
{
    text_is("latin1", "80e49f41", "€äŸA", "latin1 is cp1252");
    text_is("latin1", "81", "\xc2\x81", "the holes of cp1252 are control characters");
    text_is("swe7", "5b7d41", "ÄåA", "swe7 has letters where ASCII has brackets");
    text_is("utf16", "00e4d83dde00", "ä😀", "utf16 has pairs");
    text_is("utf16le", "e4003dd800de", "ä😀", "utf16le has them the other way round");
    text_is("utf32", "0001f600", "😀", "utf32 is wide");
    text_is("ascii", "4180", "A?", "what a character set does not have is a question mark");
    text_is("sjis", "815f8341", "\\ア", "the wave of sjis is the server's, not the C library's");
    text_is("ujis", "a1c0f5a18ff5a1", "\\\xee\x80\x80\xee\x8e\xac", "ujis has characters of the user's own");
    text_is("big5", "a145a440", "•一", "big5 is the server's");
    text_is("gb18030", "82359037", "龴", "gb18030 is the server's");
    check(strcmp(charset_of_collation(255), "utf8mb4") == 0 && strcmp(charset_of_collation(2304), "utf8mb4") == 0 && strcmp(charset_of_collation(1032), "latin1") == 0 &&
              charset_of_collation(100000)[0] == '\0',
          "a collation's number tells the character set on both servers");
}

int main(void)
{
    test_columns();
    test_refused();
    test_map();
    test_fits();
    test_malformed();
    test_charsets();
    return check_end();
}
