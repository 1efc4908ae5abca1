/*
 * log_state.h - where a server's log begins and ends, and whose log it is, as its statements tell.
 *
 * MySQL 8.2 renamed SHOW MASTER STATUS to SHOW BINARY LOG STATUS, 8.4 removed the old name (MySQL reference manual, "SHOW BINARY LOG STATUS").
 * Both need REPLICATION CLIENT, on MariaDB 10.5 and later BINLOG MONITOR.
 */
#ifndef SLUICE_MYSQL_LOG_STATE_H
#define SLUICE_MYSQL_LOG_STATE_H

#include "source/mysql/position.h"
#include "source/mysql/session.h"

#define LOG_OFF_CODE "SL015" /* of the error that the server writes no log */

typedef struct LogState {
    char server[64];                 /* MySQL: server_uuid; MariaDB, which has none: server_id */
    bool gtids;
    char *gtid;                      /* MySQL: the set executed at `end`; MariaDB: of the log as it was read just before; NULL without */
    char file[LOG_FILE_NAME_MAX];    /* of `end` */
    LogPosition end, low;            /* low: the beginning of the oldest file */
    bool fold, read_only;            /* fold: lower_case_table_names */
    char time[40];                   /* "2026-11-20T08:51:06.123456Z" */
} LogState;

/* A fixed number of cheap statements. ERROR_PERMANENT with a hint where the log is off or may not be seen. */
int log_state_read(Session *session, LogState *ret, Error *error);
/* file and end again. */
int log_state_end(Session *session, LogState *state, Error *error);
void log_state_free(LogState *state);
/* The GTID set at state->end exactly: MariaDB reads its file for it. *ret is malloc'ed, NULL without GTIDs. */
int log_state_gtid(Session *session, const LogState *state, char **ret, Error *error);
/* {"server","file","offset","gtid","xa": []} of state->end. gtid may be NULL. */
cJSON *log_state_mark(const LogState *state, const char *gtid);
/* 1 and why, in words: the log is not the one of `mark` any more. 0: nothing says so. */
int log_state_rewound(Session *session, const LogState *state, const cJSON *mark, char *why, size_t size, Error *error);

#endif
