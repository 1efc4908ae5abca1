/*
 * rpc.h - remote procedure calls ([MS-TDS] 2.2.6.6): sp_executesql by number or name, the prepared-statement family
 * that mssql-jdbc and ODBC use, and any other procedure by its name as an EXEC batch with the same parameters.
 */
#ifndef MSSQL_RPC_H
#define MSSQL_RPC_H

#include "answer.h"

/* Statements that sp_prepare and sp_prepexec have left behind; the handle is the index plus one. */
typedef struct Prepared {
    char **statements, **declarations;
    int count;
} Prepared;

typedef struct RpcTrace {
    Bytes statement; /* NUL-terminated text of the last statement, for the log and for faults */
    int parameters;
} RpcTrace;

/* Called with the text of each statement before it runs. */
typedef void (*RpcStart)(void *context, const char *statement);

/* Runs all calls of a message (after ALL_HEADERS). -1 if the request is malformed or the session is finished. */
int rpc_run(Session *session, Prepared *prepared, const uint8_t *data, size_t length, Answer *answer, RpcTrace *trace,
            RpcStart start, void *context);
void prepared_free(Prepared *prepared);

#endif
