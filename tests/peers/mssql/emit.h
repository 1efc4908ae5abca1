/*
 * emit.h - ASTs into PostgreSQL text.
 *
 * A fragment is an expression in PostgreSQL's words. A *user* fragment yields SQL Server value bytes ([type.h]) and,
 * where the type compares, has a sort-key expression beside it; predicates, joins and ORDER BY use the key. Any other
 * fragment yields a PostgreSQL value; its SQL Server type is known where typed is set, else it follows from the
 * result's type. All functions fail with SQL Server's errors: 207, 208, 209, 4104, 195, 205, 8114 ..
 */
#ifndef MSSQL_EMIT_H
#define MSSQL_EMIT_H

#include "constant.h"
#include "table.h"

typedef struct Fragment {
    const char *value;
    const char *key;
    bool user, typed, is_constant, not_null;
    TypeInfo type;
    Constant constant;
} Fragment;

typedef struct ScopeColumn {
    const char *name;
    Fragment fragment;
    const Column *column; /* of a table, else NULL */
} ScopeColumn;

typedef struct ScopeSource {
    struct ScopeSource *next;
    const char *alias, *schema;
    ScopeColumn *columns;
    int count;
} ScopeSource;

typedef struct Scope {
    const struct Scope *outer;
    ScopeSource *sources;
    const CommonTable *with;
    int with_count;
    bool grouped;
    const char *from, *where; /* set once they are known: MIN and MAX of a user column read by index through them */
} Scope;

typedef struct OutColumn {
    char name[129];
    Fragment fragment;
    bool cast; /* the value is cast in C to cast_type when it is read */
    TypeInfo cast_type;
    bool to_string;      /* hierarchyid.ToString() */
    const Expr *variant; /* the CASE of variant.h over a sql_variant column */
    bool nullable;
} OutColumn;

typedef enum OutMode {
    OUT_TOP,   /* a result set: values, casts left to the reader */
    OUT_TABLE, /* a derived table: c1.. and the keys k1.. */
    OUT_KEY,   /* the key of the only column */
    OUT_VALUE, /* the value of the only column */
    OUT_NATIVE /* the only column as a PostgreSQL value */
} OutMode;

char *emit_select(Session *session, const Select *select, const Scope *outer, OutMode mode, OutColumn **columns,
                  int *count);
Fragment emit_scalar(Session *session, const Expr *expr, Scope *scope);
char *emit_native(Session *session, const Expr *expr, Scope *scope);
char *emit_predicate(Session *session, const Expr *expr, Scope *scope);
Fragment emit_function(Session *session, const Expr *expr, Scope *scope);
/* emit_time.c: DATEADD, DATEDIFF, DATEPART, TODATETIMEOFFSET; false if it is none of them. */
bool emit_time_function(Session *session, const Expr *expr, Scope *scope, Fragment *ret);
/* A fragment's PostgreSQL value. */
const char *fragment_native(Session *session, const Fragment *fragment);
char *emit_order(Session *session, const OrderItem *items, int count, Scope *scope, const Select *select,
                 const OutColumn *out, int out_count);
char *emit_compare(Session *session, const Fragment *left, const char *operator, const Fragment * right);
/* FROM; adds the sources to the scope. */
char *emit_source(Session *session, const Source *source, Scope *scope);
/* A scope of one table under the alias t, for UPDATE and DELETE. */
void scope_table(Session *session, Scope *scope, const Table *table, const char *alias, const char *pg_alias);
bool is_aggregate(const Expr *expr);
/* The expression of a computed column or a default, from the text the catalogue keeps. */
Expr *parse_definition(Session *session, const char *text);

#endif
