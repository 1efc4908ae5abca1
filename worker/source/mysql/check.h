/*
 * check.h - the doctor's steps on an open connection to a MySQL or MariaDB server.
 */
#ifndef SLUICE_MYSQL_CHECK_H
#define SLUICE_MYSQL_CHECK_H

#include "source/check.h"
#include "source/mysql/mysql.h"

/* log, format, row image and metadata, GTIDs, retention, filters, replicas, rights. */
int check_log(Check *check, MySql *source, Error *error);
/* May the user do what capture does? */
int check_rights(Check *check, MySql *source, Error *error);
/* "'user'@'host'" as the server knows us, for GRANT statements. */
int check_user(MySql *source, char *ret, size_t size, Error *error);
/* 0: asked; 1: refused, failure says why; -1: the connection suffered or we are to stop. */
int check_ask(MySql *source, const char *text, MYSQL_RES **ret, Error *failure);

#endif
