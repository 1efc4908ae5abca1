/*
 * log_query.h - QUERY events: the statement, its database, and which statements are transaction control; names of XA transactions.
 */
#ifndef SLUICE_MYSQL_LOG_QUERY_H
#define SLUICE_MYSQL_LOG_QUERY_H

#include "source/mysql/log_event.h"

#define LOG_XID_TEXT 320 /* X'..',X'..',n of 2 * 64 bytes, with the 0 byte */

typedef enum QueryType {
    QUERY_OTHER,
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_ROLLBACK_TO,
    QUERY_SAVEPOINT, /* also RELEASE SAVEPOINT: nothing changes by it */
    QUERY_XA_START,
    QUERY_XA_END,
    QUERY_XA_PREPARE,
    QUERY_XA_COMMIT,
    QUERY_XA_COMMIT_ONE_PHASE,
    QUERY_XA_ROLLBACK
} QueryType;

typedef struct LogQuery {
    QueryType type;
    char database[257]; /* "" = none */
    const uint8_t *text; /* in the event, or in the scratch of the caller where it was compressed */
    size_t length;
    char xid[LOG_XID_TEXT]; /* of the XA statements, in the form of log_xid_text */
} LogQuery;

/* Where text begins in `body` and the database, of QUERY, EXECUTE_LOAD and (text still compressed) MariaDB's QUERY_COMPRESSED. */
int log_query_parse(const LogFormat *format, const LogEvent *event, LogQuery *ret, Error *error);
/* Fills type and xid from text. */
void log_query_classify(LogQuery *query);
/* "X'6162',X'',1": lower-case hex; the name by which PREPARE and COMMIT of one transaction are joined. data: gtrid, then bqual. */
int log_xid_text(uint32_t format_id, const uint8_t *data, size_t gtrid, size_t bqual, char ret[LOG_XID_TEXT]);

#endif
