/*
 * check.h - the doctor's steps inside a SQL Server database.
 */
#ifndef SLUICE_SQLSERVER_CHECK_H
#define SLUICE_SQLSERVER_CHECK_H

#include "source/check.h"
#include "source/sqlserver/sqlserver.h"

/* rights, cdc, capture job, retention, tables on an open connection. */
int check_database(Check *check, SqlServer *server, Error *error);

#endif
