/*
 * log_stream.h - the runner's one stream of the log: rows that count, where they stand, over ranges that follow one another.
 *
 * What transactions mean is done with here. Rows of a group come as they stand in the log; those of a prepared XA transaction come when its XA COMMIT
 * does, read again from where they were prepared by a second, short stream (nothing is buffered), and stand at the XA COMMIT, numbered by event. A
 * group that was undone in part or as a whole (ROLLBACK, ROLLBACK TO SAVEPOINT; in the log only where it changed a table without transactions too) says so behind its
 * rows: which of them count cannot be told.
 *
 * The stream stays open behind a range: the next one mostly begins there. Where it does not, or where the server has ended the stream meanwhile
 * (net_write_timeout, KILL), it is opened again at the range's mark, after a look whether this is still the server, and the history, that the
 * poll saw.
 */
#ifndef SLUICE_MYSQL_LOG_STREAM_H
#define SLUICE_MYSQL_LOG_STREAM_H

#include "source/mysql/mysql.h"

#define LOG_XA_MAX 100000      /* transactions prepared and not ended that are remembered */
#define LOG_QUIET_MS 30000     /* the log is at its end before the range is: how long it may be so */

typedef enum LogItemType {
    LOG_MAP,       /* data: a table map */
    LOG_ROWS,      /* data: a rows event */
    LOG_GROUP_END, /* table maps hold no longer */
    LOG_UNDONE     /* rows of this group may not count */
} LogItemType;

typedef struct LogItem {
    LogItemType type;
    uint8_t code;
    LogPosition at;      /* rows: where they stand, above range.from */
    uint64_t inner;
    int64_t commit_us;
    const uint8_t *data; /* valid until the next call */
    size_t length;
} LogItem;

typedef struct LogRange {
    LogPosition from, to;
    const cJSON *mark; /* where reading is taken up (control/README.md), at or below `from`; outlives the range's reading */
} LogRange;

typedef struct LogStream LogStream;

/* `from`, `to` and `mark` of a claimed batch; `ret` borrows from it. */
int log_range_of(const cJSON *batch, LogRange *ret, Error *error);
/* Sets source->stream to the range: the stream that is there goes on where it can. */
int log_stream_begin(MySql *source, const LogRange *range, Error *error);
/* 1 = an item, 0 = the range is at its end. ERROR_TRANSIENT where the server is another one, or its log is not the one that a poll has seen: what became of
 * it is the poll's to say. */
int log_stream_next(LogStream *stream, LogItem *ret, Error *error);
/* NULL is allowed. */
void log_stream_close(LogStream *stream);

#endif
