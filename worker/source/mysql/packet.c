/* packet.c - see packet.h */
#include "source/mysql/packet.h"

#include <mariadb/ma_pvio.h>
/* The installed ma_pvio.h knows TLS as a void pointer. */
#undef MARIADB_TLS
#include <mariadb/ma_tls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_HEADER 4
#define PACKET_PART_MAX 0xffffff /* a part of this length is followed by another */

void packet_free(PacketBuffer *buffer)
{
    free(buffer->data);
    *buffer = (PacketBuffer){0};
}

/* Room for `wanted` bytes from `start` on. */
static int packet_reserve(PacketBuffer *buffer, size_t wanted, Error *error)
{
    uint8_t *grown;
    size_t capacity;

    if (buffer->capacity - buffer->start >= wanted)
        return 0;
    if (buffer->data && buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->filled - buffer->start);
        buffer->filled -= buffer->start;
        buffer->taken -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->capacity >= wanted)
        return 0;
    /* A part announces at most 16 MiB: a large packet grows by half of itself, not part by part. */
    capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity < wanted)
        capacity = wanted;
    grown = realloc(buffer->data, capacity);
    if (!grown)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a packet of %zu bytes", wanted);
    buffer->data = grown;
    buffer->capacity = capacity;
    return 0;
}

/* A large packet's memory goes once nothing of it is left. */
static void packet_shrink(PacketBuffer *buffer)
{
    if (buffer->capacity <= 4 * PACKET_BUFFER_BYTES || buffer->filled - buffer->start > PACKET_BUFFER_BYTES)
        return;
    if (buffer->data && buffer->start < buffer->filled) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->filled - buffer->start);
        buffer->filled -= buffer->start;
        buffer->taken = buffer->start = 0;
    } else {
        buffer->filled = buffer->start = buffer->taken = 0;
    }
    uint8_t *smaller = realloc(buffer->data, PACKET_BUFFER_BYTES);
    if (smaller) {
        buffer->data = smaller;
        buffer->capacity = PACKET_BUFFER_BYTES;
    }
}

/* Bytes that came, 0 = none yet, -1 = the connection has ended. */
static ssize_t packet_receive(MYSQL *mysql, uint8_t *data, size_t size)
{
    MARIADB_PVIO *pvio = mysql->net.pvio;
    size_t cached;

    if (!pvio)
        return -1;
    /* What libmariadb has read ahead of the answers it was asked for. */
    cached = pvio->cache_pos && pvio->cache + pvio->cache_size > pvio->cache_pos
                 ? (size_t)(pvio->cache + pvio->cache_size - pvio->cache_pos)
                 : 0;
    if (cached > 0) {
        size_t length = cached < size ? cached : size;

        memcpy(data, pvio->cache_pos, length);
        pvio->cache_pos += length;
        return (ssize_t)length;
    }
    if (pvio->ctls) {
        const MARIADB_TLS *tls = (const MARIADB_TLS *)pvio->ctls;
        SSL *ssl = tls->ssl;
        int length, reason;

        ERR_clear_error();
        length = SSL_read(ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
        if (length > 0)
            return length;
        reason = SSL_get_error(ssl, length);
        return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    for (;;) {
        ssize_t length = recv(mysql_get_socket(mysql), data, size, MSG_DONTWAIT);

        if (length > 0)
            return length;
        if (length < 0 && errno == EINTR)
            continue;
        return length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    }
}

/* Looks for a whole packet in what is there: 1 = found, its parts joined, 0 = *wanted bytes from `start` on are needed.
 */
static int packet_find(PacketBuffer *buffer, const uint8_t **data, size_t *length, size_t *wanted, Error *error)
{
    const uint8_t *from = buffer->data + buffer->start;
    size_t there = buffer->filled - buffer->start, at = 0, total = 0;
    size_t part;

    do {
        *wanted = at + PACKET_HEADER;
        if (there < *wanted)
            return 0;
        part = (size_t)from[at] | (size_t)from[at + 1] << 8 | (size_t)from[at + 2] << 16;
        total += part;
        if (total > PACKET_BYTES_MAX)
            return error_set(error, ERROR_PERMANENT, NULL, "a packet is larger than %zu bytes", PACKET_BYTES_MAX);
        *wanted = at + PACKET_HEADER + part;
        if (there < *wanted)
            return 0;
        at = *wanted;
    } while (part == PACKET_PART_MAX);
    buffer->taken = buffer->start + at;
    *data = from + PACKET_HEADER;
    *length = total;
    /* Parts behind the first move over their headers. */
    if (total >= PACKET_PART_MAX) {
        uint8_t *to = buffer->data + buffer->start + PACKET_HEADER + PACKET_PART_MAX;
        const uint8_t *part_at = to;

        for (size_t left = total - PACKET_PART_MAX; left > 0; left -= part) {
            part = left < PACKET_PART_MAX ? left : PACKET_PART_MAX;
            memmove(to, part_at + PACKET_HEADER, part);
            to += part;
            part_at += PACKET_HEADER + part;
        }
    }
    return 1;
}

int packet_take(PacketBuffer *buffer, MYSQL *mysql, const uint8_t **data, size_t *length, Error *error)
{
    size_t wanted;

    if (!buffer->data && packet_reserve(buffer, PACKET_BUFFER_BYTES, error) < 0)
        return -1;
    buffer->start = buffer->taken;
    packet_shrink(buffer);
    for (;;) {
        ssize_t came;
        int found = packet_find(buffer, data, length, &wanted, error);

        if (found != 0)
            return found;
        if (packet_reserve(buffer, wanted < PACKET_BUFFER_BYTES / 2 ? PACKET_BUFFER_BYTES / 2 : wanted, error) < 0)
            return -1;
        came = packet_receive(mysql, buffer->data + buffer->filled, buffer->capacity - buffer->filled);
        if (came < 0)
            return error_set(error, ERROR_TRANSIENT, NULL, "the server closed the connection");
        if (came == 0)
            return 0;
        buffer->filled += (size_t)came;
    }
}
