/*
 * journal.h - the log that tests read: one line a login and one a statement, as seen on the wire.
 *
 *   login spid=51 user=sa database=erp application=sluice host=h version=74000004 packet_size=32767 encrypt=off
 *         read_only=1 refused=0
 *   statement spid=51 database=erp application=sluice read_only=1 kind=batch parameters=0 rows=10 error=0 bytes=512
 *         us=345 sql=SELECT ...
 * (each on one line). Spaces in names become '_'; line ends in the statement become spaces; the statement is cut after
 * 200 characters. Passwords are never written. Lines are appended whole by one write, so many processes can share the
 * file.
 */
#ifndef MSSQL_JOURNAL_H
#define MSSQL_JOURNAL_H

#include "answer.h"
#include "login.h"

/* Opens path for appending; NULL switches the journal off. */
int journal_open(const char *path);
void journal_login(const Connection *connection, const Login *login, int32_t refused);
void journal_statement(const Connection *connection, const Login *login, const char *database, const char *kind,
                       int parameters, const Answer *answer, int64_t us, const char *sql);

#endif
