/* ddl.c - see ddl.h */
#include "source/mysql/ddl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef enum TokenType { TOKEN_END, TOKEN_WORD, TOKEN_NAME /* quoted by backticks */, TOKEN_TEXT, TOKEN_SIGN } TokenType;

typedef struct Token {
    TokenType type;
    char quote;         /* of a name or text */
    const char *data;   /* within the quotes */
    size_t length;
} Token;

typedef struct Lexer {
    const char *at, *end;
    int executable;     /* depth of executable comments */
    bool backslash;     /* escapes in texts */
    bool broken;        /* a text or comment ended nowhere */
    Token token;        /* the one that stands next */
    int depth;          /* of brackets around it */
} Lexer;

static bool is_word(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || letter == '_' ||
           letter == '$' || (unsigned char)letter >= 0x80;
}

static bool begins(const Lexer *lexer, const char *text)
{
    size_t length = strlen(text);

    return (size_t)(lexer->end - lexer->at) >= length && memcmp(lexer->at, text, length) == 0;
}

/* Behind a comment of two signs: an executable one is opened, what is in it counts. */
static void skip_comment(Lexer *lexer)
{
    const char *close;

    lexer->at += 2;
    if (begins(lexer, "!") || begins(lexer, "M!")) {
        lexer->at += *lexer->at == 'M' ? 2 : 1;
        while (lexer->at < lexer->end && *lexer->at >= '0' && *lexer->at <= '9')
            lexer->at++;
        lexer->executable++;
        return;
    }
    close = memmem(lexer->at, (size_t)(lexer->end - lexer->at), "*/", 2);
    lexer->broken |= !close;
    lexer->at = close ? close + 2 : lexer->end;
}

static void skip_line(Lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n')
        lexer->at++;
}

static bool is_space(char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r') || letter == 0;
}

static void skip_space(Lexer *lexer)
{
    while (lexer->at < lexer->end) {
        if (is_space(*lexer->at)) {
            lexer->at++;
        } else if (*lexer->at == '#') {
            skip_line(lexer);
        } else if (begins(lexer, "--") && (lexer->end - lexer->at == 2 || is_space(lexer->at[2]))) {
            skip_line(lexer);
        } else if (begins(lexer, "/*")) {
            skip_comment(lexer);
        } else if (lexer->executable > 0 && begins(lexer, "*/")) {
            lexer->executable--;
            lexer->at += 2;
        } else {
            return;
        }
    }
}

static void quoted(Lexer *lexer, Token *token)
{
    char quote = *lexer->at++;
    bool escapes = quote != '`' && lexer->backslash;

    token->type = quote == '`' ? TOKEN_NAME : TOKEN_TEXT;
    token->quote = quote;
    token->data = lexer->at;
    while (lexer->at < lexer->end) {
        if (escapes && *lexer->at == '\\' && lexer->end - lexer->at > 1) {
            lexer->at += 2;
        } else if (*lexer->at != quote) {
            lexer->at++;
        } else if (lexer->end - lexer->at > 1 && lexer->at[1] == quote) {
            lexer->at += 2;
        } else {
            token->length = (size_t)(lexer->at++ - token->data);
            return;
        }
    }
    token->length = (size_t)(lexer->at - token->data);
    lexer->broken = true;
}

static void next(Lexer *lexer)
{
    Token *token = &lexer->token;

    if (token->type == TOKEN_SIGN && *token->data == '(')
        lexer->depth++;
    skip_space(lexer);
    memset(token, 0, sizeof *token);
    if (lexer->at >= lexer->end)
        return;
    if (*lexer->at == '`' || *lexer->at == '\'' || *lexer->at == '"') {
        quoted(lexer, token);
        return;
    }
    token->data = lexer->at;
    token->length = 1;
    token->type = TOKEN_SIGN;
    if (is_word(*lexer->at)) {
        token->type = TOKEN_WORD;
        while (lexer->at < lexer->end && is_word(*lexer->at))
            lexer->at++;
        token->length = (size_t)(lexer->at - token->data);
        return;
    }
    if (*lexer->at == ')')
        lexer->depth--;
    lexer->at++;
}

static bool word_is(const Lexer *lexer, const char *word)
{
    const Token *token = &lexer->token;

    return token->type == TOKEN_WORD && strlen(word) == token->length && strncasecmp(token->data, word, token->length) == 0;
}

static bool take_word(Lexer *lexer, const char *word)
{
    if (!word_is(lexer, word))
        return false;
    next(lexer);
    return true;
}

static bool take_sign(Lexer *lexer, char sign)
{
    if (lexer->token.type != TOKEN_SIGN || *lexer->token.data != sign)
        return false;
    next(lexer);
    return true;
}

static bool take_either(Lexer *lexer, const char *word, const char *other)
{
    return take_word(lexer, word) || take_word(lexer, other);
}

/* A part of a name, its doubled quotes made one. */
static bool take_part(Lexer *lexer, char ret[DDL_NAME_MAX])
{
    const Token *token = &lexer->token;
    size_t length = 0;

    if (token->type != TOKEN_WORD && token->type != TOKEN_NAME && !(token->type == TOKEN_TEXT && token->quote == '"'))
        return false;
    for (size_t i = 0; i < token->length; i++) {
        if (length == DDL_NAME_MAX - 1)
            return false;
        ret[length++] = token->data[i];
        if (token->quote && token->data[i] == token->quote)
            i++;
    }
    ret[length] = 0;
    next(lexer);
    return true;
}

static bool take_name(Lexer *lexer, const char *database, DdlName *ret)
{
    if (!take_part(lexer, ret->table))
        return false;
    if (take_sign(lexer, '.')) {
        memcpy(ret->schema, ret->table, sizeof ret->schema);
        return take_part(lexer, ret->table);
    }
    snprintf(ret->schema, sizeof ret->schema, "%s", database);
    return true;
}

/* IF EXISTS, IF NOT EXISTS */
static bool take_if(Lexer *lexer)
{
    if (!take_word(lexer, "if"))
        return false;
    (void)take_word(lexer, "not");
    (void)take_word(lexer, "exists");
    return true;
}

/* WAIT n, NOWAIT (MariaDB) */
static void take_wait(Lexer *lexer)
{
    if (take_word(lexer, "wait"))
        next(lexer);
    else
        (void)take_word(lexer, "nowait");
}

typedef struct Ddl {
    Lexer lexer;
    const char *database;
    DdlTake take;
    void *context;
    Error *error;
} Ddl;

static int give(Ddl *ddl, DdlChange *change, DdlKind kind)
{
    change->kind = kind;
    return ddl->take(ddl->context, change, ddl->error);
}

/* CREATE [OR REPLACE] TABLE | DATABASE; anything else that is created concerns no rows. */
static int read_create(Ddl *ddl)
{
    Lexer *lexer = &ddl->lexer;
    DdlChange change = {.maybe = false};
    bool replace = false;

    if (take_word(lexer, "or"))
        replace = take_word(lexer, "replace");
    if (take_either(lexer, "database", "schema")) {
        (void)take_if(lexer);
        return replace && take_part(lexer, change.of.schema) ? give(ddl, &change, DDL_DATABASE) : 0;
    }
    if (!take_word(lexer, "table"))
        return 0;
    change.maybe = take_if(lexer);
    if (!take_name(lexer, ddl->database, &change.of))
        return 0;
    return give(ddl, &change, replace ? DDL_REPLACE : DDL_CREATE);
}

static int read_drop(Ddl *ddl)
{
    Lexer *lexer = &ddl->lexer;
    DdlChange change = {.maybe = false};

    if (take_either(lexer, "database", "schema")) {
        change.maybe = take_if(lexer);
        return take_part(lexer, change.of.schema) ? give(ddl, &change, DDL_DATABASE) : 0;
    }
    if (!take_either(lexer, "table", "tables"))
        return 0;
    change.maybe = take_if(lexer);
    do {
        if (!take_name(lexer, ddl->database, &change.of))
            return 0;
        if (give(ddl, &change, DDL_DROP) < 0)
            return -1;
    } while (take_sign(lexer, ','));
    return 0;
}

static int read_rename(Ddl *ddl)
{
    Lexer *lexer = &ddl->lexer;
    DdlChange change = {.maybe = false};

    if (!take_either(lexer, "table", "tables"))
        return 0;
    (void)take_if(lexer);
    do {
        if (!take_name(lexer, ddl->database, &change.of))
            return 0;
        take_wait(lexer);
        if (!take_word(lexer, "to") || !take_name(lexer, ddl->database, &change.to))
            return 0;
        if (give(ddl, &change, DDL_RENAME) < 0)
            return -1;
    } while (take_sign(lexer, ','));
    return 0;
}

static int read_truncate(Ddl *ddl)
{
    DdlChange change = {.maybe = false};

    (void)take_word(&ddl->lexer, "table");
    return take_name(&ddl->lexer, ddl->database, &change.of) ? give(ddl, &change, DDL_TRUNCATE) : 0;
}

/* RENAME [TO | AS | =] name, but not RENAME COLUMN | INDEX | KEY. */
static bool alter_rename(Ddl *ddl, DdlName *to)
{
    Lexer *lexer = &ddl->lexer;

    if (word_is(lexer, "column") || word_is(lexer, "index") || word_is(lexer, "key"))
        return false;
    if (!take_either(lexer, "to", "as"))
        (void)take_sign(lexer, '=');
    return take_name(lexer, ddl->database, to);
}

/* The other table of an exchange or conversion of a partition. */
static int alter_other(Ddl *ddl, DdlKind kind)
{
    DdlChange other = {.maybe = false};

    return take_name(&ddl->lexer, ddl->database, &other.of) ? give(ddl, &other, kind) : 0;
}

typedef struct Alter {
    bool partition, renamed;
    DdlName to;
} Alter;

/* EXCHANGE PARTITION p WITH TABLE t; CONVERT PARTITION p TO TABLE t; CONVERT TABLE t TO PARTITION p (MariaDB). */
static int alter_exchange(Ddl *ddl, Alter *alter, bool exchange)
{
    Lexer *lexer = &ddl->lexer;

    if (!exchange && take_word(lexer, "table")) {
        alter->partition = true;
        return alter_other(ddl, DDL_DROP);
    }
    if (!take_word(lexer, "partition"))
        return 0;
    alter->partition = true;
    next(lexer);
    if (take_either(lexer, "with", "to") && take_word(lexer, "table"))
        return alter_other(ddl, exchange ? DDL_PARTITION : DDL_CREATE);
    return 0;
}

/* One clause, outside of brackets, whose first word stands next. */
static int alter_clause(Ddl *ddl, Alter *alter)
{
    Lexer *lexer = &ddl->lexer;

    if (take_word(lexer, "rename")) {
        alter->renamed |= alter_rename(ddl, &alter->to);
        return 0;
    }
    if (take_either(lexer, "drop", "truncate")) {
        alter->partition |= word_is(lexer, "partition");
        return 0;
    }
    if (take_either(lexer, "discard", "import")) {
        alter->partition = true;
        return 0;
    }
    if (take_word(lexer, "exchange"))
        return alter_exchange(ddl, alter, true);
    if (take_word(lexer, "convert"))
        return alter_exchange(ddl, alter, false);
    return 0;
}

static int read_alter(Ddl *ddl)
{
    Lexer *lexer = &ddl->lexer;
    DdlChange change = {.maybe = false};
    Alter alter = {.partition = false};
    bool first = true;

    (void)take_word(lexer, "online");
    alter.partition = take_word(lexer, "ignore");
    if (!take_word(lexer, "table"))
        return 0;
    change.maybe = take_if(lexer);
    if (!take_name(lexer, ddl->database, &change.of))
        return 0;
    take_wait(lexer);
    while (lexer->token.type != TOKEN_END) {
        bool begins_clause = first || (lexer->depth == 0 && take_sign(lexer, ','));

        first = false;
        if (!begins_clause)
            next(lexer);
        else if (alter_clause(ddl, &alter) < 0)
            return -1;
    }
    if (give(ddl, &change, alter.partition ? DDL_PARTITION : DDL_ALTER) < 0)
        return -1;
    change.to = alter.to;
    return alter.renamed ? give(ddl, &change, DDL_RENAME) : 0;
}

/* DELETE FROM t and nothing more. */
static bool deletes_all(Lexer lexer, const char *database, DdlName *ret)
{
    if (!take_word(&lexer, "delete") || !take_word(&lexer, "from") || !take_name(&lexer, database, ret))
        return false;
    (void)take_sign(&lexer, ';');
    return lexer.token.type == TOKEN_END;
}

static int read_dml(Ddl *ddl)
{
    Lexer *lexer = &ddl->lexer;
    DdlChange change = {.maybe = false};

    if (deletes_all(*lexer, ddl->database, &change.of))
        return give(ddl, &change, DDL_TRUNCATE);
    snprintf(change.of.schema, sizeof change.of.schema, "%s", ddl->database);
    change.of.table[0] = 0;
    if (*ddl->database && give(ddl, &change, DDL_DML) < 0)
        return -1;
    while (lexer->token.type != TOKEN_END) {
        if (!take_part(lexer, change.of.schema))
            next(lexer);
        else if (take_sign(lexer, '.') && give(ddl, &change, DDL_DML) < 0)
            return -1;
    }
    return 0;
}

/* SET STATEMENT a = 1, b = 2 FOR ...: the statement behind it is what ran (MariaDB). */
static void skip_set_statement(Lexer *lexer)
{
    Lexer behind = *lexer;

    if (!take_word(&behind, "set") || !take_word(&behind, "statement"))
        return;
    while (behind.token.type != TOKEN_END && !take_word(&behind, "for"))
        next(&behind);
    *lexer = behind;
}

static int read_statement(Ddl *ddl)
{
    static const char *const dml[] = {"insert", "update", "delete", "replace", "load", "call", "with", "select", "do"};
    Lexer *lexer = &ddl->lexer;

    next(lexer);
    skip_set_statement(lexer);
    for (size_t i = 0; i < sizeof dml / sizeof *dml; i++) {
        if (word_is(lexer, dml[i]))
            return read_dml(ddl);
    }
    if (take_word(lexer, "create"))
        return read_create(ddl);
    if (take_word(lexer, "alter"))
        return read_alter(ddl);
    if (take_word(lexer, "drop"))
        return read_drop(ddl);
    if (take_word(lexer, "rename"))
        return read_rename(ddl);
    if (take_word(lexer, "truncate"))
        return read_truncate(ddl);
    return 0;
}

/* Does the text end within a quote, if backslashes escape in it? */
static bool ends_in_quote(const char *text, size_t length)
{
    Lexer lexer = {.at = text, .end = text + length, .backslash = true};

    do
        next(&lexer);
    while (lexer.token.type != TOKEN_END);
    return lexer.broken;
}

int ddl_read(const char *text, size_t length, const char *database, DdlTake take, void *context, Error *error)
{
    Ddl ddl = {.lexer = {.at = text, .end = text + length, .backslash = !ends_in_quote(text, length)},
               .database = database,
               .take = take,
               .context = context,
               .error = error};

    return read_statement(&ddl);
}
