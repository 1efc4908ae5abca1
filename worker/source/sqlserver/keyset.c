/* keyset.c - see keyset.h */
#include "source/sqlserver/keyset.h"

#include <stdio.h>
#include <string.h>

static const cJSON *column_named(const cJSON *columns, const char *name)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, columns)
    {
        if (strcmp(json_text(column, "source_name", json_text(column, "name", "")), name) == 0)
            return column;
    }
    return NULL;
}

/* A schema without source types still gives a conversion that compares rightly, if with less use of the index. */
static void type_default(Field *field)
{
    static const char *const words[] = {[COLUMN_BOOLEAN] = "bit",
                                        [COLUMN_INT16] = "smallint",
                                        [COLUMN_INT32] = "int",
                                        [COLUMN_INT64] = "bigint",
                                        [COLUMN_UINT64] = "decimal(20)",
                                        [COLUMN_FLOAT32] = "real",
                                        [COLUMN_FLOAT64] = "float(53)",
                                        [COLUMN_DATE] = "date",
                                        [COLUMN_TIME] = "time(7)",
                                        [COLUMN_TIMESTAMP] = "datetime2(7)",
                                        [COLUMN_TIMESTAMPTZ] = "datetimeoffset(7)",
                                        [COLUMN_STRING] = "nvarchar(4000)",
                                        [COLUMN_BINARY] = "varbinary(8000)",
                                        [COLUMN_UUID] = "uniqueidentifier",
                                        [COLUMN_DECIMAL] = NULL};

    if (words[field->type])
        snprintf(field->source_type, sizeof field->source_type, "%s", words[field->type]);
    else
        snprintf(field->source_type, sizeof field->source_type, "decimal(%d,%d)", field->precision, field->scale);
}

/* The type stands in the statement's text: only what a type's name is made of may pass. */
static int type_text_check(const char *text, Error *error)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_(),") != strlen(text))
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no type of SQL Server", text);
    return 0;
}

static int collation_check(const char *text, Error *error)
{
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(text))
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no collation of SQL Server", text);
    return 0;
}

static int column_read(const cJSON *key, const cJSON *columns, KeyColumn *ret, Error *error)
{
    const char *name, *type;
    const cJSON *column;

    memset(ret, 0, sizeof *ret);
    if (cJSON_IsString(key))
        name = key->valuestring;
    else if (json_need_text(key, "name", &name, error) < 0)
        return -1;
    column = column_named(columns, name);
    type = json_text(key, "type", json_text(column, "type", ""));
    if (column_type_parse(type, &ret->field.type) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the key column \"%.100s\" has the unknown type \"%.40s\"", name,
                         type);
    snprintf(ret->field.name, sizeof ret->field.name, "%s", name);
    snprintf(ret->field.source_name, sizeof ret->field.source_name, "%s", name);
    ret->field.precision = (uint8_t)json_integer(key, "precision", json_integer(column, "precision", 0));
    ret->field.scale = (uint8_t)json_integer(key, "scale", json_integer(column, "scale", 0));
    snprintf(ret->field.source_type, sizeof ret->field.source_type, "%s",
             json_text(key, "source_type", json_text(column, "source_type", "")));
    if (!ret->field.source_type[0])
        type_default(&ret->field);
    snprintf(ret->collation, sizeof ret->collation, "%s",
             json_text(key, "collation", json_text(column, "collation", "")));
    ret->descending = json_boolean(key, "descending", false);
    if (type_text_check(ret->field.source_type, error) < 0)
        return -1;
    return collation_check(ret->collation, error);
}

int keyset_read(const cJSON *keys, const cJSON *columns, Keyset *ret, Error *error)
{
    const cJSON *key;

    ret->count = 0;
    cJSON_ArrayForEach(key, keys)
    {
        if (ret->count == KEY_COLUMNS_MAX)
            return error_set(error, ERROR_INTERNAL, NULL, "a key has more than %d columns", KEY_COLUMNS_MAX);
        if (column_read(key, columns, &ret->columns[ret->count], error) < 0)
            return -1;
        ret->count++;
    }
    return 0;
}

static int bound_value(const KeyColumn *column, char letter, int number, Buffer *text, Error *error)
{
    const Field *field = &column->field;
    bool rowversion = strcmp(field->source_type, "timestamp") == 0 || strcmp(field->source_type, "rowversion") == 0;
    const char *type = rowversion ? "binary(8)" : field->source_type;

    if (field->type == COLUMN_STRING) {
        /* An empty text travels as NULL; a key column holds no NULL. */
        if (buffer_format(text, error, "CONVERT(%s, ISNULL(@%c%d, N'')", type, letter, number) < 0)
            return -1;
        if (column->collation[0] && buffer_format(text, error, " COLLATE %s", column->collation) < 0)
            return -1;
        return buffer_text(text, ")", error);
    }
    if (field->type == COLUMN_BINARY)
        return buffer_format(text, error, "CONVERT(%s, @%c%d, 1)", type, letter, number);
    if (field->type == COLUMN_TIMESTAMP)
        return buffer_format(text, error, "CONVERT(%s, @%c%d, 126)", type, letter, number);
    return buffer_format(text, error, "CONVERT(%s, @%c%d)", type, letter, number);
}

static int compare(const Keyset *keyset, int index, const char *word, char letter, Buffer *text, Error *error)
{
    if (text_name(text, keyset->columns[index].field.source_name, error) < 0 ||
        buffer_format(text, error, " %s ", word) < 0)
        return -1;
    return bound_value(&keyset->columns[index], letter, index + 1, text, error);
}

/* (k1 > @f1 OR (k1 = @f1 AND (k2 > @f2 OR ...))), with a leading k1 >= @f1 that an index can seek. */
int keyset_bound(const Keyset *keyset, char letter, Buffer *text, Error *error)
{
    bool upper = letter == 't';
    int last = keyset->count - 1;

    if (keyset->count > 1) {
        if (compare(keyset, 0, upper != keyset->columns[0].descending ? "<=" : ">=", letter, text, error) < 0 ||
            buffer_text(text, " AND ", error) < 0)
            return -1;
    }
    for (int i = 0; i < last; i++) {
        if (buffer_text(text, "(", error) < 0 ||
            compare(keyset, i, upper != keyset->columns[i].descending ? "<" : ">", letter, text, error) < 0 ||
            buffer_text(text, " OR (", error) < 0 || compare(keyset, i, "=", letter, text, error) < 0 ||
            buffer_text(text, " AND ", error) < 0)
            return -1;
    }
    if (upper ? compare(keyset, last, keyset->columns[last].descending ? ">=" : "<=", letter, text, error) < 0
              : compare(keyset, last, keyset->columns[last].descending ? "<" : ">", letter, text, error) < 0)
        return -1;
    for (int i = 0; i < last; i++) {
        if (buffer_text(text, "))", error) < 0)
            return -1;
    }
    return 0;
}

int keyset_equal(const Keyset *keyset, Buffer *text, Error *error)
{
    for (int i = 0; i < keyset->count; i++) {
        if ((i && buffer_text(text, " AND ", error) < 0) || compare(keyset, i, "=", 'f', text, error) < 0)
            return -1;
    }
    return 0;
}

int keyset_order(const Keyset *keyset, bool reverse, Buffer *text, Error *error)
{
    for (int i = 0; i < keyset->count; i++) {
        if (buffer_text(text, i ? ", " : " ORDER BY ", error) < 0 ||
            text_name(text, keyset->columns[i].field.source_name, error) < 0 ||
            (keyset->columns[i].descending != reverse && buffer_text(text, " DESC", error) < 0))
            return -1;
    }
    return 0;
}

int keyset_parameters(const Keyset *keyset, char letter, const cJSON *values, Parameters *ret, Error *error)
{
    if (cJSON_GetArraySize(values) != keyset->count)
        return error_set(error, ERROR_INTERNAL, NULL, "a bound has %d values for a key of %d columns",
                         cJSON_GetArraySize(values), keyset->count);
    for (int i = 0; i < keyset->count; i++) {
        const cJSON *value = cJSON_GetArrayItem(values, i);
        char name[16];

        if (!cJSON_IsString(value))
            return error_set(error, ERROR_INTERNAL, NULL, "a bound's value is no text");
        snprintf(name, sizeof name, "@%c%u", letter, (unsigned)(i + 1) % 100);
        if (parameter_text(ret, name, value->valuestring) < 0)
            return error_set(error, ERROR_INTERNAL, NULL, "too many parameters");
    }
    return 0;
}
