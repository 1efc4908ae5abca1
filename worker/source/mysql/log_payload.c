/* log_payload.c - see log_payload.h */
#include "source/mysql/log_payload.h"
#include "source/mysql/bytes.h"
#include "source/mysql/log_event.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define FIELD_END 0
#define FIELD_SIZE 1
#define FIELD_COMPRESSION 2
#define COMPRESSION_ZSTD 0
#define COMPRESSION_NONE 255
#define CHUNK ((size_t)128 * 1024)
#define STEP_MAX ((size_t)4 * 1024 * 1024)
#define DEFLATE_RATIO_MAX 1032 /* of zlib's format (zlib.net, "zlib Technical Details") */

struct LogPayload {
    const uint8_t *data;
    size_t length, at;
    ZSTD_DStream *zstd; /* NULL: not compressed */
    Buffer inflated;
    size_t given; /* of `inflated`: the next event begins behind it */
};

int log_inflate(const uint8_t *data, size_t length, Buffer *ret, Error *error)
{
    Bytes bytes = bytes_of(data, length);
    uint8_t first = (uint8_t)bytes_number(&bytes, 1);
    size_t wanted = 0;
    uLongf came;

    for (int i = first & 7; i > 0; i--)
        wanted = wanted << 8 | bytes_number(&bytes, 1);
    if (bytes.short_of || (first & 7) > 4 || (first & 0xf0) != 0x80)
        return error_set(error, ERROR_INTERNAL, NULL, "a compressed event of the log begins with 0x%02x", first);
    if (wanted / DEFLATE_RATIO_MAX > bytes_left(&bytes))
        return error_set(error, ERROR_INTERNAL, NULL, "a compressed event of the log says it has %zu bytes", wanted);
    if (buffer_reserve(ret, wanted + 1, error) < 0)
        return -1;
    came = wanted;
    if (uncompress((Bytef *)ret->data + ret->length, &came, bytes.at, bytes_left(&bytes)) != Z_OK || came != wanted)
        return error_set(error, ERROR_INTERNAL, NULL, "a compressed event of the log cannot be inflated");
    ret->length += wanted;
    return 0;
}

int log_payload_open(const uint8_t *body, size_t length, LogPayload **ret, Error *error)
{
    Bytes bytes = bytes_of(body, length);
    uint64_t size = UINT64_MAX, compression = UINT64_MAX, type;
    LogPayload *payload;

    while ((type = bytes_packed(&bytes)) != FIELD_END && !bytes.short_of) {
        Bytes field;
        uint64_t width = bytes_packed(&bytes);

        field = bytes_of(bytes.at, bytes_left(&bytes) < width ? bytes_left(&bytes) : width);
        bytes_take(&bytes, width);
        if (type == FIELD_SIZE)
            size = bytes_packed(&field);
        else if (type == FIELD_COMPRESSION)
            compression = bytes_packed(&field);
    }
    if (bytes.short_of || size > bytes_left(&bytes))
        return error_set(error, ERROR_INTERNAL, NULL, "a transaction payload of the log is malformed");
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE)
        return error_set(error, ERROR_PERMANENT,
                         "A newer sluice may know it; SET GLOBAL binlog_transaction_compression = OFF on the server.",
                         "a transaction payload of the log has the unknown compression %llu",
                         (unsigned long long)compression);
    payload = calloc(1, sizeof *payload);
    if (!payload)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a transaction payload");
    payload->data = bytes.at;
    payload->length = size;
    buffer_init(&payload->inflated, LOG_INFLATED_MAX);
    if (compression == COMPRESSION_ZSTD &&
        (!(payload->zstd = ZSTD_createDStream()) || ZSTD_isError(ZSTD_initDStream(payload->zstd)))) {
        log_payload_close(payload);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a transaction payload");
    }
    *ret = payload;
    return 0;
}

void log_payload_close(LogPayload *payload)
{
    if (!payload)
        return;
    ZSTD_freeDStream(payload->zstd);
    buffer_free(&payload->inflated);
    free(payload);
}

/* Makes `wanted` bytes behind what was given: 1, or 0 where the payload ends before them. */
static int payload_fill(LogPayload *payload, size_t wanted, Error *error)
{
    Buffer *inflated = &payload->inflated;

    while (inflated->length - payload->given < wanted) {
        ZSTD_inBuffer in = {.src = payload->data, .size = payload->length, .pos = payload->at};
        ZSTD_outBuffer out = {0};
        size_t missing = wanted - (inflated->length - payload->given), code;

        /* Memory follows what comes, not what an event says of itself. */
        out.size = missing < CHUNK ? CHUNK : missing > STEP_MAX ? STEP_MAX : missing;
        if (buffer_reserve(inflated, out.size, error) < 0)
            return -1;
        out.dst = inflated->data + inflated->length;
        code = ZSTD_decompressStream(payload->zstd, &out, &in);
        if (ZSTD_isError(code))
            return error_set(error, ERROR_INTERNAL, NULL, "a transaction payload of the log cannot be inflated: %s",
                             ZSTD_getErrorName(code));
        inflated->length += out.pos;
        if (out.pos == 0 && in.pos == payload->at)
            return 0;
        payload->at = in.pos;
    }
    return 1;
}

/* `wanted` bytes of events from the next event's begin on, NULL where there are fewer. */
static int payload_look(LogPayload *payload, size_t wanted, const uint8_t **ret, Error *error)
{
    int filled;

    if (!payload->zstd) {
        *ret = payload->data + payload->at;
        return payload->length - payload->at >= wanted;
    }
    filled = payload_fill(payload, wanted, error);
    *ret = (const uint8_t *)payload->inflated.data + payload->given;
    return filled;
}

int log_payload_next(LogPayload *payload, const uint8_t **event, size_t *length, Error *error)
{
    Buffer *inflated = &payload->inflated;
    const uint8_t *at;
    uint32_t size;
    int found;

    /* What was given is done with: only the begun next event stays. */
    if (payload->given >= CHUNK) {
        memmove(inflated->data, inflated->data + payload->given, inflated->length - payload->given);
        inflated->length -= payload->given;
        payload->given = 0;
    }
    found = payload_look(payload, LOG_EVENT_HEADER, &at, error);
    if (found < 0)
        return -1;
    if (found == 0) {
        if (payload->zstd ? inflated->length > payload->given : payload->at < payload->length)
            return error_set(error, ERROR_INTERNAL, NULL, "a transaction payload of the log ends in mid-event");
        return 0;
    }
    size = (uint32_t)at[9] | (uint32_t)at[10] << 8 | (uint32_t)at[11] << 16 | (uint32_t)at[12] << 24;
    if (size < LOG_EVENT_HEADER || size > LOG_INFLATED_MAX)
        return error_set(error, ERROR_INTERNAL, NULL,
                         "an event in a transaction payload of the log says it has %u bytes", size);
    found = payload_look(payload, size, &at, error);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a transaction payload of the log ends in mid-event");
    if (payload->zstd)
        payload->given += size;
    else
        payload->at += size;
    *event = at;
    *length = size;
    return 1;
}
