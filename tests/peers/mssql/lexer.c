#include "lexer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct Lexer {
    Arena *arena;
    const char *at;
    int line;
    Token *tokens;
    int count, capacity;
    SqlError *error;
} Lexer;

static int lexer_fail(Lexer *lexer, int number, const char *text)
{
    lexer->error->number = number;
    lexer->error->severity = 15;
    lexer->error->state = 1;
    snprintf(lexer->error->text, sizeof lexer->error->text, "%s", text);
    return -1;
}

static void push(Lexer *lexer, TokenKind kind, const char *start, const char *text, size_t length)
{
    if (lexer->count == lexer->capacity) {
        int capacity = lexer->capacity ? lexer->capacity * 2 : 64;
        Token *tokens = arena_alloc(lexer->arena, sizeof *tokens * (size_t)capacity);
        if (lexer->count)
            memcpy(tokens, lexer->tokens, sizeof *tokens * (size_t)lexer->count);
        lexer->tokens = tokens;
        lexer->capacity = capacity;
    }
    lexer->tokens[lexer->count++] = (Token){kind, lexer->line, (uint32_t)length, text, start};
}

/* Blanks and comments. Block comments nest in T-SQL. */
static int skip_blanks(Lexer *lexer)
{
    for (;;) {
        const char *at = lexer->at;
        if (*at == '\n') {
            lexer->line++;
            lexer->at++;
        } else if (isspace((unsigned char)*at)) {
            lexer->at++;
        } else if ((unsigned char)at[0] == 0xc2 && (unsigned char)at[1] == 0xa0) {
            lexer->at += 2;
        } else if (at[0] == '-' && at[1] == '-') {
            while (*lexer->at && *lexer->at != '\n')
                lexer->at++;
        } else if (at[0] == '/' && at[1] == '*') {
            int depth = 1;
            for (at += 2; depth; at++) {
                if (!*at)
                    return lexer_fail(lexer, 113, "Missing end comment mark '*/'.");
                if (*at == '\n')
                    lexer->line++;
                if (at[0] == '*' && at[1] == '/')
                    depth--, at++;
                else if (at[0] == '/' && at[1] == '*')
                    depth++, at++;
            }
            lexer->at = at;
        } else {
            return 0;
        }
    }
}

/* Reads to the closing mark; a doubled mark stands for itself. */
static int quoted(Lexer *lexer, TokenKind kind, const char *start, const char *body, char mark)
{
    const char *at = body;
    bool doubled = false;
    for (;; at++) {
        if (!*at) {
            char text[128];
            snprintf(text, sizeof text, "Unclosed quotation mark after the character string '%.40s'.", body);
            return lexer_fail(lexer, 105, text);
        }
        if (*at == mark) {
            if (at[1] != mark)
                break;
            doubled = true;
            at++;
        }
    }
    size_t length = (size_t)(at - body);
    const char *text = body;
    if (doubled || kind == TOKEN_QUOTED) {
        char *copy = arena_copy(lexer->arena, body, length), *to = copy;
        for (const char *from = body; from < at; from++) {
            *to++ = *from;
            if (*from == mark)
                from++;
        }
        *to = 0;
        text = copy;
        length = (size_t)(to - copy);
    }
    push(lexer, kind, start, text, length);
    for (const char *c = body; c < at; c++)
        lexer->line += *c == '\n';
    lexer->at = at + 1;
    return 0;
}

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '@' || c == '#' || c == '$' || (unsigned char)c >= 0x80;
}

static void number(Lexer *lexer)
{
    const char *start = lexer->at, *at = start;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        for (at += 2; isxdigit((unsigned char)*at); at++)
            ;
        push(lexer, TOKEN_HEX, start, start + 2, (size_t)(at - start - 2));
        lexer->at = at;
        return;
    }
    while (isdigit((unsigned char)*at))
        at++;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at); at++)
            ;
    if ((*at == 'e' || *at == 'E') &&
        (isdigit((unsigned char)at[1]) || ((at[1] == '-' || at[1] == '+') && isdigit((unsigned char)at[2]))))
        for (at += 2; isdigit((unsigned char)*at); at++)
            ;
    push(lexer, TOKEN_NUMBER, start, start, (size_t)(at - start));
    lexer->at = at;
}

static void word(Lexer *lexer)
{
    const char *start = lexer->at, *at = start;
    while (name_char(*at))
        at++;
    TokenKind kind = start[0] != '@' ? TOKEN_WORD : start[1] == '@' ? TOKEN_SYSTEM : TOKEN_VARIABLE;
    size_t length = (size_t)(at - start);
    push(lexer, kind, start, arena_copy(lexer->arena, start, length), length);
    lexer->at = at;
}

static int operator_token(Lexer *lexer)
{
    static const char *const pairs[] = {"<=", ">=", "<>", "!=", "!<", "!>", "::", "+=", "-=", "*=", "/="};
    const char *at = lexer->at;
    size_t length = 1;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (at[0] == pairs[i][0] && at[1] == pairs[i][1])
            length = 2;
    if (length == 1 && !strchr("+-*/%&|^~=<>(),.;:{}", *at)) {
        char text[80];
        snprintf(text, sizeof text, "Incorrect syntax near '%.1s'.", at);
        return lexer_fail(lexer, 102, text);
    }
    push(lexer, TOKEN_OPERATOR, at, arena_copy(lexer->arena, at, length), length);
    lexer->at += length;
    return 0;
}

static int next_token(Lexer *lexer)
{
    const char *at = lexer->at;
    if (at[0] == '\'')
        return quoted(lexer, TOKEN_STRING, at, at + 1, '\'');
    if ((at[0] == 'N' || at[0] == 'n') && at[1] == '\'')
        return quoted(lexer, TOKEN_NSTRING, at, at + 2, '\'');
    if (at[0] == '[')
        return quoted(lexer, TOKEN_QUOTED, at, at + 1, ']');
    if (at[0] == '"')
        return quoted(lexer, TOKEN_QUOTED, at, at + 1, '"');
    if (isdigit((unsigned char)at[0]) || (at[0] == '.' && isdigit((unsigned char)at[1])))
        return number(lexer), 0;
    if (name_char(at[0]))
        return word(lexer), 0;
    return operator_token(lexer);
}

int lexer_run(Arena *arena, const char *sql, Token **ret, int *count, SqlError *error)
{
    Lexer lexer = {.arena = arena, .at = sql, .line = 1, .error = error};
    for (;;) {
        if (skip_blanks(&lexer))
            return -1;
        if (!*lexer.at)
            break;
        if (next_token(&lexer))
            return -1;
    }
    push(&lexer, TOKEN_END, lexer.at, "", 0);
    *ret = lexer.tokens;
    *count = lexer.count;
    return 0;
}

bool token_is(const Token *token, const char *text)
{
    return (token->kind == TOKEN_WORD || token->kind == TOKEN_OPERATOR) && !strcasecmp(token->text, text);
}
