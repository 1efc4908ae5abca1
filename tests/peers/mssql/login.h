/*
 * login.h - PRELOGIN, TLS as asked, LOGIN7 and its answer ([MS-TDS] 2.2.6.4, 2.2.6.5, 3.3.5.1 to 3.3.5.4).
 */
#ifndef MSSQL_LOGIN_H
#define MSSQL_LOGIN_H

#include "engine.h"
#include "net.h"

typedef enum Encryption { ENCRYPTION_LOGIN = 0, ENCRYPTION_ON = 1, ENCRYPTION_OFF = 2 } Encryption;

typedef struct Login {
    char user[257], password[257], database[257], application[257], host[257]; /* UTF-8, cut at 256 bytes */
    uint32_t version;                                                          /* 0x74000004: TDS 7.4 */
    uint32_t packet_size;  /* granted: what was asked for, 512 to 32767 */
    bool read_only_intent; /* TypeFlags bit 5 */
    bool integrated;       /* SSPI asked for: refused */
} Login;

/* Reads up to LOGIN7 and opens the session, but answers nothing yet, so that the journal comes first. -1: with a number
 * in *error the client is to be refused (18456, 4060, 18452, 17835), with 0 it left or spoke nonsense. context may be
 * NULL with ENCRYPTION_OFF. */
int login_accept(Connection *connection, Encryption encryption, SSL_CTX *context, const char *conninfo, Login *login,
                 Session **ret, SqlError *error);
/* The answer; from then on packets have the granted size. */
int login_welcome(Connection *connection, const Login *login, const char *database);
void login_refuse(Connection *connection, const SqlError *error);

#endif
