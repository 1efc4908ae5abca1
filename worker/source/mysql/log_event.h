/*
 * log_event.h - events of a binary log: header, checksum, format description (MySQL internals, "Binlog Event"; both servers).
 */
#ifndef SLUICE_MYSQL_LOG_EVENT_H
#define SLUICE_MYSQL_LOG_EVENT_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_EVENT_HEADER 19
#define LOG_EVENT_CHECKSUM 4
#define LOG_EVENT_ARTIFICIAL 0x20 /* flag: made for this stream, stands in no file */
#define LOG_EVENT_IGNORABLE 0x80  /* flag: who does not know it may pass over it */

/* Types (MySQL binlog_event.h; MariaDB log_event.h from 160 on). */
typedef enum LogEventType {
    LOG_QUERY = 2,
    LOG_STOP = 3,
    LOG_ROTATE = 4,
    LOG_INTVAR = 5,
    LOG_APPEND_BLOCK = 9,
    LOG_DELETE_FILE = 11,
    LOG_RAND = 13,
    LOG_USER_VAR = 14,
    LOG_FORMAT = 15,
    LOG_XID = 16,
    LOG_BEGIN_LOAD = 17,
    LOG_EXECUTE_LOAD = 18,
    LOG_TABLE_MAP = 19,
    LOG_WRITE_ROWS_V1 = 23,
    LOG_DELETE_ROWS_V1 = 25,
    LOG_INCIDENT = 26,
    LOG_HEARTBEAT = 27,
    LOG_IGNORABLE = 28,
    LOG_ROWS_QUERY = 29,
    LOG_WRITE_ROWS = 30,
    LOG_DELETE_ROWS = 32,
    LOG_GTID = 33,
    LOG_ANONYMOUS_GTID = 34,
    LOG_PREVIOUS_GTIDS = 35,
    LOG_TRANSACTION_CONTEXT = 36,
    LOG_VIEW_CHANGE = 37,
    LOG_XA_PREPARE = 38,
    LOG_PARTIAL_UPDATE = 39,
    LOG_PAYLOAD = 40,
    LOG_HEARTBEAT_V2 = 41,
    LOG_TAGGED_GTID = 42,
    LOG_MARIADB_ANNOTATE = 160,
    LOG_MARIADB_CHECKPOINT = 161,
    LOG_MARIADB_GTID = 162,
    LOG_MARIADB_GTID_LIST = 163,
    LOG_MARIADB_START_ENCRYPTION = 164,
    LOG_MARIADB_QUERY_COMPRESSED = 165,
    LOG_MARIADB_WRITE_V1_COMPRESSED = 166,
    LOG_MARIADB_DELETE_V1_COMPRESSED = 168,
    LOG_MARIADB_WRITE_COMPRESSED = 169,
    LOG_MARIADB_DELETE_COMPRESSED = 171
} LogEventType;

typedef struct LogFormat {
    bool known;    /* a format description has come */
    bool checksum; /* events end in 4 bytes CRC32 */
    uint8_t post_header[256]; /* per type; 0 where the log's version has it not */
} LogFormat;

typedef struct LogEvent {
    uint32_t timestamp; /* seconds UTC, 0 = none */
    uint32_t server_id;
    uint32_t size;      /* in the log */
    uint32_t log_pos;   /* of its end, lower 32 bits; 0 = none */
    uint16_t flags;
    uint8_t type;
    const uint8_t *body; /* behind the header, without checksum; in the caller's bytes */
    size_t length;
} LogEvent;

/* One event, checksum verified where the format says that it has one. A format description becomes *format. Errors: ERROR_TRANSIENT for a wrong
 * checksum (the network's or the disk's: the next try tells), ERROR_INTERNAL for bytes that are no event. */
int log_event_parse(LogFormat *format, const uint8_t *data, size_t length, LogEvent *ret, Error *error);
/* The same for an event of a transaction payload, which has no checksum of its own. */
int log_event_parse_inner(const uint8_t *data, size_t length, LogEvent *ret, Error *error);

#endif
