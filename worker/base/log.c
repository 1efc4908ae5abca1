/* log.c - see log.h */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char prefix[300];
} log_state;

void log_context(const char *process, const char *source, const char *table, long long batch)
{
    char number[40] = "";

    if (batch)
        snprintf(number, sizeof number, "batch=%lld ", batch);
    snprintf(log_state.prefix, sizeof log_state.prefix, "%s%s%s%.100s%s%s%.150s%s%s", process ? process : "", process ? ": " : "",
             source ? "source=" : "", source ? source : "", source ? " " : "", table ? "table=" : "", table ? table : "",
             table ? " " : "", number);
}

void log_line(LogLevel level, const char *format, ...)
{
    static const char *const names[] = {"INFO", "NOTICE", "WARNING", "ERROR", "FATAL"};
    char line[1000];
    int length, more;
    va_list arguments;

    length = snprintf(line, sizeof line, "%s\t%s", names[level], log_state.prefix);
    va_start(arguments, format);
    more = vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    length += more < 0 ? 0 : more;
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    for (char *p = strchr(line, '\t') + 1; p < line + length; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    line[length++] = '\n';
    /* One write a line, so that lines of several processes do not mix; nobody to tell if it fails. */
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}

void log_error(LogLevel level, const Error *error)
{
    log_line(level, "%s%s%s%s%s%s", error->message, error->code[0] ? " (" : "", error->code, error->code[0] ? ")" : "",
             error->hint[0] ? " HINT: " : "", error->hint);
}
