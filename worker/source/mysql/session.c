/* session.c - see session.h */
#include "source/mysql/session.h"
#include "base/clock.h"

#include <mariadb/errmsg.h>
#include <mariadb/ma_pvio.h>
#include <openssl/x509.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WAIT_SLICE_MS 500
#define KILL_TIMEOUT_S 2
#define PACKETS_A_BEAT 16
#define CAPABILITY_TLS 0x800 /* CLIENT_SSL */

/* Plugins that do not send the password itself where there is no TLS, and those that do. */
#define PLUGINS "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519"
#define PLUGINS_CLEAR PLUGINS ",mysql_clear_password,dialog"

/* Exported by libmariadb (version libmariadb_3), declared in none of its installed headers. mode: 0 = read. */
int ma_pvio_register_callback(my_bool add,
                              void (*callback)(int mode, MYSQL *mysql, const unsigned char *data, size_t length));

int session_beat(Session *session, Error *error)
{
    int64_t now = clock_monotonic_ms();

    if (!session->interrupted && now - session->beaten_ms >= 2 * WAIT_SLICE_MS) {
        session->beaten_ms = now;
        session->interrupted = beat_once(session->beat) != 0;
    }
    if (session->interrupted)
        return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop while reading from %s", session->target);
    return 0;
}

/* Waits until the socket is ready for one of `events` of poll(): those that came, 0 = the time is up or beat says stop.
 */
static int session_wait(Session *session, short events, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = mysql_get_socket(session->mysql), .events = events};
    Error unused;

    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        int count = poll(&ready, 1, left < 0 ? 0 : left > WAIT_SLICE_MS ? WAIT_SLICE_MS : (int)left);

        if (count > 0)
            return ready.revents;
        if (session_beat(session, &unused) < 0)
            return 0;
        if (left <= 0) {
            session->late = true;
            return 0;
        }
    }
}

/* What a suspended call of libmariadb waits for. One that is left has to come to its end too, or it keeps what it
 * holds: with its socket shut down it fails at once. */
static int session_await(Session *session, int status, int64_t deadline_ms)
{
    short events = 0;
    int came, ready = 0;

    if (status & MYSQL_WAIT_READ)
        events |= POLLIN;
    if (status & MYSQL_WAIT_WRITE)
        events |= POLLOUT;
    if (status & MYSQL_WAIT_EXCEPT)
        events |= POLLPRI;
    came = session->late || session->interrupted ? 0 : session_wait(session, events, deadline_ms);
    if (came == 0) {
        shutdown(mysql_get_socket(session->mysql), SHUT_RDWR);
        return MYSQL_WAIT_TIMEOUT | (status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE));
    }
    if (came & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        ready |= status & MYSQL_WAIT_READ;
    if (came & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
        ready |= status & MYSQL_WAIT_WRITE;
    if (came & POLLPRI)
        ready |= MYSQL_WAIT_EXCEPT;
    return ready ? ready : status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
}

/* Called after each read (mode 0) and write of libmariadb. Two of its habits need it:
 * - It leaves a socket blocking behind the TLS handshake; non-blocking calls would then wait in SSL_read.
 * - It takes "TLS was asked for" as "the connection is secure": where the server has none, caching_sha2_password and
 * sha256_password would send the password in the clear. The server's first packet (MySQL client/server protocol,
 * "Protocol::HandshakeV10") says whether it has TLS, and is seen here before anything was answered. */
static void on_traffic(int mode, MYSQL *mysql, const unsigned char *data, size_t length)
{
    const unsigned char *end;
    const char off = 0, on = 1;
    const Session *session = NULL;

    if (mysql->net.pvio && mysql->net.pvio->ctls)
        mysql->net.pvio->methods->blocking(mysql->net.pvio, 0, NULL);
    if (mode != 0 || !data || length > 65536 || mysql->server_version)
        return;
    mysql_get_optionv(mysql, MARIADB_OPT_USERDATA, "sluice", &session);
    if (!session || session->options.tls == SESSION_TLS_OFF)
        return;
    /* Length, number, protocol 10, version as text, thread id, 8 bytes of the scramble and a 0; then the lower
     * capabilities. */
    end = length > 5 && data[3] == 0 && data[4] == 10 ? memchr(data + 5, 0, length - 5) : NULL;
    if (end && (size_t)(end - data) + 16 <= length && (end[14] | end[15] << 8) & CAPABILITY_TLS)
        return;
    /* A required one fails for want of it; a greeting that came in pieces counts as one without. */
    if (session->options.tls == SESSION_TLS_REQUIRE)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    else
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &off);
}

/* Once a process. */
static int library_start(Error *error)
{
    static bool started;

    if (started)
        return 0;
    if (mysql_library_init(0, NULL, NULL) != 0 || ma_pvio_register_callback(1, on_traffic) != 0)
        return error_set(error, ERROR_TRANSIENT, NULL, "libmariadb could not be initialised");
    started = true;
    return 0;
}

static void session_prepare(Session *session, const SessionOptions *options)
{
    MYSQL *mysql = session->mysql;
    const unsigned int off = 0, tcp = MYSQL_PROTOCOL_TCP, timeout = (unsigned)options->login_timeout_s;
    const char yes = 1;

    mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, (void *)0);
    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &tcp);
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "sluice");
    mysql_optionsv(mysql, MARIADB_OPT_USERDATA, "sluice", session);
    mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                   options->ca_file && options->check_hostname ? PLUGINS_CLEAR : PLUGINS);
    if (options->tls == SESSION_TLS_OFF)
        return;
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (options->ca_file && strcmp(options->ca_file, "system") == 0)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CAPATH, X509_get_default_cert_dir());
    else if (options->ca_file)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, options->ca_file);
    if (options->check_hostname)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

static int session_login(Session *session, const SessionOptions *options, const char *password, Error *error)
{
    int64_t deadline = clock_monotonic_ms() + options->login_timeout_s * INT64_C(1000);
    MYSQL *opened = NULL;
    int status;

    session->mysql = mysql_init(NULL);
    if (!session->mysql)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a connection to %s", session->target);
    session_prepare(session, options);
    status = mysql_real_connect_start(&opened, session->mysql, options->host, options->user, password ? password : "",
                                      NULL, (unsigned)options->port, NULL, 0);
    while (status)
        status = mysql_real_connect_cont(&opened, session->mysql, session_await(session, status, deadline));
    if (!opened)
        return session_failed(session, "login", error);
    if (options->tls == SESSION_TLS_REQUIRE && !mysql_get_ssl_cipher(session->mysql))
        return error_set(error, ERROR_PERMANENT, "Set up TLS at the server, or use encryption 'request'.",
                         "%s offers no TLS, and encryption 'require' is set", session->target);
    return 0;
}

static int session_kind(Session *session, const SessionOptions *options, Error *error)
{
    session->version = mysql_get_server_version(session->mysql);
    snprintf(session->server, sizeof session->server, "%s", mysql_get_server_info(session->mysql));
    session->mariadb = mariadb_connection(session->mysql);
    if (session->mariadb == options->mariadb)
        return 0;
    return error_set(error, ERROR_PERMANENT,
                     options->mariadb
                         ? "Register the source anew with kind 'mysql': sluice.drop_source, sluice.add_source."
                         : "Register the source anew with kind 'mariadb': sluice.drop_source, sluice.add_source.",
                     "%s is a %s server (%s), and the source is of kind '%s'", session->target,
                     session->mariadb ? "MariaDB" : "MySQL", session->server, options->mariadb ? "mariadb" : "mysql");
}

static int session_begin(Session *session, Error *error)
{
    char text[512];

    snprintf(text, sizeof text,
             "SET NAMES utf8mb4, SESSION time_zone = '+00:00', SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', SESSION "
             "autocommit = 1, "
             "SESSION net_write_timeout = 86400, SESSION wait_timeout = 86400, SESSION lock_wait_timeout = %d, SESSION "
             "%s = 0",
             session->query_timeout_s, session->mariadb ? "max_statement_time" : "max_execution_time");
    if (session_run(session, text, error) < 0)
        return -1;
    return session_run(session, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", error);
}

int session_open(Session *session, const SessionOptions *options, const char *password, Beat beat, Error *error)
{
    *session = (Session){.beat = beat, .query_timeout_s = options->query_timeout_s, .options = *options};
    snprintf(session->target, sizeof session->target, "%s:%d", options->host, options->port);
    if (library_start(error) < 0 || session_beat(session, error) < 0)
        return -1;
    if (session_login(session, options, password, error) < 0 || session_kind(session, options, error) < 0 ||
        session_begin(session, error) < 0) {
        session_close(session);
        return -1;
    }
    return 0;
}

void session_close(Session *session)
{
    if (session->mysql) {
        /* The farewell must not wait for a server that no longer reads. */
        if (session->interrupted || session->late || session->packets.data)
            shutdown(mysql_get_socket(session->mysql), SHUT_RDWR);
        mysql_close(session->mysql);
        session->mysql = NULL;
    }
    packet_free(&session->packets);
}

static int session_open_needed(Session *session, const char *text, Error *error)
{
    session->late = false;
    if (!session->mysql)
        return error_set(error, ERROR_TRANSIENT, NULL, "the connection to %s is closed: %.60s", session->target, text);
    return session_beat(session, error);
}

/* A statement that is left would go on at the server, and may hold a lock or wait for one. The connection itself is
 * past use, another has to say so; a user may end statements of its own. Without beat: it is over soon, one way or the
 * other. */
static int session_abandon(Session *session, const char *text, Error *error)
{
    Session other;
    SessionOptions options = session->options;
    Error unused;
    char kill[64];
    int failed = session_failed(session, text, error);

    if (!session->late && !session->interrupted)
        return failed;
    options.login_timeout_s = options.query_timeout_s = KILL_TIMEOUT_S;
    snprintf(kill, sizeof kill, "KILL %lu", mysql_thread_id(session->mysql));
    if (session_open(&other, &options, session->mysql->passwd, (Beat){0}, &unused) < 0)
        return failed;
    session_run(&other, kill, &unused);
    session_close(&other);
    return failed;
}

/* Runs `text`; *ret = its result, NULL where it has none. */
static int session_result(Session *session, const char *text, MYSQL_RES **ret, Error *error)
{
    int64_t deadline = clock_monotonic_ms() + session->query_timeout_s * INT64_C(1000);
    int failed = 0, status;

    if (session_open_needed(session, text, error) < 0)
        return -1;
    status = mysql_real_query_start(&failed, session->mysql, text, strlen(text));
    while (status)
        status = mysql_real_query_cont(&failed, session->mysql, session_await(session, status, deadline));
    if (failed)
        return session_abandon(session, text, error);
    *ret = NULL;
    if (mysql_field_count(session->mysql) == 0)
        return 0;
    status = mysql_store_result_start(ret, session->mysql);
    while (status)
        status = mysql_store_result_cont(ret, session->mysql, session_await(session, status, deadline));
    return *ret ? 0 : session_abandon(session, text, error);
}

int session_run(Session *session, const char *text, Error *error)
{
    MYSQL_RES *result = NULL;

    if (session_result(session, text, &result, error) < 0)
        return -1;
    mysql_free_result(result);
    return 0;
}

int session_select(Session *session, const char *text, MYSQL_RES **ret, Error *error)
{
    MYSQL_RES *result = NULL;

    if (session_result(session, text, &result, error) < 0)
        return -1;
    if (!result)
        return error_set(error, ERROR_INTERNAL, NULL, "a statement on %s has no result: %.200s", session->target, text);
    *ret = result;
    return 0;
}

int session_value(Session *session, const char *text, char **ret, Error *error)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    char *value = NULL;

    if (session_select(session, text, &result, error) < 0)
        return -1;
    row = mysql_fetch_row(result);
    if (row && row[0] && !(value = strdup(row[0]))) {
        mysql_free_result(result);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    }
    mysql_free_result(result);
    *ret = value;
    return 0;
}

/* `text` between two of `quote`, each inside doubled: with NO_BACKSLASH_ESCAPES nothing else has a meaning. */
static int quoted(Buffer *text, char quote, const char *value, size_t length, Error *error)
{
    if (memchr(value, 0, length))
        return error_set(error, ERROR_INTERNAL, NULL, "a 0 byte cannot be quoted for a statement");
    if (buffer_append(text, &quote, 1, error) < 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if ((value[i] == quote && buffer_append(text, &quote, 1, error) < 0) ||
            buffer_append(text, value + i, 1, error) < 0)
            return -1;
    }
    return buffer_append(text, &quote, 1, error);
}

int session_quote(Buffer *text, const char *value, size_t length, Error *error)
{
    return quoted(text, '\'', value, length, error);
}

int session_name(Buffer *text, const char *name, Error *error)
{
    return quoted(text, '`', name, strlen(name), error);
}

int session_command(Session *session, unsigned char command, const void *data, size_t length, Error *error)
{
    MARIADB_PVIO *pvio;

    if (session_open_needed(session, "command", error) < 0)
        return -1;
    pvio = session->mysql->net.pvio;
    if (!pvio || session->mysql->methods->db_command(session->mysql, command, data, length, 1, NULL) != 0)
        return session_failed(session, "command", error);
    /* TLS reads the socket itself and would wait in it. */
    pvio->methods->blocking(pvio, 0, NULL);
    return 0;
}

int session_packet(Session *session, int wait_ms, const uint8_t **data, size_t *length, Error *error)
{
    int64_t deadline = -1;

    if (session_open_needed(session, "packet", error) < 0)
        return -1;
    for (;;) {
        int came = packet_take(&session->packets, session->mysql, data, length, error);

        if (came < 0)
            return error_prefix(error, "%s", session->target);
        /* Rows of a load come by the million: the clock is asked with some of them only. */
        if (came > 0 && ++session->unbeaten % PACKETS_A_BEAT != 0)
            return 1;
        if (session_beat(session, error) < 0)
            return -1;
        if (came > 0)
            return 1;
        if (deadline < 0)
            deadline = clock_monotonic_ms() + wait_ms;
        session->late = false;
        if (session_wait(session, POLLIN, deadline) == 0) {
            session->late = false;
            return session->interrupted ? session_beat(session, error) : 0;
        }
    }
}
