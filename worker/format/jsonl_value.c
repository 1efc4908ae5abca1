/* jsonl_value.c - a column's name and its values of fixed width; see jsonl.h */
#include "format/jsonl.h"
#include "format/json_text.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_ROOM (FIELD_TEXT_MAX + 2) /* with quotes */

static int name_escape(const char *name, Buffer *ret, Error *error)
{
    size_t length = strlen(name);
    size_t bad;
    char *end;

    if (buffer_reserve(ret, length * JSON_ESCAPE_FACTOR + 8, error) < 0)
        return -1;
    end = json_escape(ret->data + ret->length, (const uint8_t *)name, length, &bad);
    if (!end)
        return error_set(error, ERROR_PERMANENT, "Override the name of this column.", "a column name is not UTF-8 at its byte %zu", bad + 1);
    ret->length = (size_t)(end - ret->data);
    return 0;
}

int jsonl_column_init(JsonlColumn *column, const Field *field, bool first, Error *error)
{
    Buffer prefix, once, quoted;
    int result = -1;

    *column = (JsonlColumn){.quotes = field->type >= COLUMN_DATE, .floats = field->type == COLUMN_FLOAT32 || field->type == COLUMN_FLOAT64};
    field_text_init(&column->value, field, 'T');
    buffer_init(&prefix, KIB(16));
    buffer_init(&once, KIB(16));
    buffer_init(&quoted, KIB(32));
    if (buffer_reserve(&prefix, JSONL_COPY_STEP, error) < 0 || buffer_text(&prefix, first ? "{\"" : ",\"", error) < 0 || name_escape(field->name, &prefix, error) < 0 ||
        buffer_text(&prefix, "\":", error) < 0)
        goto fail;
    if (field->large) {
        /* A JSON text inside a JSON string: the quoted name is escaped once more. */
        if (buffer_text(&once, "\"", error) < 0 || name_escape(field->name, &once, error) < 0 || buffer_text(&once, "\"", error) < 0 ||
            buffer_terminate(&once, error) < 0 || name_escape(once.data, &quoted, error) < 0)
            goto fail;
    }
    column->prefix = prefix.data;
    column->prefix_length = prefix.length;
    column->quoted_name = quoted.data;
    column->quoted_length = quoted.length;
    prefix.data = quoted.data = NULL;
    result = 0;
fail:
    buffer_free(&prefix);
    buffer_free(&once);
    buffer_free(&quoted);
    return result;
}

void jsonl_column_free(JsonlColumn *column)
{
    free(column->prefix);
    free(column->quoted_name);
}

size_t jsonl_column_room(const JsonlColumn *column)
{
    return column->prefix_length + JSONL_COPY_STEP + VALUE_ROOM + column->quoted_length + 1;
}

int jsonl_value(JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error)
{
    const bool quoted = column->quotes || (column->floats && field_text_is_word(&column->value, value));

    if (quoted)
        *text++ = '"';
    if (field_text(&column->value, value, text, &text, error) < 0)
        return -1;
    if (quoted)
        *text++ = '"';
    *end = text;
    return 0;
}
