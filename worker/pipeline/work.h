/*
 * work.h - what one claim gives a runner to do, and the connections it does it with.
 *
 * A Work lives for one claim. Everything in it is borrowed: the runner owns the connections and the claim's JSON.
 */
#ifndef SLUICE_WORK_H
#define SLUICE_WORK_H

#include "base/beat.h"
#include "control/control.h"
#include "sink/sink.h"
#include "source/source.h"
#include <limits.h>

typedef struct Work {
    Control *control;
    Source *source;      /* NULL for work that reads no source */
    Sink *sink;
    Beat beat;
    int64_t worker_id;
    const cJSON *claim;  /* the answer of batch_claim (control/README.md) */
} Work;

/* A message to the control plane that names this worker; the caller adds members and frees it. */
cJSON *work_message(const Work *work);
/* {"batch_id","generation"} of a batch; an array of them for a batch and `count` - 1 of its next siblings. */
cJSON *work_ticket(const cJSON *batch);
/* A message about one batch: its ticket and this worker; the caller adds members and frees it. */
cJSON *work_batch_message(const Work *work, const cJSON *batch);
cJSON *work_tickets(const cJSON *first, int count);
#define WORK_ALL INT_MAX
/* Error code of an object below our prefix that nobody in this registry sealed. */
#define FOREIGN_OBJECT "SL020"
/* Tells the control plane that batches failed (batch_fail) or are given back (ERROR_INTERRUPTED: batch_release). A batch whose
 * lease is gone is left alone. Never fails: what cannot be told is found by the lease running out. */
void work_fail(const Work *work, cJSON *tickets, const Error *error);
/* A target or a login that refuses us is to be mended where it is; no table is at fault and none needs to be resumed: a permanent
 * error becomes one that is tried again, unless another writer is at work there. */
void work_excuse(Error *error);
/* The same around a call: work_target(sink_...(..., error), error). */
int work_target(int status, Error *error);
/* Draws the 32 hex digits of an attempt. */
int work_attempt(char ret[33], Error *error);

/* The kinds of work. 0 when the control plane has been told the outcome, whatever it was; -1 when the process
 * should give up (connection to PostgreSQL lost, asked to stop). */
int check_run(const Work *work, Error *error);
int recover_run(const Work *work, Error *error);
int epoch_run(const Work *work, Error *error);
int group_run(const Work *work, Error *error); /* load and cdc */
int verify_run(const Work *work, Error *error);
int purge_run(const Work *work, Error *error);
int sweep_run(const Work *work, Error *error);
/* Ends uploads that nobody has finished for a week below the prefixes of `batch` (its member sweep) and counts them. What a store will
 * not list or end costs money, not rows: that is only logged, and tried again in a day. -1: asked to stop. */
int sweep_uploads(const Work *work, const cJSON *batch, int *ended, Error *error);

#endif
