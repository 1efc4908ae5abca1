/*
 * shape_column.c - one column of information_schema as the contract tells it: type, members, default, why it is refused.
 *
 * COLUMN_DEFAULT: MariaDB (10.2.7 on) writes an SQL expression, so that a text stands in quotes and NULL is a word; MySQL writes the bare value and
 * says DEFAULT_GENERATED in EXTRA where it is an expression.
 */
#include "source/mysql/charset.h"
#include "source/mysql/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the servers write for a character that cannot stand in quotes as it is: append_unescaped() of both. */
static char unescaped(char letter)
{
    switch (letter) {
    case '0':
        return '\0';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'Z':
        return '\032';
    default:
        return letter;
    }
}

/* 'it''s' at *text, unquoted and malloc'ed; *text goes behind it. NULL: no quoted text is there. */
static char *quoted_take(const char **text)
{
    const char *at = *text;
    char *ret, *to;

    if (*at++ != '\'')
        return NULL;
    ret = malloc(strlen(at) + 1);
    if (!ret)
        return NULL;
    for (to = ret; *at; at++) {
        if (*at == '\\' && at[1])
            *to++ = unescaped(*++at);
        else if (*at != '\'')
            *to++ = *at;
        else if (at[1] == '\'')
            *to++ = *at++;
        else
            break;
    }
    if (*at != '\'') {
        free(ret);
        return NULL;
    }
    *to = '\0';
    *text = at + 1;
    return ret;
}

/* The members of "enum('a','b')"; NULL where they cannot be read. */
static cJSON *members_parse(const char *column_type)
{
    const char *at = strchr(column_type, '(');
    cJSON *list = cJSON_CreateArray();

    while (list && at && (*at == '(' || *at == ',')) {
        char *text;

        at++;
        text = quoted_take(&at);
        if (!text || !cJSON_AddItemToArray(list, cJSON_CreateString(text)))
            at = NULL;
        free(text);
    }
    if (list && at && *at == ')')
        return list;
    cJSON_Delete(list);
    return NULL;
}

static bool is_number(const char *text)
{
    char *end;

    (void)strtod(text, &end);
    return end != text && *end == '\0';
}

/* b'101' */
static bool bits_read(const char *text, unsigned long long *ret)
{
    char *end;

    if ((text[0] != 'b' && text[0] != 'B') || text[1] != '\'')
        return false;
    *ret = strtoull(text + 2, &end, 2);
    return end > text + 2 && *end == '\'' && end[1] == '\0';
}

static bool is_temporal(ShapeKind kind)
{
    return kind >= SHAPE_DATE && kind <= SHAPE_TIMESTAMP;
}

static bool is_bytes(ShapeKind kind)
{
    return kind == SHAPE_BINARY || kind == SHAPE_VARBINARY || kind == SHAPE_BLOB || kind == SHAPE_GEOMETRY || kind == SHAPE_VECTOR;
}

static int text_add(cJSON *column, const char *name, const char *text)
{
    return cJSON_AddStringToObject(column, name, text) ? 0 : -1;
}

static int expression_add(cJSON *column)
{
    return cJSON_AddBoolToObject(column, "default_expression", true) ? 0 : -1;
}

/* `text` is a constant of the type, without quotes. */
static int constant_add(cJSON *column, const ShapeType *type, const char *text)
{
    unsigned long long bits = 0;
    char number[24];

    if (is_bytes(type->kind))
        return expression_add(column); /* the servers do not write bytes in one way */
    if (type->kind >= SHAPE_DATE && type->kind <= SHAPE_TIMESTAMP && type->kind != SHAPE_TIME && strncmp(text, "0000-00-00", 10) == 0)
        return cJSON_AddNullToObject(column, "default") ? 0 : -1;
    if (type->kind != SHAPE_BIT)
        return text_add(column, "default", text);
    if (!bits_read(text, &bits))
        bits = strtoull(text, NULL, 10);
    if (type->length == 1)
        return text_add(column, "default", bits ? "true" : "false");
    snprintf(number, sizeof number, "%llu", bits);
    return text_add(column, "default", number);
}

/* What rows that were there get when a column is added NOT NULL and without a default. */
static int implicit_add(cJSON *column, const ShapeType *type)
{
    const cJSON *first;

    switch (type->kind) {
    case SHAPE_DATE:
    case SHAPE_DATETIME:
    case SHAPE_TIMESTAMP:
        return cJSON_AddNullToObject(column, "default") ? 0 : -1;
    case SHAPE_TIME:
        return text_add(column, "default", "00:00:00");
    case SHAPE_ENUM:
        first = cJSON_GetArrayItem(json_member(column, "values"), 0);
        return text_add(column, "default", cJSON_IsString(first) ? first->valuestring : "");
    case SHAPE_CHAR:
    case SHAPE_VARCHAR:
    case SHAPE_TEXT:
    case SHAPE_SET:
        return text_add(column, "default", "");
    case SHAPE_JSON:
        return text_add(column, "default", "null");
    case SHAPE_UUID:
        return text_add(column, "default", "00000000-0000-0000-0000-000000000000");
    case SHAPE_INET4:
        return text_add(column, "default", "0.0.0.0");
    case SHAPE_INET6:
        return text_add(column, "default", "::");
    default:
        return is_bytes(type->kind) ? expression_add(column) : constant_add(column, type, "0");
    }
}

static int mariadb_default_add(cJSON *column, const ShapeType *type, const char *text)
{
    unsigned long long bits;
    const char *at = text;
    char *constant;
    int status;

    if (strcasecmp(text, "NULL") == 0)
        return cJSON_AddNullToObject(column, "default") ? 0 : -1;
    if (is_number(text) || bits_read(text, &bits))
        return constant_add(column, type, text);
    constant = quoted_take(&at);
    status = constant && *at == '\0' ? constant_add(column, type, constant) : expression_add(column);
    free(constant);
    return status;
}

static bool is_nullable(const ColumnFacts *facts)
{
    return facts->is_nullable && strcasecmp(facts->is_nullable, "YES") == 0;
}

static int default_add(cJSON *column, const ColumnFacts *facts, const ShapeType *type)
{
    const char *text = facts->column_default, *extra = facts->extra ? facts->extra : "";

    if (strcasestr(extra, "auto_increment") || strcasestr(extra, "GENERATED"))
        return expression_add(column);
    if (!text)
        return is_nullable(facts) ? (cJSON_AddNullToObject(column, "default") ? 0 : -1) : implicit_add(column, type);
    if (is_temporal(type->kind) && (strncasecmp(text, "current_timestamp", 17) == 0 || strncasecmp(text, "curdate", 7) == 0))
        return expression_add(column);
    return facts->mariadb ? mariadb_default_add(column, type, text) : constant_add(column, type, text);
}

/* What we cannot decode or convert, said once at registration. */
static int refused_add(cJSON *column, const ColumnFacts *facts, const ShapeType *type)
{
    char reason[200] = "";

    if (!type)
        snprintf(reason, sizeof reason, "the type %.100s is not known", facts->column_type);
    else if (type->kind >= SHAPE_CHAR && type->kind <= SHAPE_TEXT && facts->character_set && !charset_known(facts->character_set))
        snprintf(reason, sizeof reason, "the character set %.64s cannot be converted to UTF-8", facts->character_set);
    else if (type->kind == SHAPE_BIGINT && facts->generation_expression && strncmp(facts->generation_expression, "ROW ", 4) == 0)
        snprintf(reason, sizeof reason, "the server logs statements, not rows, of a table whose versions are told by transaction numbers");
    else if ((type->kind == SHAPE_ENUM || type->kind == SHAPE_SET) && !json_member(column, "values"))
        snprintf(reason, sizeof reason, "the members of %.100s cannot be read", facts->column_type);
    if (!reason[0])
        return cJSON_AddNullToObject(column, "refused") ? 0 : -1;
    return text_add(column, "refused", reason);
}

static int optional_add(cJSON *column, const char *name, const char *text)
{
    if (text && *text)
        return text_add(column, name, text);
    return cJSON_AddNullToObject(column, name) ? 0 : -1;
}

int shape_type_add(cJSON *column, const ShapeType *type)
{
    char source_type[64];
    ColumnType lands;
    uint8_t precision, scale;

    shape_type_text(type, source_type, sizeof source_type);
    shape_type_lands(type, &lands, &precision, &scale);
    return text_add(column, "source_type", source_type) < 0 || text_add(column, "type", column_type_name(lands)) < 0 ||
                   !cJSON_AddNumberToObject(column, "precision", precision) || !cJSON_AddNumberToObject(column, "scale", scale) ||
                   !cJSON_AddBoolToObject(column, "large", shape_type_large(type))
               ? -1
               : 0;
}

static int unknown_add(cJSON *column, const char *column_type)
{
    char source_type[64];

    snprintf(source_type, sizeof source_type, "%s", column_type);
    return text_add(column, "source_type", source_type) < 0 || text_add(column, "type", column_type_name(COLUMN_STRING)) < 0 ? -1 : 0;
}

static int facts_add(cJSON *column, const ColumnFacts *facts, const ShapeType *type)
{
    const char *extra = facts->extra ? facts->extra : "";

    if (text_add(column, "name", facts->name) < 0 || !cJSON_AddNumberToObject(column, "ordinal", facts->ordinal))
        return -1;
    if (type ? shape_type_add(column, type) < 0
             : unknown_add(column, facts->column_type) < 0)
        return -1;
    if (!cJSON_AddBoolToObject(column, "nullable", is_nullable(facts)) ||
        optional_add(column, "computed", facts->generation_expression) < 0 || optional_add(column, "collation", facts->collation) < 0 ||
        optional_add(column, "character_set", facts->character_set) < 0 || !cJSON_AddBoolToObject(column, "invisible", strcasestr(extra, "INVISIBLE") != NULL))
        return -1;
    if (type && (type->kind == SHAPE_ENUM || type->kind == SHAPE_SET)) {
        cJSON *members = members_parse(facts->column_type);

        if (members && !cJSON_AddItemToObject(column, "values", members))
            return -1;
    }
    if (type && default_add(column, facts, type) < 0)
        return -1;
    return refused_add(column, facts, type);
}

int shape_column(const ColumnFacts *facts, cJSON **ret, Error *error)
{
    cJSON *column = cJSON_CreateObject();
    ShapeType type;
    bool known = shape_type_parse(facts->column_type, &type) == 0;

    if (!column || facts_add(column, facts, known ? &type : NULL) < 0) {
        cJSON_Delete(column);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for column \"%.200s\"", facts->name);
    }
    *ret = column;
    return 0;
}
