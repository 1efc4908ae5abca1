/*
 * debezium.c - rows as Debezium's change events; see debezium.h
 *
 * A row 'B' is written as "before" of the 'U' behind it. What an event shares with all others of its file is made once. As in jsonl.c
 * events are put together in `stage`, and only values of variable length ask for more room than a row's fixed parts.
 */
#include "format/debezium.h"
#include "base/clock.h"
#include "base/hex.h"
#include "format/json_text.h"
#include "format/kind.h"
#include "format/stage.h"
#include "format/value_text.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_ROOM 512 /* of an event, the numbers and words beside the parts made once */
#define VERSION "sluice-" SLUICE_VERSION

/* Positions of SQL Server (_sluice_seq behind its incarnation): start_lsn 10 bytes, command_id 4, seqval 10, operation 1. One whose 11th
 * byte is f.. was read from the table: there are a job's and a range's digits. */
#define LSN_BYTES 10
#define SEQVAL_AT 14
#define CHANGE_BYTES 25

typedef struct Debezium {
    Stage stage;
    const Schema *schema;
    JsonlColumn *columns;
    DebeziumForm *forms;
    size_t row_room; /* of all fixed parts of an event */
    Buffer head;       /* `{"schema":...,"payload":` or nothing */
    Buffer source;     /* `,"source":{...,"ts_ms":` */
    Buffer database;   /* `,"db":...,"sequence":null,"ts_us":` */
    Buffer table;      /* `,"schema":...,"table":...,"change_lsn":` */
    uint8_t change[LSN_BYTES * 2]; /* commit and change LSN of the event before, for event_serial_no */
    uint8_t operation;             /* of that event's row in the change table */
    int64_t serial;
    int64_t now_us;    /* when the batch was taken up: the event's ts_ms */
} Debezium;

#define STAGE_TEXT(debezium, text) stage_copy(&(debezium)->stage, text, sizeof text - 1)

static int not_utf8(const Debezium *debezium, const ColumnBatch *batch, int row, int column, size_t byte, Error *error)
{
    char position[2 * POSITION_BYTES_MAX + 1];

    hex_encode(batch->position[row], (size_t)batch->position_length, position);
    position[2 * batch->position_length] = '\0';
    return error_set(error, ERROR_PERMANENT, "Leave the column out of the table, or mend the row at the source.",
                     "column \"%.200s\" of the row at position %s holds text that is not valid UTF-8 (byte %zu)",
                     debezium->schema->fields[column].name, position, byte + 1);
}

/* Room is asked with the whole event's fixed part on top, so that what follows the value needs no asking. */
static int variable_write(Debezium *debezium, const ColumnBatch *batch, int row, int column, Error *error)
{
    const ColumnVector *vector = &batch->columns[column];
    size_t left = vector->offsets[row + 1] - vector->offsets[row], done = 0;
    const uint8_t *data = (const uint8_t *)vector->bytes.data + (left ? vector->offsets[row] : 0);
    DebeziumForm form = debezium->forms[column];

    *debezium->stage.at++ = '"';
    while (left) {
        size_t piece = left, bad = 0;

        if (left > JSONL_SLICE)
            piece = form == DEBEZIUM_STRING ? json_piece(data, left, JSONL_SLICE) : JSONL_SLICE;
        if (stage_room(&debezium->stage, debezium->row_room + piece * JSON_ESCAPE_FACTOR + 16, error) < 0)
            return -1;
        if (form == DEBEZIUM_STRING) {
            char *end = json_escape(debezium->stage.at, data, piece, &bad);

            if (!end)
                return not_utf8(debezium, batch, row, column, done + bad, error);
            debezium->stage.at = end;
        } else {
            debezium->stage.at = debezium_bytes(form, data, piece, debezium->stage.at);
        }
        data += piece;
        done += piece;
        left -= piece;
    }
    *debezium->stage.at++ = '"';
    return 0;
}

/* Only LOBs are ever so, and they are strings or bytes. */
static void unavailable_write(Debezium *debezium, DebeziumForm form)
{
    *debezium->stage.at++ = '"';
    if (form == DEBEZIUM_STRING)
        STAGE_TEXT(debezium, DEBEZIUM_UNAVAILABLE);
    else
        debezium->stage.at = debezium_bytes(form, (const uint8_t *)DEBEZIUM_UNAVAILABLE, sizeof DEBEZIUM_UNAVAILABLE - 1, debezium->stage.at);
    *debezium->stage.at++ = '"';
}

static int image_write(Debezium *debezium, const ColumnBatch *batch, int row, Error *error)
{
    for (int i = 0; i < debezium->schema->count; i++) {
        JsonlColumn *column = &debezium->columns[i];
        const ColumnVector *vector = &batch->columns[i];

        stage_copy(&debezium->stage, column->prefix, column->prefix_length);
        if (!vector->valid[row]) {
            if (vector->unchanged && vector->unchanged[row])
                unavailable_write(debezium, debezium->forms[i]);
            else
                STAGE_TEXT(debezium, "null");
        } else if (vector->offsets) {
            if (variable_write(debezium, batch, row, i, error) < 0)
                return -1;
        } else if (debezium_value(column, debezium->forms[i], vector->fixed + (size_t)row * column->value.width, debezium->stage.at, &debezium->stage.at,
                                  error) < 0) {
            return -1;
        }
    }
    *debezium->stage.at++ = '}';
    return 0;
}

/* "00000027:00000758:0005" */
static void lsn_write(Debezium *debezium, const uint8_t *lsn)
{
    *debezium->stage.at++ = '"';
    debezium->stage.at = hex_text(debezium->stage.at, lsn, 4);
    *debezium->stage.at++ = ':';
    debezium->stage.at = hex_text(debezium->stage.at, lsn + 4, 4);
    *debezium->stage.at++ = ':';
    debezium->stage.at = hex_text(debezium->stage.at, lsn + 8, 2);
    *debezium->stage.at++ = '"';
}

/*
 * Events of one change LSN are numbered; an update counts for two, as the change table has two rows of it (operations 3 and 4). One that
 * moved its row is two events of one number.
 */
static void serial_step(Debezium *debezium, const uint8_t *position)
{
    uint8_t change[sizeof debezium->change], operation = position[CHANGE_BYTES - 1];
    bool same;

    memcpy(change, position, LSN_BYTES);
    memcpy(change + LSN_BYTES, position + SEQVAL_AT, LSN_BYTES);
    same = memcmp(change, debezium->change, sizeof change) == 0;
    memcpy(debezium->change, change, sizeof change);
    if (!same)
        debezium->serial = 0;
    if (!same || debezium->operation != 3 || operation != 4)
        debezium->serial += operation >= 3 ? 2 : 1;
    debezium->operation = operation;
}

static void source_write(Debezium *debezium, const ColumnBatch *batch, int row)
{
    const uint8_t *position = batch->position[row];
    bool read = position[LSN_BYTES] >> 4 == 0xf; /* from the table, not from its changes */
    int64_t us = batch->commit_us[row] != INT64_MIN ? batch->commit_us[row] : debezium->now_us;

    stage_copy(&debezium->stage, debezium->source.data, debezium->source.length);
    debezium->stage.at = int64_text(debezium->stage.at, us / 1000 - (us % 1000 < 0));
    if (batch->op[row] == 'R')
        STAGE_TEXT(debezium, ",\"snapshot\":\"true\"");
    else
        STAGE_TEXT(debezium, ",\"snapshot\":\"false\"");
    stage_copy(&debezium->stage, debezium->database.data, debezium->database.length);
    debezium->stage.at = int64_text(debezium->stage.at, us);
    STAGE_TEXT(debezium, ",\"ts_ns\":");
    debezium->stage.at = int64_text(debezium->stage.at, us * 1000);
    stage_copy(&debezium->stage, debezium->table.data, debezium->table.length);
    if (read)
        STAGE_TEXT(debezium, "null");
    else
        lsn_write(debezium, position + SEQVAL_AT);
    STAGE_TEXT(debezium, ",\"commit_lsn\":");
    lsn_write(debezium, position);
    STAGE_TEXT(debezium, ",\"event_serial_no\":");
    if (read) {
        STAGE_TEXT(debezium, "null");
    } else {
        serial_step(debezium, position);
        debezium->stage.at = int64_text(debezium->stage.at, debezium->serial);
    }
    *debezium->stage.at++ = '}';
}

static void tail_write(Debezium *debezium, char op)
{
    STAGE_TEXT(debezium, ",\"transaction\":null,\"op\":\"");
    *debezium->stage.at++ = op == 'R' ? 'r' : op == 'I' ? 'c' : op == 'U' ? 'u' : 'd';
    STAGE_TEXT(debezium, "\",\"ts_ms\":");
    debezium->stage.at = int64_text(debezium->stage.at, debezium->now_us / 1000);
    STAGE_TEXT(debezium, ",\"ts_us\":");
    debezium->stage.at = int64_text(debezium->stage.at, debezium->now_us);
    STAGE_TEXT(debezium, ",\"ts_ns\":");
    debezium->stage.at = int64_text(debezium->stage.at, debezium->now_us * 1000);
    STAGE_TEXT(debezium, "}");
    if (debezium->head.length)
        STAGE_TEXT(debezium, "}");
    STAGE_TEXT(debezium, "\n");
}

/* The schema of a wide table is longer than the stage. */
static int head_write(Debezium *debezium, Error *error)
{
    if (debezium->head.length == 0)
        return stage_room(&debezium->stage, debezium->row_room, error);
    if (stage_flush(&debezium->stage, error) < 0)
        return -1;
    return debezium->stage.output.write(debezium->stage.output.context, debezium->head.data, debezium->head.length, error);
}

static int event_write(Debezium *debezium, const ColumnBatch *batch, int row, Error *error)
{
    char op = batch->op[row];
    int before = op == 'D' ? row : op == 'U' && row > 0 && batch->op[row - 1] == 'B' ? row - 1 : -1;

    if (head_write(debezium, error) < 0)
        return -1;
    STAGE_TEXT(debezium, "{\"before\":");
    if (before < 0)
        STAGE_TEXT(debezium, "null");
    else if (image_write(debezium, batch, before, error) < 0)
        return -1;
    if (stage_room(&debezium->stage, debezium->row_room, error) < 0)
        return -1;
    STAGE_TEXT(debezium, ",\"after\":");
    if (op == 'D')
        STAGE_TEXT(debezium, "null");
    else if (image_write(debezium, batch, row, error) < 0)
        return -1;
    source_write(debezium, batch, row);
    tail_write(debezium, op);
    return 0;
}

static int debezium_write(void *state, const ColumnBatch *batch, int first, int count, Error *error)
{
    Debezium *debezium = state;

    if (batch->position_length != CHANGE_BYTES)
        return error_set(error, ERROR_INTERNAL, NULL, "a position of %d bytes is none of SQL Server", batch->position_length);
    debezium->now_us = clock_wall_us();
    for (int row = first; row < first + count; row++) {
        if (batch->op[row] != 'B' && event_write(debezium, batch, row, error) < 0)
            return -1;
    }
    return 0;
}

static uint64_t debezium_held(const void *state)
{
    return stage_held(&((const Debezium *)state)->stage);
}

static int debezium_finish(void *state, Error *error)
{
    return stage_flush(&((Debezium *)state)->stage, error);
}

static void debezium_close(void *state)
{
    Debezium *debezium = state;

    for (int i = 0; debezium->columns && i < debezium->schema->count; i++)
        jsonl_column_free(&debezium->columns[i]);
    free(debezium->columns);
    free(debezium->forms);
    free(debezium->stage.start);
    buffer_free(&debezium->head);
    buffer_free(&debezium->source);
    buffer_free(&debezium->database);
    buffer_free(&debezium->table);
    free(debezium);
}

static int source_prepare(Debezium *debezium, const FormatSpec *spec, const DebeziumOptions *options, Error *error)
{
    if (buffer_text(&debezium->source, ",\"source\":{\"version\":\"" VERSION "\",\"connector\":\"sqlserver\",\"name\":", error) < 0 ||
        debezium_quote(options->topic_prefix, &debezium->source, error) < 0 || buffer_text(&debezium->source, ",\"ts_ms\":", error) < 0 ||
        buffer_text(&debezium->database, ",\"db\":", error) < 0 ||
        debezium_quote(spec->database ? spec->database : "", &debezium->database, error) < 0 ||
        buffer_text(&debezium->database, ",\"sequence\":null,\"ts_us\":", error) < 0 ||
        buffer_text(&debezium->table, ",\"schema\":", error) < 0 ||
        debezium_quote(spec->schema ? spec->schema : "", &debezium->table, error) < 0 ||
        buffer_text(&debezium->table, ",\"table\":", error) < 0 ||
        debezium_quote(spec->table ? spec->table : "", &debezium->table, error) < 0)
        return -1;
    return buffer_text(&debezium->table, ",\"change_lsn\":", error);
}

static int columns_prepare(Debezium *debezium, const DebeziumOptions *options, FormatOutput output, Error *error)
{
    size_t count = (size_t)debezium->schema->count;

    debezium->columns = calloc(count + 1, sizeof *debezium->columns);
    debezium->forms = calloc(count + 1, sizeof *debezium->forms);
    if (!debezium->columns || !debezium->forms)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a debezium writer of %zu columns", count);
    debezium->row_room = EVENT_ROOM + debezium->source.length + debezium->database.length + debezium->table.length;
    for (size_t i = 0; i < count; i++) {
        if (jsonl_column_init(&debezium->columns[i], &debezium->schema->fields[i], i == 0, error) < 0)
            return -1;
        debezium->forms[i] = debezium_type(&debezium->schema->fields[i], options).form;
        debezium->row_room += debezium->columns[i].prefix_length + DEBEZIUM_VALUE_MAX;
    }
    return stage_open(&debezium->stage, output, STAGE_BYTES + debezium->row_room + JSONL_SLICE * JSON_ESCAPE_FACTOR + 16, error);
}

static int debezium_prepare(Debezium *debezium, const FormatSpec *spec, FormatOutput output, Error *error)
{
    DebeziumOptions options;

    if (spec->source_kind && spec->source_kind[0] && strcmp(spec->source_kind, "sqlserver") != 0)
        return error_set(error, ERROR_PERMANENT, "Choose the profile sluice for this table.", "the profile debezium has no envelope for a %.60s source",
                         spec->source_kind);
    if (debezium_options(spec, &options, error) < 0 || source_prepare(debezium, spec, &options, error) < 0 ||
        columns_prepare(debezium, &options, output, error) < 0)
        return -1;
    return options.schemas ? debezium_schema(spec, &options, debezium->schema, &debezium->head, error) : 0;
}

static int debezium_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, void **ret, Error *error)
{
    Debezium *debezium = calloc(1, sizeof *debezium);

    if (!debezium)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a debezium writer");
    debezium->schema = schema;
    buffer_init(&debezium->head, MIB(4));
    buffer_init(&debezium->source, KIB(8));
    buffer_init(&debezium->database, KIB(8));
    buffer_init(&debezium->table, KIB(8));
    if (debezium_prepare(debezium, spec, output, error) < 0) {
        debezium_close(debezium);
        return -1;
    }
    *ret = debezium;
    return 0;
}

const FormatKind debezium_kind = {
    .name = "jsonl",
    .profiles = {"debezium"},
    .open = debezium_open,
    .write = debezium_write,
    .held = debezium_held,
    .finish = debezium_finish,
    .close = debezium_close,
};
