/*
 * object.h - an object under way to a bucket; shared by object.c (its bytes) and complete.c (making it visible).
 */
#ifndef SLUICE_SINK_S3_OBJECT_H
#define SLUICE_SINK_S3_OBJECT_H

#include "sink/s3/s3.h"

#define S3_PARTS_MAX 10000 /* S3 user guide, "Multipart upload limits" */
#define S3_ETAG_MAX 96

typedef enum S3ObjectState { S3_WAITING, S3_RUNNING, S3_SETTLED, S3_FAILED } S3ObjectState;

typedef struct S3Part S3Part;

typedef struct S3Object {
    SinkObject object;
    S3Sink *sink;
    char key[1025];
    char attempt[64];
    uint64_t bytes;
    Buffer data;                      /* the part being filled, or the whole small object */
    char upload_id[S3_UPLOAD_ID_MAX]; /* "" until it has become a multipart upload */
    bool upload_doubtful;             /* the upload may have been begun twice: an answer was lost */
    char (*etags)[S3_ETAG_MAX];       /* [parts] */
    int parts, etags_capacity;
    S3Part *flying;
    bool failed;                      /* a part was refused; `error` says why */
    Error error;
    bool over;                        /* nothing of the upload is left to abort */

    S3ObjectState state; /* while it is completed */
    S3Call call;
    Buffer body;
    int conflicts; /* answers of 409 and 412 with nothing there */
    int doubts;    /* times the upload was gone and the object not there, after an answer had been lost */
} S3Object;

#endif
