#include "token.h"
#include "text.h"
#include <stdlib.h>

static void put(Bytes *bytes, uint64_t number, size_t size)
{
    uint8_t raw[8];

    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(number >> (8 * i));
    bytes_append(bytes, raw, size);
}

/* US_VARCHAR (size 2) or B_VARCHAR (size 1): the length counts UTF-16 units and is cut to what the field can say. */
static void put_text(Bytes *bytes, const char *utf8, size_t size)
{
    Bytes utf16 = {0};
    size_t most = size == 1 ? 255 : 65535;

    text_utf16_from_utf8(utf8, strlen(utf8), &utf16);
    size_t units = utf16.length / 2 < most ? utf16.length / 2 : most;
    put(bytes, units, size);
    bytes_append(bytes, utf16.data, units * 2);
    bytes_free(&utf16);
}

/* A token whose length stands in two bytes behind its first byte. */
static int send_sized(Connection *connection, uint8_t token, Bytes *body)
{
    uint8_t head[3] = {token, (uint8_t)body->length, (uint8_t)(body->length >> 8)};
    int result = net_put(connection, head, sizeof head);

    if (result == 0)
        result = net_put(connection, body->data, body->length);
    bytes_free(body);
    return result;
}

int token_columns(Connection *connection, RowFormat *format, const ResultColumn *columns, int count)
{
    Bytes bytes = {0};

    free(format->lengths);
    format->lengths = malloc((size_t)count + 1);
    if (!format->lengths)
        abort();
    format->count = count;
    put(&bytes, 0x81, 1);
    put(&bytes, (uint64_t)count, 2);
    for (int i = 0; i < count; i++) {
        WireLength length = wire_length(&columns[i].type);
        format->lengths[i] = (uint8_t)length;
        put(&bytes, wire_user_type(&columns[i].type), 4);
        put(&bytes, (columns[i].nullable ? 1 : 0) | 8, 2);
        wire_type_put(&columns[i].type, &bytes);
        if (length == WIRE_POINTER) { /* TableName: one part, its name is not known here */
            put(&bytes, 1, 1);
            put(&bytes, 0, 2);
        }
        put_text(&bytes, columns[i].name, 1);
    }
    int result = net_put(connection, bytes.data, bytes.length);
    bytes_free(&bytes);
    return result;
}

void row_format_free(RowFormat *format)
{
    free(format->lengths);
    bytes_free(&format->row);
    format->lengths = NULL;
}

static uint8_t *row_room(Bytes *row, size_t more)
{
    if (row->length + more > row->capacity) {
        size_t capacity = (row->length + more) * 2 + 4096;
        uint8_t *data = realloc(row->data, capacity);
        if (!data)
            abort();
        row->data = data;
        row->capacity = capacity;
    }
    return row->data + row->length;
}

static const uint8_t null_sizes[] = {
    [WIRE_BYTE] = 1, [WIRE_SHORT] = 2, [WIRE_LONG] = 4, [WIRE_POINTER] = 1, [WIRE_CHUNKED] = 8};

static void append_null(Bytes *row, WireLength form)
{
    size_t size = null_sizes[form];

    memset(row_room(row, 8), form == WIRE_SHORT || form == WIRE_CHUNKED ? 0xFF : 0, size);
    row->length += size;
}

static void little(uint8_t *at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* PLP with its total length known, in chunks: a client must put them together ([MS-TDS] 2.2.5.2.3). */
static void append_chunked(Bytes *row, const ResultValue *value)
{
    enum { CHUNK = 32 * 1024 };
    size_t chunks = (value->length + CHUNK - 1) / CHUNK;
    uint8_t *at = row_room(row, 8 + value->length + 4 * chunks + 4);

    little(at, value->length, 8);
    at += 8;
    for (size_t done = 0; done < value->length;) {
        size_t part = value->length - done < CHUNK ? value->length - done : CHUNK;
        little(at, part, 4);
        memcpy(at + 4, value->data + done, part);
        at += 4 + part;
        done += part;
    }
    little(at, 0, 4);
    row->length += 8 + value->length + 4 * chunks + 4;
}

static void append_value(Bytes *row, WireLength form, const ResultValue *value)
{
    size_t prefix = form == WIRE_BYTE ? 1 : form == WIRE_SHORT ? 2 : form == WIRE_LONG ? 4 : 29;

    if (form == WIRE_CHUNKED) {
        append_chunked(row, value);
        return;
    }
    uint8_t *at = row_room(row, prefix + value->length);
    if (form == WIRE_POINTER) { /* a text pointer of 16 bytes and a timestamp; clients only look at their presence */
        at[0] = 16;
        memset(at + 1, 0x64, 24);
        little(at + 25, value->length, 4);
    } else {
        little(at, value->length, prefix);
    }
    memcpy(at + prefix, value->data, value->length);
    row->length += prefix + value->length;
}

/* NBCROW pays when the NULL marks it leaves out are longer than its bitmap ([MS-TDS] 2.2.7.14). */
static bool bitmap_pays(const RowFormat *format, const ResultValue *values)
{
    size_t saved = 0;

    for (int i = 0; i < format->count; i++)
        if (!values[i].data)
            saved += null_sizes[format->lengths[i]];
    return format->null_bitmap && saved > ((size_t)format->count + 7) / 8;
}

int token_row(Connection *connection, RowFormat *format, const ResultValue *values, int count)
{
    Bytes *row = &format->row;
    bool bitmap = bitmap_pays(format, values);

    if (count != format->count)
        abort(); /* the engine's mistake: the stream could not be read any more */
    row->length = 0;
    *row_room(row, 1) = bitmap ? 0xD2 : 0xD1;
    row->length = 1;
    if (bitmap) {
        size_t size = ((size_t)count + 7) / 8;
        uint8_t *bits = row_room(row, size);
        memset(bits, 0, size);
        for (int i = 0; i < count; i++)
            if (!values[i].data)
                bits[i / 8] |= (uint8_t)(1 << (i % 8));
        row->length += size;
    }
    for (int i = 0; i < count; i++) {
        if (values[i].data)
            append_value(row, format->lengths[i], &values[i]);
        else if (!bitmap)
            append_null(row, format->lengths[i]);
    }
    return net_put(connection, row->data, row->length);
}

int token_done(Connection *connection, int token, uint16_t status, uint16_t command, uint64_t rows)
{
    uint8_t bytes[13] = {(uint8_t)token};

    little(bytes + 1, status, 2);
    little(bytes + 3, command, 2);
    little(bytes + 5, rows, 8);
    return net_put(connection, bytes, sizeof bytes);
}

int token_message(Connection *connection, const SqlError *error, int line)
{
    Bytes body = {0};

    put(&body, (uint32_t)error->number, 4);
    put(&body, error->state, 1);
    put(&body, error->severity, 1);
    put_text(&body, error->text, 2);
    put_text(&body, SERVER_NAME, 1);
    put_text(&body, "", 1);
    put(&body, (uint32_t)line, 4);
    return send_sized(connection, error->severity > 10 ? 0xAA : 0xAB, &body);
}

int token_change_text(Connection *connection, int kind, const char *new_value, const char *old_value)
{
    Bytes body = {0};

    put(&body, (uint64_t)kind, 1);
    put_text(&body, new_value, 1);
    put_text(&body, old_value, 1);
    return send_sized(connection, 0xE3, &body);
}

int token_change_bytes(Connection *connection, int kind, const void *new_value, size_t new_length,
                       const void *old_value, size_t old_length)
{
    Bytes body = {0};

    put(&body, (uint64_t)kind, 1);
    put(&body, new_length, 1);
    bytes_append(&body, new_value, new_length);
    put(&body, old_length, 1);
    bytes_append(&body, old_value, old_length);
    return send_sized(connection, 0xE3, &body);
}

int token_login_ack(Connection *connection, uint32_t version)
{
    Bytes body = {0};

    put(&body, 1, 1); /* SQL_TSQL */
    for (int shift = 24; shift >= 0; shift -= 8)
        put(&body, version >> shift & 0xFF, 1);
    put_text(&body, "Microsoft SQL Server", 1);
    bytes_append(&body, "\x0f\x00\x11\x17", 4); /* 15.0.4375, as in @@VERSION */
    return send_sized(connection, 0xAD, &body);
}

int token_return_status(Connection *connection, int32_t status)
{
    uint8_t bytes[5] = {0x79};

    little(bytes + 1, (uint32_t)status, 4);
    return net_put(connection, bytes, sizeof bytes);
}

int token_return_int(Connection *connection, uint16_t ordinal, const char *name, int32_t value)
{
    Bytes bytes = {0};

    put(&bytes, 0xAC, 1);
    put(&bytes, ordinal, 2);
    put_text(&bytes, name, 1);
    put(&bytes, 1, 1); /* an output parameter */
    put(&bytes, 0, 4);
    put(&bytes, 0, 2);
    put(&bytes, 0x26, 1);
    put(&bytes, 4, 1);
    put(&bytes, 4, 1);
    put(&bytes, (uint32_t)value, 4);
    int result = net_put(connection, bytes.data, bytes.length);
    bytes_free(&bytes);
    return result;
}
