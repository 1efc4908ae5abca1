/*
 * error.h - how a function of the worker reports failure.
 *
 * A function that can fail takes `Error *error` last and returns 0 or -1. On -1 *error is filled; outputs
 * are untouched. No message ever holds a secret: whoever formats a message must not format one.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

typedef enum ErrorKind {
    ERROR_TRANSIENT,   /* worth another try: network, timeout, deadlock, throttling */
    ERROR_PERMANENT,   /* a person must act: permission, wrong option, refused type, foreign object */
    ERROR_LOST,        /* the source's retention has overtaken us */
    ERROR_REWOUND,     /* the source's log went back: restore or failover */
    ERROR_GONE,        /* table, capture instance or database no longer exists */
    ERROR_FENCED,      /* our lease was taken by another worker: drop the work, touch nothing */
    ERROR_INTERRUPTED, /* asked to stop */
    ERROR_INTERNAL     /* broken invariant */
} ErrorKind;

typedef struct Error {
    ErrorKind kind;
    char code[16];      /* SQLSTATE, server error number, HTTP status or "" */
    char message[512];  /* what failed, with which object, why */
    char hint[512];     /* the next command, or "" */
} Error;

/* Fills *error. code and hint may be NULL. */
void error_store(Error *error, ErrorKind kind, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Puts "context: " before the message. */
void error_context(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -1, where compiler and analyzer can see it: `return error_set(...)` is known to be a failure. */
static inline int error_failed(void)
{
    return -1;
}

#define error_set(error, kind, hint, ...) (error_store(error, kind, NULL, hint, __VA_ARGS__), error_failed())
#define error_set_code(error, kind, code, hint, ...) (error_store(error, kind, code, hint, __VA_ARGS__), error_failed())
#define error_prefix(error, ...) (error_context(error, __VA_ARGS__), error_failed())

/* "transient", "permanent", ...: the words _sluice.batch_fail knows. */
const char *error_kind_name(ErrorKind kind);

#endif
