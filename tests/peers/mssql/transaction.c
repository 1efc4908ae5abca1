/*
 * Transactions. A T-SQL statement that fails undoes itself alone, so inside a user transaction each one stands behind a
 * savepoint. A commit that has written to captured tables draws its LSN under a lock of the database that is held until
 * the commit is visible: the order of LSNs is the order of commits.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What was read of the catalogue inside a transaction that is gone, or before one became visible, is forgotten. */
static void forget_catalog(Session *session, bool committed)
{
    if (!session->catalog_changed)
        return;
    if (committed)
        PQclear(PQexec(session->pg, "SELECT nextval('mssql.version')"));
    session->catalog_changed = false;
    session->tables = NULL;
    session->cache_stale = true;
}

static void forget_saved(Session *session, int from)
{
    while (session->saved_count > from)
        free((char *)session->saved[--session->saved_count]);
}

void transaction_begin_statement(Session *session, bool writes)
{
    if (session->transactions) {
        session->savepoint = true;
        db_runf(session, writes ? "SAVEPOINT s; SET LOCAL mssql.command = %d" : "SAVEPOINT s", session->command);
        if (writes)
            session->command += 2;
    } else if (writes) {
        db_run(session, session->snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL mssql.command = 1"
                                          : "BEGIN; SET LOCAL mssql.command = 1");
    }
    db_release(session);
}

void transaction_end_statement(Session *session)
{
    db_release(session);
    if (session->transactions) {
        if (session->savepoint)
            db_run(session, "RELEASE s");
        session->savepoint = false;
    } else if (PQtransactionStatus(session->pg) != PQTRANS_IDLE) {
        if (session->logged)
            db_runf(session, "SELECT mssql.mark_commit(%d)", session->db_id);
        session->logged = false;
        db_run(session, "COMMIT");
        forget_catalog(session, true);
    }
    db_release(session);
}

void transaction_undo_statement(Session *session)
{
    if (session->transactions) {
        if (session->savepoint)
            PQclear(PQexec(session->pg, "ROLLBACK TO s; RELEASE s"));
        session->savepoint = false;
        session->tables = NULL; /* a table that the statement made is gone */
        session->cache_stale = true;
    } else if (PQtransactionStatus(session->pg) != PQTRANS_IDLE) {
        PQclear(PQexec(session->pg, "ROLLBACK"));
        session->logged = false;
        forget_catalog(session, false);
    }
}

void transaction_begin(Session *session)
{
    if (session->transactions++ == 0) {
        session->command = 1;
        session->logged = false;
        session->savepoint = false;
        forget_saved(session, 0); /* of a transaction that an error ended */
        db_run(session, session->snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
    }
}

void transaction_begin_implicit(Session *session)
{
    if (session->implicit && session->transactions == 0)
        transaction_begin(session);
}

/* Savepoints are numbered in PostgreSQL, so that any name goes; the newest of a name counts in both. */
void transaction_save(Session *session, const char *name)
{
    if (session->transactions == 0)
        session_fail(session, 628, 1, "Cannot issue SAVE TRANSACTION when there is no active transaction.");
    if (session->saved_count == SAVEPOINTS_MAX)
        session_fail(session, 50000, 1, "The simulator keeps at most %d savepoints.", SAVEPOINTS_MAX);
    db_runf(session, "SAVEPOINT saved_%d", session->saved_count);
    session->saved[session->saved_count] = strdup(name);
    if (!session->saved[session->saved_count++])
        abort();
}

bool transaction_rollback_to(Session *session, const char *name)
{
    for (int i = session->saved_count - 1; session->transactions && i >= 0; i--)
        if (!strcasecmp(session->saved[i], name)) {
            db_runf(session, "ROLLBACK TO saved_%d", i);
            forget_saved(session, i + 1);
            session->tables = NULL; /* a table made since is gone; what was changed before is told at the commit */
            session->cache_stale = true;
            return true;
        }
    return false;
}

void transaction_commit(Session *session)
{
    if (session->transactions == 0)
        session_fail(session, 3902, 1, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.");
    if (--session->transactions)
        return;
    if (session->logged)
        db_runf(session, "SELECT mssql.mark_commit(%d)", session->db_id);
    session->logged = false;
    session->savepoint = false;
    forget_saved(session, 0);
    db_run(session, "COMMIT");
    forget_catalog(session, true);
}

void transaction_rollback(Session *session)
{
    if (session->transactions == 0)
        session_fail(session, 3903, 1, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.");
    session->transactions = 0;
    session->logged = false;
    session->savepoint = false;
    forget_saved(session, 0);
    db_run(session, "ROLLBACK");
    forget_catalog(session, false);
}
