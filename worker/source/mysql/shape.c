/* shape.c - see shape.h */
#include "source/mysql/shape.h"
#include "source/mysql/shape_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int column_parse(const cJSON *column, ShapeColumn *ret, Error *error)
{
    const char *name, *source_type, *type;

    if (json_need_text(column, "name", &name, error) < 0 || json_need_text(column, "source_type", &source_type, error) < 0 ||
        json_need_text(column, "type", &type, error) < 0)
        return -1;
    snprintf(ret->name, sizeof ret->name, "%s", name);
    snprintf(ret->source_type, sizeof ret->source_type, "%s", source_type);
    ret->character_set = json_text(column, "character_set", "");
    ret->values = json_member(column, "values");
    ret->precision = (uint8_t)json_integer(column, "precision", 0);
    ret->scale = (uint8_t)json_integer(column, "scale", 0);
    ret->row_end = strcmp(json_text(column, "computed", ""), "ROW END") == 0;
    if (column_type_parse(type, &ret->type) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "column %.200s has the unknown type %.40s", name, type);
    /* A type we cannot decode stays a column of the table; only landing it is refused. */
    if (shape_type_parse(source_type, &ret->declared) < 0)
        ret->declared.word = NULL;
    return 0;
}

int shape_parse(const cJSON *columns, Shape *ret, Error *error)
{
    int count = cJSON_GetArraySize(columns), index = 0;
    const cJSON *column;
    ShapeColumn *list;

    if (count < 1 || count > SHAPE_COLUMNS_MAX)
        return error_set(error, ERROR_INTERNAL, NULL, "a table of %d columns cannot be (1 to %d can)", count, SHAPE_COLUMNS_MAX);
    list = calloc((size_t)count, sizeof *list);
    if (!list)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", count);
    cJSON_ArrayForEach(column, columns) {
        if (column_parse(column, &list[index++], error) < 0) {
            free(list);
            return -1;
        }
    }
    *ret = (Shape){.columns = list, .count = count};
    return 0;
}

void shape_free(Shape *shape)
{
    free(shape->columns);
    *shape = (Shape){0};
}

static bool temporal_fits(const ShapeType *type, const TableMap *map, int index, uint8_t plain, uint8_t fraction)
{
    return map->types[index] == plain || (map->types[index] == fraction && map->meta[index] == type->scale);
}

static bool code_fits(const ShapeType *type, const TableMap *map, int index)
{
    static const uint8_t same[] = {
        [SHAPE_TINYINT] = CODE_TINY, [SHAPE_SMALLINT] = CODE_SHORT, [SHAPE_MEDIUMINT] = CODE_INT24, [SHAPE_INT] = CODE_LONG,
        [SHAPE_BIGINT] = CODE_LONGLONG, [SHAPE_FLOAT] = CODE_FLOAT, [SHAPE_DOUBLE] = CODE_DOUBLE, [SHAPE_YEAR] = CODE_YEAR,
    };
    uint16_t meta = map->meta[index];
    uint8_t code = shape_code_real(map->types[index], meta);

    switch (type->kind) {
    case SHAPE_DECIMAL:
        return code == CODE_NEWDECIMAL && meta >> 8 == type->length && (meta & 0xff) == type->scale;
    case SHAPE_BIT:
        return code == CODE_BIT && (uint32_t)(meta >> 8) * 8 + (meta & 0xff) == type->length;
    case SHAPE_DATE:
        return code == CODE_DATE || code == CODE_NEWDATE;
    case SHAPE_TIME:
        return temporal_fits(type, map, index, CODE_TIME, CODE_TIME2);
    case SHAPE_DATETIME:
        return temporal_fits(type, map, index, CODE_DATETIME, CODE_DATETIME2);
    case SHAPE_TIMESTAMP:
        return temporal_fits(type, map, index, CODE_TIMESTAMP, CODE_TIMESTAMP2);
    case SHAPE_CHAR:
    case SHAPE_BINARY:
        return code == CODE_STRING;
    case SHAPE_UUID:
    case SHAPE_INET4:
    case SHAPE_INET6:
        return code == CODE_STRING && meta == (CODE_STRING << 8 | type->length);
    case SHAPE_VARCHAR:
    case SHAPE_VARBINARY:
        return code == CODE_VARCHAR || code == CODE_VAR_STRING || code == CODE_VARCHAR_COMPRESSED;
    case SHAPE_TEXT:
    case SHAPE_BLOB:
        return code == CODE_BLOB || code == CODE_BLOB_COMPRESSED;
    case SHAPE_JSON:
        return code == CODE_JSON;
    case SHAPE_GEOMETRY:
        return code == CODE_GEOMETRY;
    case SHAPE_ENUM:
        return code == CODE_ENUM;
    case SHAPE_SET:
        return code == CODE_SET;
    case SHAPE_VECTOR:
        return code == CODE_VECTOR || code == CODE_VARCHAR;
    default:
        return code == same[type->kind];
    }
}

bool shape_column_fits(const ShapeColumn *column, const TableMap *map, int index)
{
    if (!column->declared.word)
        return true; /* unknown to us: never decoded */
    if (!code_fits(&column->declared, map, index))
        return false;
    return !map->is_unsigned || column->declared.kind > SHAPE_DOUBLE || map->is_unsigned[index] == column->declared.is_unsigned;
}

static bool is_hash(const TableMap *map, int index)
{
    return map->types[index] == CODE_LONGLONG && (map->nullable[index / 8] >> index % 8 & 1) &&
           (!map->full || strncmp(map->names[index], "DB_ROW_HASH_", 12) == 0);
}

/* One of the last two columns, but for hashes. */
static bool is_stamp(const TableMap *map, int index)
{
    bool null = map->nullable[index / 8] >> index % 8 & 1;
    int last = map->count - 1;

    if (null || (map->types[index] != CODE_TIMESTAMP && (map->types[index] != CODE_TIMESTAMP2 || map->meta[index] != 6)))
        return false;
    while (last > index && is_hash(map, last))
        last--;
    return index >= last - 1 && (!map->full || strcmp(map->names[index], index == last ? "row_end" : "row_start") == 0);
}

bool shape_hidden(const TableMap *map, int index)
{
    return is_stamp(map, index) || is_hash(map, index);
}

static const char misfit_hint[] =
    "CALL sluice.refresh of the source reads the columns again; SET GLOBAL binlog_row_metadata = FULL lets the log tell them.";

static int misfit(const Shape *shape, const TableMap *map, int index, int column, Error *error)
{
    if (column >= shape->count || index >= map->count)
        return error_set(error, ERROR_PERMANENT, misfit_hint, "the log has %d columns of %.200s.%.200s, %d are known", map->count, map->schema, map->table,
                         shape->count);
    if (map->full && strcmp(map->names[index], shape->columns[column].name) != 0)
        return error_set(error, ERROR_PERMANENT, misfit_hint, "column %d of %.200s.%.200s is %.64s in the log, not %.64s", index + 1, map->schema, map->table,
                         map->names[index], shape->columns[column].name);
    return error_set(error, ERROR_PERMANENT, misfit_hint, "column %.64s of %.200s.%.200s is %s, but comes in the log as type %d (%d)%s",
                     shape->columns[column].name, map->schema, map->table, shape->columns[column].source_type, map->types[index], map->meta[index],
                     map->is_unsigned && map->is_unsigned[index] ? " unsigned" : "");
}

static bool column_is(const Shape *shape, const TableMap *map, int index, int column)
{
    return column < shape->count && (!map->full || strcmp(map->names[index], shape->columns[column].name) == 0) &&
           shape_column_fits(&shape->columns[column], map, index);
}

/* Without names a hash could be taken for the bigint beside it: then nobody knows which is which. */
static bool hash_in_doubt(const Shape *shape, const TableMap *map, int index, int column)
{
    if (map->full || map->types[index] != CODE_LONGLONG)
        return false;
    return (column > 0 && shape->columns[column - 1].declared.kind == SHAPE_BIGINT) || (column < shape->count && shape->columns[column].declared.kind == SHAPE_BIGINT);
}

int shape_join(const Shape *shape, const TableMap *map, int *ret, Error *error)
{
    int column = 0, more = map->count - shape->count;

    for (int i = 0; i < map->count; i++) {
        if (column_is(shape, map, i, column)) {
            ret[i] = column++;
            continue;
        }
        if (more <= 0 || !shape_hidden(map, i) || hash_in_doubt(shape, map, i, column))
            return misfit(shape, map, i, column, error);
        ret[i] = -1;
        more--;
    }
    return column < shape->count ? misfit(shape, map, map->count, column, error) : 0;
}

int shape_fits(const Shape *shape, const TableMap *map, Error *error)
{
    int columns[SHAPE_COLUMNS_MAX];

    return shape_join(shape, map, columns, error);
}
