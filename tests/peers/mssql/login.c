#include "login.h"
#include "text.h"
#include "token.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    OPTION_VERSION = 0,
    OPTION_ENCRYPTION = 1,
    OPTION_INSTANCE = 2,
    OPTION_THREAD = 3,
    OPTION_MARS = 4,
    OPTION_END = 0xFF
};
enum { ENCRYPT_OFF = 0, ENCRYPT_ON = 1, ENCRYPT_NOT_SUPPORTED = 2, ENCRYPT_REQUIRED = 3 };
enum { VERSION_7_3A = 0x730A0003, VERSION_7_4 = 0x74000004 };

static int client_encryption(const Bytes *message)
{
    for (size_t at = 0; at + 5 <= message->length && message->data[at] != OPTION_END; at += 5) {
        size_t offset = (size_t)message->data[at + 1] << 8 | message->data[at + 2];
        if (message->data[at] == OPTION_ENCRYPTION && offset < message->length)
            return message->data[offset];
    }
    return ENCRYPT_NOT_SUPPORTED;
}

/* What the server answers: 2 without TLS; with it 1 where either side wants everything encrypted ([MS-TDS] 2.2.6.4). */
static int server_encryption(Encryption ours, int client)
{
    if (ours == ENCRYPTION_OFF)
        return ENCRYPT_NOT_SUPPORTED;
    if (ours == ENCRYPTION_ON)
        return client == ENCRYPT_NOT_SUPPORTED ? ENCRYPT_REQUIRED : ENCRYPT_ON;
    return client == ENCRYPT_ON || client == ENCRYPT_REQUIRED ? ENCRYPT_ON : client;
}

static int prelogin_answer(Connection *connection, int encryption)
{
    uint8_t answer[26 + 6 + 1 + 1 + 4 + 1];
    static const struct {
        uint8_t option, length;
    } options[] = {
        {OPTION_VERSION, 6}, {OPTION_ENCRYPTION, 1}, {OPTION_INSTANCE, 1}, {OPTION_THREAD, 4}, {OPTION_MARS, 1}};
    size_t at = 26;

    memset(answer, 0, sizeof answer);
    for (int i = 0; i < 5; i++) {
        uint8_t entry[5] = {options[i].option, 0, (uint8_t)at, 0, options[i].length};
        memcpy(answer + 5 * i, entry, sizeof entry);
        at += options[i].length;
    }
    answer[25] = OPTION_END;
    answer[26] = 15; /* version 15.0.4375.0, as in @@VERSION */
    answer[28] = 0x11;
    answer[29] = 0x17;
    answer[32] = (uint8_t)encryption;
    net_begin(connection);
    if (net_put(connection, answer, sizeof answer) != 0)
        return -1;
    return net_end(connection);
}

/* An offset and a length in characters, at a fixed place of the record; text outside of the record is malformed. */
static int login_text(const Bytes *message, size_t place, bool password, char *ret, size_t size)
{
    const uint8_t *entry = message->data + place;
    size_t offset = (size_t)entry[0] | (size_t)entry[1] << 8, length = ((size_t)entry[2] | (size_t)entry[3] << 8) * 2;
    uint8_t clear[512];
    Bytes utf8 = {0};

    if (length > sizeof clear || (length > 0 && offset + length > message->length))
        return -1;
    if (length > 0)
        memcpy(clear, message->data + offset, length);
    for (size_t i = 0; password && i < length; i++) {
        uint8_t byte = clear[i] ^ 0xA5;
        clear[i] = (uint8_t)(byte << 4 | byte >> 4);
    }
    text_utf8_from_utf16(clear, length, &utf8);
    size_t kept = utf8.length < size - 1 ? utf8.length : size - 1;
    if (kept > 0)
        memcpy(ret, utf8.data, kept);
    ret[kept] = '\0';
    bytes_free(&utf8);
    return 0;
}

static uint32_t number_at(const Bytes *message, size_t at)
{
    const uint8_t *p = message->data + at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int login_parse(const Bytes *message, Login *login)
{
    if (message->length < 94)
        return -1;
    login->version = number_at(message, 4);
    login->packet_size = number_at(message, 8);
    login->integrated = (message->data[25] & 0x80) != 0;
    login->read_only_intent = (message->data[26] & 0x20) != 0;
    if (login_text(message, 36, false, login->host, sizeof login->host) != 0 ||
        login_text(message, 40, false, login->user, sizeof login->user) != 0 ||
        login_text(message, 44, true, login->password, sizeof login->password) != 0 ||
        login_text(message, 48, false, login->application, sizeof login->application) != 0 ||
        login_text(message, 68, false, login->database, sizeof login->database) != 0)
        return -1;
    return 0;
}

void login_refuse(Connection *connection, const SqlError *error)
{
    net_begin(connection);
    token_message(connection, error, 1);
    token_done(connection, TOKEN_DONE, DONE_ERROR, 0, 0);
    net_end(connection);
}

int login_welcome(Connection *connection, const Login *login, const char *database)
{
    SqlError info = {.number = 5701, .state = 2, .severity = 0};
    SqlError language = {.number = 5703, .state = 1, .severity = 0, .text = "Changed language setting to us_english."};
    char size[16], old_size[16];

    snprintf(info.text, sizeof info.text, "Changed database context to '%s'.", database);
    snprintf(size, sizeof size, "%u", login->packet_size);
    snprintf(old_size, sizeof old_size, "%d", PACKET_LOGIN_SIZE);
    net_begin(connection);
    token_change_text(connection, CHANGE_DATABASE, database, "master");
    token_message(connection, &info, 1);
    token_change_bytes(connection, CHANGE_COLLATION, wire_collation, sizeof wire_collation, NULL, 0);
    token_change_text(connection, 2, "us_english", "");
    token_message(connection, &language, 1);
    token_login_ack(connection, login->version);
    token_change_text(connection, CHANGE_PACKET_SIZE, size, old_size);
    token_done(connection, TOKEN_DONE, 0, 0, 0);
    if (net_end(connection) != 0)
        return -1;
    net_packet_size(connection, login->packet_size);
    return 0;
}

static int login_read(Connection *connection, Encryption encryption, SSL_CTX *context, Login *login)
{
    Bytes message = {0};
    int type, result = net_read(connection, &type, &message);

    if (result == 0 && type == PACKET_PRELOGIN) {
        int client = client_encryption(&message), server = server_encryption(encryption, client);
        result = prelogin_answer(connection, server);
        if (result == 0 && server != ENCRYPT_NOT_SUPPORTED)
            result = net_tls_start(connection, context);
        if (result == 0)
            result = net_read(connection, &type, &message);
        if (server == ENCRYPT_OFF)
            net_tls_stop(connection);
    }
    if (result == 0 && (type != PACKET_LOGIN || login_parse(&message, login) != 0))
        result = -1;
    bytes_free(&message);
    return result;
}

int login_accept(Connection *connection, Encryption encryption, SSL_CTX *context, const char *conninfo, Login *login,
                 Session **ret, SqlError *error)
{
    memset(login, 0, sizeof *login);
    memset(error, 0, sizeof *error);
    if (login_read(connection, encryption, context, login) != 0)
        return -1;
    if (login->packet_size < PACKET_MIN)
        login->packet_size = PACKET_LOGIN_SIZE;
    if (login->packet_size > PACKET_MAX)
        login->packet_size = PACKET_MAX;
    LoginRequest request = {login->user,        login->password, login->database,
                            login->application, login->host,     login->read_only_intent};
    if (login->version < VERSION_7_3A) {
        *error = (SqlError){.number = 17835,
                            .state = 1,
                            .severity = 20,
                            .text = "The simulator speaks TDS 7.3 and 7.4 only; set the client's TDS version to 7.4."};
        return -1;
    }
    if (login->integrated) {
        *error = (SqlError){.number = 18452,
                            .state = 1,
                            .severity = 14,
                            .text = "Login failed. The login is from an untrusted domain and cannot be used with "
                                    "Integrated authentication."};
        return -1;
    }
    if (login->version > VERSION_7_4)
        login->version = VERSION_7_4;
    /* What sys.dm_exec_connections.encrypt_option says; libpq reads it whatever form the conninfo has. */
    setenv("PGOPTIONS", connection->encrypted ? "-c mssql.encrypt=TRUE" : "-c mssql.encrypt=FALSE", 1);
    return session_open(conninfo, &request, ret, error);
}
