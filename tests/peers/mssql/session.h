/*
 * session.h - one connection's state inside the engine, and how every part of the engine fails and talks to PostgreSQL.
 *
 * Failing: session_fail() and everything documented as "fails" leaves by longjmp to the statement's trap; memory of the
 * arena and PostgreSQL results taken through db_run() are freed there, so nobody else has to clean up.
 */
#ifndef MSSQL_SESSION_H
#define MSSQL_SESSION_H

#include "ast.h"
#include "engine.h"
#include <libpq-fe.h>
#include <setjmp.h>

typedef struct Variable {
    char name[129];
    TypeInfo type;
    bool is_null;
    uint8_t *data; /* malloc'ed */
    size_t length;
} Variable;

enum { SESSION_VARIABLES_MAX = 2100, SESSION_RESULTS_MAX = 32, SAVEPOINTS_MAX = 64 };

typedef struct Table Table;

struct Session {
    PGconn *pg;
    char database[129];
    int db_id;
    char login[129];
    char user[129];
    int principal_id;
    bool sysadmin, db_owner, db_reader;
    int transactions; /* @@TRANCOUNT */
    bool snapshot;    /* SET TRANSACTION ISOLATION LEVEL SNAPSHOT */
    bool savepoint;   /* one is set for the running statement */
    const char *saved[SAVEPOINTS_MAX]; /* SAVE TRANSACTION; malloc'ed */
    int saved_count;
    bool logged;      /* the open transaction has written to a captured table */
    bool nocount;
    bool implicit; /* SET IMPLICIT_TRANSACTIONS ON */
    int text_size;
    int identity_insert; /* object_id or 0 */
    const char *target_table, *target_column; /* of the value being converted: error 2628 names them */
    int command;         /* statement's number in the transaction: __$command_id counts from it */
    uint64_t row_count;  /* @@ROWCOUNT */
    int last_error;
    int64_t last_identity;
    Variable *variables;
    int variable_count;
    Arena arena;       /* of the batch */
    Arena cache_arena; /* of the table cache */
    Table *tables;
    Table *table_variables; /* of the batch */
    int64_t cache_version;
    bool catalog_changed; /* by the open transaction: others must look again once it is visible */
    bool cache_stale; /* its memory is given back when the batch ends */
    int alias_count;
    PGresult *results[SESSION_RESULTS_MAX];
    int result_count;
    jmp_buf *trap;
    SqlError error;
    int line;
    Bytes scratch, scratch_key, scratch_copy;
    const ResultSink *sink;
    bool gone; /* the client does not want more */
};

/* Fails with a SQL Server error; the severity follows from the number as sys.messages has it. */
_Noreturn void session_fail(Session *session, int number, int state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void session_fail_with(Session *session, const SqlError *error);

/* Runs PostgreSQL text (several statements allowed); the result belongs to the session's statement. Fails with the SQL
 * Server error that matches PostgreSQL's (2627, 8134, 1205, 1222, 3960 ..). */
PGresult *db_run(Session *session, const char *sql);
PGresult *db_runf(Session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t db_number(Session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text of row 0, column 0 in the arena; NULL where there is no row or it is NULL. */
char *db_text(Session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
void db_pop(Session *session);     /* frees the newest result */
void db_release(Session *session); /* frees the statement's results */
_Noreturn void db_fail(Session *session, const PGresult *result);
char *lit(Session *session, const char *text); /* quoted literal, or NULL */

int session_say(Session *session, int number, int severity, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
Variable *session_variable(Session *session, const char *name);
void session_variable_set(Session *session, const char *name, const TypeInfo *type, const uint8_t *data, size_t length);
/* Fails unless a name's database part ("" too) is the current database: a function or procedure runs in no other. */
void session_same_database(Session *session, const char *database);
int session_use(Session *session, const char *database); /* fails with 911, 916 */

/* transaction.c */
void transaction_begin_statement(Session *session, bool writes);
void transaction_end_statement(Session *session);
void transaction_undo_statement(Session *session);
void transaction_begin(Session *session);
/* Implicit transactions: a statement that reads or changes a table begins one where none is open. */
void transaction_begin_implicit(Session *session);
void transaction_commit(Session *session);
void transaction_rollback(Session *session);
/* SAVE TRANSACTION; fails with 628 outside of a transaction. */
void transaction_save(Session *session, const char *name);
/* False where there is no savepoint of the name; it stays for another time. */
bool transaction_rollback_to(Session *session, const char *name);

#endif
