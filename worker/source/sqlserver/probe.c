/* probe.c - which instances moved, which fences are reached, which tables were quiet: see poll.h */
#include "source/sqlserver/poll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Probe {
    SqlServer *server;
    const cJSON **asked; /* the instances, in order */
    cJSON *newest, *failed;
    bool complete; /* no instance failed */
} Probe;

static int probe_text(const Probe *probe, int first, int count, Buffer *text, Error *error)
{
    for (int i = 0; i < count; i++) {
        if (buffer_format(text, error, "%sSELECT %d AS i, x.l FROM (SELECT TOP (1) [__$start_lsn] AS l FROM ",
                          i ? " UNION ALL " : "", first + i) < 0 ||
            text_change_table(text, json_text(probe->asked[first + i], "instance", ""), error) < 0 ||
            buffer_text(text, " ORDER BY [__$start_lsn] DESC) AS x", error) < 0)
            return -1;
    }
    return buffer_terminate(text, error);
}

static int probe_row(const Statement *statement, int set, void *context, Error *error)
{
    Probe *probe = context;
    const cJSON *asked = probe->asked[statement_integer(statement, 1)];
    const char *known = json_text(asked, "newest", "");
    uint8_t lsn[LSN_BYTES];
    char text[LSN_TEXT];
    cJSON *item;

    (void)set, (void)error;
    if (statement_lsn(statement, 2, lsn) < 0)
        return 0;
    lsn_text(lsn, text);
    if (strcmp(text, known) <= 0)
        return 0;
    item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "table_id", (double)json_integer(asked, "table_id", 0));
    cJSON_AddStringToObject(item, "position", text);
    cJSON_AddItemToArray(probe->newest, item);
    return 0;
}

/* One table's trouble is told, and is not the others'. */
static void probe_fail(Probe *probe, const cJSON *asked, const Error *failure)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddNumberToObject(item, "table_id", (double)json_integer(asked, "table_id", 0));
    cJSON_AddStringToObject(item, "kind", error_kind_name(failure->kind));
    cJSON_AddStringToObject(item, "code", failure->code);
    cJSON_AddStringToObject(item, "message", failure->message);
    cJSON_AddStringToObject(item, "hint", failure->hint);
    cJSON_AddItemToArray(probe->failed, item);
    probe->complete = false;
}

/* A refused instance fails the whole UNION: the group is tried in halves until it stands alone. */
static int probe_group(Probe *probe, int first, int count, Error *error)
{
    Connection *connection = sqlserver_connection(probe->server);
    int before = cJSON_GetArraySize(probe->newest), status;
    Buffer text;

    buffer_init(&text, TEXT_MAX);
    status = probe_text(probe, first, count, &text, error);
    if (status == 0)
        status = statement_each(connection, text.data, NULL, probe_row, probe, error);
    buffer_free(&text);
    if (status == 0)
        return 0;
    if (connection->dead || connection->interrupted || (error->kind != ERROR_PERMANENT && error->kind != ERROR_GONE))
        return -1;
    while (cJSON_GetArraySize(probe->newest) > before)
        cJSON_DeleteItemFromArray(probe->newest, before);
    if (count == 1) {
        probe_fail(probe, probe->asked[first], error);
        return 0;
    }
    if (probe_group(probe, first, count / 2, error) < 0)
        return -1;
    return probe_group(probe, first + count / 2, count - count / 2, error);
}

static int probe_all(Probe *probe, int count, Error *error)
{
    for (int first = 0; first < count; first += PROBE_INSTANCES_MAX) {
        int group = count - first < PROBE_INSTANCES_MAX ? count - first : PROBE_INSTANCES_MAX;

        if (connection_beat(&probe->server->connection, error) < 0 || probe_group(probe, first, group, error) < 0)
            return -1;
    }
    return 0;
}

/* The instances as one text: the same set, asked again, needs no probe while the log stands still. */
static char *instances_text(const cJSON *instances)
{
    Error ignored;
    Buffer text;
    const cJSON *instance;

    buffer_init(&text, MIB(64));
    cJSON_ArrayForEach(instance, instances)
    {
        if (buffer_format(&text, &ignored, "%lld %s\n", (long long)json_integer(instance, "table_id", 0),
                          json_text(instance, "instance", "")) < 0) {
            buffer_free(&text);
            return NULL;
        }
    }
    if (buffer_terminate(&text, &ignored) < 0) {
        buffer_free(&text);
        return NULL;
    }
    return text.data;
}

/*
 * A probe is left out only if the last one failed nowhere, was of this very position and these instances, and the
 * control plane has stored that answer (it asks with the position of the cut it holds): an answer that got lost is
 * given again.
 */
static bool probe_known(const SqlServer *server, const cJSON *ask, const char *position, const char *instances)
{
    return server->probed && instances && strcmp(server->probed_at, position) == 0 &&
           strcmp(json_text(ask, "position", ""), position) == 0 && strcmp(server->probed, instances) == 0;
}

int probe_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error)
{
    const cJSON *instances = json_member(ask, "instances"), *instance;
    const char *position = json_text(answer, "position", "");
    Probe probe = {.server = server, .complete = true};
    char *text = instances_text(instances);
    int count = 0, status = 0;

    probe.newest = cJSON_AddArrayToObject(answer, "newest");
    probe.failed = cJSON_AddArrayToObject(answer, "failed");
    if (!probe_known(server, ask, position, text)) {
        probe.asked = calloc((size_t)cJSON_GetArraySize(instances) + 1, sizeof(const cJSON *));
        if (!probe.asked) {
            free(text);
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a probe");
        }
        cJSON_ArrayForEach(instance, instances)
        {
            if (json_text(instance, "instance", NULL))
                probe.asked[count++] = instance;
        }
        status = probe_all(&probe, count, error);
        free(server->probed);
        server->probed = NULL;
        if (status == 0 && probe.complete) {
            server->probed = text;
            text = NULL;
            snprintf(server->probed_at, sizeof server->probed_at, "%s", position);
        }
        free(probe.asked);
    }
    free(text);
    return status;
}

static int position_row(const Statement *statement, int set, void *context, Error *error)
{
    uint8_t lsn[LSN_BYTES];

    (void)set, (void)error;
    if (statement_lsn(statement, 1, lsn) == 0)
        lsn_text(lsn, context);
    return 0;
}

int fences_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error)
{
    /* tran_end_time is a server-local datetime, like the clock of the answer that asked for the fence. Local time goes
     * back an hour in autumn: what was captured when the clock was read is passed over, whatever its time. */
    static const char text[] = "SELECT TOP (1) start_lsn FROM cdc.lsn_time_mapping WHERE tran_end_time > "
                               "CONVERT(datetime, @c, 126) AND start_lsn > @a ORDER BY start_lsn";
    cJSON *fences = cJSON_AddArrayToObject(answer, "fences");
    const cJSON *fence;

    cJSON_ArrayForEach(fence, json_member(ask, "fences"))
    {
        const char *clock = json_text(fence, "clock", NULL);
        Parameters parameters = {.count = 0};
        uint8_t after[LSN_BYTES] = {0};
        char position[LSN_TEXT] = "";
        cJSON *item;

        if (!clock)
            continue;
        (void)lsn_parse(json_text(fence, "after", NULL), after);
        parameter_text(&parameters, "@c", clock);
        parameter_lsn(&parameters, "@a", after);
        if (statement_each(sqlserver_connection(server), text, &parameters, position_row, position, error) < 0)
            return error_prefix(error, "fence behind %.40s", clock);
        if (!position[0])
            continue;
        item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "table_id", (double)json_integer(fence, "table_id", 0));
        cJSON_AddStringToObject(item, "position", position);
        cJSON_AddItemToArray(fences, item);
    }
    return 0;
}

static int quiet_one(SqlServer *server, const cJSON *ask, cJSON *quiet, Error *error)
{
    uint8_t from[LSN_BYTES], to[LSN_BYTES];
    Parameters parameters = {.count = 0};
    char found[LSN_TEXT] = "";
    Buffer text;
    cJSON *item;
    int status = -1;

    if (lsn_parse(json_text(ask, "from", NULL), from) < 0 || lsn_parse(json_text(ask, "to", NULL), to) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a quiet check without positions");
    parameter_lsn(&parameters, "@f", from);
    parameter_lsn(&parameters, "@t", to);
    buffer_init(&text, KIB(8));
    if (buffer_text(&text, "SELECT TOP (1) [__$start_lsn] FROM ", error) == 0 &&
        text_change_table(&text, json_text(ask, "instance", ""), error) == 0 &&
        buffer_text(&text, " WHERE [__$start_lsn] > @f AND [__$start_lsn] <= @t", error) == 0 &&
        buffer_terminate(&text, error) == 0)
        status = statement_each(sqlserver_connection(server), text.data, &parameters, position_row, found, error);
    buffer_free(&text);
    if (status < 0) {
        /* The probe tells what is wrong with the instance; without an answer the table waits. */
        return error->kind == ERROR_PERMANENT || error->kind == ERROR_GONE ? 0 : -1;
    }
    item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "table_id", (double)json_integer(ask, "table_id", 0));
    cJSON_AddBoolToObject(item, "quiet", found[0] == 0);
    cJSON_AddItemToArray(quiet, item);
    return 0;
}

int quiet_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error)
{
    cJSON *quiet = cJSON_AddArrayToObject(answer, "quiet");
    const cJSON *one;

    cJSON_ArrayForEach(one, json_member(ask, "quiet"))
    {
        if (quiet_one(server, one, quiet, error) < 0)
            return -1;
    }
    return 0;
}

typedef struct Capture {
    cJSON *answer;
    int utc_offset_minutes;
} Capture;

static int capture_row(const Statement *statement, int set, void *context, Error *error)
{
    Capture *capture = context;
    char text[400];

    (void)error;
    if (set == 0) {
        cJSON_AddItemToObject(capture->answer, "scan_end", poll_time_utc(statement, 1, capture->utc_offset_minutes));
        if (!statement_null(statement, 2))
            cJSON_AddNumberToObject(capture->answer, "latency_s", (double)statement_integer(statement, 2));
        cJSON_AddNumberToObject(capture->answer, "errors", (double)statement_integer(statement, 3));
        return 0;
    }
    statement_text(statement, 1, text, sizeof text);
    cJSON_AddStringToObject(capture->answer, "message", text);
    return 0;
}

int capture_run(SqlServer *server, cJSON *answer, Error *error)
{
    static const char text[] = "SELECT TOP (1) end_time, latency, error_count FROM sys.dm_cdc_log_scan_sessions WHERE "
                               "session_id > 0 ORDER BY session_id DESC; "
                               "SELECT TOP (1) error_message FROM sys.dm_cdc_errors ORDER BY entry_time DESC";
    Capture capture = {.utc_offset_minutes = server->utc_offset_minutes};
    Connection *connection = sqlserver_connection(server);

    capture.answer = cJSON_CreateObject();
    if (server->statistics_refused || statement_each(connection, text, NULL, capture_row, &capture, error) < 0) {
        cJSON_Delete(capture.answer);
        cJSON_AddNullToObject(answer, "capture");
        if (server->statistics_refused)
            return 0;
        /* VIEW DATABASE STATE is not needed to capture; asked once a connection. */
        server->statistics_refused = error->kind == ERROR_PERMANENT || error->kind == ERROR_GONE;
        return server->statistics_refused ? 0 : -1;
    }
    cJSON_AddNullToObject(capture.answer, "running");
    cJSON_AddItemToObject(answer, "capture", capture.answer);
    return 0;
}
