/*
 * The capture job: what committed since the last scan goes from the log into every change table and lsn_time_mapping in
 * one PostgreSQL transaction, so a reader sees all rows up to MAX(start_lsn) or none ("transactionally consistent
 * boundary across all change tables", sql-docs, "About change data capture"). Then idle rows and cleanup, as they are
 * due.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Instance {
    int object_id, columns;
    bool command_id;
    struct InstanceColumn {
        int position; /* in the log's arrays, from 1; 0 = not there any more */
        int id;       /* of the change table's column */
        char kind;    /* n normal, m (max) and xml, t text/ntext/image, c computed */
        bool key;
        TypeInfo type;
    } * column;
} Instance;

#define FORMAT(...) arena_format(&session->arena, __VA_ARGS__)

static char *changed(Session *session, const struct InstanceColumn *column)
{
    return FORMAT("(l.old)[%d] IS DISTINCT FROM (l.new)[%d]", column->position, column->position);
}

static void load_instance(Session *session, int object_id, int shape, Instance *instance)
{
    memset(instance, 0, sizeof *instance);
    instance->object_id = object_id;
    instance->command_id =
        db_number(session, "SELECT command_id FROM mssql.change_table WHERE object_id = %d", object_id) != 0;
    PGresult *result =
        db_runf(session,
                "SELECT coalesce(array_position(s.columns, c.column_id), 0), 5 + c.column_ordinal, CASE WHEN "
                "c.is_computed = 1 THEN 'c' WHEN k.type_name IN ('text', 'ntext', 'image') THEN 't' "
                "WHEN k.max_length = -1 THEN 'm' ELSE 'n' END, EXISTS (SELECT FROM mssql.cdc_index_column i WHERE "
                "i.object_id = c.object_id AND i.column_id = c.column_id) "
                "FROM mssql.captured_column c JOIN mssql.column k ON k.object_id = c.object_id AND k.column_id = 5 + "
                "c.column_ordinal, mssql.shape s "
                "WHERE c.object_id = %d AND s.shape_id = %d ORDER BY c.column_ordinal",
                object_id, shape);
    instance->columns = PQntuples(result);
    instance->column = arena_alloc(&session->arena, sizeof *instance->column * (size_t)(instance->columns + 1));
    for (int i = 0; i < instance->columns; i++) {
        instance->column[i].position = atoi(PQgetvalue(result, i, 0));
        instance->column[i].id = atoi(PQgetvalue(result, i, 1));
        instance->column[i].kind = PQgetvalue(result, i, 2)[0];
        instance->column[i].key = PQgetvalue(result, i, 3)[0] == 't';
    }
    db_release(session);
}

/* One bit a captured column, lowest ordinals in the last byte. NULL changed: all bits (insert and delete). */
static char *mask_text(Session *session, const Instance *instance, bool all)
{
    Text text = {.arena = &session->arena};
    int bytes = (instance->columns + 7) / 8;
    for (int byte = bytes - 1; byte >= 0; byte--) {
        int fixed = 0;
        Text sum = {.arena = &session->arena};
        for (int bit = 0; bit < 8 && byte * 8 + bit < instance->columns; bit++) {
            const struct InstanceColumn *column = &instance->column[byte * 8 + bit];
            if (all)
                fixed |= 1 << bit;
            else if (column->position && column->kind != 'c')
                text_format(&sum, " + CASE WHEN %s THEN %d ELSE 0 END", changed(session, column), 1 << bit);
        }
        text_format(&text,
                    all                 ? "%02x"
                    : byte == bytes - 1 ? "%.0dsubstring(int2send((0%s)::int2) FROM 2)"
                                        : "%.0d || substring(int2send((0%s)::int2) FROM 2)",
                    fixed, sum.data ? sum.data : "");
    }
    return all ? FORMAT("'\\x%s'::bytea", text.data) : text.data;
}

static char *key_moved(Session *session, const Instance *instance)
{
    Text text = {.arena = &session->arena};
    text_format(&text, "(false");
    for (int i = 0; i < instance->columns; i++)
        if (instance->column[i].key && instance->column[i].position)
            text_format(&text, " OR %s", changed(session, &instance->column[i]));
    text_add(&text, ")", 1);
    return text.data;
}

/* What a column of the row shows ("cdc.<capture_instance>_CT", large object data types): text, ntext and image are NULL
 * in operations 1 and 3; the (max) types are NULL in 3 and 4 where the update left them alone; computed columns are
 * NULL. */
static char *column_value(Session *session, const struct InstanceColumn *column, int operation)
{
    if (!column->position || column->kind == 'c')
        return FORMAT("NULL");
    int at = column->position;
    const char *differs = changed(session, column);
    if (operation == 2)
        return FORMAT("(l.new)[%d]", at);
    if (operation == 1)
        return column->kind == 't' ? FORMAT("NULL") : FORMAT("(l.old)[%d]", at);
    if (column->kind == 'n')
        return FORMAT("CASE o.op WHEN 3 THEN (l.old)[%d] ELSE (l.new)[%d] END", at, at);
    if (column->kind == 't')
        return FORMAT("CASE WHEN o.op = 4 AND (l.moved OR %s) THEN (l.new)[%d] END", differs, at);
    return FORMAT("CASE WHEN l.moved OR %s THEN CASE o.op WHEN 3 THEN (l.old)[%d] ELSE (l.new)[%d] END END", differs,
                  at, at);
}

static void target_columns(Text *sql, const Instance *instance, int db)
{
    text_format(sql, "INSERT INTO db%d.o%d (\"__$start_lsn\", \"__$seqval\", \"__$operation\", \"__$update_mask\"%s",
                db, instance->object_id, instance->command_id ? ", \"__$command_id\"" : "");
    for (int i = 0; i < instance->columns; i++)
        if (instance->column[i].kind != 'c')
            text_format(sql, ", v%d", instance->column[i].id);
    text_add(sql, ") ", 2);
}

/* The log joined with its commits. With seqval_shuffle the blocks of a transaction's statements swap places, so that
 * change LSNs fall while __$command_id rises (Debezium DBZ-2329; sql-docs issue 9325). */
static char *log_source(Session *session, int db, int64_t from, int64_t to, int shape, const char *operations,
                        bool shuffle, const char *moved)
{
    const char *where =
        FORMAT("FROM db%d.commit c JOIN db%d.log l ON l.xid = c.xid WHERE c.lsn > %lld AND c.lsn <= %lld", db, db,
               (long long)from, (long long)to);
    if (!shuffle)
        return FORMAT(
            "(SELECT c.lsn, l.*, 0::bigint AS shift, %s AS moved, %s AS bulk %s AND l.shape = %d AND l.op IN (%s)) l",
            moved, operations[0] == '3' ? "count(*) OVER (PARTITION BY l.xid, l.command) > 1" : "false", where, shape,
            operations);
    return FORMAT(
        "(SELECT * FROM (SELECT c.lsn, l.*, min(l.id) OVER t + max(coalesce(l.id2, l.id)) OVER t - max(coalesce(l.id2, "
        "l.id)) OVER s - min(l.id) OVER s AS shift, %s AS moved, count(*) OVER s > 1 AS bulk %s "
        "WINDOW t AS (PARTITION BY l.xid), s AS (PARTITION BY l.xid, l.command)) l WHERE l.shape = %d AND l.op IN "
        "(%s)) l",
        moved, where, shape, operations);
}

static void move_rows(Session *session, int db, const Instance *instance, int shape, int operation, int64_t from,
                      int64_t to, bool shuffle)
{
    Text sql = {.arena = &session->arena};
    char operations[2] = {(char)('0' + operation), 0};
    target_columns(&sql, instance, db);
    if (operation != 3) {
        text_format(&sql, "SELECT mssql.lsn_bytes(l.lsn), mssql.lsn_bytes(l.id + l.shift), %d, %s%s", operation,
                    mask_text(session, instance, true), instance->command_id ? ", l.command" : "");
        for (int i = 0; i < instance->columns; i++)
            if (instance->column[i].kind != 'c')
                text_format(&sql, ", %s", column_value(session, &instance->column[i], operation));
        text_format(&sql, " FROM %s", log_source(session, db, from, to, shape, operations, shuffle, "false"));
    } else {
        /* A changed key is a delete and an insert: of one row with one seqval and the next command_id, of many rows
         * with seqvals of their own (Debezium PR 7728). */
        text_format(&sql,
                    "SELECT mssql.lsn_bytes(l.lsn), mssql.lsn_bytes(CASE WHEN l.moved AND l.bulk AND o.op = 4 THEN "
                    "l.id2 ELSE l.id END + l.shift), CASE WHEN l.moved THEN o.op - 2 ELSE o.op END, "
                    "CASE WHEN l.moved THEN %s ELSE %s END%s",
                    mask_text(session, instance, true), mask_text(session, instance, false),
                    instance->command_id ? ", CASE WHEN l.moved AND o.op = 4 THEN l.command + 1 ELSE l.command END"
                                         : "");
        for (int i = 0; i < instance->columns; i++)
            if (instance->column[i].kind != 'c')
                text_format(&sql, ", %s", column_value(session, &instance->column[i], 3));
        text_format(&sql, " FROM %s CROSS JOIN (VALUES (3), (4)) o(op)",
                    log_source(session, db, from, to, shape, "3", shuffle, key_moved(session, instance)));
    }
    db_run(session, sql.data);
    db_release(session);
}

/* "column|type|max_length|precision|scale|collation" and the command in the next line: the change tables follow a type
 * change in place ("About change data capture", handling changes to source tables). */
static const char *retype(Session *session, int db, int object_id, const char *detail)
{
    char name[32] = "", collation[129] = "";
    int column = 0, length = 0, precision = 0, scale = 0;
    sscanf(detail, "%d|%31[^|]|%d|%d|%d|%128[^\n]", &column, name, &length, &precision, &scale, collation);
    TypeInfo type;
    memset(&type, 0, sizeof type);
    if (type_parse(name, -1, -1, &type, &session->error))
        session_fail_with(session, &session->error);
    type.max_length = length;
    type.precision = (uint8_t)precision;
    type.scale = (uint8_t)scale;
    memcpy(type.collation, collation, sizeof type.collation);
    PGresult *result =
        db_runf(session, "SELECT object_id FROM mssql.change_table WHERE source_object_id = %d", object_id);
    int count = PQntuples(result), ids[2] = {0};
    for (int i = 0; i < count && i < 2; i++)
        ids[i] = atoi(PQgetvalue(result, i, 0));
    for (int i = 0; i < count && i < 2; i++)
        change_table_retype(session, db, ids[i], column, &type);
    return strchr(detail, '\n') + 1;
}

static void note_ddl(Session *session, int db, int64_t lsn, const char *kind, const char *detail, int object_id)
{
    bool required = !strcmp(kind, "retype");
    const char *command = required ? retype(session, db, object_id, detail) : detail;
    db_runf(session,
            "INSERT INTO mssql.ddl_history SELECT object_id, source_object_id, %d, %s, mssql.lsn_bytes(%lld), (SELECT "
            "mssql.local_datetime(end_time) FROM db%d.commit WHERE lsn = %lld) "
            "FROM mssql.change_table WHERE source_object_id = %d AND start_lsn < mssql.lsn_bytes(%lld)",
            required, lit(session, command), (long long)lsn, db, (long long)lsn, object_id, (long long)lsn);
}

static void scan_rows(Session *session, int db, int64_t from, int64_t to)
{
    bool shuffle = db_number(session, "SELECT mssql.option('seqval_shuffle')") != 0;
    PGresult *result =
        db_runf(session,
                "SELECT DISTINCT t.object_id, l.shape, l.op, mssql.lsn_number(t.start_lsn) FROM db%d.commit c JOIN "
                "db%d.log l ON l.xid = c.xid JOIN mssql.shape s ON s.shape_id = l.shape "
                "JOIN mssql.change_table t ON t.source_object_id = s.object_id "
                "WHERE c.lsn > %lld AND c.lsn <= %lld ORDER BY 1, 2, 3",
                db, db, (long long)from, (long long)to);
    int count = PQntuples(result);
    struct {
        int object, shape, op;
        int64_t first;
    } *work = arena_alloc(&session->arena, sizeof *work * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        work[i].object = atoi(PQgetvalue(result, i, 0));
        work[i].shape = atoi(PQgetvalue(result, i, 1));
        work[i].op = atoi(PQgetvalue(result, i, 2));
        work[i].first = strtoll(PQgetvalue(result, i, 3), NULL, 10);
    }
    db_release(session);
    for (int i = 0; i < count; i++) {
        Instance instance;
        load_instance(session, work[i].object, work[i].shape, &instance);
        move_rows(session, db, &instance, work[i].shape, work[i].op, work[i].first > from ? work[i].first : from, to,
                  shuffle);
    }
    db_runf(session,
            "INSERT INTO db%d.\"cdc.lsn_time_mapping\" SELECT mssql.lsn_bytes(lsn), mssql.local_datetime(begin_time), "
            "mssql.local_datetime(end_time), substring(int8send(xid::text::bigint) FROM 3), NULL "
            "FROM db%d.commit WHERE lsn > %lld AND lsn <= %lld ORDER BY lsn",
            db, db, (long long)from, (long long)to);
    db_runf(session, "DELETE FROM db%d.log WHERE xid IN (SELECT xid FROM db%d.commit WHERE lsn > %lld AND lsn <= %lld)",
            db, db, (long long)from, (long long)to);
}

/* Up to what this scan goes: maxtrans transactions, and a schema change alone. */
static int64_t scan_end(Session *session, int db, int64_t from)
{
    return db_number(
        session,
        "WITH n AS (SELECT lsn, kind, row_number() OVER (ORDER BY lsn) AS i FROM db%d.commit WHERE lsn > %lld ORDER BY "
        "lsn "
        "LIMIT coalesce((SELECT maxtrans FROM mssql.cdc_job WHERE db_id = %d AND job_type = 'capture'), 500)), "
        "d AS (SELECT min(i) AS i FROM n WHERE kind IN ('ddl', 'retype')) "
        "SELECT max(lsn) FROM n, d WHERE n.i < d.i OR d.i IS NULL OR (d.i = 1 AND n.i = 1)",
        db, (long long)from, db);
}

static void idle_row(Session *session, int db, int64_t from)
{
    if (!db_text(session,
                 "SELECT 1 FROM mssql.capture_state WHERE db_id = %d AND last_row_at <= now() - make_interval(secs => "
                 "mssql.option('idle_interval_ms') / 1000.0)",
                 db))
        return;
    db_runf(session, "SELECT pg_advisory_xact_lock(7, %d)", db);
    if (scan_end(session, db, from))
        return; /* a commit came in between: the next scan takes it */
    int64_t lsn = db_number(session, "SELECT nextval('db%d.lsn')", db);
    db_runf(session,
            "INSERT INTO db%d.\"cdc.lsn_time_mapping\" SELECT mssql.lsn_bytes(%lld), "
            "mssql.local_datetime(clock_timestamp()), mssql.local_datetime(clock_timestamp()), '\\x00', NULL",
            db, (long long)lsn);
    db_runf(session, "UPDATE mssql.capture_state SET captured = %lld, last_row_at = now() WHERE db_id = %d",
            (long long)lsn, db);
}

/* One scan; true if there may be more to take. */
static bool scan(Session *session, int db)
{
    db_run(session, "BEGIN");
    if (!db_text(session, "SELECT 1 WHERE pg_try_advisory_xact_lock(8, %d)", db)) {
        db_run(session, "ROLLBACK");
        return false;
    }
    int64_t from = db_number(session, "SELECT captured FROM mssql.capture_state WHERE db_id = %d", db),
            to = scan_end(session, db, from);
    if (!to) {
        idle_row(session, db, from);
    } else {
        PGresult *ddl = db_runf(
            session, "SELECT kind, detail, object_id FROM db%d.commit WHERE lsn = %lld AND kind IN ('ddl', 'retype')",
            db, (long long)to);
        if (PQntuples(ddl)) {
            const char *kind = FORMAT("%s", PQgetvalue(ddl, 0, 0)), *detail = FORMAT("%s", PQgetvalue(ddl, 0, 1));
            int object = atoi(PQgetvalue(ddl, 0, 2));
            db_release(session);
            note_ddl(session, db, to, kind, detail, object);
            session->catalog_changed = true;
        }
        scan_rows(session, db, from, to);
        db_runf(
            session,
            "UPDATE mssql.capture_state SET captured = %lld, last_row_at = now(), scans = scans + 1 WHERE db_id = %d",
            (long long)to, db);
        db_runf(session,
                "WITH d AS (DELETE FROM mssql.scan_session WHERE db_id = %d AND session_id < (SELECT max(session_id) - "
                "100 FROM mssql.scan_session)) "
                "INSERT INTO mssql.scan_session (db_id, start_time, end_time, duration, scan_phase, error_count, "
                "tran_count, last_commit_lsn, last_commit_time, latency, empty_scan_count, command_count) "
                "SELECT %d, mssql.local_datetime(now()), mssql.local_datetime(clock_timestamp()), 0, 'Done', 0, "
                "count(*), mssql.lsn_text(mssql.lsn_bytes(max(lsn))), mssql.local_datetime(max(end_time)), "
                "extract(epoch FROM clock_timestamp() - max(end_time))::int, 0, count(*) FROM db%d.commit WHERE lsn > "
                "%lld AND lsn <= %lld",
                db, db, db, (long long)from, (long long)to);
    }
    db_release(session);
    db_run(session, "COMMIT");
    if (session->catalog_changed)
        db_run(session, "SELECT nextval('mssql.version')");
    session->catalog_changed = false;
    return to != 0;
}

static void cleanup(Session *session, int db)
{
    if (!db_text(session,
                 "UPDATE mssql.capture_state SET last_cleanup_at = now() WHERE db_id = %d AND last_cleanup_at <= now() "
                 "- make_interval(secs => mssql.option('cleanup_interval_ms') / 1000.0) RETURNING 1",
                 db))
        return;
    int64_t low = db_number(session,
                            "SELECT mssql.lsn_number(max(start_lsn::bytea)) FROM db%d.\"cdc.lsn_time_mapping\" WHERE "
                            "tran_end_time < mssql.local_datetime(clock_timestamp()) - make_interval(secs => "
                            "least((SELECT retention * 60 FROM mssql.cdc_job WHERE db_id = %d AND job_type = "
                            "'cleanup'), mssql.option('retention_seconds')))",
                            db, db);
    if (!low)
        return;
    db_runf(session, "SELECT mssql.raise_low_water(%d, %lld)", db, (long long)low);
    db_runf(session, "SELECT mssql.delete_below(%d, %lld)", db, (long long)low);
}

static void note_error(Session *session, int db)
{
    PQclear(PQexec(session->pg, "ROLLBACK"));
    PQclear(PQexec(session->pg,
                   FORMAT("INSERT INTO mssql.capture_error SELECT %d, 0, 7, mssql.local_datetime(now()), %d, %d, 1, %s "
                          "WHERE NOT EXISTS (SELECT FROM mssql.capture_error WHERE db_id = %d AND entry_time > "
                          "mssql.local_datetime(now()) - interval '10 s')",
                          db, session->error.number, session->error.severity, lit(session, session->error.text), db)));
}

static int cycle(Session *session)
{
    if (!db_number(session, "SELECT mssql.option('capture_running') * mssql.option('agent_running')"))
        return 0;
    PGresult *result =
        db_run(session, "SELECT d.id, coalesce(j.running, 1) FROM mssql.database d LEFT JOIN mssql.cdc_job j ON "
                        "j.db_id = d.id AND j.job_type = 'capture' WHERE is_cdc_enabled = 1 ORDER BY d.id");
    int count = PQntuples(result), failed = 0, *ids = arena_alloc(&session->arena, sizeof *ids * (size_t)(count + 1));
    for (int i = 0; i < count; i++)
        ids[i] = PQgetvalue(result, i, 1)[0] == '1' ? atoi(PQgetvalue(result, i, 0)) : 0;
    db_release(session);
    for (volatile int i = 0; i < count; i++) {
        jmp_buf *outer = session->trap, trap;
        session->trap = &trap;
        if (setjmp(trap)) {
            session->trap = outer;
            db_release(session);
            note_error(session, ids[i]);
            failed = -1;
            continue;
        }
        if (ids[i]) {
            int scans = (int)db_number(
                session,
                "SELECT coalesce(max(maxscans), 10) FROM mssql.cdc_job WHERE db_id = %d AND job_type = 'capture'",
                ids[i]);
            while (scans-- > 0 && scan(session, ids[i]))
                db_release(session);
            cleanup(session, ids[i]);
        }
        session->trap = outer;
        db_release(session);
    }
    return failed;
}

/* The connection stays open between cycles: the job is one process that does nothing else. */
int engine_capture_cycle(const char *conninfo, SqlError *error)
{
    static Session *job;
    static struct timespec last;
    struct timespec now;
    jmp_buf trap;
    if (!job && !(job = calloc(1, sizeof *job)))
        abort();
    if (job->pg && PQstatus(job->pg) != CONNECTION_OK) {
        PQfinish(job->pg);
        job->pg = NULL;
    }
    Session *session = job;
    session->trap = &trap;
    if (setjmp(trap)) {
        db_release(session);
        PQclear(PQexec(session->pg, "ROLLBACK"));
        *error = session->error;
        arena_clear(&session->arena);
        return -1;
    }
    if (!session->pg) {
        session->pg = PQconnectdb(conninfo);
        db_run(session, "SET client_min_messages = error; SET timezone = 'UTC'; SET synchronous_commit = off; SET jit "
                        "= off; SET enable_seqscan = off; SET random_page_cost = 1; SET search_path = pg_catalog; SET "
                        "mssql.db = '0'; SET mssql.command = '0'");
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t elapsed = (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000;
    int result = 0;
    if (last.tv_sec == 0 || elapsed >= db_number(session, "SELECT mssql.option('capture_interval_ms')") - 10) {
        last = now;
        result = cycle(session);
    }
    if (result)
        *error = session->error;
    db_release(session);
    arena_clear(&session->arena);
    return result;
}
