/*
 * net.h - one client connection as messages: packets in, packets out, TLS in between.
 *
 * A message is one or more packets of a type ([MS-TDS] 2.2.3.1: type, status, length big-endian, SPID, packet id,
 * window). Output is gathered into packets of the negotiated size and written some packets at a time; nothing is
 * promised to reach the client before net_end. TLS is OpenSSL over memory BIOs: the handshake travels inside
 * packets of type 0x12 ([MS-TDS] 2.2.6.5, 3.2.5.2), afterwards whole records carry the packets; at most TLS 1.2,
 * since FreeTDS 1.3 hangs in a 1.3 handshake inside packets.
 *
 * A process has one Connection. Functions return 0, or -1 when the connection is finished (peer gone, malformed
 * packet, cut by a fault); there is no way back from -1 but net_close.
 */
#ifndef MSSQL_NET_H
#define MSSQL_NET_H

#include "fault.h"
#include "type.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

enum {
    PACKET_BATCH = 1,
    PACKET_RPC = 3,
    PACKET_REPLY = 4,
    PACKET_ATTENTION = 6,
    PACKET_BULK = 7,
    PACKET_TRANSACTION = 14,
    PACKET_LOGIN = 16,
    PACKET_PRELOGIN = 18
};
enum { PACKET_HEADER = 8, PACKET_MAX = 32767, PACKET_MIN = 512, PACKET_LOGIN_SIZE = 4096 };
enum { MESSAGE_MAX = 256 * 1024 * 1024 }; /* a longer request ends the connection */
enum { OUTPUT_MAX = 128 * 1024 };

typedef struct Connection {
    int fd;
    uint16_t spid;
    size_t packet_size;
    SSL *ssl;
    bool encrypted;
    bool broken;
    bool attention;      /* the client asked to stop the running statement */
    Fault *fault;        /* faults of the running statement, or NULL */
    uint64_t bytes_sent; /* of the running statement's answer, packet headers included */
    uint8_t packet_id;
    size_t packet_start; /* where the packet being filled begins in output */
    size_t used;
    uint8_t output[OUTPUT_MAX];
} Connection;

void net_open(Connection *connection, int fd, uint16_t spid);
void net_close(Connection *connection);

/* The next whole message; its type in *type, its bytes without packet headers in message (replaced). */
int net_read(Connection *connection, int *type, Bytes *message);

/* An answer: net_begin, any number of net_put, net_end (sends everything). */
void net_begin(Connection *connection);
int net_put_split(Connection *connection, const void *data, size_t length);
int net_end(Connection *connection);
/* Sends what is gathered and sees whether an attention has come; -1 if broken, attention is in connection->attention.
 */
int net_poll(Connection *connection);
/* The packet size in force from the next message on. */
void net_packet_size(Connection *connection, size_t size);

/* The server side of the handshake; on success everything after it is encrypted until net_tls_stop. */
int net_tls_start(Connection *connection, SSL_CTX *context);
void net_tls_stop(Connection *connection);

static inline int net_put(Connection *connection, const void *data, size_t length)
{
    size_t room = connection->packet_start + connection->packet_size - connection->used;

    if (length > room || connection->broken)
        return net_put_split(connection, data, length);
    memcpy(connection->output + connection->used, data, length);
    connection->used += length;
    return 0;
}

#endif
