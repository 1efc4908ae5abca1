/* mysql_session_test.c - what a connection promises, against a server of a few lines that does what none would */
#include "base/clock.h"
#include "check.h"
#include "source/mysql/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART 0xffffff
#define ALLOWED 0 /* exit codes of the server's process */
#define BROKEN 1

static bool read_all(int socket, void *data, size_t length)
{
    for (size_t got = 0; got < length;) {
        ssize_t came = recv(socket, (char *)data + got, length - got, 0);

        if (came <= 0)
            return false;
        got += (size_t)came;
    }
    return true;
}

static void write_all(int socket, const void *data, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t went = send(socket, (const char *)data + sent, length - sent, MSG_NOSIGNAL);

        if (went <= 0)
            return;
        sent += (size_t)went;
    }
}

/* One packet of the client; its payload's length, -1 = it has gone. */
static long packet_read(int socket, uint8_t *data, size_t size)
{
    uint8_t header[4];
    size_t length;

    if (!read_all(socket, header, sizeof header))
        return -1;
    length = (size_t)header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16;
    return length <= size && read_all(socket, data, length) ? (long)length : -1;
}

static void part_write(int socket, uint8_t number, const void *data, size_t length)
{
    uint8_t header[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), number};

    write_all(socket, header, sizeof header);
    write_all(socket, data, length);
}

/* Protocol::HandshakeV10 of a server that has no TLS. */
static void greet(int socket, const char *version, const char *plugin)
{
    uint8_t packet[256] = {10};
    size_t length = 1;
    const uint32_t capabilities = 0x200 | 0x2000 | 0x8000 | 0x80000;

    memcpy(packet + length, version, strlen(version) + 1);
    length += strlen(version) + 1 + 4;
    memset(packet + length, 'a', 8);
    length += 9;
    packet[length++] = capabilities & 0xff;
    packet[length++] = capabilities >> 8 & 0xff;
    packet[length++] = 45;
    length += 2;
    packet[length++] = capabilities >> 16 & 0xff;
    packet[length++] = capabilities >> 24 & 0xff;
    packet[length++] = 21;
    length += 10;
    memset(packet + length, 'b', 12);
    length += 13;
    memcpy(packet + length, plugin, strlen(plugin) + 1);
    length += strlen(plugin) + 1;
    part_write(socket, 0, packet, length);
}

static const uint8_t okay[] = {0, 0, 0, 2, 0, 0, 0};

/* Asks for the password itself; what comes must be the wish for a key to hide it with. */
static int serve_sha2(int socket)
{
    static const uint8_t full[] = {1, 4};
    uint8_t packet[1024];
    long length;

    greet(socket, "9.7.0", "caching_sha2_password");
    if (packet_read(socket, packet, sizeof packet) < 0)
        return BROKEN;
    part_write(socket, 2, full, sizeof full);
    length = packet_read(socket, packet, sizeof packet);
    return length == 1 && packet[0] == 2 ? ALLOWED : BROKEN;
}

static int serve_nobody(int socket)
{
    uint8_t packet[1024];

    greet(socket, "9.7.0", "mysql_native_password");
    return packet_read(socket, packet, sizeof packet) < 0 ? ALLOWED : BROKEN;
}

/* Takes the login and the session's first statements; then waits for one more command. */
static bool serve_login(int socket)
{
    uint8_t packet[1024];

    greet(socket, "5.5.5-10.11.0-MariaDB", "mysql_native_password");
    if (packet_read(socket, packet, sizeof packet) < 0)
        return false;
    part_write(socket, 2, okay, sizeof okay);
    for (int i = 0; i < 2; i++) {
        if (packet_read(socket, packet, sizeof packet) < 0)
            return false;
        part_write(socket, 1, okay, sizeof okay);
    }
    return packet_read(socket, packet, sizeof packet) > 0;
}

static int serve_packets(int socket)
{
    uint8_t *large = malloc(PART);
    uint8_t small[] = {3, 0, 0, 1, 'a', 'b', 'c'};

    if (!large || !serve_login(socket))
        return BROKEN;
    for (size_t i = 0; i < sizeof small; i++) {
        write_all(socket, small + i, 1);
        clock_sleep_ms(2);
    }
    memset(large, 'x', PART);
    part_write(socket, 2, large, PART);
    part_write(socket, 3, "tail", 4);
    part_write(socket, 4, large, PART);
    part_write(socket, 5, "", 0);
    part_write(socket, 6, "end", 3);
    free(large);
    return packet_read(socket, small, sizeof small) < 0 ? ALLOWED : BROKEN;
}

static int serve_silence(int socket)
{
    uint8_t packet[16];

    return serve_login(socket) && packet_read(socket, packet, sizeof packet) < 0 ? ALLOWED : BROKEN;
}

typedef struct Server {
    pid_t process;
    int port;
} Server;

static Server server_start(int (*serve)(int socket))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    Server server = {0};

    if (bind(listening, (struct sockaddr *)&address, length) < 0 || listen(listening, 1) < 0 ||
        getsockname(listening, (struct sockaddr *)&address, &length) < 0)
        abort();
    server.port = ntohs(address.sin_port);
    server.process = fork();
    if (server.process == 0) {
        alarm(60);
        _exit(serve(accept(listening, NULL, NULL)));
    }
    close(listening);
    return server;
}

static bool server_content(Server server)
{
    int status = 0;

    return waitpid(server.process, &status, 0) == server.process && WIFEXITED(status) && WEXITSTATUS(status) == ALLOWED;
}

static int beats;

static int beat_on(void *context)
{
    (void)context;
    beats++;
    return 0;
}

static int beat_stop(void *context)
{
    (void)context;
    return beats++ > 0;
}

static int opened(Session *session, Server server, SessionTls tls, bool mariadb, int (*beat)(void *), Error *error)
{
    const SessionOptions options = {.host = "127.0.0.1",
                                    .port = server.port,
                                    .user = "u",
                                    .tls = tls,
                                    .login_timeout_s = 10,
                                    .query_timeout_s = 1,
                                    .mariadb = mariadb};

    beats = 0;
    return session_open(session, &options, "a secret", (Beat){beat, NULL}, error);
}

static void logins(void)
{
    Session session;
    Error error;
    Server server = server_start(serve_sha2);

    check(opened(&session, server, SESSION_TLS_REQUEST, false, beat_on, &error) < 0 && server_content(server),
          "a server without TLS that asks for the password is asked for a key, where TLS was requested");
    server = server_start(serve_nobody);
    check(opened(&session, server, SESSION_TLS_REQUIRE, false, beat_on, &error) < 0 && server_content(server) &&
              error.kind == ERROR_PERMANENT,
          "a server without TLS gets no answer where TLS is required");
    server = server_start(serve_silence);
    check(opened(&session, server, SESSION_TLS_OFF, false, beat_on, &error) < 0 && error.kind == ERROR_PERMANENT &&
              strstr(error.hint, "'mariadb'"),
          "a server of the other kind is refused and its kind named");
    kill(server.process, SIGKILL);
    waitpid(server.process, NULL, 0);
}

static void packets(void)
{
    Session session;
    Error error;
    const uint8_t *data;
    size_t length;
    Server server = server_start(serve_packets);

    if (!check(opened(&session, server, SESSION_TLS_REQUEST, true, beat_on, &error) == 0 &&
                   session_command(&session, 18, "x", 1, &error) == 0,
               "TLS that is requested and not offered is done without"))
        return;
    check(session_packet(&session, 20000, &data, &length, &error) == 1 && length == 3 && memcmp(data, "abc", 3) == 0,
          "a packet that comes byte by byte is one");
    check(session_packet(&session, 20000, &data, &length, &error) == 1 && length == PART + 4 && data[0] == 'x' &&
              data[PART - 1] == 'x' && memcmp(data + PART, "tail", 4) == 0,
          "a packet of 16 MiB and more is put together");
    check(session_packet(&session, 20000, &data, &length, &error) == 1 && length == PART && data[PART - 1] == 'x',
          "a packet of exactly the parts' length ends with an empty one");
    check(session_packet(&session, 20000, &data, &length, &error) == 1 && length == 3 && memcmp(data, "end", 3) == 0,
          "what follows a large packet is whole");
    check(session.packets.capacity <= 4 * PACKET_BUFFER_BYTES, "a large packet's memory is given back");
    beats = 0;
    check(session_packet(&session, 1500, &data, &length, &error) == 0 && beats > 0, "who waits beats");
    session_close(&session);
    check(server_content(server), "a session that is closed leaves the server");
}

static void waits(void)
{
    Session session;
    Error error;
    const uint8_t *data;
    size_t length;
    Server server = server_start(serve_silence);

    check(opened(&session, server, SESSION_TLS_OFF, true, beat_on, &error) == 0 &&
              session_run(&session, "SELECT SLEEP(60)", &error) < 0 && strcmp(error.code, "timeout") == 0 &&
              error.kind == ERROR_TRANSIENT,
          "a statement has its time and no more");
    check(session_run(&session, "SELECT 1", &error) < 0 && error.kind == ERROR_TRANSIENT,
          "a connection whose statement was left is not used again");
    session_close(&session);
    check(server_content(server), "a statement that was left ends its connection");
    server = server_start(serve_silence);
    check(opened(&session, server, SESSION_TLS_OFF, true, beat_stop, &error) == 0 &&
              session_run(&session, "SELECT SLEEP(60)", &error) < 0 && error.kind == ERROR_INTERRUPTED,
          "a statement ends when its process is asked to stop");
    session_close(&session);
    server_content(server);
    server = server_start(serve_silence);
    check(opened(&session, server, SESSION_TLS_OFF, true, beat_stop, &error) == 0 &&
              session_command(&session, 18, "x", 1, &error) == 0 &&
              session_packet(&session, 60000, &data, &length, &error) < 0 && error.kind == ERROR_INTERRUPTED,
          "waiting for a packet ends when its process is asked to stop");
    session_close(&session);
    server_content(server);
}

int main(void)
{
    logins();
    packets();
    waits();
    return check_end();
}
