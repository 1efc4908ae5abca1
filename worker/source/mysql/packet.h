/*
 * packet.h - packets of the client protocol, read past libmariadb (MySQL client/server protocol, "Protocol Packets").
 *
 * libmariadb's own reader waits without asking anyone and keeps the largest packet's memory. Here a wait is a poll() of at most a
 * second between two beats, and the buffer of a large packet is given back with the next one. Only session.c uses this.
 */
#ifndef SLUICE_MYSQL_PACKET_H
#define SLUICE_MYSQL_PACKET_H

#include "base/error.h"
#include <mariadb/mysql.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_BYTES_MAX ((size_t)1100 * 1024 * 1024) /* largest max_allowed_packet of both servers, 1 GiB, and what is around an event */
#define PACKET_BUFFER_BYTES ((size_t)256 * 1024)      /* kept between packets */

typedef struct PacketBuffer {
    uint8_t *data;
    size_t capacity;
    size_t start;  /* of what was not given out yet */
    size_t filled; /* bytes of `data` that came from the server */
    size_t taken;  /* behind the packet given out last */
} PacketBuffer;

void packet_free(PacketBuffer *buffer);
/* What the server has sent to `mysql` so far, without waiting. 1 = a packet, complete: *data is the buffer's until the next call;
 * 0 = more must come; -1: the connection has ended (*error: ERROR_TRANSIENT) or a packet is larger than allowed. */
int packet_take(PacketBuffer *buffer, MYSQL *mysql, const uint8_t **data, size_t *length, Error *error);

#endif
