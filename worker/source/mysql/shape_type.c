/* shape_type.c - see shape_type.h */
#include "source/mysql/shape_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DECIMAL_DIGITS_MAX 38 /* of COLUMN_DECIMAL; more land as text */

/* What stands in the brackets of column_type, and what of it we keep. */
typedef enum Brackets { BRACKETS_NONE, BRACKETS_DROPPED, BRACKETS_LENGTH, BRACKETS_SCALE, BRACKETS_FRACTION, BRACKETS_VALUES } Brackets;

typedef struct KnownType {
    const char *word;
    ShapeKind kind;
    Brackets brackets;
    uint32_t length;
} KnownType;

static const KnownType known_types[] = {
    {"tinyint", SHAPE_TINYINT, BRACKETS_DROPPED, 0},
    {"smallint", SHAPE_SMALLINT, BRACKETS_DROPPED, 0},
    {"mediumint", SHAPE_MEDIUMINT, BRACKETS_DROPPED, 0},
    {"int", SHAPE_INT, BRACKETS_DROPPED, 0},
    {"bigint", SHAPE_BIGINT, BRACKETS_DROPPED, 0},
    {"decimal", SHAPE_DECIMAL, BRACKETS_SCALE, 10},
    {"float", SHAPE_FLOAT, BRACKETS_DROPPED, 0},
    {"double", SHAPE_DOUBLE, BRACKETS_DROPPED, 0},
    {"bit", SHAPE_BIT, BRACKETS_LENGTH, 1},
    {"year", SHAPE_YEAR, BRACKETS_DROPPED, 0},
    {"date", SHAPE_DATE, BRACKETS_NONE, 0},
    {"time", SHAPE_TIME, BRACKETS_FRACTION, 0},
    {"datetime", SHAPE_DATETIME, BRACKETS_FRACTION, 0},
    {"timestamp", SHAPE_TIMESTAMP, BRACKETS_FRACTION, 0},
    {"char", SHAPE_CHAR, BRACKETS_LENGTH, 1},
    {"varchar", SHAPE_VARCHAR, BRACKETS_LENGTH, 0},
    {"tinytext", SHAPE_TEXT, BRACKETS_DROPPED, 1},
    {"text", SHAPE_TEXT, BRACKETS_DROPPED, 2},
    {"mediumtext", SHAPE_TEXT, BRACKETS_DROPPED, 3},
    {"longtext", SHAPE_TEXT, BRACKETS_DROPPED, 4},
    {"binary", SHAPE_BINARY, BRACKETS_LENGTH, 1},
    {"varbinary", SHAPE_VARBINARY, BRACKETS_LENGTH, 0},
    {"tinyblob", SHAPE_BLOB, BRACKETS_DROPPED, 1},
    {"blob", SHAPE_BLOB, BRACKETS_DROPPED, 2},
    {"mediumblob", SHAPE_BLOB, BRACKETS_DROPPED, 3},
    {"longblob", SHAPE_BLOB, BRACKETS_DROPPED, 4},
    {"enum", SHAPE_ENUM, BRACKETS_VALUES, 0},
    {"set", SHAPE_SET, BRACKETS_VALUES, 0},
    {"json", SHAPE_JSON, BRACKETS_NONE, 4},
    {"geometry", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"point", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"linestring", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"polygon", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"multipoint", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"multilinestring", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"multipolygon", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"geometrycollection", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"geomcollection", SHAPE_GEOMETRY, BRACKETS_NONE, 4},
    {"uuid", SHAPE_UUID, BRACKETS_NONE, 16},
    {"inet4", SHAPE_INET4, BRACKETS_NONE, 4},
    {"inet6", SHAPE_INET6, BRACKETS_NONE, 16},
    {"vector", SHAPE_VECTOR, BRACKETS_LENGTH, 2048},
};

static const KnownType *known_type(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++) {
        if (strlen(known_types[i].word) == length && strncasecmp(known_types[i].word, text, length) == 0)
            return &known_types[i];
    }
    return NULL;
}

/* "(10,2)" at *text; *text goes behind the bracket. -1: no number where one must be. */
static int brackets_read(const char **text, unsigned long *first, unsigned long *second)
{
    char *end;

    *second = 0;
    *first = strtoul(*text + 1, &end, 10);
    if (end == *text + 1)
        return -1;
    if (*end == ',') {
        const char *number = end + 1;

        *second = strtoul(number, &end, 10);
        if (end == number)
            return -1;
    }
    if (*end != ')')
        return -1;
    *text = end + 1;
    return 0;
}

int shape_type_parse(const char *text, ShapeType *ret)
{
    size_t word = strcspn(text, "( ");
    const KnownType *known = known_type(text, word);
    unsigned long first, second;

    if (!known)
        return -1;
    *ret = (ShapeType){.kind = known->kind, .word = known->word, .length = known->length};
    text += word;
    if (known->brackets == BRACKETS_VALUES)
        return 0;
    if (*text == '(') {
        if (brackets_read(&text, &first, &second) < 0)
            return -1;
        if ((known->brackets == BRACKETS_LENGTH || known->brackets == BRACKETS_SCALE) && first <= UINT32_MAX)
            ret->length = (uint32_t)first;
        if (known->brackets == BRACKETS_SCALE && second <= DECIMAL_DIGITS_MAX)
            ret->scale = (uint8_t)second;
        if (known->brackets == BRACKETS_FRACTION) {
            if (first > 6)
                return -1;
            ret->scale = (uint8_t)first;
        }
    }
    /* zerofill makes a column unsigned; MariaDB writes both words, MySQL as well. */
    ret->is_unsigned = ret->kind <= SHAPE_DOUBLE && (strcasestr(text, "unsigned") || strcasestr(text, "zerofill"));
    return 0;
}

void shape_type_text(const ShapeType *type, char *ret, size_t size)
{
    const char *sign = type->is_unsigned ? " unsigned" : "";

    switch (type->kind) {
    case SHAPE_DECIMAL:
        snprintf(ret, size, "decimal(%u,%u)%s", type->length, type->scale, sign);
        break;
    case SHAPE_TIME:
    case SHAPE_DATETIME:
    case SHAPE_TIMESTAMP:
        if (type->scale)
            snprintf(ret, size, "%s(%u)", type->word, type->scale);
        else
            snprintf(ret, size, "%s", type->word);
        break;
    case SHAPE_BIT:
    case SHAPE_CHAR:
    case SHAPE_VARCHAR:
    case SHAPE_BINARY:
    case SHAPE_VARBINARY:
    case SHAPE_VECTOR:
        snprintf(ret, size, "%s(%u)", type->word, type->length);
        break;
    default:
        snprintf(ret, size, "%s%s", type->word, sign);
    }
}

void shape_type_lands(const ShapeType *type, ColumnType *ret, uint8_t *precision, uint8_t *scale)
{
    static const struct {
        ColumnType plain, unsigned_;
    } lands[] = {
        [SHAPE_TINYINT] = {COLUMN_INT16, COLUMN_INT16},
        [SHAPE_SMALLINT] = {COLUMN_INT16, COLUMN_INT32},
        [SHAPE_MEDIUMINT] = {COLUMN_INT32, COLUMN_INT32},
        [SHAPE_INT] = {COLUMN_INT32, COLUMN_INT64},
        [SHAPE_BIGINT] = {COLUMN_INT64, COLUMN_UINT64},
        [SHAPE_DECIMAL] = {COLUMN_DECIMAL, COLUMN_DECIMAL},
        [SHAPE_FLOAT] = {COLUMN_FLOAT32, COLUMN_FLOAT32},
        [SHAPE_DOUBLE] = {COLUMN_FLOAT64, COLUMN_FLOAT64},
        [SHAPE_BIT] = {COLUMN_UINT64, COLUMN_UINT64},
        [SHAPE_YEAR] = {COLUMN_INT16, COLUMN_INT16},
        [SHAPE_DATE] = {COLUMN_DATE, COLUMN_DATE},
        [SHAPE_TIME] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_DATETIME] = {COLUMN_TIMESTAMP, COLUMN_TIMESTAMP},
        [SHAPE_TIMESTAMP] = {COLUMN_TIMESTAMPTZ, COLUMN_TIMESTAMPTZ},
        [SHAPE_CHAR] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_VARCHAR] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_TEXT] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_BINARY] = {COLUMN_BINARY, COLUMN_BINARY},
        [SHAPE_VARBINARY] = {COLUMN_BINARY, COLUMN_BINARY},
        [SHAPE_BLOB] = {COLUMN_BINARY, COLUMN_BINARY},
        [SHAPE_ENUM] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_SET] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_JSON] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_GEOMETRY] = {COLUMN_BINARY, COLUMN_BINARY},
        [SHAPE_UUID] = {COLUMN_UUID, COLUMN_UUID},
        [SHAPE_INET4] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_INET6] = {COLUMN_STRING, COLUMN_STRING},
        [SHAPE_VECTOR] = {COLUMN_BINARY, COLUMN_BINARY},
    };

    *ret = type->is_unsigned ? lands[type->kind].unsigned_ : lands[type->kind].plain;
    *precision = 0;
    *scale = 0;
    if (type->kind == SHAPE_BIT && type->length == 1)
        *ret = COLUMN_BOOLEAN;
    if (type->kind == SHAPE_DECIMAL && type->length > DECIMAL_DIGITS_MAX)
        *ret = COLUMN_STRING;
    if (*ret == COLUMN_DECIMAL) {
        *precision = (uint8_t)type->length;
        *scale = type->scale;
    }
    if (*ret == COLUMN_TIMESTAMP || *ret == COLUMN_TIMESTAMPTZ)
        *precision = type->scale;
}

bool shape_type_large(const ShapeType *type)
{
    return type->kind == SHAPE_TEXT || type->kind == SHAPE_BLOB || type->kind == SHAPE_JSON || type->kind == SHAPE_GEOMETRY;
}
