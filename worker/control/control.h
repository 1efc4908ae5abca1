/*
 * control.h - one libpq connection of one process to the PostgreSQL that owns all facts.
 *
 * Calls never block without a pulse: the answer is awaited in slices of at most a second, between which `beat` is
 * called. A lost connection is ERROR_TRANSIENT with control_lost() true afterwards: the process then ends, and the
 * main process starts another.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

#include "base/beat.h"
#include "base/json.h"
#include <stdbool.h>

#define API_VERSION 1

typedef struct Control Control;

/* Connects, sets the session (synchronous_commit on, bounded lock and statement time) and LISTENs. A refused login is
 * ERROR_PERMANENT whose hint names the pg_hba.conf line that would let the role in; a database without sluice is ERROR_GONE. */
int control_open(const char *conninfo, const char *application, Beat beat, Control **ret, Error *error);
void control_close(Control *control);
bool control_lost(const Control *control);

/* `SELECT _sluice.<function>(argument)`; argument NULL = no argument. *answer = NULL where SQL answered NULL; the caller frees it.
 * SL001 -> ERROR_FENCED, SL002 and insufficient_privilege -> ERROR_PERMANENT, other server errors -> ERROR_TRANSIENT. */
int control_call(Control *control, const char *function, const cJSON *argument, cJSON **answer, Error *error);
/* Waits for NOTIFY, for `fd` to be readable (-1 = none) or for timeout_ms; calls beat. -1: interrupted or lost. */
int control_wait(Control *control, int fd, int timeout_ms, Error *error);

#endif
