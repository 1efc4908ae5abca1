/*
 * pipeline.h - the bodies of the worker's child processes: the only place that joins source, format, sink and control.
 *
 * Each runs until asked to stop (0), until its work is taken from it (0), or until it can do nothing useful any more (-1: the
 * main process starts another one after a pause).
 */
#ifndef SLUICE_PIPELINE_H
#define SLUICE_PIPELINE_H

#include "base/beat.h"
#include "base/error.h"
#include <stdint.h>

typedef struct ChildSpec {
    const char *conninfo;
    int64_t worker_id;
    int64_t source_id; /* poller only */
    Beat beat;
} ChildSpec;

int poller_main(const ChildSpec *spec, Error *error);
int runner_main(const ChildSpec *spec, Error *error);

#endif
