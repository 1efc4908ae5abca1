/*
 * answer.h - one request's answer: a ResultSink that writes tokens and keeps the rules between them.
 *
 * The status of a DONE says whether more follows, so each DONE is held back until the next token or the end decides
 * it ([MS-TDS] 2.2.7.6). Inside an RPC statements end with DONEINPROC and the request with RETURNSTATUS and
 * DONEPROC. An error marks the DONE of its statement; after an attention everything is dropped up to DONE with
 * DONE_ATTN. Faults by rows (fault.h) are carried out here.
 */
#ifndef MSSQL_ANSWER_H
#define MSSQL_ANSWER_H

#include "token.h"

typedef struct Answer {
    Connection *connection;
    RowFormat format;
    ResultSink sink;
    bool rpc;
    bool stopped;         /* the rest of the statement is dropped (attention, fault, broken) */
    bool failed;          /* an error was told since the last DONE */
    int32_t error_number; /* the first one of the request, 0 if none */
    uint64_t rows;        /* of the whole request */
    uint64_t result_rows; /* of the running result */
    bool held;            /* a DONE waits for its "more" bit */
    uint16_t held_status;
    uint16_t held_command;
    uint64_t held_rows;
} Answer;

/* null_bitmap: see RowFormat. The Answer may not move afterwards. */
void answer_begin(Answer *answer, Connection *connection, bool rpc, bool null_bitmap);
/* Forgets what is per request inside one message, between two RPCs of a batch. */
int answer_next(Answer *answer);
/* Tells an error of the wire itself. */
void answer_error(Answer *answer, int32_t number, int severity, const char *text);
/* The handle that sp_prepare and sp_prepexec give back; before the end of the procedure. */
int answer_handle(Answer *answer, const char *name, int32_t handle);
/* Writes the final DONE (or RETURNSTATUS and DONEPROC) and sends the rest; -1 if the connection is finished. */
int answer_end(Answer *answer);

#endif
