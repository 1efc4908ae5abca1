/*
 * s3.h - objects in a bucket of Amazon S3 or a server that speaks its protocol. Inside sink/ only.
 *
 * Options: bucket, region (default AWS_REGION, else us-east-1), endpoint ("https://host:port"; default Amazon's of the region), path_style
 * (default true with an endpoint), ca_file, tries (of one request, default 8). Credentials: the target's secret, else
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
 * An object of up to PUT_BYTES_MAX is one PutObject, a larger one a multipart upload of PART_BYTES parts, at most
 * PARTS_IN_FLIGHT of them at once for the whole sink. PutObject and CompleteMultipartUpload carry `If-None-Match: *`
 * (S3 user guide, "Conditional writes"): 412 and 409 are settled by the attempt that the object carries.
 */
#ifndef SLUICE_SINK_S3_H
#define SLUICE_SINK_S3_H

#include "sink/s3_http.h"

#define S3_UPLOAD_ID_MAX 512

typedef struct S3Sink {
    Sink sink;
    S3Http http;
    char bucket[256];
    int parts_in_flight;
} S3Sink;

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
