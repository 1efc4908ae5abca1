/*
 * scan.h - reading the log for what moved in the followed tables: whole groups, no row decoded.
 */
#ifndef SLUICE_MYSQL_SCAN_H
#define SLUICE_MYSQL_SCAN_H

#include "source/mysql/follow.h"
#include "source/mysql/mysql.h"

#define SCAN_WAIT_MS 50 /* how long a stream that has given all may keep a poll waiting */

typedef struct Scan {
    MySql *source;
    Binlog *stream;      /* belongs to the caller */
    Follow *follow;
    const char *server;  /* for marks */
    bool shapes;         /* table maps are compared with shapes */
    uint64_t bytes;      /* scanned so far */
} Scan;

/* Reads until the last whole group ends at or above `until`, or the stream has nothing more, or LOG_POLL_BYTES_MAX and no table
 * whose columns are still to be asked for. */
int scan_until(Scan *scan, LogPosition until, Error *error);
/* The stretch (from, to] through a stream of its own. sibling: a file of the log. */
int scan_stretch(const Scan *like, const char *sibling, LogPosition from, LogPosition to, Error *error);
/* Where the stream stands, as a mark (control/README.md), a JSON null in a stretch; NULL without memory. */
cJSON *scan_mark(const Scan *scan);

#endif
