/* connection.c - see connection.h */
#include "source/sqlserver/connection.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONVERSION_IN 2403  /* TDSEICONVI: bytes from the server had no place in UTF-8 and became '?' */
#define CONVERSION_OUT 2402 /* TDSEICONVO: the same for a parameter */
#define CONVERSION_AVAILABLE 2401
#define CONVERSION_INCOMPLETE 2404
#define CONVERSION_DISCARDED 2400

/* The connection whose login is under way: DB-Library reports its errors before user data can be attached. */
static Connection *opening;

static Connection *connection_of(DBPROCESS *process)
{
    Connection *connection = process ? (Connection *)(void *)dbgetuserdata(process) : NULL;

    return connection ? connection : opening;
}

/* The first error is the cause; those behind it are its echo. */
static void failure_keep(Connection *connection, const Error *failure)
{
    if (!connection || connection->failed)
        return;
    connection->failure = *failure;
    connection->failed = true;
}

static int on_message(DBPROCESS *process, DBINT number, int state, int severity, char *text, char *server,
                      char *procedure, int line)
{
    Error failure;

    (void)state, (void)server, (void)procedure, (void)line;
    if (severity <= 10)
        return 0;
    message_classify((int)number, severity, text, &failure);
    failure_keep(connection_of(process), &failure);
    return 0;
}

static void library_error(const Connection *connection, int number, int os_error, const char *text, Error *ret)
{
    char code[16];

    snprintf(code, sizeof code, "%d", number);
    if (connection->interrupted)
        error_set_code(ret, ERROR_INTERRUPTED, code, NULL, "asked to stop while waiting for %s", connection->target);
    else if (number == SYBETIME)
        error_set_code(ret, ERROR_TRANSIENT, code,
                       "The options login_timeout and query_timeout of the source say how long to wait.",
                       "%s did not answer in time", connection->target);
    else if (number == SYBECONN)
        error_set_code(
            ret, ERROR_TRANSIENT, code,
            "Check host and port of the source, and the firewall: sluice.check_source tries them step by step.",
            "cannot connect to %s: %s", connection->target, os_error > 0 ? strerror(os_error) : text);
    else if (number == SYBEUHST)
        error_set_code(ret, ERROR_TRANSIENT, code,
                       "Check the option host of the source, and this machine's name resolution.",
                       "the name in %s cannot be resolved", connection->target);
    else if (number == SYBEPWD)
        error_set_code(ret, ERROR_PERMANENT, code, "Check user and password of the source.", "login to %s refused",
                       connection->target);
    else if (number == CONVERSION_OUT)
        error_set_code(ret, ERROR_PERMANENT, code, NULL, "a parameter for %s could not be converted from UTF-8",
                       connection->target);
    else if (os_error > 0)
        error_set_code(ret, ERROR_TRANSIENT, code, NULL, "%s: %s (%s)", connection->target, text, strerror(os_error));
    else
        error_set_code(ret, ERROR_TRANSIENT, code, NULL, "%s: %s", connection->target, text);
}

static int on_error(DBPROCESS *process, int severity, int number, int os_error, char *text, char *os_text)
{
    Connection *connection = connection_of(process);
    Error failure;

    (void)severity, (void)os_text;
    /* SYBESMSG only repeats that a message came, which on_message has kept. */
    if (!connection || number == SYBESMSG)
        return INT_CANCEL;
    if (number == CONVERSION_IN || number == CONVERSION_AVAILABLE || number == CONVERSION_INCOMPLETE ||
        number == CONVERSION_DISCARDED) {
        connection->unconvertible = true;
        return INT_CANCEL;
    }
    library_error(connection, number, os_error, text ? text : "", &failure);
    failure_keep(connection, &failure);
    return INT_CANCEL;
}

/* DB-Library asks once a second while it waits (FreeTDS net.c). */
static int interrupt_asked(void *process)
{
    Connection *connection = connection_of(process);

    if (!connection || !connection->beat.beat)
        return 0;
    connection->beaten_ms = clock_monotonic_ms();
    if (connection->beat.beat(connection->beat.context))
        connection->interrupted = true;
    return connection->interrupted;
}

static int interrupt_answer(void *process)
{
    (void)process;
    return INT_CANCEL;
}

/* Once a process: what DB-Library keeps for all its connections. */
static int library_start(Error *error)
{
    static bool started;

    if (started)
        return 0;
    if (dbinit() == FAIL)
        return error_set(error, ERROR_TRANSIENT, NULL, "DB-Library could not be initialised");
    dbsetmaxprocs(64);
    dberrhandle(on_error);
    dbmsghandle(on_message);
    started = true;
    return 0;
}

/* An open file that already has no name; `path` is how to open it again. -1 on failure. */
static int configuration_write(const LoginOptions *options, char *path, size_t size, Error *error)
{
    const char *folder = getenv("TMPDIR");
    Buffer text;
    int file;
    ssize_t written;

    buffer_init(&text, KIB(8));
    if (login_configuration(options, &text, error) < 0) {
        buffer_free(&text);
        return -1;
    }
    snprintf(path, size, "%s/sluice-tds-XXXXXX", folder && *folder ? folder : "/tmp");
    file = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (file >= 0)
        unlink(path); /* a process killed in mid-login leaves nothing behind */
    written = file < 0 ? -1 : write(file, text.data, text.length);
    if (written != (ssize_t)text.length) {
        error_set(error, ERROR_TRANSIENT, "TMPDIR must name a folder that can be written.", "cannot write %s: %s", path,
                  strerror(errno));
        if (file >= 0)
            close(file);
        file = -1;
    }
    buffer_free(&text);
    /* DB-Library opens it by name. */
    snprintf(path, size, "/proc/self/fd/%d", file);
    return file;
}

static LOGINREC *login_record(const LoginOptions *options, const char *password)
{
    LOGINREC *login = dblogin();

    if (!login)
        return NULL;
    DBSETLVERSION(login, DBVERSION_74);
    DBSETLAPP(login, "sluice");
    DBSETLCHARSET(login, "UTF-8");
    DBSETLDBNAME(login, options->database);
    DBSETLPACKET(login, options->packet_size);
    if (options->read_only)
        DBSETLREADONLY(login, 1);
    if (options->kerberos) {
        DBSETLNETWORKAUTH(login, 1);
        if (options->principal)
            DBSETLSERVERPRINCIPAL(login, options->principal);
        return login;
    }
    DBSETLUSER(login, options->user);
    DBSETLPWD(login, password ? password : "");
    if (options->ntlm)
        DBSETLNTLMV2(login, 1);
    return login;
}

/* What the library says of a failed TLS handshake is only that the connection failed. */
static int login_failed(const Connection *connection, const LoginOptions *options, Error *error)
{
    bool tls = options->ca_file || options->encryption == ENCRYPTION_REQUIRE;

    if (!connection->failed)
        return error_set(error, ERROR_TRANSIENT, NULL, "login to %s failed without a message", connection->target);
    *error = connection->failure;
    if (tls && error->kind == ERROR_TRANSIENT && strcmp(error->code, "20002") == 0)
        return error_set_code(error, ERROR_PERMANENT, "20002",
                              "Compare ca_file and the host name with the server's certificate; sluice.check_source "
                              "shows the step that fails.",
                              "TLS with %s could not be agreed: the certificate is not trusted, its name is another, "
                              "or the server has no TLS 1.2",
                              connection->target);
    return -1;
}

int connection_batch(Connection *connection, const char *text, Error *error)
{
    connection_forget(connection);
    if (connection_sound(connection, error) < 0)
        return -1;
    if (dbcmd(connection->process, text) == SUCCEED && dbsqlexec(connection->process) == SUCCEED) {
        while (dbresults(connection->process) == SUCCEED)
            dbcanquery(connection->process);
    }
    return connection_sound(connection, error);
}

static int session_prepare(Connection *connection, const LoginOptions *options, Error *error)
{
    char timeout[16], text[160];

    snprintf(timeout, sizeof timeout, "%d", options->query_timeout_s);
    if (dbsetopt(connection->process, DBSETTIME, timeout, 0) == FAIL)
        return error_set(error, ERROR_TRANSIENT, NULL, "the query timeout could not be set on %s", connection->target);
    dbsetinterrupt(connection->process, interrupt_asked, interrupt_answer);
    /* No value comes from outside: lock_timeout_ms is a checked number. NOCOUNT stays off, the row counts are proofs.
     */
    snprintf(text, sizeof text,
             "SET TEXTSIZE 2147483647 SET LOCK_TIMEOUT %d SET DEADLOCK_PRIORITY LOW SET TRANSACTION ISOLATION LEVEL "
             "READ COMMITTED",
             options->lock_timeout_ms);
    return connection_batch(connection, text, error);
}

int connection_open(Connection *connection, const LoginOptions *options, const char *password, Beat beat,
                    Error *error)
{
    char path[4096];
    LOGINREC *login;
    int file;

    memset(connection, 0, sizeof *connection);
    connection->beat = beat;
    if (options->instance)
        snprintf(connection->target, sizeof connection->target, "%s\\%s/%s", options->host, options->instance,
                 options->database);
    else
        snprintf(connection->target, sizeof connection->target, "%s:%d/%s", options->host, options->port,
                 options->database);
    if (library_start(error) < 0 || connection_beat(connection, error) < 0)
        return -1;
    file = configuration_write(options, path, sizeof path, error);
    if (file < 0)
        return -1;
    login = login_record(options, password);
    if (!login) {
        close(file);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a login");
    }
    dbsetlogintime(options->login_timeout_s);
    dbsetifile(path);
    opening = connection;
    connection->process = dbopen(login, "sluice");
    opening = NULL;
    close(file);
    dbloginfree(login);
    if (!connection->process)
        return login_failed(connection, options, error);
    dbsetuserdata(connection->process, (BYTE *)connection);
    if (session_prepare(connection, options, error) < 0) {
        connection_close(connection);
        return -1;
    }
    return 0;
}

void connection_close(Connection *connection)
{
    if (!connection->process)
        return;
    /* Errors of the farewell have nobody to tell. */
    dbsetinterrupt(connection->process, NULL, NULL);
    dbclose(connection->process);
    connection->process = NULL;
}

int connection_beat(Connection *connection, Error *error)
{
    int64_t now = clock_monotonic_ms();

    if (!connection->beat.beat || now - connection->beaten_ms < 1000)
        return 0;
    connection->beaten_ms = now;
    if (!connection->beat.beat(connection->beat.context))
        return 0;
    connection->interrupted = true;
    return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop while reading from %s", connection->target);
}

void connection_forget(Connection *connection)
{
    connection->failed = false;
    connection->unconvertible = false;
}

int connection_sound(Connection *connection, Error *error)
{
    if (connection->process && DBDEAD(connection->process))
        connection->dead = true;
    if (connection->interrupted)
        return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop while reading from %s", connection->target);
    if (connection->failed) {
        *error = connection->failure;
        return -1;
    }
    if (connection->dead)
        return error_set(error, ERROR_TRANSIENT, NULL, "the connection to %s is dead", connection->target);
    return 0;
}
