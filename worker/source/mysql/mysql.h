/*
 * mysql.h - what the files of this room share: the source, its connections and its options.
 *
 * One kind of source for both servers. `MySql` has one connection for statements and at most one that streams the binary log
 * (binlog.h); a connection that streams can do nothing else (MySQL client protocol, COM_BINLOG_DUMP).
 *
 * A log position is the number of the binlog file and the offset in it behind an event (position.h). GTIDs say where reading is taken
 * up after a reconnect and prove that the server's history is the one we know; they never order anything.
 */
#ifndef SLUICE_MYSQL_H
#define SLUICE_MYSQL_H

#include "source/kind.h"
#include "source/mysql/binlog.h"
#include "source/mysql/position.h"
#include "source/mysql/session.h"

typedef struct Follow Follow; /* follow.h: what the poller knows of the followed tables between polls */

typedef struct MySql {
    Source base;
    SessionOptions options; /* strings belong to `kept` */
    cJSON *kept;            /* our copy of the source's options */
    char *password;         /* our copy, wiped at close; further connections need it */
    Beat beat;
    Session session;        /* statements */
    Binlog *binlog;         /* poller: the stream that is followed, NULL = none */
    struct LogStream *stream; /* runner: the stream that claims are read from, kept from one to the next; NULL = none. log_stream_close (log_stream.h) at close */
    struct LogStage *stage; /* runner: NULL = nothing staged. log_stage_free (log_stage.h) at close */
    Follow *follow;         /* poller: NULL before the first poll */
    char scanned[LOG_POSITION_TEXT]; /* runner: L2 of the last scan without key (load.h), "" before one */
} MySql;

/* mariadb: the kind registered; kind.c sets base.kind behind it. */
int mysql_source_open(bool mariadb, const cJSON *options, const char *password, Beat beat, Source **ret, Error *error);
void mysql_source_close(Source *source);
int mysql_source_poll(Source *source, const cJSON *ask, cJSON **answer, Error *error);
int mysql_source_discover(Source *source, cJSON **answer, Error *error);
int mysql_source_split(Source *source, const cJSON *ask, cJSON **ret, Error *error);
int mysql_source_stage(Source *source, const cJSON *batches, Error *error);
int mysql_source_position_after(Source *source, char *ret, size_t size, Error *error);
int mysql_source_check(bool mariadb, const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error);

#endif
