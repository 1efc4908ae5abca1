/*
 * poll.h - the parts of a poll. Each adds its members to the answer (control/README.md, poll).
 */
#ifndef SLUICE_SQLSERVER_POLL_H
#define SLUICE_SQLSERVER_POLL_H

#include "source/sqlserver/sqlserver.h"

/* "newest" and "failed": the newest change of each instance asked for, by one fixed text per PROBE_INSTANCES_MAX. */
#define PROBE_INSTANCES_MAX 250
int probe_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error);
/* "fences": those that the log has reached. */
int fences_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error);
/* "quiet": has a table no change in (from, to]? */
int quiet_run(SqlServer *server, const cJSON *ask, cJSON *answer, Error *error);
/* "capture": what the capture job says of itself, null where we may not read it. */
int capture_run(SqlServer *server, cJSON *answer, Error *error);

/* "2026-11-20T08:51:06.123Z" from a server-local datetime column, or NULL. */
cJSON *poll_time_utc(const Statement *statement, int column, int utc_offset_minutes);

#endif
