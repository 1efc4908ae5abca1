/*
 * reader_cdc.c - the changes of one capture instance in (from, to], ordered as the change table's clustered index:
 * (start_lsn, command_id, seqval, operation), which is the only total order inside an instance: seqval is not
 * monotonic, command_id alone is shared by the rows of one statement.
 *
 * With batch.schema.before the before images are read too: an update of a table without key, or one that changes the
 * key the table is folded by, lands as D (the old row) and I (the new one); any other stays U. With batch.schema.images
 * the old row of any other is given too, as a row B directly before its U, in the same batch.
 */
#include "source/sqlserver/reader.h"

#include <stdlib.h>
#include <string.h>

/* Where the fixed columns stand in the result. */
enum { OPERATION_BEFORE = 3, OPERATION_AFTER = 4 };
enum { WIRE_LSN = 1, WIRE_COMMAND, WIRE_SEQVAL, WIRE_OPERATION, WIRE_MASK, WIRE_TIME, WIRE_AHEAD = WIRE_TIME };

/* Before images double the traffic of updates: two texts. */
static int text_where(const SqlReader *reader, bool before, Buffer *text, Error *error)
{
    /* Rows captured before the change table got its __$command_id have NULL there, first in the order, like 0. */
    static const char with_command[] = "(ISNULL(c.[__$command_id], 0) > @c OR (ISNULL(c.[__$command_id], 0) = @c AND ";

    if (buffer_text(text, " WHERE c.[__$start_lsn] >= @l AND c.[__$start_lsn] <= @t", error) < 0 ||
        (!before && buffer_text(text, " AND c.[__$operation] <> 3", error) < 0) ||
        buffer_text(text, " AND (c.[__$start_lsn] > @l OR ", error) < 0 ||
        (reader->has_command_id && buffer_text(text, with_command, error) < 0) ||
        buffer_text(text, "(c.[__$seqval] > @s OR (c.[__$seqval] = @s AND c.[__$operation] > @o))", error) < 0)
        return -1;
    return buffer_text(text, reader->has_command_id ? ")))" : ")", error);
}

static int text_build(SqlReader *reader, Error *error)
{
    const cJSON *schema = json_member(reader->batch, "schema");
    const char *instance = json_text(schema, "instance", "");
    Buffer *text = &reader->text;

    buffer_clear(text);
    if (buffer_format(text, error,
                      "SELECT TOP (%lld) c.[__$start_lsn] AS l, %s AS c, c.[__$seqval] AS s, c.[__$operation] AS o, "
                      "c.[__$update_mask] AS m, t.tran_end_time AS t, ",
                      (long long)reader->statement_rows, reader->has_command_id ? "c.[__$command_id]" : "0") < 0 ||
        plan_select(&reader->plan, "c", text, error) < 0 || buffer_text(text, " FROM ", error) < 0 ||
        text_change_table(text, instance, error) < 0 ||
        buffer_text(text, " AS c LEFT JOIN cdc.lsn_time_mapping AS t ON t.start_lsn = c.[__$start_lsn]", error) < 0 ||
        text_where(reader, reader->before, text, error) < 0 ||
        buffer_format(text, error, " ORDER BY c.[__$start_lsn]%s, c.[__$seqval], c.[__$operation]",
                      reader->has_command_id ? ", c.[__$command_id]" : "") < 0)
        return -1;
    return buffer_terminate(text, error);
}

static int changes_start(SqlReader *reader, Error *error)
{
    Parameters parameters = {.count = 0};

    parameter_lsn(&parameters, "@l", reader->from.lsn);
    parameter_lsn(&parameters, "@t", reader->to);
    if (reader->has_command_id)
        parameter_int(&parameters, "@c", reader->from.command_id);
    parameter_lsn(&parameters, "@s", reader->from.seqval);
    parameter_int(&parameters, "@o", reader->from.operation);
    return statement_start(&reader->statement, &reader->server->connection, reader->text.data, &parameters, error);
}

/* The latest before image, until its after image comes. */
struct BeforeImage {
    ColumnBatch rows; /* one row at most */
    Buffer key;       /* raw bytes of its key columns */
    Buffer key_after; /* those of the row it is compared with; kept, since each update needs it */
    ChangePosition position;
};

/* Raw key bytes of the current row: length and value of each column, so that no two keys look alike. */
static int key_bytes(const SqlReader *reader, Buffer *ret, Error *error)
{
    DBPROCESS *process = reader->server->connection.process;
    const Schema *schema = reader->plan.schema;

    buffer_clear(ret);
    for (int i = 0; i < schema->count; i++) {
        const BYTE *data = schema->fields[i].key_ordinal ? dbdata(process, reader->plan.columns[i].wire) : NULL;
        int32_t length = data ? dbdatlen(process, reader->plan.columns[i].wire) : -1;

        if (!schema->fields[i].key_ordinal)
            continue;
        if (buffer_append(ret, &length, sizeof length, error) < 0 ||
            (length > 0 && buffer_append(ret, data, (size_t)length, error) < 0))
            return -1;
    }
    return 0;
}

static int before_keep_key(SqlReader *reader, Error *error)
{
    return key_bytes(reader, &reader->image->key, error);
}

/* Is the current row the after image of the one that waits? */
static bool before_waits(const SqlReader *reader)
{
    const ChangePosition *image = &reader->image->position;
    uint8_t lsn[LSN_BYTES], seqval[LSN_BYTES];

    if (reader->image->rows.rows == 0 || statement_integer(&reader->statement, WIRE_OPERATION) != OPERATION_AFTER ||
        statement_lsn(&reader->statement, WIRE_LSN, lsn) < 0 ||
        statement_lsn(&reader->statement, WIRE_SEQVAL, seqval) < 0 || memcmp(lsn, image->lsn, LSN_BYTES) != 0 ||
        memcmp(seqval, image->seqval, LSN_BYTES) != 0)
        return false;
    return statement_integer(&reader->statement, WIRE_COMMAND) == image->command_id;
}

/*
 * Has the row moved? Without a key every updated one has: as a multiset its fold takes the old row out and puts the new
 * one in, which an update that shows both says as well. SQL Server itself logs a change of a unique key as delete and
 * insert, so a changed key is seen here only where the table's key is not the one it is folded by.
 */
static bool row_moved(SqlReader *reader)
{
    const Buffer *before = &reader->image->key;
    Buffer *after = &reader->image->key_after;
    Error ignored; /* delete and insert are right for a row that stayed, too */

    if (reader->keyless)
        return !reader->images;
    return key_bytes(reader, after, &ignored) < 0 || after->length != before->length || memcmp(after->data, before->data, before->length) != 0;
}

/* The waiting image becomes a row of the batch. */
static int before_copy(SqlReader *reader, char op, Error *error)
{
    const ColumnBatch *from = &reader->image->rows;
    ColumnBatch *to = &reader->rows;

    for (int i = 0; i < to->schema->count; i++) {
        const ColumnVector *vector = &from->columns[i];
        size_t width = column_width(to->schema->fields[i].type);

        if (!vector->valid[0])
            column_set_null(to, i, vector->unchanged && vector->unchanged[0]);
        else if (width)
            memcpy(column_set_fixed(to, i), vector->fixed, width);
        else if (column_set_bytes(to, i, vector->bytes.data, vector->offsets[1], error) < 0)
            return -1;
    }
    to->op[to->rows] = op;
    to->commit_us[to->rows] = from->commit_us[0];
    memcpy(to->position[to->rows], from->position[0], ROW_POSITION_BYTES);
    column_row_end(to);
    return 0;
}

static int before_init(SqlReader *reader, const ReadSpec *spec, Error *error)
{
    reader->keyless = true;
    for (int i = 0; i < spec->schema->count; i++)
        reader->keyless &= spec->schema->fields[i].key_ordinal == 0;
    reader->image = calloc(1, sizeof *reader->image);
    if (!reader->image)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for before images");
    buffer_init(&reader->image->key, MIB(1));
    buffer_init(&reader->image->key_after, MIB(1));
    return column_batch_init(&reader->image->rows, spec->schema, ROW_POSITION_BYTES, spec->value_bytes_max, error);
}

void reader_changes_free(SqlReader *reader)
{
    if (!reader->image)
        return;
    column_batch_free(&reader->image->rows);
    buffer_free(&reader->image->key);
    buffer_free(&reader->image->key_after);
    free(reader->image);
    reader->image = NULL;
}

static int64_t commit_time(const SqlReader *reader, DBPROCESS *process)
{
    const BYTE *data = dbdata(process, WIRE_TIME);
    int64_t ticks;

    if (!data || decode_datetime(data, dbdatlen(process, WIRE_TIME), &ticks) < 0)
        return INT64_MIN;
    return ticks / 10 - (int64_t)reader->utc_offset_minutes * 60000000;
}

/* What a change is before its update is judged. */
static int operation_read(int64_t operation, char *op, PlanRow *kind, Error *error)
{
    static const struct {
        char op;
        PlanRow kind;
    } known[] = {
        [1] = {'D', PLAN_DELETE}, [2] = {'I', PLAN_COMPLETE}, [3] = {'D', PLAN_BEFORE}, [4] = {'U', PLAN_UPDATE}};

    if (operation < 1 || operation > 4)
        return error_set(error, ERROR_INTERNAL, NULL, "the change table has the unknown operation %lld",
                         (long long)operation);
    *op = known[operation].op;
    *kind = known[operation].kind;
    return 0;
}

/* The current row, as it stands, into the row under construction of `rows`. */
static int image_read(SqlReader *reader, ColumnBatch *rows, ChangePosition *position, Error *error)
{
    DBPROCESS *process = reader->server->connection.process;
    const BYTE *mask = dbdata(process, WIRE_MASK);
    int64_t operation = statement_integer(&reader->statement, WIRE_OPERATION);
    PlanRow kind = PLAN_COMPLETE;

    if (statement_lsn(&reader->statement, WIRE_LSN, position->lsn) < 0 ||
        statement_lsn(&reader->statement, WIRE_SEQVAL, position->seqval) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a change row has no LSN");
    if (operation_read(operation, &rows->op[rows->rows], &kind, error) < 0)
        return -1;
    position->command_id = (int32_t)statement_integer(&reader->statement, WIRE_COMMAND);
    position->operation = (uint8_t)operation;
    change_position_encode(position, rows->position[rows->rows]);
    rows->commit_us[rows->rows] = commit_time(reader, process);
    return plan_row(&reader->plan, process, rows, kind, mask, mask ? dbdatlen(process, WIRE_MASK) : 0, error);
}

static int changes_row(SqlReader *reader, Error *error)
{
    ColumnBatch *rows = &reader->rows;
    ChangePosition position;
    bool moved = false;

    if (reader->before && statement_integer(&reader->statement, WIRE_OPERATION) == OPERATION_BEFORE) {
        /* `from` stays below it: a restart reads the pair again. */
        column_batch_clear(&reader->image->rows);
        if (image_read(reader, &reader->image->rows, &reader->image->position, error) < 0)
            return -1;
        column_row_end(&reader->image->rows);
        return before_keep_key(reader, error);
    }
    if (reader->before && before_waits(reader)) {
        moved = row_moved(reader);
        if ((moved || reader->images) && before_copy(reader, moved ? 'D' : 'B', error) < 0)
            return -1;
    }
    if (image_read(reader, rows, &position, error) < 0)
        return -1;
    if (moved)
        rows->op[rows->rows] = 'I';
    if (reader->before)
        column_batch_clear(&reader->image->rows);
    reader->from = position;
    return 1;
}

static int ordinal_row(const Statement *statement, int set, void *context, Error *error)
{
    Plan *plan = context;
    char name[513];

    (void)set, (void)error;
    statement_text(statement, 1, name, sizeof name);
    for (int i = 0; i < plan->schema->count; i++) {
        if (strcmp(plan->schema->fields[i].source_name, name) == 0)
            plan->columns[i].ordinal = (int)statement_integer(statement, 2);
    }
    return 0;
}

/* The mask counts captured columns; a schema that does not carry their ordinals is completed from the catalogue. */
static int ordinals_read(SqlReader *reader, const Schema *schema, const char *instance, Error *error)
{
    static const char text[] = "SELECT c.column_name, c.column_ordinal FROM cdc.captured_columns AS c "
                               "JOIN cdc.change_tables AS t ON t.object_id = c.object_id WHERE t.capture_instance = @i";
    Parameters parameters = {.count = 0};
    bool missing = false;

    for (int i = 0; i < schema->count; i++)
        missing |= schema->fields[i].large && reader->plan.columns[i].ordinal == 0;
    if (!missing)
        return 0;
    parameter_text(&parameters, "@i", instance);
    return statement_each(sqlserver_connection(reader->server), text, &parameters, ordinal_row, &reader->plan, error);
}

int reader_changes_init(SqlReader *reader, const ReadSpec *spec, Error *error)
{
    const cJSON *schema = json_member(spec->batch, "schema");
    const char *instance, *from, *to;
    uint8_t lsn[LSN_BYTES];

    if (json_need_text(schema, "instance", &instance, error) < 0 ||
        json_need_text(spec->batch, "from", &from, error) < 0 || json_need_text(spec->batch, "to", &to, error) < 0)
        return -1;
    if (lsn_parse(from, lsn) < 0 || lsn_parse(to, reader->to) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the range %.40s..%.40s is not of positions", from, to);
    if (spec->resume) {
        if (change_position_parse(spec->resume, &reader->from, error) < 0)
            return -1;
    } else {
        change_position_after(lsn, &reader->from);
    }
    reader->proved = reader->from;
    reader->has_command_id = json_boolean(schema, "command_id", true);
    reader->utc_offset_minutes =
        (int)json_integer(spec->batch, "utc_offset_minutes", reader->server->utc_offset_minutes);
    reader->images = json_boolean(schema, "images", false);
    reader->before = reader->images || json_boolean(schema, "before", false);
    if (reader->before && before_init(reader, spec, error) < 0)
        return -1;
    reader->build = text_build;
    reader->start = changes_start;
    reader->row = changes_row;
    reader->reread = strcmp(json_text(spec->batch, "lob", ""), "reread") == 0;
    /* A batch that may need a second statement is drained first: its statement gives no more rows than it has places.
     */
    if (reader->reread)
        reader->statement_rows = BATCH_ROWS_MAX - 2;
    if (plan_init(&reader->plan, spec->schema, json_member(schema, "columns"), WIRE_AHEAD, spec->value_bytes_max,
                  error) < 0 ||
        ordinals_read(reader, spec->schema, instance, error) < 0)
        return -1;
    return text_build(reader, error);
}

typedef struct Instance {
    int64_t object_id; /* 0: gone */
    uint8_t start[LSN_BYTES];
} Instance;

static int instance_row(const Statement *statement, int set, void *context, Error *error)
{
    Instance *instance = context;

    (void)set, (void)error;
    instance->object_id = statement_integer(statement, 1);
    (void)statement_lsn(statement, 2, instance->start);
    return 0;
}

static int instance_read(SqlReader *reader, const char *name, Instance *ret, Error *error)
{
    static const char text[] = "SELECT object_id, start_lsn FROM cdc.change_tables WHERE capture_instance = @i";
    Parameters parameters = {.count = 0};

    memset(ret, 0, sizeof *ret);
    parameter_text(&parameters, "@i", name);
    return statement_each(sqlserver_connection(reader->server), text, &parameters, instance_row, ret, error);
}

/*
 * Cleanup first raises start_lsn, then deletes rows below it (sp_cdc_cleanup_change_table). So rows read before this
 * check are complete behind `proved` if the low-water mark has not passed it.
 */
int sqlserver_verify(Reader *base, Error *error)
{
    SqlReader *reader = (SqlReader *)base;
    const cJSON *schema = json_member(reader->batch, "schema");
    const char *name = json_text(schema, "instance", ""), *table = json_text(reader->batch, "table", "the table");
    int64_t planned = json_integer(schema, "instance_object_id", 0);
    char have[LSN_TEXT], low[LSN_TEXT];
    Instance instance;

    if (!reader->changes)
        return 0;
    if (instance_read(reader, name, &instance, error) < 0)
        return -1;
    if (instance.object_id == 0)
        return error_set(error, ERROR_GONE, "CALL sluice.refresh of the source, then sluice.check_cdc.",
                         "the capture instance %.100s of %.200s is gone", name, table);
    if (planned != 0 && instance.object_id != planned)
        return error_set(error, ERROR_GONE,
                         "CALL sluice.refresh of the source: the table goes on with the new instance.",
                         "the capture instance %.100s of %.200s was dropped and made again", name, table);
    /* A range begins behind all of `from`: the mark may stand one above it. In the middle of an LSN it may not have
     * passed it. */
    if (reader->proved.operation == 0xff)
        lsn_decrement(instance.start);
    lsn_text(instance.start, low);
    lsn_text(reader->proved.lsn, have);
    if (memcmp(instance.start, reader->proved.lsn, LSN_BYTES) > 0)
        return error_set(error, ERROR_LOST,
                         "SELECT sluice.resync_table(...) loads the table again; a longer retention avoids it "
                         "(sys.sp_cdc_change_job).",
                         "cleanup has passed %.200s: changes behind %s were wanted, but only those behind %s are kept",
                         table, have, low);
    reader->proved = reader->from;
    return 0;
}
