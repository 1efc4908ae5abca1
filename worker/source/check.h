/*
 * check.h - the doctor's steps (control/README.md, check_store), for each kind of source. A step that failed with severity error makes the later
 * ones `skipped`.
 */
#ifndef SLUICE_SOURCE_CHECK_H
#define SLUICE_SOURCE_CHECK_H

#include "base/beat.h"
#include "base/error.h"
#include "base/json.h"

/* Texts belong to the options of the source. */
typedef struct Check {
    cJSON *steps;
    const char *host, *instance, *user, *database; /* instance: SQL Server's, named: its port is told at login; NULL = none */
    int port, login_timeout_s;
    bool stopped;      /* an earlier step failed */
    int64_t began_ms;
    char address[128]; /* what the name was resolved to */
} Check;

typedef enum CheckSeverity { CHECK_ERROR, CHECK_WARNING, CHECK_INFO } CheckSeverity;

void check_begin(Check *check);
/* One finished step, timed since check_begin. found, wanted, fix_sql may be NULL. */
void check_step(Check *check, const char *name, const char *object, bool ok, CheckSeverity severity, const char *found,
                const char *wanted, const char *fix_sql);
void check_skip(Check *check, const char *name, const char *object);
/* The steps dns and tcp, without the client library, whose errors do not tell them apart. */
int check_network(Check *check, Beat beat, Error *error);

#endif
