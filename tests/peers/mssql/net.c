#include "net.h"
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STALL_LOOK_MS = 20 };

void net_open(Connection *connection, int fd, uint16_t spid)
{
    memset(connection, 0, offsetof(Connection, output));
    connection->fd = fd;
    connection->spid = spid;
    connection->packet_size = PACKET_LOGIN_SIZE;
    connection->used = PACKET_HEADER;
}

void net_close(Connection *connection)
{
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

static int broken(Connection *connection)
{
    connection->broken = true;
    return -1;
}

static int socket_write(Connection *connection, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return broken(connection);
        data += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* What OpenSSL has produced goes to the socket as it is (records), or inside packets during the handshake. */
static int tls_drain(Connection *connection)
{
    uint8_t records[16384];
    BIO *bio = SSL_get_wbio(connection->ssl);
    int length;

    while ((length = BIO_read(bio, records, sizeof records)) > 0)
        if (socket_write(connection, records, (size_t)length) != 0)
            return -1;
    return 0;
}

static int transport_write(Connection *connection, const uint8_t *data, size_t length)
{
    if (length == 0)
        return 0;
    if (!connection->encrypted)
        return socket_write(connection, data, length);
    if (SSL_write(connection->ssl, data, (int)length) != (int)length)
        return broken(connection);
    return tls_drain(connection);
}

static int cut(Connection *connection)
{
    if (connection->fault->reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    } else {
        shutdown(connection->fd, SHUT_RDWR);
    }
    close(connection->fd);
    connection->fd = -1;
    return broken(connection);
}

/* Silence: only the file's change or the client's departure ends it. */
static int stall(Connection *connection)
{
    while (!fault_changed(connection->fault)) {
        struct pollfd poller = {.fd = connection->fd, .events = POLLRDHUP};
        if (poll(&poller, 1, STALL_LOOK_MS) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)))
            return broken(connection);
    }
    return 0;
}

/* Everything that leaves during a statement passes here, so that byte faults count what the client counts. */
static int output_write(Connection *connection, const uint8_t *data, size_t length)
{
    Fault *fault = connection->fault;

    if (connection->broken)
        return -1;
    if (fault && fault->active) {
        int64_t stop_at = fault->drop_after_bytes >= 0 ? fault->drop_after_bytes : fault->stall_after_bytes;
        if (stop_at >= 0 && connection->bytes_sent + length >= (uint64_t)stop_at) {
            size_t before = (uint64_t)stop_at > connection->bytes_sent ? (size_t)stop_at - connection->bytes_sent : 0;
            if (transport_write(connection, data, before) != 0)
                return -1;
            connection->bytes_sent += before;
            if (fault->drop_after_bytes >= 0)
                return cut(connection);
            if (stall(connection) != 0)
                return -1;
            fault->active = false;
            data += before;
            length -= before;
        }
    }
    connection->bytes_sent += length;
    return transport_write(connection, data, length);
}

static void packet_close(Connection *connection, bool last)
{
    uint8_t *header = connection->output + connection->packet_start;
    size_t length = connection->used - connection->packet_start;

    header[0] = PACKET_REPLY;
    header[1] = last ? 1 : 0;
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    header[4] = (uint8_t)(connection->spid >> 8);
    header[5] = (uint8_t)connection->spid;
    header[6] = ++connection->packet_id;
    header[7] = 0;
}

/* Writes the closed packets and moves an open one, if any, to the front. */
static int packets_send(Connection *connection)
{
    size_t closed = connection->packet_start;
    size_t open = connection->used - closed;
    int result = output_write(connection, connection->output, closed);

    memmove(connection->output, connection->output + closed, open);
    connection->packet_start = 0;
    connection->used = open;
    return result;
}

void net_begin(Connection *connection)
{
    connection->packet_id = 0;
    connection->packet_start = 0;
    connection->used = PACKET_HEADER;
    connection->bytes_sent = 0;
}

int net_put_split(Connection *connection, const void *data, size_t length)
{
    const uint8_t *bytes = data;

    while (length > 0) {
        if (connection->broken)
            return -1;
        size_t room = connection->packet_start + connection->packet_size - connection->used;
        if (room == 0) {
            packet_close(connection, false);
            connection->packet_start = connection->used;
            connection->used += PACKET_HEADER;
            if (connection->used + connection->packet_size > OUTPUT_MAX && net_poll(connection) != 0)
                return -1;
            continue;
        }
        size_t part = length < room ? length : room;
        memcpy(connection->output + connection->used, bytes, part);
        connection->used += part;
        bytes += part;
        length -= part;
    }
    return 0;
}

int net_end(Connection *connection)
{
    if (connection->broken)
        return -1;
    packet_close(connection, true);
    connection->packet_start = connection->used;
    int result = packets_send(connection);
    connection->used = PACKET_HEADER;
    return result;
}

void net_packet_size(Connection *connection, size_t size)
{
    connection->packet_size = size;
}

static int transport_read(Connection *connection, uint8_t *data, size_t length)
{
    while (length > 0) {
        uint8_t records[16384];
        int taken = connection->encrypted ? SSL_read(connection->ssl, data, (int)length) : -1;
        if (taken <= 0) {
            bool wants = connection->encrypted && SSL_get_error(connection->ssl, taken) == SSL_ERROR_WANT_READ;
            if (connection->encrypted && !wants)
                return broken(connection);
            ssize_t received = recv(connection->fd, connection->encrypted ? records : data,
                                    connection->encrypted ? sizeof records : length, 0);
            if (received < 0 && errno == EINTR)
                continue;
            if (received <= 0)
                return broken(connection);
            if (connection->encrypted) {
                BIO_write(SSL_get_rbio(connection->ssl), records, (int)received);
                continue;
            }
            taken = (int)received;
        }
        data += taken;
        length -= (size_t)taken;
    }
    return 0;
}

/* One packet: appends its payload to message. */
static int packet_read(Connection *connection, int *type, bool *last, Bytes *message)
{
    uint8_t header[PACKET_HEADER];
    uint8_t payload[PACKET_MAX + 1];

    if (transport_read(connection, header, sizeof header) != 0)
        return -1;
    size_t length = (size_t)header[2] << 8 | header[3];
    if (length < PACKET_HEADER || length > PACKET_MAX)
        return broken(connection);
    *type = header[0];
    *last = (header[1] & 1) != 0;
    if (transport_read(connection, payload, length - PACKET_HEADER) != 0)
        return -1;
    bytes_append(message, payload, length - PACKET_HEADER);
    return 0;
}

int net_read(Connection *connection, int *type, Bytes *message)
{
    bool last = false;
    int first = -1;

    bytes_clear(message);
    while (!last) {
        if (packet_read(connection, type, &last, message) != 0)
            return -1;
        if (first < 0)
            first = *type;
        /* An attention may interrupt a request that is still being sent; it is a message of its own. */
        if (*type == PACKET_ATTENTION)
            bytes_clear(message);
        else if (*type != first)
            return broken(connection);
        if (message->length > MESSAGE_MAX)
            return broken(connection);
    }
    return 0;
}

/* Under TLS a request may already be decrypted, or wait in the BIO where poll cannot see it. */
static bool input_waits(Connection *connection)
{
    struct pollfd poller = {.fd = connection->fd, .events = POLLIN};

    if (connection->encrypted && (SSL_pending(connection->ssl) > 0 || BIO_pending(SSL_get_rbio(connection->ssl)) > 0))
        return true;
    return poll(&poller, 1, 0) > 0;
}

int net_poll(Connection *connection)
{
    Bytes ignored = {0};
    bool last;
    int type, result = 0;

    if (connection->broken || packets_send(connection) != 0)
        return -1;
    if (!input_waits(connection))
        return 0;
    /* A client may send nothing but an attention before it has read the answer ([MS-TDS] 2.2.1.7). */
    if (packet_read(connection, &type, &last, &ignored) != 0)
        result = -1;
    else if (type != PACKET_ATTENTION)
        result = broken(connection);
    else
        connection->attention = true;
    bytes_free(&ignored);
    return result;
}

/* During the handshake each flight of records travels in one packet of type 0x12. */
static int handshake_send(Connection *connection)
{
    BIO *bio = SSL_get_wbio(connection->ssl);
    uint8_t packet[PACKET_LOGIN_SIZE];
    int length;

    while ((length = BIO_read(bio, packet + PACKET_HEADER, sizeof packet - PACKET_HEADER)) > 0) {
        size_t total = (size_t)length + PACKET_HEADER;
        uint8_t header[PACKET_HEADER] = {
            PACKET_PRELOGIN, BIO_pending(bio) > 0 ? 0 : 1, (uint8_t)(total >> 8), (uint8_t)total, 0, 0, 0, 0};
        memcpy(packet, header, sizeof header);
        if (socket_write(connection, packet, total) != 0)
            return -1;
    }
    return 0;
}

int net_tls_start(Connection *connection, SSL_CTX *context)
{
    Bytes flight = {0};
    int result = 1;

    connection->ssl = SSL_new(context);
    SSL_set_bio(connection->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(connection->ssl);
    while (result == 1) {
        int type, done = SSL_do_handshake(connection->ssl);
        if (handshake_send(connection) != 0 ||
            (done != 1 && SSL_get_error(connection->ssl, done) != SSL_ERROR_WANT_READ))
            result = broken(connection);
        else if (done == 1)
            result = 0;
        else if (net_read(connection, &type, &flight) != 0 || type != PACKET_PRELOGIN)
            result = broken(connection);
        else
            BIO_write(SSL_get_rbio(connection->ssl), flight.data, (int)flight.length);
    }
    connection->encrypted = result == 0;
    bytes_free(&flight);
    return result;
}

void net_tls_stop(Connection *connection)
{
    connection->encrypted = false;
}
