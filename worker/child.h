/*
 * child.h - the main process's children: pollers and runners, started by fork and exec of the same program.
 *
 * The main process is their only owner. Each child writes a byte to its beat pipe at least once a second while it lives; one
 * that is silent for CHILD_SILENCE_MS is killed. Nothing here blocks.
 */
#ifndef SLUICE_CHILD_H
#define SLUICE_CHILD_H

#include "base/json.h"
#include "base/limits.h"
#include <stdbool.h>
#include <sys/types.h>

#define CHILDREN_MAX 256
#define CHILD_BEAT_FD 3 /* the child's end of its beat pipe */

typedef struct Child {
    pid_t pid;          /* 0 = not running */
    int64_t source_id;  /* of a poller; 0 = a runner */
    bool wanted;
    int beat_fd;
    int64_t beat_ms, started_ms, restart_ms, kill_ms; /* monotonic */
    int failures;
} Child;

typedef struct Children {
    int64_t worker_id;
    int count;
    Child list[CHILDREN_MAX];
} Children;

/* Brings the running children in line with what is wanted: starts, stops, kills what is silent or overdue. */
void children_want(Children *children, const cJSON *pollers, int runners);
void children_service(Children *children);
/* Collects children that ended; calls gone(context, pid) for each. */
void children_reap(Children *children, void (*gone)(void *context, pid_t pid), void *context);
/* SIGTERM to all, then SIGKILL to those that are left after CHILD_STOP_MS; returns when none is left. */
void children_stop(Children *children);
cJSON *children_pids(const Children *children);

/* The child's side: writes a beat (at most twice a second); non-zero when it is to stop. */
int child_beat(void *context);
/* Signals, parent's death, beat pipe. */
void child_begin(void);

#endif
