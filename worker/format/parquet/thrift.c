/* thrift.c - see thrift.h */
#include "format/parquet/thrift.h"

uint8_t *varint_write(uint8_t *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

static void bytes_put(Thrift *thrift, const void *data, size_t length)
{
    if (thrift->status == 0)
        thrift->status = buffer_append(thrift->out, data, length, thrift->error);
}

static void byte_put(Thrift *thrift, uint8_t byte)
{
    bytes_put(thrift, &byte, 1);
}

static void varint_put(Thrift *thrift, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];

    bytes_put(thrift, bytes, (size_t)(varint_write(bytes, value) - bytes));
}

static void field_put(Thrift *thrift, int16_t field, ThriftType type)
{
    int16_t *last = &thrift->last[thrift->depth];
    int step = field - *last;

    if (step > 0 && step <= 15) {
        byte_put(thrift, (uint8_t)(step << 4 | (int)type));
    } else {
        byte_put(thrift, (uint8_t)type);
        varint_put(thrift, zigzag(field));
    }
    *last = field;
}

static void depth_enter(Thrift *thrift)
{
    if (thrift->depth + 1 >= THRIFT_DEPTH_MAX) {
        if (thrift->status == 0)
            thrift->status = error_set(thrift->error, ERROR_INTERNAL, NULL, "a Thrift struct nests deeper than %d", THRIFT_DEPTH_MAX);
        return;
    }
    thrift->last[++thrift->depth] = 0;
}

void thrift_begin(Thrift *thrift, Buffer *out, Error *error)
{
    *thrift = (Thrift){.out = out, .error = error};
}

int thrift_end(Thrift *thrift)
{
    byte_put(thrift, 0);
    return thrift->status;
}

void thrift_bool(Thrift *thrift, int16_t field, bool value)
{
    field_put(thrift, field, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_byte(Thrift *thrift, int16_t field, int8_t value)
{
    field_put(thrift, field, THRIFT_BYTE);
    byte_put(thrift, (uint8_t)value);
}

void thrift_i16(Thrift *thrift, int16_t field, int16_t value)
{
    field_put(thrift, field, THRIFT_I16);
    varint_put(thrift, zigzag(value));
}

void thrift_i32(Thrift *thrift, int16_t field, int32_t value)
{
    field_put(thrift, field, THRIFT_I32);
    varint_put(thrift, zigzag(value));
}

void thrift_i64(Thrift *thrift, int16_t field, int64_t value)
{
    field_put(thrift, field, THRIFT_I64);
    varint_put(thrift, zigzag(value));
}

void thrift_binary(Thrift *thrift, int16_t field, const void *data, size_t length)
{
    field_put(thrift, field, THRIFT_BINARY);
    thrift_element_binary(thrift, data, length);
}

void thrift_struct(Thrift *thrift, int16_t field)
{
    field_put(thrift, field, THRIFT_STRUCT);
    depth_enter(thrift);
}

void thrift_stop(Thrift *thrift)
{
    byte_put(thrift, 0);
    if (thrift->depth > 0)
        thrift->depth--;
}

void thrift_list(Thrift *thrift, int16_t field, ThriftType of, size_t count)
{
    field_put(thrift, field, THRIFT_LIST);
    if (count < 15) {
        byte_put(thrift, (uint8_t)(count << 4 | (size_t)of));
    } else {
        byte_put(thrift, (uint8_t)(0xf0 | (int)of));
        varint_put(thrift, count);
    }
}

void thrift_element_bool(Thrift *thrift, bool value)
{
    byte_put(thrift, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_element_i32(Thrift *thrift, int32_t value)
{
    varint_put(thrift, zigzag(value));
}

void thrift_element_i64(Thrift *thrift, int64_t value)
{
    varint_put(thrift, zigzag(value));
}

void thrift_element_binary(Thrift *thrift, const void *data, size_t length)
{
    varint_put(thrift, length);
    bytes_put(thrift, data, length);
}

void thrift_element_struct(Thrift *thrift)
{
    depth_enter(thrift);
}
