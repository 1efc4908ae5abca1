/*
 * kind.h - what one kind of target must offer; sink.c picks by name. Inside sink/ only.
 *
 * The calls have the meaning of sink.h. A kind embeds Sink and SinkObject as the first member of its own structs and sets nothing
 * in them: sink.c does. Keys have been checked before they come here.
 */
#ifndef SLUICE_SINK_KIND_H
#define SLUICE_SINK_KIND_H

#include "sink/sink.h"

#define SINK_FOUND_MAX 300

typedef struct SinkKind {
    const char *name;
    int (*open)(const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error);
    void (*close)(Sink *sink);
    int (*begin)(Sink *sink, const char *key, const char *attempt, SinkObject **ret, Error *error);
    int (*write)(SinkObject *object, const void *data, size_t length, Error *error);
    size_t (*memory)(const SinkObject *object);
    int (*prepare)(SinkObject *object, Error *error);
    int (*complete)(Sink *sink, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error);
    void (*object_close)(SinkObject *object);
    int (*uploads_abort)(Sink *sink, const char *key, Error *error);
    int (*head)(Sink *sink, const char *key, SinkHead *ret, Error *error);
    int (*get)(Sink *sink, const char *key, Buffer *ret, Error *error);
    int (*list)(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error);
    int (*uploads_sweep)(Sink *sink, const char *prefix, int64_t older_than_s, int *ended, Error *error);
    int (*remove)(Sink *sink, const char *key, Error *error);
    /* For the doctor only: the steps to the target before its first request, up to NULL; NULL where there are none. connect_run runs one
     * of them, in order: 0 = found[] says what was found, -1. *ms is changed where the step was not made at this very moment. */
    const char *const *connect_steps;
    int (*connect_run)(Sink *sink, int step, char found[SINK_FOUND_MAX], int64_t *ms, Error *error);
    /* For the doctor only: what is written of the object so far becomes a part, so that completing it is the kind's other
     * way of making an object visible (S3: CompleteMultipartUpload). NULL where there is only one way. */
    int (*part_end)(SinkObject *object, Error *error);
} SinkKind;

struct Sink {
    const SinkKind *kind;
};

struct SinkObject {
    Sink *sink;
};

extern const SinkKind file_kind;
extern const SinkKind s3_kind;

#endif
