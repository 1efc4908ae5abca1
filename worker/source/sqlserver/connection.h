/*
 * connection.h - one DB-Library connection to one SQL Server database.
 *
 * Facts (FreeTDS 1.3.17, facts from its source and from runs against it): TDS 7.4 must be pinned, or the login
 * timeout is not honoured; encryption and CA options exist only in the configuration file, so each login writes
 * a private one; an error in mid-result looks like the end of the rows, so the handlers keep the first message
 * above severity 10 here and statement.h looks at it; a query that timed out leaves the connection dead.
 *
 * DB-Library forces three things on a process: the two handlers, the login time and the configuration file's
 * name are process-wide. They are set just before each login. During a login no user data can be attached, which is
 * why connection.c keeps one pointer to the connection being opened. One thread only.
 */
#ifndef SLUICE_SQLSERVER_CONNECTION_H
#define SLUICE_SQLSERVER_CONNECTION_H

#include "source/source.h"
#include <sybdb.h>

typedef enum Encryption { ENCRYPTION_OFF, ENCRYPTION_REQUEST, ENCRYPTION_REQUIRE } Encryption;

/* What `options` of a source says, checked. Strings belong to the JSON. */
typedef struct LoginOptions {
    const char *host;
    const char *instance; /* a named instance, found by the server's browser service; NULL = port */
    int port;
    const char *database;
    const char *user;
    Encryption encryption;
    const char *ca_file;
    bool check_hostname;
    bool read_only;
    int packet_size;
    bool kerberos;
    const char *principal;
    bool ntlm;
    int login_timeout_s;
    int query_timeout_s;
    int lock_timeout_ms;
} LoginOptions;

typedef struct Connection {
    DBPROCESS *process;
    Beat beat;
    int64_t beaten_ms; /* monotonic */
    Error failure;     /* the first error since connection_forget */
    bool failed;
    bool interrupted;
    bool unconvertible; /* characters were replaced: the value that came is not the one stored */
    bool dead;
    char target[200]; /* "host:port/database", for messages */
} Connection;

/* ERROR_PERMANENT with a hint for an option that is missing, malformed or out of reach (encryption strict). */
int login_options_read(const cJSON *options, LoginOptions *ret, Error *error);
/* The text of the private configuration file; section "sluice". */
int login_configuration(const LoginOptions *options, Buffer *ret, Error *error);

int connection_open(Connection *connection, const LoginOptions *options, const char *password, Beat beat,
                    Error *error);
void connection_close(Connection *connection);
/* Calls the beat if a second has passed; ERROR_INTERRUPTED if it says stop. For loops that do not wait. */
int connection_beat(Connection *connection, Error *error);
/* A batch of SET statements, which no sp_executesql may send: their effect would end with it. */
int connection_batch(Connection *connection, const char *text, Error *error);
void connection_forget(Connection *connection);
/* 0 if nothing went wrong since connection_forget, else -1 with what did. */
int connection_sound(Connection *connection, Error *error);

/* A server message as an Error: kind, code, hint. `what` is the object in question or NULL. */
void message_classify(int number, int severity, const char *text, Error *ret);

#endif
