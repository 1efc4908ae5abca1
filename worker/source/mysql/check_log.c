/* check_log.c - what capture needs of the server's settings, each with the statement that mends it */
#include "source/mysql/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SET_PERSIST 80000 /* MySQL from 8.0 on keeps what SET PERSIST sets */
#define DAY_S 86400.0

typedef struct Settings {
    Check *check;
    MySql *source;
    cJSON *values; /* global variables by name in lower case */
    bool rds;      /* Amazon RDS: settings are a parameter group's, the log's retention a procedure's */
} Settings;

static int settings_read(Settings *settings, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;

    if (session_select(&settings->source->session,
                       "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'server_id', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata', "
                       "'binlog_row_value_options', 'gtid_mode', 'expire_logs_days', 'binlog_expire_logs_seconds', 'log_slave_updates', "
                       "'log_replica_updates', 'binlog_storage_engine', 'basedir')",
                       &rows, error) < 0)
        return -1;
    settings->values = cJSON_CreateObject();
    while ((row = mysql_fetch_row(rows))) {
        if (row[0] && row[1])
            cJSON_AddStringToObject(settings->values, row[0], row[1]);
    }
    mysql_free_result(rows);
    settings->rds = strncmp(json_text(settings->values, "basedir", ""), "/rdsdbbin", 9) == 0;
    return 0;
}

/* The statement that sets a variable for good, as far as this server can. A number stands without quotes. */
static void fix_text(const Settings *settings, const char *name, const char *value, char *ret, size_t size)
{
    const char *quote = *value && strspn(value, "0123456789") == strlen(value) ? "" : "'";

    if (settings->rds)
        snprintf(ret, size, "-- in the instance's DB parameter group: %s = %s", name, value);
    else if (!settings->source->session.mariadb && settings->source->session.version >= SET_PERSIST)
        snprintf(ret, size, "SET PERSIST %s = %s%s%s;", name, quote, value, quote);
    else
        snprintf(ret, size, "SET GLOBAL %s = %s%s%s; -- and in the server's configuration: %s = %s", name, quote, value, quote, name, value);
}

static void step_log_bin(const Settings *settings)
{
    const char *value = json_text(settings->values, "log_bin", "OFF"), *engine = json_text(settings->values, "binlog_storage_engine", "");

    if (*engine) {
        check_step(settings->check, "log_bin", "binlog_storage_engine", false, CHECK_ERROR, engine,
                   "a log of files: one inside InnoDB has neither names nor offsets", "-- in the server's configuration: remove binlog_storage_engine; restart it");
        return;
    }
    check_step(settings->check, "log_bin", settings->check->host, strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0, CHECK_ERROR, value, "ON",
               settings->rds ? "-- turn on automated backups of the instance (retention of a day at least): RDS logs only then"
                             : "-- in the server's configuration: log_bin = mysql-bin; restart it");
}

static void step_server_id(const Settings *settings)
{
    const char *value = json_text(settings->values, "server_id", "0");

    check_step(settings->check, "server_id", settings->check->host, strcmp(value, "0") != 0, CHECK_ERROR, value,
               "another number than 0: a server without one takes no reader", "SET GLOBAL server_id = 1; -- and in the server's configuration");
}

/* A setting that must have one value. absent: NULL = a server without it is fine. */
static void step_setting(const Settings *settings, const char *name, const char *value, CheckSeverity severity, const char *absent, const char *wanted)
{
    const char *found = json_text(settings->values, name, absent);
    char fix[300];

    fix_text(settings, name, value, fix, sizeof fix);
    check_step(settings->check, name, settings->check->host, !found || strcasecmp(found, value) == 0, severity, found ? found : "not known to this version",
               wanted, fix);
}

static void step_metadata(const Settings *settings)
{
    const char *found = json_text(settings->values, "binlog_row_metadata", NULL);
    char fix[300];

    fix_text(settings, "binlog_row_metadata", "FULL", fix, sizeof fix);
    check_step(settings->check, "binlog_row_metadata", settings->check->host, found && strcasecmp(found, "FULL") == 0, CHECK_WARNING,
               found ? found : "not known to this version",
               "FULL: the log then names its columns. Without, they come from the catalogue after each DDL, and a table that is altered faster than it is read stops",
               found ? fix : "-- MySQL 8.0.1 and MariaDB 10.5 are the first that know binlog_row_metadata");
}

static void step_gtid(const Settings *settings)
{
    const char *mode = json_text(settings->values, "gtid_mode", "OFF");
    bool lock = settings->source->options.load_lock;

    if (settings->source->session.mariadb) {
        check_step(settings->check, "gtid", settings->check->host, true, CHECK_INFO, "always on", NULL, NULL);
        return;
    }
    check_step(settings->check, "gtid", settings->check->host, strcasecmp(mode, "ON") == 0, lock ? CHECK_WARNING : CHECK_ERROR, mode,
               lock ? "ON: without, each load takes a read lock for a moment and a failover loads anew"
                    : "ON, or the option load_lock of the source, with which a load takes a read lock for a moment",
               settings->rds ? "-- in the instance's DB parameter group: gtid-mode = ON, enforce_gtid_consistency = ON"
                             : "SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; SET "
                               "PERSIST gtid_mode = ON;");
}

/* Hours from mysql.rds_configuration; NULL there: RDS purges as soon as it may. -1: not told. */
static int rds_hours(const Settings *settings, double *ret, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int got = check_ask(settings->source, "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'", &rows, error);

    *ret = 0;
    if (got < 0)
        return -1;
    if (got > 0)
        return 0;
    row = mysql_fetch_row(rows);
    if (row && row[0])
        *ret = strtod(row[0], NULL);
    mysql_free_result(rows);
    return 0;
}

static int step_retention(const Settings *settings, Error *error)
{
    double seconds = strtod(json_text(settings->values, "binlog_expire_logs_seconds", "0"), NULL);
    bool forever, has_seconds = json_member(settings->values, "binlog_expire_logs_seconds") != NULL;
    char fix[200], found[80];

    if (seconds == 0)
        seconds = strtod(json_text(settings->values, "expire_logs_days", "0"), NULL) * DAY_S;
    forever = seconds == 0;
    if (settings->rds) {
        if (rds_hours(settings, &seconds, error) < 0)
            return -1;
        seconds *= 3600;
        forever = false;
        snprintf(fix, sizeof fix, "CALL mysql.rds_set_configuration('binlog retention hours', 72);");
    } else {
        fix_text(settings, has_seconds ? "binlog_expire_logs_seconds" : "expire_logs_days", has_seconds ? "259200" : "3", fix, sizeof fix);
    }
    if (forever)
        snprintf(found, sizeof found, "never removed");
    else
        snprintf(found, sizeof found, "%.0f hours", seconds / 3600);
    check_step(settings->check, "retention", settings->check->host, forever || seconds >= DAY_S, CHECK_WARNING, found,
               "24 hours at least: what a pause of capture may last", fix);
    return 0;
}

static int step_filter(const Settings *settings, Error *error)
{
    const Session *session = &settings->source->session;
    bool renamed = !session->mariadb && session->version >= 80200;
    char found[600] = "none";
    MYSQL_RES *rows;
    MYSQL_ROW row;
    bool filtered = false;
    int got = check_ask(settings->source, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", &rows, error);

    if (got < 0)
        return -1;
    if (got > 0) {
        check_skip(settings->check, "binlog_filter", settings->check->host); /* the step rights tells what is missing */
        return 0;
    }
    row = mysql_fetch_row(rows);
    if (row && mysql_num_fields(rows) > 3) {
        filtered = (row[2] && *row[2]) || (row[3] && *row[3]);
        if (filtered)
            snprintf(found, sizeof found, "binlog_do_db = %.250s, binlog_ignore_db = %.250s", row[2] ? row[2] : "", row[3] ? row[3] : "");
    }
    mysql_free_result(rows);
    check_step(settings->check, "binlog_filter", settings->check->host, !filtered, CHECK_ERROR, found,
               "none: what a filter keeps out of the log is never captured", "-- in the server's configuration: remove binlog_do_db and binlog_ignore_db; restart it");
    return 0;
}

/* Does the server itself replicate, and write what it is sent into its log? */
static int replica_logs(const Settings *settings, bool *ok, char *found, size_t size, Error *error)
{
    const Session *session = &settings->source->session;
    const char *logs = json_text(settings->values, "log_replica_updates", json_text(settings->values, "log_slave_updates", "ON"));
    bool renamed = !session->mariadb && session->version >= 80022;
    MYSQL_RES *rows;
    int got;

    *ok = true;
    if (strcasecmp(logs, "ON") == 0 || strcmp(logs, "1") == 0)
        return 0;
    got = check_ask(settings->source, renamed ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS", &rows, error);
    if (got != 0)
        return got < 0 ? -1 : 0;
    *ok = mysql_num_rows(rows) == 0;
    mysql_free_result(rows);
    if (!*ok)
        snprintf(found, size, "a replica that does not log what it is sent (log_slave_updates = OFF)");
    return 0;
}

/* Replicas that registered, and a second server of our source's own number among them. */
static int replica_clash(const Settings *settings, bool *ok, char *found, size_t size, Error *error)
{
    const Session *session = &settings->source->session;
    const char *own = json_text(settings->values, "server_id", "0");
    bool renamed = !session->mariadb && session->version >= 80022;
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int got = check_ask(settings->source, renamed ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS", &rows, error);

    if (got != 0)
        return got < 0 ? -1 : 0;
    while ((row = mysql_fetch_row(rows))) {
        if (!row[0] || strcmp(row[0], own) != 0)
            continue;
        *ok = false;
        snprintf(found, size, "a replica has the server's own server_id %.20s", own);
    }
    mysql_free_result(rows);
    return 0;
}

static int step_replica(const Settings *settings, Error *error)
{
    char found[200] = "no clash of server ids; readers of this worker draw theirs above 2^30";
    bool ok, unique = true;

    if (replica_logs(settings, &ok, found, sizeof found, error) < 0)
        return -1;
    if (ok && replica_clash(settings, &unique, found, sizeof found, error) < 0)
        return -1;
    check_step(settings->check, "replica", settings->check->host, ok && unique, CHECK_ERROR, found,
               ok ? "a server_id of its own for each server" : "log_slave_updates = ON: changes that came by replication are not in the log otherwise",
               ok ? "SET GLOBAL server_id = 2; -- on the replica, and in its configuration"
                  : "-- in the server's configuration: log_slave_updates = ON; restart it");
    return 0;
}

static int steps(const Settings *settings, Error *error)
{
    step_log_bin(settings);
    if (settings->check->stopped) {
        static const char *const rest[] = {"server_id", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_row_value_options", "gtid", "retention",
                                           "binlog_filter", "replica"};

        for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
            check_skip(settings->check, rest[i], settings->check->host);
        return 0;
    }
    step_server_id(settings);
    step_setting(settings, "binlog_format", "ROW", CHECK_ERROR, NULL,
                 "ROW: a statement tells no rows. Sessions that are open keep what they began with");
    step_setting(settings, "binlog_row_image", "FULL", CHECK_ERROR, NULL,
                 "FULL: other images leave out columns. Sessions that are open keep what they began with");
    step_metadata(settings);
    step_setting(settings, "binlog_row_value_options", "", CHECK_ERROR, NULL, "empty: PARTIAL_JSON logs what changed in a document, not the document");
    step_gtid(settings);
    if (step_retention(settings, error) < 0 || step_filter(settings, error) < 0)
        return -1;
    if (step_replica(settings, error) < 0)
        return -1;
    settings->check->stopped = false; /* rights do not depend on settings, as long as there is a log */
    return 0;
}

int check_log(Check *check, MySql *source, Error *error)
{
    Settings settings = {.check = check, .source = source};
    int status;

    check_begin(check);
    if (settings_read(&settings, error) < 0)
        return -1;
    status = steps(&settings, error);
    cJSON_Delete(settings.values);
    return status;
}
