/* error.c - see error.h */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_store(Error *error, ErrorKind kind, const char *code, const char *hint, const char *format, ...)
{
    va_list arguments;

    error->kind = kind;
    snprintf(error->code, sizeof error->code, "%s", code ? code : "");
    snprintf(error->hint, sizeof error->hint, "%s", hint ? hint : "");
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

void error_context(Error *error, const char *format, ...)
{
    char prefix[256];
    char message[sizeof error->message];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    memcpy(message, error->message, sizeof message);
    /* A message that does not fit loses its end, never its beginning: the beginning says where. */
    if (snprintf(error->message, sizeof error->message, "%s: %s", prefix, message) < 0)
        error->message[0] = '\0';
}

const char *error_kind_name(ErrorKind kind)
{
    static const char *const names[] = {
        [ERROR_TRANSIENT] = "transient", [ERROR_PERMANENT] = "permanent", [ERROR_LOST] = "lost",
        [ERROR_REWOUND] = "rewound",     [ERROR_GONE] = "gone",           [ERROR_FENCED] = "fenced",
        [ERROR_INTERRUPTED] = "interrupted", [ERROR_INTERNAL] = "internal",
    };

    return names[kind];
}
