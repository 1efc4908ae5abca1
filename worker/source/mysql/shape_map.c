/*
 * shape_map.c - a TABLE_MAP event, parsed.
 *
 * MySQL source documentation, Table_map_event: id 6, flags 2, names, count, types, metadata of the types, bitmap of nullable columns, then
 * optional metadata as type, length, value. The server decides what of that is there: binlog_row_metadata.
 */
#include "source/mysql/shape.h"
#include "source/mysql/shape_code.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPTION_SIGNEDNESS = 1,
    OPTION_DEFAULT_CHARSET = 2,
    OPTION_COLUMN_CHARSET = 3,
    OPTION_NAME = 4,
    OPTION_SET_VALUES = 5,
    OPTION_ENUM_VALUES = 6,
    OPTION_ENUM_SET_DEFAULT_CHARSET = 10,
    OPTION_ENUM_SET_COLUMN_CHARSET = 11,
    OPTION_VISIBILITY = 12
};

/* Whose turn it is in a list that names no columns. */
typedef bool (*ColumnTest)(const TableMap *map, int column, bool geometry);

/* What a parse works with: the map, and where memory of the map is handed out from. */
typedef struct MapParse {
    TableMap *map;
    bool geometry;    /* a geometry has a collation: in MariaDB */
    bool names_there;
    char *names; /* next free byte for a name */
    Bytes wire;
} MapParse;

static int malformed(const TableMap *map, const char *what, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "the table map of %.200s.%.200s has a malformed %s", map->schema, map->table, what);
}

static bool is_number(const TableMap *map, int column, bool geometry)
{
    (void)geometry;
    switch (map->types[column]) {
    case CODE_TINY:
    case CODE_SHORT:
    case CODE_INT24:
    case CODE_LONG:
    case CODE_LONGLONG:
    case CODE_NEWDECIMAL:
    case CODE_FLOAT:
    case CODE_DOUBLE:
    case CODE_YEAR:
        return true;
    default:
        return false;
    }
}

static bool is_text(const TableMap *map, int column, bool geometry)
{
    switch (shape_code_real(map->types[column], map->meta[column])) {
    case CODE_STRING:
    case CODE_VAR_STRING:
    case CODE_VARCHAR:
    case CODE_BLOB:
    case CODE_VARCHAR_COMPRESSED:
    case CODE_BLOB_COMPRESSED:
    case CODE_VECTOR:
        return true;
    case CODE_GEOMETRY:
        return geometry;
    default:
        return false;
    }
}

static bool is_enum_or_set(const TableMap *map, int column, bool geometry)
{
    uint8_t code = shape_code_real(map->types[column], map->meta[column]);

    (void)geometry;
    return code == CODE_ENUM || code == CODE_SET;
}

/* The column that `test` holds for, at or behind `from`; count where there is none. */
static int column_next(const MapParse *parse, ColumnTest test, int from)
{
    while (from < parse->map->count && !test(parse->map, from, parse->geometry))
        from++;
    return from;
}

static int name_read(Bytes *wire, char *ret, size_t size)
{
    const uint8_t *length = bytes_take(wire, 1), *text;

    if (!length || *length >= size)
        return -1;
    text = bytes_take(wire, (uint64_t)*length + 1);
    if (!text || text[*length] != 0)
        return -1;
    memcpy(ret, text, (size_t)*length + 1);
    return 0;
}

static int meta_width(uint8_t code)
{
    switch (code) {
    case CODE_FLOAT:
    case CODE_DOUBLE:
    case CODE_BLOB:
    case CODE_BLOB_COMPRESSED:
    case CODE_GEOMETRY:
    case CODE_JSON:
    case CODE_VECTOR:
    case CODE_TIME2:
    case CODE_DATETIME2:
    case CODE_TIMESTAMP2:
        return 1;
    case CODE_VARCHAR:
    case CODE_VARCHAR_COMPRESSED:
    case CODE_VAR_STRING:
    case CODE_STRING:
    case CODE_ENUM:
    case CODE_SET:
    case CODE_NEWDECIMAL:
    case CODE_BIT:
        return 2;
    case CODE_TINY:
    case CODE_SHORT:
    case CODE_LONG:
    case CODE_LONGLONG:
    case CODE_INT24:
    case CODE_YEAR:
    case CODE_DATE:
    case CODE_NEWDATE:
    case CODE_TIME:
    case CODE_DATETIME:
    case CODE_TIMESTAMP:
        return 0;
    default:
        return -1;
    }
}

static int meta_parse(MapParse *parse, Error *error)
{
    TableMap *map = parse->map;
    const uint8_t *begin;
    uint64_t length;
    Bytes meta;

    if (packed_take(&parse->wire, &length) < 0)
        return malformed(map, "length of metadata", error);
    begin = bytes_take(&parse->wire, length);
    if (!begin)
        return malformed(map, "length of metadata", error);
    meta = bytes_of(begin, length);
    for (int i = 0; i < map->count; i++) {
        int width = meta_width(map->types[i]);
        const uint8_t *at = width < 0 ? NULL : bytes_take(&meta, (uint64_t)width);

        if (width < 0)
            return error_set(error, ERROR_PERMANENT, "SELECT sluice.drop_table(...) leaves the table out.", "column %d of %.200s.%.200s has the type code %d, which is unknown",
                             i + 1, map->schema, map->table, map->types[i]);
        if (!at)
            return malformed(map, "metadata", error);
        if (width == 1)
            map->meta[i] = at[0];
        else if (width == 2 && (map->types[i] == CODE_VARCHAR || map->types[i] == CODE_VARCHAR_COMPRESSED || map->types[i] == CODE_BIT))
            map->meta[i] = (uint16_t)(at[0] | at[1] << 8);
        else if (width == 2)
            map->meta[i] = (uint16_t)(at[0] << 8 | at[1]);
    }
    return 0;
}

static int signedness_parse(MapParse *parse, Bytes value, uint8_t *ret, Error *error)
{
    size_t bit = 0;

    for (int i = column_next(parse, is_number, 0); i < parse->map->count; i = column_next(parse, is_number, i + 1)) {
        if (bit / 8 >= (size_t)(value.end - value.at))
            return malformed(parse->map, "list of signs", error);
        ret[i] = value.at[bit / 8] >> (7 - bit % 8) & 1;
        bit++;
    }
    parse->map->is_unsigned = ret;
    return 0;
}

/* One collation for all columns of `test`, then pairs of a column's number among them and another collation. */
static int collation_default_parse(MapParse *parse, Bytes value, ColumnTest test, Error *error)
{
    TableMap *map = parse->map;
    uint64_t number, index;
    int column = 0;
    uint64_t at = 0;

    if (packed_take(&value, &number) < 0)
        return malformed(map, "collation", error);
    for (int i = column_next(parse, test, 0); i < map->count; i = column_next(parse, test, i + 1))
        map->collation[i] = (uint32_t)number;
    column = column_next(parse, test, 0);
    while (value.at < value.end) {
        if (packed_take(&value, &index) < 0 || packed_take(&value, &number) < 0 || index < at)
            return malformed(map, "collation", error);
        for (; at < index && column < map->count; at++)
            column = column_next(parse, test, column + 1);
        if (column >= map->count)
            return malformed(map, "collation", error);
        map->collation[column] = (uint32_t)number;
    }
    return 0;
}

static int collation_list_parse(MapParse *parse, Bytes value, ColumnTest test, Error *error)
{
    uint64_t number;

    for (int i = column_next(parse, test, 0); i < parse->map->count; i = column_next(parse, test, i + 1)) {
        if (packed_take(&value, &number) < 0)
            return malformed(parse->map, "collation", error);
        parse->map->collation[i] = (uint32_t)number;
    }
    return 0;
}

static int names_parse(MapParse *parse, Bytes value, Error *error)
{
    TableMap *map = parse->map;

    for (int i = 0; i < map->count; i++) {
        uint64_t length;
        const uint8_t *text;

        if (packed_take(&value, &length) < 0 || length > 512)
            return malformed(map, "column name", error);
        text = bytes_take(&value, length);
        if (!text)
            return malformed(map, "column name", error);
        map->names[i] = parse->names;
        memcpy(parse->names, text, length);
        parse->names[length] = '\0';
        parse->names += length + 1;
    }
    map->full = true;
    return 0;
}

static int collations_parse(MapParse *parse, uint8_t type, Bytes value, Error *error)
{
    ColumnTest test = type == OPTION_DEFAULT_CHARSET || type == OPTION_COLUMN_CHARSET ? is_text : is_enum_or_set;

    if (type == OPTION_DEFAULT_CHARSET || type == OPTION_ENUM_SET_DEFAULT_CHARSET)
        return collation_default_parse(parse, value, test, error);
    return collation_list_parse(parse, value, test, error);
}

static int option_parse(MapParse *parse, uint8_t type, Bytes value, uint8_t *signs, Error *error)
{
    switch (type) {
    case OPTION_SIGNEDNESS:
        return signedness_parse(parse, value, signs, error);
    case OPTION_DEFAULT_CHARSET:
    case OPTION_COLUMN_CHARSET:
    case OPTION_ENUM_SET_DEFAULT_CHARSET:
    case OPTION_ENUM_SET_COLUMN_CHARSET:
        /* Without names nobody asks for collations. */
        if (!parse->names_there || collations_parse(parse, type, value, error) == 0)
            return 0;
        parse->geometry = !parse->geometry;
        return collations_parse(parse, type, value, error);
    case OPTION_NAME:
        return parse->map->full ? malformed(parse->map, "second list of names", error) : names_parse(parse, value, error);
    case OPTION_ENUM_VALUES:
    case OPTION_SET_VALUES:
        parse->map->values[type == OPTION_SET_VALUES] = value.at;
        parse->map->values_length[type == OPTION_SET_VALUES] = (size_t)(value.end - value.at);
        return 0;
    default:
        return 0; /* keys, visibility, kinds of geometry: not needed to decode */
    }
}

static bool option_there(Bytes wire, uint8_t wanted)
{
    uint64_t length;

    while (wire.at < wire.end) {
        uint8_t type = *wire.at++;

        if (type == wanted)
            return true;
        if (packed_take(&wire, &length) < 0 || !bytes_take(&wire, length))
            return false;
    }
    return false;
}

static int options_parse(MapParse *parse, uint8_t *signs, Error *error)
{
    parse->names_there = option_there(parse->wire, OPTION_NAME);
    /* MySQL alone says which columns are visible, and counts no geometry among the texts (before 8.0.23 it says nothing). */
    parse->geometry = !option_there(parse->wire, OPTION_VISIBILITY);
    while (parse->wire.at < parse->wire.end) {
        uint8_t type = *parse->wire.at++;
        const uint8_t *value;
        uint64_t length;

        if (packed_take(&parse->wire, &length) < 0)
            return malformed(parse->map, "option", error);
        value = bytes_take(&parse->wire, length);
        if (!value)
            return malformed(parse->map, "option", error);
        if (option_parse(parse, type, bytes_of(value, length), signs, error) < 0)
            return -1;
    }
    return 0;
}

/* One block for all arrays and names, which together are no longer than the event. */
static int memory_take(MapParse *parse, size_t length, uint8_t **signs, Error *error)
{
    TableMap *map = parse->map;
    size_t count = (size_t)map->count;
    char *block = calloc(1, count * (sizeof *map->names + sizeof *map->collation + sizeof *map->meta + 1) + length + count);

    if (!block)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a table map of %d columns", map->count);
    map->memory = block;
    map->names = (const char **)(void *)block;
    map->collation = (uint32_t *)(void *)(map->names + count);
    map->meta = (uint16_t *)(void *)(map->collation + count);
    *signs = (uint8_t *)(map->meta + count);
    parse->names = (char *)*signs + count;
    return 0;
}

int table_map_parse(const uint8_t *data, size_t length, TableMap *ret, Error *error)
{
    MapParse parse = {.map = ret, .wire = bytes_of(data, length)};
    const uint8_t *head;
    uint8_t *signs;
    uint64_t count;

    memset(ret, 0, sizeof *ret);
    head = bytes_take(&parse.wire, 8);
    if (!head || name_read(&parse.wire, ret->schema, sizeof ret->schema) < 0 || name_read(&parse.wire, ret->table, sizeof ret->table) < 0 ||
        packed_take(&parse.wire, &count) < 0 || count < 1 || count > SHAPE_COLUMNS_MAX)
        return malformed(ret, "head", error);
    ret->table_id = little_endian(head, 6);
    ret->types = bytes_take(&parse.wire, count);
    if (!ret->types)
        return malformed(ret, "list of types", error);
    ret->count = (int)count;
    if (memory_take(&parse, length, &signs, error) < 0)
        return -1;
    if (meta_parse(&parse, error) < 0)
        goto fail;
    ret->nullable = bytes_take(&parse.wire, (count + 7) / 8);
    if (!ret->nullable) {
        malformed(ret, "bitmap of nullable columns", error);
        goto fail;
    }
    if (options_parse(&parse, signs, error) < 0)
        goto fail;
    return 0;
fail:
    table_map_free(ret);
    return -1;
}

void table_map_free(TableMap *map)
{
    free(map->memory);
    map->memory = NULL;
}
