/* CREATE, ALTER and DROP by kind of object. */
#include "statement.h"
#include "table.h"

#include <string.h>
#include <strings.h>

static void create_schema(Parser *parser)
{
    Session *session = parser->session;
    const char *name = parser_name_part(parser);
    if (parser_take(parser, "authorization"))
        parser_name_part(parser);
    if (schema_id_of(session, name) >= 0)
        session_fail(session, 2714, 6, "There is already an object named '%s' in the database.", name);
    db_runf(session,
            "INSERT INTO mssql.schema SELECT %d, greatest(max(schema_id), 4) + 1, %s, 1 FROM mssql.schema WHERE db_id "
            "= %d AND schema_id < 16384",
            session->db_id, lit(session, name), session->db_id);
    table_changed(session);
}

void statement_create(Parser *parser)
{
    if (parser_take(parser, "table"))
        create_table(parser);
    else if (parser_take(parser, "database"))
        create_database(parser->session, parser_name_part(parser));
    else if (parser_take(parser, "schema"))
        create_schema(parser);
    else if (parser_at(parser, "login") || parser_at(parser, "user") || parser_at(parser, "role"))
        create_principal(parser);
    else if (parser_at(parser, "unique") || parser_at(parser, "clustered") || parser_at(parser, "nonclustered") ||
             parser_at(parser, "index"))
        create_index(parser);
    else
        parser_fail(parser);
}

static void drop_table(Session *session, const Name *name)
{
    Table *table = table_find(session, name);
    if (!table)
        session_fail(session, 3701, 5,
                     "Cannot drop the table '%s', because it does not exist or you do not have permission.",
                     name_text(session, name));
    if (!session->sysadmin && !session->db_owner)
        session_fail(session, 3701, 14,
                     "Cannot drop the table '%s', because it does not exist or you do not have permission.",
                     name_text(session, name));
    if (table->tracked) { /* dropping a captured table drops its instances ("Administer and monitor CDC") */
        const char *const arguments[] = {"@source_schema", "@source_name", "@capture_instance"};
        Constant values[3];
        const char *texts[] = {table->schema, table->name, "all"};
        for (int i = 0; i < 3; i++) {
            Expr literal = {.kind = EXPR_NSTRING, .text = texts[i], .length = strlen(texts[i])};
            constant_fold(session, &literal, &values[i]);
        }
        ProcedureCall call = {"sp_cdc_disable_table", (const char **)arguments, values, 3};
        cdc_procedure(session, &call);
    }
    db_runf(session,
            "DROP TABLE %s CASCADE; DELETE FROM mssql.index_column WHERE object_id = %d; DELETE FROM mssql.index WHERE "
            "object_id = %d; "
            "DELETE FROM mssql.column WHERE object_id = %d; DELETE FROM mssql.object WHERE object_id = %d OR "
            "parent_object_id = %d; DELETE FROM mssql.permission WHERE class = 1 AND major_id = %d",
            table->relation, table->object_id, table->object_id, table->object_id, table->object_id, table->object_id,
            table->object_id);
    if (table->identity >= 0)
        db_runf(session, "DROP SEQUENCE db%d.identity_%d", table->db_id, table->object_id);
    table_changed(session);
}

static void drop_index(Parser *parser)
{
    Session *session = parser->session;
    const char *index = parser_name_part(parser);
    parser_expect(parser, "on");
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    char *id = db_text(session,
                       "SELECT index_id FROM mssql.index WHERE object_id = %d AND name = %s AND constraint_id IS NULL",
                       table->object_id, lit(session, index));
    if (!id)
        session_fail(session, 3701, 7,
                     "Cannot drop the index '%s.%s', because it does not exist or you do not have permission.",
                     name_text(session, &name), index);
    db_runf(session,
            "ALTER TABLE %s DROP CONSTRAINT IF EXISTS i%d_%s; DROP INDEX IF EXISTS db%d.i%d_%s; DELETE FROM "
            "mssql.index_column WHERE object_id = %d AND index_id = %s; "
            "DELETE FROM mssql.index WHERE object_id = %d AND index_id = %s",
            table->relation, table->object_id, id, table->db_id, table->object_id, id, table->object_id, id,
            table->object_id, id);
    table_changed(session);
}

static void drop_database(Parser *parser, bool if_exists)
{
    Session *session = parser->session;
    const char *name = parser_name_part(parser);
    char *id = db_text(session, "SELECT id FROM mssql.database WHERE name = %s AND id > 4", lit(session, name));
    if (!id && if_exists)
        return;
    if (!id)
        session_fail(session, 3701, 1,
                     "Cannot drop the database '%s', because it does not exist or you do not have permission.", name);
    db_runf(session, "DROP SCHEMA db%s CASCADE", id);
    db_runf(session,
            "DELETE FROM mssql.captured_column WHERE object_id IN (SELECT object_id FROM mssql.change_table WHERE "
            "db_id = %s)",
            id);
    static const char *const tables[] = {"schema",       "object",    "column",        "index",
                                         "index_column", "principal", "role_member",   "permission",
                                         "change_table", "cdc_job",   "capture_state", "scan_session"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        db_runf(session, "DELETE FROM mssql.%s WHERE db_id = %s", tables[i], id), db_release(session);
    db_runf(session, "DELETE FROM mssql.database WHERE id = %s", id);
    table_changed(session);
}

void statement_drop(Parser *parser)
{
    Session *session = parser->session;
    bool table = parser_take(parser, "table"), database = !table && parser_take(parser, "database"),
         schema = !table && !database && parser_take(parser, "schema");
    if (!table && !database && !schema) {
        if (parser_take(parser, "index"))
            return drop_index(parser);
        bool user = parser_take(parser, "user"), role = !user && parser_take(parser, "role"),
             login = !user && !role && parser_take(parser, "login");
        if (!user && !role && !login)
            parser_fail(parser);
        const char *name = parser_name_part(parser);
        if (login)
            db_runf(session, "DELETE FROM mssql.login WHERE name = %s", lit(session, name));
        else
            db_runf(session, "DELETE FROM mssql.principal WHERE db_id = %d AND name = %s", session->db_id,
                    lit(session, name));
        return;
    }
    bool if_exists = parser_at2(parser, "if", "exists");
    parser->at += if_exists ? 2 : 0;
    if (database)
        return drop_database(parser, if_exists);
    do {
        Name name = parser_name(parser);
        if (schema)
            db_runf(session, "DELETE FROM mssql.schema WHERE db_id = %d AND name = %s", session->db_id,
                    lit(session, name.parts[0]));
        else if (!if_exists || table_find(session, &name))
            drop_table(session, &name);
    } while (parser_take(parser, ","));
}
