/* value_text.c - texts, bytes, enums and what else has a length in the log. */
#include "source/mysql/document.h"
#include "source/mysql/shape_code.h"
#include "source/mysql/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define INET6_TEXT 64
#define SCRATCH_KEPT_MAX MIB(1)
#define COMPRESSED_ZLIB 8 /* upper four bits of a compressed column's first byte: MariaDB sql/field_comp.h */

static int decode_bytes(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    return column_set_bytes(batch, value->field, data, length, error);
}

/* One huge value does not stay in memory for the rest of the read. */
static void scratch_trim(Buffer *scratch)
{
    if (scratch->capacity > SCRATCH_KEPT_MAX)
        buffer_free(scratch);
}

static int decode_converted(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    Buffer *scratch = value->scratch;
    int status;

    /* No character set needs more than two bytes for what UTF-8 writes in one. */
    if (length > scratch->maximum / 4)
        return column_set_bytes(batch, value->field, data, length, error);
    buffer_clear(scratch);
    if (charset_text(value->charset, data, length, scratch, error) < 0)
        return -1;
    status = column_set_bytes(batch, value->field, scratch->data, scratch->length, error);
    scratch_trim(scratch);
    return status;
}

static int decode_document(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    Buffer *scratch = value->scratch;
    int status;

    buffer_clear(scratch);
    if (document_text(data, length, scratch, error) < 0)
        return error_prefix(error, "column \"%.200s\"", batch->schema->fields[value->field].source_name);
    status = column_set_bytes(batch, value->field, scratch->data, scratch->length, error);
    scratch_trim(scratch);
    return status;
}

/* binary(n): the server gives n bytes, the log drops zero bytes at the end. */
static int decode_padded(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint8_t bytes[256] = {0};

    if (length >= value->padded || value->padded > sizeof bytes)
        return column_set_bytes(batch, value->field, data, length, error);
    memcpy(bytes, data, length);
    return column_set_bytes(batch, value->field, bytes, value->padded, error);
}

static int padded_read(const Value *value, const uint8_t *data, size_t length, uint8_t ret[16], const ColumnBatch *batch, Error *error)
{
    if (length > value->padded)
        return value_malformed(value, batch, error);
    memset(ret, 0, 16);
    memcpy(ret, data, length);
    return 0;
}

static int decode_uuid(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint8_t bytes[16];

    if (padded_read(value, data, length, bytes, batch, error) < 0)
        return -1;
    memcpy(column_set_fixed(batch, value->field), bytes, sizeof bytes);
    return 0;
}

static int decode_inet4(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    char text[INET6_TEXT];
    uint8_t bytes[16];

    if (padded_read(value, data, length, bytes, batch, error) < 0)
        return -1;
    length = (size_t)snprintf(text, sizeof text, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    return column_set_bytes(batch, value->field, text, length, error);
}

/* As MariaDB writes it: the longest run of zero groups becomes "::", also where it is a single one, which inet_ntop() would write out. */
static int decode_inet6(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    char text[INET6_TEXT];
    uint8_t bytes[16];
    int begin = -1, run = 0, at = 0;
    bool four;

    if (padded_read(value, data, length, bytes, batch, error) < 0)
        return -1;
    for (int i = 0; i < 8; i++) {
        int zeros = 0;

        while (i + zeros < 8 && bytes[2 * (i + zeros)] == 0 && bytes[2 * (i + zeros) + 1] == 0)
            zeros++;
        if (zeros > run) {
            begin = i;
            run = zeros;
        }
    }
    four = begin == 0 && (run == 6 || (run == 5 && bytes[10] == 0xff && bytes[11] == 0xff));
    for (int i = 0; i < (four ? 6 : 8); i++) {
        if (i == begin) {
            at += snprintf(text + at, sizeof text - (size_t)at, "::");
            i += run - 1;
        } else {
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%x", i > 0 && i != begin + run ? ":" : "", bytes[2 * i] << 8 | bytes[2 * i + 1]);
        }
    }
    if (four)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%u.%u.%u.%u", run == 5 ? ":" : "", bytes[12], bytes[13], bytes[14], bytes[15]);
    return column_set_bytes(batch, value->field, text, (size_t)at, error);
}

/* Member 0 is the empty text that stands for a wrong value. */
static int decode_enum(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t member = little_endian(data, length);

    if (member > (uint64_t)value->texts_count)
        return value_malformed(value, batch, error);
    if (member == 0)
        return column_set_bytes(batch, value->field, "", 0, error);
    return column_set_bytes(batch, value->field, value->texts[member - 1].text, value->texts[member - 1].length, error);
}

static int decode_set(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    uint64_t members = little_endian(data, length);
    Buffer *scratch = value->scratch;

    buffer_clear(scratch);
    for (int i = 0; members; i++, members >>= 1) {
        if (!(members & 1))
            continue;
        if (i >= value->texts_count)
            return value_malformed(value, batch, error);
        if ((scratch->length && buffer_append(scratch, ",", 1, error) < 0) ||
            buffer_append(scratch, value->texts[i].text, value->texts[i].length, error) < 0)
            return -1;
    }
    return column_set_bytes(batch, value->field, scratch->length ? scratch->data : "", scratch->length, error);
}

static int inflate_into(const uint8_t *data, size_t length, bool wrapped, uint8_t *ret, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)length, .next_out = ret, .avail_out = (uInt)size};
    int status;

    if (inflateInit2(&stream, wrapped ? MAX_WBITS : -MAX_WBITS) != Z_OK)
        return -1;
    status = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return status == Z_STREAM_END && stream.avail_out == 0 ? 0 : -1;
}

/* First byte: method (4 bits), "no zlib header" (1 bit), bytes of the plain length (3 bits). Method 0: the value follows as it is. */
static int decode_compressed(const Value *value, const uint8_t *data, size_t length, ColumnBatch *batch, Error *error)
{
    size_t bytes, size;
    uint8_t *plain;
    int status;

    if (length == 0)
        return value->inner(value, data, 0, batch, error);
    if (data[0] >> 4 == 0)
        return value->inner(value, data + 1, length - 1, batch, error);
    bytes = data[0] & 7;
    if (data[0] >> 4 != COMPRESSED_ZLIB || bytes == 0 || bytes > 4 || length < 1 + bytes)
        return value_malformed(value, batch, error);
    size = big_endian(data + 1, bytes);
    if (size > batch->columns[value->field].value_bytes_max)
        return column_set_bytes(batch, value->field, data, size, error);
    plain = malloc(size + 1);
    if (!plain)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a value of %zu bytes", size);
    if (inflate_into(data + 1 + bytes, length - 1 - bytes, !(data[0] & 8), plain, size) < 0)
        status = value_malformed(value, batch, error);
    else
        status = value->inner(value, plain, size, batch, error);
    free(plain);
    return status;
}

static int texts_choose(const ValueSpec *spec, Value *ret, Error *error)
{
    const cJSON *member;
    int count = cJSON_GetArraySize(spec->column->values), index = 0;

    if (count < 1)
        return error_set(error, ERROR_PERMANENT, "CALL sluice.refresh of the source.", "the members of the %s column \"%.200s\" are not known",
                         spec->column->source_type, spec->column->name);
    ret->texts = calloc((size_t)count, sizeof *ret->texts);
    if (!ret->texts)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the members of column \"%.200s\"", spec->column->name);
    ret->texts_count = count;
    cJSON_ArrayForEach(member, spec->column->values) {
        const char *text = cJSON_IsString(member) ? member->valuestring : "";

        ret->texts[index++] = (ValueText){text, strlen(text)};
    }
    ret->decode = spec->column->declared.kind == SHAPE_ENUM ? decode_enum : decode_set;
    return 0;
}

static int string_choose(const ValueSpec *spec, Value *ret, Error *error)
{
    const char *name = *spec->column->character_set ? spec->column->character_set : "utf8mb4";

    if (charset_open(name, &ret->charset, error) < 0)
        return error_prefix(error, "column \"%.200s\"", spec->column->name);
    ret->decode = ret->charset ? decode_converted : decode_bytes;
    return 0;
}

static int kind_choose(const ValueSpec *spec, Value *ret, ColumnType type, Error *error)
{
    switch (spec->column->declared.kind) {
    case SHAPE_CHAR:
    case SHAPE_VARCHAR:
    case SHAPE_TEXT:
        return type == COLUMN_STRING ? string_choose(spec, ret, error) : 0;
    case SHAPE_ENUM:
    case SHAPE_SET:
        return type == COLUMN_STRING ? texts_choose(spec, ret, error) : 0;
    case SHAPE_JSON:
        ret->decode = type == COLUMN_STRING ? decode_document : NULL;
        return 0;
    case SHAPE_BINARY:
        ret->padded = spec->column->declared.length;
        ret->decode = type == COLUMN_BINARY ? decode_padded : NULL;
        return 0;
    case SHAPE_VARBINARY:
    case SHAPE_BLOB:
    case SHAPE_GEOMETRY:
    case SHAPE_VECTOR:
        ret->decode = type == COLUMN_BINARY ? decode_bytes : NULL;
        return 0;
    case SHAPE_UUID:
        ret->padded = 16;
        ret->decode = type == COLUMN_UUID ? decode_uuid : NULL;
        return 0;
    case SHAPE_INET4:
    case SHAPE_INET6:
        ret->padded = spec->column->declared.kind == SHAPE_INET4 ? 4 : 16;
        if (type == COLUMN_STRING)
            ret->decode = ret->padded == 4 ? decode_inet4 : decode_inet6;
        return 0;
    default:
        return 0;
    }
}

int value_text_choose(const ValueSpec *spec, Value *ret, Error *error)
{
    uint8_t code = spec->map->types[spec->index];

    if (spec->column->declared.kind < SHAPE_CHAR)
        return 0;
    if (kind_choose(spec, ret, spec->schema->fields[spec->field].type, error) < 0)
        return -1;
    if (ret->decode && (code == CODE_VARCHAR_COMPRESSED || code == CODE_BLOB_COMPRESSED)) {
        ret->inner = ret->decode;
        ret->decode = decode_compressed;
    }
    return 0;
}
