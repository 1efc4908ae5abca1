/* sink.c - picks the kind of target by name and checks keys once for all kinds; see sink.h */
#include "sink/kind.h"

#include <string.h>

#define KEY_MAX 1024
#define PART_MAX 255 /* of a path, as file systems have it */

static const SinkKind *const kinds[] = {&file_kind, &s3_kind};

int sink_open(const char *kind, const cJSON *options, const SinkSecret *secret, Beat beat, Sink **ret, Error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->name, kind) != 0)
            continue;
        if (kinds[i]->open(options, secret, beat, ret, error) < 0)
            return -1;
        (*ret)->kind = kinds[i];
        return 0;
    }
    return error_set(error, ERROR_PERMANENT, "This version writes to targets of kind file and s3.", "unknown kind of target \"%.60s\"", kind);
}

void sink_close(Sink *sink)
{
    if (sink)
        sink->kind->close(sink);
}

static int key_refuse(const char *key, const char *why, Error *error)
{
    return error_set(error, ERROR_PERMANENT, NULL, "the key \"%.300s\" %s", key, why);
}

static int key_check(const char *key, Error *error)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=/-";
    const char *part = key;

    if (strlen(key) > KEY_MAX)
        return key_refuse(key, "is longer than 1024 bytes", error);
    if (key[strspn(key, allowed)])
        return key_refuse(key, "holds characters other than A-Z a-z 0-9 . _ = - /", error);
    for (;;) {
        size_t length = strcspn(part, "/");

        if (!length)
            return key_refuse(key, "has an empty part", error);
        if (length > PART_MAX)
            return key_refuse(key, "has a part of more than 255 bytes", error);
        if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return key_refuse(key, "has the part . or ..", error);
        if (!part[length])
            return 0;
        part += length + 1;
    }
}

static int attempt_check(const char *attempt, Error *error)
{
    size_t length = strlen(attempt);

    if (length != 32 || strspn(attempt, "0123456789abcdef") != length)
        return error_set(error, ERROR_INTERNAL, NULL, "an attempt is 32 lower-case hex digits, not \"%.64s\"", attempt);
    return 0;
}

int sink_object_begin(Sink *sink, const char *key, const char *attempt, SinkObject **ret, Error *error)
{
    if (key_check(key, error) < 0 || attempt_check(attempt, error) < 0 || sink->kind->begin(sink, key, attempt, ret, error) < 0)
        return -1;
    (*ret)->sink = sink;
    return 0;
}

int sink_object_write(SinkObject *object, const void *data, size_t length, Error *error)
{
    return object->sink->kind->write(object, data, length, error);
}

size_t sink_object_memory(const SinkObject *object)
{
    return object->sink->kind->memory(object);
}

int sink_object_prepare(SinkObject *object, Error *error)
{
    return object->sink->kind->prepare(object, error);
}

int sink_objects_complete(Sink *sink, SinkObject **objects, int count, SinkOutcome *outcomes, SinkHead *heads, Error *error)
{
    return sink->kind->complete(sink, objects, count, outcomes, heads, error);
}

void sink_object_close(SinkObject *object)
{
    if (object)
        object->sink->kind->object_close(object);
}

int sink_uploads_abort(Sink *sink, const char *key, Error *error)
{
    if (key_check(key, error) < 0)
        return -1;
    return sink->kind->uploads_abort(sink, key, error);
}

int sink_head(Sink *sink, const char *key, SinkHead *ret, Error *error)
{
    if (key_check(key, error) < 0)
        return -1;
    return sink->kind->head(sink, key, ret, error);
}

int sink_put(Sink *sink, const char *key, const char *attempt, const void *data, size_t length, SinkOutcome *outcome, Error *error)
{
    SinkObject *object;
    SinkHead head;
    int result;

    if (sink_object_begin(sink, key, attempt, &object, error) < 0)
        return -1;
    result = sink_object_write(object, data, length, error);
    if (result == 0)
        result = sink_object_prepare(object, error);
    if (result == 0)
        result = sink_objects_complete(sink, &object, 1, outcome, &head, error);
    sink_object_close(object);
    return result;
}

int sink_get(Sink *sink, const char *key, Buffer *ret, Error *error)
{
    if (key_check(key, error) < 0)
        return -1;
    return sink->kind->get(sink, key, ret, error);
}

int sink_list(Sink *sink, const char *prefix, const char *after, SinkEach each, void *context, Error *error)
{
    return sink->kind->list(sink, prefix, after, each, context, error);
}

int sink_remove(Sink *sink, const char *key, Error *error)
{
    if (key_check(key, error) < 0)
        return -1;
    return sink->kind->remove(sink, key, error);
}

int sink_uploads_sweep(Sink *sink, const char *prefix, int64_t older_than_s, int *ended, Error *error)
{
    return sink->kind->uploads_sweep(sink, prefix, older_than_s, ended, error);
}
