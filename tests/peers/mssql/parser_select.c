/* Conditions, FROM and SELECT. */
#include "parser.h"

#include <string.h>
#include <strings.h>

/* Grows an arena array whose length is *count by one zeroed element of the size; gives the new array. */
static void *grow(Parser *parser, void *array, int *count, size_t size)
{
    int used = (*count)++;
    if (used && (used & (used - 1)) != 0)
        return array;
    char *fresh = arena_alloc(&parser->session->arena, size * (size_t)(used ? used * 2 : 1));
    if (used)
        memcpy(fresh, array, size * (size_t)used);
    return fresh;
}

bool parser_at_select(const Parser *parser)
{
    int ahead = 0;
    while (token_is(parser_peek(parser, ahead), "("))
        ahead++;
    const Token *token = parser_peek(parser, ahead);
    return token_is(token, "select") || (ahead == 0 && token_is(token, "with"));
}

static Expr *pair(Parser *parser, ExprKind kind, Expr *left, Expr *right)
{
    Expr *expr = parser_new(parser, kind, 2);
    expr->args[0] = left;
    expr->args[1] = right;
    return expr;
}

static Expr *parse_in(Parser *parser, Expr *left, bool inverted)
{
    Expr *expr = parser_new(parser, EXPR_IN, 1);
    expr->args[0] = left;
    expr->inverted = inverted;
    parser_expect(parser, "(");
    if (parser_at_select(parser)) {
        expr->select = parser_select(parser);
    } else {
        do {
            Expr **args = grow(parser, expr->args, &expr->arg_count, sizeof *args);
            args[expr->arg_count - 1] = parser_expr(parser);
            expr->args = args;
        } while (parser_take(parser, ","));
    }
    parser_expect(parser, ")");
    return expr;
}

static Expr *parse_compared(Parser *parser)
{
    static const char *const operators[] = {"=", "<>", "!=", "<", "<=", ">", ">=", "!<", "!>"};
    Expr *left = parser_expr(parser);
    if (parser_take(parser, "is")) {
        Expr *expr = parser_new(parser, EXPR_IS_NULL, 1);
        expr->args[0] = left;
        expr->inverted = parser_take(parser, "not");
        parser_expect(parser, "null");
        return expr;
    }
    bool inverted = parser_take(parser, "not");
    if (parser_take(parser, "in"))
        return parse_in(parser, left, inverted);
    if (parser_take(parser, "like")) {
        Expr *expr = pair(parser, EXPR_LIKE, left, parser_expr(parser));
        expr->inverted = inverted;
        if (parser_take(parser, "escape")) {
            expr->text = parser_peek(parser, 0)->text;
            expr->length = parser_peek(parser, 0)->length;
            parser->at++;
        }
        return expr;
    }
    if (parser_take(parser, "between")) {
        Expr *expr = parser_new(parser, EXPR_BETWEEN, 3);
        expr->inverted = inverted;
        expr->args[0] = left;
        expr->args[1] = parser_expr(parser);
        parser_expect(parser, "and");
        expr->args[2] = parser_expr(parser);
        return expr;
    }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!inverted && parser_take(parser, operators[i])) {
            Expr *expr = pair(parser, EXPR_COMPARE, left, parser_expr(parser));
            expr->text = operators[i];
            return expr;
        }
    parser_fail(parser);
}

/* "(" may open a condition or a scalar: what stands behind the matching ")" decides. */
static bool parenthesised_condition(const Parser *parser)
{
    static const char *const scalar_goes_on[] = {
        "=", "<>", "!=", "<", "<=", ">",  ">=",   "+",       "-",   "*",      "/",
        "%", "&",  "|",  "^", "is", "in", "like", "between", "not", "collate"};
    int depth = 0;
    const Token *token = parser->tokens + parser->at;
    for (; token->kind != TOKEN_END; token++) {
        if (token_is(token, "("))
            depth++;
        else if (token_is(token, ")") && --depth == 0)
            break;
    }
    if (token->kind == TOKEN_END)
        return false;
    token++;
    for (size_t i = 0; i < sizeof scalar_goes_on / sizeof *scalar_goes_on; i++)
        if (token_is(token, scalar_goes_on[i]))
            return false;
    return true;
}

static Expr *parse_not(Parser *parser)
{
    if (parser_take(parser, "not")) {
        Expr *expr = parser_new(parser, EXPR_NOT, 1);
        expr->args[0] = parse_not(parser);
        return expr;
    }
    if (parser_take(parser, "exists")) {
        Expr *expr = parser_new(parser, EXPR_EXISTS, 0);
        parser_expect(parser, "(");
        expr->select = parser_select(parser);
        parser_expect(parser, ")");
        return expr;
    }
    if (parser_at(parser, "(") && parenthesised_condition(parser)) {
        parser->at++;
        Expr *expr = parser_predicate(parser);
        parser_expect(parser, ")");
        return expr;
    }
    return parse_compared(parser);
}

static Expr *parse_and(Parser *parser)
{
    Expr *left = parse_not(parser);
    while (parser_take(parser, "and"))
        left = pair(parser, EXPR_AND, left, parse_not(parser));
    return left;
}

Expr *parser_predicate(Parser *parser)
{
    Expr *left = parse_and(parser);
    while (parser_take(parser, "or"))
        left = pair(parser, EXPR_OR, left, parse_and(parser));
    return left;
}

/* Table hints change nothing here: reads never block writers in PostgreSQL. */
static void skip_hints(Parser *parser)
{
    if (!parser_at2(parser, "with", "("))
        return;
    for (parser->at += 2; !parser_take(parser, ")"); parser->at++)
        if (parser_peek(parser, 0)->kind == TOKEN_END)
            parser_fail(parser);
}

static void parse_source_alias(Parser *parser, Source *source)
{
    bool as = parser_take(parser, "as");
    const Token *token = parser_peek(parser, 0);
    if (as || token->kind == TOKEN_QUOTED ||
        (token->kind == TOKEN_WORD && !parser_reserved(token) && !token_is(token, "offset")))
        source->alias = parser_name_part(parser);
    if (source->alias && parser_at(parser, "(") && !token_is(parser_peek(parser, 1), "nolock")) {
        parser->at++;
        do {
            const char **names = grow(parser, source->column_names, &source->column_name_count, sizeof *names);
            names[source->column_name_count - 1] = parser_name_part(parser);
            source->column_names = names;
        } while (parser_take(parser, ","));
        parser_expect(parser, ")");
    }
}

static void parse_rows(Parser *parser, Source *source)
{
    parser_expect(parser, "values");
    do {
        Expr **row = NULL;
        int width = 0;
        parser_expect(parser, "(");
        do {
            row = grow(parser, row, &width, sizeof *row);
            row[width - 1] = parser_expr(parser);
        } while (parser_take(parser, ","));
        parser_expect(parser, ")");
        source->rows = grow(parser, source->rows, &source->row_count, sizeof *source->rows);
        source->rows[source->row_count - 1] = row;
        source->row_width = width;
    } while (parser_take(parser, ","));
}

static Source *parse_one_source(Parser *parser)
{
    Source *source = arena_alloc(&parser->session->arena, sizeof *source);
    source->line = parser_peek(parser, 0)->line;
    if (parser_take(parser, "(")) {
        if (parser_at(parser, "values")) {
            parse_rows(parser, source);
        } else if (parser_at_select(parser)) {
            source->derived = parser_select(parser);
        } else {
            source = parser_source(parser);
            parser_expect(parser, ")");
            return source;
        }
        parser_expect(parser, ")");
        parse_source_alias(parser, source);
        return source;
    }
    int start = parser->at;
    source->name = parser_table_name(parser);
    if (parser_at(parser, "(") && !token_is(parser_peek(parser, 1), "nolock")) {
        parser->at = start;
        source->function = parser_primary(parser);
    }
    skip_hints(parser);
    parse_source_alias(parser, source);
    skip_hints(parser);
    return source;
}

static JoinKind take_join(Parser *parser)
{
    if (parser_take(parser, ","))
        return JOIN_COMMA;
    if (parser_at2(parser, "cross", "join"))
        return parser->at += 2, JOIN_CROSS;
    if (parser_at2(parser, "cross", "apply"))
        return parser->at += 2, JOIN_CROSS_APPLY;
    if (parser_at2(parser, "outer", "apply"))
        return parser->at += 2, JOIN_OUTER_APPLY;
    if (parser_take(parser, "join"))
        return JOIN_INNER;
    if (parser_at2(parser, "inner", "join"))
        return parser->at += 2, JOIN_INNER;
    static const struct {
        const char *word;
        JoinKind kind;
    } outer[] = {{"left", JOIN_LEFT}, {"right", JOIN_RIGHT}, {"full", JOIN_FULL}};
    for (size_t i = 0; i < 3; i++)
        if (parser_take(parser, outer[i].word)) {
            parser_take(parser, "outer");
            parser_expect(parser, "join");
            return outer[i].kind;
        }
    return JOIN_NONE;
}

Source *parser_source(Parser *parser)
{
    Source *left = parse_one_source(parser);
    for (;;) {
        JoinKind kind = take_join(parser);
        if (kind == JOIN_NONE)
            return left;
        Source *join = arena_alloc(&parser->session->arena, sizeof *join);
        join->join = kind;
        join->left = left;
        join->right = parse_one_source(parser);
        if (kind == JOIN_INNER || kind == JOIN_LEFT || kind == JOIN_RIGHT || kind == JOIN_FULL) {
            parser_expect(parser, "on");
            join->on = parser_predicate(parser);
        }
        left = join;
    }
}

OrderItem *parser_order(Parser *parser, int *count)
{
    OrderItem *items = NULL;
    *count = 0;
    do {
        items = grow(parser, items, count, sizeof *items);
        items[*count - 1].expr = parser_expr(parser);
        if (parser_take(parser, "desc"))
            items[*count - 1].descending = true;
        else
            parser_take(parser, "asc");
    } while (parser_take(parser, ","));
    return items;
}

static void parse_item(Parser *parser, SelectItem *item)
{
    const Token *token = parser_peek(parser, 0), *next = parser_peek(parser, 1);
    if (token->kind == TOKEN_VARIABLE && token_is(next, "=")) {
        item->variable = token->text;
        parser->at += 2;
        item->expr = parser_expr(parser);
        return;
    }
    if ((token->kind == TOKEN_QUOTED || (token->kind == TOKEN_WORD && !parser_reserved(token))) &&
        token_is(next, "=")) {
        item->alias = token->text;
        parser->at += 2;
        item->expr = parser_expr(parser);
        return;
    }
    item->expr = parser_expr(parser);
    bool as = parser_take(parser, "as");
    token = parser_peek(parser, 0);
    if (token->kind == TOKEN_STRING || token->kind == TOKEN_NSTRING) {
        item->alias = arena_copy(&parser->session->arena, token->text, token->length);
        parser->at++;
    } else if (as || token->kind == TOKEN_QUOTED || (token->kind == TOKEN_WORD && !parser_reserved(token))) {
        item->alias = parser_name_part(parser);
    }
}

static void parse_group(Parser *parser, Select *select)
{
    if (parser_take(parser, "group")) {
        parser_expect(parser, "by");
        do {
            select->group = grow(parser, select->group, &select->group_count, sizeof *select->group);
            select->group[select->group_count - 1] = parser_expr(parser);
        } while (parser_take(parser, ","));
    }
    if (parser_take(parser, "having"))
        select->having = parser_predicate(parser);
}

static Select *parse_block(Parser *parser)
{
    if (parser_take(parser, "(")) {
        Select *inner = parser_select(parser);
        parser_expect(parser, ")");
        return inner;
    }
    Select *select = arena_alloc(&parser->session->arena, sizeof *select);
    select->line = parser_peek(parser, 0)->line;
    parser_expect(parser, "select");
    if (!parser_take(parser, "all"))
        select->distinct = parser_take(parser, "distinct");
    if (parser_take(parser, "top")) {
        if (parser_take(parser, "(")) {
            select->top = parser_expr(parser);
            parser_expect(parser, ")");
        } else {
            select->top = parser_primary(parser);
        }
    }
    do {
        select->items = grow(parser, select->items, &select->item_count, sizeof *select->items);
        parse_item(parser, &select->items[select->item_count - 1]);
    } while (parser_take(parser, ","));
    if (parser_take(parser, "from"))
        select->from = parser_source(parser);
    if (parser_take(parser, "where"))
        select->where = parser_predicate(parser);
    parse_group(parser, select);
    return select;
}

static void parse_with(Parser *parser, CommonTable **with, int *count)
{
    if (!parser_take(parser, "with"))
        return;
    do {
        *with = grow(parser, *with, count, sizeof **with);
        CommonTable *common = &(*with)[*count - 1];
        common->name = parser_name_part(parser);
        if (parser_take(parser, "(")) {
            do {
                common->column_names = grow(parser, common->column_names, &common->column_name_count, sizeof(char *));
                common->column_names[common->column_name_count - 1] = parser_name_part(parser);
            } while (parser_take(parser, ","));
            parser_expect(parser, ")");
        }
        parser_expect(parser, "as");
        parser_expect(parser, "(");
        common->select = parser_select(parser);
        parser_expect(parser, ")");
    } while (parser_take(parser, ","));
}

static void parse_tail(Parser *parser, Select *select)
{
    if (parser_at2(parser, "order", "by")) {
        parser->at += 2;
        select->order = parser_order(parser, &select->order_count);
        if (parser_take(parser, "offset")) {
            select->offset = parser_expr(parser);
            parser->at++; /* ROWS */
            if (parser_take(parser, "fetch")) {
                parser->at++; /* NEXT */
                select->fetch = parser_expr(parser);
                parser->at++; /* ROWS */
                parser_expect(parser, "only");
            }
        }
    }
    if (parser_at2(parser, "option", "(")) { /* query hints change nothing here */
        while (!parser_take(parser, ")")) {
            if (parser_peek(parser, 0)->kind == TOKEN_END)
                parser_fail(parser);
            parser->at++;
        }
    }
}

Select *parser_select(Parser *parser)
{
    CommonTable *with = NULL;
    int with_count = 0;
    parse_with(parser, &with, &with_count);
    Select *select = parse_block(parser);
    for (;;) {
        const char *operator= parser_take(parser, "union") ? (parser_take(parser, "all") ? "UNION ALL" : "UNION")
        : parser_take(parser, "except")                    ? "EXCEPT"
        : parser_take(parser, "intersect")                 ? "INTERSECT"
                                                           : NULL;
        if (!operator)
            break;
        Select *set = arena_alloc(&parser->session->arena, sizeof *set);
        set->line = select->line;
        set->set_operator = operator;
        set->left = select;
        set->right = parse_block(parser);
        select = set;
    }
    if (with_count) {
        select->with = with;
        select->with_count = with_count;
    }
    parse_tail(parser, select);
    return select;
}
