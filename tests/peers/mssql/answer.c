#include "answer.h"
#include <stdio.h>

enum { COMMAND_SELECT = 0xC1, COMMAND_NONE = 0 };

static int gone(Answer *answer)
{
    if (answer->connection->attention || answer->connection->broken)
        answer->stopped = true;
    return answer->stopped ? -1 : 0;
}

static int release(Answer *answer, bool more)
{
    int token = answer->rpc ? TOKEN_DONE_IN_PROC : TOKEN_DONE;

    if (!answer->held)
        return 0;
    answer->held = false;
    return token_done(answer->connection, token, (uint16_t)(answer->held_status | (more ? DONE_MORE : 0)),
                      answer->held_command, answer->held_rows);
}

static int sink_columns(void *context, const ResultColumn *columns, int count)
{
    Answer *answer = context;

    if (gone(answer) != 0)
        return -1;
    release(answer, true);
    answer->result_rows = 0;
    token_columns(answer->connection, &answer->format, columns, count);
    return gone(answer);
}

static int sink_row(void *context, const ResultValue *values, int count)
{
    Answer *answer = context;
    const Fault *fault = answer->connection->fault;

    if (answer->stopped)
        return -1;
    if (fault && fault->active && fault->error_after_rows >= 0 &&
        answer->result_rows >= (uint64_t)fault->error_after_rows) {
        answer_error(answer, 8134, 16, "Divide by zero error encountered.");
        answer->stopped = true;
        return -1;
    }
    answer->result_rows++;
    answer->rows++;
    token_row(answer->connection, &answer->format, values, count);
    return gone(answer);
}

static int sink_done(void *context, uint64_t rows, bool has_count, bool more)
{
    Answer *answer = context;

    (void)more; /* what really follows decides */
    if (gone(answer) != 0)
        return -1;
    release(answer, true);
    answer->held = true;
    answer->held_status =
        (uint16_t)((has_count && !answer->failed ? DONE_COUNT : 0) | (answer->failed ? DONE_ERROR : 0));
    answer->held_command = answer->format.lengths && has_count ? COMMAND_SELECT : COMMAND_NONE;
    answer->held_rows = has_count && !answer->failed ? rows : 0;
    answer->failed = false;
    row_format_free(&answer->format);
    return 0;
}

static int sink_message(void *context, const SqlError *error, int line)
{
    Answer *answer = context;

    if (gone(answer) != 0)
        return -1;
    release(answer, true);
    if (error->severity > 10) {
        answer->failed = true;
        if (!answer->error_number)
            answer->error_number = error->number;
    }
    token_message(answer->connection, error, line);
    return gone(answer);
}

static int sink_database(void *context, const char *old_name, const char *new_name)
{
    Answer *answer = context;
    SqlError info = {.number = 5701, .state = 1, .severity = 0};

    if (gone(answer) != 0)
        return -1;
    release(answer, true);
    snprintf(info.text, sizeof info.text, "Changed database context to '%s'.", new_name);
    token_change_text(answer->connection, CHANGE_DATABASE, new_name, old_name);
    token_message(answer->connection, &info, 1);
    return gone(answer);
}

static int sink_poll(void *context)
{
    Answer *answer = context;

    net_poll(answer->connection);
    return gone(answer);
}

void answer_begin(Answer *answer, Connection *connection, bool rpc, bool null_bitmap)
{
    *answer = (Answer){.connection = connection, .rpc = rpc};
    answer->format.null_bitmap = null_bitmap;
    answer->sink = (ResultSink){.context = answer,
                                .columns = sink_columns,
                                .row = sink_row,
                                .done = sink_done,
                                .message = sink_message,
                                .database = sink_database,
                                .poll = sink_poll};
    connection->attention = false;
    net_begin(connection);
}

void answer_error(Answer *answer, int32_t number, int severity, const char *text)
{
    SqlError error = {.number = number, .state = 1, .severity = (uint8_t)severity};

    snprintf(error.text, sizeof error.text, "%s", text);
    sink_message(answer, &error, 1);
}

int answer_handle(Answer *answer, const char *name, int32_t handle)
{
    if (gone(answer) != 0)
        return -1;
    release(answer, true);
    return token_return_int(answer->connection, 0, name, handle);
}

/* The end of one RPC: its status is 0, or the error's number as sp_executesql returns it. */
static int procedure_end(Answer *answer, bool more)
{
    uint16_t status = (uint16_t)((answer->failed ? DONE_ERROR : 0) | (more ? DONE_MORE : 0));

    release(answer, true);
    token_return_status(answer->connection, answer->error_number);
    return token_done(answer->connection, TOKEN_DONE_PROC, status, 0xE0, 0);
}

int answer_next(Answer *answer)
{
    if (gone(answer) != 0)
        return -1;
    procedure_end(answer, true);
    row_format_free(&answer->format);
    answer->failed = false;
    answer->error_number = 0;
    return gone(answer);
}

int answer_end(Answer *answer)
{
    Connection *connection = answer->connection;

    if (connection->attention) {
        token_done(connection, TOKEN_DONE, DONE_ATTENTION, 0, 0);
        connection->attention = false;
    } else if (answer->rpc) {
        procedure_end(answer, false);
    } else if (answer->failed || !answer->held) {
        release(answer, true);
        token_done(connection, TOKEN_DONE, answer->failed ? DONE_ERROR : 0, 0, 0);
    } else {
        release(answer, false);
    }
    row_format_free(&answer->format);
    return net_end(connection);
}
