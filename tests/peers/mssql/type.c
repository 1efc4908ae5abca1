#include "type.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void bytes_append(Bytes *bytes, const void *data, size_t length)
{
    if (length == 0)
        return;
    if (length > bytes->capacity - bytes->length) {
        size_t capacity = bytes->capacity < 64 ? 64 : bytes->capacity;
        while (capacity - bytes->length < length)
            capacity *= 2;
        bytes->data = realloc(bytes->data, capacity);
        if (!bytes->data)
            abort();
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

void bytes_clear(Bytes *bytes)
{
    bytes->length = 0;
}

void bytes_free(Bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

typedef enum Arguments {
    ARGUMENTS_NONE,
    ARGUMENTS_DIGITS,
    ARGUMENTS_SCALE,
    ARGUMENTS_LENGTH,
    ARGUMENTS_FLOAT
} Arguments;

typedef struct Name {
    const char *name;
    Arguments arguments;
    int system_id; /* sys.types.system_type_id */
    int user_id;   /* sys.types.user_type_id: differs for the CLR types */
    int32_t max_length;
    uint8_t precision, scale;
} Name;

/* sys.types as documented; max_length, precision and scale of the types without arguments. */
static const Name names[] = {
    [TYPE_BIT] = {"bit", ARGUMENTS_NONE, 104, 104, 1, 1, 0},
    [TYPE_TINYINT] = {"tinyint", ARGUMENTS_NONE, 48, 48, 1, 3, 0},
    [TYPE_SMALLINT] = {"smallint", ARGUMENTS_NONE, 52, 52, 2, 5, 0},
    [TYPE_INT] = {"int", ARGUMENTS_NONE, 56, 56, 4, 10, 0},
    [TYPE_BIGINT] = {"bigint", ARGUMENTS_NONE, 127, 127, 8, 19, 0},
    [TYPE_DECIMAL] = {"decimal", ARGUMENTS_DIGITS, 106, 106, 9, 18, 0},
    [TYPE_NUMERIC] = {"numeric", ARGUMENTS_DIGITS, 108, 108, 9, 18, 0},
    [TYPE_MONEY] = {"money", ARGUMENTS_NONE, 60, 60, 8, 19, 4},
    [TYPE_SMALLMONEY] = {"smallmoney", ARGUMENTS_NONE, 122, 122, 4, 10, 4},
    [TYPE_REAL] = {"real", ARGUMENTS_NONE, 59, 59, 4, 24, 0},
    [TYPE_FLOAT] = {"float", ARGUMENTS_FLOAT, 62, 62, 8, 53, 0},
    [TYPE_DATE] = {"date", ARGUMENTS_NONE, 40, 40, 3, 10, 0},
    [TYPE_TIME] = {"time", ARGUMENTS_SCALE, 41, 41, 5, 16, 7},
    [TYPE_DATETIME] = {"datetime", ARGUMENTS_NONE, 61, 61, 8, 23, 3},
    [TYPE_SMALLDATETIME] = {"smalldatetime", ARGUMENTS_NONE, 58, 58, 4, 16, 0},
    [TYPE_DATETIME2] = {"datetime2", ARGUMENTS_SCALE, 42, 42, 8, 27, 7},
    [TYPE_DATETIMEOFFSET] = {"datetimeoffset", ARGUMENTS_SCALE, 43, 43, 10, 34, 7},
    [TYPE_CHAR] = {"char", ARGUMENTS_LENGTH, 175, 175, 1, 0, 0},
    [TYPE_VARCHAR] = {"varchar", ARGUMENTS_LENGTH, 167, 167, 1, 0, 0},
    [TYPE_NCHAR] = {"nchar", ARGUMENTS_LENGTH, 239, 239, 2, 0, 0},
    [TYPE_NVARCHAR] = {"nvarchar", ARGUMENTS_LENGTH, 231, 231, 2, 0, 0},
    [TYPE_BINARY] = {"binary", ARGUMENTS_LENGTH, 173, 173, 1, 0, 0},
    [TYPE_VARBINARY] = {"varbinary", ARGUMENTS_LENGTH, 165, 165, 1, 0, 0},
    [TYPE_TEXT] = {"text", ARGUMENTS_NONE, 35, 35, 16, 0, 0},
    [TYPE_NTEXT] = {"ntext", ARGUMENTS_NONE, 99, 99, 16, 0, 0},
    [TYPE_IMAGE] = {"image", ARGUMENTS_NONE, 34, 34, 16, 0, 0},
    [TYPE_UNIQUEIDENTIFIER] = {"uniqueidentifier", ARGUMENTS_NONE, 36, 36, 16, 0, 0},
    [TYPE_XML] = {"xml", ARGUMENTS_NONE, 241, 241, -1, 0, 0},
    [TYPE_ROWVERSION] = {"timestamp", ARGUMENTS_NONE, 189, 189, 8, 0, 0},
    [TYPE_SQL_VARIANT] = {"sql_variant", ARGUMENTS_NONE, 98, 98, 8016, 0, 0},
    [TYPE_HIERARCHYID] = {"hierarchyid", ARGUMENTS_NONE, 240, 128, 892, 0, 0},
    [TYPE_GEOMETRY] = {"geometry", ARGUMENTS_NONE, 240, 129, -1, 0, 0},
    [TYPE_GEOGRAPHY] = {"geography", ARGUMENTS_NONE, 240, 130, -1, 0, 0},
};

static const struct {
    const char *synonym;
    SqlType type;
} synonyms[] = {
    {"rowversion", TYPE_ROWVERSION}, {"integer", TYPE_INT},          {"dec", TYPE_DECIMAL},
    {"character", TYPE_CHAR},        {"sysname", TYPE_NVARCHAR},     {"double precision", TYPE_FLOAT},
    {"national char", TYPE_NCHAR},   {"char varying", TYPE_VARCHAR}, {"character varying", TYPE_VARCHAR},
};

static int fail(SqlError *error, int32_t number, const char *text, const char *name)
{
    *error = (SqlError){.number = number, .state = 1, .severity = 15};
    snprintf(error->text, sizeof error->text, text, name);
    return -1;
}

static int name_find(const char *name, SqlType *ret)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].name, name) == 0) {
            *ret = (SqlType)i;
            return 0;
        }
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strcasecmp(synonyms[i].synonym, name) == 0) {
            *ret = synonyms[i].type;
            return 0;
        }
    return -1;
}

static int digits_apply(const char *name, int precision, int scale, TypeInfo *ret, SqlError *error)
{
    if (precision == -1)
        precision = 18;
    if (scale == -1)
        scale = 0;
    if (precision < 1 || precision > 38)
        return fail(error, 1007,
                    "The number given as the precision of the %s is out of the range for numeric representation "
                    "(maximum precision 38).",
                    name);
    if (scale < 0 || scale > precision)
        return fail(error, 192, "The scale of the %s must be less than or equal to the precision.", name);
    ret->precision = (uint8_t)precision;
    ret->scale = (uint8_t)scale;
    ret->max_length = precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17;
    return 0;
}

static int scale_apply(const char *name, int scale, TypeInfo *ret, SqlError *error)
{
    if (scale == -1)
        scale = 7;
    if (scale < 0 || scale > 7)
        return fail(error, 1002, "Specified scale is invalid for the %s; it may be 0 to 7.", name);
    int time_size = scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
    int whole = ret->type == TYPE_TIME ? 8 : ret->type == TYPE_DATETIME2 ? 19 : 26;
    int more = ret->type == TYPE_TIME ? 0 : ret->type == TYPE_DATETIME2 ? 3 : 5;
    ret->scale = (uint8_t)scale;
    ret->precision = (uint8_t)(whole + (scale ? scale + 1 : 0));
    ret->max_length = time_size + more;
    return 0;
}

static int length_apply(const char *name, int length, TypeInfo *ret, SqlError *error)
{
    int unit = ret->type == TYPE_NCHAR || ret->type == TYPE_NVARCHAR ? 2 : 1;
    bool varying = ret->type == TYPE_VARCHAR || ret->type == TYPE_NVARCHAR || ret->type == TYPE_VARBINARY;

    if (length == -1)
        length = 1;
    if (length == -2 && varying) {
        ret->max_length = -1;
        return 0;
    }
    if (length < 1)
        return fail(error, 1001, "Length or precision specification 0 is invalid for %s.", name);
    if (length * unit > 8000)
        return fail(error, 131, "The size given to the type '%s' exceeds the maximum allowed for any data type (8000).",
                    name);
    ret->max_length = length * unit;
    return 0;
}

int type_parse(const char *name, int length_or_precision, int scale, TypeInfo *ret, SqlError *error)
{
    memset(ret, 0, sizeof *ret);
    if (name_find(name, &ret->type) != 0)
        return fail(error, 243, "Type %s is not a defined system type.", name);
    const Name *entry = &names[ret->type];
    ret->max_length = entry->max_length;
    ret->precision = entry->precision;
    ret->scale = entry->scale;
    switch (ret->type) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_NCHAR:
    case TYPE_NVARCHAR:
    case TYPE_TEXT:
    case TYPE_NTEXT:
        strcpy(ret->collation, "SQL_Latin1_General_CP1_CI_AS");
        break;
    default:
        break;
    }
    if (strcasecmp(name, "sysname") == 0) {
        ret->max_length = 256;
        return 0;
    }
    switch (entry->arguments) {
    case ARGUMENTS_DIGITS:
        return digits_apply(name, length_or_precision, scale, ret, error);
    case ARGUMENTS_SCALE:
        return scale_apply(name, length_or_precision, ret, error);
    case ARGUMENTS_LENGTH:
        return length_apply(name, length_or_precision, ret, error);
    case ARGUMENTS_FLOAT:
        if (length_or_precision == 0 || length_or_precision > 53 || length_or_precision == -2)
            return fail(error, 2750, "The precision given to the %s is not from 1 to 53.", name);
        if (length_or_precision > 0 && length_or_precision <= 24)
            *ret = (TypeInfo){.type = TYPE_REAL, .max_length = 4, .precision = 24};
        return 0;
    default:
        return length_or_precision == -1 ? 0
                                         : fail(error, 2716, "Cannot specify a column width on data type %s.", name);
    }
}

const char *type_name(const TypeInfo *type)
{
    return names[type->type].name;
}

int type_system_id(const TypeInfo *type)
{
    return names[type->type].system_id;
}

int type_user_id(const TypeInfo *type)
{
    return names[type->type].user_id;
}
