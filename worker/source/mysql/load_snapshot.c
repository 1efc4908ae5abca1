/* load_snapshot.c - see load_snapshot.h */
#include "source/mysql/load_snapshot.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX MIB(16) /* a GTID set may be long */

/* A position out of a result whose first two columns are file and offset; no row: there is no log. */
static int position_read(Session *session, const char *text, LogPosition *ret, Error *error)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    int status = 0;

    if (session_select(session, text, &result, error) < 0)
        return -1;
    row = mysql_num_fields(result) >= 2 ? mysql_fetch_row(result) : NULL;
    if (!row || !row[0] || !row[1] || log_file_number(row[0], &ret->file) < 0)
        status = error_set(error, ERROR_PERMANENT, "Start the server with log_bin, then: SELECT * FROM sluice.check_source('<source>');",
                           "%s writes no binary log", session->target);
    else
        ret->offset = strtoull(row[1], NULL, 10);
    mysql_free_result(result);
    return status;
}

static int log_end(Session *session, LogPosition *ret, Error *error)
{
    bool renamed = !session->mariadb && session->version >= 80200;

    return position_read(session, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", ret, error);
}

static int snapshot_start(LoadSnapshot *snapshot, Error *error)
{
    if (session_run(snapshot->session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", error) < 0 ||
        session_run(snapshot->session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", error) < 0)
        return -1;
    snapshot->open = true;
    return 0;
}

/* MariaDB: the snapshot knows its place in the log. */
static int snapshot_position(Session *session, LogPosition *ret, Error *error)
{
    return position_read(session,
                         "SELECT MAX(IF(variable_name = 'BINLOG_SNAPSHOT_FILE', variable_value, NULL)), "
                         "MAX(IF(variable_name = 'BINLOG_SNAPSHOT_POSITION', variable_value, NULL)) FROM information_schema.session_status "
                         "WHERE variable_name IN ('BINLOG_SNAPSHOT_FILE', 'BINLOG_SNAPSHOT_POSITION')",
                         ret, error);
}

static bool rows_equal(MYSQL_RES *a, MYSQL_ROW left, MYSQL_RES *b, MYSQL_ROW right)
{
    const unsigned long *lengths = mysql_fetch_lengths(a), *others = mysql_fetch_lengths(b);
    unsigned int count = mysql_num_fields(a);

    if (count != mysql_num_fields(b))
        return false;
    for (unsigned int i = 0; i < count; i++) {
        if (!left[i] || !right[i] || lengths[i] != others[i] || memcmp(left[i], right[i], lengths[i]) != 0)
            return false;
    }
    return true;
}

static bool lists_meet(MYSQL_RES *a, MYSQL_RES *b)
{
    MYSQL_ROW left, right;

    mysql_data_seek(a, 0);
    while ((left = mysql_fetch_row(a))) {
        mysql_data_seek(b, 0);
        while ((right = mysql_fetch_row(b))) {
            if (rows_equal(a, left, b, right))
                return true;
        }
    }
    return false;
}

/*
 * MariaDB writes XA COMMIT to the log and commits it in the engine outside of the order that snapshots keep: a snapshot's position may be
 * behind an XA COMMIT whose rows it does not show (seen on 10.11 in one of 3000). While it is committed it is among those that are prepared, so
 * whoever is there now must go first, or stay so long that it can only be prepared.
 */
static int prepared_wait(Session *session, Error *error)
{
    int64_t until = clock_monotonic_ms() + LOAD_XA_WAIT_MS;
    MYSQL_RES *first, *now;
    bool meet;

    if (session_select(session, "XA RECOVER", &first, error) < 0)
        return -1;
    meet = mysql_num_rows(first) > 0;
    while (meet && clock_monotonic_ms() < until) {
        clock_sleep_ms(LOAD_XA_PAUSE_MS);
        if (session_select(session, "XA RECOVER", &now, error) < 0) {
            mysql_free_result(first);
            return -1;
        }
        meet = lists_meet(first, now);
        mysql_free_result(now);
    }
    mysql_free_result(first);
    return 0;
}

/* L is not above the snapshot's position, which transactions keep, nor above a position all of whose XA COMMITs were over before it. */
static int snapshot_mariadb(LoadSnapshot *snapshot, Error *error)
{
    LogPosition before;

    if (log_end(snapshot->session, &before, error) < 0 || prepared_wait(snapshot->session, error) < 0 || snapshot_start(snapshot, error) < 0 ||
        snapshot_position(snapshot->session, &snapshot->end, error) < 0)
        return -1;
    snapshot->at = log_position_compare(before, snapshot->end) < 0 ? before : snapshot->end;
    return 0;
}

/* Until the engine shows all transactions of the cut. */
static int cut_wait(Session *session, const char *gtid, Error *error)
{
    int64_t until = clock_monotonic_ms() + (int64_t)session->query_timeout_s * 1000;
    Buffer text;
    int status = 0;

    buffer_init(&text, TEXT_MAX);
    if (buffer_text(&text, "SELECT WAIT_FOR_EXECUTED_GTID_SET(", error) < 0 || session_quote(&text, gtid, strlen(gtid), error) < 0 ||
        buffer_text(&text, ", 1)", error) < 0 || buffer_terminate(&text, error) < 0)
        status = -1;
    while (status == 0) {
        char *value;
        bool reached;

        status = session_value(session, text.data, &value, error);
        if (status < 0)
            break;
        reached = value && strcmp(value, "0") == 0;
        free(value);
        if (reached)
            break;
        if (beat_once(session->beat))
            status = error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop");
        else if (clock_monotonic_ms() > until)
            status = error_set(error, ERROR_TRANSIENT, "Is a transaction held up in its commit (SHOW PROCESSLIST)?",
                               "%s has not committed for %d seconds what its log holds", session->target, session->query_timeout_s);
    }
    buffer_free(&text);
    return status;
}

/* GTIDs of all transactions, else the set of a cut says nothing about the others. */
static int gtid_mode_on(Session *session, bool *ret, Error *error)
{
    char *mode;

    if (session_value(session, "SELECT @@GLOBAL.gtid_mode", &mode, error) < 0)
        return -1;
    *ret = mode && strcmp(mode, "ON") == 0;
    free(mode);
    return 0;
}

static int lock_wait_set(Session *session, Error *error)
{
    char text[64];

    snprintf(text, sizeof text, "SET SESSION lock_wait_timeout = %d", LOAD_LOCK_WAIT_S);
    return session_run(session, text, error);
}

/* No transaction is between log and engine while this lock is held. */
static int snapshot_locked(MySql *source, LoadSnapshot *snapshot, Error *error)
{
    Session *session = snapshot->session;
    Error ignored;

    if (!source->options.load_lock)
        return error_set(error, ERROR_PERMANENT,
                         "Set gtid_mode ON (with enforce_gtid_consistency), or SELECT sluice.alter_source(.., options => '{\"load_lock\": true}'): a "
                         "read lock of all tables for the moment in which each range begins.",
                         "%s runs without GTIDs, which a load needs to know what it has seen", session->target);
    if (lock_wait_set(session, error) < 0 || session_run(session, "FLUSH TABLES WITH READ LOCK", error) < 0)
        return -1;
    if (log_end(session, &snapshot->at, error) < 0 || snapshot_start(snapshot, error) < 0) {
        (void)session_run(session, "UNLOCK TABLES", &ignored);
        return -1;
    }
    return session_run(session, "UNLOCK TABLES", error);
}

static int snapshot_mysql(MySql *source, const cJSON *batch, LoadSnapshot *snapshot, Error *error)
{
    const cJSON *cut = json_member(batch, "cut");
    const char *gtid = json_text(json_member(cut, "mark"), "gtid", NULL);
    bool gtids;

    if (gtid_mode_on(snapshot->session, &gtids, error) < 0)
        return -1;
    if (!gtids)
        return snapshot_locked(source, snapshot, error);
    if (!gtid || log_position_parse(json_text(cut, "position", ""), &snapshot->at) < 0)
        return error_set(error, ERROR_TRANSIENT, "Where gtid_mode was switched on just now: FLUSH BINARY LOGS, since the set is counted from a file's begin.",
                         "the last poll of %s does not tell its GTIDs yet", snapshot->session->target);
    return cut_wait(snapshot->session, gtid, error) < 0 ? -1 : snapshot_start(snapshot, error);
}

/* keyless => 'lock': whoever has written the table has committed when the lock is granted, and nobody writes it until the end. A transaction would end the lock. */
static int table_lock(LoadSnapshot *snapshot, const cJSON *schema, Error *error)
{
    const char *database, *table;
    Buffer text;
    int status = -1;

    buffer_init(&text, KIB(4));
    if (json_need_text(schema, "source_schema", &database, error) == 0 && json_need_text(schema, "source_table", &table, error) == 0 &&
        buffer_text(&text, "LOCK TABLES ", error) == 0 && session_name(&text, database, error) == 0 && buffer_text(&text, ".", error) == 0 &&
        session_name(&text, table, error) == 0 && buffer_text(&text, " READ", error) == 0 && buffer_terminate(&text, error) == 0 &&
        lock_wait_set(snapshot->session, error) == 0)
        status = session_run(snapshot->session, text.data, error);
    buffer_free(&text);
    if (status < 0)
        return -1;
    snapshot->open = snapshot->locked = true;
    if (log_end(snapshot->session, &snapshot->at, error) < 0)
        return -1;
    snapshot->end = snapshot->at;
    return 0;
}

/* Does the table's engine take part in snapshots? */
static int engine_read(Session *session, const cJSON *schema, bool *ret, Error *error)
{
    const char *database = json_text(schema, "source_schema", ""), *table = json_text(schema, "source_table", "");
    char *engine = NULL;
    Buffer text;
    int status = -1;

    buffer_init(&text, KIB(4));
    if (buffer_text(&text, "SELECT engine FROM information_schema.tables WHERE table_schema = ", error) == 0 &&
        session_quote(&text, database, strlen(database), error) == 0 && buffer_text(&text, " AND table_name = ", error) == 0 &&
        session_quote(&text, table, strlen(table), error) == 0 && buffer_terminate(&text, error) == 0)
        status = session_value(session, text.data, &engine, error);
    buffer_free(&text);
    if (status == 0)
        *ret = engine && strcmp(engine, "InnoDB") == 0;
    free(engine);
    return status;
}

static int scan_prepare(LoadSnapshot *snapshot, const cJSON *schema, Error *error)
{
    bool snapshots = false;

    if (engine_read(snapshot->session, schema, &snapshots, error) < 0)
        return -1;
    snapshot->after_scan = !snapshots;
    return !snapshots || snapshot->session->mariadb ? 0 : log_end(snapshot->session, &snapshot->end, error);
}

int load_snapshot_begin(MySql *source, const cJSON *batch, const LogPosition *at, LoadSnapshot *ret, Error *error)
{
    bool scan = !json_member(json_member(batch, "keys"), "columns"), lock = strcmp(json_text(batch, "keyless", ""), "lock") == 0;
    const cJSON *schema = json_member(batch, "schema");
    int status;

    *ret = (LoadSnapshot){.session = &source->session};
    if (lock)
        return table_lock(ret, schema, error);
    if (at) {
        ret->at = *at;
        status = snapshot_start(ret, error);
    } else if (ret->session->mariadb) {
        status = snapshot_mariadb(ret, error);
    } else {
        status = snapshot_mysql(source, batch, ret, error);
    }
    return status == 0 && scan ? scan_prepare(ret, schema, error) : status;
}

int load_snapshot_after(LoadSnapshot *snapshot, LogPosition *ret, Error *error)
{
    if (snapshot->after_scan)
        return log_end(snapshot->session, ret, error);
    *ret = snapshot->end;
    return 0;
}

int load_snapshot_end(LoadSnapshot *snapshot, Error *error)
{
    if (!snapshot->open)
        return 0;
    snapshot->open = false;
    return session_run(snapshot->session, snapshot->locked ? "UNLOCK TABLES" : "COMMIT", error);
}
