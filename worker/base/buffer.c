/* buffer.c - see buffer.h */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(Buffer *buffer, size_t maximum)
{
    *buffer = (Buffer){.maximum = maximum};
}

void buffer_free(Buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->length = buffer->capacity = 0;
}

void buffer_clear(Buffer *buffer)
{
    buffer->length = 0;
}

int buffer_reserve(Buffer *buffer, size_t extra, Error *error)
{
    size_t needed = buffer->length + extra;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    char *data;

    if (needed <= buffer->capacity)
        return 0;
    if (needed < extra || needed > buffer->maximum)
        return error_set(error, ERROR_PERMANENT, NULL, "a buffer limited to %zu bytes would need %zu", buffer->maximum, needed);
    while (capacity < needed)
        capacity *= 2;
    if (capacity > buffer->maximum)
        capacity = buffer->maximum;
    data = realloc(buffer->data, capacity);
    if (!data)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory asking for %zu bytes", capacity);
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int buffer_append(Buffer *buffer, const void *data, size_t length, Error *error)
{
    if (buffer_reserve(buffer, length, error) < 0)
        return -1;
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    return 0;
}

int buffer_text(Buffer *buffer, const char *text, Error *error)
{
    return buffer_append(buffer, text, strlen(text), error);
}

int buffer_format(Buffer *buffer, Error *error, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (buffer_reserve(buffer, (size_t)length + 1, error) < 0)
        return -1;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
    return 0;
}

int buffer_terminate(Buffer *buffer, Error *error)
{
    if (buffer_reserve(buffer, 1, error) < 0)
        return -1;
    buffer->data[buffer->length] = '\0';
    return 0;
}
