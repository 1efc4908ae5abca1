/*
 * shape_type.h - the types of both servers as information_schema.columns.column_type writes them, and what each lands as.
 *
 * Facts: MySQL manual, "Data Types"; MariaDB knowledge base, "Data Types".
 */
#ifndef SLUICE_MYSQL_SHAPE_TYPE_H
#define SLUICE_MYSQL_SHAPE_TYPE_H

#include "base/column.h"

typedef enum ShapeKind {
    SHAPE_TINYINT,
    SHAPE_SMALLINT,
    SHAPE_MEDIUMINT,
    SHAPE_INT,
    SHAPE_BIGINT,
    SHAPE_DECIMAL,
    SHAPE_FLOAT,
    SHAPE_DOUBLE,
    SHAPE_BIT,
    SHAPE_YEAR,
    SHAPE_DATE,
    SHAPE_TIME,
    SHAPE_DATETIME,
    SHAPE_TIMESTAMP,
    SHAPE_CHAR,
    SHAPE_VARCHAR,
    SHAPE_TEXT,
    SHAPE_BINARY,
    SHAPE_VARBINARY,
    SHAPE_BLOB,
    SHAPE_ENUM,
    SHAPE_SET,
    SHAPE_JSON,
    SHAPE_GEOMETRY,
    SHAPE_UUID,
    SHAPE_INET4,
    SHAPE_INET6,
    SHAPE_VECTOR
} ShapeKind;

typedef struct ShapeType {
    ShapeKind kind;
    const char *word;     /* "mediumtext", "point": the type's own name */
    bool is_unsigned;
    uint32_t length;      /* characters, bytes, bits or digits, as the kind counts; of a text or blob the bytes of its length (1 to 4) */
    uint8_t scale;        /* decimal: scale; temporal types: fractional digits */
} ShapeType;

/* text: "int(10) unsigned zerofill", "enum('a','b')", also the shorter form of ShapeColumn.source_type. -1: a type unknown to us. */
int shape_type_parse(const char *text, ShapeType *ret);
/* The form without display width and values: "int unsigned", "decimal(10,2)", "enum". */
void shape_type_text(const ShapeType *type, char *ret, size_t size);
/* How values of the type land. */
void shape_type_lands(const ShapeType *type, ColumnType *ret, uint8_t *precision, uint8_t *scale);
/* May be of any size: "large" of the contract. */
bool shape_type_large(const ShapeType *type);

#endif
