/* object.c - the bytes of an object on their way, in memory or part by part; see s3.h */
#include "sink/s3/object.h"
#include "base/crash.h"
#include "base/limits.h"
#include "sink/s3/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 500
#define ABORT_TIMEOUT_MS 2000L /* at closing: what is missed is aborted by whoever takes the key next */

struct S3Part {
    S3Call call;
    S3Object *object;
    Buffer data;
    int number;
    char number_text[12];
    S3Part *next;
};

int s3_object_begin(Sink *sink, const char *key, const char *attempt, SinkObject **ret, Error *error)
{
    S3Object *object = calloc(1, sizeof *object);

    if (!object)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an object");
    object->sink = (S3Sink *)sink;
    snprintf(object->key, sizeof object->key, "%s", key);
    snprintf(object->attempt, sizeof object->attempt, "%s", attempt);
    buffer_init(&object->data, object->sink->part_bytes);
    *ret = &object->object;
    return 0;
}

static int upload_begin(S3Object *object, Error *error)
{
    XmlSpan document, root;
    char name[XML_NAME_MAX];
    S3Call call;
    int result;

    s3_call_init(&call, &object->sink->http, "POST", object->key);
    call.attempt = object->attempt;
    call.creates = true;
    call.answer_root = "InitiateMultipartUploadResult";
    s3_call_query(&call, "uploads", "");
    result = s3_call_run(&call, error);
    if (result == 0 && !s3_call_good(&call))
        result = s3_call_error(&call, "CreateMultipartUpload", error);
    CRASH_POINT("upload_after");
    if (result == 0) {
        document = xml_span(call.answer.data, call.answer.length);
        if (xml_next(&document, name, &root) <= 0 || xml_find_text(root, "UploadId", object->upload_id, sizeof object->upload_id) < 0 ||
            !object->upload_id[0]) {
            object->upload_id[0] = '\0';
            result = error_set(error, ERROR_TRANSIENT, NULL, "CreateMultipartUpload of %.300s: an answer without an upload id", object->key);
        }
        object->upload_doubtful = call.sends > 1;
    }
    s3_call_end(&call);
    return result;
}

static void part_unlink(S3Part *part)
{
    S3Part **at = &part->object->flying;

    while (*at && *at != part)
        at = &(*at)->next;
    if (*at)
        *at = part->next;
    part->object->sink->parts_in_flight--;
}

static void part_free(S3Part *part)
{
    s3_call_end(&part->call);
    buffer_free(&part->data);
    free(part);
}

static void part_done(S3Call *call)
{
    S3Part *part = call->context;
    S3Object *object = part->object;

    if (s3_call_good(call) && call->etag[0]) {
        memcpy(object->etags[part->number - 1], call->etag, S3_ETAG_MAX);
        CRASH_POINT("part_after");
    } else if (!object->failed) {
        object->failed = true;
        if (s3_call_good(call))
            error_set(&object->error, ERROR_TRANSIENT, NULL, "UploadPart of %.300s: an answer without an ETag", object->key);
        else
            s3_call_error(call, "UploadPart", &object->error);
        if (strcmp(call->code, "NoSuchUpload") == 0)
            object->error.kind = ERROR_FENCED;
    }
    part_unlink(part);
    part_free(part);
}

static int object_failed(const S3Object *object, Error *error)
{
    if (!object->failed)
        return 0;
    *error = object->error;
    return -1;
}

static int etag_room(S3Object *object, Error *error)
{
    int capacity = object->etags_capacity ? object->etags_capacity * 2 : 16;
    void *etags;

    if (object->parts == S3_PARTS_MAX)
        return error_set(error, ERROR_PERMANENT, "Choose a smaller target_file_bytes.", "the object %.300s would have more than %d parts", object->key,
                         S3_PARTS_MAX);
    if (object->parts < object->etags_capacity)
        return 0;
    etags = realloc(object->etags, (size_t)capacity * sizeof *object->etags);
    if (!etags)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an object of %d parts", object->parts);
    object->etags = etags;
    object->etags_capacity = capacity;
    return 0;
}

static int part_start(S3Object *object, Error *error)
{
    S3Part *part = calloc(1, sizeof *part);

    if (!part)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a part");
    part->object = object;
    part->number = object->parts + 1;
    snprintf(part->number_text, sizeof part->number_text, "%d", part->number);
    s3_call_init(&part->call, &object->sink->http, "PUT", object->key);
    part->call.body = object->data.data;
    part->call.body_length = object->data.length;
    part->call.done = part_done;
    part->call.context = part;
    s3_call_query(&part->call, "partNumber", part->number_text);
    s3_call_query(&part->call, "uploadId", object->upload_id);
    if (s3_call_start(&part->call, error) < 0) {
        part_free(part);
        return -1;
    }
    part->data = object->data;
    buffer_init(&object->data, object->sink->part_bytes);
    object->parts++;
    part->next = object->flying;
    object->flying = part;
    object->sink->parts_in_flight++;
    return 0;
}

static int part_send(S3Object *object, Error *error)
{
    if (!object->upload_id[0] && upload_begin(object, error) < 0)
        return -1;
    while (object->sink->parts_in_flight >= object->sink->http.parallel) {
        if (s3_wait(&object->sink->http, WAIT_MS, error) < 0)
            return -1;
    }
    if (object_failed(object, error) < 0 || etag_room(object, error) < 0)
        return -1;
    return part_start(object, error);
}

int s3_object_write(SinkObject *base, const void *data, size_t length, Error *error)
{
    S3Object *object = (S3Object *)base;
    const char *at = data;

    while (length) {
        size_t take = object->sink->part_bytes - object->data.length;

        if (!take && part_send(object, error) < 0)
            return -1;
        if (!take)
            continue;
        take = take < length ? take : length;
        /* Behind a first part comes a whole one, mostly: asked for at once, it leaves no holes in the heap. */
        if (object->parts && !object->data.capacity && buffer_reserve(&object->data, object->sink->part_bytes, error) < 0)
            return -1;
        if (buffer_append(&object->data, at, take, error) < 0)
            return -1;
        object->bytes += take;
        at += take;
        length -= take;
    }
    if (object->sink->parts_in_flight && s3_wait(&object->sink->http, 0, error) < 0)
        return -1;
    return object_failed(object, error);
}

size_t s3_object_memory(const SinkObject *base)
{
    const S3Object *object = (const S3Object *)base;
    size_t bytes = object->data.capacity;

    for (const S3Part *part = object->flying; part; part = part->next)
        bytes += part->data.capacity;
    return bytes;
}

int s3_object_part_end(SinkObject *base, Error *error)
{
    return part_send((S3Object *)base, error);
}

int s3_object_prepare(SinkObject *base, Error *error)
{
    S3Object *object = (S3Object *)base;

    if (!object->upload_id[0])
        return 0;
    if (object->data.length && part_send(object, error) < 0)
        return -1;
    while (object->flying && !object->failed) {
        if (s3_wait(&object->sink->http, WAIT_MS, error) < 0)
            return -1;
    }
    return object_failed(object, error);
}

void s3_object_close(SinkObject *base)
{
    S3Object *object = (S3Object *)base;
    S3Part *part;
    Error ignored;

    s3_call_end(&object->call);
    while ((part = object->flying) != NULL) {
        object->flying = part->next;
        object->sink->parts_in_flight--;
        part_free(part);
    }
    if (object->upload_id[0] && !object->over)
        s3_upload_abort(object->sink, object->key, object->upload_id, 1, ABORT_TIMEOUT_MS, &ignored);
    buffer_free(&object->data);
    buffer_free(&object->body);
    free(object->etags);
    free(object);
}
