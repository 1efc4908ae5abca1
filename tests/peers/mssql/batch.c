/* A batch: one statement after the other, each with its own trap, and the control-of-flow words. */
#include "statement.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

typedef struct Batch {
    Parser parser;
    bool pending, has_count; /* the last statement's DONE, held until it is known whether another follows */
    uint64_t rows;
    bool ended;  /* RETURN or an error that ends the batch */
    bool broken; /* BREAK */
    const ResultSink *sink;
} Batch;

static void run_one(Batch *batch);

static void flush(Batch *batch, bool more)
{
    Session *session = batch->parser.session;
    if (batch->pending || !more)
        if (session->sink->done(session->sink->context, batch->rows, batch->pending && batch->has_count, more))
            session->gone = true;
    batch->pending = false;
    batch->rows = 0;
}

static void finish(Batch *batch, bool has_count)
{
    batch->pending = true;
    batch->has_count = has_count && !batch->parser.session->nocount;
    batch->rows = has_count ? batch->parser.session->row_count : 0;
}

/* After these the next statement runs; all others end the batch ("Database Engine errors", behaviour without
 * XACT_ABORT). */
static bool statement_only(int number)
{
    return number == 2627 || number == 2601 || number == 547 || number == 515 || number == 8134 || number == 3902 ||
           number == 3903;
}

static Expr *new_condition(Parser *parser)
{
    return parser_predicate(parser);
}

/* Passes over one statement without running it: up to the next word at depth 0 that can only start a statement. */
static void skip_one(Parser *parser)
{
    static const char *const starts[] = {"select", "insert",   "update", "delete", "exec", "execute", "if",  "begin",
                                         "commit", "rollback", "create", "alter",  "drop", "print",   "use", "declare",
                                         "while",  "truncate", "grant",  "return", "else", "end",     "set", "break",
                                         "save"};
    if (parser_take(parser, "begin") && !parser_at(parser, "tran") && !parser_at(parser, "transaction")) {
        while (!parser_take(parser, "end")) {
            if (parser_peek(parser, 0)->kind == TOKEN_END)
                parser_fail(parser);
            if (!parser_take(parser, ";"))
                skip_one(parser);
        }
        parser_take(parser, ";");
        return;
    }
    if (parser_at(parser, "if") || parser_at(parser, "while")) {
        bool is_if = parser_at(parser, "if");
        parser->at++;
        new_condition(parser);
        skip_one(parser);
        if (is_if && parser_take(parser, "else"))
            skip_one(parser);
        return;
    }
    const char *first = parser_peek(parser, 0)->text;
    bool select_seen = strcasecmp(first, "insert") != 0, set_seen = strcasecmp(first, "update") != 0;
    bool alter = !strcasecmp(first, "alter");
    int depth = 0, cases = 0;
    for (parser->at++; parser_peek(parser, 0)->kind != TOKEN_END; parser->at++) {
        if (parser_at(parser, "("))
            depth++;
        else if (parser_at(parser, ")"))
            depth--;
        else if (parser_at(parser, "case"))
            cases++;
        else if (cases && parser_at(parser, "end")) {
            cases--;
            continue;
        }
        if (depth || cases)
            continue;
        if (parser_take(parser, ";"))
            return;
        if (!select_seen && parser_at(parser, "select")) {
            select_seen = true;
            continue;
        }
        if (!set_seen && parser_at(parser, "set")) {
            set_seen = true;
            continue;
        }
        if (alter && (parser_at(parser, "alter") || parser_at(parser, "drop") || parser_at(parser, "set")))
            continue;
        if (token_is(parser_peek(parser, 0), "select") && parser->at > 0 &&
            (token_is(&parser->tokens[parser->at - 1], "all") || token_is(&parser->tokens[parser->at - 1], "union")))
            continue;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            if (parser_at(parser, starts[i]))
                return;
    }
}

static void run_if(Batch *batch)
{
    Parser *parser = &batch->parser;
    bool yes = query_condition(parser->session, new_condition(parser));
    db_release(parser->session);
    if (yes)
        run_one(batch);
    else
        skip_one(parser);
    if (batch->ended)
        return;
    while (parser_at2(parser, ";", "else"))
        parser->at++;
    if (parser_take(parser, "else")) {
        if (yes)
            skip_one(parser);
        else
            run_one(batch);
    }
}

static void run_while(Batch *batch)
{
    Parser *parser = &batch->parser;
    int start = parser->at;
    for (;;) {
        parser->at = start;
        bool yes = query_condition(parser->session, new_condition(parser));
        db_release(parser->session);
        int body = parser->at;
        if (!yes || parser->session->gone)
            return skip_one(parser);
        run_one(batch);
        if (batch->ended)
            return;
        if (batch->broken) {
            batch->broken = false;
            parser->at = body;
            return skip_one(parser);
        }
    }
}

static void run_block(Batch *batch)
{
    Parser *parser = &batch->parser;
    while (!parser_take(parser, "end")) {
        if (parser_peek(parser, 0)->kind == TOKEN_END)
            parser_fail(parser);
        if (parser_take(parser, ";"))
            continue;
        run_one(batch);
        if (batch->ended || batch->broken)
            return;
    }
}

static void run_declare(Parser *parser)
{
    Session *session = parser->session;
    do {
        const Token *token = parser_peek(parser, 0);
        if (token->kind != TOKEN_VARIABLE)
            parser_fail(parser);
        parser->at++;
        parser_take(parser, "as");
        if (parser_take(parser, "table")) {
            table_variable_declare(parser, token->text);
            continue;
        }
        TypeInfo type = parser_type(parser);
        Constant value = {.type = type};
        if (parser_take(parser, "="))
            value = constant_cast(session, query_scalar(session, parser_expr(parser)), &type);
        session_variable_set(session, token->text, &type, value.data, value.length);
    } while (parser_take(parser, ","));
}

static void run_use(Parser *parser)
{
    Session *session = parser->session;
    char old[129];
    memcpy(old, session->database, sizeof old);
    if (session->transactions)
        session_fail(session, 226, 1, "USE statement not allowed within multi-statement transaction.");
    session_use(session, parser_name_part(parser));
    if (session->sink->database(session->sink->context, old, session->database))
        session->gone = true;
}

static void run_print(Parser *parser)
{
    Session *session = parser->session;
    Constant value = query_scalar(session, parser_expr(parser));
    const char *text = constant_text(session, &value);
    session_say(session, 0, 0, "%s", text ? text : "");
}

static void run_waitfor(Parser *parser)
{
    parser_expect(parser, "delay");
    const Token *token = parser_peek(parser, 0);
    int hours = 0, minutes = 0;
    double seconds = 0;
    if (token->kind != TOKEN_STRING || sscanf(token->text, "%d:%d:%lf", &hours, &minutes, &seconds) < 2)
        parser_fail(parser);
    parser->at++;
    Session *session = parser->session;
    int64_t left = (int64_t)((hours * 3600 + minutes * 60 + seconds) * 1000);
    for (; left > 0 && !session->gone; left -= 50) { /* the client may go or send an attention meanwhile */
        struct timespec pause = {.tv_nsec = (left < 50 ? left : 50) * 1000000};
        nanosleep(&pause, NULL);
        if (session->sink->poll && session->sink->poll(session->sink->context))
            session->gone = true;
    }
}

/* Behind the statement's first word: TRAN and the name, or NULL where none is given. */
static const char *transaction_name(Parser *parser)
{
    if (!parser_take(parser, "tran") && !parser_take(parser, "transaction"))
        parser_take(parser, "work");
    const Token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_VARIABLE) {
        Constant value = query_scalar(parser->session, parser_primary(parser));
        return constant_text(parser->session, &value);
    }
    if (token->kind == TOKEN_QUOTED || (token->kind == TOKEN_WORD && !parser_reserved(token)))
        return parser_name_part(parser);
    return NULL;
}

/* Reading in a SNAPSHOT transaction asks the database's leave ("SET TRANSACTION ISOLATION LEVEL", sql-docs). */
static void check_snapshot(Session *session)
{
    if (session->snapshot && session->db_id >= 5 &&
        db_number(session, "SELECT snapshot_isolation_state FROM mssql.database WHERE id = %d", session->db_id) != 1)
        session_fail(session, 3952, 1,
                     "Snapshot isolation transaction failed accessing database '%s' because snapshot isolation is not "
                     "allowed in this database. "
                     "Use ALTER DATABASE to allow snapshot isolation.",
                     session->database);
}

static bool run_control(Batch *batch)
{
    Parser *parser = &batch->parser;
    Session *session = parser->session;
    if (parser_take(parser, "if"))
        return run_if(batch), true;
    if (parser_take(parser, "while"))
        return run_while(batch), true;
    if (parser_take(parser, "return"))
        return batch->ended = true, true;
    if (parser_take(parser, "break"))
        return batch->broken = true, true;
    if (parser_at(parser, "begin") && !token_is(parser_peek(parser, 1), "tran") &&
        !token_is(parser_peek(parser, 1), "transaction"))
        return parser->at++, run_block(batch), true;
    if (parser_take(parser, "declare"))
        return run_declare(parser), true;
    flush(batch, true);
    if (parser_take(parser, "begin")) {
        transaction_name(parser);
        transaction_begin_implicit(session); /* then two levels are open ("SET IMPLICIT_TRANSACTIONS") */
        transaction_begin(session);
    } else if (parser_take(parser, "commit")) {
        transaction_name(parser);
        transaction_commit(session);
    } else if (parser_take(parser, "rollback")) {
        const char *name = transaction_name(parser);
        if (!name || !transaction_rollback_to(session, name))
            transaction_rollback(session);
    } else if (parser_take(parser, "save")) {
        const char *name = transaction_name(parser);
        if (!name)
            parser_fail(parser);
        transaction_save(session, name);
    } else if (parser_take(parser, "use")) {
        run_use(parser);
    } else if (parser_take(parser, "print")) {
        run_print(parser);
    } else if (parser_take(parser, "waitfor")) {
        run_waitfor(parser);
    } else if (parser_take(parser, "set")) {
        statement_set(parser);
    } else {
        return false;
    }
    finish(batch, false);
    return true;
}

static void run_select(Batch *batch)
{
    Session *session = batch->parser.session;
    Select *select = parser_select(&batch->parser);
    check_snapshot(session);
    if (select->from || select->left)
        transaction_begin_implicit(session);
    transaction_begin_statement(session, false);
    bool assign = select->item_count && select->items[0].variable;
    if (assign)
        query_assign(session, select);
    else
        query_run(session, select);
    transaction_end_statement(session);
    finish(batch, !assign);
}

typedef void (*StatementRun)(Parser *parser);

static void grant_g(Parser *parser)
{
    statement_grant(parser, 'G');
}
static void grant_d(Parser *parser)
{
    statement_grant(parser, 'D');
}
static void grant_r(Parser *parser)
{
    statement_grant(parser, 'R');
}

static void run_writing(Batch *batch)
{
    static const struct {
        const char *word;
        StatementRun run;
        bool counts;
    } writing[] = {{"insert", statement_insert, true},
                   {"update", statement_update, true},
                   {"delete", statement_delete, true},
                   {"create", statement_create, false},
                   {"alter", statement_alter, false},
                   {"drop", statement_drop, false},
                   {"truncate", statement_truncate, false},
                   {"grant", grant_g, false},
                   {"deny", grant_d, false},
                   {"revoke", grant_r, false},
                   {"exec", statement_execute, false},
                   {"execute", statement_execute, false}};
    Parser *parser = &batch->parser;
    Session *session = parser->session;
    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++) {
        if (!parser_take(parser, writing[i].word))
            continue;
        if (writing[i].counts)
            check_snapshot(session);
        if (writing[i].run != statement_execute)
            transaction_begin_implicit(session);
        transaction_begin_statement(session, true);
        writing[i].run(parser);
        transaction_end_statement(session);
        return finish(batch, writing[i].counts);
    }
    const Token *token = parser_peek(parser, 0);
    if (parser->at == 0 && (token->kind == TOKEN_QUOTED || (token->kind == TOKEN_WORD && !parser_reserved(token)))) {
        transaction_begin_statement(session, true); /* EXEC may be left out at the start of a batch */
        statement_execute(parser);
        transaction_end_statement(session);
        return finish(batch, false);
    }
    parser_fail(parser);
}

static void run_one(Batch *batch)
{
    Session *session = batch->parser.session;
    session->line = parser_peek(&batch->parser, 0)->line;
    if (run_control(batch))
        return;
    flush(batch, true);
    if (parser_at(&batch->parser, "select") || parser_at(&batch->parser, "with") || parser_at(&batch->parser, "("))
        run_select(batch);
    else
        run_writing(batch);
    db_release(session);
}

static void told(Batch *batch)
{
    Session *session = batch->parser.session;
    session->sink = batch->sink; /* INSERT .. EXEC had its own */
    db_release(session);
    transaction_undo_statement(session);
    if (session->transactions && PQtransactionStatus(session->pg) == PQTRANS_INERROR) { /* nothing to return to */
        PQclear(PQexec(session->pg, "ROLLBACK"));
        session->transactions = 0;
    }
    session->last_error = session->error.number;
    if (session->sink->message(session->sink->context, &session->error, session->line))
        session->gone = true;
    batch->pending = true;
    batch->has_count = false;
    batch->rows = 0;
    batch->ended = !statement_only(session->error.number);
}

static void run_all(Batch *batch)
{
    Session *session = batch->parser.session;
    Batch *volatile kept = batch;
    jmp_buf trap;
    session->trap = &trap;
    if (setjmp(trap))
        told(kept);
    while (!kept->ended && !session->gone && parser_peek(&kept->parser, 0)->kind != TOKEN_END) {
        if (!parser_take(&kept->parser, ";")) {
            run_one(kept);
            session->last_error = 0;
        }
    }
    session->trap = NULL;
}

/* sp_executesql: the values take the declared types. */
static void set_parameters(Session *session, const char *declaration, const Parameter *parameters, int count)
{
    for (int i = 0; i < count; i++)
        session_variable_set(session, parameters[i].name, &parameters[i].type, parameters[i].data,
                             parameters[i].length);
    if (!declaration || !*declaration)
        return;
    Parser parser = {.session = session};
    int tokens, position = 0;
    SqlError error;
    if (lexer_run(&session->arena, declaration, &parser.tokens, &tokens, &error))
        session_fail_with(session, &error);
    do {
        const Token *token = parser_peek(&parser, 0);
        if (token->kind != TOKEN_VARIABLE)
            parser_fail(&parser);
        parser.at++;
        parser_take(&parser, "as");
        TypeInfo type = parser_type(&parser);
        if (!parser_take(&parser, "output")) /* values go in, none comes back */
            parser_take(&parser, "out");
        const Parameter *given = NULL;
        for (int i = 0; i < count; i++)
            if (!strcasecmp(parameters[i].name, token->text))
                given = &parameters[i];
        if (!given && position < count && !parameters[position].name[0])
            given = &parameters[position];
        if (!given)
            session_fail(session, 8178, 1,
                         "The parameterized query expects the parameter '%s', which was not supplied.", token->text);
        Constant value = {.type = given->type, .data = given->data, .length = given->length};
        value = constant_cast(session, value, &type);
        session_variable_set(session, token->text, &type, value.data, value.length);
        position++;
    } while (parser_take(&parser, ","));
}

static void batch_clear(Session *session)
{
    db_release(session);
    table_variables_drop(session);
    for (int i = 0; i < session->variable_count; i++)
        free(session->variables[i].data);
    session->variable_count = 0;
    arena_clear(&session->arena);
    if (session->cache_stale) {
        session->tables = NULL;
        arena_clear(&session->cache_arena);
        session->cache_stale = false;
    }
    session->target_table = session->target_column = NULL;
    session->alias_count = 0;
    session->line = 1;
}

int session_batch(Session *session, const char *sql, const char *declaration, const Parameter *parameters, int count,
                  const ResultSink *sink)
{
    Batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    int tokens = 0;
    jmp_buf trap;
    batch_clear(session);
    batch->parser.session = session;
    session->sink = batch->sink = sink;
    session->gone = false;
    session->trap = &trap;
    if (setjmp(trap)) {
        told(batch);
    } else {
        set_parameters(session, declaration, parameters, count);
        if (lexer_run(&session->arena, sql, &batch->parser.tokens, &tokens, &session->error))
            session_fail_with(session, &session->error);
        run_all(batch);
    }
    db_release(session);
    session->trap = NULL;
    flush(batch, false);
    batch_clear(session);
    free(batch);
    session->sink = NULL;
    return PQstatus(session->pg) == CONNECTION_OK ? 0 : -1;
}

/* EXEC ('..') and sp_executesql inside a batch: the same session and variables, the caller's transaction. */
void batch_nested(Session *session, const char *sql)
{
    Batch batch = {.pending = false};
    int tokens;
    batch.parser.session = session;
    transaction_end_statement(session);
    if (lexer_run(&session->arena, sql, &batch.parser.tokens, &tokens, &session->error))
        session_fail_with(session, &session->error);
    while (!batch.ended && !session->gone && parser_peek(&batch.parser, 0)->kind != TOKEN_END)
        if (!parser_take(&batch.parser, ";"))
            run_one(&batch);
    if (batch.pending)
        flush(&batch, true);
    transaction_begin_statement(session, true);
}
