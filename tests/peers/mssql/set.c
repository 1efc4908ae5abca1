/* SET. Options that change nothing here are accepted by name; any other name is error 195. */
#include "statement.h"

#include <string.h>
#include <strings.h>

static void set_isolation(Parser *parser)
{
    Session *session = parser->session;
    parser_expect(parser, "isolation");
    parser_expect(parser, "level");
    bool snapshot = parser_take(parser, "snapshot");
    if (!snapshot && !parser_take(parser, "serializable")) {
        if (parser_take(parser, "repeatable")) {
            parser_expect(parser, "read");
        } else {
            parser_expect(parser, "read");
            if (!parser_take(parser, "committed"))
                parser_expect(parser, "uncommitted");
        }
    }
    if (snapshot && session->transactions && !session->snapshot)
        session_fail(session, 3951, 1,
                     "Transaction failed in database '%s' because the statement was run under snapshot isolation but "
                     "the transaction did not start in snapshot isolation.",
                     session->database);
    session->snapshot = snapshot;
}

static void set_lock_timeout(Parser *parser)
{
    int64_t milliseconds = parser_integer(parser);
    /* -1 waits for ever, which is PostgreSQL's 0; its own 0 (not at all) is 1 ms here. */
    db_runf(parser->session, "SET lock_timeout = %lld",
            (long long)(milliseconds < 0    ? 0
                        : milliseconds == 0 ? 1
                                            : milliseconds));
}

static void set_identity_insert(Parser *parser)
{
    Session *session = parser->session;
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    session->identity_insert = parser_take(parser, "on") ? table->object_id : (parser_expect(parser, "off"), 0);
}

static void set_variable(Parser *parser)
{
    Session *session = parser->session;
    const Token *token = parser_peek(parser, 0);
    parser->at++;
    Variable *variable = session_variable(session, token->text);
    if (!variable)
        session_fail(session, 137, 1, "Must declare the scalar variable \"%s\".", token->text);
    static const char *const operators[] = {"+=", "-=", "*=", "/="};
    Expr *expr = NULL;
    for (int i = 0; i < 4; i++)
        if (parser_take(parser, operators[i])) {
            Expr *self = parser_new(parser, EXPR_VARIABLE, 0);
            self->text = token->text;
            expr = parser_new(parser, EXPR_ARITHMETIC, 2);
            expr->text = arena_format(&session->arena, "%c", operators[i][0]);
            expr->args[0] = self;
            expr->args[1] = parser_expr(parser);
        }
    if (!expr) {
        parser_expect(parser, "=");
        expr = parser_expr(parser);
    }
    Constant value = constant_cast(session, query_scalar(session, expr), &variable->type);
    session_variable_set(session, token->text, &variable->type, value.data, value.length);
}

void statement_set(Parser *parser)
{
    static const char *const accepted[] = {"ansi_nulls",
                                           "ansi_null_dflt_on",
                                           "ansi_null_dflt_off",
                                           "ansi_padding",
                                           "ansi_warnings",
                                           "ansi_defaults",
                                           "arithabort",
                                           "arithignore",
                                           "concat_null_yields_null",
                                           "cursor_close_on_commit",
                                           "datefirst",
                                           "dateformat",
                                           "deadlock_priority",
                                           "forceplan",
                                           "language",
                                           "no_browsetable",
                                           "numeric_roundabort",
                                           "parseonly",
                                           "query_governor_cost_limit",
                                           "quoted_identifier",
                                           "rowcount",
                                           "fmtonly",
                                           "xact_abort",
                                           "context_info",
                                           "showplan_all",
                                           "statistics"};
    Session *session = parser->session;
    if (parser_peek(parser, 0)->kind == TOKEN_VARIABLE)
        return set_variable(parser);
    if (parser_take(parser, "transaction") || parser_take(parser, "tran"))
        return set_isolation(parser);
    if (parser_take(parser, "textsize")) {
        session->text_size = (int)parser_integer(parser);
        return;
    }
    if (parser_take(parser, "lock_timeout"))
        return set_lock_timeout(parser);
    if (parser_take(parser, "identity_insert"))
        return set_identity_insert(parser);
    if (parser_at(parser, "nocount") || parser_at(parser, "implicit_transactions")) {
        bool *option = parser_at(parser, "nocount") ? &session->nocount : &session->implicit;
        parser->at++;
        *option = parser_take(parser, "on");
        if (!*option)
            parser_expect(parser, "off");
        return;
    }
    do {
        const Token *token = parser_peek(parser, 0);
        bool known = false;
        for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
            known |= token_is(token, accepted[i]);
        if (!known)
            session_fail(session, 195, 5, "'%s' is not a recognized SET option.", token->text);
        parser->at++;
    } while (parser_take(parser, ","));
    if (parser_at(parser, "io") || parser_at(parser, "time"))
        parser->at++;
    parser_take(parser, "-");
    parser->at++; /* ON, OFF, LOW, us_english, a number */
}
