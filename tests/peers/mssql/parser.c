/* Names, types and scalar expressions. */
#include "parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The words that end an alias-free place; a subset of the reserved keywords of T-SQL ("Reserved Keywords", sql-docs).
 */
static const char *const reserved[] = {
    "add",       "all",        "alter",       "and",      "as",       "asc",       "begin",
    "between",   "break",      "by",          "case",     "check",    "close",     "collate",
    "column",    "commit",     "constraint",  "continue", "convert",  "create",    "cross",
    "cursor",    "database",   "declare",     "default",  "delete",   "deny",      "desc",
    "distinct",  "drop",       "else",        "end",      "escape",   "except",    "exec",
    "execute",   "exists",     "fetch",       "for",      "foreign",  "from",      "full",
    "function",  "go",         "goto",        "grant",    "group",    "having",    "identity_insert",
    "if",        "in",         "index",       "inner",    "insert",   "intersect", "into",
    "is",        "join",       "key",         "left",     "like",     "merge",     "not",
    "null",      "of",         "off",         "on",       "open",     "option",    "or",
    "order",     "outer",      "over",        "percent",  "primary",  "print",     "procedure",
    "raiserror", "references", "return",      "revoke",   "right",    "rollback",  "rule",
    "save",      "schema",     "select",      "set",      "table",    "then",      "to",
    "top",       "tran",       "transaction", "trigger",  "truncate", "union",     "unique",
    "update",    "use",        "user",        "values",   "view",     "waitfor",   "when",
    "where",     "while",      "with"};

bool parser_reserved(const Token *token)
{
    if (token->kind != TOKEN_WORD)
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcasecmp(token->text, reserved[i]))
            return true;
    return false;
}

void parser_fail(Parser *parser)
{
    const Token *token = parser->tokens + parser->at;
    parser->session->line = token->line;
    if (token->kind == TOKEN_END && parser->at > 0)
        token--;
    if (parser_reserved(token))
        session_fail(parser->session, 156, 1, "Incorrect syntax near the keyword '%.100s'.", token->text);
    session_fail(parser->session, 102, 1, "Incorrect syntax near '%.*s'.",
                 (int)(token->length < 100 ? token->length : 100), token->text);
}

const Token *parser_peek(const Parser *parser, int ahead)
{
    const Token *token = parser->tokens + parser->at;
    while (ahead-- > 0 && token->kind != TOKEN_END)
        token++;
    return token;
}

bool parser_at(const Parser *parser, const char *word)
{
    return token_is(parser->tokens + parser->at, word);
}

bool parser_at2(const Parser *parser, const char *word, const char *next)
{
    return parser_at(parser, word) && token_is(parser_peek(parser, 1), next);
}

bool parser_take(Parser *parser, const char *word)
{
    if (!parser_at(parser, word))
        return false;
    parser->at++;
    return true;
}

void parser_expect(Parser *parser, const char *word)
{
    if (!parser_take(parser, word))
        parser_fail(parser);
}

const char *parser_name_part(Parser *parser)
{
    const Token *token = parser->tokens + parser->at;
    if (token->kind != TOKEN_QUOTED && (token->kind != TOKEN_WORD || parser_reserved(token)))
        parser_fail(parser);
    parser->at++;
    return token->text;
}

Name parser_name(Parser *parser)
{
    Name name = {.count = 0};
    for (;;) {
        if (name.count == NAME_PARTS_MAX)
            parser_fail(parser);
        const char *part = name.count && parser_at(parser, ".") ? "" : parser_name_part(parser);
        name.parts[name.count++] = part;
        if (!parser_take(parser, "."))
            return name;
    }
}

Name parser_table_name(Parser *parser)
{
    const Token *token = parser_peek(parser, 0);
    if (token->kind != TOKEN_VARIABLE)
        return parser_name(parser);
    parser->at++;
    return (Name){{token->text}, 1};
}

int64_t parser_integer(Parser *parser)
{
    bool minus = parser_take(parser, "-");
    const Token *token = parser->tokens + parser->at;
    if (token->kind != TOKEN_NUMBER)
        parser_fail(parser);
    parser->at++;
    int64_t value = strtoll(token->text, NULL, 10);
    return minus ? -value : value;
}

TypeInfo parser_type(Parser *parser)
{
    Name name = parser_name(parser);
    const char *base = name.parts[name.count - 1];
    if (!strcasecmp(base, "double") && parser_take(parser, "precision"))
        base = "float";
    if (!strcasecmp(base, "national")) {
        base = parser_take(parser, "text") ? "ntext"
                                           : (parser->at++, parser_take(parser, "varying") ? "nvarchar" : "nchar");
    }
    if (!strcasecmp(base, "sysname")) {
        TypeInfo type = {.type = TYPE_NVARCHAR, .max_length = 256};
        return type;
    }
    int length = -1, scale = -1;
    if (parser_take(parser, "(")) {
        if (parser_take(parser, "max"))
            length = -2;
        else
            length = (int)parser_integer(parser);
        if (parser_take(parser, ","))
            scale = (int)parser_integer(parser);
        parser_expect(parser, ")");
    }
    TypeInfo type;
    SqlError error = {0};
    memset(&type, 0, sizeof type);
    if (type_parse(base, length, scale, &type, &error))
        session_fail_with(parser->session, &error);
    return type;
}

Expr *parser_new(Parser *parser, ExprKind kind, int arg_count)
{
    Expr *expr = arena_alloc(&parser->session->arena, sizeof *expr);
    expr->kind = kind;
    expr->line = parser->tokens[parser->at].line;
    expr->arg_count = arg_count;
    if (arg_count)
        expr->args = arena_alloc(&parser->session->arena, sizeof *expr->args * (size_t)arg_count);
    return expr;
}

static void add_arg(Parser *parser, Expr *expr, Expr *arg)
{
    int count = expr->arg_count;
    if ((count & (count - 1)) == 0) {
        Expr **args = arena_alloc(&parser->session->arena, sizeof *args * (size_t)(count ? count * 2 : 1));
        if (count)
            memcpy(args, expr->args, sizeof *args * (size_t)count);
        expr->args = args;
    }
    expr->args[expr->arg_count++] = arg;
}

static Expr *parse_case(Parser *parser)
{
    Expr *expr = parser_new(parser, EXPR_CASE, 0);
    bool simple = !parser_at(parser, "when");
    add_arg(parser, expr, simple ? parser_expr(parser) : NULL);
    while (parser_take(parser, "when")) {
        add_arg(parser, expr, simple ? parser_expr(parser) : parser_predicate(parser));
        parser_expect(parser, "then");
        add_arg(parser, expr, parser_expr(parser));
    }
    if (expr->arg_count < 3)
        parser_fail(parser);
    add_arg(parser, expr, parser_take(parser, "else") ? parser_expr(parser) : NULL);
    parser_expect(parser, "end");
    return expr;
}

/* CAST(x AS type), CONVERT(type, x [, style]) and their TRY_ forms. */
static Expr *parse_cast(Parser *parser, bool convert, bool try_cast)
{
    Expr *expr = parser_new(parser, EXPR_CAST, 0);
    expr->try_cast = try_cast;
    parser_expect(parser, "(");
    if (convert) {
        expr->type = parser_type(parser);
        parser_expect(parser, ",");
        add_arg(parser, expr, parser_expr(parser));
        if (parser_take(parser, ","))
            add_arg(parser, expr, parser_expr(parser));
    } else {
        add_arg(parser, expr, parser_expr(parser));
        parser_expect(parser, "as");
        expr->type = parser_type(parser);
    }
    parser_expect(parser, ")");
    return expr;
}

static Over *parse_over(Parser *parser)
{
    Over *over = arena_alloc(&parser->session->arena, sizeof *over);
    parser_expect(parser, "(");
    if (parser_take(parser, "partition")) {
        Expr *list = parser_new(parser, EXPR_FUNCTION, 0);
        parser_expect(parser, "by");
        do
            add_arg(parser, list, parser_expr(parser));
        while (parser_take(parser, ","));
        over->partition = list->args;
        over->partition_count = list->arg_count;
    }
    if (parser_take(parser, "order")) {
        parser_expect(parser, "by");
        over->order = parser_order(parser, &over->order_count);
    }
    parser_expect(parser, ")");
    return over;
}

static Expr *parse_function(Parser *parser, Name name)
{
    Expr *expr = parser_new(parser, EXPR_FUNCTION, 0);
    expr->name = name;
    parser_expect(parser, "(");
    expr->distinct = parser_take(parser, "distinct");
    if (!parser_take(parser, ")")) {
        do {
            if (parser_take(parser, "*"))
                add_arg(parser, expr, parser_new(parser, EXPR_STAR, 0));
            else
                add_arg(parser, expr, parser_expr(parser));
        } while (parser_take(parser, ","));
        parser_expect(parser, ")");
    }
    if (parser_at2(parser, "within", "group")) {
        parser->at += 2;
        parser_expect(parser, "(");
        parser_expect(parser, "order");
        parser_expect(parser, "by");
        expr->over = arena_alloc(&parser->session->arena, sizeof *expr->over);
        expr->over->order = parser_order(parser, &expr->over->order_count);
        parser_expect(parser, ")");
    } else if (parser_take(parser, "over")) {
        expr->over = parse_over(parser);
    }
    return expr;
}

static Expr *parse_named(Parser *parser)
{
    const Token *token = parser_peek(parser, 0), *next = parser_peek(parser, 1);
    if (token->kind == TOKEN_WORD && token_is(next, "(")) {
        static const char *const keyword_functions[] = {"left", "right"};
        if (token_is(token, "cast") || token_is(token, "try_cast") || token_is(token, "parse"))
            return parser->at++, parse_cast(parser, false, token->length == 8);
        if (token_is(token, "convert") || token_is(token, "try_convert"))
            return parser->at++, parse_cast(parser, true, token->length == 11);
        for (size_t i = 0; i < 2; i++)
            if (token_is(token, keyword_functions[i]))
                return parser->at++, parse_function(parser, (Name){{keyword_functions[i]}, 1});
    }
    Name name = {.count = 0};
    for (;;) {
        if (name.count && parser_take(parser, "*")) {
            Expr *star = parser_new(parser, EXPR_STAR, 0);
            star->name = name;
            return star;
        }
        if (name.count == NAME_PARTS_MAX)
            parser_fail(parser);
        const char *part = name.count && parser_at(parser, ".") ? "" : parser_name_part(parser);
        name.parts[name.count++] = part;
        if (!parser_take(parser, "."))
            break;
    }
    if (parser_at(parser, "("))
        return parse_function(parser, name);
    if (name.count == 1 && token->kind == TOKEN_WORD && !strcasecmp(name.parts[0], "current_timestamp")) {
        Expr *expr = parser_new(parser, EXPR_FUNCTION, 0);
        expr->name = (Name){{"getdate"}, 1};
        return expr;
    }
    Expr *expr = parser_new(parser, EXPR_COLUMN, 0);
    expr->name = name;
    return expr;
}

static Expr *parse_literal(Parser *parser, ExprKind kind)
{
    const Token *token = parser->tokens + parser->at;
    Expr *expr = parser_new(parser, kind, 0);
    expr->text = token->text;
    expr->length = token->length;
    parser->at++;
    return expr;
}

static Expr *parse_atom(Parser *parser)
{
    const Token *token = parser->tokens + parser->at;
    switch (token->kind) {
    case TOKEN_NUMBER:
        return parse_literal(parser, EXPR_NUMBER);
    case TOKEN_STRING:
        return parse_literal(parser, EXPR_STRING);
    case TOKEN_NSTRING:
        return parse_literal(parser, EXPR_NSTRING);
    case TOKEN_HEX:
        return parse_literal(parser, EXPR_HEX);
    case TOKEN_VARIABLE:
        return parse_literal(parser, EXPR_VARIABLE);
    case TOKEN_SYSTEM:
        return parse_literal(parser, EXPR_SYSTEM);
    default:
        break;
    }
    if (parser_take(parser, "null"))
        return parser_new(parser, EXPR_NULL, 0);
    if (parser_take(parser, "default"))
        return parser_new(parser, EXPR_DEFAULT, 0);
    if (parser_take(parser, "case"))
        return parse_case(parser);
    if (parser_take(parser, "*"))
        return parser_new(parser, EXPR_STAR, 0);
    if (parser_take(parser, "(")) {
        Expr *expr;
        if (parser_at_select(parser)) {
            expr = parser_new(parser, EXPR_SUBQUERY, 0);
            expr->select = parser_select(parser);
        } else {
            expr = parser_expr(parser);
        }
        parser_expect(parser, ")");
        return expr;
    }
    return parse_named(parser);
}

Expr *parser_primary(Parser *parser)
{
    if (parser_take(parser, "-")) {
        Expr *expr = parser_new(parser, EXPR_MINUS, 1);
        expr->args[0] = parser_primary(parser);
        return expr;
    }
    if (parser_take(parser, "+"))
        return parser_primary(parser);
    Expr *expr = parse_atom(parser);
    while (parser_take(parser, "collate")) {
        Expr *collate = parser_new(parser, EXPR_COLLATE, 1);
        collate->args[0] = expr;
        collate->text = parser_name_part(parser);
        expr = collate;
    }
    return expr;
}

static Expr *parse_binary(Parser *parser, int level)
{
    static const char *const levels[2][6] = {{"+", "-", "&", "|", "^", NULL}, {"*", "/", "%", NULL}};
    if (level == 2)
        return parser_primary(parser);
    Expr *left = parse_binary(parser, level + 1);
    for (;;) {
        const char *operator= NULL;
        for (int i = 0; levels[level][i]; i++)
            if (parser_at(parser, levels[level][i]))
                operator= levels[level][i];
        if (!operator)
            return left;
        Expr *expr = parser_new(parser, EXPR_ARITHMETIC, 2);
        parser->at++;
        expr->text = operator;
        expr->args[0] = left;
        expr->args[1] = parse_binary(parser, level + 1);
        left = expr;
    }
}

Expr *parser_expr(Parser *parser)
{
    return parse_binary(parser, 0);
}
