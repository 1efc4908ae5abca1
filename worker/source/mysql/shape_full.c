/* shape_full.c - the shape that a table map with names tells. */
#include "source/mysql/charset.h"
#include "source/mysql/shape.h"
#include "source/mysql/shape_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 65535 /* of an enum: MySQL manual, "The ENUM Type" */
#define MEMBER_BYTES_MAX 4096

/* What the columns are made from, and how far the lists of members have been read. */
typedef struct Full {
    const TableMap *map;
    const cJSON *known_json;
    Shape known;
    Bytes members[2]; /* of enum and of set columns */
} Full;

static const char *integer_word(uint8_t code)
{
    switch (code) {
    case CODE_TINY:
        return "tinyint";
    case CODE_SHORT:
        return "smallint";
    case CODE_INT24:
        return "mediumint";
    case CODE_LONG:
        return "int";
    case CODE_LONGLONG:
        return "bigint";
    case CODE_FLOAT:
        return "float";
    case CODE_DOUBLE:
        return "double";
    case CODE_YEAR:
        return "year";
    case CODE_DATE:
    case CODE_NEWDATE:
        return "date";
    case CODE_TIME:
        return "time";
    case CODE_DATETIME:
        return "datetime";
    case CODE_TIMESTAMP:
        return "timestamp";
    case CODE_ENUM:
        return "enum";
    case CODE_SET:
        return "set";
    case CODE_JSON:
        return "json";
    case CODE_GEOMETRY:
        return "geometry";
    default:
        return "";
    }
}

/* A compressed column has a byte more for how it is compressed. */
static unsigned varchar_bytes(uint8_t code, uint16_t meta)
{
    return code == CODE_VARCHAR_COMPRESSED && meta ? meta - 1u : meta;
}

static void text_type(uint8_t code, uint16_t meta, const char *charset, char *ret, size_t size)
{
    static const char *const texts[] = {"", "tinytext", "text", "mediumtext", "longtext"}, *const blobs[] = {"", "tinyblob", "blob", "mediumblob", "longblob"};
    bool binary = strcmp(charset, "binary") == 0;
    unsigned width = charset_width(charset);

    if (code == CODE_BLOB || code == CODE_BLOB_COMPRESSED)
        snprintf(ret, size, "%s", meta > 4 ? "" : binary ? blobs[meta] : texts[meta]);
    else if (code == CODE_STRING)
        snprintf(ret, size, "%s(%u)", binary ? "binary" : "char", shape_code_bytes(meta) / width);
    else
        snprintf(ret, size, "%s(%u)", binary ? "varbinary" : "varchar", varchar_bytes(code, meta) / width);
}

/* The column's type in the words of information_schema; "" where there is none. */
static void map_type(const TableMap *map, int index, char *ret, size_t size)
{
    uint16_t meta = map->meta[index];
    uint8_t code = shape_code_real(map->types[index], meta);
    bool is_unsigned = map->is_unsigned && map->is_unsigned[index] && code != CODE_YEAR;

    switch (code) {
    case CODE_NEWDECIMAL:
        snprintf(ret, size, "decimal(%d,%d)%s", meta >> 8, meta & 0xff, is_unsigned ? " unsigned" : "");
        break;
    case CODE_BIT:
        snprintf(ret, size, "bit(%d)", (meta >> 8) * 8 + (meta & 0xff));
        break;
    case CODE_TIME2:
    case CODE_DATETIME2:
    case CODE_TIMESTAMP2:
        snprintf(ret, size, "%s(%d)", code == CODE_TIME2 ? "time" : code == CODE_DATETIME2 ? "datetime" : "timestamp", meta);
        break;
    case CODE_STRING:
    case CODE_VARCHAR:
    case CODE_VAR_STRING:
    case CODE_VARCHAR_COMPRESSED:
    case CODE_BLOB:
    case CODE_BLOB_COMPRESSED:
        text_type(code, meta, charset_of_collation(map->collation[index]), ret, size);
        break;
    case CODE_VECTOR:
        snprintf(ret, size, "vector(2048)");
        break;
    default:
        snprintf(ret, size, "%s%s", integer_word(code), is_unsigned ? " unsigned" : "");
    }
}

/* The list of the next enum or set column. Texts are in the column's character set. */
static int members_take(Bytes *wire, const char *charset_name, cJSON **ret, Error *error)
{
    Charset *charset = NULL;
    uint64_t count, length;
    Buffer text;
    cJSON *list;

    if (charset_open(*charset_name ? charset_name : "utf8mb4", &charset, error) < 0)
        return -1;
    list = cJSON_CreateArray();
    buffer_init(&text, MEMBER_BYTES_MAX * 4);
    error_set(error, ERROR_INTERNAL, NULL, "a table map has a malformed list of members");
    if (!list || packed_take(wire, &count) < 0 || count > MEMBERS_MAX)
        goto fail;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *data;

        buffer_clear(&text);
        if (packed_take(wire, &length) < 0 || length > MEMBER_BYTES_MAX || !(data = bytes_take(wire, length)))
            goto fail;
        if ((charset ? charset_text(charset, data, length, &text, error) : buffer_append(&text, data, length, error)) < 0 ||
            buffer_terminate(&text, error) < 0 || !cJSON_AddItemToArray(list, cJSON_CreateString(text.data)))
            goto fail;
    }
    charset_close(charset);
    buffer_free(&text);
    *ret = list;
    return 0;
fail:
    charset_close(charset);
    buffer_free(&text);
    cJSON_Delete(list);
    return -1;
}

/* Is what is known of the column of this name true of the map? Then it says more than the map does. */
static bool known_holds(const Full *full, const ShapeColumn *column, int index)
{
    const TableMap *map = full->map;
    uint8_t code = shape_code_real(map->types[index], map->meta[index]);
    const char *charset = charset_of_collation(map->collation[index]);
    uint32_t length = column->declared.length;

    if (!column->declared.word || !shape_column_fits(column, map, index))
        return false;
    switch (column->declared.kind) {
    case SHAPE_CHAR:
        return (!*charset || strcmp(charset, column->character_set) == 0) && length * charset_width(column->character_set) == shape_code_bytes(map->meta[index]);
    case SHAPE_VARCHAR:
        return (!*charset || strcmp(charset, column->character_set) == 0) &&
               length * charset_width(column->character_set) == varchar_bytes(code, map->meta[index]);
    case SHAPE_TEXT:
        return (!*charset || strcmp(charset, column->character_set) == 0) && length == map->meta[index];
    case SHAPE_BINARY:
        return strcmp(charset, "binary") == 0 && length == shape_code_bytes(map->meta[index]);
    case SHAPE_VARBINARY:
        return strcmp(charset, "binary") == 0 && length == varchar_bytes(code, map->meta[index]);
    case SHAPE_BLOB:
        return strcmp(charset, "binary") == 0 && length == map->meta[index];
    default:
        return true;
    }
}

static const cJSON *known_find(const Full *full, int index)
{
    for (int i = 0; i < full->known.count; i++) {
        if (strcmp(full->known.columns[i].name, full->map->names[index]) == 0)
            return known_holds(full, &full->known.columns[i], index) ? cJSON_GetArrayItem(full->known_json, i) : NULL;
    }
    return NULL;
}

/* A column of which only the map is known: what rows that were there have in it cannot be told. */
static cJSON *column_new(const Full *full, int index)
{
    const char *charset = charset_of_collation(full->map->collation[index]);
    ColumnFacts facts = {.name = full->map->names[index], .is_nullable = "YES", .extra = "DEFAULT_GENERATED", .ordinal = index + 1};
    char text[64];
    cJSON *column = NULL;
    Error ignored;

    map_type(full->map, index, text, sizeof text);
    facts.column_type = text;
    if (*charset && strcmp(charset, "binary") != 0)
        facts.character_set = charset;
    return shape_column(&facts, &column, &ignored) < 0 ? NULL : column;
}

static int column_of_map(Full *full, int index, cJSON *list, Error *error)
{
    const TableMap *map = full->map;
    uint8_t code = shape_code_real(map->types[index], map->meta[index]);
    const cJSON *known = known_find(full, index);
    cJSON *column = known ? cJSON_Duplicate(known, true) : column_new(full, index), *members = NULL;
    bool null = map->nullable[index / 8] >> index % 8 & 1;

    if (!column || !cJSON_AddItemToArray(list, column)) {
        cJSON_Delete(column);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for column \"%.200s\"", map->names[index]);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(column, "ordinal");
    cJSON_DeleteItemFromObjectCaseSensitive(column, "nullable");
    cJSON_AddNumberToObject(column, "ordinal", cJSON_GetArraySize(list));
    cJSON_AddBoolToObject(column, "nullable", null);
    if ((code != CODE_ENUM && code != CODE_SET) || !map->values[code == CODE_SET])
        return 0;
    if (members_take(&full->members[code == CODE_SET], charset_of_collation(map->collation[index]), &members, error) < 0)
        return -1;
    cJSON_DeleteItemFromObjectCaseSensitive(column, "values");
    cJSON_DeleteItemFromObjectCaseSensitive(column, "refused");
    cJSON_AddItemToObject(column, "values", members);
    cJSON_AddNullToObject(column, "refused");
    return 0;
}

static bool is_known(const Full *full, const char *name)
{
    for (int i = 0; i < full->known.count; i++) {
        if (strcmp(full->known.columns[i].name, name) == 0)
            return true;
    }
    return false;
}

int shape_of_map(const TableMap *map, const cJSON *known, cJSON **ret, Error *error)
{
    Full full = {.map = map, .known_json = known};
    int status = 0;
    cJSON *list;

    if (!map->full)
        return error_set(error, ERROR_INTERNAL, NULL, "the table map of %.200s.%.200s has no names", map->schema, map->table);
    for (int i = 0; i < 2; i++) {
        if (map->values[i])
            full.members[i] = bytes_of(map->values[i], map->values_length[i]);
    }
    if (known && cJSON_GetArraySize(known) > 0 && shape_parse(known, &full.known, error) < 0)
        return -1;
    list = cJSON_CreateArray();
    for (int i = 0; list && status == 0 && i < map->count; i++) {
        if (!shape_hidden(map, i) || is_known(&full, map->names[i]))
            status = column_of_map(&full, i, list, error);
    }
    shape_free(&full.known);
    if (!list)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", map->count);
    if (status < 0) {
        cJSON_Delete(list);
        return -1;
    }
    *ret = list;
    return 0;
}
