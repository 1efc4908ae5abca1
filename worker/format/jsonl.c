/*
 * jsonl.c - rows as JSON lines; see jsonl.h
 *
 * Rows are put together in `stage`. Once a row it is made sure that all its fixed parts have room; only a value of variable length
 * asks again. What is staged goes to the output whenever room runs out, so memory is bounded by one row's fixed parts.
 */
#include "format/jsonl.h"
#include "base/clock.h"
#include "base/hex.h"
#include "format/json_text.h"
#include "format/kind.h"
#include "format/stage.h"
#include "format/value_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_ROOM (JSONL_SLICE * JSON_ESCAPE_FACTOR + 16)
#define TAIL_ROOM 320

typedef struct Jsonl {
    Stage stage;
    const Schema *schema;
    JsonlColumn *columns;
    size_t row_room;   /* of all fixed parts of a row */
    char seq_prefix[64]; /* `,"_sluice_seq":"` and epoch and incarnation */
    char epoch_part[64]; /* `,"_sluice_epoch":1,"_sluice_unchanged":` */
    int64_t commit_us;   /* of the text kept in commit_text: rows of one transaction share it */
    char commit_text[32];
    size_t commit_length;
} Jsonl;

static int not_utf8(const Jsonl *jsonl, const ColumnBatch *batch, int row, int column, size_t byte, Error *error)
{
    char position[2 * POSITION_BYTES_MAX + 1] = "";

    hex_encode(batch->position[row], (size_t)batch->position_length, position);
    position[2 * batch->position_length] = '\0';
    return error_set(error, ERROR_PERMANENT, "Leave the column out of the table, or mend the row at the source.",
                     "column \"%.200s\" of the row at position %s holds text that is not valid UTF-8 (byte %zu)",
                     jsonl->schema->fields[column].name, position, byte + 1);
}

/* Room is asked with the whole row's fixed part on top, so that what follows the value needs no asking. */
static int string_write(Jsonl *jsonl, const ColumnBatch *batch, int row, int column, Error *error)
{
    const ColumnVector *vector = &batch->columns[column];
    size_t left = vector->offsets[row + 1] - vector->offsets[row];
    const uint8_t *data = (const uint8_t *)vector->bytes.data + (left ? vector->offsets[row] : 0);
    size_t done = 0;
    bool binary = jsonl->schema->fields[column].type == COLUMN_BINARY;

    *jsonl->stage.at++ = '"';
    while (left) {
        size_t piece = left, bad = 0;

        if (left > JSONL_SLICE)
            piece = binary ? JSONL_SLICE : json_piece(data, left, JSONL_SLICE);
        if (stage_room(&jsonl->stage, jsonl->row_room + piece * JSON_ESCAPE_FACTOR + 16, error) < 0)
            return -1;
        if (binary) {
            jsonl->stage.at = base64_text(jsonl->stage.at, data, piece);
        } else {
            char *end = json_escape(jsonl->stage.at, data, piece, &bad);

            if (!end)
                return not_utf8(jsonl, batch, row, column, done + bad, error);
            jsonl->stage.at = end;
        }
        data += piece;
        done += piece;
        left -= piece;
    }
    *jsonl->stage.at++ = '"';
    return 0;
}

static void commit_make(Jsonl *jsonl, int64_t commit_us)
{
    int64_t ticks = commit_us % 86400000000;
    int64_t days = commit_us / 86400000000;
    char *text = jsonl->commit_text;

    jsonl->commit_us = commit_us;
    if (ticks < 0) {
        ticks += 86400000000;
        days--;
    }
    if (commit_us == INT64_MIN || days < DATE_DAYS_MIN || days > DATE_DAYS_MAX) {
        memcpy(text, "null", 4);
        jsonl->commit_length = 4;
        return;
    }
    *text++ = '"';
    text = date_text(text, (int32_t)days);
    *text++ = 'T';
    text = time_text(text, ticks * 10, 6);
    *text++ = 'Z';
    *text++ = '"';
    jsonl->commit_length = (size_t)(text - jsonl->commit_text);
}

static void unchanged_write(Jsonl *jsonl, const ColumnBatch *batch, int row)
{
    bool any = false;

    for (int i = 0; i < jsonl->schema->count; i++) {
        const ColumnVector *vector = &batch->columns[i];

        if (!vector->unchanged || !vector->unchanged[row] || !jsonl->columns[i].quoted_name)
            continue;
        stage_copy(&jsonl->stage, any ? "," : "\"[", any ? 1 : 2);
        stage_copy(&jsonl->stage, jsonl->columns[i].quoted_name, jsonl->columns[i].quoted_length);
        any = true;
    }
    if (any)
        stage_copy(&jsonl->stage, "]\"", 2);
    else
        stage_copy(&jsonl->stage, "null", 4);
}

static void tail_write(Jsonl *jsonl, const ColumnBatch *batch, int row)
{
    stage_copy(&jsonl->stage, jsonl->schema->count ? ",\"_sluice_op\":\"" : "{\"_sluice_op\":\"", 15);
    *jsonl->stage.at++ = batch->op[row];
    stage_copy(&jsonl->stage, jsonl->seq_prefix, strlen(jsonl->seq_prefix));
    jsonl->stage.at = hex_text(jsonl->stage.at, batch->position[row], (size_t)batch->position_length);
    stage_copy(&jsonl->stage, "\",\"_sluice_commit_ts\":", 22);
    if (batch->commit_us[row] != jsonl->commit_us)
        commit_make(jsonl, batch->commit_us[row]);
    stage_copy(&jsonl->stage, jsonl->commit_text, jsonl->commit_length);
    stage_copy(&jsonl->stage, jsonl->epoch_part, strlen(jsonl->epoch_part));
    unchanged_write(jsonl, batch, row);
    stage_copy(&jsonl->stage, ",\"_sluice_hash\":null}\n", 22);
}

static int row_write(Jsonl *jsonl, const ColumnBatch *batch, int row, Error *error)
{
    if (stage_room(&jsonl->stage, jsonl->row_room, error) < 0)
        return -1;
    for (int i = 0; i < jsonl->schema->count; i++) {
        JsonlColumn *column = &jsonl->columns[i];
        const ColumnVector *vector = &batch->columns[i];

        if (column->prefix_length <= JSONL_COPY_STEP) {
            memcpy(jsonl->stage.at, column->prefix, JSONL_COPY_STEP);
            jsonl->stage.at += column->prefix_length;
        } else {
            stage_copy(&jsonl->stage, column->prefix, column->prefix_length);
        }
        if (!vector->valid[row]) {
            stage_copy(&jsonl->stage, "null", 4);
        } else if (vector->offsets) {
            if (string_write(jsonl, batch, row, i, error) < 0)
                return -1;
        } else if (jsonl_value(column, vector->fixed + (size_t)row * column->value.width, jsonl->stage.at, &jsonl->stage.at, error) < 0) {
            return -1;
        }
    }
    tail_write(jsonl, batch, row);
    return 0;
}

static int jsonl_write(void *state, const ColumnBatch *batch, int first, int count, Error *error)
{
    Jsonl *jsonl = state;

    for (int row = first; row < first + count; row++) {
        if (batch->op[row] != 'B' && row_write(jsonl, batch, row, error) < 0)
            return -1;
    }
    return 0;
}

static uint64_t jsonl_held(const void *state)
{
    const Jsonl *jsonl = state;

    return stage_held(&jsonl->stage);
}

static int jsonl_finish(void *state, Error *error)
{
    Jsonl *jsonl = state;

    return stage_flush(&jsonl->stage, error);
}

static void jsonl_close(void *state)
{
    Jsonl *jsonl = state;

    for (int i = 0; jsonl->columns && i < jsonl->schema->count; i++)
        jsonl_column_free(&jsonl->columns[i]);
    free(jsonl->columns);
    free(jsonl->stage.start);
    free(jsonl);
}

static int jsonl_prepare(Jsonl *jsonl, const FormatSpec *spec, FormatOutput output, Error *error)
{
    jsonl->columns = calloc((size_t)jsonl->schema->count + 1, sizeof *jsonl->columns);
    if (!jsonl->columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a jsonl writer of %d columns", jsonl->schema->count);
    jsonl->row_room = TAIL_ROOM;
    for (int i = 0; i < jsonl->schema->count; i++) {
        if (jsonl_column_init(&jsonl->columns[i], &jsonl->schema->fields[i], i == 0, error) < 0)
            return -1;
        jsonl->row_room += jsonl_column_room(&jsonl->columns[i]);
    }
    if (stage_open(&jsonl->stage, output, STAGE_BYTES + jsonl->row_room + SLICE_ROOM, error) < 0)
        return -1;
    snprintf(jsonl->seq_prefix, sizeof jsonl->seq_prefix, "\",\"_sluice_seq\":\"%08x%04x", spec->epoch, spec->incarnation);
    snprintf(jsonl->epoch_part, sizeof jsonl->epoch_part, ",\"_sluice_epoch\":%u,\"_sluice_unchanged\":", spec->epoch);
    commit_make(jsonl, INT64_MIN);
    return 0;
}

static int jsonl_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, void **ret, Error *error)
{
    Jsonl *jsonl = calloc(1, sizeof *jsonl);

    if (!jsonl)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a jsonl writer");
    jsonl->schema = schema;
    if (jsonl_prepare(jsonl, spec, output, error) < 0) {
        jsonl_close(jsonl);
        return -1;
    }
    *ret = jsonl;
    return 0;
}

const FormatKind jsonl_kind = {
    .name = "jsonl",
    .profiles = {"sluice"},
    .open = jsonl_open,
    .write = jsonl_write,
    .held = jsonl_held,
    .finish = jsonl_finish,
    .close = jsonl_close,
};
