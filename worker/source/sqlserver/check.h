/*
 * check.h - the doctor's steps. A step that failed with severity error makes the later ones `skipped`.
 */
#ifndef SLUICE_SQLSERVER_CHECK_H
#define SLUICE_SQLSERVER_CHECK_H

#include "source/sqlserver/sqlserver.h"

typedef struct Check {
    cJSON *steps;
    LoginOptions login;
    bool stopped; /* an earlier step failed */
    int64_t began_ms;
    char address[128]; /* what the name was resolved to */
} Check;

typedef enum CheckSeverity { CHECK_ERROR, CHECK_WARNING, CHECK_INFO } CheckSeverity;

void check_begin(Check *check);
/* One finished step, timed since check_begin. found, wanted, fix_sql may be NULL. */
void check_step(Check *check, const char *name, const char *object, bool ok, CheckSeverity severity, const char *found,
                const char *wanted, const char *fix_sql);
void check_skip(Check *check, const char *name, const char *object);

/* dns and tcp, without DB-Library. */
int check_network(Check *check, Beat beat, Error *error);
/* rights, cdc, capture job, retention, tables on an open connection. */
int check_database(Check *check, SqlServer *server, Error *error);

#endif
