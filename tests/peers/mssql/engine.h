/*
 * engine.h - what the wire (TDS) asks of the engine (T-SQL on top of PostgreSQL), and nothing more.
 *
 * The wire owns sockets, packets, TLS, login records, tokens and byte-level faults; the engine owns sessions,
 * statements, storage, the catalogue and the capture job.  One process (fork per connection) has one Session.
 */
#ifndef MSSQL_ENGINE_H
#define MSSQL_ENGINE_H

#include "type.h"
#include <stdbool.h>

typedef struct Session Session;

typedef struct LoginRequest {
    const char *user, *password, *database, *application, *host; /* UTF-8 */
    bool read_only_intent;
} LoginRequest;

typedef struct ResultColumn {
    char name[129];
    TypeInfo type;
    bool nullable;
} ResultColumn;

typedef struct ResultValue {
    const uint8_t *data; /* NULL = SQL NULL */
    size_t length;
} ResultValue;

/* Where a statement's answer goes. Each returns 0, or -1 when the client is gone or has sent an attention:
 * the engine then stops the statement and returns. */
typedef struct ResultSink {
    void *context;
    int (*columns)(void *context, const ResultColumn *columns, int count);
    int (*row)(void *context, const ResultValue *values, int count);
    /* End of one statement. has_count is false for SET, DDL and the like. more: another statement follows. */
    int (*done)(void *context, uint64_t rows, bool has_count, bool more);
    int (*message)(void *context, const SqlError *error, int line); /* severity <= 10: INFO, else ERROR */
    int (*database)(void *context, const char *old_name, const char *new_name); /* USE: ENVCHANGE 1 + INFO 5701 */
    int (*poll)(void *context); /* for waits (WAITFOR, a lock): sends what is gathered; -1 as above */
} ResultSink;

/* One parameter of sp_executesql as it came on the wire. */
typedef struct Parameter {
    char name[129]; /* with the @ */
    TypeInfo type;
    const uint8_t *data; /* NULL = SQL NULL */
    size_t length;
} Parameter;

/* Opens the backing PostgreSQL (conninfo) and logs the user in; error 18456 (wrong login) or 4060 (database) in *error. */
int session_open(const char *conninfo, const LoginRequest *request, Session **ret, SqlError *error);
const char *session_database(const Session *session);
/* Runs a batch. declaration is sp_executesql's "@a bigint, @b nvarchar(20)" or NULL. A statement that failed has been
 * told to the sink as a message; the return value is 0 unless the session can no longer be used. */
int session_batch(Session *session, const char *sql_utf8, const char *declaration, const Parameter *parameters, int count,
                  const ResultSink *sink);
void session_close(Session *session); /* rolls back what is open */

/* Creates what the engine keeps in an empty PostgreSQL database (idempotent). login/password: the first sysadmin login. */
int engine_install(const char *conninfo, const char *login, const char *password, SqlError *error);
/* The capture job's loop (all databases): one call = one scan cycle, cleanup and idle rows as due. interval settings live in
 * the engine's own settings table so that tests can change them while it runs. */
int engine_capture_cycle(const char *conninfo, SqlError *error);

#endif
