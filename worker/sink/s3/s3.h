/*
 * s3.h - objects in a bucket of Amazon S3 or a server that speaks its protocol. Inside sink/ only.
 *
 * Options: README.md; each is checked here once more, since a sink may be opened without the control plane. Credentials:
 * credentials.h. An object of up to part_bytes is one PutObject, a larger one a multipart upload of such parts, at most
 * parallel_parts of them at once for the whole sink, fewer while the server says SlowDown. PutObject and CompleteMultipartUpload carry `If-None-Match: *`
 * (S3 user guide, "Conditional writes"): 412 and 409 are settled by the attempt that the object carries.
 */
#ifndef SLUICE_SINK_S3_H
#define SLUICE_SINK_S3_H

#include "sink/s3/http.h"

#define S3_UPLOAD_ID_MAX 512
#define S3_TAGS_MAX 10 /* S3 user guide, "Categorizing your storage using tags" */
#define S3_TAG_KEY_MAX 128
#define S3_TAG_VALUE_MAX 256
#define S3_TAGS_TEXT_MAX 2001 /* encoded; all metadata headers of a request have to fit 8 KB */
#define S3_WORD_MAX 40

/* What one connection without a request told the doctor. */
typedef struct S3Way {
    CURLcode code;
    char address[64];
    long port;
    int64_t name_ms, tcp_ms, tls_ms; /* since its begin; 0 = not come to */
} S3Way;

typedef struct S3Sink {
    Sink sink;
    S3Http http;
    char bucket[256];
    char kms_key[300], tags[S3_TAGS_TEXT_MAX], storage_class[S3_WORD_MAX], acl[S3_WORD_MAX];
    size_t part_bytes;
    int parts_in_flight;
    S3Way way;
} S3Sink;

extern const char *const s3_connect_steps[];
int s3_connect_run(Sink *sink, int step, char found[SINK_FOUND_MAX], int64_t *ms, Error *error);

int s3_options_take(S3Sink *sink, const cJSON *options, Error *error);

/* Takes the quotes off an ETag. */
void s3_etag_bare(char *etag);
int s3_head_key(S3Sink *sink, const char *key, SinkHead *ret, Error *error);
/* An upload that is not there is no error. `tries` 0 = the sink's. */
int s3_upload_abort(S3Sink *sink, const char *key, const char *upload_id, int tries, long timeout_ms, Error *error);

int s3_list(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error);
int s3_uploads_sweep(Sink *sink, const char *prefix, int64_t older_than_s, int *ended, Error *error);
int s3_uploads_abort(Sink *sink, const char *key, Error *error);

int s3_object_begin(Sink *sink, const char *key, const char *attempt, SinkObject **ret, Error *error);
int s3_object_write(SinkObject *object, const void *data, size_t length, Error *error);
size_t s3_object_memory(const SinkObject *object);
int s3_object_prepare(SinkObject *object, Error *error);
int s3_object_part_end(SinkObject *object, Error *error);
void s3_object_close(SinkObject *object);

int s3_objects_complete(Sink *sink, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error);

#endif
