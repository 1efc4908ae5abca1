/* load_key.c - see load_key.h */
#include "source/mysql/load_key.h"
#include "base/hex.h"
#include "source/key.h"
#include "source/mysql/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_HINT "Give the table a key of numbers, dates, binary values or texts without U+0000, or load it without one."

static const cJSON *column_named(const cJSON *columns, const char *name)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, columns) {
        if (strcmp(json_text(column, "source_name", json_text(column, "name", "")), name) == 0)
            return column;
    }
    return NULL;
}

/* The first word of "int unsigned", "decimal(10,2)", "timestamp(6)". */
static bool type_is(const char *source_type, const char *word)
{
    size_t length = strlen(word);

    return strncmp(source_type, word, length) == 0 && strchr(" (", source_type[length]) != NULL;
}

static bool type_among(const char *source_type, const char *const *words)
{
    for (; *words; words++) {
        if (type_is(source_type, *words))
            return true;
    }
    return false;
}

static int form_of(const char *source_type, ColumnType type, LoadKeyForm *ret)
{
    static const char *const numbers[] = {"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "decimal", "numeric", "year", NULL};
    static const char *const floats[] = {"float", "double", "real", NULL};
    static const char *const quoted[] = {"date", "time", "datetime", "timestamp", "uuid", "inet4", "inet6", NULL};
    static const char *const texts[] = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", NULL};

    if (type_among(source_type, numbers))
        *ret = LOAD_KEY_NUMBER;
    else if (type_among(source_type, floats))
        *ret = LOAD_KEY_FLOAT;
    else if (type_is(source_type, "bit"))
        *ret = LOAD_KEY_BIT;
    else if (type_is(source_type, "enum"))
        *ret = LOAD_KEY_ENUM;
    else if (type_is(source_type, "set"))
        *ret = LOAD_KEY_SET;
    else if (type_among(source_type, quoted))
        *ret = LOAD_KEY_QUOTED;
    else if (type == COLUMN_BINARY)
        *ret = LOAD_KEY_BINARY;
    else if (type_among(source_type, texts))
        *ret = LOAD_KEY_TEXT;
    else
        return -1;
    return 0;
}

static int column_read(const cJSON *key, const cJSON *columns, LoadKeyColumn *ret, Error *error)
{
    const char *name, *source_type, *type, *collation;
    const cJSON *column;
    ColumnType parsed;

    memset(ret, 0, sizeof *ret);
    if (json_need_text(key, "name", &name, error) < 0)
        return -1;
    column = column_named(columns, name);
    source_type = json_text(key, "source_type", json_text(column, "source_type", ""));
    type = json_text(key, "type", json_text(column, "type", ""));
    collation = json_text(key, "collation", json_text(column, "collation", ""));
    if (column_type_parse(type, &parsed) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the key column \"%.100s\" has the unknown type \"%.40s\"", name, type);
    if (form_of(source_type, parsed, &ret->form) < 0)
        return error_set(error, ERROR_PERMANENT, KEY_TEXT_HINT, "the key column \"%.100s\" of type %.63s cannot bound a load", name, source_type);
    if (strspn(collation, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(collation) ||
        strlen(collation) >= sizeof ret->collation)
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no collation", collation);
    snprintf(ret->name, sizeof ret->name, "%s", name);
    snprintf(ret->collation, sizeof ret->collation, "%s", collation);
    ret->descending = json_boolean(key, "descending", false);
    ret->values = json_member(key, "values") ? json_member(key, "values") : json_member(column, "values");
    return 0;
}

int load_key_read(const cJSON *keys, const cJSON *columns, LoadKey *ret, Error *error)
{
    const cJSON *key;

    ret->count = 0;
    cJSON_ArrayForEach(key, keys) {
        if (ret->count == LOAD_KEY_COLUMNS_MAX)
            return error_set(error, ERROR_INTERNAL, NULL, "a key has more than %d columns", LOAD_KEY_COLUMNS_MAX);
        if (column_read(key, columns, &ret->columns[ret->count], error) < 0)
            return -1;
        ret->count++;
    }
    return 0;
}

int load_key_select(const LoadKey *key, int index, Buffer *text, Error *error)
{
    const LoadKeyColumn *column = &key->columns[index];
    const char *before = "", *after = "";

    switch (column->form) {
    case LOAD_KEY_FLOAT: /* as a double: a float is printed with 6 digits only */
        before = "(", after = " + 0e0)";
        break;
    case LOAD_KEY_BIT:
    case LOAD_KEY_ENUM:
    case LOAD_KEY_SET:
        before = "(", after = " + 0)";
        break;
    case LOAD_KEY_BINARY:
        before = "CONCAT('0x', HEX(", after = "))";
        break;
    default:
        break;
    }
    if (buffer_text(text, before, error) < 0 || session_name(text, column->name, error) < 0)
        return -1;
    return buffer_text(text, after, error);
}

static int text_refused(const LoadKeyColumn *column, Error *error)
{
    return error_set(error, ERROR_PERMANENT, KEY_TEXT_HINT, "the bound of a load range does not fit the key column \"%.200s\"", column->name);
}

static int literal_hex(const char *data, size_t length, Buffer *text, Error *error)
{
    if (buffer_text(text, "X'", error) < 0 || buffer_reserve(text, 2 * length, error) < 0)
        return -1;
    if (length)
        hex_encode((const uint8_t *)data, length, text->data + text->length);
    text->length += 2 * length;
    return buffer_text(text, "'", error);
}

/* Hex, so that neither quotes nor sql_mode matter; in the column's character set, so that its index is sought. */
static int literal_text(const LoadKeyColumn *column, const char *value, Buffer *text, Error *error)
{
    size_t charset = strcspn(column->collation, "_");
    bool converted = column->collation[0] && strncmp(column->collation, "utf8mb4_", 8) != 0;

    if (buffer_text(text, converted ? "CONVERT(_utf8mb4 " : "_utf8mb4 ", error) < 0 || literal_hex(value, strlen(value), text, error) < 0 ||
        (converted && buffer_format(text, error, " USING %.*s)", (int)charset, column->collation) < 0))
        return -1;
    return column->collation[0] ? buffer_format(text, error, " COLLATE %s", column->collation) : 0;
}

static int literal(const LoadKeyColumn *column, const char *value, Buffer *text, Error *error)
{
    size_t length = strlen(value);

    switch (column->form) {
    case LOAD_KEY_NUMBER:
    case LOAD_KEY_BIT:
    case LOAD_KEY_ENUM:
    case LOAD_KEY_SET:
        if (length == 0 || strspn(value, "0123456789.-") != length)
            return text_refused(column, error);
        return buffer_text(text, value, error);
    case LOAD_KEY_FLOAT:
        if (length == 0 || strspn(value, "0123456789.-+eE") != length)
            return text_refused(column, error);
        return buffer_format(text, error, "%s%s", value, strpbrk(value, "eE") ? "" : "e0");
    case LOAD_KEY_QUOTED:
        if (length == 0 || strspn(value, "0123456789abcdefABCDEFT:.- ") != length)
            return text_refused(column, error);
        return buffer_format(text, error, "'%s'", value);
    case LOAD_KEY_BINARY:
        if (length < 2 || length % 2 || strncmp(value, "0x", 2) != 0 || strspn(value + 2, "0123456789abcdefABCDEF") != length - 2)
            return text_refused(column, error);
        return buffer_format(text, error, "X'%s'", value + 2);
    case LOAD_KEY_TEXT:
        return literal_text(column, value, text, error);
    }
    return text_refused(column, error);
}

static int compare(const LoadKey *key, int index, const char *word, const cJSON *values, Buffer *text, Error *error)
{
    const LoadKeyColumn *column = &key->columns[index];
    const cJSON *value = cJSON_GetArrayItem(values, index);
    /* A bare comparison of an enum or set with a literal would compare texts, not numbers. */
    bool number = column->form == LOAD_KEY_ENUM || column->form == LOAD_KEY_SET;

    if (!cJSON_IsString(value))
        return error_set(error, ERROR_INTERNAL, NULL, "a bound's value is no text");
    if ((number && load_key_select(key, index, text, error) < 0) || (!number && session_name(text, column->name, error) < 0) ||
        buffer_format(text, error, " %s ", word) < 0)
        return -1;
    return literal(column, value->valuestring, text, error);
}

/* (k1 >= a AND (k1 > a OR (k1 = a AND (k2 > b OR ..)))): the form of which both servers make index ranges; of a row constructor they do not. */
int load_key_bound(const LoadKey *key, bool upper, const cJSON *values, Buffer *text, Error *error)
{
    int last = key->count - 1;

    if (key->count == 0 || cJSON_GetArraySize(values) != key->count)
        return error_set(error, ERROR_INTERNAL, NULL, "a bound has %d values for a key of %d columns", cJSON_GetArraySize(values), key->count);
    if (buffer_text(text, "(", error) < 0)
        return -1;
    if (last > 0 && (compare(key, 0, upper != key->columns[0].descending ? "<=" : ">=", values, text, error) < 0 ||
                     buffer_text(text, " AND ", error) < 0))
        return -1;
    for (int i = 0; i < last; i++) {
        if (buffer_text(text, "(", error) < 0 || compare(key, i, upper != key->columns[i].descending ? "<" : ">", values, text, error) < 0 ||
            buffer_text(text, " OR (", error) < 0 || compare(key, i, "=", values, text, error) < 0 || buffer_text(text, " AND ", error) < 0)
            return -1;
    }
    if (compare(key, last, upper ? (key->columns[last].descending ? ">=" : "<=") : (key->columns[last].descending ? "<" : ">"), values, text,
                error) < 0)
        return -1;
    for (int i = 0; i < last; i++) {
        if (buffer_text(text, "))", error) < 0)
            return -1;
    }
    return buffer_text(text, ")", error);
}

int load_key_order(const LoadKey *key, Buffer *text, Error *error)
{
    for (int i = 0; i < key->count; i++) {
        if (buffer_text(text, i ? ", " : " ORDER BY ", error) < 0 || session_name(text, key->columns[i].name, error) < 0 ||
            (key->columns[i].descending && buffer_text(text, " DESC", error) < 0))
            return -1;
    }
    return 0;
}

/* 1 + the place of `data` among the enum's labels; 0 is the empty text of a value that was refused. -1: none of them. */
static int64_t label_number(const cJSON *values, const char *data, size_t length)
{
    const cJSON *value;
    int64_t number = 0;

    if (length == 0)
        return 0;
    cJSON_ArrayForEach(value, values) {
        number++;
        if (cJSON_IsString(value) && strlen(value->valuestring) == length && memcmp(value->valuestring, data, length) == 0)
            return number;
    }
    return -1;
}

static int enum_text(const LoadKeyColumn *column, const char *data, size_t length, char ret[24])
{
    uint64_t bits = 0;

    if (column->form == LOAD_KEY_ENUM) {
        int64_t number = label_number(column->values, data, length);

        snprintf(ret, 24, "%" PRId64, number);
        return number < 0 ? -1 : 0;
    }
    while (length) {
        const char *comma = memchr(data, ',', length);
        size_t one = comma ? (size_t)(comma - data) : length;
        int64_t number = label_number(column->values, data, one);

        if (number < 1 || number > 64)
            return -1;
        bits |= UINT64_C(1) << (number - 1);
        data += one + (comma ? 1 : 0);
        length -= one + (comma ? 1 : 0);
    }
    snprintf(ret, 24, "%" PRIu64, bits);
    return 0;
}

int load_key_text(const LoadKey *key, int index, const ColumnBatch *batch, int column, int row, cJSON **ret, Error *error)
{
    const LoadKeyColumn *of = &key->columns[index];
    const ColumnVector *vector = &batch->columns[column];
    const void *data = vector->fixed + (size_t)row * column_width(batch->schema->fields[column].type);
    char text[40];

    *ret = NULL;
    if (!vector->valid[row])
        return error_set(error, ERROR_PERMANENT, KEY_TEXT_HINT, "a value of the key column \"%.200s\" cannot be written as text", of->name);
    switch (batch->schema->fields[column].type) {
    case COLUMN_FLOAT32:
        snprintf(text, sizeof text, "%.17g", (double)*(const float *)data);
        break;
    case COLUMN_TIMESTAMP:
        timestamp_text(*(const int64_t *)data, 6, text);
        break;
    case COLUMN_TIMESTAMPTZ:
        timestamp_text(((const ColumnInstant *)data)->utc, 6, text);
        break;
    default:
        if (of->form == LOAD_KEY_ENUM || of->form == LOAD_KEY_SET) {
            size_t from = vector->offsets[row];

            if (enum_text(of, vector->bytes.data + from, vector->offsets[row + 1] - from, text) < 0)
                return text_refused(of, error);
            break;
        }
        *ret = key_text(batch, column, row);
        if (!*ret)
            return error_set(error, ERROR_PERMANENT, KEY_TEXT_HINT, "a value of the key column \"%.200s\" cannot be written as text", of->name);
        return 0;
    }
    *ret = cJSON_CreateString(text);
    return *ret ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a key");
}

int load_key_value(const LoadKey *key, int index, const char *data, size_t length, cJSON **ret, Error *error)
{
    char *text;

    *ret = NULL;
    if (!data || memchr(data, 0, length))
        return error_set(error, ERROR_PERMANENT, KEY_TEXT_HINT, "a value of the key column \"%.200s\" cannot be written as text",
                         key->columns[index].name);
    text = strndup(data, length);
    *ret = text ? cJSON_CreateString(text) : NULL;
    free(text);
    return *ret ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a key");
}
