/*
 * session.h - one libmariadb connection to one MySQL or MariaDB server: login, TLS, statements, errors.
 *
 * Logins and statements use libmariadb's non-blocking calls (mysql_*_start and _cont; MariaDB Connector/C, "Non-blocking API"): each wait is
 * a poll() of ours of at most a second, between two calls of `beat`. A statement may take query_timeout_s in all; one that does not come to its
 * end, or is left because `beat` said so, ends its connection, and the server is asked to end it too (KILL). Names are resolved by the machine's
 * resolver, and TLS is agreed by OpenSSL: these two wait by themselves, the latter login_timeout at most.
 * Every session begins with: SET NAMES utf8mb4, time_zone '+00:00', sql_mode NO_BACKSLASH_ESCAPES, autocommit, READ COMMITTED, no statement time limit
 * of the server, net_write_timeout of a day (who reads a large result may take a pause), lock_wait_timeout of query_timeout_s.
 * LOAD DATA LOCAL is off. Plugins that send the password as it is are allowed behind a verified certificate only, and a server without TLS
 * never gets it in the clear: libmariadb 3.3 would, once TLS was asked for (see on_traffic in session.c).
 * No password is ever part of an Error.
 */
#ifndef SLUICE_MYSQL_SESSION_H
#define SLUICE_MYSQL_SESSION_H

#include "base/beat.h"
#include "base/buffer.h"
#include "base/json.h"
#include "source/mysql/packet.h"
#include <mariadb/mysql.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum SessionTls { SESSION_TLS_OFF, SESSION_TLS_REQUEST, SESSION_TLS_REQUIRE } SessionTls;

typedef struct SessionOptions {
    const char *host;
    int port;
    const char *user;
    SessionTls tls;         /* request: TLS where the server offers it, not verified */
    const char *ca_file;    /* NULL: not verified; "system": the machine's list. Makes `tls` require */
    bool check_hostname;
    int login_timeout_s, query_timeout_s;
    bool load_lock;         /* without GTID: a read lock for the moment in which a load's position is read */
    bool mariadb;           /* the kind registered; a server of the other kind is refused with a hint */
} SessionOptions;

typedef struct Session {
    MYSQL *mysql;           /* NULL: closed */
    SessionOptions options; /* its strings belong to the caller, who keeps them as long as the session */
    Beat beat;
    int64_t beaten_ms;
    unsigned unbeaten;      /* packets */
    bool interrupted;       /* beat said stop */
    bool late;              /* the time of a statement or login was up */
    PacketBuffer packets;
    int query_timeout_s;
    bool mariadb;
    unsigned long version;  /* 101119 = 10.11.19, 90700 = 9.7.0 */
    char server[64];        /* as the server names its version */
    char target[300];       /* "host:port", for messages */
} Session;

/* ERROR_PERMANENT with a hint for an option that is missing or malformed. Strings belong to `options`. ret->mariadb is the caller's and stays. */
int session_options_read(const cJSON *options, SessionOptions *ret, Error *error);
int session_open(Session *session, const SessionOptions *options, const char *password, Beat beat, Error *error);
void session_close(Session *session);

/* A statement whose result, if any, is thrown away. */
int session_run(Session *session, const char *text, Error *error);
/* A statement with a small result, held whole in memory; caller: mysql_free_result. ERROR_INTERNAL where it has none. */
int session_select(Session *session, const char *text, MYSQL_RES **ret, Error *error);
/* The first column of the first row as text, malloc'ed; NULL for SQL NULL or no row. */
int session_value(Session *session, const char *text, char **ret, Error *error);
/* `value` quoted for a statement: 'it''s'. Never for user data that may hold another character set: the session's is utf8mb4. A 0 byte is refused. */
int session_quote(Buffer *text, const char *value, size_t length, Error *error);
/* `name` quoted as an identifier: `a``b`. */
int session_name(Buffer *text, const char *name, Error *error);

/* What libmariadb just reported, as an Error: kind, code (the server's number), message with `what`, hint. Always -1.
 * 1236 tells by its text whether the log was purged (ERROR_LOST), holds less than we know (ERROR_REWOUND) or another history
 * (ERROR_PERMANENT); a clash of server ids is ERROR_TRANSIENT. */
int session_failed(Session *session, const char *what, Error *error);
/* The same for an error packet that came instead of an event: number, text. */
int session_refused(Session *session, unsigned number, const char *text, const char *what, Error *error);
/* Sends a command (COM_QUERY, COM_BINLOG_DUMP, ..) whose answer is then read with session_packet, to its last packet. */
int session_command(Session *session, unsigned char command, const void *data, size_t length, Error *error);
/* Raw packets: the next one and its length; *data belongs to the connection until the next call.
 * 1 = a packet, 0 = nothing came for wait_ms, -1. The first byte of an error packet is 0xff, of EOF 0xfe: the caller's to judge
 * (session_refused). Behind a -1 the connection is of no more use. */
int session_packet(Session *session, int wait_ms, const uint8_t **data, size_t *length, Error *error);
/* Calls beat if that was a second ago: ERROR_INTERRUPTED when it says stop. */
int session_beat(Session *session, Error *error);

#endif
