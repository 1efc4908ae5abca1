/*
 * log_group.h - what begins a group of a log: its GTID, its time, whether it is prepared (MySQL control_events.h, "Gtid_event"; MariaDB
 * log_event.h, "Gtid_log_event").
 */
#ifndef SLUICE_MYSQL_LOG_GROUP_H
#define SLUICE_MYSQL_LOG_GROUP_H

#include "source/mysql/gtid.h"
#include "source/mysql/log_event.h"
#include "source/mysql/log_query.h"

typedef struct LogGroup {
    bool numbered;   /* has a GTID */
    bool standalone; /* MariaDB: one event follows and no commit. MySQL tells by its first event */
    bool prepared;   /* MariaDB: ends in XA PREPARE */
    bool completed;  /* MariaDB: is an XA COMMIT or XA ROLLBACK */
    bool quiet;      /* MariaDB, binlog_alter_two_phase: an ALTER that has only begun, or failed: no change of a table */
    uint32_t domain, server;
    uint64_t number;
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1];
    int64_t commit_us; /* INT64_MIN = unknown */
    char xid[LOG_XID_TEXT];
} LogGroup;

/* Of a GTID event of any of the types. */
int log_group_parse(const LogEvent *event, LogGroup *ret, Error *error);

#endif
