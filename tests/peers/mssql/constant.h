/*
 * constant.h - SQL Server values known while a statement is translated: literals, parameters, variables.
 *
 * The bytes are [type.h] values in the batch's arena. Everything fails with the conversion errors of type.h.
 */
#ifndef MSSQL_CONSTANT_H
#define MSSQL_CONSTANT_H

#include "session.h"

typedef struct Constant {
    TypeInfo type;
    const uint8_t *data; /* NULL = SQL NULL */
    size_t length;
} Constant;

/* A literal, a parameter, a CAST of one, a negated one. False if the expression is anything else. */
bool constant_fold(Session *session, const Expr *expr, Constant *ret);
Constant constant_cast(Session *session, Constant from, const TypeInfo *to);
/* The value of a literal for a column of the type, straight from the text. */
Constant constant_for_column(Session *session, const Expr *expr, const TypeInfo *type);
/* For comparing with a column: no length limit and no padding stand in the way. */
TypeInfo constant_comparable(const TypeInfo *column);
/* As a PostgreSQL expression; false where PostgreSQL has no such type. */
bool constant_native(Session *session, const Constant *constant, char **ret);
char *constant_bytes(Session *session, const Constant *constant); /* '\x..'::bytea */
char *constant_key(Session *session, const Constant *constant);
char *constant_text(Session *session, const Constant *constant); /* UTF-8, NULL for NULL */
int64_t constant_integer(Session *session, const Constant *constant);
bool type_is_text(const TypeInfo *type);
bool type_is_integer(const TypeInfo *type);
bool type_is_binary(const TypeInfo *type);

#endif
