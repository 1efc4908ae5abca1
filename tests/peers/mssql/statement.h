/*
 * statement.h - the statements of a batch. Each function starts behind the statement's first words and leaves the
 * parser behind its end; all fail as session.h says.
 */
#ifndef MSSQL_STATEMENT_H
#define MSSQL_STATEMENT_H

#include "parser.h"
#include "query.h"

void statement_insert(Parser *parser);
void statement_update(Parser *parser);
void statement_delete(Parser *parser);
void statement_truncate(Parser *parser);
void statement_create(Parser *parser);
void statement_alter(Parser *parser);
void statement_drop(Parser *parser);
void statement_grant(Parser *parser, char state); /* G, D, R */
void statement_set(Parser *parser);
void statement_execute(Parser *parser);
/* batch.c: a text inside a running statement, with the session's variables. */
void batch_nested(Session *session, const char *sql);

/* alter.c: the type of a captured column in a change table, called by the capture job. */
void change_table_retype(Session *session, int db, int change_table, int column_id, const TypeInfo *type);

/* security.c */
void create_principal(Parser *parser); /* at LOGIN, USER, ROLE */
void alter_role(Parser *parser);
/* table_create.c */
void create_table(Parser *parser);
void create_index(Parser *parser);
void create_database(Session *session, const char *name);
/* The tail of a table's column: type, nullability, default ..; used by CREATE and ALTER. */
typedef struct ColumnSpec {
    const char *name;
    TypeInfo type;
    bool computed, nullable, null_given, identity;
    int64_t seed, increment;
    const char *definition, *default_name, *default_text;
    bool primary_key, unique, clustered, clustered_given;
    const char *constraint;
} ColumnSpec;
void column_spec_parse(Parser *parser, ColumnSpec *spec);
void column_add(Session *session, int object_id, const ColumnSpec *spec);
void index_add(Session *session, Table *table, const char *name, const char **columns, const bool *descending,
               int count, bool unique, bool clustered, int kind);

/* table_variable.c: DECLARE @name TABLE (..): a temporary table until the batch ends. Behind the word TABLE. A rollback
 * takes it away, which SQL Server's would survive. */
void table_variable_declare(Parser *parser, const char *name);
void table_variables_drop(Session *session);

/* cdc.c: everything about capture instances that happens in an application's transaction. */
typedef struct ProcedureCall {
    const char *name;            /* lower case, without schema */
    const char **argument_names; /* "" where positional */
    Constant *arguments;
    int count;
} ProcedureCall;
/* Argument by name or position as UTF-8; NULL where absent or NULL. */
const char *call_text(Session *session, const ProcedureCall *call, const char *name, int position);
bool cdc_procedure(Session *session, const ProcedureCall *call); /* false: not one of them */
void cdc_install_triggers(Session *session, int object_id); /* (again) after a change of columns; makes a new shape */
void cdc_note_ddl(Session *session, const Table *table, const char *command, bool required_column_update, int column_id,
                  const TypeInfo *type);
bool catalog_procedure(Session *session, const ProcedureCall *call); /* sp_tables, sp_columns ..; false: none of them */
bool simulator_procedure(Session *session, const ProcedureCall *call); /* sluice_sim.* */
/* Sends the rows of a PostgreSQL query as a result set with SQL Server types by name of the columns' domains. */
void send_query(Session *session, const char *tsql);

#endif
