/*
 * buffer.h - a growable byte buffer that declares its maximum.
 *
 * The caller owns the struct; buffer_free releases the bytes. Appending beyond the maximum is an
 * ERROR_PERMANENT naming the limit, running out of memory an ERROR_TRANSIENT; the content stays as it was.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct Buffer {
    char *data;
    size_t length;
    size_t capacity;
    size_t maximum; /* bytes */
} Buffer;

void buffer_init(Buffer *buffer, size_t maximum);
void buffer_free(Buffer *buffer);
void buffer_clear(Buffer *buffer); /* keeps the memory */
/* Room for `extra` more bytes; the writer then stores at data + length and adds to length itself. */
int buffer_reserve(Buffer *buffer, size_t extra, Error *error);
int buffer_append(Buffer *buffer, const void *data, size_t length, Error *error);
int buffer_text(Buffer *buffer, const char *text, Error *error);
int buffer_format(Buffer *buffer, Error *error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Data followed by a 0 byte that is not counted in length. */
int buffer_terminate(Buffer *buffer, Error *error);

#endif
