/* value.c - see value.h */
#include "source/mysql/value.h"
#include "source/mysql/shape_code.h"

#include <stdlib.h>

/* Old temporal types with a fraction: MariaDB's own format of 5.3, big-endian, as long as its digits need. */
static uint32_t old_temporal_width(const ValueSpec *spec, uint8_t code)
{
    static const uint8_t time[] = {3, 4, 4, 5, 5, 5, 6}, datetime[] = {8, 6, 6, 7, 7, 7, 8}, timestamp[] = {4, 5, 5, 6, 6, 7, 7};
    unsigned digits = !spec->column ? 6 : spec->column->declared.word ? spec->column->declared.scale : 0; /* hidden: row_start, row_end */

    if (code == CODE_TIME)
        return time[digits];
    return code == CODE_DATETIME ? datetime[digits] : timestamp[digits];
}

static uint32_t value_width(const ValueSpec *spec, uint8_t code, uint16_t meta)
{
    switch (code) {
    case CODE_TINY:
    case CODE_YEAR:
        return 1;
    case CODE_SHORT:
        return 2;
    case CODE_INT24:
    case CODE_DATE:
    case CODE_NEWDATE:
        return 3;
    case CODE_LONG:
    case CODE_FLOAT:
        return 4;
    case CODE_LONGLONG:
    case CODE_DOUBLE:
        return 8;
    case CODE_TIME:
    case CODE_DATETIME:
    case CODE_TIMESTAMP:
        return old_temporal_width(spec, code);
    case CODE_TIME2:
        return 3 + (meta + 1u) / 2;
    case CODE_DATETIME2:
        return 5 + (meta + 1u) / 2;
    case CODE_TIMESTAMP2:
        return 4 + (meta + 1u) / 2;
    case CODE_BIT:
        return (meta >> 8) + ((meta & 0xff) != 0);
    case CODE_NEWDECIMAL:
        return value_decimal_width(meta >> 8, meta & 0xff);
    case CODE_ENUM:
    case CODE_SET:
        return meta & 0xff;
    default:
        return 0;
    }
}

static uint8_t value_prefix(uint8_t code, uint16_t meta)
{
    switch (code) {
    case CODE_VARCHAR:
    case CODE_VARCHAR_COMPRESSED:
    case CODE_VAR_STRING:
        return meta > 255 ? 2 : 1;
    case CODE_STRING:
        return shape_code_bytes(meta) > 255 ? 2 : 1;
    default:
        return (uint8_t)meta; /* blobs, json, geometry, vector: it is the metadata */
    }
}

static bool meta_sound(const Value *value, uint8_t code, uint16_t meta)
{
    if (code == CODE_TIME2 || code == CODE_DATETIME2 || code == CODE_TIMESTAMP2)
        return meta <= 6;
    if (code == CODE_NEWDECIMAL)
        return meta >> 8 >= 1 && meta >> 8 <= 65 && (meta & 0xff) <= 38 && (meta & 0xff) <= meta >> 8;
    if (code == CODE_BIT || code == CODE_SET || code == CODE_ENUM)
        return value->width >= 1 && value->width <= 8;
    return value->width || (value->prefix >= 1 && value->prefix <= 4);
}

int value_choose(const ValueSpec *spec, Value *ret, Error *error)
{
    uint16_t meta = spec->map->meta[spec->index];
    uint8_t code = shape_code_real(spec->map->types[spec->index], meta);
    const Field *field;

    *ret = (Value){.field = spec->field, .scratch = spec->scratch, .nulled = spec->nulled};
    ret->width = value_width(spec, code, meta);
    ret->prefix = ret->width ? 0 : value_prefix(code, meta);
    if (!meta_sound(ret, code, meta))
        return error_set(error, ERROR_INTERNAL, NULL, "column %d of %.200s.%.200s has the type %d with the metadata %d, which cannot be", spec->index + 1,
                         spec->map->schema, spec->map->table, code, meta);
    if (spec->field < 0)
        return 0;
    field = &spec->schema->fields[spec->field];
    if (value_number_choose(spec, ret) < 0 || value_time_choose(spec, ret) < 0 || value_text_choose(spec, ret, error) < 0)
        return -1;
    if (!ret->decode)
        return error_set(error, ERROR_PERMANENT, "CALL sluice.refresh of the source; leave the column out if it stays.",
                         "column \"%.200s\" is %s and cannot land as %s", field->source_name, spec->column->source_type, column_type_name(field->type));
    return 0;
}

void value_free(Value *value)
{
    free(value->texts);
    charset_close(value->charset);
    value->texts = NULL;
    value->charset = NULL;
}
