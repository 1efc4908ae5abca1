/*
 * supervisor.h: the one background worker of sluice. It starts the program
 * sluice-worker, relays its log, restarts it and stops it; README.md tells the
 * state machine.
 */
#ifndef SLUICE_SUPERVISOR_H
#define SLUICE_SUPERVISOR_H

#include "postgres.h"

/* Settings (sluice.c); all of them follow a reload. */
extern char *sluice_database;
extern char *sluice_worker_path;     /* empty: sluice-worker beside postgres */
extern char *sluice_worker_conninfo; /* empty: first socket directory, role sluice_worker */
extern bool sluice_supervise;
extern int	sluice_restart_delay;	 /* ms; all other delays are multiples */

/* Exit codes that sluice-worker promises. */
#define WORKER_EXIT_REFUSED 3	/* will not run as things are: wrong version, login failed */
#define WORKER_EXIT_ABSENT 4	/* the database holds no extension sluice (any more) */

/* From _PG_init while shared libraries are preloaded. */
extern void supervisor_register(void);

extern PGDLLEXPORT void sluice_supervisor_main(Datum arg);

#endif
