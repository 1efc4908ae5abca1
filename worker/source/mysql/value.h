/*
 * value.h - one column of the log's rows: how long its values are and how they become a field's.
 *
 * What can be known of a column before its values come is decided once, by value_choose: then a value costs one call and no look-up.
 * Formats of the values: MySQL source documentation, Rows_event and Table_map_event; MariaDB sql/field.cc for what only it has.
 */
#ifndef SLUICE_MYSQL_VALUE_H
#define SLUICE_MYSQL_VALUE_H

#include "source/mysql/charset.h"
#include "source/mysql/shape.h"

typedef struct Value Value;

/* Stores `data` as the field's value in the row under construction. `length` bytes may be read; that they are enough is the function's to check
 * where the column has no width. */
typedef int (*ValueDecode)(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error);

typedef struct ValueText {
    const char *text;
    size_t length;
} ValueText;

struct Value {
    ValueDecode decode;   /* NULL: the column does not land */
    int field;            /* in the batch */
    uint32_t width;       /* bytes of a value; 0: its length stands before it */
    uint8_t prefix;       /* bytes of that length, little-endian */
    uint8_t bytes;        /* of a number, a fraction, an enum's index */
    uint8_t precision, scale;
    ValueDecode inner;    /* of a compressed column: what decodes it when it is unpacked */
    uint32_t padded;      /* binary(n): n, since the log drops zero bytes at the end */
    ValueText *texts;     /* enum, set: the members; belongs to the value */
    int texts_count;
    Charset *charset;     /* NULL: UTF-8 already; belongs to the value */
    Buffer *scratch;      /* of the plan: for what is not stored as it came */
    int64_t *nulled;
};

/* What a value is made from, besides its column. */
typedef struct ValueSpec {
    const TableMap *map;
    int index;                  /* in the log */
    const ShapeColumn *column;  /* NULL: only its length is of interest */
    const Schema *schema;
    int field;                  /* -1: it does not land */
    Buffer *scratch;
    int64_t *nulled;
} ValueSpec;

/* ERROR_PERMANENT where the column cannot land as the field wants it. value_free after it, also where it failed. */
int value_choose(const ValueSpec *spec, Value *ret, Error *error);
void value_free(Value *value);

/* The rooms it is composed of: each fills ret->decode for the kinds it knows. */
int value_number_choose(const ValueSpec *spec, Value *ret);
int value_time_choose(const ValueSpec *spec, Value *ret);
int value_text_choose(const ValueSpec *spec, Value *ret, Error *error);

/* Bytes of a decimal in the log. */
uint32_t value_decimal_width(unsigned precision, unsigned scale);
/* Its text into ret; where it begins there is returned, a 0 byte ends it. */
#define VALUE_DECIMAL_TEXT 160
const char *value_decimal_text(const uint8_t *data, unsigned precision, unsigned scale, char ret[VALUE_DECIMAL_TEXT]);
/* Names the column: its bytes are not what they must be. */
static inline int value_malformed(const Value *value, const ColumnBatch *batch, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "a value of column \"%.200s\" is malformed in the log", batch->schema->fields[value->field].source_name);
}

#endif
