/*
 * log.h - one line an event on standard error: `LEVEL<tab>text`, read by the supervisor, systemd or a person.
 *
 * The text is `source=erp table=erp.dbo.orders batch=12 message`, with the parts that are known. Control
 * characters are replaced, lines are cut at 1000 bytes. The context is the process's own (one thread, one job
 * at a time), which is why it may be static.
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include "base/error.h"

typedef enum LogLevel { LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR, LOG_FATAL } LogLevel;

/* What the following lines are about; NULL and 0 leave a part out. Strings are copied. */
void log_context(const char *process, const char *source, const char *table, long long batch);
void log_line(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(LogLevel level, const Error *error); /* message, code and hint */

#endif
