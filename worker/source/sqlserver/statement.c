/* statement.c - see statement.h */
#include "source/sqlserver/statement.h"

#include <stdio.h>
#include <string.h>

#define NVARCHAR_BYTES_MAX                                                                                             \
    4000 /* UTF-8 bytes DB-Library sends as nvarchar; longer goes as ntext, which arrives as nvarchar(max) */

static Parameter *parameter_add(Parameters *parameters, const char *name, ParameterType type)
{
    Parameter *parameter;

    if (parameters->count == PARAMETERS_MAX)
        return NULL;
    parameter = &parameters->list[parameters->count++];
    memset(parameter, 0, sizeof *parameter);
    snprintf(parameter->name, sizeof parameter->name, "%s", name);
    parameter->type = type;
    return parameter;
}

int parameter_int(Parameters *parameters, const char *name, int32_t value)
{
    Parameter *parameter = parameter_add(parameters, name, PARAMETER_INT);

    if (!parameter)
        return -1;
    parameter->number = value;
    return 0;
}

int parameter_lsn(Parameters *parameters, const char *name, const uint8_t lsn[10])
{
    Parameter *parameter = parameter_add(parameters, name, PARAMETER_LSN);

    if (!parameter)
        return -1;
    memcpy(parameter->lsn, lsn, 10);
    return 0;
}

int parameter_text(Parameters *parameters, const char *name, const char *text)
{
    Parameter *parameter = parameter_add(parameters, name, PARAMETER_TEXT);

    if (!parameter)
        return -1;
    parameter->text = text;
    return 0;
}

/* Declarations depend on names and types alone, so they are as constant as the text. */
static void declaration_write(const Parameters *parameters, char *ret, size_t size)
{
    static const char *const words[] = {[PARAMETER_INT] = "int",
                                        [PARAMETER_BIGINT] = "bigint",
                                        [PARAMETER_LSN] = "varbinary(10)",
                                        [PARAMETER_TEXT] = "nvarchar(max)"};
    size_t length = 0;

    ret[0] = 0;
    for (int i = 0; i < parameters->count && length < size; i++)
        length += (size_t)snprintf(ret + length, size - length, "%s%s %s", i ? ", " : "", parameters->list[i].name,
                                   words[parameters->list[i].type]);
}

static RETCODE parameter_send(DBPROCESS *process, Parameter *parameter)
{
    size_t length;

    switch (parameter->type) {
    case PARAMETER_INT:
        return dbrpcparam(process, parameter->name, 0, SYBINT4, -1, -1, (BYTE *)&parameter->number);
    case PARAMETER_BIGINT:
        return dbrpcparam(process, parameter->name, 0, SYBINT8, -1, -1, (BYTE *)&parameter->big);
    case PARAMETER_LSN:
        return dbrpcparam(process, parameter->name, 0, SYBVARBINARY, -1, sizeof parameter->lsn, parameter->lsn);
    case PARAMETER_TEXT:
        length = strlen(parameter->text);
        return dbrpcparam(process, parameter->name, 0, length <= NVARCHAR_BYTES_MAX ? SYBVARCHAR : SYBNTEXT, -1,
                          (DBINT)length, (BYTE *)(uintptr_t)parameter->text);
    }
    return FAIL;
}

int statement_start(Statement *statement, Connection *connection, const char *text, const Parameters *parameters,
                    Error *error)
{
    DBPROCESS *process = connection->process;
    char declaration[PARAMETERS_MAX * 32];
    Parameters copy = {.count = 0};
    RETCODE code;

    memset(statement, 0, sizeof *statement);
    statement->connection = connection;
    connection_forget(connection);
    if (connection_sound(connection, error) < 0 || connection_beat(connection, error) < 0)
        return -1;
    if (parameters) {
        copy.count = parameters->count;
        memcpy(copy.list, parameters->list, sizeof copy.list[0] * (size_t)copy.count);
    }
    declaration_write(&copy, declaration, sizeof declaration);
    code = dbrpcinit(process, "sp_executesql", 0);
    if (code == SUCCEED)
        code = dbrpcparam(process, "@stmt", 0, SYBNTEXT, -1, (DBINT)strlen(text), (BYTE *)(uintptr_t)text);
    if (code == SUCCEED && copy.count)
        code = dbrpcparam(process, "@params", 0, SYBNTEXT, -1, (DBINT)strlen(declaration), (BYTE *)declaration);
    for (int i = 0; i < copy.count && code == SUCCEED; i++)
        code = parameter_send(process, &copy.list[i]);
    if (code == SUCCEED)
        code = dbrpcsend(process);
    if (code == SUCCEED)
        code = dbsqlok(process);
    statement->open = true;
    /* dbsqlok fails for an error in the first statement; its message is what counts. */
    if (connection_sound(connection, error) < 0) {
        statement_cancel(statement);
        return -1;
    }
    if (code != SUCCEED) {
        statement_cancel(statement);
        return error_set(error, ERROR_TRANSIENT, NULL, "a statement could not be sent to %s", connection->target);
    }
    return 0;
}

/* An end code that is none of the documented ones: the connection is in an unknown state. */
static int statement_broken(Statement *statement, const char *what, Error *error)
{
    Connection *connection = statement->connection;

    if (connection_sound(connection, error) == 0)
        error_set(error, ERROR_TRANSIENT, NULL, "%s from %s", what, connection->target);
    statement_cancel(statement);
    return -1;
}

int statement_set(Statement *statement, Error *error)
{
    DBPROCESS *process = statement->connection->process;

    for (;;) {
        RETCODE code = dbresults(process);

        if (connection_sound(statement->connection, error) < 0) {
            statement_cancel(statement);
            return -1;
        }
        if (code == NO_MORE_RESULTS) {
            statement->open = false;
            return 0;
        }
        if (code != SUCCEED)
            return statement_broken(statement, "no further result set came", error);
        statement->columns = dbnumcols(process);
        statement->rows = 0;
        if (statement->columns > 0) {
            statement->in_set = true;
            return 1;
        }
    }
}

int statement_row(Statement *statement, Error *error)
{
    Connection *connection = statement->connection;
    STATUS status = dbnextrow(connection->process);

    /* The server had accepted the statement and given rows: what broke it then, if it is not known by number, may well
     * pass. */
    if (connection->failed && statement->rows > 0 && connection->failure.kind == ERROR_PERMANENT &&
        !connection->failure.hint[0])
        connection->failure.kind = ERROR_TRANSIENT;
    if (status == REG_ROW) {
        statement->rows++;
        if (connection->failed || connection->interrupted)
            return statement_broken(statement, "a broken row came", error);
        if (connection->unconvertible) {
            statement_cancel(statement);
            return error_set_code(
                error, ERROR_PERMANENT, "2403",
                "Find the value: a character column whose bytes are not valid in its collation's code page.",
                "a text from %s cannot be converted to UTF-8 without loss", connection->target);
        }
        return 1;
    }
    if (status != NO_MORE_ROWS)
        return statement_broken(statement, "the rows broke off", error);
    statement->in_set = false;
    if (connection_sound(connection, error) < 0) {
        statement_cancel(statement);
        return -1;
    }
    if (!dbiscount(connection->process) || dbcount(connection->process) != statement->rows) {
        int64_t counted = statement->rows, told = dbcount(connection->process);

        /* The message that says why stands behind the rows' end. */
        while (dbresults(connection->process) == SUCCEED)
            dbcanquery(connection->process);
        if (connection_sound(connection, error) == 0)
            error_set(error, ERROR_TRANSIENT, NULL, "%s sent %lld rows and counted %lld", connection->target,
                      (long long)counted, (long long)told);
        statement_cancel(statement);
        return -1;
    }
    return 0;
}

void statement_cancel(Statement *statement)
{
    Connection *connection = statement->connection;

    if (!statement->open)
        return;
    statement->open = false;
    statement->in_set = false;
    if (connection->process && !DBDEAD(connection->process))
        dbcancel(connection->process);
    if (connection->process && DBDEAD(connection->process))
        connection->dead = true;
}

int statement_each(Connection *connection, const char *text, const Parameters *parameters, RowFunction row,
                   void *context, Error *error)
{
    Statement statement;
    int got, set = 0;

    if (statement_start(&statement, connection, text, parameters, error) < 0)
        return -1;
    while ((got = statement_set(&statement, error)) > 0) {
        while ((got = statement_row(&statement, error)) > 0) {
            if (row(&statement, set, context, error) < 0) {
                statement_cancel(&statement);
                return -1;
            }
        }
        if (got < 0)
            return -1;
        set++;
    }
    return got;
}

bool statement_null(const Statement *statement, int column)
{
    return dbdata(statement->connection->process, column) == NULL;
}

int64_t statement_integer(const Statement *statement, int column)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);
    int16_t small;
    int32_t normal;
    int64_t big;

    if (!data)
        return 0;
    switch (dbdatlen(process, column)) {
    case 1:
        return data[0];
    case 2:
        memcpy(&small, data, sizeof small);
        return small;
    case 4:
        memcpy(&normal, data, sizeof normal);
        return normal;
    case 8:
        memcpy(&big, data, sizeof big);
        return big;
    default:
        return 0;
    }
}

void statement_text(const Statement *statement, int column, char *ret, size_t size)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);
    size_t length = data ? (size_t)dbdatlen(process, column) : 0;

    if (length >= size)
        length = size - 1;
    if (data && length)
        memcpy(ret, data, length);
    ret[length] = 0;
}

int statement_lsn(const Statement *statement, int column, uint8_t ret[10])
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);

    if (!data || dbdatlen(process, column) != 10)
        return -1;
    memcpy(ret, data, 10);
    return 0;
}
