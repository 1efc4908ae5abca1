/* failure.c - which errors of the servers and of libmariadb are worth another try, and what a person does about the
 * others */
#include "source/mysql/session.h"

#include <stdio.h>
#include <string.h>

typedef struct Known {
    unsigned number;
    ErrorKind kind;
    const char *hint;
} Known;

#define GRANTS "Grant what is missing: the statements are in the fix_sql of sluice.check_source."
#define GONE "The table or a column of it is gone or renamed: CALL sluice.refresh of the source."

/* Numbers: MySQL "Error message reference", MariaDB "Error codes", libmariadb's errmsg.h (2000 to 5999). What is not
 * listed needs a person. */
static const Known known[] = {
    {1044, ERROR_PERMANENT, GRANTS},
    {1045, ERROR_PERMANENT, "Check user and password of the source, the hosts that the user may come from, and, where it must come by TLS (REQUIRE SSL), that the server "
                                  "offers it: the step tls of sluice.check_source tells."},
    {1142, ERROR_PERMANENT, GRANTS},
    {1143, ERROR_PERMANENT, GRANTS},
    {1227, ERROR_PERMANENT, GRANTS},
    {1698, ERROR_PERMANENT, "Check user and password of the source, and the plugin that the user logs in with."},
    {1130, ERROR_PERMANENT, "The server takes no connection from this machine: create the user for its address."},
    {1129, ERROR_PERMANENT, "The server blocks this machine after failed connections: FLUSH HOSTS."},
    {1251, ERROR_PERMANENT,
     "The user logs in with a plugin this worker cannot speak: use caching_sha2_password, ed25519 or "
     "mysql_native_password."},
    {1820, ERROR_PERMANENT, "The user's password has expired: ALTER USER ... IDENTIFIED BY ..."},
    {1862, ERROR_PERMANENT, "The user's password has expired: ALTER USER ... IDENTIFIED BY ..."},
    {3118, ERROR_PERMANENT, "The account is locked: ALTER USER ... ACCOUNT UNLOCK."},
    {4151, ERROR_PERMANENT, "The account is locked: ALTER USER ... ACCOUNT UNLOCK."},
    {3159, ERROR_PERMANENT, "The server takes TLS connections only: use encryption 'require'."},
    {1373, ERROR_LOST, NULL},
    {1381, ERROR_PERMANENT, "The server writes no binary log: set log_bin and restart it."},
    {1049, ERROR_GONE, "The database is gone: CALL sluice.refresh of the source."},
    {1051, ERROR_GONE, GONE},
    {1054, ERROR_GONE, GONE},
    {1109, ERROR_GONE, GONE},
    {1146, ERROR_GONE, GONE},
    {1412, ERROR_TRANSIENT, NULL}, /* the table's definition has changed since the snapshot */
    {1021, ERROR_TRANSIENT, NULL},
    {1037, ERROR_TRANSIENT, NULL},
    {1038, ERROR_TRANSIENT, NULL},
    {1040, ERROR_TRANSIENT, "The server has no connection left: max_connections, max_user_connections."},
    {1041, ERROR_TRANSIENT, NULL},
    {1042, ERROR_TRANSIENT, NULL},
    {1043, ERROR_TRANSIENT, NULL},
    {1053, ERROR_TRANSIENT, NULL},
    {1077, ERROR_TRANSIENT, NULL},
    {1079, ERROR_TRANSIENT, NULL},
    {1080, ERROR_TRANSIENT, NULL},
    {1105, ERROR_TRANSIENT, NULL},
    {1135, ERROR_TRANSIENT, NULL},
    {1152, ERROR_TRANSIENT, NULL},
    {1158, ERROR_TRANSIENT, NULL},
    {1159, ERROR_TRANSIENT, NULL},
    {1160, ERROR_TRANSIENT, NULL},
    {1161, ERROR_TRANSIENT, NULL},
    {1184, ERROR_TRANSIENT, NULL},
    {1203, ERROR_TRANSIENT, "The user has no connection left: max_user_connections."},
    {1205, ERROR_TRANSIENT, NULL},
    {1213, ERROR_TRANSIENT, NULL},
    {1226, ERROR_TRANSIENT,
     "The user has used up what it may have in an hour: ALTER USER ... WITH MAX_QUERIES_PER_HOUR 0."},
    {1297, ERROR_TRANSIENT, NULL},
    {1317, ERROR_TRANSIENT, NULL},
    {1614, ERROR_TRANSIENT, NULL},
    {1637, ERROR_TRANSIENT, NULL},
    {1836, ERROR_TRANSIENT, NULL},
    {1927, ERROR_TRANSIENT, NULL},
    {1969, ERROR_TRANSIENT, NULL},
    {2000, ERROR_TRANSIENT, NULL},
    {2002, ERROR_TRANSIENT, "Check host and port of the source."},
    {2003, ERROR_TRANSIENT, "Check host and port of the source."},
    {2005, ERROR_TRANSIENT, "Check the option host of the source and this machine's name resolution."},
    {2006, ERROR_TRANSIENT, NULL},
    {2008, ERROR_TRANSIENT, NULL},
    {2012, ERROR_TRANSIENT, NULL},
    {2013, ERROR_TRANSIENT, NULL},
    {2014, ERROR_INTERNAL, NULL},
    {2026, ERROR_PERMANENT,
     "Compare ca_file and the host name with the server's certificate; sluice.check_source shows the step that fails."},
    {2027, ERROR_TRANSIENT, NULL},
    {2055, ERROR_TRANSIENT, NULL},
    {2059, ERROR_PERMANENT,
     "The user logs in with a plugin this worker has not: use caching_sha2_password, ed25519 or "
     "mysql_native_password."},
    {5013, ERROR_PERMANENT, "The user's plugin sends the password as it is: set a ca_file, or use another plugin."},
    {3024, ERROR_TRANSIENT, NULL},
    {3168, ERROR_TRANSIENT, NULL},
    {3169, ERROR_TRANSIENT, NULL},
    {4031, ERROR_TRANSIENT, NULL},
};

typedef struct Text {
    const char *part; /* of the server's message */
    ErrorKind kind;
    const char *hint;
} Text;

#define PURGED                                                                                                         \
    "The server has removed binary logs that were not read yet: the tables are loaded again; let it keep them longer " \
    "(binlog_expire_logs_seconds)."
#define AHEAD                                                                                                          \
    "The server knows less than was read from it: a restore, RESET MASTER or a failover; the tables are loaded again."
#define OTHER_LOG                                                                                                      \
    "At the place where reading goes on the server has another log (RESET MASTER, a restore), or a damaged one; the "  \
    "tables are loaded again."
#define DIVERGED                                                                                                       \
    "The server's history is not the one that was read: another primary, or writes on both sides of a failover. "      \
    "sluice.resync_source loads anew."

/* Error 1236 carries what the dump thread found as text (both servers, sql_repl.cc and rpl_binlog_sender.cc). The first
 * part that fits counts. */
static const Text refused_dump[] = {
    {"purged binary logs containing GTIDs", ERROR_LOST, PURGED},
    {"purged required binary logs", ERROR_LOST, PURGED},
    {"required binlog files have been purged", ERROR_LOST, PURGED},
    {"Could not find first log file name in binary log index file", ERROR_LOST, PURGED},
    {"Could not find target log", ERROR_LOST, PURGED},
    {"has more GTIDs than the", ERROR_REWOUND, AHEAD},
    {"from position > file size", ERROR_REWOUND, AHEAD},
    {"impossible position", ERROR_REWOUND, AHEAD},
    {"bogus data in log event", ERROR_REWOUND, OTHER_LOG},
    {"truncated in the middle of event", ERROR_REWOUND, OTHER_LOG},
    {"slave has diverged", ERROR_PERMANENT, DIVERGED},
    {"the replica has diverged", ERROR_PERMANENT, DIVERGED},
    {"alternate history", ERROR_PERMANENT, DIVERGED},
    {"which is not in the master's binlog", ERROR_REWOUND, AHEAD},
    {"same server_uuid/server_id", ERROR_TRANSIENT,
     "Another reader has this one's server id; the next try draws another."},
    {"same server_uuid", ERROR_TRANSIENT, "Another reader has this one's server id; the next try draws another."},
    {"same server id", ERROR_TRANSIENT, "Another reader has this one's server id; the next try draws another."},
    {"log event entry exceeded max_allowed_packet", ERROR_PERMANENT,
     "Set max_allowed_packet and slave_max_allowed_packet of the server to 1073741824. Where they are, another log "
     "stands at this place: sluice.resync_source loads anew."},
    {"anonymous", ERROR_PERMANENT,
     "The log holds transactions without GTID: SET GLOBAL gtid_mode = ON on the server, then sluice.resync_source."},
    {"Binary log is not open", ERROR_PERMANENT, "The server writes no binary log: set log_bin and restart it."},
    /* A log taken away in mid-stream (RESET MASTER): the next connection is told what became of it. */
    {"could not find next log", ERROR_TRANSIENT, NULL},
    {"I/O error reading log event", ERROR_TRANSIENT, NULL},
    {"binlog checksum", ERROR_TRANSIENT, NULL},
    {"event read from binlog did not pass crc check", ERROR_PERMANENT,
     "A binary log of the server is damaged; sluice.resync_source loads anew."},
};

/* libmariadb has one number for all of TLS; these are a server that goes away while it shakes hands. */
static const char *const tls_cut[] = {"unexpected eof", "reset by peer", "broken pipe", "error: success", "timed out"};

static bool tls_is_cut(unsigned number, const char *text)
{
    for (size_t i = 0; number == 2026 && i < sizeof tls_cut / sizeof tls_cut[0]; i++) {
        if (strcasestr(text, tls_cut[i]))
            return true;
    }
    return false;
}

static void classify(unsigned number, const char *text, ErrorKind *kind, const char **hint)
{
    *kind = tls_is_cut(number, text) ? ERROR_TRANSIENT : ERROR_PERMANENT;
    *hint = NULL;
    if (*kind == ERROR_TRANSIENT)
        return;
    if (number == 2026 && strcasestr(text, "server does not support")) {
        *hint = "The server offers no TLS: give it a certificate (ssl_cert, ssl_key), or the source \"encryption\": \"request\" or \"off\".";
        return;
    }
    if (number == 1236) {
        for (size_t i = 0; i < sizeof refused_dump / sizeof refused_dump[0]; i++) {
            if (strcasestr(text, refused_dump[i].part)) {
                *kind = refused_dump[i].kind;
                *hint = refused_dump[i].hint;
                return;
            }
        }
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].number == number) {
            *kind = known[i].kind;
            *hint = known[i].hint;
        }
    }
}

int session_refused(Session *session, unsigned number, const char *text, const char *what, Error *error)
{
    ErrorKind kind;
    const char *hint;
    char code[16];

    classify(number, text, &kind, &hint);
    snprintf(code, sizeof code, "%u", number);
    return error_set_code(error, kind, code, hint, "%s: %.160s: error %u: %s", session->target, what, number, text);
}

int session_failed(Session *session, const char *what, Error *error)
{
    unsigned number = mysql_errno(session->mysql);

    if (session->interrupted)
        return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop while reading from %s", session->target);
    if (session->late)
        return error_set_code(error, ERROR_TRANSIENT, "timeout",
                              "The limits are query_timeout and login_timeout of the source.",
                              "%s: %.160s: no answer in the time it may take", session->target, what);
    if (number == 0)
        return error_set(error, ERROR_TRANSIENT, NULL, "%s: %.160s: failed without a message", session->target, what);
    return session_refused(session, number, mysql_error(session->mysql), what, error);
}
