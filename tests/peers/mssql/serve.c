#include "serve.h"
#include "journal.h"
#include "rpc.h"
#include "text.h"
#include <stdlib.h>
#include <time.h>

enum { VERSION_7_3B = 0x730B0003 };
enum { TRANSACTION_BEGIN = 5, TRANSACTION_COMMIT = 7, TRANSACTION_ROLLBACK = 8 };

typedef struct Client {
    const ServeOptions *options;
    Connection connection;
    Login login;
    Session *session;
    Prepared prepared;
    Fault fault;
    uint64_t transactions;
} Client;

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void statement_start(void *context, const char *statement)
{
    Client *client = context;

    fault_load(&client->fault, client->options->fault_file, statement);
    client->connection.fault = &client->fault;
}

/* ALL_HEADERS ([MS-TDS] 2.2.5.3): its own total length first. What lies behind it is the request. */
static int headers_skip(const Bytes *message, size_t *ret)
{
    Reader reader = {.data = message->data, .length = message->length};
    uint64_t total = read_number(&reader, 4);

    if (reader.bad || total < 4 || total > message->length)
        return -1;
    *ret = (size_t)total;
    return 0;
}

static int malformed(Client *client, Answer *answer)
{
    answer_begin(answer, &client->connection, false, false);
    answer_error(answer, 4014, 20,
                 "A fatal error occurred while reading the input stream from the network. The session "
                 "will be terminated.");
    answer_end(answer);
    return -1;
}

/* Ends the answer and writes the journal first, so that a test that has its answer finds its line. */
static int finish(Client *client, Answer *answer, const char *kind, int parameters, const char *sql, int64_t started)
{
    int result;

    journal_statement(&client->connection, &client->login, session_database(client->session), kind, parameters, answer,
                      now_us() - started, sql);
    result = answer_end(answer);
    client->connection.fault = NULL;
    return result;
}

static int serve_batch(Client *client, const Bytes *message)
{
    Answer answer;
    Bytes sql = {0};
    size_t at;
    int64_t started = now_us();

    if (headers_skip(message, &at) != 0 || (message->length - at) % 2)
        return malformed(client, &answer);
    text_utf8_from_utf16(message->data + at, message->length - at, &sql);
    bytes_append(&sql, "", 1);
    statement_start(client, (const char *)sql.data);
    answer_begin(&answer, &client->connection, false, client->login.version >= VERSION_7_3B);
    int result = session_batch(client->session, (const char *)sql.data, NULL, NULL, 0, &answer.sink);
    if (finish(client, &answer, "batch", 0, (const char *)sql.data, started) != 0)
        result = -1;
    bytes_free(&sql);
    return result;
}

static int serve_rpc(Client *client, const Bytes *message)
{
    Answer answer;
    RpcTrace trace = {0};
    size_t at;
    int64_t started = now_us();

    if (headers_skip(message, &at) != 0)
        return malformed(client, &answer);
    client->connection.fault = NULL;
    answer_begin(&answer, &client->connection, true, client->login.version >= VERSION_7_3B);
    int result = rpc_run(client->session, &client->prepared, message->data + at, message->length - at, &answer, &trace,
                         statement_start, client);
    const char *sql = trace.statement.data ? (const char *)trace.statement.data : "";
    if (finish(client, &answer, "rpc", trace.parameters, sql, started) != 0)
        result = -1;
    bytes_free(&trace.statement);
    return result;
}

/* Transaction manager requests ([MS-TDS] 2.2.6.9) become the statements they stand for; the client also wants the
 * descriptor in an ENVCHANGE. */
static int serve_transaction(Client *client, const Bytes *message)
{
    Answer answer;
    size_t at;
    int64_t started = now_us();

    if (headers_skip(message, &at) != 0)
        return malformed(client, &answer);
    Reader reader = {.data = message->data, .length = message->length, .at = at};
    int kind = (int)read_number(&reader, 2);
    const char *sql = kind == TRANSACTION_BEGIN      ? "BEGIN TRANSACTION"
                      : kind == TRANSACTION_COMMIT   ? "COMMIT TRANSACTION"
                      : kind == TRANSACTION_ROLLBACK ? "ROLLBACK TRANSACTION"
                                                     : NULL;
    if (!sql)
        return malformed(client, &answer);
    statement_start(client, sql);
    answer_begin(&answer, &client->connection, false, false);
    int result = session_batch(client->session, sql, NULL, NULL, 0, &answer.sink);
    if (!answer.error_number && !answer.stopped) {
        uint64_t old = client->transactions, descriptor = kind == TRANSACTION_BEGIN ? ++client->transactions : 0;
        int change = kind == TRANSACTION_BEGIN    ? CHANGE_BEGIN
                     : kind == TRANSACTION_COMMIT ? CHANGE_COMMIT
                                                  : CHANGE_ROLLBACK;
        token_change_bytes(&client->connection, change, &descriptor, descriptor ? 8 : 0, &old, descriptor ? 0 : 8);
    }
    if (finish(client, &answer, "transaction", 0, sql, started) != 0)
        result = -1;
    return result;
}

/* An attention that finds nothing running is answered too ([MS-TDS] 3.3.5.5). */
static int serve_attention(Client *client)
{
    net_begin(&client->connection);
    token_done(&client->connection, TOKEN_DONE, DONE_ATTENTION, 0, 0);
    return net_end(&client->connection);
}

static int serve_message(Client *client, int type, const Bytes *message)
{
    Answer answer;

    switch (type) {
    case PACKET_BATCH:
        return serve_batch(client, message);
    case PACKET_RPC:
        return serve_rpc(client, message);
    case PACKET_TRANSACTION:
        return serve_transaction(client, message);
    case PACKET_ATTENTION:
        return serve_attention(client);
    default:
        return malformed(client, &answer);
    }
}

void serve_client(const ServeOptions *options, int fd, uint16_t spid)
{
    Client *client = calloc(1, sizeof *client);
    Bytes message = {0};
    SqlError error;
    int type, result;

    if (!client)
        abort();
    client->options = options;
    net_open(&client->connection, fd, spid);
    result = login_accept(&client->connection, options->encryption, options->tls, options->conninfo, &client->login,
                          &client->session, &error);
    if (result == 0 || error.number)
        journal_login(&client->connection, &client->login, error.number);
    if (result == 0)
        result = login_welcome(&client->connection, &client->login, session_database(client->session));
    else if (error.number)
        login_refuse(&client->connection, &error);
    while (result == 0 && net_read(&client->connection, &type, &message) == 0)
        result = serve_message(client, type, &message);
    if (client->session)
        session_close(client->session);
    prepared_free(&client->prepared);
    bytes_free(&message);
    net_close(&client->connection);
    free(client);
}
