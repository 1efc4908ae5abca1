/* ALTER TABLE, ALTER DATABASE, ALTER ROLE, ALTER LOGIN. */
#include "statement.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void alter_database(Parser *parser)
{
    Session *session = parser->session;
    const char *name = parser_take(parser, "current") ? session->database : parser_name_part(parser);
    char *id = db_text(session, "SELECT id FROM mssql.database WHERE name = %s", lit(session, name));
    if (!id)
        session_fail(session, 5011, 5,
                     "User does not have permission to alter database '%s', the database does not exist, or the "
                     "database is not in a state that allows access checks.",
                     name);
    parser_expect(parser, "set");
    const char *option = parser_name_part(parser);
    static const struct {
        const char *option, *column;
    } options[] = {{"allow_snapshot_isolation", "snapshot_isolation_state"},
                   {"read_committed_snapshot", "is_read_committed_snapshot_on"}};
    for (size_t i = 0; i < 2; i++)
        if (!strcasecmp(option, options[i].option)) {
            bool on = parser_take(parser, "on");
            if (!on)
                parser_expect(parser, "off");
            db_runf(session, "UPDATE mssql.database SET %s = %d WHERE id = %s", options[i].column, on, id);
            if (parser_at2(parser, "with", "rollback"))
                parser->at += 3;
            return;
        }
    if (!strcasecmp(option, "read_only") || !strcasecmp(option, "read_write")) {
        db_runf(session, "UPDATE mssql.database SET is_read_only = %d WHERE id = %s", !strcasecmp(option, "read_only"),
                id);
        return;
    }
    if (!strcasecmp(option, "recovery")) {
        parser->at++;
        return;
    }
    session_fail(session, 195, 5, "'%s' is not a recognized ALTER DATABASE option.", option);
}

static char *statement_text(Parser *parser, int from)
{
    const char *start = parser->tokens[from].start, *end = parser->tokens[parser->at].start;
    while (end > start && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t' || end[-1] == ';'))
        end--;
    return arena_copy(&parser->session->arena, start, (size_t)(end - start));
}

/* Existing rows take the default of a NOT NULL column; without one the table must be empty (4901). */
static void fill_new_column(Session *session, Table *table, const ColumnSpec *spec)
{
    int index = table_column(table, spec->name);
    const Column *column = &table->columns[index];
    if (spec->nullable || spec->computed || column->type.type == TYPE_ROWVERSION)
        return;
    if (!db_text(session, "SELECT 1 FROM %s LIMIT 1", table->relation))
        return;
    if (!spec->default_text)
        session_fail(session, 4901, 1,
                     "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition "
                     "specified, or the column being added is an identity or timestamp column, "
                     "or alternatively if none of the previous conditions are satisfied the table must be empty to "
                     "allow addition of this column. Column '%s' cannot be added to non-empty table '%s' because it "
                     "does not satisfy these conditions.",
                     spec->name, table->name);
    Constant value =
        constant_cast(session, query_scalar(session, parse_definition(session, spec->default_text)), &column->type);
    if (table->tracked)
        db_runf(session, "ALTER TABLE %s DISABLE TRIGGER log_update", table->relation);
    if (column->has_key)
        db_runf(session, "UPDATE %s SET v%d = %s, k%d = %s", table->relation, column->id,
                constant_bytes(session, &value), column->id, constant_key(session, &value));
    else
        db_runf(session, "UPDATE %s SET v%d = %s", table->relation, column->id, constant_bytes(session, &value));
    if (table->tracked)
        db_runf(session, "ALTER TABLE %s ENABLE TRIGGER log_update", table->relation);
}

static void add_constraint(Parser *parser, Table *table)
{
    Session *session = parser->session;
    const char *name = parser_take(parser, "constraint") ? parser_name_part(parser) : NULL, *columns[32];
    bool descending[32] = {false};
    bool primary = parser_take(parser, "primary"), clustered = primary;
    int count = 0;
    parser_expect(parser, primary ? "key" : "unique");
    if (parser_take(parser, "nonclustered"))
        clustered = false;
    else if (parser_take(parser, "clustered"))
        clustered = true;
    parser_expect(parser, "(");
    do {
        columns[count] = parser_name_part(parser);
        descending[count++] = parser_take(parser, "desc");
        parser_take(parser, "asc");
    } while (count < 32 && parser_take(parser, ","));
    parser_expect(parser, ")");
    index_add(session, table, name, columns, descending, count, true, clustered, primary ? 1 : 2);
}

static void alter_add(Parser *parser, const Name *name, Table *table, int from)
{
    Session *session = parser->session;
    parser_take(parser, "column");
    if (parser_at(parser, "constraint") || parser_at(parser, "primary") || parser_at(parser, "unique")) {
        add_constraint(parser, table);
        table_changed(session);
        return;
    }
    do {
        ColumnSpec spec;
        column_spec_parse(parser, &spec);
        column_add(session, table->object_id, &spec);
        table_changed(session);
        table = table_get(session, name);
        fill_new_column(session, table, &spec);
    } while (parser_take(parser, ","));
    cdc_note_ddl(session, table, statement_text(parser, from), false, 0, NULL);
}

static void drop_column(Session *session, Table *table, const char *name)
{
    int index = table_column(table, name);
    if (index < 0)
        session_fail(session, 4924, 1,
                     "ALTER TABLE DROP COLUMN failed because column '%s' does not exist in table '%s'.", name,
                     table->name);
    const Column *column = &table->columns[index];
    char *used = db_text(session,
                         "SELECT i.name FROM mssql.index_column c JOIN mssql.index i USING (object_id, index_id) WHERE "
                         "object_id = %d AND column_id = %d",
                         table->object_id, column->id);
    if (used)
        session_fail(session, 5074, 1, "The object '%s' is dependent on column '%s'.", used, name);
    db_runf(session,
            "DELETE FROM mssql.object WHERE parent_object_id = %d AND type = 'D' AND name = (SELECT default_name FROM "
            "mssql.column WHERE object_id = %d AND column_id = %d)",
            table->object_id, table->object_id, column->id);
    db_runf(session, "DELETE FROM mssql.column WHERE object_id = %d AND column_id = %d", table->object_id, column->id);
}

static void alter_drop(Parser *parser, const Name *name, Table *table, int from)
{
    Session *session = parser->session;
    if (parser_take(parser, "constraint")) {
        const char *constraint = parser_name_part(parser);
        char *id =
            db_text(session,
                    "SELECT index_id FROM mssql.index WHERE object_id = %d AND name = %s AND constraint_id IS NOT NULL",
                    table->object_id, lit(session, constraint));
        if (id)
            db_runf(session,
                    "ALTER TABLE %s DROP CONSTRAINT i%d_%s; DELETE FROM mssql.index_column WHERE object_id = %d AND "
                    "index_id = %s; DELETE FROM mssql.object WHERE object_id = "
                    "(SELECT constraint_id FROM mssql.index WHERE object_id = %d AND index_id = %s); DELETE FROM "
                    "mssql.index WHERE object_id = %d AND index_id = %s",
                    table->relation, table->object_id, id, table->object_id, id, table->object_id, id, table->object_id,
                    id);
        else if (db_text(session, "SELECT 1 FROM mssql.column WHERE object_id = %d AND default_name = %s",
                         table->object_id, lit(session, constraint)))
            db_runf(session,
                    "UPDATE mssql.column SET default_name = NULL, default_definition = NULL WHERE object_id = %d AND "
                    "default_name = %s; DELETE FROM mssql.object WHERE parent_object_id = %d AND name = %s",
                    table->object_id, lit(session, constraint), table->object_id, lit(session, constraint));
        else
            session_fail(session, 3728, 1, "'%s' is not a constraint.", constraint);
        table_changed(session);
        return;
    }
    parser_expect(parser, "column");
    Text dropped = {.arena = &session->arena};
    do {
        const char *column = parser_name_part(parser);
        int index = table_column(table, column), id = index < 0 ? 0 : table->columns[index].id;
        bool key = index >= 0 && table->columns[index].has_key, stored = index >= 0 && !table->columns[index].computed;
        drop_column(session, table, column);
        if (stored)
            text_format(&dropped,
                        key ? "ALTER TABLE %s DROP COLUMN v%d, DROP COLUMN k%d;" : "ALTER TABLE %s DROP COLUMN v%d;",
                        table->relation, id, id);
    } while (parser_take(parser, ","));
    const char *tracked = table->tracked ? statement_text(parser, from) : NULL;
    table_changed(session);
    table = table_get(session, name);
    if (tracked)
        cdc_note_ddl(session, table, tracked, false, 0, NULL);
    if (dropped.data)
        db_run(session, dropped.data);
}

/* Every value is converted; the row's log triggers stay silent, as the type change is no change of rows in CDC. */
static void convert_column(Session *session, Table *table, const Column *column, const TypeInfo *type)
{
    db_release(session);
    PGresult *result =
        PQexecParams(session->pg,
                     arena_format(&session->arena, "SELECT ctid::text, v%d FROM %s WHERE v%d IS NOT NULL", column->id,
                                  table->relation, column->id),
                     0, NULL, NULL, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        db_fail(session, result);
    session->results[session->result_count++] = result;
    bool key = type_has_key(type) && table->object_id; /* a change table has no keys */
    if (key && !column->has_key)
        db_runf(session, "ALTER TABLE %s ADD COLUMN k%d bytea", table->relation, column->id);
    if (!key && column->has_key)
        db_runf(session, "ALTER TABLE %s DROP COLUMN k%d", table->relation, column->id);
    for (int row = 0; row < PQntuples(result); row++) {
        size_t length;
        unsigned char *bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 1), &length);
        Constant value = {.type = column->type,
                          .data = (const uint8_t *)arena_copy(&session->arena, (const char *)bytes, length),
                          .length = length};
        PQfreemem(bytes);
        value = constant_cast(session, value, type);
        PGresult *update = key ? db_runf(session, "UPDATE %s SET v%d = %s, k%d = %s WHERE ctid = '%s'", table->relation,
                                         column->id, constant_bytes(session, &value), column->id,
                                         constant_key(session, &value), PQgetvalue(result, row, 0))
                               : db_runf(session, "UPDATE %s SET v%d = %s WHERE ctid = '%s'", table->relation,
                                         column->id, constant_bytes(session, &value), PQgetvalue(result, row, 0));
        PQclear(update);
        session->result_count--;
    }
    db_release(session);
}

/* A type change reaches the change tables too; called by the capture job when it comes to the ALTER in the log. */
void change_table_retype(Session *session, int db, int change_table, int column_id, const TypeInfo *type)
{
    char *ordinal =
        db_text(session, "SELECT column_ordinal FROM mssql.captured_column WHERE object_id = %d AND column_id = %d",
                change_table, column_id);
    if (!ordinal)
        return;
    int id = 5 + atoi(ordinal);
    PGresult *result = db_runf(session,
                               "SELECT type_name, max_length, precision, scale, coalesce(collation_name, '') FROM "
                               "mssql.column WHERE object_id = %d AND column_id = %d",
                               change_table, id);
    Column column = {.id = id};
    if (type_parse(PQgetvalue(result, 0, 0), -1, -1, &column.type, &session->error))
        session_fail_with(session, &session->error);
    column.type.max_length = atoi(PQgetvalue(result, 0, 1));
    column.type.precision = (uint8_t)atoi(PQgetvalue(result, 0, 2));
    column.type.scale = (uint8_t)atoi(PQgetvalue(result, 0, 3));
    snprintf(column.type.collation, sizeof column.type.collation, "%s", PQgetvalue(result, 0, 4));
    Table table = {.relation = arena_format(&session->arena, "db%d.o%d", db, change_table)};
    convert_column(session, &table, &column, type);
    db_runf(session,
            "UPDATE mssql.column SET type_name = '%s', system_type_id = %d, user_type_id = %d, max_length = %d, "
            "\"precision\" = %d, scale = %d WHERE object_id = %d AND column_id = %d",
            type_name(type), type_system_id(type), type_user_id(type), type->max_length, type->precision, type->scale,
            change_table, id);
    db_runf(session, "UPDATE mssql.captured_column SET column_type = '%s' WHERE object_id = %d AND column_id = %d",
            type_name(type), change_table, column_id);
}

static void alter_column(Parser *parser, const Name *name, Table *table, int from)
{
    Session *session = parser->session;
    ColumnSpec spec;
    int start = parser->at;
    const char *column_name = parser_name_part(parser);
    int index = table_column(table, column_name);
    if (index < 0)
        session_fail(session, 4924, 1,
                     "ALTER TABLE ALTER COLUMN failed because column '%s' does not exist in table '%s'.", column_name,
                     table->name);
    parser->at = start;
    column_spec_parse(parser, &spec);
    const Column *column = &table->columns[index];
    if (column->computed)
        session_fail(session, 4928, 1, "Cannot alter column '%s' because it is 'COMPUTED'.", column_name);
    if (!spec.nullable && db_text(session, "SELECT 1 FROM %s WHERE v%d IS NULL LIMIT 1", table->relation, column->id))
        session_fail(session, 515, 2,
                     "Cannot insert the value NULL into column '%s', table '%s.%s.%s'; column does not allow nulls. "
                     "UPDATE fails.",
                     column_name, table->database, table->schema, table->name);
    bool tracked = table->tracked;
    if (tracked)
        db_runf(session, "ALTER TABLE %s DISABLE TRIGGER log_update", table->relation);
    convert_column(session, table, column, &spec.type);
    if (tracked)
        db_runf(session, "ALTER TABLE %s ENABLE TRIGGER log_update", table->relation);
    db_runf(
        session,
        "UPDATE mssql.column SET type_name = '%s', system_type_id = %d, user_type_id = %d, max_length = %d, "
        "\"precision\" = %d, scale = %d, collation_name = %s, is_nullable = %d WHERE object_id = %d AND column_id = %d",
        type_name(&spec.type), type_system_id(&spec.type), type_user_id(&spec.type), spec.type.max_length,
        spec.type.precision, spec.type.scale, spec.type.collation[0] ? lit(session, spec.type.collation) : "NULL",
        spec.nullable, table->object_id, column->id);
    int id = column->id;
    table_changed(session);
    cdc_note_ddl(session, table_get(session, name), statement_text(parser, from), true, id, &spec.type);
}

static void alter_table(Parser *parser, int from)
{
    Session *session = parser->session;
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    if (table->change_table || !table->object_id)
        session_fail(session, 4902, 1,
                     "Cannot find the object \"%s\" because it does not exist or you do not have permissions.",
                     name_text(session, &name));
    if (!session->sysadmin && !session->db_owner)
        session_fail(session, 1088, 13,
                     "Cannot find the object \"%s\" because it does not exist or you do not have permissions.",
                     name_text(session, &name));
    if (parser_at2(parser, "with", "check") || parser_at2(parser, "with", "nocheck"))
        parser->at += 2;
    db_runf(session, "UPDATE mssql.object SET modify_date = mssql.getdate() WHERE object_id = %d", table->object_id);
    if (parser_take(parser, "add"))
        alter_add(parser, &name, table, from);
    else if (parser_take(parser, "drop"))
        alter_drop(parser, &name, table, from);
    else if (parser_at2(parser, "alter", "column"))
        parser->at += 2, alter_column(parser, &name, table, from);
    else
        parser_fail(parser);
}

void statement_alter(Parser *parser)
{
    int from = parser->at - 1;
    if (parser_take(parser, "table")) {
        alter_table(parser, from);
    } else if (parser_take(parser, "database")) {
        alter_database(parser);
    } else if (parser_take(parser, "role")) {
        alter_role(parser);
    } else {
        parser_fail(parser);
    }
}
