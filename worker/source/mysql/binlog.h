/*
 * binlog.h - the binary log as a stream of transactions.
 *
 * A Binlog owns a connection of its own, which says who it is (server id drawn at random above 2^30, so that no replica shares it),
 * asks for checksums, heartbeats and (MariaDB) capability 4, and streams with COM_BINLOG_DUMP, or COM_BINLOG_DUMP_GTID on MySQL. What a consumer
 * gets is free of transport: rotation, format description, checksums (verified), heartbeats, compressed events (MariaDB 165 to 171) and transaction
 * payloads (MySQL 40, zstd) are done with here. INCIDENT, PARTIAL_UPDATE_ROWS and any event unknown to us whose "ignorable" flag is not
 * set are errors: nothing is ever skipped in silence.
 */
#ifndef SLUICE_MYSQL_BINLOG_H
#define SLUICE_MYSQL_BINLOG_H

#include "source/mysql/gtid.h"
#include "source/mysql/position.h"
#include "source/mysql/session.h"

typedef enum BinlogType {
    BINLOG_TABLE_MAP,   /* data: the event's body behind the common header, without checksum */
    BINLOG_ROWS,        /* the same; `code` 23-25 (v1) or 30-32 (v2): write, update, delete; uncompressed */
    BINLOG_STATEMENT,   /* a QUERY that is no transaction control: data = its text, database = its default database. DDL, or DML in statement form */
    BINLOG_COMMIT,      /* the group is whole, binlog_position() and binlog_gtid() include it. Follows DDL too */
    BINLOG_ROLLBACK,    /* the group ended by ROLLBACK: its rows in transactional tables do not count. Position and GTID include it. Also where a file
                         ends in mid-group, which its server crashed in: the position includes it, the GTID does not (another group gets it) */
    BINLOG_SAVEPOINT,   /* ROLLBACK TO SAVEPOINT inside a group: rows before it may not count */
    BINLOG_PREPARE,     /* the group ended by XA PREPARE: its rows count when (and where) its XA_COMMIT comes. data = xid,
                         printable ASCII and the same text in all three: it travels in marks (say, the X'..',X'..',n of XA COMMIT) */
    BINLOG_XA_COMMIT,   /* data = xid; `begin` of the prepared group is the consumer's to remember. A COMMIT item follows */
    BINLOG_XA_ROLLBACK,
    BINLOG_IDLE         /* nothing came within wait_ms, or a heartbeat (one a second) said that we are at the end. A stream sought by GTID gives its first when
                         its place is known: before, binlog_position may be that of the file's begin */
} BinlogType;

typedef struct BinlogItem {
    BinlogType type;
    uint8_t code;
    LogPosition begin;    /* where the item's group begins: reading from there gives the whole group again */
    LogPosition end;      /* behind the event; inside a payload: behind the payload */
    uint64_t inner;       /* number of the event in its payload, 0 elsewhere */
    bool xa;              /* the group began with XA START (MariaDB: its GTID says that it is prepared): whether and where its rows count is known at
                             its end only, a COMMIT (XA COMMIT .. ONE PHASE) or a PREPARE */
    int64_t commit_us;    /* of the group, UTC: MySQL's commit timestamp, else the seconds of its GTID or first event; INT64_MIN = unknown */
    const uint8_t *data;  /* valid until the next call */
    size_t length;
    const char *database; /* STATEMENT, 0-terminated */
} BinlogItem;

typedef struct Binlog Binlog;

typedef struct BinlogStart {
    const char *file;   /* name and offset of a group's begin or end (above 4 GiB the file is read from its begin and passed over); NULL with gtid: where the set ends; NULL without: the oldest there is */
    uint64_t offset;
    const char *gtid;   /* the set up to the start: with file it is only counted on; without, the server seeks it and proves the history */
} BinlogStart;

/* The session's net_write_timeout is a day: a consumer may take its time. wait_ms: how long binlog_next may wait before it gives BINLOG_IDLE. ERROR_LOST, ERROR_REWOUND as session_failed says, also later. */
int binlog_open(const SessionOptions *options, const char *password, Beat beat, const BinlogStart *start, int wait_ms, Binlog **ret, Error *error);
void binlog_close(Binlog *binlog);
int binlog_next(Binlog *binlog, const BinlogItem **ret, Error *error);

/* Behind the last whole group and what follows it that belongs to none (rotation, format description, GTID list): an idle log's position moves
 * on with its files. Before the first group: where the stream began. */
LogPosition binlog_position(const Binlog *binlog);
/* Name of the file of that position. */
const char *binlog_file(const Binlog *binlog);
/* When that file was begun, seconds UTC, as its format description says (also to who begins in mid-file); 0: not told yet. A file of the same
 * number with another time is of another log (RESET MASTER, a restore). */
uint32_t binlog_created(const Binlog *binlog);
/* The set up to that position; NULL where the server runs without GTIDs. */
const GtidSet *binlog_gtid(const Binlog *binlog);
/* True while a group has begun and is not whole: the stream must not be left for another reader here. */
bool binlog_in_group(const Binlog *binlog);

#endif
