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

/* A connection kept while it is asked for with the same registry row, and dropped at any failure by whoever uses it, so that
 * a broken one is never used twice. Starts as {0}. */
typedef struct KeptSource {
    Source *source;
    char *made_of;
} KeptSource;

typedef struct KeptSink {
    Sink *sink;
    char *made_of;
} KeptSink;

/* 1 = opened anew, 0 = kept. */
int connect_source_keep(KeptSource *kept, const cJSON *source, Beat beat, Error *error);
void connect_source_drop(KeptSource *kept);
int connect_sink_keep(KeptSink *kept, const cJSON *target, Beat beat, Error *error);
void connect_sink_drop(KeptSink *kept);

#endif
