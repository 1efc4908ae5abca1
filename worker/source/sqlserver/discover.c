/* discover.c - all tables of the database, in a fixed number of round trips: see control/README.md, facts */
#include "source/sqlserver/catalogue.h"
#include "source/sqlserver/decode.h"

#include <string.h>

static const char server_text[] = "SELECT CONVERT(nvarchar(128), SERVERPROPERTY(N'ProductVersion')) AS version, "
                                  "CONVERT(nvarchar(128), SERVERPROPERTY(N'Edition')) AS edition, "
                                  "CONVERT(nvarchar(256), @@SERVERNAME) AS name; "
                                  "SELECT name, is_cdc_enabled, snapshot_isolation_state, collation_name, create_date, "
                                  "is_read_only FROM sys.databases WHERE database_id = DB_ID()";

typedef struct Discovery {
    cJSON *server, *database;
    bool cdc;
} Discovery;

static int server_row(const Statement *statement, int set, void *context, Error *error)
{
    Discovery *found = context;

    (void)error;
    if (set == 0) {
        add_text(found->server, "version", statement, 1);
        add_text(found->server, "edition", statement, 2);
        add_text(found->server, "name", statement, 3);
        return 0;
    }
    found->cdc = statement_integer(statement, 2) != 0;
    add_text(found->database, "name", statement, 1);
    cJSON_AddBoolToObject(found->database, "cdc", found->cdc);
    cJSON_AddBoolToObject(found->database, "snapshot_isolation", statement_integer(statement, 3) == 1);
    add_text(found->database, "collation", statement, 4);
    add_local_time(found->database, "create_date", statement, 5);
    cJSON_AddBoolToObject(found->server, "read_only", statement_integer(statement, 6) != 0);
    return 0;
}

static int agent_row(const Statement *statement, int set, void *context, Error *error)
{
    (void)set, (void)error;
    *(int *)context = statement_integer(statement, 1) == 4;
    return 0;
}

static int jobs_row(const Statement *statement, int set, void *context, Error *error)
{
    char type[40];

    (void)set, (void)error;
    statement_text(statement, 1, type, sizeof type);
    if (strcmp(type, "cleanup") == 0)
        cJSON_AddNumberToObject(context, "retention_minutes", (double)statement_integer(statement, 2));
    if (strcmp(type, "capture") == 0)
        cJSON_AddNumberToObject(context, "polling_s", (double)statement_integer(statement, 3));
    return 0;
}

/* What needs more rights than capture does: absent where it is refused. -1 only if the connection suffered. */
static int discover_optional(SqlServer *server, Catalogue *catalogue, const Discovery *found, Error *error)
{
    Connection *connection = sqlserver_connection(server);
    int agent = -1;
    cJSON *jobs = cJSON_CreateObject();
    int status;

    status = statement_each(connection,
                            "SELECT status FROM sys.dm_server_services WHERE servicename LIKE N'SQL Server Agent%'",
                            NULL, agent_row, &agent, error);
    if (status < 0 && (connection->dead || connection->interrupted)) {
        cJSON_Delete(jobs);
        return -1;
    }
    if (agent < 0)
        cJSON_AddNullToObject(found->server, "agent");
    else
        cJSON_AddBoolToObject(found->server, "agent", agent != 0);
    status = statement_each(
        connection, "SELECT job_type, retention, pollinginterval FROM msdb.dbo.cdc_jobs WHERE database_id = DB_ID()",
        NULL, jobs_row, jobs, error);
    if (status < 0 || !jobs->child) {
        cJSON_Delete(jobs);
        jobs = cJSON_CreateNull();
    }
    cJSON_AddItemToObject(catalogue->facts, "jobs", jobs);
    return status < 0 && (connection->dead || connection->interrupted) ? -1 : 0;
}

static int discover(SqlServer *server, Catalogue *catalogue, Error *error)
{
    Discovery found = {.cdc = false};

    found.server = cJSON_AddObjectToObject(catalogue->facts, "server");
    found.database = cJSON_AddObjectToObject(catalogue->facts, "database");
    if (statement_each(sqlserver_connection(server), server_text, NULL, server_row, &found, error) < 0)
        return -1;
    cJSON_AddNumberToObject(found.server, "utc_offset_minutes", server->utc_offset_minutes);
    if (discover_optional(server, catalogue, &found, error) < 0)
        return -1;
    if (found.cdc && catalogue_read_cdc(catalogue, server, error) < 0)
        return -1;
    if (catalogue_read(catalogue, server, error) < 0)
        return -1;
    catalogue_finish(catalogue);
    return 0;
}

int sqlserver_discover(Source *source, cJSON **answer, Error *error)
{
    Catalogue catalogue;
    int status;

    if (catalogue_init(&catalogue, error) < 0)
        return -1;
    status = discover((SqlServer *)source, &catalogue, error);
    if (status == 0) {
        *answer = catalogue.facts;
    } else {
        for (int i = 0; i < catalogue.instance_count; i++)
            cJSON_Delete(catalogue.instance[i].document);
        cJSON_Delete(catalogue.facts);
    }
    catalogue_free(&catalogue);
    return status;
}
