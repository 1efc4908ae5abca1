/* EXEC: arguments, sp_executesql and sp_rename, and the way to the procedures of CDC and of the simulator. */
#include "statement.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ARGUMENTS_MAX = 64 };

const char *call_text(Session *session, const ProcedureCall *call, const char *name, int position)
{
    for (int i = 0; i < call->count; i++)
        if ((call->argument_names[i][0] && !strcasecmp(call->argument_names[i], name)) ||
            (!call->argument_names[i][0] && i == position))
            return constant_text(session, &call->arguments[i]);
    return NULL;
}

static void parse_arguments(Parser *parser, ProcedureCall *call)
{
    Session *session = parser->session;
    call->argument_names = arena_alloc(&session->arena, sizeof *call->argument_names * ARGUMENTS_MAX);
    call->arguments = arena_alloc(&session->arena, sizeof *call->arguments * ARGUMENTS_MAX);
    const Token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_END || token_is(token, ";") ||
        (parser_reserved(token) && !token_is(token, "null") && !token_is(token, "default")))
        return;
    do {
        if (call->count == ARGUMENTS_MAX)
            session_fail(session, 8144, 2, "Procedure or function %s has too many arguments specified.", call->name);
        int i = call->count++;
        call->argument_names[i] = "";
        token = parser_peek(parser, 0);
        if (token->kind == TOKEN_VARIABLE && token_is(parser_peek(parser, 1), "=")) {
            call->argument_names[i] = token->text;
            parser->at += 2;
        }
        token = parser_peek(parser, 0);
        if (token->kind == TOKEN_WORD && !parser_reserved(token)) { /* a bare word is a string: EXEC sp_help orders */
            Expr word = {.kind = EXPR_NSTRING, .text = token->text, .length = token->length};
            constant_fold(session, &word, &call->arguments[i]);
            parser->at++;
        } else if (parser_take(parser, "default")) {
            call->count--;
        } else {
            call->arguments[i] = query_scalar(session, parser_primary(parser));
        }
        if (parser_take(parser, "output"))
            continue;
    } while (parser_take(parser, ","));
}

void send_query(Session *session, const char *tsql)
{
    Parser parser = {.session = session};
    int count;
    if (lexer_run(&session->arena, tsql, &parser.tokens, &count, &session->error))
        session_fail_with(session, &session->error);
    Select *select = parser_select(&parser);
    const int transactions = session->transactions;
    jmp_buf *outer = session->trap, trap;
    session->trap = &trap;
    if (setjmp(trap)) {
        session->trap = outer;
        session->transactions = transactions;
        longjmp(*outer, 1);
    }
    session->transactions++; /* the statement's own transaction goes on */
    query_run(session, select);
    session->transactions = transactions;
    session->trap = outer;
}

/* A nested batch in the running statement: only SELECT and the like need it (sp_executesql over a plain batch). */
static void execute_sql(Session *session, const ProcedureCall *call)
{
    const char *sql = call_text(session, call, "@stmt", 0), *declaration = call_text(session, call, "@params", 1);
    if (!sql)
        return;
    if (declaration && *declaration) {
        Parser parser = {.session = session};
        int count, position = 2;
        if (lexer_run(&session->arena, declaration, &parser.tokens, &count, &session->error))
            session_fail_with(session, &session->error);
        do {
            const Token *token = parser_peek(&parser, 0);
            parser.at++;
            TypeInfo type = parser_type(&parser);
            Constant value = {.type = type};
            for (int i = 0; i < call->count; i++)
                if (!strcasecmp(call->argument_names[i], token->text) || (!call->argument_names[i][0] && i == position))
                    value = constant_cast(session, call->arguments[i], &type);
            session_variable_set(session, token->text, &type, value.data, value.length);
            position++;
        } while (parser_take(&parser, ","));
    }
    batch_nested(session, sql);
}

/* sp_rename 'schema.table.column', 'new', 'COLUMN' | sp_rename 'schema.table', 'new'. Columns of captured tables are
 * refused with 4928, as documented for sp_rename ("a column enabled for Change Data Capture"). */
static void rename_object(Session *session, const ProcedureCall *call)
{
    const char *old = call_text(session, call, "@objname", 0), *fresh = call_text(session, call, "@newname", 1),
               *kind = call_text(session, call, "@objtype", 2);
    if (!old || !fresh)
        session_fail(session, 201, 4,
                     "Procedure or function 'sp_rename' expects parameter '@newname', which was not supplied.");
    Parser parser = {.session = session};
    int count;
    if (lexer_run(&session->arena, old, &parser.tokens, &count, &session->error))
        session_fail_with(session, &session->error);
    Name name = parser_name(&parser);
    bool column = kind && !strcasecmp(kind, "column");
    const char *column_name = column ? name.parts[--name.count] : NULL;
    if (name.count < 1)
        session_fail(session, 15248, 1,
                     "Either the parameter @objname is ambiguous or the claimed @objtype (COLUMN) is wrong.");
    Table *table = table_find(session, &name);
    if (!table || (column && table_column(table, column_name) < 0))
        session_fail(session, 15248, 1,
                     "Either the parameter @objname is ambiguous or the claimed @objtype (%s) is wrong.",
                     kind ? kind : "OBJECT");
    if (column) {
        if (table->tracked && db_text(session,
                                      "SELECT 1 FROM mssql.captured_column c JOIN mssql.change_table t USING "
                                      "(object_id) WHERE t.source_object_id = %d AND c.column_id = %d",
                                      table->object_id, table->columns[table_column(table, column_name)].id))
            session_fail(session, 4928, 1, "Cannot alter column '%s' because it is 'REPLICATED'.", column_name);
        db_runf(session, "UPDATE mssql.column SET name = %s WHERE object_id = %d AND name = %s", lit(session, fresh),
                table->object_id, lit(session, column_name));
    } else {
        db_runf(session, "UPDATE mssql.object SET name = %s, modify_date = mssql.getdate() WHERE object_id = %d",
                lit(session, fresh), table->object_id);
    }
    table_changed(session);
    session_say(session, 15477, 0,
                "Caution: Changing any part of an object name could break scripts and stored procedures.");
}

static bool ignored(const char *name)
{
    static const char *const names[] = {"sp_changedbowner", "sp_configure", "sp_updatestats", "sp_cdc_vupgrade",
                                        "sp_reset_connection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

void statement_execute(Parser *parser)
{
    Session *session = parser->session;
    if (parser_at(parser, "(")) { /* EXEC ('text') */
        parser->at++;
        Constant text = query_scalar(session, parser_expr(parser));
        parser_expect(parser, ")");
        ProcedureCall call = {"sp_executesql", (const char *[]){""}, &text, 1};
        return execute_sql(session, &call);
    }
    if (parser_peek(parser, 0)->kind == TOKEN_VARIABLE && token_is(parser_peek(parser, 1), "="))
        parser->at += 2; /* EXEC @result = name: all of ours return 0 */
    Name name = parser_name(parser);
    if (name.count > 2 && strcasecmp(name.parts[name.count - 3], "master") &&
        strcasecmp(name.parts[name.count - 3], "msdb"))
        session_same_database(session, name.parts[name.count - 3]);
    ProcedureCall call = {.count = 0};
    char *lower = arena_format(&session->arena, "%s", name.parts[name.count - 1]);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    call.name = lower;
    parse_arguments(parser, &call);
    bool simulator = name.count > 1 && !strcasecmp(name.parts[name.count - 2], "sluice_sim");
    if (simulator ? simulator_procedure(session, &call)
                  : cdc_procedure(session, &call) || catalog_procedure(session, &call))
        return;
    if (!simulator && !strcmp(lower, "sp_executesql"))
        return execute_sql(session, &call);
    if (!simulator && !strcmp(lower, "sp_rename"))
        return rename_object(session, &call);
    if (!simulator && ignored(lower))
        return;
    session_fail(session, 2812, 62, "Could not find stored procedure '%s'.", name_text(session, &name));
}
