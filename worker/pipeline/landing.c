/* landing.c - see landing.h */
#include "pipeline/landing.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/hex.h"
#include "base/log.h"
#include "pipeline/schema.h"

#include <stdio.h>
#include <string.h>

static void text_copy(char *ret, size_t size, const char *text)
{
    snprintf(ret, size, "%s", text ? text : "");
}

static bool landing_named_as_dms(const Landing *landing)
{
    return strcmp(json_text(landing->batch, "naming", ""), "dms") == 0;
}

/* Day, hour and, in dms naming, the time in the name are those of the batch's first commit. A name never stands before the table's last
 * one, whatever became of the source's clock: files are read in the order of their names. */
static void landing_moment(Landing *landing, int64_t commit_us)
{
    const char *after = json_text(landing->batch, "stamp_after", "");

    if (commit_us == INT64_MIN)
        commit_us = clock_wall_us();
    clock_day_hour(commit_us, landing->day, landing->hour);
    if (!landing_named_as_dms(landing))
        return;
    clock_stamp(commit_us, landing->stamp);
    if (strcmp(landing->stamp, after) >= 0)
        return;
    text_copy(landing->stamp, sizeof landing->stamp, after);
    snprintf(landing->day, sizeof landing->day, "%.4s-%.2s-%.2s", after, after + 4, after + 6);
    snprintf(landing->hour, sizeof landing->hour, "%.2s", after + 9);
}

static int landing_key(Landing *landing, int file_no, char *ret, size_t size, Error *error)
{
    const char *path, *stem;
    int length;

    if (json_need_text(landing->batch, "path", &path, error) < 0 || json_need_text(landing->batch, "stem", &stem, error) < 0)
        return -1;
    if (landing_named_as_dms(landing))
        length = snprintf(ret, size, "%s/%s%s%s-%04d.%s", path, landing->stamp, landing->stamp[0] ? "-" : "", stem, file_no, landing->extension);
    else
        length = snprintf(ret, size, "%s/sluice_day=%s/sluice_hour=%s/%s-%04d.%s", path, landing->day, landing->hour, stem, file_no,
                          landing->extension);
    if ((size_t)length >= size)
        return error_set(error, ERROR_PERMANENT, "choose a shorter prefix for the target", "the key of a file of %s is too long",
                         landing->table);
    return 0;
}

static const cJSON *seal_of_attempt(const Landing *landing, int file_no, const char *attempt)
{
    const cJSON *seal;

    cJSON_ArrayForEach(seal, landing->seals) {
        if (json_integer(seal, "file_no", -1) == file_no && strcmp(json_text(seal, "attempt", ""), attempt) == 0)
            return seal;
    }
    return NULL;
}

/* An object that stands under a sealed attempt counts with the figures sealed for it; reading goes on behind its last row. */
static void landing_adopt(Landing *landing, const cJSON *seal, const char *key, const SinkHead *head)
{
    cJSON *file = cJSON_CreateObject();
    const cJSON *last_key = json_member(seal, "last_key");

    cJSON_AddNumberToObject(file, "file_no", landing->file_no);
    cJSON_AddStringToObject(file, "key", key);
    cJSON_AddStringToObject(file, "attempt", json_text(seal, "attempt", ""));
    cJSON_AddStringToObject(file, "first", json_text(seal, "first", ""));
    cJSON_AddStringToObject(file, "last", json_text(seal, "last", ""));
    cJSON_AddNumberToObject(file, "rows", (double)json_integer(seal, "rows", 0));
    cJSON_AddNumberToObject(file, "bytes", (double)head->bytes);
    cJSON_AddStringToObject(file, "etag", head->etag);
    cJSON_AddItemToArray(landing->files, file);
    text_copy(landing->resume, sizeof landing->resume, json_text(seal, "last", ""));
    text_copy(landing->position, sizeof landing->position, json_text(seal, "position", landing->position));
    text_copy(landing->position_after, sizeof landing->position_after, json_text(seal, "position_after", landing->position_after));
    if (last_key) {
        cJSON_Delete(landing->resume_key);
        landing->resume_key = cJSON_Duplicate(last_key, true);
    }
    landing->complete = json_boolean(seal, "last_file", false);
    landing->file_no++;
}

static int foreign_object(const Landing *landing, const char *key, const char *attempt, Error *error)
{
    return error_set_code(error, ERROR_PERMANENT, FOREIGN_OBJECT,
                     "another writer uses this prefix: give one of them a prefix of its own, then SELECT sluice.resync_table(...)",
                     "object %s of %s carries the attempt \"%s\", which this registry has not sealed", key, landing->table, attempt);
}

/* Walks the files earlier attempts sealed: those that stand are adopted, the first that does not is the one to write. */
static int landing_settle_seals(Landing *landing, Error *error)
{
    char key[sizeof landing->file.key];
    SinkHead head;

    while (!landing->complete) {
        const cJSON *seal, *first = NULL;

        cJSON_ArrayForEach(seal, landing->seals) {
            if (json_text(seal, "key", NULL) && json_integer(seal, "file_no", -1) == landing->file_no) {
                first = seal;
                break;
            }
        }
        if (!first)
            return 0;
        snprintf(key, sizeof key, "%s", json_text(first, "key", ""));
        if (work_target(sink_uploads_abort(landing->work->sink, key, error), error) < 0)
            return -1;
        CRASH_POINT("abort_after");
        if (work_target(sink_head(landing->work->sink, key, &head, error), error) < 0)
            return -1;
        if (!head.exists)
            return 0;
        seal = seal_of_attempt(landing, landing->file_no, head.attempt);
        if (!seal)
            return foreign_object(landing, key, head.attempt, error);
        log_line(LOG_INFO, "adopted %s, which an earlier attempt completed", key);
        landing_adopt(landing, seal, key, &head);
    }
    return 0;
}

static int landing_reader_open(Landing *landing, Error *error)
{
    ReadSpec spec = {
        .batch = landing->batch,
        .schema = &landing->schema,
        .resume = landing->resume[0] ? landing->resume : NULL,
        .resume_key = landing->resume_key,
        .value_bytes_max = (size_t)json_integer(landing->batch, "max_value_bytes", (int64_t)VALUE_BYTES_MAX),
    };

    return source_read(landing->work->source, &spec, &landing->reader, error);
}

static void landing_reader_close(Landing *landing)
{
    landing->nulled = landing_nulled(landing);
    reader_close(landing->reader);
    landing->reader = NULL;
}

static void landing_lands(Landing *landing)
{
    const FormatSpec spec = landing_format(landing);

    for (int op = 0; op < 256; op++)
        landing->lands[op] = format_lands(&spec, (char)op);
}

int landing_open(Landing *landing, const Work *work, const cJSON *batch, Error *error)
{
    const cJSON *format = json_member(batch, "format"), *seals = json_member(batch, "seals");

    *landing = (Landing){.work = work, .batch = batch};
    landing->batch_id = json_integer(batch, "batch_id", 0);
    landing->table = json_text(batch, "table", "?");
    landing->is_load = strcmp(json_text(batch, "work", ""), "load") == 0;
    landing->file_bytes_target = (uint64_t)json_integer(batch, "target_file_bytes", (int64_t)MIB(128));
    landing->files = cJSON_CreateArray();
    landing->seals = seals ? cJSON_Duplicate(seals, true) : cJSON_CreateArray();
    text_copy(landing->day, sizeof landing->day, json_text(batch, "day", ""));
    text_copy(landing->hour, sizeof landing->hour, json_text(batch, "hour", ""));
    text_copy(landing->stamp, sizeof landing->stamp, json_text(batch, "stamp", ""));
    log_context("runner", NULL, landing->table, landing->batch_id);
    if (schema_parse(json_member(batch, "schema"), &landing->schema, error) < 0 ||
        format_extension(json_text(format, "format", "jsonl"), json_text(format, "compression", "zstd"), landing->extension,
                         sizeof landing->extension, error) < 0)
        return -1;
    landing_lands(landing);
    return landing_settle_seals(landing, error);
}

static int output_write(void *context, const void *data, size_t length, Error *error)
{
    LandingFile *file = context;

    file->bytes += length;
    return work_target(sink_object_write(file->object, data, length, error), error);
}

/* What an encoder may hold: the runner's share of the worker's memory less the parts on their way, a streaming one the less. */
static size_t landing_encoder_memory(const Landing *landing)
{
    const cJSON *target = json_member(json_member(landing->work->claim, "target"), "options");
    const size_t parts = (size_t)json_integer(target, "parallel_parts", PARTS_IN_FLIGHT) * (size_t)json_integer(target, "part_bytes", (int64_t)PART_BYTES);
    size_t share = MIB(json_integer(landing->work->claim, "memory_mib", 256));

    if (!landing->is_load && share > STREAM_BYTES_MAX)
        share = STREAM_BYTES_MAX;
    return share > parts + ENCODER_BYTES_MIN ? share - parts : ENCODER_BYTES_MIN;
}

FormatSpec landing_format(const Landing *landing)
{
    const cJSON *format = json_member(landing->batch, "format"), *source = json_member(landing->work->claim, "source");
    const cJSON *schema = json_member(landing->batch, "schema");

    return (FormatSpec){
        .format = json_text(format, "format", "jsonl"),
        .compression = json_text(format, "compression", "zstd"),
        .level = (int)json_integer(format, "level", 0),
        .profile = json_text(format, "profile", "sluice"),
        .load = landing->is_load,
        .load_us = json_integer(landing->batch, "load_us", INT64_MIN),
        .epoch = (uint32_t)json_integer(landing->batch, "epoch", 0),
        .incarnation = (uint16_t)json_integer(landing->batch, "incarnation", 0),
        .options = json_member(format, "options"),
        .source_kind = json_text(source, "kind", ""),
        .source = json_text(source, "name", ""),
        .database = json_text(json_member(source, "options"), "database", ""),
        .schema = json_text(schema, "source_schema", ""),
        .table = json_text(schema, "source_table", ""),
        .memory_max = landing_encoder_memory(landing),
    };
}

FormatOutput landing_output(LandingFile *file)
{
    return (FormatOutput){output_write, file};
}

static int landing_file_open(Landing *landing, const ColumnBatch *rows, Error *error)
{
    LandingFile *file = &landing->file;
    FormatSpec spec = landing_format(landing);
    int first = rows->op[0] == 'B'; /* the update behind it is the file's first row */

    if (!landing->day[0])
        landing_moment(landing, rows->commit_us[0]);
    file->rows = file->bytes = file->size = 0;
    if (landing_key(landing, landing->file_no, file->key, sizeof file->key, error) < 0 || work_attempt(file->attempt, error) < 0)
        return -1;
    /* Whoever held this batch before us may have died, or still be, in the middle of an upload that it never sealed. */
    if (json_integer(landing->batch, "generation", 1) > 1 && work_target(sink_uploads_abort(landing->work->sink, file->key, error), error) < 0)
        return -1;
    if (work_target(sink_object_begin(landing->work->sink, file->key, file->attempt, &file->object, error), error) < 0)
        return -1;
    hex_encode(rows->position[first], (size_t)rows->position_length, file->first);
    file->first[2 * rows->position_length] = '\0';
    return format_open(&spec, &landing->schema, landing_output(file), &file->format, error);
}

/* Everything is uploaded but the request that makes it visible; then the source is asked once more whether it still held, all the
 * while, what we read (DESIGN: low-water mark after the last row and before completion). */
static int landing_file_prepare(Landing *landing, Error *error)
{
    LandingFile *file = &landing->file;

    if (format_finish(file->format, error) < 0 || work_target(sink_object_prepare(file->object, error), error) < 0)
        return -1;
    format_close(file->format);
    file->format = NULL;
    return reader_verify(landing->reader, error);
}

cJSON *landing_seal(Landing *landing, bool last_file)
{
    LandingFile *file = &landing->file;
    cJSON *seal = work_ticket(landing->batch), *last_key = NULL;
    Error ignored; /* a seal without last_key only means that a retry reads the range from its start */

    cJSON_AddBoolToObject(seal, "last_file", last_file);
    cJSON_AddNumberToObject(seal, "rows", (double)file->rows);
    if (landing->position[0])
        cJSON_AddStringToObject(seal, "position", landing->position);
    if (landing->position_after[0])
        cJSON_AddStringToObject(seal, "position_after", landing->position_after);
    if (!file->object)
        return seal;
    cJSON_AddNumberToObject(seal, "file_no", landing->file_no);
    cJSON_AddStringToObject(seal, "attempt", file->attempt);
    cJSON_AddStringToObject(seal, "key", file->key);
    cJSON_AddStringToObject(seal, "day", landing->day);
    cJSON_AddStringToObject(seal, "hour", landing->hour);
    if (landing->stamp[0])
        cJSON_AddStringToObject(seal, "stamp", landing->stamp);
    cJSON_AddStringToObject(seal, "first", file->first);
    cJSON_AddStringToObject(seal, "last", file->last);
    cJSON_AddNumberToObject(seal, "bytes", (double)file->bytes);
    if (landing->is_load && reader_last_key(landing->reader, &last_key, &ignored) == 0 && last_key)
        cJSON_AddItemToObject(seal, "last_key", last_key);
    cJSON_AddItemToArray(landing->seals, cJSON_Duplicate(seal, true));
    return seal;
}

static void landing_file_close(Landing *landing)
{
    format_close(landing->file.format);
    sink_object_close(landing->file.object);
    landing->file = (LandingFile){0};
}

int landing_settle(Landing *landing, SinkOutcome outcome, const SinkHead *head, Error *error)
{
    LandingFile *file = &landing->file;
    SinkHead found = *head;
    const cJSON *seal;

    if (outcome == SINK_EXISTS && work_target(sink_head(landing->work->sink, file->key, &found, error), error) < 0)
        return -1;
    seal = seal_of_attempt(landing, landing->file_no, outcome == SINK_CREATED ? file->attempt : found.attempt);
    if (!seal)
        return foreign_object(landing, file->key, found.attempt, error);
    landing_adopt(landing, seal, file->key, &found);
    landing_file_close(landing);
    if (outcome == SINK_EXISTS) {
        /* An older attempt of ours won the key. It may hold fewer rows than we wrote: read on behind its last one. */
        landing_reader_close(landing);
    }
    return 0;
}

/* A file filled up before the range ended: it is sealed and completed now, alone. */
static int landing_file_land(Landing *landing, bool *yield, Error *error)
{
    const Work *work = landing->work;
    cJSON *message, *seals, *answer = NULL;
    SinkOutcome outcome;
    SinkHead head = {0};
    int status;

    if (landing_file_prepare(landing, error) < 0)
        return -1;
    message = work_message(work);
    cJSON_AddNumberToObject(message, "source_id", (double)json_integer(json_member(work->claim, "source"), "id", 0));
    cJSON_AddNumberToObject(message, "target_id", (double)json_integer(json_member(work->claim, "target"), "id", 0));
    seals = cJSON_AddArrayToObject(message, "seals");
    cJSON_AddItemToArray(seals, landing_seal(landing, false));
    CRASH_POINT("seal_before");
    status = control_call(work->control, "batch_seal", message, &answer, error);
    cJSON_Delete(message);
    if (status < 0)
        return -1;
    *yield = landing->is_load && json_boolean(answer, "yield", false);
    cJSON_Delete(answer);
    CRASH_POINT("seal_after");
    if (work_target(sink_objects_complete(work->sink, &landing->file.object, 1, &outcome, &head, error), error) < 0)
        return -1;
    CRASH_POINT("object_after");
    return landing_settle(landing, outcome, &head, error);
}

/* The rows that stand in the file's figures: not a before image, which belongs to the update behind it, nor what the table's options
 * leave out. */
static uint64_t rows_counted(const Landing *landing, const ColumnBatch *rows)
{
    uint64_t count = 0;

    for (int i = 0; i < rows->rows; i++)
        count += landing->lands[(uint8_t)rows->op[i]];
    return count;
}

static int landing_rows_write(Landing *landing, const ColumnBatch *rows, Error *error)
{
    LandingFile *file = &landing->file;
    const uint64_t count = rows_counted(landing, rows);

    if (!count && !file->object)
        return 0; /* nothing of it lands, and no file without rows either */
    if (!file->object && landing_file_open(landing, rows, error) < 0)
        return -1;
    if (format_write(file->format, rows, 0, rows->rows, error) < 0)
        return -1;
    file->rows += count;
    hex_encode(rows->position[rows->rows - 1], (size_t)rows->position_length, file->last);
    file->last[2 * rows->position_length] = '\0';
    return 0;
}

/* Of several readings of one range the first L is the one that holds for all of its rows. */
static void landing_position_note(Landing *landing)
{
    const char *position = reader_position(landing->reader);

    if (landing->is_load && position && !landing->position[0])
        text_copy(landing->position, sizeof landing->position, position);
}

/* The range has been read out. A change reader is let go here: 64 of them would hold 64 column batches. */
static int landing_end(Landing *landing, Error *error)
{
    int status = landing->file.object ? landing_file_prepare(landing, error) : reader_verify(landing->reader, error);

    if (status == 0 && landing->is_load && !json_member(json_member(landing->batch, "keys"), "columns"))
        status = source_position_after(landing->work->source, landing->position_after, sizeof landing->position_after, error);
    if (!landing->is_load) {
        landing_reader_close(landing);
    }
    return status;
}

/* A file grows by whole column batches: it ends where it is nearest to the size asked for, taking the next batch to be like this one. */
static bool landing_file_full(Landing *landing)
{
    LandingFile *file = &landing->file;
    uint64_t size, growth;

    if (!file->object)
        return false;
    size = format_size(file->format);
    growth = size > file->size ? size - file->size : 0;
    file->size = size;
    return size + growth / 2 >= landing->file_bytes_target;
}

int landing_run(Landing *landing, bool *yielded, Error *error)
{
    const ColumnBatch *rows;

    *yielded = false;
    log_context("runner", NULL, landing->table, landing->batch_id);
    if (landing->complete)
        return 0;
    if (!landing->reader && landing_reader_open(landing, error) < 0)
        return -1;
    for (;;) {
        if (beat_once(landing->work->beat))
            return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop");
        if (reader_next(landing->reader, &rows, error) < 0)
            return -1;
        landing_position_note(landing);
        if (!rows)
            return landing_end(landing, error);
        if (landing_rows_write(landing, rows, error) < 0)
            return -1;
        if (!landing_file_full(landing))
            continue;
        if (landing_file_land(landing, yielded, error) < 0)
            return -1;
        if (landing->complete || *yielded)
            return 0;
        if (!landing->reader && landing_reader_open(landing, error) < 0)
            return -1;
    }
}

void landing_close(Landing *landing)
{
    landing_file_close(landing);
    reader_close(landing->reader);
    schema_free(&landing->schema);
    cJSON_Delete(landing->resume_key);
    cJSON_Delete(landing->seals);
    cJSON_Delete(landing->files);
    cJSON_Delete(landing->announced);
    *landing = (Landing){0};
}

int64_t landing_nulled(const Landing *landing)
{
    return landing->nulled + (landing->reader ? reader_nulled(landing->reader) : 0);
}

size_t landing_memory(const Landing *landing)
{
    return landing->file.object ? sink_object_memory(landing->file.object) : 0;
}
