/*
 * serve.h - one client from its login to its end: the process of a connection does nothing else.
 */
#ifndef MSSQL_SERVE_H
#define MSSQL_SERVE_H

#include "login.h"

typedef struct ServeOptions {
    const char *conninfo;
    const char *fault_file; /* NULL: no faults */
    Encryption encryption;
    SSL_CTX *tls; /* NULL with ENCRYPTION_OFF */
} ServeOptions;

/* Takes the socket over; returns when the client is gone. */
void serve_client(const ServeOptions *options, int fd, uint16_t spid);

#endif
