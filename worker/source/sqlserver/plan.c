/* plan.c - see plan.h */
#include "source/sqlserver/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int plan_init(Plan *plan, const Schema *schema, const cJSON *columns, int ahead, size_t value_bytes_max, Error *error)
{
    int told = ahead + schema->count;

    plan->schema = schema;
    plan->value_bytes_max = value_bytes_max;
    plan->columns = calloc((size_t)schema->count + 1, sizeof *plan->columns);
    if (!plan->columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", schema->count);
    for (int i = 0; i < schema->count; i++) {
        const Field *field = &schema->fields[i];
        const cJSON *column = cJSON_GetArrayItem(columns, i);
        PlanColumn *to = &plan->columns[i];

        to->wire = ahead + 1 + i;
        to->ordinal = (int)json_integer(column, "ordinal", 0);
        to->large = field->large;
        to->legacy = type_is_legacy_lob(field->source_type);
        to->rule = field->large ? type_length(field->source_type, json_text(column, "collation", "")) : LENGTH_NONE;
        if (to->rule != LENGTH_NONE)
            to->told = ++told;
    }
    return 0;
}

void plan_free(Plan *plan)
{
    free(plan->columns);
    plan->columns = NULL;
}

static int quoted_column(const Field *field, const char *alias, Buffer *text, Error *error)
{
    if (alias && buffer_format(text, error, "%s.", alias) < 0)
        return -1;
    return text_name(text, field->source_name, error);
}

/* A sql_variant's text keeps every digit: style 3 gives 17 digits of a float, 2 four decimals of money, 126 ISO dates,
 * 1 hexadecimal. */
static int variant_expression(const Field *field, const char *alias, Buffer *text, Error *error)
{
    static const char *const cases[][3] = {
        {"N'binary', N'varbinary'", "varbinary(8000)", "1"},
        {"N'float', N'real'", "float(53)", "3"},
        {"N'money', N'smallmoney'", "money", "2"},
        {"N'datetime', N'smalldatetime'", "datetime", "126"},
        {"N'datetime2'", "datetime2(7)", "126"},
    };

    if (buffer_text(text, "CASE", error) < 0)
        return -1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (buffer_text(text, " WHEN CONVERT(nvarchar(128), SQL_VARIANT_PROPERTY(", error) < 0 ||
            quoted_column(field, alias, text, error) < 0 ||
            buffer_format(text, error, ", N'BaseType')) IN (%s) THEN CONVERT(nvarchar(max), CONVERT(%s, ", cases[i][0],
                          cases[i][1]) < 0 ||
            quoted_column(field, alias, text, error) < 0 || buffer_format(text, error, "), %s)", cases[i][2]) < 0)
            return -1;
    }
    if (buffer_text(text, " ELSE CONVERT(nvarchar(max), CONVERT(nvarchar(4000), ", error) < 0 ||
        quoted_column(field, alias, text, error) < 0)
        return -1;
    return buffer_text(text, ")) END", error);
}

int plan_expression(const Field *field, const char *alias, Buffer *text, Error *error)
{
    switch (type_read(field->source_type)) {
    case READ_VARIANT:
        return variant_expression(field, alias, text, error);
    case READ_HIERARCHY:
        if (quoted_column(field, alias, text, error) < 0)
            return -1;
        return buffer_text(text, ".ToString()", error);
    case READ_SPATIAL:
        if (buffer_text(text, "CONVERT(varbinary(max), ", error) < 0 || quoted_column(field, alias, text, error) < 0)
            return -1;
        return buffer_text(text, ")", error);
    case READ_PLAIN:
        break;
    }
    return quoted_column(field, alias, text, error);
}

static bool is_wide(const char *source_type)
{
    return strncmp(source_type, "nchar", 5) == 0 || strncmp(source_type, "nvarchar", 8) == 0;
}

int plan_text_expression(const Field *field, const char *alias, Buffer *text, Error *error)
{
    const char *parenthesis = strchr(field->source_type, '(');
    long length = parenthesis ? strtol(parenthesis + 1, NULL, 10) : 0; /* 0: (max), text, ntext, xml */
    char binary[32] = "varbinary(max)", wide[32] = "nvarchar(max)";

    if (length > 0 && length <= 4000) {
        snprintf(binary, sizeof binary, "varbinary(%ld)", 2 * length);
        snprintf(wide, sizeof wide, "nvarchar(%ld)", length);
    }
    if (is_wide(field->source_type)) {
        if (buffer_format(text, error, "CONVERT(%s, ", binary) < 0 || quoted_column(field, alias, text, error) < 0)
            return -1;
        return buffer_text(text, ")", error);
    }
    if (buffer_format(text, error, "CONVERT(%s, CONVERT(%s, ", binary, wide) < 0 ||
        quoted_column(field, alias, text, error) < 0)
        return -1;
    return buffer_text(text, "))", error);
}

static bool column_exact(const Plan *plan, int index)
{
    const Field *field = &plan->schema->fields[index];

    return plan->exact_text && field->type == COLUMN_STRING && type_read(field->source_type) == READ_PLAIN;
}

static int column_expression(const Plan *plan, int index, const char *alias, Buffer *text, Error *error)
{
    const Field *field = &plan->schema->fields[index];

    return column_exact(plan, index) ? plan_text_expression(field, alias, text, error)
                                     : plan_expression(field, alias, text, error);
}

int plan_select(const Plan *plan, const char *alias, Buffer *text, Error *error)
{
    for (int i = 0; i < plan->schema->count; i++) {
        if ((i && buffer_text(text, ", ", error) < 0) || column_expression(plan, i, alias, text, error) < 0 ||
            buffer_format(text, error, " AS c%d", i + 1) < 0)
            return -1;
    }
    for (int i = 0; i < plan->schema->count; i++) {
        if (!plan->columns[i].told)
            continue;
        if (buffer_text(text, ", DATALENGTH(", error) < 0 ||
            quoted_column(&plan->schema->fields[i], alias, text, error) < 0 ||
            buffer_format(text, error, ") AS n%d", i + 1) < 0)
            return -1;
    }
    return 0;
}

int plan_bind(Plan *plan, DBPROCESS *process, Error *error)
{
    for (int i = 0; i < plan->schema->count; i++) {
        if (column_exact(plan, i))
            plan->columns[i].decode = decode_utf16;
        else if (decode_choose(&plan->schema->fields[i], dbcoltype(process, plan->columns[i].wire),
                               &plan->columns[i].decode, error) < 0)
            return -1;
    }
    return 0;
}

bool mask_has(const uint8_t *mask, int length, int ordinal)
{
    int byte = length - 1 - (ordinal - 1) / 8;

    return ordinal > 0 && byte >= 0 && (mask[byte] >> ((ordinal - 1) % 8) & 1);
}

/* The row's key for an error message: its columns are decoded now, as they may stand behind the one in question. */
static void row_key(const Plan *plan, DBPROCESS *process, ColumnBatch *batch, char *ret, size_t size)
{
    size_t length = 0;
    Error ignored;

    ret[0] = 0;
    for (int i = 0; i < plan->schema->count && length < size; i++) {
        const BYTE *data = plan->schema->fields[i].key_ordinal ? dbdata(process, plan->columns[i].wire) : NULL;
        cJSON *text;

        if (!data || plan->columns[i].decode(batch, i, data, dbdatlen(process, plan->columns[i].wire), &ignored) < 0)
            continue;
        text = key_text(batch, i, batch->rows);
        length += (size_t)snprintf(ret + length, size - length, "%s%s=%.80s", length ? ", " : "",
                                   plan->schema->fields[i].source_name, text ? text->valuestring : "?");
        cJSON_Delete(text);
    }
}

/* DATALENGTH is an int, of (max) types a bigint. */
static int64_t number_at(DBPROCESS *process, int wire)
{
    const BYTE *data = dbdata(process, wire);
    int64_t big;
    int32_t small;

    if (!data)
        return -1;
    if (dbdatlen(process, wire) == 8) {
        memcpy(&big, data, sizeof big);
        return big;
    }
    memcpy(&small, data, sizeof small);
    return small;
}

static int large_check(const Plan *plan, DBPROCESS *process, ColumnBatch *batch, int index, const void *data,
                       size_t length, Error *error)
{
    const PlanColumn *column = &plan->columns[index];
    const char *name = plan->schema->fields[index].source_name;
    char key[200];
    int64_t bytes = column->told ? number_at(process, column->told) : -1;

    if (length > plan->value_bytes_max || bytes > (int64_t)plan->value_bytes_max * 2) {
        row_key(plan, process, batch, key, sizeof key);
        return error_set(
            error, ERROR_PERMANENT, "Raise max_value_bytes for this table, or leave the column out.",
            "the value of column \"%.120s\" in the row with key (%s) has %lld bytes, more than max_value_bytes (%zu)",
            name, key, (long long)(bytes > (int64_t)length ? bytes : (int64_t)length), plan->value_bytes_max);
    }
    if (bytes < 0)
        return 0;
    if ((column_exact(plan, index) ? type_length_check_utf16(column->rule, length, bytes)
                                   : type_length_check(column->rule, data, length, bytes)) < 0) {
        row_key(plan, process, batch, key, sizeof key);
        return error_set(error, ERROR_TRANSIENT, NULL,
                         "column \"%.120s\" of the row with key (%s) came with %zu bytes, but the server counts %lld",
                         name, key, length, (long long)bytes);
    }
    return 0;
}

/* The mask tells a value set to NULL from one that was not logged; deletes and before images never have text, ntext,
 * image. */
static bool not_logged(const PlanColumn *column, PlanRow kind, const uint8_t *mask, int mask_length)
{
    if (!column->large)
        return false;
    if (column->legacy && (kind == PLAN_DELETE || kind == PLAN_BEFORE))
        return true;
    return (kind == PLAN_UPDATE || kind == PLAN_BEFORE) && !mask_has(mask, mask_length, column->ordinal);
}

int plan_row(const Plan *plan, DBPROCESS *process, ColumnBatch *batch, PlanRow kind, const uint8_t *mask,
             int mask_length, Error *error)
{
    const PlanColumn *column = plan->columns;

    for (int i = 0; i < plan->schema->count; i++, column++) {
        const BYTE *data = dbdata(process, column->wire);
        int length;

        if (!data) {
            column_set_null(batch, i, not_logged(column, kind, mask, mask_length));
            continue;
        }
        length = dbdatlen(process, column->wire);
        if (column->large && large_check(plan, process, batch, i, data, (size_t)length, error) < 0)
            return -1;
        if (column->decode(batch, i, data, length, error) < 0)
            return -1;
    }
    return 0;
}
