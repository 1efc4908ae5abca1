/* announce.c - see announce.h */
#include "pipeline/announce.h"

#include "base/crash.h"

#include <stdio.h>
#include <string.h>

enum { ANNOUNCE_DOCUMENT, ANNOUNCE_FILE, ANNOUNCE_COUNT };

static void file_close(LandingFile *file)
{
    format_close(file->format);
    sink_object_close(file->object);
    *file = (LandingFile){0};
}

static int file_begin(const Landing *landing, LandingFile *file, Error *error)
{
    if (work_attempt(file->attempt, error) < 0)
        return -1;
    return work_target(sink_object_begin(landing->work->sink, file->key, file->attempt, &file->object, error), error);
}

static int document_write(const Landing *landing, const cJSON *announce, LandingFile *file, Error *error)
{
    const char *key;
    char *text;
    int status;

    if (json_need_text(announce, "document_key", &key, error) < 0)
        return -1;
    snprintf(file->key, sizeof file->key, "%s", key);
    text = cJSON_PrintUnformatted(json_member(announce, "document"));
    if (!text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    status = file_begin(landing, file, error);
    if (status == 0)
        status = work_target(sink_object_write(file->object, text, strlen(text), error), error);
    if (status == 0)
        status = work_target(sink_object_write(file->object, "\n", 1, error), error);
    cJSON_free(text);
    return status < 0 ? -1 : work_target(sink_object_prepare(file->object, error), error);
}

/* The file that this format makes of no rows at all. */
static int file_write(const Landing *landing, const char *stem, LandingFile *file, Error *error)
{
    FormatSpec spec = landing_format(landing);

    if (snprintf(file->key, sizeof file->key, "%s.%s", stem, landing->extension) >= (int)sizeof file->key)
        return error_set(error, ERROR_PERMANENT, "choose a shorter prefix for the target", "the key of a schema file of %s is too long",
                         landing->table);
    if (file_begin(landing, file, error) < 0 || format_open(&spec, &landing->schema, landing_output(file), &file->format, error) < 0 ||
        format_finish(file->format, error) < 0)
        return -1;
    return work_target(sink_object_prepare(file->object, error), error);
}

static int files_complete(Landing *landing, LandingFile *files, int count, Error *error)
{
    Sink *sink = landing->work->sink;
    SinkObject *objects[ANNOUNCE_COUNT];
    SinkOutcome outcomes[ANNOUNCE_COUNT];
    SinkHead heads[ANNOUNCE_COUNT] = {0};
    cJSON *file;

    for (int i = 0; i < count; i++)
        objects[i] = files[i].object;
    CRASH_POINT("announce_before");
    if (work_target(sink_objects_complete(sink, objects, count, outcomes, heads, error), error) < 0)
        return -1;
    CRASH_POINT("announce_after");
    landing->announced = cJSON_CreateObject();
    if (count <= ANNOUNCE_FILE)
        return 0;
    if (outcomes[ANNOUNCE_FILE] == SINK_EXISTS && work_target(sink_head(sink, files[ANNOUNCE_FILE].key, &heads[ANNOUNCE_FILE], error), error) < 0)
        return -1;
    file = cJSON_AddObjectToObject(landing->announced, "file");
    cJSON_AddStringToObject(file, "key", files[ANNOUNCE_FILE].key);
    cJSON_AddStringToObject(file, "attempt", outcomes[ANNOUNCE_FILE] == SINK_EXISTS ? heads[ANNOUNCE_FILE].attempt : files[ANNOUNCE_FILE].attempt);
    cJSON_AddNumberToObject(file, "bytes", (double)heads[ANNOUNCE_FILE].bytes);
    cJSON_AddStringToObject(file, "etag", heads[ANNOUNCE_FILE].etag);
    return 0;
}

int announce_schema(Landing *landing, Error *error)
{
    const cJSON *announce = json_member(json_member(landing->batch, "schema"), "announce");
    const char *stem = json_text(announce, "file_stem", NULL);
    LandingFile files[ANNOUNCE_COUNT] = {0};
    int status;

    if (!announce)
        return 0;
    status = document_write(landing, announce, &files[ANNOUNCE_DOCUMENT], error);
    if (status == 0 && stem)
        status = file_write(landing, stem, &files[ANNOUNCE_FILE], error);
    if (status == 0)
        status = files_complete(landing, files, stem ? ANNOUNCE_COUNT : ANNOUNCE_FILE, error);
    for (int i = 0; i < ANNOUNCE_COUNT; i++)
        file_close(&files[i]);
    return status;
}
