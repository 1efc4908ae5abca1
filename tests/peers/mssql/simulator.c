/*
 * EXEC sluice_sim.*: what a test may do to the simulator from T-SQL. None of this exists in SQL Server.
 *   set_option 'name', 'value' | restore_to '<lsn hex>' | cleanup_to '<lsn hex>'
 */
#include "statement.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

static void set_option(Session *session, const ProcedureCall *call)
{
    const char *name = call_text(session, call, "@name", 0), *value = call_text(session, call, "@value", 1);
    char *end;
    if (!name || !value || (strtoll(value, &end, 10), *end) || end == value)
        session_fail(session, 50000, 1, "sluice_sim.set_option takes a name and a whole number.");
    if (!db_text(session, "UPDATE mssql.setting SET value = %s WHERE name = %s RETURNING 1", lit(session, value),
                 lit(session, name)))
        session_fail(session, 50000, 1, "sluice_sim.set_option knows no option '%s'.", name);
    if (!strcmp(name, "lsn_step") && session->db_id > 4)
        db_runf(session, "ALTER SEQUENCE db%d.lsn INCREMENT %s", session->db_id, value);
}

static int64_t lsn_argument(Session *session, const ProcedureCall *call)
{
    const char *text = call_text(session, call, "@lsn", 0);
    if (text && !strncmp(text, "0x", 2))
        text += 2;
    if (!text || strlen(text) != 20 || strspn(text, "0123456789abcdefABCDEF") != 20)
        session_fail(session, 50000, 1, "sluice_sim.%s takes an LSN of 20 hexadecimal digits.", call->name);
    return db_number(session, "SELECT mssql.lsn_number('\\x%s')", text);
}

/* Moves the log, the change tables and the LSNs back, as RESTORE to a point in time does. The rows of the application's
 * tables stay as they are: a test that wants the older rows too writes them itself. */
static void restore_to(Session *session, const ProcedureCall *call)
{
    int64_t lsn = lsn_argument(session, call);
    int db = session->db_id;
    db_runf(session, "SELECT pg_advisory_xact_lock(8, %d), pg_advisory_xact_lock(7, %d)", db, db);
    PGresult *tables = db_runf(session, "SELECT object_id FROM mssql.change_table WHERE db_id = %d", db);
    Text sql = {.arena = &session->arena};
    for (int i = 0; i < PQntuples(tables); i++)
        text_format(&sql, "DELETE FROM db%d.o%s WHERE \"__$start_lsn\" > mssql.lsn_bytes(%lld);", db,
                    PQgetvalue(tables, i, 0), (long long)lsn);
    text_format(&sql,
                "DELETE FROM db%d.\"cdc.lsn_time_mapping\" WHERE start_lsn > mssql.lsn_bytes(%lld);"
                "DELETE FROM mssql.ddl_history h USING mssql.change_table t WHERE t.object_id = h.object_id AND "
                "t.db_id = %d AND h.ddl_lsn > mssql.lsn_bytes(%lld);"
                "DELETE FROM db%d.log l USING db%d.commit c WHERE c.xid = l.xid AND c.lsn > %lld; DELETE FROM "
                "db%d.commit WHERE lsn > %lld;"
                "SELECT setval('db%d.lsn', %lld); UPDATE mssql.capture_state SET captured = least(captured, %lld) "
                "WHERE db_id = %d;"
                "UPDATE mssql.database SET recovery_fork_guid = gen_random_uuid() WHERE id = %d",
                db, (long long)lsn, db, (long long)lsn, db, db, (long long)lsn, db, (long long)lsn, db, (long long)lsn,
                (long long)lsn, db, db);
    db_run(session, sql.data);
}

static void cleanup_to(Session *session, const ProcedureCall *call)
{
    int64_t lsn = lsn_argument(session, call);
    int db = session->db_id;
    db_runf(session, "SELECT mssql.raise_low_water(%d, %lld)", db, (long long)lsn);
    transaction_end_statement(session);
    transaction_begin_statement(session, true);
    db_runf(session, "SELECT mssql.delete_below(%d, %lld)", db, (long long)lsn);
}

bool simulator_procedure(Session *session, const ProcedureCall *call)
{
    if (!session->sysadmin)
        session_fail(session, 15247, 1, "User does not have permission to perform this action.");
    if (!strcmp(call->name, "set_option"))
        set_option(session, call);
    else if (!strcmp(call->name, "restore_to"))
        restore_to(session, call);
    else if (!strcmp(call->name, "cleanup_to"))
        cleanup_to(session, call);
    else
        return false;
    return true;
}
