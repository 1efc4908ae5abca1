/*
 * token.h - writes the tokens of an answer ([MS-TDS] 2.2.7) into the connection's packets.
 *
 * Each returns 0, or -1 when the connection is broken or an attention has come. Texts are UTF-8 and go out as UTF-16LE.
 */
#ifndef MSSQL_TOKEN_H
#define MSSQL_TOKEN_H

#include "engine.h"
#include "net.h"
#include "wire.h"

enum { DONE_MORE = 1, DONE_ERROR = 2, DONE_IN_TRANSACTION = 4, DONE_COUNT = 0x10, DONE_ATTENTION = 0x20 };
enum { TOKEN_DONE = 0xFD, TOKEN_DONE_PROC = 0xFE, TOKEN_DONE_IN_PROC = 0xFF };
enum {
    CHANGE_DATABASE = 1,
    CHANGE_PACKET_SIZE = 4,
    CHANGE_COLLATION = 7,
    CHANGE_BEGIN = 8,
    CHANGE_COMMIT = 9,
    CHANGE_ROLLBACK = 10
};

#define SERVER_NAME "SIMULATOR"

/* How the columns of the running result are written; made by token_columns, freed by row_format_free. */
typedef struct RowFormat {
    uint8_t *lengths; /* WireLength of each column */
    int count;
    bool null_bitmap; /* the client's version (7.3B on) knows NBCROW */
    Bytes row;
} RowFormat;

int token_columns(Connection *connection, RowFormat *format, const ResultColumn *columns, int count);
int token_row(Connection *connection, RowFormat *format, const ResultValue *values, int count);
void row_format_free(RowFormat *format);

int token_done(Connection *connection, int token, uint16_t status, uint16_t command, uint64_t rows);
/* ERROR for a severity above 10, else INFO. */
int token_message(Connection *connection, const SqlError *error, int line);
int token_change_text(Connection *connection, int kind, const char *new_value, const char *old_value);
int token_change_bytes(Connection *connection, int kind, const void *new_value, size_t new_length,
                       const void *old_value, size_t old_length);
int token_login_ack(Connection *connection, uint32_t version);
int token_return_status(Connection *connection, int32_t status);
/* A RETURNVALUE of type int (the handle of sp_prepexec and sp_prepare). */
int token_return_int(Connection *connection, uint16_t ordinal, const char *name, int32_t value);

#endif
