/*
 * poll.c - one round trip: the server's clock, the captured maximum, all instances, what DDL came.
 *
 * The capture job writes change rows and cdc.lsn_time_mapping in one transaction per scan, so under READ COMMITTED
 * every change up to the maximum read here is visible to what is read later (capture.md 1.2 of the facts; NOLOCK would
 * break it).
 */
#include "source/sqlserver/poll.h"
#include "source/sqlserver/decode.h"

#include <stdio.h>
#include <string.h>

/* datetime's 1/300 s, a stored tran_end_time rounded down, and this text's milliseconds: the fence may come late, never
 * early. */
#define CLOCK_MARGIN_TICKS 100000 /* 10 ms */

static const char poll_text[] =
    "SELECT SYSDATETIMEOFFSET() AS source_time, SYSDATETIME() AS clock; "
    "SELECT d.is_read_only, d.create_date, CONVERT(nvarchar(36), r.recovery_fork_guid) AS recovery_fork_guid, "
    "CONVERT(nvarchar(36), r.family_guid) AS family_guid "
    "FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id WHERE "
    "d.database_id = DB_ID(); "
    "SELECT TOP (1) start_lsn, tran_end_time FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC; "
    "SELECT capture_instance, object_id, source_object_id, start_lsn, create_date FROM cdc.change_tables; "
    "SELECT source_object_id, object_id, ddl_lsn, ddl_time, required_column_update, ddl_command FROM cdc.ddl_history "
    "WHERE ddl_lsn > @d ORDER BY ddl_lsn";

enum { SET_CLOCK, SET_DATABASE, SET_POSITION, SET_INSTANCES, SET_DDL };

typedef struct Poll {
    SqlServer *server;
    cJSON *answer, *instances, *ddl;
} Poll;

cJSON *poll_time_utc(const Statement *statement, int column, int utc_offset_minutes)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);
    int64_t ticks;
    char local[32], text[40];

    if (!data || decode_datetime(data, dbdatlen(process, column), &ticks) < 0)
        return cJSON_CreateNull();
    timestamp_text(ticks - (int64_t)utc_offset_minutes * 600000000, 3, local);
    snprintf(text, sizeof text, "%sZ", local);
    return cJSON_CreateString(text);
}

static cJSON *local_time(const Statement *statement, int column)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);
    int64_t ticks;
    char text[40];

    if (!data || decode_datetime(data, dbdatlen(process, column), &ticks) < 0)
        return cJSON_CreateNull();
    timestamp_text(ticks, 3, text);
    return cJSON_CreateString(text);
}

static cJSON *text_or_null(const Statement *statement, int column)
{
    char text[600];

    if (statement_null(statement, column))
        return cJSON_CreateNull();
    statement_text(statement, column, text, sizeof text);
    return cJSON_CreateString(text);
}

static int clock_row(const Statement *statement, Poll *poll, Error *error)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *now = dbdata(process, 1), *clock = dbdata(process, 2);
    ColumnInstant instant;
    int64_t ticks;
    char clock_text[32], text[64];
    int minutes;

    if (!now || !clock || decode_datetimeoffset(now, dbdatlen(process, 1), &instant) < 0 ||
        decode_datetime2(clock, dbdatlen(process, 2), &ticks) < 0)
        return error_set(error, ERROR_TRANSIENT, NULL, "%s did not tell its time", statement->connection->target);
    minutes = instant.offset_minutes;
    poll->server->utc_offset_minutes = minutes;
    timestamp_text(instant.utc + (int64_t)minutes * 600000000, 7, clock_text);
    snprintf(text, sizeof text, "%s%c%02d:%02d", clock_text, minutes < 0 ? '-' : '+',
             (minutes < 0 ? -minutes : minutes) / 60 % 24, (minutes < 0 ? -minutes : minutes) % 60);
    cJSON_AddStringToObject(poll->answer, "source_time", text);
    timestamp_text(ticks + CLOCK_MARGIN_TICKS, 3, clock_text);
    cJSON_AddStringToObject(poll->answer, "clock", clock_text);
    cJSON_AddNumberToObject(poll->answer, "utc_offset_minutes", minutes);
    return 0;
}

static void database_row(const Statement *statement, Poll *poll)
{
    cJSON *identity = cJSON_AddObjectToObject(poll->answer, "identity");

    cJSON_AddBoolToObject(poll->answer, "read_only", statement_integer(statement, 1) != 0);
    cJSON_AddItemToObject(identity, "recovery_fork_guid", text_or_null(statement, 3));
    cJSON_AddItemToObject(identity, "family_guid", text_or_null(statement, 4));
    cJSON_AddItemToObject(identity, "create_date", local_time(statement, 2));
}

static void lsn_member(cJSON *object, const char *name, const uint8_t lsn[LSN_BYTES])
{
    char text[LSN_TEXT];

    lsn_text(lsn, text);
    cJSON_AddStringToObject(object, name, text);
}

static void position_row(const Statement *statement, Poll *poll)
{
    uint8_t lsn[LSN_BYTES];

    if (statement_lsn(statement, 1, lsn) < 0)
        return;
    lsn_member(poll->answer, "position", lsn);
    cJSON_AddItemToObject(poll->answer, "tran_end_time", poll_time_utc(statement, 2, poll->server->utc_offset_minutes));
}

static void instance_row(const Statement *statement, Poll *poll)
{
    cJSON *instance = cJSON_CreateObject();
    uint8_t lsn[LSN_BYTES] = {0};

    cJSON_AddItemToObject(instance, "instance", text_or_null(statement, 1));
    cJSON_AddNumberToObject(instance, "object_id", (double)statement_integer(statement, 2));
    cJSON_AddNumberToObject(instance, "source_object_id", (double)statement_integer(statement, 3));
    (void)statement_lsn(statement, 4, lsn);
    lsn_member(instance, "start", lsn);
    lsn_decrement(lsn);
    lsn_member(instance, "start_before", lsn);
    cJSON_AddItemToObject(instance, "create_date", local_time(statement, 5));
    cJSON_AddItemToArray(poll->instances, instance);
}

static void ddl_row(const Statement *statement, Poll *poll)
{
    DBPROCESS *process = statement->connection->process;
    cJSON *ddl = cJSON_CreateObject();
    const BYTE *command = dbdata(process, 6);
    uint8_t lsn[LSN_BYTES] = {0};

    cJSON_AddNumberToObject(ddl, "source_object_id", (double)statement_integer(statement, 1));
    cJSON_AddNumberToObject(ddl, "object_id", (double)statement_integer(statement, 2));
    (void)statement_lsn(statement, 3, lsn);
    lsn_member(ddl, "lsn", lsn);
    cJSON_AddItemToObject(ddl, "time", poll_time_utc(statement, 4, poll->server->utc_offset_minutes));
    cJSON_AddBoolToObject(ddl, "required_column_update", statement_integer(statement, 5) != 0);
    if (command) {
        char text[2000];

        statement_text(statement, 6, text, sizeof text);
        cJSON_AddStringToObject(ddl, "command", text);
    }
    cJSON_AddItemToArray(poll->ddl, ddl);
}

static int poll_row(const Statement *statement, int set, void *context, Error *error)
{
    Poll *poll = context;

    switch (set) {
    case SET_CLOCK:
        return clock_row(statement, poll, error);
    case SET_DATABASE:
        database_row(statement, poll);
        break;
    case SET_POSITION:
        position_row(statement, poll);
        break;
    case SET_INSTANCES:
        instance_row(statement, poll);
        break;
    case SET_DDL:
        ddl_row(statement, poll);
        break;
    default:
        break;
    }
    return 0;
}

static int poll_batch(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error)
{
    Poll poll = {.server = server, .answer = answer};
    Parameters parameters = {.count = 0};
    uint8_t ddl_after[LSN_BYTES] = {0};

    (void)lsn_parse(json_text(ask, "ddl_after", NULL), ddl_after);
    parameter_lsn(&parameters, "@d", ddl_after);
    poll.instances = cJSON_AddArrayToObject(answer, "instances");
    poll.ddl = cJSON_AddArrayToObject(answer, "ddl");
    if (statement_each(sqlserver_connection(server), poll_text, &parameters, poll_row, &poll, error) < 0) {
        if (strcmp(error->code, "208") == 0)
            return error_set_code(error, ERROR_PERMANENT, "208",
                                  "EXEC sys.sp_cdc_enable_db in the database (sluice.check_cdc shows every step).",
                                  "change data capture is not enabled in %s", server->connection.target);
        return -1;
    }
    if (!json_member(answer, "position")) {
        cJSON_AddNullToObject(answer, "position");
        cJSON_AddNullToObject(answer, "tran_end_time");
    }
    return 0;
}

int sqlserver_poll(Source *source, const cJSON *ask, cJSON **answer, Error *error)
{
    SqlServer *server = (SqlServer *)source;
    cJSON *made = cJSON_CreateObject();

    if (!made)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a poll");
    if (poll_batch(server, ask, made, error) < 0 || probe_run(server, ask, made, error) < 0 ||
        fences_run(server, ask, made, error) < 0 || quiet_run(server, ask, made, error) < 0 ||
        capture_run(server, made, error) < 0) {
        cJSON_Delete(made);
        return -1;
    }
    *answer = made;
    return 0;
}
