/*
 * lexer.h - T-SQL text into tokens.
 *
 * Token text points into the batch's arena or the batch's own text, which both outlive the tokens.
 * Comments (-- and nested slash-star) are dropped. [a]]b] and "a" are quoted names (QUOTED_IDENTIFIER is ON).
 */
#ifndef MSSQL_LEXER_H
#define MSSQL_LEXER_H

#include "arena.h"
#include "type.h"
#include <stdbool.h>

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_STRING,
    TOKEN_NSTRING,
    TOKEN_NUMBER,
    TOKEN_HEX,
    TOKEN_VARIABLE,
    TOKEN_SYSTEM,
    TOKEN_OPERATOR
} TokenKind;

typedef struct Token {
    TokenKind kind;
    int line;
    uint32_t length;
    const char *text;  /* unquoted; zero-terminated only for words, names and variables */
    const char *start; /* where it stands in the batch */
} Token;

/* -1: error 105 (unclosed quotation mark), 113 (missing end comment mark) or 102. The last token is TOKEN_END. */
int lexer_run(Arena *arena, const char *sql, Token **ret, int *count, SqlError *error);
bool token_is(const Token *token, const char *word); /* an unquoted word or an operator, case-insensitive */

#endif
