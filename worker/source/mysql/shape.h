/*
 * shape.h - the columns of a table in the order of the log, from information_schema or from a table map, and their types.
 *
 * A shape travels as a JSON array (control/README.md, facts and shapes): one object a column with
 *   name, ordinal, source_type ("int unsigned", "decimal(10,2)", "varchar(20)", "enum", "timestamp(6)", at most 63 bytes), type, precision, scale (base/column.h),
 *   nullable, large, computed, collation, character_set, values (enum and set: the list, UTF-8), default, refused, invisible.
 * docs/mysql.md has the table of types. Types that differ from the obvious: time is text ("-838:59:59.000000"); decimal above 38
 * digits is text; bit(1) boolean, wider bits uint64; year int16; json text as MySQL prints it; geometry binary (SRID, little-endian, then WKB); timestamp is an
 * instant without offset (Field.utc); inet4 and inet6 text; uuid of MariaDB uuid.
 *
 * A log may have more columns than information_schema: row_start and row_end of a system-versioned table, behind the others, and the hash of a long unique key, where it
 * was when the key was made (MariaDB). Shapes leave them out.
 */
#ifndef SLUICE_MYSQL_SHAPE_H
#define SLUICE_MYSQL_SHAPE_H

#include "base/json.h"
#include "source/mysql/shape_type.h"

#define SHAPE_COLUMNS_MAX 4096 /* of both servers */

typedef struct ShapeColumn {
    char name[513];
    char source_type[64];
    const char *character_set; /* "" for none; belongs to the JSON the shape was parsed from */
    const cJSON *values;       /* enum, set */
    ShapeType declared;        /* source_type, parsed */
    ColumnType type;
    uint8_t precision, scale;
    bool row_end;              /* MariaDB: until when the row of a system-versioned table counted */
} ShapeColumn;

typedef struct Shape {
    ShapeColumn *columns;
    int count;
} Shape;

/* A table map event, parsed; pointers reach into the event's bytes or into `memory`. */
typedef struct TableMap {
    uint64_t table_id;
    char schema[257], table[257];
    int count;
    const uint8_t *types;    /* type codes of the log, per column */
    uint16_t *meta;          /* per column, as the type defines it */
    const uint8_t *nullable; /* bitmap */
    bool full;               /* column names are in it (binlog_row_metadata=FULL) */
    const char **names;      /* full: per column, UTF-8, 0-terminated */
    const uint8_t *is_unsigned; /* per column 0/1; NULL where the map does not say */
    uint32_t *collation;     /* per column, collation number; 0 = the map does not say */
    const uint8_t *values[2]; /* full: the lists of enum and of set columns as they came, NULL where there are none; only shape_of_map reads them */
    size_t values_length[2];
    void *memory;
} TableMap;

/* `data` must outlive *ret. ERROR_INTERNAL where the bytes are malformed, never a read beyond them. */
int table_map_parse(const uint8_t *data, size_t length, TableMap *ret, Error *error);
void table_map_free(TableMap *map);

/* columns: a shape's JSON, which must outlive *ret. */
int shape_parse(const cJSON *columns, Shape *ret, Error *error);
void shape_free(Shape *shape);
/* 0: rows under this map can be decoded by this shape. -1 and why (ERROR_PERMANENT): another count, name, sign or type. */
int shape_fits(const Shape *shape, const TableMap *map, Error *error);
/* The same of one column, whose place in the log is `index`. */
bool shape_column_fits(const ShapeColumn *column, const TableMap *map, int index);
/* A column that the server may keep for itself: by its name, or by its type where the map has no names. */
bool shape_hidden(const TableMap *map, int index);
/* As shape_fits; for each column of the log its column of the shape into ret[map->count], -1 = the server keeps it for itself. Without names it must be beyond doubt which
 * ones those are. */
int shape_join(const Shape *shape, const TableMap *map, int *ret, Error *error);
/* The shape that a full map tells, as JSON; facts a map lacks (default, uuid, inet, json of MariaDB, lengths in characters) are taken from the columns of `known`
 * (JSON) of the same name whose type fits. Caller frees. */
int shape_of_map(const TableMap *map, const cJSON *known, cJSON **ret, Error *error);
/* One column's JSON from a row of information_schema.columns. column_type is "int(10) unsigned", "enum('a','b')". NULL texts are SQL NULLs. */
typedef struct ColumnFacts {
    const char *name, *column_type, *character_set, *collation, *is_nullable, *column_default, *extra, *generation_expression;
    int ordinal;
    bool mariadb;
} ColumnFacts;
/* Members: default = text of a constant, or null; default_expression = true where no constant tells it (expressions, AUTO_INCREMENT, generated columns). */
int shape_column(const ColumnFacts *facts, cJSON **ret, Error *error);

#endif
