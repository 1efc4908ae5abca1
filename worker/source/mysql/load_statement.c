/* load_statement.c - see load_statement.h */
#include "source/mysql/load_statement.h"

#include <stdlib.h>
#include <string.h>

#define PREPARE_OK_BYTES 12
#define EOF_BYTES_MAX 8          /* a longer packet that begins with 0xfe is a row of the text protocol */
#define DEFINITION_FIXED_BYTES 12 /* charset, length, type, flags, decimals, filler */
#define FLAG_UNSIGNED 32
#define RESULT_COLUMNS_MAX 8192   /* 4096 of a table, and the lengths of large ones */

static int malformed(const LoadStatement *statement, const char *what, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "%s sent a malformed %s", statement->session->target, what);
}

/* The next packet of the answer, which must come within the query's time; an error packet is an error. */
static int packet_next(LoadStatement *statement, const uint8_t **data, size_t *length, Error *error)
{
    Session *session = statement->session;
    int got = session_packet(session, session->query_timeout_s * 1000, data, length, error);

    if (got < 0) {
        statement->pending = false; /* an error packet ends the answer; after any other failure the connection is gone */
        return -1;
    }
    if (got == 0)
        return error_set(error, ERROR_TRANSIENT, "The source option query_timeout bounds the wait for a row.", "%s sent nothing for %d seconds",
                         session->target, session->query_timeout_s);
    if (*length == 0)
        return malformed(statement, "packet without content", error);
    if ((*data)[0] != 0xff)
        return 0;
    statement->pending = false;
    if (*length < 3)
        return malformed(statement, "error packet", error);
    /* 0xff, number, then '#' and SQLSTATE */
    bool state = *length >= 9 && (*data)[3] == '#';
    size_t at = state ? 9 : 3;
    char text[400];
    size_t take = *length - at < sizeof text - 1 ? *length - at : sizeof text - 1;

    memcpy(text, *data + at, take);
    text[take] = 0;
    return session_refused(session, (unsigned)((*data)[1] | (*data)[2] << 8), text, "reading the table", error);
}

static bool packet_is_eof(const uint8_t *data, size_t length)
{
    return data[0] == 0xfe && length <= EOF_BYTES_MAX;
}

static int eof_expect(LoadStatement *statement, Error *error)
{
    const uint8_t *data;
    size_t length;

    if (packet_next(statement, &data, &length, error) < 0)
        return -1;
    return packet_is_eof(data, length) ? 0 : malformed(statement, "end of the column definitions", error);
}

/* Steps over a text of a definition. */
static int text_skip(const uint8_t **at, const uint8_t *end)
{
    size_t length;

    if (*at == end)
        return -1;
    length = *(*at)++;
    if (length == 0xfc) {
        if (end - *at < 2)
            return -1;
        length = (size_t)((*at)[0] | (*at)[1] << 8);
        *at += 2;
    } else if (length > 0xfc) {
        return -1;
    }
    if ((size_t)(end - *at) < length)
        return -1;
    *at += length;
    return 0;
}

/* catalog, schema, table, original table, name, original name; where MariaDB's extended metadata was agreed on one more text; then the fixed
 * part behind its length, 12, with which the packet ends. */
static int definition_parse(const uint8_t *at, size_t length, WireColumn *ret)
{
    const uint8_t *end = at + length;

    for (int i = 0; i < 6; i++) {
        if (text_skip(&at, end) < 0)
            return -1;
    }
    if (end - at > 1 + DEFINITION_FIXED_BYTES && text_skip(&at, end) < 0)
        return -1;
    if (end - at != 1 + DEFINITION_FIXED_BYTES || at[0] != DEFINITION_FIXED_BYTES)
        return -1;
    at++;
    ret->charset = (uint16_t)(at[0] | at[1] << 8);
    ret->type = at[6];
    ret->is_unsigned = (at[7] & FLAG_UNSIGNED) != 0;
    ret->decimals = at[9];
    return 0;
}

static int definitions_read(LoadStatement *statement, Error *error)
{
    for (int i = 0; i < statement->count; i++) {
        const uint8_t *data;
        size_t length;

        if (packet_next(statement, &data, &length, error) < 0)
            return -1;
        if (definition_parse(data, length, &statement->columns[i]) < 0)
            return malformed(statement, "column definition", error);
    }
    return eof_expect(statement, error);
}

static int command(LoadStatement *statement, enum enum_server_command code, const char *bytes, size_t length, Error *error)
{
    if (session_command(statement->session, (unsigned char)code, bytes, length, error) < 0)
        return -1;
    statement->pending = true;
    return 0;
}

static int prepare(LoadStatement *statement, const char *text, size_t length, Error *error)
{
    const uint8_t *data;
    size_t size;

    if (command(statement, COM_STMT_PREPARE, text, length, error) < 0 || packet_next(statement, &data, &size, error) < 0)
        return -1;
    if (size < PREPARE_OK_BYTES || data[0] != 0)
        return malformed(statement, "answer to a prepare", error);
    statement->id = (uint32_t)data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16 | (uint32_t)data[4] << 24;
    statement->count = data[5] | data[6] << 8;
    statement->prepared = true;
    if ((data[7] | data[8]) != 0 || statement->count < 1 || statement->count > RESULT_COLUMNS_MAX)
        return malformed(statement, "number of columns", error);
    statement->columns = calloc((size_t)statement->count, sizeof *statement->columns);
    if (!statement->columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d columns", statement->count);
    if (definitions_read(statement, error) < 0)
        return -1;
    statement->pending = false;
    return 0;
}

/* The number of columns; a MariaDB that remembers what it has sent adds whether their definitions follow once more. */
static int execute(LoadStatement *statement, Error *error)
{
    uint32_t id = statement->id;
    const char bytes[9] = {(char)id, (char)(id >> 8), (char)(id >> 16), (char)(id >> 24), 0, 1, 0, 0, 0};
    const uint8_t *data;
    size_t size, count, behind = 1;
    bool defined = true;

    if (command(statement, COM_STMT_EXECUTE, bytes, sizeof bytes, error) < 0 || packet_next(statement, &data, &size, error) < 0)
        return -1;
    count = data[0];
    if (count == 0xfc && size >= 3) {
        count = (size_t)(data[1] | data[2] << 8);
        behind = 3;
    }
    if (count != (size_t)statement->count)
        return malformed(statement, "number of columns", error);
    if (size > behind)
        defined = data[behind] != 0;
    return defined ? definitions_read(statement, error) : eof_expect(statement, error);
}

int load_statement_start(LoadStatement *statement, Session *session, const char *text, size_t length, Error *error)
{
    *statement = (LoadStatement){.session = session};
    if (prepare(statement, text, length, error) < 0)
        return -1;
    return execute(statement, error);
}

int load_statement_row(LoadStatement *statement, const uint8_t **row, size_t *length, Error *error)
{
    if (packet_next(statement, row, length, error) < 0)
        return -1;
    if (packet_is_eof(*row, *length)) {
        statement->pending = false;
        return 0;
    }
    return (*row)[0] == 0 ? 1 : malformed(statement, "row", error);
}

void load_statement_close(LoadStatement *statement)
{
    uint32_t id = statement->id;
    const char bytes[4] = {(char)id, (char)(id >> 8), (char)(id >> 16), (char)(id >> 24)};

    Error ignored;

    /* COM_STMT_CLOSE has no answer. */
    if (statement->prepared && !statement->pending && statement->session->mysql)
        (void)session_command(statement->session, COM_STMT_CLOSE, bytes, sizeof bytes, &ignored);
    free(statement->columns);
    statement->columns = NULL;
    statement->prepared = false;
}
