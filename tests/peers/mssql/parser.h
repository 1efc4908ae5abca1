/*
 * parser.h - tokens into ASTs; every function fails with error 102 or 156 at the token it does not understand.
 */
#ifndef MSSQL_PARSER_H
#define MSSQL_PARSER_H

#include "session.h"

typedef struct Parser {
    Session *session;
    Token *tokens;
    int at;
} Parser;

_Noreturn void parser_fail(Parser *parser);
const Token *parser_peek(const Parser *parser, int ahead);
bool parser_at(const Parser *parser, const char *word); /* the current token is that word or operator */
bool parser_at2(const Parser *parser, const char *word, const char *next);
bool parser_take(Parser *parser, const char *word); /* ... and is consumed */
void parser_expect(Parser *parser, const char *word);
const char *parser_name_part(Parser *parser); /* one identifier */
Name parser_name(Parser *parser);
Name parser_table_name(Parser *parser); /* or a table variable: "@t", one part */             /* a.b.c */
TypeInfo parser_type(Parser *parser);         /* nvarchar(20), decimal(18,4), [dbo].[x] fails with 243 */
int64_t parser_integer(Parser *parser);
bool parser_reserved(const Token *token);

Expr *parser_expr(Parser *parser);      /* a scalar */
Expr *parser_predicate(Parser *parser); /* a condition */
Expr *parser_primary(Parser *parser);
Expr *parser_new(Parser *parser, ExprKind kind, int arg_count);

Select *parser_select(Parser *parser); /* with WITH, UNION, ORDER BY */
Source *parser_source(Parser *parser);
OrderItem *parser_order(Parser *parser, int *count); /* behind ORDER BY */
bool parser_at_select(const Parser *parser);

#endif
