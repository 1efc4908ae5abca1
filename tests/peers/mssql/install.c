/* The first start in an empty PostgreSQL database. */
#include "scripts.h"
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int install_fail(PGconn *pg, SqlError *error)
{
    memset(error, 0, sizeof *error);
    error->number = 50000;
    error->severity = 20;
    snprintf(error->text, sizeof error->text, "%s", PQerrorMessage(pg));
    PQfinish(pg);
    return -1;
}

static int run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    int bad = PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK;
    PQclear(result);
    return bad ? -1 : 0;
}

static int system_database(PGconn *pg, int id, const char *name)
{
    Arena arena = {NULL};
    Text sql = {.arena = &arena};
    text_format(&sql,
                "INSERT INTO mssql.database (id, name, owner, create_date) VALUES (%d, '%s', 'sa', mssql.getdate());",
                id, name);
    for (const char *c = database_sql; *c; c++) {
        if (!strncmp(c, "{db}", 4))
            text_format(&sql, "db%d", id), c += 3;
        else if (!strncmp(c, "{id}", 4))
            text_format(&sql, "%d", id), c += 3;
        else
            text_add(&sql, c, 1);
    }
    int bad = run(pg, sql.data);
    arena_clear(&arena);
    return bad;
}

int engine_install(const char *conninfo, const char *login, const char *password, SqlError *error)
{
    static const char *const system[] = {"master", "tempdb", "model", "msdb"};
    PGconn *pg = PQconnectdb(conninfo);
    if (PQstatus(pg) != CONNECTION_OK ||
        run(pg, "SET client_min_messages = error; SET search_path = pg_catalog; BEGIN"))
        return install_fail(pg, error);
    PGresult *result = PQexec(pg, "SELECT to_regclass('mssql.database')");
    bool there = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
    PQclear(result);
    if (!there) {
        if (run(pg, catalog_sql) || run(pg, functions_sql))
            return install_fail(pg, error);
        for (int i = 0; i < 4; i++)
            if (system_database(pg, i + 1, system[i]))
                return install_fail(pg, error);
        if (run(pg, master_sql))
            return install_fail(pg, error);
    }
    const char *values[2] = {login, password};
    result =
        PQexecParams(pg, "INSERT INTO mssql.login VALUES ($1, $2, true) ON CONFLICT (name) DO UPDATE SET password = $2",
                     2, NULL, values, NULL, NULL, 0);
    bool bad = PQresultStatus(result) != PGRES_COMMAND_OK;
    PQclear(result);
    if (bad || run(pg, "COMMIT"))
        return install_fail(pg, error);
    PQfinish(pg);
    return 0;
}
