/*
 * child.h: one run of the program sluice-worker as a child process.
 *
 * The child lives no longer than the process that started it: the kernel kills
 * it when its parent dies. It leads a process group, so what it forked can be
 * killed with it. It gets the server's environment plus SLUICE_CONNINFO;
 * nothing secret stands in its arguments.
 */
#ifndef SLUICE_CHILD_H
#define SLUICE_CHILD_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define CHILD_LINE_BYTES 2048	/* a longer log line is cut */

typedef struct Child
{
	pid_t		pid;			/* 0: none */
	int			log_fd;			/* read end of its standard error; -1: none */
	TimestampTz started;
	TimestampTz asked_to_stop;	/* 0: not asked */
	bool		killed;			/* we have sent SIGKILL */
	bool		spoke;			/* it has logged something above DEBUG */
	int			line_bytes;
	bool		line_cut;		/* the rest of an overlong line is being skipped */
	char		line[CHILD_LINE_BYTES];
} Child;

/* An ERROR if no process can be made: the supervisor ends and is started again. */
extern void child_start(Child *child, const char *path, const char *conninfo);

/* Relays what is there through ereport, without waiting; at most 64 KiB a call. */
extern void child_relay(Child *child);

/* SIGTERM at the first call, SIGKILL (and a WARNING) at a call after patience_ms. */
extern void child_stop(Child *child, int patience_ms);

/* True if it has ended; then *status is as of waitpid() and the child is empty. */
extern bool child_reap(Child *child, int *status);

#endif
