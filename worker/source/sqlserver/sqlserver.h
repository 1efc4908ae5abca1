/*
 * sqlserver.h - what the files of this room share: the source, its statement in use, and texts.
 *
 * FreeTDS offers no MARS to DB-Library: one statement is open on the connection at a time. A reader may be in the
 * middle of one when somebody else (verify, a re-read, the next reader) needs the connection: sqlserver_connection()
 * then cancels it, and the reader goes on by keyset behind its last row.
 */
#ifndef SLUICE_SQLSERVER_H
#define SLUICE_SQLSERVER_H

#include "source/kind.h"
#include "source/sqlserver/lsn.h"
#include "source/sqlserver/statement.h"

#define TEXT_MAX MIB(4) /* a statement: 1024 columns with names of 128 characters, or a probe of 250 instances */

typedef struct SqlServer {
    Source base;
    Connection connection;
    Statement *open;          /* of a reader, NULL = the connection is free */
    int utc_offset_minutes;   /* of the server when the connection was opened, then of each poll */
    char probed_at[LSN_TEXT]; /* the captured maximum of the last probe that failed nowhere, "" = none yet */
    char *probed;             /* the instances of that probe, as text; malloc'ed */
    int64_t text_size;        /* SET TEXTSIZE in force, 0 = the one of the login (no limit) */
    bool statistics_refused;  /* sys.dm_cdc_log_scan_sessions is not ours to read */
} SqlServer;

/* The connection, free for a statement. */
Connection *sqlserver_connection(SqlServer *server);

/* "[a]]b]" */
int text_name(Buffer *text, const char *name, Error *error);
/* "[schema].[table]" */
int text_table(Buffer *text, const char *schema, const char *table, Error *error);
/* "[cdc].[instance_CT]" */
int text_change_table(Buffer *text, const char *instance, Error *error);

int sqlserver_open(const cJSON *options, const char *password, Beat beat, Source **ret, Error *error);
void sqlserver_close(Source *source);
/* encrypt_option of our connection (sys.dm_exec_connections): "TRUE", "FALSE", or "" where VIEW SERVER STATE is not granted. */
void sqlserver_encrypt_option(SqlServer *server, char word[64]);
int sqlserver_poll(Source *source, const cJSON *ask, cJSON **answer, Error *error);
int sqlserver_discover(Source *source, cJSON **answer, Error *error);
int sqlserver_split(Source *source, const cJSON *ask, cJSON **ret, Error *error);
int sqlserver_position(Source *source, char *ret, size_t size, Error *error);
int sqlserver_position_after(Source *source, char *ret, size_t size, Error *error);
int sqlserver_read(Source *source, const ReadSpec *spec, Reader **ret, Error *error);
int sqlserver_next(Reader *reader, const ColumnBatch **ret, Error *error);
int sqlserver_verify(Reader *reader, Error *error);
const char *sqlserver_reader_position(const Reader *reader);
int sqlserver_last_key(const Reader *reader, cJSON **ret, Error *error);
void sqlserver_reader_close(Reader *reader);
int sqlserver_check(const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error);

#endif
