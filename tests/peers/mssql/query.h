/*
 * query.h - SELECT: runs the PostgreSQL text through a binary cursor in chunks and hands value bytes to the sink.
 *
 * Rows are never materialised: a chunk is what FETCH gave (16 rows, then as many as make about 256 KiB).
 */
#ifndef MSSQL_QUERY_H
#define MSSQL_QUERY_H

#include "emit.h"

/* Runs to the end; counts into session->row_count. Does not say done. */
void query_run(Session *session, const Select *select);
/* The value of a scalar expression, or of the only row of a SELECT. */
Constant query_scalar(Session *session, const Expr *expr);
bool query_condition(Session *session, const Expr *predicate);
/* SELECT @a = .., @b = .. */
void query_assign(Session *session, const Select *select);
/* A PostgreSQL binary value as bytes of the SQL Server type; appends. */
void native_encode(Session *session, Oid oid, const char *data, int length, const TypeInfo *type, Bytes *ret);
TypeInfo native_type_of(Oid oid);

#endif
