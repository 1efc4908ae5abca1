/*
 * variant.h - the exact text of a sql_variant column, asked for by its base type:
 *
 *     CASE WHEN CONVERT(nvarchar(128), SQL_VARIANT_PROPERTY(c, N'BaseType')) IN (N'float', ..) THEN CONVERT(t, CONVERT(u, c), style)
 *          ... ELSE CONVERT(t, CONVERT(u, c)) END
 *
 * PostgreSQL knows no sql_variant, so the CASE is answered value by value. Styles ("CAST and CONVERT (Transact-SQL)"): 1 = binary as
 * 0x.., 2 = money with four decimals, 3 = float with 17 digits, 126 = ISO 8601.
 */
#ifndef MSSQL_VARIANT_H
#define MSSQL_VARIANT_H

#include "ast.h"

/* The column such a CASE is about, or NULL if the expression is none. */
const Expr *variant_case_column(const Expr *expr);
/* The answer for one value of the column (not NULL), appended as an nvarchar; -1 with *error. */
int variant_case_value(const Expr *expr, const uint8_t *value, size_t length, Bytes *ret, SqlError *error);

#endif
