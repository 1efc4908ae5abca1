/* Table variables: DECLARE @t TABLE (..). They take part in INSERT and FROM. */
#include "statement.h"
#include "table.h"

#include <string.h>
#include <strings.h>

Table *table_variable(Session *session, const char *name)
{
    for (Table *table = session->table_variables; table; table = table->next)
        if (!strcasecmp(table->name, name))
            return table;
    session_fail(session, 1087, 2, "Must declare the table variable \"%s\".", name);
}

void table_variables_drop(Session *session)
{
    for (Table *table = session->table_variables; table; table = table->next)
        PQclear(PQexec(session->pg, arena_format(&session->arena, "DROP TABLE IF EXISTS %s", table->relation)));
    session->table_variables = NULL;
}

static void add_column(Session *session, Table *table, const ColumnSpec *spec, Text *sql)
{
    Column *column = &table->columns[table->column_count++];
    if (spec->computed || spec->identity || spec->primary_key || spec->unique)
        session_fail(session, 50000, 1, "The simulator has no keys, identity or computed columns in table variables.");
    strncpy(column->name, spec->name, sizeof column->name - 1);
    column->id = table->column_count;
    column->type = spec->type;
    column->nullable = spec->nullable;
    column->default_text = spec->default_text;
    column->has_key = type_has_key(&spec->type);
    text_format(sql, column->has_key ? "%sv%d bytea, k%d bytea" : "%sv%d bytea", column->id > 1 ? ", " : "", column->id,
                column->id);
}

void table_variable_declare(Parser *parser, const char *name)
{
    enum { COLUMNS_MAX = 1024 };
    Session *session = parser->session;
    for (const Table *other = session->table_variables; other; other = other->next)
        if (!strcasecmp(other->name, name))
            session_fail(session, 134, 1, "The variable name '%s' has already been declared.", name);
    Table *table = arena_alloc(&session->arena, sizeof *table);
    Text sql = {.arena = &session->arena};
    strncpy(table->name, name, sizeof table->name - 1);
    memcpy(table->database, session->database, sizeof table->database);
    table->db_id = session->db_id;
    table->object_id = -1; /* a table of users, in no catalogue */
    table->identity = -1;
    table->relation = arena_format(&session->arena, "pg_temp.variable_%d", ++session->alias_count);
    table->columns = arena_alloc(&session->arena, sizeof *table->columns * COLUMNS_MAX);
    text_format(&sql, "CREATE TEMP TABLE %s (", strchr(table->relation, '.') + 1);
    parser_expect(parser, "(");
    do {
        ColumnSpec spec;
        if (table->column_count == COLUMNS_MAX)
            session_fail(session, 1702, 1,
                         "CREATE TABLE failed because column '%s' in table '%s' exceeds the maximum "
                         "of %d columns.",
                         parser_peek(parser, 0)->text, name, COLUMNS_MAX);
        column_spec_parse(parser, &spec);
        add_column(session, table, &spec, &sql);
    } while (parser_take(parser, ","));
    parser_expect(parser, ")");
    text_format(&sql, ")");
    db_run(session, sql.data);
    db_release(session);
    table->next = session->table_variables;
    session->table_variables = table;
}
