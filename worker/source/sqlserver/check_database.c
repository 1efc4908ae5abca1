/* check_database.c - what capture needs inside the database, each with the statement that mends it */
#include "source/sqlserver/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "[name]" for a fix_sql; names are at most 128 characters. */
static void quoted(const char *name, char *ret, size_t size)
{
    Error ignored;
    Buffer text;

    buffer_init(&text, KIB(4));
    if (text_name(&text, name, &ignored) == 0 && buffer_terminate(&text, &ignored) == 0)
        snprintf(ret, size, "%s", text.data);
    else
        snprintf(ret, size, "[?]");
    buffer_free(&text);
}

/* Rows of one statement as they are asked here: up to three numbers and a text. */
typedef struct Found {
    int rows;
    int64_t numbers[3];
    char text[300];
    char list[700]; /* all texts, comma-separated */
} Found;

static int found_row(const Statement *statement, int set, void *context, Error *error)
{
    Found *found = context;
    size_t length = strlen(found->list);

    (void)set, (void)error;
    statement_text(statement, 1, found->text, sizeof found->text);
    for (int i = 0; i < 3 && i + 2 <= statement->columns; i++)
        found->numbers[i] = statement_integer(statement, i + 2);
    snprintf(found->list + length, sizeof found->list - length, "%s%s", length ? ", " : "", found->text);
    found->rows++;
    return 0;
}

/* 0: asked; 1: refused, failure says why; -1: the connection suffered. */
static int ask(SqlServer *server, const char *text, Found *ret, Error *failure)
{
    Connection *connection = sqlserver_connection(server);

    memset(ret, 0, sizeof *ret);
    if (statement_each(connection, text, NULL, found_row, ret, failure) == 0)
        return 0;
    return connection->dead || connection->interrupted ? -1 : 1;
}

/* The user's name for GRANT statements. */
static int user_name(SqlServer *server, char *ret, size_t size, Error *error)
{
    Found found;
    int got = ask(server, "SELECT CONVERT(nvarchar(128), USER_NAME()) AS name", &found, error);

    if (got < 0)
        return -1;
    quoted(got == 0 && found.rows ? found.text : "?", ret, size);
    return 0;
}

static int check_cdc(Check *check, SqlServer *server, Error *error)
{
    Found found;
    int got = ask(server, "SELECT name, is_cdc_enabled FROM sys.databases WHERE database_id = DB_ID()", &found, error);

    if (got < 0)
        return -1;
    check_step(check, "cdc", check->database, got == 0 && found.numbers[0] == 1, CHECK_ERROR,
               got                ? error->message
               : found.numbers[0] ? "enabled"
                                  : "not enabled",
               "change data capture enabled in the database", "EXEC sys.sp_cdc_enable_db;");
    return 0;
}

static int check_rights(Check *check, SqlServer *server, Error *error)
{
    char user[300], database[300], fix[700], found_text[1300];
    Found found, tables;
    int got;

    if (user_name(server, user, sizeof user, error) < 0)
        return -1;
    snprintf(fix, sizeof fix, "GRANT SELECT ON SCHEMA::[cdc] TO %s;", user);
    got = ask(server, "SELECT N'cdc', HAS_PERMS_BY_NAME(N'cdc', N'SCHEMA', N'SELECT') AS may", &found, error);
    if (got < 0)
        return -1;
    check_step(check, "rights", "schema cdc", got == 0 && found.numbers[0] == 1, CHECK_ERROR,
               got                ? error->message
               : found.numbers[0] ? "SELECT"
                                  : "no SELECT",
               "SELECT on the schema cdc, where changes and their log positions are", fix);
    if (check->stopped)
        return 0;
    got = ask(server,
              "SELECT CONVERT(nvarchar(260), SCHEMA_NAME(schema_id) + N'.' + name) AS name FROM sys.tables WHERE "
              "is_tracked_by_cdc = 1 AND "
              "HAS_PERMS_BY_NAME(QUOTENAME(SCHEMA_NAME(schema_id)) + N'.' + QUOTENAME(name), N'OBJECT', N'SELECT') = 0",
              &tables, error);
    if (got < 0)
        return -1;
    snprintf(found_text, sizeof found_text, "%s%s",
             got           ? error->message
             : tables.rows ? "no SELECT on "
                           : "SELECT on every captured table",
             got ? "" : tables.list);
    quoted(check->database, database, sizeof database);
    snprintf(fix, sizeof fix, "GRANT SELECT ON DATABASE::%s TO %s; -- or on the tables named", database, user);
    check_step(check, "rights", "captured tables", got == 0 && tables.rows == 0, CHECK_WARNING, found_text,
               "SELECT on every table to be loaded", fix);
    return 0;
}

static int check_agent(Check *check, SqlServer *server, Error *error)
{
    Found found;
    int got = ask(server,
                  "SELECT CONVERT(nvarchar(60), status_desc) AS status_desc, status FROM sys.dm_server_services WHERE "
                  "servicename LIKE N'SQL Server Agent%'",
                  &found, error);

    if (got < 0)
        return -1;
    if (got > 0 || found.rows == 0)
        check_step(check, "agent", "SQL Server Agent", true, CHECK_INFO, "not readable without VIEW SERVER STATE", NULL,
                   NULL);
    else
        check_step(check, "agent", "SQL Server Agent", found.numbers[0] == 4, CHECK_ERROR, found.text,
                   "Running: it runs the capture job",
                   "-- start the service SQL Server Agent and let it start with the machine");
    return 0;
}

/* Idle databases write a row about every five minutes too (cdc.lsn_time_mapping, tran_id 0): an old one means a job
 * that stands still. */
static int check_capture(Check *check, SqlServer *server, Error *error)
{
    char text[160];
    Found found;
    int got = ask(server,
                  "SELECT N'age', DATEDIFF(second, MAX(tran_end_time), SYSDATETIME()) AS age, COUNT(*) AS n FROM "
                  "cdc.lsn_time_mapping",
                  &found, error);
    bool empty = found.numbers[1] == 0;

    if (got < 0)
        return -1;
    if (got == 0)
        snprintf(text, sizeof text, empty ? "nothing captured yet" : "last captured %lld s ago",
                 (long long)found.numbers[0]);
    check_step(check, "capture_job", check->database, got == 0 && !empty && found.numbers[0] < 900, CHECK_WARNING,
               got ? error->message : text, "a capture job whose last scan is younger than 15 minutes",
               "EXEC sys.sp_cdc_start_job @job_type = N'capture';");
    return 0;
}

static int check_retention(Check *check, SqlServer *server, Error *error)
{
    char text[160];
    Found found;
    int got =
        ask(server,
            "SELECT job_type, retention FROM msdb.dbo.cdc_jobs WHERE database_id = DB_ID() AND job_type = N'cleanup'",
            &found, error);

    if (got < 0)
        return -1;
    if (got > 0 || found.rows == 0) {
        check_step(check, "retention", check->database, true, CHECK_INFO,
                   got ? "not readable without SELECT on msdb.dbo.cdc_jobs" : "no cleanup job", NULL, NULL);
        return 0;
    }
    snprintf(text, sizeof text, "%lld minutes", (long long)found.numbers[0]);
    check_step(check, "retention", check->database, found.numbers[0] >= 1440, CHECK_WARNING, text,
               "a day at least: what a pause of capture may last",
               "EXEC sys.sp_cdc_change_job @job_type = N'cleanup', @retention = 4320;");
    return 0;
}

/* A LOB above this size does not fail the capture but the application's own statement. */
static int check_lob_size(Check *check, SqlServer *server, Error *error)
{
    char text[160];
    Found found;
    int got = ask(server,
                  "SELECT name, CONVERT(bigint, value_in_use) AS value_in_use FROM sys.configurations WHERE name = "
                  "N'max text repl size (B)'",
                  &found, error);

    if (got < 0)
        return -1;
    if (got > 0 || found.rows == 0)
        return 0;
    snprintf(text, sizeof text, "%lld bytes", (long long)found.numbers[0]);
    check_step(check, "lob_size", "max text repl size", found.numbers[0] < 0 || found.numbers[0] >= 16777216,
               CHECK_WARNING, found.numbers[0] < 0 ? "no limit" : text,
               "no limit (-1): a larger LOB fails the application's own INSERT on a captured table",
               "EXEC sp_configure N'max text repl size', -1; RECONFIGURE;");
    return 0;
}

int check_database(Check *check, SqlServer *server, Error *error)
{
    static const struct {
        const char *name;
        int (*run)(Check *check, SqlServer *server, Error *error);
    } steps[] = {{"cdc", check_cdc},
                 {"rights", check_rights},
                 {"agent", check_agent},
                 {"capture_job", check_capture},
                 {"retention", check_retention},
                 {"lob_size", check_lob_size}};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (check->stopped) {
            check_skip(check, steps[i].name, check->database);
            continue;
        }
        check_begin(check);
        if (steps[i].run(check, server, error) < 0)
            return -1;
    }
    return 0;
}
