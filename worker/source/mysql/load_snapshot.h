/*
 * load_snapshot.h - L, L2 and the transaction in which a range of a load is read: see load.h for why they hold.
 */
#ifndef SLUICE_MYSQL_LOAD_SNAPSHOT_H
#define SLUICE_MYSQL_LOAD_SNAPSHOT_H

#include "source/mysql/mysql.h"

#define LOAD_LOCK_WAIT_S 10 /* a lock that waits makes all writers behind it wait */
#define LOAD_XA_WAIT_MS 1000 /* for XA transactions that may be on their way from the log into the engine */
#define LOAD_XA_PAUSE_MS 10

typedef struct LoadSnapshot {
    Session *session;
    LogPosition at;  /* L */
    bool open;       /* a transaction or a table lock is to be ended */
    bool locked;     /* keyless "lock" */
    bool after_scan; /* L2 is the log's end after the scan: the table's engine has no snapshots */
    LogPosition end; /* L2, where not after_scan */
} LoadSnapshot;

/* at: of a range taken up again, its L; NULL else. */
int load_snapshot_begin(MySql *source, const cJSON *batch, const LogPosition *at, LoadSnapshot *ret, Error *error);
/* The L2 of a scan whose rows have all been read. */
int load_snapshot_after(LoadSnapshot *snapshot, LogPosition *ret, Error *error);
/* -1: the session must be opened anew. */
int load_snapshot_end(LoadSnapshot *snapshot, Error *error);

#endif
