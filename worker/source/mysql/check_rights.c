/* check_rights.c - may the user do what capture does? Each right is tried, since rights come by roles and proxies too */
#include "source/mysql/check.h"
#include "source/mysql/log_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINLOG_MONITOR 100502 /* MariaDB split REPLICATION CLIENT there */

static int try_status(Check *check, MySql *source, const char *user, LogState *state, bool *may, Error *error)
{
    const char *right = source->session.mariadb && source->session.version >= BINLOG_MONITOR ? "BINLOG MONITOR" : "REPLICATION CLIENT";
    char fix[600], wanted[200];
    Error failure;

    *may = log_state_read(&source->session, state, &failure) == 0;
    if (!*may && (failure.kind == ERROR_INTERRUPTED || failure.kind == ERROR_TRANSIENT)) {
        *error = failure;
        return -1;
    }
    snprintf(fix, sizeof fix, "GRANT %s ON *.* TO %s;", right, user);
    snprintf(wanted, sizeof wanted, "%s: where the log begins and ends", right);
    check_step(check, "rights", right, *may, CHECK_ERROR, *may ? "granted" : failure.message, wanted, fix);
    return 0;
}

/* A stream is opened at the log's end and closed again. */
static int try_stream(Check *check, MySql *source, const char *user, const LogState *state, Error *error)
{
    const BinlogStart start = {.file = state->file, .offset = state->end.offset};
    Binlog *stream = NULL;
    char fix[600];
    Error failure;
    bool may = binlog_open(&source->options, source->password, source->beat, &start, 100, &stream, &failure) == 0;

    binlog_close(stream);
    if (!may && failure.kind == ERROR_INTERRUPTED) {
        *error = failure;
        return -1;
    }
    snprintf(fix, sizeof fix, "GRANT REPLICATION SLAVE ON *.* TO %s;", user);
    check_step(check, "rights", "REPLICATION SLAVE", may, CHECK_ERROR, may ? "granted: the log can be read" : failure.message,
               "REPLICATION SLAVE: reading the log", fix);
    return 0;
}

/* information_schema shows a table to whom has any right on it, and names the rights on each column. */
static int try_select(Check *check, MySql *source, const char *user, Error *error)
{
    char fix[600], found[300];
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int got = check_ask(source,
                        "SELECT COUNT(DISTINCT TABLE_SCHEMA, TABLE_NAME), COUNT(DISTINCT IF(FIND_IN_SET('select', PRIVILEGES), NULL, CONCAT(TABLE_SCHEMA, '.', "
                        "TABLE_NAME))), MIN(IF(FIND_IN_SET('select', PRIVILEGES), NULL, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME))) FROM "
                        "information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')",
                        &rows, error);
    bool ok = false;

    if (got < 0)
        return -1;
    if (got > 0) {
        snprintf(found, sizeof found, "%.290s", error->message);
    } else {
        row = mysql_fetch_row(rows);
        ok = row && row[0] && strcmp(row[0], "0") != 0 && row[1] && strcmp(row[1], "0") == 0;
        if (!row || !row[0] || strcmp(row[0], "0") == 0)
            snprintf(found, sizeof found, "no table of any database is visible");
        else if (!ok)
            snprintf(found, sizeof found, "%s of %s visible tables without SELECT on each column, the first %.200s", row[1] ? row[1] : "?", row[0],
                     row[2] ? row[2] : "?");
        else
            snprintf(found, sizeof found, "SELECT on all %s visible tables", row[0]);
        mysql_free_result(rows);
    }
    snprintf(fix, sizeof fix, "GRANT SELECT ON *.* TO %s; -- or on the databases to be captured", user);
    check_step(check, "rights", "SELECT", ok, CHECK_WARNING, found, "SELECT on every table to be captured: loading it, and seeing its columns", fix);
    return 0;
}

/* load_lock only: FLUSH TABLES WITH READ LOCK is not tried, since it would lock. */
static int try_reload(Check *check, MySql *source, const char *user, Error *error)
{
    char *count = NULL, fix[600];
    bool may;

    if (session_value(&source->session, "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('RELOAD', 'FLUSH_TABLES')", &count,
                      error) < 0)
        return -1;
    may = count && strcmp(count, "0") != 0;
    free(count);
    snprintf(fix, sizeof fix, "GRANT RELOAD ON *.* TO %s;", user);
    check_step(check, "rights", "RELOAD", may, CHECK_WARNING, may ? "granted" : "not granted to the user itself",
               "RELOAD: the read lock that load_lock takes for a moment", fix);
    return 0;
}

int check_rights(Check *check, MySql *source, Error *error)
{
    LogState state = {.gtid = NULL};
    char user[400];
    bool may;
    int status;

    if (check->stopped) {
        check_skip(check, "rights", check->user);
        return 0;
    }
    check_begin(check);
    if (check_user(source, user, sizeof user, error) < 0 || try_status(check, source, user, &state, &may, error) < 0)
        return -1;
    status = may ? try_stream(check, source, user, &state, error) : 0;
    if (may && status == 0 && source->options.load_lock && !state.gtids)
        status = try_reload(check, source, user, error);
    if (may)
        log_state_free(&state);
    return status < 0 ? -1 : try_select(check, source, user, error);
}
