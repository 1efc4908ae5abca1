/*
 * connect.h - opens what a registry row describes: options, secret by reference, connection.
 */
#ifndef SLUICE_CONNECT_H
#define SLUICE_CONNECT_H

#include "base/beat.h"
#include "sink/sink.h"
#include "source/source.h"

/* source and target: the objects of control/README.md. */
int connect_source(const cJSON *source, Beat beat, Source **ret, Error *error);
int connect_sink(const cJSON *target, Beat beat, Sink **ret, Error *error);
/* The doctor's steps for a source or a target; the caller frees *steps. A secret that cannot be resolved is a step that failed. */
int connect_source_check(const cJSON *source, Beat beat, cJSON **steps, Error *error);
int connect_sink_check(const cJSON *target, Beat beat, cJSON **steps, Error *error);

#endif
