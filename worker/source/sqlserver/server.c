/* server.c - a source of kind sqlserver: opening, closing, and where its log stands */
#include "source/sqlserver/sqlserver.h"
#include "source/sqlserver/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const SourceKind sqlserver_kind = {
    .name = "sqlserver",
    .open = sqlserver_open,
    .close = sqlserver_close,
    .poll = sqlserver_poll,
    .discover = sqlserver_discover,
    .split = sqlserver_split,
    .position_after = sqlserver_position_after,
    .read = sqlserver_read,
    .next = sqlserver_next,
    .verify = sqlserver_verify,
    .reader_position = sqlserver_reader_position,
    .last_key = sqlserver_last_key,
    .reader_close = sqlserver_reader_close,
    .check = sqlserver_check,
};

Connection *sqlserver_connection(SqlServer *server)
{
    if (server->open)
        statement_cancel(server->open);
    server->open = NULL;
    return &server->connection;
}

int text_name(Buffer *text, const char *name, Error *error)
{
    if (buffer_text(text, "[", error) < 0)
        return -1;
    for (const char *c = name; *c; c++) {
        if (buffer_append(text, c, 1, error) < 0 || (*c == ']' && buffer_append(text, c, 1, error) < 0))
            return -1;
    }
    return buffer_text(text, "]", error);
}

int text_table(Buffer *text, const char *schema, const char *table, Error *error)
{
    if (text_name(text, schema, error) < 0 || buffer_text(text, ".", error) < 0)
        return -1;
    return text_name(text, table, error);
}

int text_change_table(Buffer *text, const char *instance, Error *error)
{
    char name[600];

    snprintf(name, sizeof name, "%s_CT", instance);
    return text_table(text, "cdc", name, error);
}

static int offset_row(const Statement *statement, int set, void *context, Error *error)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, 1);
    ColumnInstant now;

    (void)set;
    if (!data || decode_datetimeoffset(data, dbdatlen(process, 1), &now) < 0)
        return error_set(error, ERROR_TRANSIENT, NULL, "%s did not tell its time", statement->connection->target);
    *(int *)context = now.offset_minutes;
    return 0;
}

static int text_row(const Statement *statement, int set, void *context, Error *error)
{
    (void)set, (void)error;
    statement_text(statement, 1, context, 64);
    return 0;
}

void sqlserver_encrypt_option(SqlServer *server, char word[64])
{
    static const char text[] = "SELECT CONVERT(nvarchar(40), encrypt_option) AS encrypt_option FROM "
                               "sys.dm_exec_connections WHERE session_id = @@SPID";
    Error ignored;

    word[0] = '\0';
    if (statement_each(&server->connection, text, NULL, text_row, word, &ignored) < 0)
        word[0] = '\0';
}

/* FreeTDS goes on in plain text with a server that answers "login only" to a demand for TLS. */
static int downgrade_check(SqlServer *server, Error *error)
{
    char word[64];

    /* Where VIEW SERVER STATE is not granted the CA file has to do. */
    sqlserver_encrypt_option(server, word);
    if (strcmp(word, "FALSE") == 0)
        return error_set(error, ERROR_PERMANENT,
                         "Install a certificate at the server and let it force encryption, or set encryption 'request' "
                         "without a ca_file.",
                         "%s encrypts the login only, although encryption is required", server->connection.target);
    return 0;
}

int sqlserver_open(const cJSON *options, const char *password, Beat beat, Source **ret, Error *error)
{
    LoginOptions login;
    SqlServer *server;

    if (login_options_read(options, &login, error) < 0)
        return -1;
    server = calloc(1, sizeof *server);
    if (!server)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a source");
    server->base.kind = &sqlserver_kind;
    if (connection_open(&server->connection, &login, password, beat, error) < 0) {
        free(server);
        return -1;
    }
    if (statement_each(&server->connection, "SELECT SYSDATETIMEOFFSET() AS source_time", NULL, offset_row,
                       &server->utc_offset_minutes, error) < 0 ||
        ((login.encryption == ENCRYPTION_REQUIRE || login.ca_file) && downgrade_check(server, error) < 0)) {
        sqlserver_close(&server->base);
        return -1;
    }
    *ret = &server->base;
    return 0;
}

void sqlserver_close(Source *source)
{
    SqlServer *server = (SqlServer *)source;

    connection_close(&server->connection);
    free(server->probed);
    free(server);
}

static int lsn_row(const Statement *statement, int set, void *context, Error *error)
{
    (void)set, (void)error;
    (void)statement_lsn(statement, 1, context);
    return 0;
}

int sqlserver_position(Source *source, char *ret, size_t size, Error *error)
{
    uint8_t lsn[LSN_BYTES] = {0}; /* nothing captured yet: below everything */
    char text[LSN_TEXT];

    if (statement_each(sqlserver_connection((SqlServer *)source),
                       "SELECT MAX(start_lsn) AS position FROM cdc.lsn_time_mapping", NULL, lsn_row, lsn, error) < 0)
        return -1;
    lsn_text(lsn, text);
    snprintf(ret, size, "%s", text);
    return 0;
}

int sqlserver_position_after(Source *source, char *ret, size_t size, Error *error)
{
    static const char statement[] =
        "SELECT CONVERT(nvarchar(60), log_end_lsn) AS log_end_lsn FROM sys.dm_db_log_stats(DB_ID())";
    Connection *connection = sqlserver_connection((SqlServer *)source);
    uint8_t lsn[LSN_BYTES];
    char printed[64] = "", text[LSN_TEXT];

    ret[0] = 0;
    /* An older server, a secondary, or no VIEW SERVER STATE: the caller's fence takes its place. */
    if (statement_each(connection, statement, NULL, text_row, printed, error) < 0 &&
        (connection->dead || connection->interrupted))
        return -1;
    if (lsn_parse_printed(printed, lsn) == 0) {
        lsn_text(lsn, text);
        snprintf(ret, size, "%s", text);
    }
    return 0;
}
