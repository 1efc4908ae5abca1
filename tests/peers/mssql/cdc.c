/*
 * The CDC procedures (sql-docs, "Change data capture stored procedures") and what happens in the application's own
 * transaction: triggers that write the log, and marks that the capture job turns into rows.
 */
#include "statement.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INSTANCE_NAME_MAX = 100, INSTANCES_MAX = 2 };

static void need_enabled(Session *session)
{
    if (!db_number(session, "SELECT is_cdc_enabled FROM mssql.database WHERE id = %d", session->db_id))
        session_fail(session, 22901, 1,
                     "The database '%s' is not enabled for Change Data Capture. Ensure that the correct database "
                     "context is set and retry the operation. "
                     "To report on the databases enabled for Change Data Capture, query the is_cdc_enabled column in "
                     "the sys.databases catalog view.",
                     session->database);
}

static void need_owner(Session *session)
{
    if (!session->sysadmin && !session->db_owner)
        session_fail(session, 22904, 1,
                     "Caller is not authorized to initiate the requested action. DBO privileges are required.");
}

static void enable_db(Session *session)
{
    if (!session->sysadmin)
        session_fail(session, 22902, 1,
                     "Caller is not authorized to initiate the requested action. Sysadmin privileges are required.");
    if (session->db_id < 5)
        session_fail(session, 22849, 1, "The system database '%s' cannot be enabled for Change Data Capture.",
                     session->database);
    if (db_number(session, "SELECT is_cdc_enabled FROM mssql.database WHERE id = %d", session->db_id))
        session_fail(session, 22906, 1,
                     "The database '%s' is already enabled for Change Data Capture. Ensure that the correct database "
                     "context is set and retry the operation.",
                     session->database);
    if (schema_id_of(session, "cdc") >= 0)
        session_fail(session, 22906, 1,
                     "The database '%s' cannot be enabled for Change Data Capture because a database user named 'cdc' "
                     "or a schema named 'cdc' already exists in the current database. "
                     "These objects are required exclusively by Change Data Capture. Drop or rename the user or schema "
                     "and retry the operation.",
                     session->database);
    db_runf(session,
            "INSERT INTO mssql.schema SELECT %d, greatest(max(schema_id), 4) + 1, 'cdc', 5 FROM mssql.schema WHERE "
            "db_id = %d AND schema_id < 16384",
            session->db_id, session->db_id);
    db_runf(session, "UPDATE mssql.database SET is_cdc_enabled = 1 WHERE id = %d", session->db_id);
    db_runf(session,
            "INSERT INTO mssql.capture_state (db_id) VALUES (%d) ON CONFLICT (db_id) DO UPDATE SET captured = (SELECT "
            "last_value FROM db%d.lsn), last_row_at = now()",
            session->db_id, session->db_id);
    table_changed(session);
}

static void drop_instance(Session *session, int object_id)
{
    db_runf(session,
            "DROP TABLE db%d.o%d; DELETE FROM mssql.captured_column WHERE object_id = %d; DELETE FROM "
            "mssql.cdc_index_column WHERE object_id = %d; "
            "DELETE FROM mssql.ddl_history WHERE object_id = %d; DELETE FROM mssql.change_table WHERE object_id = %d; "
            "DELETE FROM mssql.column WHERE object_id = %d; "
            "DELETE FROM mssql.index_column WHERE object_id = %d; DELETE FROM mssql.index WHERE object_id = %d; DELETE "
            "FROM mssql.object WHERE object_id = %d",
            session->db_id, object_id, object_id, object_id, object_id, object_id, object_id, object_id, object_id,
            object_id);
}

static void untrack(Session *session, int object_id)
{
    if (db_text(session, "SELECT 1 FROM mssql.change_table WHERE source_object_id = %d", object_id))
        return;
    db_runf(session, "UPDATE mssql.object SET is_tracked_by_cdc = 0 WHERE object_id = %d", object_id);
    db_runf(session,
            "DROP FUNCTION IF EXISTS db%d.log_insert_%d CASCADE; DROP FUNCTION IF EXISTS db%d.log_delete_%d CASCADE; "
            "DROP FUNCTION IF EXISTS db%d.log_update_%d CASCADE",
            session->db_id, object_id, session->db_id, object_id, session->db_id, object_id);
}

static void disable_db(Session *session)
{
    if (!session->sysadmin)
        session_fail(session, 22902, 1,
                     "Caller is not authorized to initiate the requested action. Sysadmin privileges are required.");
    need_enabled(session);
    for (;;) {
        char *id =
            db_text(session, "SELECT object_id FROM mssql.change_table WHERE db_id = %d LIMIT 1", session->db_id);
        if (!id)
            break;
        int source =
            (int)db_number(session, "SELECT source_object_id FROM mssql.change_table WHERE object_id = %s", id);
        drop_instance(session, atoi(id));
        untrack(session, source);
        db_release(session);
    }
    db_runf(session,
            "DELETE FROM mssql.schema WHERE db_id = %d AND name = 'cdc'; DELETE FROM mssql.cdc_job WHERE db_id = %d; "
            "TRUNCATE db%d.\"cdc.lsn_time_mapping\"; TRUNCATE db%d.log; "
            "TRUNCATE db%d.commit; UPDATE mssql.database SET is_cdc_enabled = 0 WHERE id = %d; DELETE FROM "
            "mssql.scan_session WHERE db_id = %d",
            session->db_id, session->db_id, session->db_id, session->db_id, session->db_id, session->db_id,
            session->db_id);
    table_changed(session);
}

void cdc_install_triggers(Session *session, int object_id)
{
    PGresult *result = db_runf(session,
                               "SELECT string_agg('v' || column_id, ', ' ORDER BY column_id), string_agg('OLD.v' || "
                               "column_id, ', ' ORDER BY column_id), "
                               "string_agg('NEW.v' || column_id, ', ' ORDER BY column_id), array_agg(column_id ORDER "
                               "BY column_id) FROM mssql.column WHERE object_id = %d AND is_computed = 0",
                               object_id);
    const char *plain = PQgetvalue(result, 0, 0), *old = PQgetvalue(result, 0, 1), *fresh = PQgetvalue(result, 0, 2);
    int shape =
        (int)db_number(session, "INSERT INTO mssql.shape (object_id, columns) VALUES (%d, '%s') RETURNING shape_id",
                       object_id, PQgetvalue(result, 0, 3));
    int db = session->db_id;
    const char *command = "current_setting('mssql.command')::int";
    db_runf(session,
            "DROP FUNCTION IF EXISTS db%d.log_insert_%d CASCADE; DROP FUNCTION IF EXISTS db%d.log_delete_%d CASCADE; "
            "DROP FUNCTION IF EXISTS db%d.log_update_%d CASCADE",
            db, object_id, db, object_id, db, object_id);
    db_runf(session,
            "CREATE FUNCTION db%d.log_insert_%d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO db%d.log "
            "(command, shape, op, new) SELECT %s, %d, 2, ARRAY[%s]::bytea[] FROM n; RETURN NULL; END $$; "
            "CREATE TRIGGER log_insert AFTER INSERT ON db%d.o%d REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE "
            "FUNCTION db%d.log_insert_%d()",
            db, object_id, db, command, shape, plain, db, object_id, db, object_id);
    db_runf(session,
            "CREATE FUNCTION db%d.log_delete_%d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO db%d.log "
            "(command, shape, op, old) SELECT %s, %d, 1, ARRAY[%s]::bytea[] FROM o; RETURN NULL; END $$; "
            "CREATE TRIGGER log_delete AFTER DELETE ON db%d.o%d REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE "
            "FUNCTION db%d.log_delete_%d()",
            db, object_id, db, command, shape, plain, db, object_id, db, object_id);
    db_runf(session,
            "CREATE FUNCTION db%d.log_update_%d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO db%d.log "
            "(command, shape, op, old, new, id2) VALUES (%s, %d, 3, ARRAY[%s]::bytea[], ARRAY[%s]::bytea[], "
            "nextval('db%d.lsn')); RETURN NULL; END $$; "
            "CREATE TRIGGER log_update AFTER UPDATE ON db%d.o%d FOR EACH ROW EXECUTE FUNCTION db%d.log_update_%d()",
            db, object_id, db, command, shape, old, fresh, db, db, object_id, db, object_id);
}

void cdc_note_ddl(Session *session, const Table *table, const char *command, bool required_column_update, int column_id,
                  const TypeInfo *type)
{
    if (!table->tracked)
        return;
    cdc_install_triggers(session, table->object_id);
    Text detail = {.arena = &session->arena};
    if (required_column_update)
        text_format(&detail, "%d|%s|%d|%d|%d|%s\n", column_id, type_name(type), type->max_length, type->precision,
                    type->scale, type->collation);
    text_format(&detail, "%s", command);
    db_runf(session, "SELECT mssql.mark_commit(%d, '%s', %s, %d)", session->db_id,
            required_column_update ? "retype" : "ddl", lit(session, detail.data), table->object_id);
}

typedef struct Enable {
    const char *schema, *name, *instance, *role, *index, *columns;
    bool net, net_given;
    Table *table;
    int object_id;
} Enable;

static bool listed(const char *list, const char *name)
{
    if (!list)
        return true;
    size_t length = strlen(name);
    for (const char *c = list; *c;) {
        while (*c == ' ' || *c == ',' || *c == '[' || *c == ']' || *c == '\n' || *c == '\t')
            c++;
        const char *end = c;
        while (*end && *end != ',' && *end != ']')
            end++;
        size_t size = (size_t)(end - c);
        while (size && c[size - 1] == ' ')
            size--;
        if (size == length && !strncasecmp(c, name, size))
            return true;
        c = end;
    }
    return false;
}

static void change_column(Session *session, Text *sql, const Enable *enable, int id, const char *name,
                          const TypeInfo *type, bool nullable, const char *native, bool computed)
{
    text_format(sql,
                "INSERT INTO mssql.column (db_id, object_id, column_id, name, type_name, system_type_id, user_type_id, "
                "max_length, \"precision\", scale, collation_name, is_nullable, is_computed, native) "
                "VALUES (%d, %d, %d, %s, '%s', %d, %d, %d, %d, %d, %s, %d, %d, %s);",
                session->db_id, enable->object_id, id, lit(session, name), type_name(type), type_system_id(type),
                type_user_id(type), type->max_length, type->precision, type->scale,
                type->collation[0] ? lit(session, type->collation) : "NULL", nullable, computed, lit(session, native));
}

/* cdc.<instance>_CT: five metadata columns, the captured ones, and __$command_id last (since the 2012-2016 updates,
 * KB3030352). */
static void create_change_table(Session *session, Enable *enable, bool command_id)
{
    static const TypeInfo lsn = {.type = TYPE_BINARY, .max_length = 10},
                          integer = {.type = TYPE_INT, .max_length = 4, .precision = 10},
                          mask = {.type = TYPE_VARBINARY, .max_length = 128};
    int db = session->db_id, id = enable->object_id, ordinal = 0;
    Text columns = {.arena = &session->arena}, storage = {.arena = &session->arena}, rows = {.arena = &session->arena};
    text_format(&columns, "\"__$start_lsn\" bytea NOT NULL, \"__$end_lsn\" bytea, \"__$seqval\" bytea NOT NULL, "
                          "\"__$operation\" int NOT NULL, \"__$update_mask\" bytea");
    db_runf(session,
            "INSERT INTO mssql.object (db_id, object_id, schema_id, name, type, create_date, modify_date, "
            "is_ms_shipped) VALUES (%d, %d, %d, %s, 'U', mssql.getdate(), mssql.getdate(), 1)",
            db, id, schema_id_of(session, "cdc"),
            lit(session, arena_format(&session->arena, "%s_CT", enable->instance)));
    change_column(session, &rows, enable, 1, "__$start_lsn", &lsn, false, "__$start_lsn", false);
    change_column(session, &rows, enable, 2, "__$end_lsn", &lsn, true, "__$end_lsn", false);
    change_column(session, &rows, enable, 3, "__$seqval", &lsn, false, "__$seqval", false);
    change_column(session, &rows, enable, 4, "__$operation", &integer, false, "__$operation", false);
    change_column(session, &rows, enable, 5, "__$update_mask", &mask, true, "__$update_mask", false);
    for (int i = 0; i < enable->table->column_count; i++) {
        const Column *column = &enable->table->columns[i];
        if (!listed(enable->columns, column->name))
            continue;
        TypeInfo type = column->type;
        if (type.type == TYPE_ROWVERSION)
            type = (TypeInfo){.type = TYPE_BINARY, .max_length = 8};
        ordinal++;
        change_column(session, &rows, enable, 5 + ordinal, column->name, &type, true, NULL, column->computed);
        text_format(&rows, "INSERT INTO mssql.captured_column VALUES (%d, %s, %d, '%s', %d, %d);", id,
                    lit(session, column->name), column->id, type_name(&column->type), ordinal, column->computed);
        if (column->computed)
            continue;
        text_format(&columns, ", v%d bytea", 5 + ordinal);
        text_format(&storage, "%s ALTER COLUMN v%d SET STORAGE EXTERNAL", storage.data ? "," : "", 5 + ordinal);
    }
    if (command_id) {
        change_column(session, &rows, enable, 6 + ordinal, "__$command_id", &integer, true, "__$command_id", false);
        text_format(&columns, ", \"__$command_id\" int");
    }
    db_run(session, rows.data);
    db_runf(session, "CREATE TABLE db%d.o%d (%s)", db, id, columns.data);
    if (storage.data)
        db_runf(session, "ALTER TABLE db%d.o%d%s", db, id, storage.data);
    db_runf(session, "CREATE INDEX ON db%d.o%d (\"__$start_lsn\", %s\"__$seqval\", \"__$operation\")", db, id,
            command_id ? "\"__$command_id\" NULLS FIRST, " : "");
    db_runf(session, "INSERT INTO mssql.index VALUES (%d, %d, 1, %s, 1, 1, 0, 0, NULL)", db, id,
            lit(session, arena_format(&session->arena, "%s_CT_clustered_idx", enable->instance)));
}

/* The index CDC uses to know a row: the named unique one, else the primary key ("sys.sp_cdc_enable_table",
 * @index_name). */
static void choose_index(Session *session, Enable *enable)
{
    char *index = db_text(
        session,
        enable->index ? "SELECT index_id FROM mssql.index WHERE object_id = %d AND is_unique = 1 AND name = %s"
                      : "SELECT index_id FROM mssql.index WHERE object_id = %d AND is_primary_key = 1 AND %s IS NULL",
        enable->table->object_id, lit(session, enable->index));
    if (enable->index && !index)
        session_fail(
            session, 22963, 1,
            "Parameter @index_name must be the name of a unique index of table '%s.%s'; index '%s' is not one.",
            enable->schema, enable->name, enable->index);
    if (!enable->net_given)
        enable->net = index != NULL;
    if (enable->net && !index)
        session_fail(session, 22939, 1,
                     "The parameter @supports_net_changes is set to 1, but the source table does not have a primary "
                     "key defined and no alternate unique index has been specified.");
    if (!index)
        return;
    PGresult *missing = db_runf(session,
                                "SELECT c.name FROM mssql.index_column i JOIN mssql.column c USING (object_id, "
                                "column_id) WHERE i.object_id = %d AND i.index_id = %s",
                                enable->table->object_id, index);
    for (int i = 0; i < PQntuples(missing); i++)
        if (enable->net && !listed(enable->columns, PQgetvalue(missing, i, 0)))
            session_fail(session, 22941, 1, "The parameter @captured_column_list must include the key column '%s'.",
                         PQgetvalue(missing, i, 0));
    db_runf(session,
            "INSERT INTO mssql.cdc_index_column SELECT %d, c.name, i.key_ordinal, i.column_id FROM mssql.index_column "
            "i JOIN mssql.column c USING (object_id, column_id) WHERE i.object_id = %d AND i.index_id = %s",
            enable->object_id, enable->table->object_id, index);
    enable->index = db_text(session, "SELECT name FROM mssql.index WHERE object_id = %d AND index_id = %s",
                            enable->table->object_id, index);
}

static void check_enable(Session *session, Enable *enable, bool role_given)
{
    need_enabled(session);
    need_owner(session);
    if (!enable->schema || !enable->name || !role_given)
        session_fail(session, 201, 4,
                     "Procedure or function 'sp_cdc_enable_table' expects parameter '%s', which was not supplied.",
                     !enable->schema ? "@source_schema"
                     : !enable->name ? "@source_name"
                                     : "@role_name");
    Name name = {{enable->schema, enable->name}, 2};
    enable->table = table_find(session, &name);
    if (!enable->table || !enable->table->object_id || enable->table->change_table)
        session_fail(session, 22931, 1,
                     "Source table '%s.%s' does not exist in the current database. Ensure that the correct database "
                     "context is set. Specify a valid schema and table name for the database.",
                     enable->schema, enable->name);
    if (!enable->instance)
        enable->instance = arena_format(&session->arena, "%s_%s", enable->table->schema, enable->table->name);
    if (strlen(enable->instance) > INSTANCE_NAME_MAX)
        session_fail(session, 22938, 1,
                     "The capture instance name '%s' exceeds the length limit of 100 characters. Specify a name that "
                     "satisfies the length constraint.",
                     enable->instance);
    if (db_number(session, "SELECT count(*) FROM mssql.change_table WHERE source_object_id = %d",
                  enable->table->object_id) >= INSTANCES_MAX)
        session_fail(session, 22962, 1,
                     "Two capture instances already exist for source table '%s.%s'. A table can have at most two "
                     "capture instances. If the current tracking options are not appropriate, "
                     "disable change tracking for the obsolete instance by using sys.sp_cdc_disable_table and retry "
                     "the operation.",
                     enable->schema, enable->name);
    if (db_text(session, "SELECT 1 FROM mssql.change_table WHERE db_id = %d AND capture_instance = %s", session->db_id,
                lit(session, enable->instance)))
        session_fail(session, 22926, 1,
                     "Could not create a capture instance because the capture instance name '%s' already exists in the "
                     "current database. Specify an explicit unique name for the parameter @capture_instance.",
                     enable->instance);
}

static void enable_table(Session *session, const ProcedureCall *call)
{
    Enable enable = {.schema = call_text(session, call, "@source_schema", 0),
                     .name = call_text(session, call, "@source_name", 1),
                     .instance = call_text(session, call, "@capture_instance", 2),
                     .role = call_text(session, call, "@role_name", 4),
                     .index = call_text(session, call, "@index_name", 5),
                     .columns = call_text(session, call, "@captured_column_list", 6)};
    const char *net = call_text(session, call, "@supports_net_changes", 3);
    bool role_given = call->count >= 5;
    for (int i = 0; i < call->count; i++)
        role_given |= !strcasecmp(call->argument_names[i], "@role_name");
    enable.net_given = net != NULL;
    enable.net = net && atoi(net);
    check_enable(session, &enable, role_given);
    enable.object_id = (int)db_number(session, "SELECT nextval('mssql.object_id_seq')");
    choose_index(session, &enable);
    if (enable.role && !db_text(session, "SELECT 1 FROM mssql.principal WHERE db_id = %d AND name = %s", session->db_id,
                                lit(session, enable.role)))
        db_runf(session,
                "INSERT INTO mssql.principal (db_id, principal_id, name, type) SELECT %d, greatest(max(principal_id), "
                "4) + 1, %s, 'R' FROM mssql.principal WHERE db_id = %d AND principal_id < 16384",
                session->db_id, lit(session, enable.role), session->db_id);
    bool command_id = db_number(session, "SELECT mssql.option('command_id_column')") != 0;
    create_change_table(session, &enable, command_id);
    db_release(session);
    cdc_install_triggers(session, enable.table->object_id);
    db_runf(session, "UPDATE mssql.object SET is_tracked_by_cdc = 1 WHERE object_id = %d", enable.table->object_id);
    int64_t lsn = db_number(session, "SELECT mssql.mark_commit(%d, 'enable')", session->db_id);
    const char *filegroup = call_text(session, call, "@filegroup_name", 7);
    db_runf(session,
            "INSERT INTO mssql.change_table (db_id, object_id, source_object_id, capture_instance, start_lsn, "
            "supports_net_changes, role_name, index_name, filegroup_name, create_date, command_id) "
            "VALUES (%d, %d, %d, %s, mssql.lsn_bytes(%lld), %d, %s, %s, %s, mssql.getdate(), %d)",
            session->db_id, enable.object_id, enable.table->object_id, lit(session, enable.instance), (long long)lsn,
            enable.net, lit(session, enable.role), lit(session, enable.index), lit(session, filegroup), command_id);
    db_runf(session,
            "INSERT INTO mssql.cdc_job (db_id, job_type, maxtrans, maxscans, continuous, pollinginterval, retention, "
            "threshold) VALUES (%d, 'capture', 500, 10, 1, 5, 0, 0), (%d, 'cleanup', 0, 0, 0, 0, 4320, 5000) "
            "ON CONFLICT DO NOTHING",
            session->db_id, session->db_id);
    table_changed(session);
}

static void disable_table(Session *session, const ProcedureCall *call)
{
    need_enabled(session);
    need_owner(session);
    const char *schema = call_text(session, call, "@source_schema", 0),
               *table_name = call_text(session, call, "@source_name", 1),
               *instance = call_text(session, call, "@capture_instance", 2);
    if (!schema || !table_name || !instance)
        session_fail(session, 201, 4,
                     "Procedure or function 'sp_cdc_disable_table' expects parameter '@capture_instance', which was "
                     "not supplied.");
    Name name = {{schema, table_name}, 2};
    Table *table = table_find(session, &name);
    if (!table)
        session_fail(session, 22931, 1,
                     "Source table '%s.%s' does not exist in the current database. Ensure that the correct database "
                     "context is set. Specify a valid schema and table name for the database.",
                     schema, table_name);
    PGresult *result = db_runf(session,
                               "SELECT object_id FROM mssql.change_table WHERE source_object_id = %d AND (%s = 'all' "
                               "OR capture_instance = %s)",
                               table->object_id, lit(session, instance), lit(session, instance));
    int count = PQntuples(result), ids[INSTANCES_MAX] = {0}, source = table->object_id;
    if (!count)
        session_fail(session, 22960, 1,
                     "Change data capture instance '%s' has not been enabled for the source table '%s.%s'. Use "
                     "sys.sp_cdc_help_change_data_capture to verify the capture instance name and retry the operation.",
                     instance, schema, table_name);
    for (int i = 0; i < count && i < INSTANCES_MAX; i++)
        ids[i] = atoi(PQgetvalue(result, i, 0));
    for (int i = 0; i < count && i < INSTANCES_MAX; i++)
        drop_instance(session, ids[i]), db_release(session);
    untrack(session, source);
    table_changed(session);
}

static void cleanup_table(Session *session, const ProcedureCall *call)
{
    need_enabled(session);
    need_owner(session);
    const char *instance = call_text(session, call, "@capture_instance", 0);
    Constant mark = {.data = NULL};
    static const TypeInfo lsn = {.type = TYPE_BINARY, .max_length = 10};
    for (int i = 0; i < call->count; i++)
        if (!strcasecmp(call->argument_names[i], "@low_water_mark") || (!call->argument_names[i][0] && i == 1))
            mark = constant_cast(session, call->arguments[i], &lsn);
    char *id = instance ? db_text(session,
                                  "SELECT object_id FROM mssql.change_table WHERE db_id = %d AND capture_instance = %s",
                                  session->db_id, lit(session, instance))
                        : NULL;
    if (!id)
        session_fail(session, 22964, 1, "LSN %s or capture instance '%s' is invalid.", "@low_water_mark",
                     instance ? instance : "NULL");
    if (mark.data && !db_text(session, "SELECT 1 FROM db%d.\"cdc.lsn_time_mapping\" WHERE start_lsn = %s",
                              session->db_id, constant_bytes(session, &mark)))
        session_fail(session, 22964, 1,
                     "LSN specified by @low_water_mark is not the start_lsn of a row of cdc.lsn_time_mapping.");
    if (!mark.data)
        return;
    /* First the low end, visible to everybody, then the rows ("sys.sp_cdc_cleanup_change_table"). */
    db_runf(session, "UPDATE mssql.change_table SET start_lsn = %s WHERE object_id = %s AND start_lsn < %s",
            constant_bytes(session, &mark), id, constant_bytes(session, &mark));
    transaction_end_statement(session);
    transaction_begin_statement(session, true);
    db_runf(session, "DELETE FROM db%d.o%s WHERE \"__$start_lsn\" < %s", session->db_id, id,
            constant_bytes(session, &mark));
}

static void change_job(Session *session, const ProcedureCall *call)
{
    static const char *const names[] = {"maxtrans",        "maxscans",  "continuous",
                                        "pollinginterval", "retention", "threshold"};
    need_owner(session);
    const char *type = call_text(session, call, "@job_type", 0);
    for (int i = 0; i < 6; i++) {
        const char *value = call_text(session, call, arena_format(&session->arena, "@%s", names[i]), i + 1);
        if (value)
            db_runf(session, "UPDATE mssql.cdc_job SET %s = %lld WHERE db_id = %d AND job_type = %s", names[i],
                    strtoll(value, NULL, 10), session->db_id, lit(session, type ? type : "capture"));
    }
}

static void run_job(Session *session, const ProcedureCall *call, int running)
{
    const char *type = call_text(session, call, "@job_type", 0);
    need_enabled(session);
    need_owner(session);
    db_runf(session, "UPDATE mssql.cdc_job SET running = %d WHERE db_id = %d AND job_type = %s", running,
            session->db_id, lit(session, type ? type : "capture"));
}

static void help_tables(Session *session)
{
    need_enabled(session);
    send_query(session,
               "SELECT OBJECT_SCHEMA_NAME(t.source_object_id) AS source_schema, OBJECT_NAME(t.source_object_id) AS "
               "source_table, t.capture_instance, t.object_id, t.source_object_id, t.start_lsn, "
               "t.end_lsn, t.supports_net_changes, t.has_drop_pending, t.role_name, t.index_name, t.filegroup_name, "
               "t.create_date, "
               "(SELECT STRING_AGG(QUOTENAME(i.column_name), ', ') WITHIN GROUP (ORDER BY i.index_ordinal) FROM "
               "cdc.index_columns i WHERE i.object_id = t.object_id) AS index_column_list, "
               "(SELECT STRING_AGG(QUOTENAME(c.column_name), ', ') WITHIN GROUP (ORDER BY c.column_ordinal) FROM "
               "cdc.captured_columns c WHERE c.object_id = t.object_id) AS captured_column_list "
               "FROM cdc.change_tables t WHERE t.role_name IS NULL OR IS_ROLEMEMBER(N'db_owner') = 1 OR "
               "IS_ROLEMEMBER(t.role_name) = 1 ORDER BY t.object_id");
}

bool cdc_procedure(Session *session, const ProcedureCall *call)
{
    if (!strcmp(call->name, "sp_cdc_enable_db"))
        enable_db(session);
    else if (!strcmp(call->name, "sp_cdc_disable_db"))
        disable_db(session);
    else if (!strcmp(call->name, "sp_cdc_enable_table"))
        enable_table(session, call);
    else if (!strcmp(call->name, "sp_cdc_disable_table"))
        disable_table(session, call);
    else if (!strcmp(call->name, "sp_cdc_cleanup_change_table"))
        cleanup_table(session, call);
    else if (!strcmp(call->name, "sp_cdc_change_job"))
        change_job(session, call);
    else if (!strcmp(call->name, "sp_cdc_start_job") || !strcmp(call->name, "sp_cdc_stop_job"))
        run_job(session, call, call->name[9] == 'a');
    else if (!strcmp(call->name, "sp_cdc_add_job"))
        need_enabled(session);
    else if (!strcmp(call->name, "sp_cdc_help_change_data_capture"))
        help_tables(session);
    else if (!strcmp(call->name, "sp_cdc_help_jobs"))
        send_query(
            session,
            "SELECT job_id, job_type, N'cdc.' + DB_NAME() + N'_' + job_type AS job_name, maxtrans, maxscans, "
            "continuous, pollinginterval, retention, threshold FROM msdb.dbo.cdc_jobs WHERE database_id = DB_ID()");
    else
        return false;
    return true;
}
