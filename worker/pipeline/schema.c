/* schema.c - see schema.h */
#include "pipeline/schema.h"

#include <stdio.h>
#include <stdlib.h>

static int field_parse(const cJSON *column, Field *field, Error *error)
{
    const char *name, *type;

    if (json_need_text(column, "name", &name, error) < 0 || json_need_text(column, "type", &type, error) < 0)
        return -1;
    snprintf(field->name, sizeof field->name, "%s", name);
    snprintf(field->source_name, sizeof field->source_name, "%s", json_text(column, "source_name", name));
    snprintf(field->source_type, sizeof field->source_type, "%s", json_text(column, "source_type", type));
    if (column_type_parse(type, &field->type) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "column %s has the unknown type %s", name, type);
    field->precision = (uint8_t)json_integer(column, "precision", 0);
    field->scale = (uint8_t)json_integer(column, "scale", 0);
    field->nullable = json_boolean(column, "nullable", true);
    field->large = json_boolean(column, "large", false);
    field->utc = json_boolean(column, "utc", false);
    field->key_ordinal = (int)json_integer(column, "key_ordinal", 0);
    return 0;
}

int schema_parse(const cJSON *schema, Schema *ret, Error *error)
{
    const cJSON *columns = json_member(schema, "columns"), *column;
    int count = cJSON_GetArraySize(columns), index = 0;
    Field *fields;

    if (count < 1 || count > COLUMNS_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "a table of %d columns cannot be captured (1 to %d can)", count, COLUMNS_MAX);
    fields = calloc((size_t)count, sizeof *fields);
    if (!fields)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    cJSON_ArrayForEach(column, columns) {
        if (field_parse(column, &fields[index++], error) < 0) {
            free(fields);
            return -1;
        }
    }
    *ret = (Schema){.fields = fields, .count = count};
    return 0;
}

void schema_free(Schema *schema)
{
    free(schema->fields);
    *schema = (Schema){0};
}
