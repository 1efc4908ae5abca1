/*
 * sink.h - where objects appear: whole, once, at their final name, or not at all. Knows nothing of sources and formats.
 *
 * Keys are relative to the target ("a/b/c.jsonl"), made of [A-Za-z0-9._=/-] by the control plane. The attempt (32 hex
 * digits) stands in the object's metadata (S3: x-amz-meta-sluice-attempt; file: extended attribute user.sluice.attempt, or
 * a durable `.attempt` file beside it) before the object can be seen.
 */
#ifndef SLUICE_SINK_H
#define SLUICE_SINK_H

#include "base/buffer.h"
#include "base/beat.h"
#include "base/json.h"
#include <stdbool.h>

typedef struct Sink Sink;
typedef struct SinkObject SinkObject;

typedef enum SinkOutcome {
    SINK_CREATED, /* the object is there and it is ours */
    SINK_EXISTS   /* an object stood there already (412, 409, EEXIST): read its attempt with sink_head */
} SinkOutcome;

typedef struct SinkHead {
    bool exists;
    char attempt[64]; /* "" where the object carries none */
    uint64_t bytes;
    char etag[96];    /* "" for a file target */
} SinkHead;

/* Values a secret reference resolved to; NULL = take the usual credential chain. Copied, wiped at close. */
typedef struct SinkSecret {
    const char *access_key, *secret_key, *session_token;
} SinkSecret;

int sink_open(const char *kind, const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error);
void sink_close(Sink *sink);

/* An object under way. Small ones stay in memory until completed, larger ones are uploaded part by part as written. */
int sink_object_begin(Sink *sink, const char *key, const char *attempt, SinkObject **ret, Error *error);
int sink_object_write(SinkObject *object, const void *data, size_t length, Error *error);
size_t sink_object_memory(const SinkObject *object); /* bytes held in memory now */
/* Everything but the one request that makes it visible: parts uploaded and answered, temporary file fsynced. */
int sink_object_prepare(SinkObject *object, Error *error);
/* Makes prepared objects visible, many at once, never overwriting. outcomes[i], heads[i] (bytes, etag) per object. On -1 some
 * may be visible: settle each by sink_head. A lost reply is settled here: an object found to carry our attempt is SINK_CREATED. */
int sink_objects_complete(Sink *sink, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error);
void sink_object_close(SinkObject *object); /* aborts the upload or removes the temporary file if not completed; frees */

/* Ends every unfinished upload for the key begun by anyone: fences a writer that lost its lease. */
int sink_uploads_abort(Sink *sink, const char *key, Error *error);
int sink_head(Sink *sink, const char *key, SinkHead *ret, Error *error); /* ret->exists false is no error */
/* A small whole object (manifest, epoch, control rows), never overwriting. */
int sink_put(Sink *sink, const char *key, const char *attempt, const void *data, size_t length, SinkOutcome *outcome, Error *error);
int sink_get(Sink *sink, const char *key, Buffer *ret, Error *error); /* ERROR_GONE where absent */
/* One object of a listing; it lives until `each` returns. */
typedef struct SinkEntry {
    const char *key;
    uint64_t bytes;
    const char *etag; /* without quotes; "" for a file target */
} SinkEntry;

typedef int (*SinkEach)(void *context, const SinkEntry *entry);

/* Calls `each` for keys below `prefix` that sort after `after` (NULL = all), in order; non-zero from `each` ends the listing. */
int sink_list(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error);
/* Removes an object for ever (S3: s3:DeleteObject, which only purging needs). One that is not there is no error. */
int sink_remove(Sink *sink, const char *key, Error *error);
/* Ends unfinished uploads below `prefix`, of any key, that were begun more than `older_than_s` ago (S3: by the server's clock) and
 * adds their number to *ended. A file target ends its temporaries not written to for so long: they do not tell their key, so
 * `prefix` does not choose among them. */
int sink_uploads_sweep(Sink *sink, const char *prefix, int64_t older_than_s, int *ended, Error *error);
/* The doctor: steps as source_check (s3: dns, tcp, tls, credentials; then open, list, missing key, put, conditional put, multipart,
 * conditional complete, get, abort, delete), each with the right it needs where it is refused; writes only below `{prefix}/_sluice/check/`
 * and removes what it wrote where it may. Caller frees *answer. */
int sink_check(const char *kind, const cJSON *options, const SinkSecret *secret, Beat beat, const char *prefix, cJSON **answer,
               Error *error);

#endif
