/* control.c - see control.h */
#include "control/control.h"

#include "base/clock.h"
#include "base/limits.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 10
#define CALL_TIMEOUT_MS 120000 /* the session's statement_timeout ends a call before this does */

struct Control {
    PGconn *connection;
    Beat beat;
};

static const char session_settings[] =
    "SELECT set_config('synchronous_commit', 'on', false), set_config('lock_timeout', '10s', false),"
    " set_config('statement_timeout', '60s', false), set_config('idle_in_transaction_session_timeout', '60s', false),"
    " set_config('search_path', 'pg_catalog', false), set_config('client_min_messages', 'warning', false)";

/* Asked for, since calling what is not there would be an error in the server's log at each try. */
static const char presence[] = "SELECT to_regprocedure('_sluice.worker_start(jsonb)')";

static void notice_ignore(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* libpq ends its messages with a newline and may hold several lines; the first says what is wrong. */
static void message_copy(char *ret, size_t size, const char *message)
{
    snprintf(ret, size, "%s", message);
    for (size_t length = strlen(ret); length && ret[length - 1] == '\n'; length--)
        ret[length - 1] = '\0';
    for (char *p = ret; *p; p++)
        if (*p == '\n')
            *p = ' ';
}

static int login_error(PGconn *connection, Error *error)
{
    char message[400], hint[500];
    const char *user = PQuser(connection), *database = PQdb(connection), *host = PQhost(connection);
    bool local = host && *host == '/';

    message_copy(message, sizeof message, PQerrorMessage(connection));
    if (strstr(message, "does not exist"))
        return error_set(error, ERROR_PERMANENT, "the conninfo names another database or role; CREATE EXTENSION sluice makes sluice_worker",
                         "login to PostgreSQL refused: %s", message);
    if (strstr(message, "pg_hba") || strstr(message, "authentication failed") || strstr(message, "Ident") ||
        strstr(message, "not permitted to log in")) {
        if (local)
            snprintf(hint, sizeof hint,
                     "let the role in: pg_hba.conf line `local %s %s peer map=sluice` with pg_ident.conf line `sluice <os user> %s`, "
                     "or a password in sluice.worker_conninfo; then SELECT pg_reload_conf()",
                     database ? database : "<database>", user ? user : "sluice_worker", user ? user : "sluice_worker");
        else
            snprintf(hint, sizeof hint,
                     "let the role in: pg_hba.conf line `host %s %s <worker's address>/32 scram-sha-256`, ALTER ROLE %s LOGIN PASSWORD "
                     "..., and that password in a passfile named by the conninfo; then SELECT pg_reload_conf()",
                     database ? database : "<database>", user ? user : "sluice_worker", user ? user : "sluice_worker");
        return error_set(error, ERROR_PERMANENT, hint, "login to PostgreSQL refused: %s", message);
    }
    return error_set(error, ERROR_TRANSIENT, "is PostgreSQL running, and does the conninfo name its host and port?",
                     "no connection to PostgreSQL: %s", message);
}

static int control_wait_socket(Control *control, short events, int extra_fd, int timeout_ms, Error *error)
{
    struct pollfd waits[2] = {{.fd = PQsocket(control->connection), .events = events}, {.fd = extra_fd, .events = POLLIN}};

    if (beat_once(control->beat))
        return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop");
    poll(waits, extra_fd < 0 ? 1 : 2, timeout_ms < 1000 ? timeout_ms : 1000);
    return 0;
}

static int control_connect(Control *control, const char *conninfo, const char *application, Error *error)
{
    char timeout[16];
    const char *names[] = {"dbname", "connect_timeout", "fallback_application_name", "application_name", NULL};
    const char *values[] = {conninfo, timeout, "sluice-worker", application, NULL};
    int64_t deadline = clock_monotonic_ms() + CONNECT_TIMEOUT_S * 1000;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    snprintf(timeout, sizeof timeout, "%d", CONNECT_TIMEOUT_S);
    control->connection = PQconnectStartParams(names, values, 1);
    if (!control->connection)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a connection");
    PQsetNoticeReceiver(control->connection, notice_ignore, NULL);
    while (PQstatus(control->connection) != CONNECTION_BAD && state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (clock_monotonic_ms() > deadline)
            return error_set(error, ERROR_TRANSIENT, NULL, "no answer from PostgreSQL within %d s", CONNECT_TIMEOUT_S);
        if (control_wait_socket(control, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, -1, 1000, error) < 0)
            return -1;
        state = PQconnectPoll(control->connection);
    }
    if (PQstatus(control->connection) != CONNECTION_OK)
        return login_error(control->connection, error);
    return 0;
}

static int result_error(Control *control, const char *function, PGresult *result, Error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    char message[400];
    ErrorKind kind = ERROR_TRANSIENT;

    message_copy(message, sizeof message, text ? text : PQerrorMessage(control->connection));
    if (!state)
        state = "";
    if (strcmp(state, "SL001") == 0)
        kind = ERROR_FENCED;
    else if (strcmp(state, "SL002") == 0 || strcmp(state, "42501") == 0)
        kind = ERROR_PERMANENT;
    else if (strcmp(state, "3F000") == 0 || strcmp(state, "42883") == 0)
        kind = ERROR_GONE; /* no such schema or function: the extension is not there */
    if (!hint && strcmp(state, "42501") == 0)
        hint = "log in as sluice_worker, or as a role that is a member of it";
    return error_set_code(error, kind, state, hint, "_sluice.%s: %s", function, message);
}

/* Collects the answer to the statement under way; *ret is the last result, NULL never on success. */
static int control_finish(Control *control, const char *function, PGresult **ret, Error *error)
{
    int64_t deadline = clock_monotonic_ms() + CALL_TIMEOUT_MS;
    PGresult *last = NULL, *next;

    while (PQflush(control->connection) == 1)
        if (control_wait_socket(control, POLLIN | POLLOUT, -1, 1000, error) < 0 || !PQconsumeInput(control->connection))
            goto fail;
    for (;;) {
        while (PQisBusy(control->connection)) {
            if (clock_monotonic_ms() > deadline) {
                error_set(error, ERROR_TRANSIENT, NULL, "_sluice.%s: no answer from PostgreSQL", function);
                goto fail;
            }
            if (control_wait_socket(control, POLLIN, -1, 1000, error) < 0)
                goto fail;
            if (!PQconsumeInput(control->connection))
                break;
        }
        next = PQgetResult(control->connection);
        if (!next)
            break;
        PQclear(last);
        last = next;
    }
    if (last)
        return *ret = last, 0;
    message_copy(error->message, sizeof error->message, PQerrorMessage(control->connection));
    error->kind = ERROR_TRANSIENT;
    error->code[0] = error->hint[0] = '\0';
fail:
    PQclear(last);
    return -1;
}

/* A statement whose rows, if any, do not matter but for `wanted`: then the first value must not be NULL. */
static int control_execute(Control *control, const char *sql, bool wanted, Error *error)
{
    PGresult *result;
    ExecStatusType status;
    bool empty;

    if (!PQsendQuery(control->connection, sql))
        return error_set(error, ERROR_TRANSIENT, NULL, "PostgreSQL: %s", PQerrorMessage(control->connection));
    if (control_finish(control, "session", &result, error) < 0)
        return -1;
    status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        result_error(control, "session", result, error);
        PQclear(result);
        return -1;
    }
    empty = PQntuples(result) == 0 || PQgetisnull(result, 0, 0);
    PQclear(result);
    if (wanted && empty)
        return error_set(error, ERROR_GONE, "CREATE EXTENSION sluice;", "the database %s holds no sluice", PQdb(control->connection));
    return 0;
}

/* A malformed conninfo is no network trouble that passes. The text is not repeated: it may hold a password. */
static int conninfo_check(const char *conninfo, Error *error)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

    if (!options)
        return error_set(error, ERROR_PERMANENT, "write it as: host=... port=... dbname=... user=sluice_worker", "the conninfo is no libpq connection string");
    PQconninfoFree(options);
    return 0;
}

int control_open(const char *conninfo, const char *application, Beat beat, Control **ret, Error *error)
{
    Control *control = calloc(1, sizeof *control);

    if (!control)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    control->beat = beat;
    if (conninfo_check(conninfo, error) < 0 || control_connect(control, conninfo, application, error) < 0 || control_execute(control, session_settings, false, error) < 0 ||
        control_execute(control, presence, true, error) < 0 || control_execute(control, "LISTEN sluice", false, error) < 0) {
        control_close(control);
        return -1;
    }
    *ret = control;
    return 0;
}

void control_close(Control *control)
{
    if (!control)
        return;
    PQfinish(control->connection);
    free(control);
}

bool control_lost(const Control *control)
{
    return PQstatus(control->connection) != CONNECTION_OK;
}

static int answer_parse(const char *function, PGresult *result, cJSON **answer, Error *error)
{
    cJSON *parsed;

    *answer = NULL;
    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0))
        return 0;
    parsed = cJSON_Parse(PQgetvalue(result, 0, 0));
    if (!parsed)
        return error_set(error, ERROR_INTERNAL, NULL, "_sluice.%s: the answer is no JSON", function);
    *answer = parsed;
    return 0;
}

int control_call(Control *control, const char *function, const cJSON *argument, cJSON **answer, Error *error)
{
    char sql[128];
    char *text = argument ? cJSON_PrintUnformatted(argument) : NULL;
    const char *values[] = {text};
    PGresult *result = NULL;
    int sent, status = -1;

    if (argument && !text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    snprintf(sql, sizeof sql, argument ? "SELECT _sluice.%s($1::jsonb)" : "SELECT _sluice.%s()", function);
    sent = PQsendQueryParams(control->connection, sql, argument ? 1 : 0, NULL, values, NULL, NULL, 0);
    cJSON_free(text);
    if (!sent)
        return error_set(error, ERROR_TRANSIENT, NULL, "_sluice.%s: %s", function, PQerrorMessage(control->connection));
    if (control_finish(control, function, &result, error) < 0)
        return -1;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        status = answer_parse(function, result, answer, error);
    else
        result_error(control, function, result, error);
    PQclear(result);
    return status;
}

int control_wait(Control *control, int fd, int timeout_ms, Error *error)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    struct pollfd extra = {.fd = fd, .events = POLLIN};
    PGnotify *notify;
    bool woken = false;

    for (;;) {
        if (!PQconsumeInput(control->connection))
            return error_set(error, ERROR_TRANSIENT, NULL, "connection to PostgreSQL lost: %s", PQerrorMessage(control->connection));
        while ((notify = PQnotifies(control->connection))) {
            PQfreemem(notify);
            woken = true;
        }
        int64_t left = deadline - clock_monotonic_ms();
        if (woken || left <= 0 || (fd >= 0 && poll(&extra, 1, 0) > 0))
            return beat_once(control->beat) ? error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop") : 0;
        if (control_wait_socket(control, POLLIN, fd, (int)left, error) < 0)
            return -1;
    }
}
