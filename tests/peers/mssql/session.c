/* Opening, closing, failing, variables, and the way to PostgreSQL. */
#include "session.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Severities as in sys.messages; what is not listed is 16. */
static uint8_t severity_of(int number)
{
    static const struct {
        int number;
        uint8_t severity;
    } known[] = {{102, 15},  {105, 15},   {113, 15},   {137, 15},   {156, 15},  {174, 15},  {195, 15},  {229, 14},
                 {262, 14},  {297, 16},   {916, 14},   {1060, 15},  {1205, 13}, {2601, 14}, {2627, 14}, {4060, 11},
                 {4145, 15}, {18456, 14}, {15247, 16}, {22904, 16}, {108, 16},  {104, 16}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == number)
            return known[i].severity;
    return 16;
}

static void error_set(SqlError *error, int number, int state, const char *text)
{
    memset(error, 0, sizeof *error);
    error->number = number;
    error->state = (uint8_t)state;
    error->severity = severity_of(number);
    snprintf(error->text, sizeof error->text, "%s", text);
}

void session_fail(Session *session, int number, int state, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(&session->error, number, state, text);
    longjmp(*session->trap, 1);
}

void session_fail_with(Session *session, const SqlError *error)
{
    SqlError copy = *error;
    if (copy.number == 2628 && session->target_column)
        snprintf(copy.text, sizeof copy.text, "String or binary data would be truncated in table '%s', column '%s'.",
                 session->target_table, session->target_column);
    session->error = copy;
    if (!session->error.severity)
        session->error.severity = severity_of(error->number);
    longjmp(*session->trap, 1);
}

int session_say(Session *session, int number, int severity, const char *format, ...)
{
    SqlError error = {.number = number, .state = 1, .severity = (uint8_t)severity};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    if (session->sink && session->sink->message(session->sink->context, &error, session->line))
        session->gone = true;
    return 0;
}

char *lit(Session *session, const char *text)
{
    return text ? quote_literal(&session->arena, text, strlen(text)) : (char *)"NULL";
}

void db_pop(Session *session)
{
    PQclear(session->results[--session->result_count]);
}

void db_release(Session *session)
{
    while (session->result_count)
        PQclear(session->results[--session->result_count]);
}

/* 2627 and 2601 name the constraint: "i<object_id>_<index_id>" is PostgreSQL's name of it. */
static void duplicate_error(Session *session, const char *index, SqlError *error)
{
    int object_id = 0, index_id = 0;
    if (sscanf(index, "i%d_%d", &object_id, &index_id) != 2)
        return;
    char *sql = arena_format(&session->arena,
                             "SELECT i.name, s.name || '.' || o.name, i.is_primary_key, i.is_unique_constraint FROM "
                             "mssql.index i JOIN mssql.object o USING (db_id, object_id) "
                             "JOIN mssql.schema s USING (db_id, schema_id) WHERE object_id = %d AND index_id = %d",
                             object_id, index_id);
    PGresult *result = PQexec(session->pg, sql);
    if (PQntuples(result) == 1) {
        const char *name = PQgetvalue(result, 0, 0), *table = PQgetvalue(result, 0, 1);
        if (PQgetvalue(result, 0, 2)[0] == '1' || PQgetvalue(result, 0, 3)[0] == '1')
            snprintf(error->text, sizeof error->text,
                     "Violation of %s constraint '%s'. Cannot insert duplicate key in object '%s'.",
                     PQgetvalue(result, 0, 2)[0] == '1' ? "PRIMARY KEY" : "UNIQUE KEY", name, table);
        else {
            error->number = 2601;
            snprintf(error->text, sizeof error->text,
                     "Cannot insert duplicate key row in object '%s' with unique index '%s'.", table, name);
        }
    }
    PQclear(result);
}

void db_fail(Session *session, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE),
               *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char *index = arena_format(
        &session->arena, "%s",
        PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) ? PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) : "");
    SqlError error;
    int number;
    if (!state)
        state = "08006";
    if (sscanf(state, "M%d", &number) == 1 &&
        primary) /* raised by the simulator's own functions: "Mnnnn" with "number: text" */
        error_set(&error, atoi(primary), 1, strchr(primary, ':') ? strchr(primary, ':') + 2 : primary);
    else if (!strcmp(state, "23505"))
        error_set(&error, 2627, 1, "Violation of UNIQUE KEY constraint.");
    else if (!strcmp(state, "22012"))
        error_set(&error, 8134, 1, "Divide by zero error encountered.");
    else if (!strcmp(state, "55P03"))
        error_set(&error, 1222, 51, "Lock request time out period exceeded.");
    else if (!strcmp(state, "40P01"))
        error_set(&error, 1205, 51,
                  "Transaction was deadlocked on lock resources with another process and has been chosen as the "
                  "deadlock victim. Rerun the transaction.");
    else if (!strcmp(state, "40001"))
        error_set(&error, 3960, 2, "Snapshot isolation transaction aborted due to update conflict.");
    else if (!strcmp(state, "22003"))
        error_set(&error, 8115, 2, "Arithmetic overflow error converting expression to data type int.");
    else if (!strcmp(state, "42883") || !strcmp(state, "42804"))
        error_set(&error, 206, 2, arena_format(&session->arena, "Operand type clash: %s", primary ? primary : ""));
    else if (!strncmp(state, "22", 2))
        error_set(&error, 245, 1, primary ? primary : "Conversion failed.");
    else
        error_set(&error, 50000, 1,
                  primary ? arena_format(&session->arena, "PostgreSQL %s: %s", state, primary)
                          : PQerrorMessage(session->pg));
    PQclear((PGresult *)result);
    transaction_undo_statement(session);
    if (error.number == 2627)
        duplicate_error(session, index, &error);
    session_fail_with(session, &error);
}

PGresult *db_run(Session *session, const char *sql)
{
    if (session->result_count == SESSION_RESULTS_MAX)
        session_fail(session, 50000, 1, "The simulator holds too many results in one statement.");
    PGresult *result = PQexec(session->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_COPY_IN) {
        if (getenv("MSSQL_SIM_DEBUG"))
            fprintf(stderr, "-- %s\n%s", sql, PQerrorMessage(session->pg));
        db_fail(session, result);
    }
    session->results[session->result_count++] = result;
    return result;
}

PGresult *db_runf(Session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = arena_vformat(&session->arena, format, arguments);
    va_end(arguments);
    return db_run(session, sql);
}

char *db_text(Session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = arena_vformat(&session->arena, format, arguments);
    va_end(arguments);
    PGresult *result = db_run(session, sql);
    char *text = NULL;
    if (PQntuples(result) && !PQgetisnull(result, 0, 0))
        text = arena_copy(&session->arena, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    db_pop(session);
    return text;
}

int64_t db_number(Session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = arena_vformat(&session->arena, format, arguments);
    va_end(arguments);
    char *text = db_text(session, "%s", sql);
    return text ? strtoll(text, NULL, 10) : 0;
}

Variable *session_variable(Session *session, const char *name)
{
    for (int i = 0; name && i < session->variable_count; i++)
        if (!strcasecmp(session->variables[i].name, name))
            return &session->variables[i];
    return NULL;
}

void session_variable_set(Session *session, const char *name, const TypeInfo *type, const uint8_t *data, size_t length)
{
    Variable *variable = session_variable(session, name);
    if (!variable) {
        if (session->variable_count == SESSION_VARIABLES_MAX)
            session_fail(
                session, 8003, 1,
                "The incoming request has too many parameters. The server supports a maximum of 2100 parameters.");
        variable = &session->variables[session->variable_count++];
        memset(variable, 0, sizeof *variable);
        strncpy(variable->name, name, sizeof variable->name - 1);
    }
    uint8_t *copy = data ? malloc(length + 1) : NULL;
    if (data && !copy)
        abort();
    if (data)
        memcpy(copy, data, length);
    free(variable->data);
    variable->type = *type;
    variable->is_null = !data;
    variable->data = copy;
    variable->length = length;
}

/* The user of the login in the database and its roles; 916 where it has none. */
static void load_principal(Session *session)
{
    session->db_owner = session->db_reader = false;
    session->principal_id = 1;
    strcpy(session->user, "dbo");
    if (!session->sysadmin) {
        PGresult *result =
            db_runf(session, "SELECT principal_id, name FROM mssql.principal WHERE db_id = %d AND login = %s",
                    session->db_id, lit(session, session->login));
        if (PQntuples(result)) {
            session->principal_id = atoi(PQgetvalue(result, 0, 0));
            snprintf(session->user, sizeof session->user, "%s", PQgetvalue(result, 0, 1));
        } else if (session->db_id < 5) {
            session->principal_id = 2;
            strcpy(session->user, "guest");
        } else {
            session_fail(session, 916, 2,
                         "The server principal \"%s\" is not able to access the database \"%s\" under the current "
                         "security context.",
                         session->login, session->database);
        }
        session->db_owner = db_number(session, "SELECT count(*) FROM mssql.roles_of(%d, %d) WHERE id = 16384",
                                      session->db_id, session->principal_id) > 0 ||
                            session->principal_id == 1;
        session->db_reader = db_number(session, "SELECT count(*) FROM mssql.roles_of(%d, %d) WHERE id = 16390",
                                       session->db_id, session->principal_id) > 0;
    }
    db_runf(session,
            "SELECT set_config('mssql.db', '%d', false), set_config('mssql.login', %s, false), "
            "set_config('mssql.user', %s, false), "
            "set_config('mssql.sysadmin', '%d', false), set_config('mssql.principal', '%d', false)",
            session->db_id, lit(session, session->login), lit(session, session->user), session->sysadmin,
            session->principal_id);
}

void session_same_database(Session *session, const char *database)
{
    if (*database && strcasecmp(database, session->database))
        session_fail(session, 50000, 1,
                     "The simulator runs functions and procedures of the current database only, and %s is not it.",
                     database);
}

int session_use(Session *session, const char *database)
{
    PGresult *result = db_runf(session, "SELECT id, name FROM mssql.database WHERE name = %s", lit(session, database));
    if (!PQntuples(result))
        session_fail(session, 911, 1, "Database '%s' does not exist. Make sure that the name is entered correctly.",
                     database);
    int old_id = session->db_id;
    char old[129];
    memcpy(old, session->database, sizeof old);
    session->db_id = atoi(PQgetvalue(result, 0, 0));
    snprintf(session->database, sizeof session->database, "%s", PQgetvalue(result, 0, 1));
    jmp_buf *outer = session->trap, trap;
    session->trap = &trap;
    if (setjmp(trap)) {
        session->trap = outer;
        session->db_id = old_id;
        memcpy(session->database, old, sizeof old);
        longjmp(*outer, 1);
    }
    load_principal(session);
    session->trap = outer;
    session->tables = NULL; /* the memory stays until the batch ends: the statement may still hold tables */
    session->cache_stale = true;
    return 0;
}

static int open_fail(Session *session, SqlError *error)
{
    *error = session->error;
    session_close(session);
    return -1;
}

static void check_login(Session *session, const LoginRequest *request)
{
    PGresult *result = db_runf(session, "SELECT name, sysadmin, password = %s FROM mssql.login WHERE name = %s",
                               lit(session, request->password), lit(session, request->user));
    if (!PQntuples(result) || PQgetvalue(result, 0, 2)[0] != 't')
        session_fail(session, 18456, 1, "Login failed for user '%s'.", request->user);
    snprintf(session->login, sizeof session->login, "%s", PQgetvalue(result, 0, 0));
    session->sysadmin = PQgetvalue(result, 0, 1)[0] == 't';
    db_runf(session, "SELECT set_config('mssql.spid', nextval('mssql.spid_seq')::text, false), "
                     "set_config('mssql.command', '0', false)");
}

int session_open(const char *conninfo, const LoginRequest *request, Session **ret, SqlError *error)
{
    Session *volatile session = calloc(1, sizeof *session);
    jmp_buf trap;
    if (!session || !(session->variables = calloc(SESSION_VARIABLES_MAX, sizeof *session->variables)))
        abort();
    session->arena.blocks = session->cache_arena.blocks = NULL;
    session->text_size = 4096;
    session->trap = &trap;
    session->pg = PQconnectdb(conninfo);
    if (setjmp(trap))
        return open_fail(session, error);
    if (PQstatus(session->pg) != CONNECTION_OK)
        session_fail(session, 17142, 1, "SQL Server service has been paused: %s", PQerrorMessage(session->pg));
    db_run(session, "SET client_min_messages = error; SET timezone = 'UTC'; SET bytea_output = hex; SET "
                    "cursor_tuple_fraction = 1.0; SET synchronous_commit = off; "
                    "SET jit = off; SET random_page_cost = 1.1; SET search_path = pg_catalog; SET datestyle = ISO");
    check_login(session, request);
    const char *volatile database = request->database && *request->database ? request->database : "master";
    if (!db_text(session, "SELECT 1 FROM mssql.database WHERE name = %s", lit(session, database)))
        session_fail(session, 4060, 1, "Cannot open database \"%s\" requested by the login. The login failed.",
                     database);
    if (setjmp(trap)) {
        if (session->error.number == 916)
            error_set(&session->error, 4060, 1,
                      arena_format(&session->arena,
                                   "Cannot open database \"%s\" requested by the login. The login failed.", database));
        return open_fail(session, error);
    }
    session_use(session, database);
    session->trap = NULL;
    db_release(session);
    arena_clear(&session->arena);
    *ret = session;
    return 0;
}

const char *session_database(const Session *session)
{
    return session->database;
}

void session_close(Session *session)
{
    if (!session)
        return;
    db_release(session);
    PQfinish(session->pg);
    for (int i = 0; i < session->variable_count; i++)
        free(session->variables[i].data);
    free(session->variables);
    bytes_free(&session->scratch);
    bytes_free(&session->scratch_key);
    bytes_free(&session->scratch_copy);
    arena_clear(&session->arena);
    arena_clear(&session->cache_arena);
    free(session);
}
