/* rows.c - see rows.h */
#include "source/mysql/rows.h"
#include "source/mysql/shape_code.h"
#include "source/mysql/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_WRITE_V1 = 23,
    ROWS_UPDATE_V1 = 24,
    ROWS_DELETE_V1 = 25,
    ROWS_WRITE = 30,
    ROWS_UPDATE = 31,
    ROWS_DELETE = 32
};

#define KEY_TEXT_MAX 200 /* of the key named in an error */

/* A value in the event. */
typedef struct Slice {
    const uint8_t *data; /* NULL: null, or not there */
    size_t length;
} Slice;

struct RowPlan {
    RowPlanSpec spec;
    Value *values;    /* [count] in the order of the log */
    int count;
    int *columns;     /* [count] of the shape, -1: hidden */
    int *keys;        /* columns of the log that make the key */
    int key_count;
    int row_end;      /* column that says until when the row of a system-versioned table counts; -1: the table is not versioned */
    Slice *before, *after; /* [count] of an update that must be judged before it lands */
    Buffer scratch;
};

static int field_of(const Schema *schema, const char *name)
{
    for (int i = 0; i < schema->count; i++) {
        if (strcmp(schema->fields[i].source_name, name) == 0)
            return i;
    }
    return -1;
}

/* Of a versioned table without columns of its own for it, the server appends row_start and row_end. */
static int row_end_find(const RowPlan *plan)
{
    const TableMap *map = plan->spec.map;
    int end = -1;

    for (int i = 0; i < plan->count; i++) {
        if (plan->columns[i] >= 0 && plan->spec.shape->columns[plan->columns[i]].row_end)
            return i;
        if (plan->columns[i] < 0 && map->types[i] != CODE_LONGLONG)
            end = i;
    }
    return end;
}

static int plan_values(RowPlan *plan, Error *error)
{
    const RowPlanSpec *spec = &plan->spec;
    int found = 0;

    for (int i = 0; i < plan->count; i++) {
        const ShapeColumn *column = plan->columns[i] >= 0 ? &spec->shape->columns[plan->columns[i]] : NULL;
        int field = column ? field_of(spec->schema, column->name) : -1;
        ValueSpec value = {.map = spec->map, .index = i, .column = column, .schema = spec->schema, .field = field, .scratch = &plan->scratch, .nulled = spec->nulled};

        if (value_choose(&value, &plan->values[i], error) < 0)
            return -1;
        if (field >= 0) {
            found++;
            if (spec->schema->fields[field].key_ordinal > 0)
                plan->keys[plan->key_count++] = i;
        }
    }
    if (found == spec->schema->count)
        return 0;
    return error_set(error, ERROR_INTERNAL, NULL, "%d of %d columns of %.200s.%.200s are not in its log", spec->schema->count - found, spec->schema->count,
                     spec->map->schema, spec->map->table);
}

static int plan_memory(RowPlan *plan, Error *error)
{
    size_t count = (size_t)plan->count;

    plan->values = calloc(count, sizeof *plan->values);
    plan->columns = calloc(count * 2, sizeof *plan->columns);
    plan->before = calloc(count * 2, sizeof *plan->before);
    if (!plan->values || !plan->columns || !plan->before)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the plan of %d columns", plan->count);
    plan->keys = plan->columns + count;
    plan->after = plan->before + count;
    return 0;
}

int rowplan_open(const RowPlanSpec *spec, RowPlan **ret, Error *error)
{
    RowPlan *plan;

    if (spec->schema->count < 1)
        return error_set(error, ERROR_INTERNAL, NULL, "no column of %.200s.%.200s lands", spec->map->schema, spec->map->table);
    plan = calloc(1, sizeof *plan);
    if (!plan)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the plan of %d columns", spec->map->count);
    plan->spec = *spec;
    plan->count = spec->map->count;
    buffer_init(&plan->scratch, spec->value_bytes_max * 4 + KIB(64));
    if (plan_memory(plan, error) < 0 || shape_join(spec->shape, spec->map, plan->columns, error) < 0)
        goto fail;
    plan->row_end = row_end_find(plan);
    if (plan_values(plan, error) < 0)
        goto fail;
    *ret = plan;
    return 0;
fail:
    rowplan_close(plan);
    return -1;
}

void rowplan_close(RowPlan *plan)
{
    if (!plan)
        return;
    for (int i = 0; plan->values && i < plan->count; i++)
        value_free(&plan->values[i]);
    free(plan->values);
    free(plan->columns);
    free(plan->before);
    buffer_free(&plan->scratch);
    free(plan);
}

static bool bit_is(const uint8_t *bitmap, int index)
{
    return bitmap[index / 8] >> index % 8 & 1;
}

static int image_short(const RowPlan *plan, Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "a rows event of %.200s.%.200s ends within a row", plan->spec.map->schema, plan->spec.map->table);
}

/* Every column that lands must be in the image: what is not there is not null. */
static int image_complete(const RowPlan *plan, const uint8_t *present, Error *error)
{
    for (int i = 0; i < plan->count; i++) {
        if ((plan->values[i].decode || i == plan->row_end) && !bit_is(present, i))
            return error_set(error, ERROR_PERMANENT,
                             "SET GLOBAL binlog_row_image = FULL (and in the server's configuration); sessions begun before keep the old setting. "
                             "Then SELECT sluice.resync_table(...).",
                             "the log leaves column \"%.200s\" of %.120s.%.120s out of its rows", plan->columns[i] >= 0 ? plan->spec.shape->columns[plan->columns[i]].name : "row_end",
                             plan->spec.map->schema, plan->spec.map->table);
    }
    return 0;
}

int rows_open(RowsCursor *cursor, RowPlan *plan, const BinlogItem *item, LogPosition at, uint64_t inner, Error *error)
{
    bool update = item->code == ROWS_UPDATE_V1 || item->code == ROWS_UPDATE;
    Bytes wire = bytes_of(item->data, item->length);
    uint64_t count, bitmap = ((uint64_t)plan->count + 7) / 8;
    const uint8_t *extra;

    *cursor = (RowsCursor){.plan = plan, .code = item->code, .commit_us = item->commit_us, .position = {.at = at, .inner = inner, .row = 0}, .behind = -1};
    if (item->code < ROWS_WRITE_V1 || item->code > ROWS_DELETE || (item->code > ROWS_DELETE_V1 && item->code < ROWS_WRITE))
        return error_set(error, ERROR_INTERNAL, NULL, "event type %d has no rows", item->code);
    if (!bytes_take(&wire, 8)) /* id of the table, flags */
        return image_short(plan, error);
    if (item->code >= ROWS_WRITE) {
        /* Its length counts itself. */
        extra = bytes_take(&wire, 2);
        if (!extra || little_endian(extra, 2) < 2 || !bytes_take(&wire, little_endian(extra, 2) - 2))
            return image_short(plan, error);
    }
    if (packed_take(&wire, &count) < 0)
        return image_short(plan, error);
    if (count != (uint64_t)plan->count)
        return error_set(error, ERROR_INTERNAL, NULL, "a rows event of %.200s.%.200s has %llu columns, its table map %d", plan->spec.map->schema,
                         plan->spec.map->table, (unsigned long long)count, plan->count);
    cursor->present = bytes_take(&wire, bitmap);
    cursor->present_after = update ? bytes_take(&wire, bitmap) : cursor->present;
    if (!cursor->present || !cursor->present_after)
        return image_short(plan, error);
    cursor->at = wire.at;
    cursor->end = wire.end;
    if (image_complete(plan, cursor->present_after, error) < 0)
        return -1;
    return update && (plan->spec.before || plan->spec.images || plan->row_end >= 0) ? image_complete(plan, cursor->present, error) : 0;
}

/* One value at wire->at: its bytes, *length of them; NULL where the event ends before. */
static const uint8_t *value_take(const Value *value, Bytes *wire, size_t *length)
{
    const uint8_t *prefix;

    if (value->width) {
        *length = value->width;
        return bytes_take(wire, value->width);
    }
    prefix = bytes_take(wire, value->prefix);
    if (!prefix)
        return NULL;
    *length = prefix[0];
    if (value->prefix > 1)
        *length = little_endian(prefix, value->prefix);
    return bytes_take(wire, *length);
}


static const uint8_t *nulls_take(const RowPlan *plan, Bytes *wire, const uint8_t *present)
{
    uint64_t bits = 0;

    for (int i = 0; i < plan->count; i++)
        bits += bit_is(present, i);
    return bytes_take(wire, (bits + 7) / 8);
}

/* Goes behind an image; where each value lies into ret[count], where it is not NULL. */
static int image_pass(const RowPlan *plan, Bytes *wire, const uint8_t *present, Slice *ret, Error *error)
{
    const uint8_t *nulls = nulls_take(plan, wire, present);
    int bit = 0;

    if (!nulls)
        return image_short(plan, error);
    for (int i = 0; i < plan->count; i++) {
        Slice slice = {NULL, 0};

        if (bit_is(present, i) && !bit_is(nulls, bit++)) {
            slice.data = value_take(&plan->values[i], wire, &slice.length);
            if (!slice.data)
                return image_short(plan, error);
        }
        if (ret)
            ret[i] = slice;
    }
    return 0;
}

/* An image into the row under construction. */
static int image_decode(const RowPlan *plan, Bytes *wire, const uint8_t *present, ColumnBatch *batch, Error *error)
{
    const uint8_t *nulls = nulls_take(plan, wire, present);
    int bit = 0;

    if (!nulls)
        return image_short(plan, error);
    for (int i = 0; i < plan->count; i++) {
        const Value *value = &plan->values[i];
        const uint8_t *data;
        size_t length;

        if (!bit_is(present, i))
            continue;
        if (bit_is(nulls, bit++)) {
            if (value->decode)
                column_set_null(batch, value->field, false);
            continue;
        }
        data = value_take(value, wire, &length);
        if (!data)
            return image_short(plan, error);
        if (value->decode && value->decode(value, data, length, batch, error) < 0)
            return -1;
    }
    return 0;
}

/* The key of the row under construction, for an error: its values as far as they are numbers or texts. */
static void key_text(const RowPlan *plan, Bytes wire, const uint8_t *present, ColumnBatch *batch, char ret[KEY_TEXT_MAX])
{
    size_t length = 0;
    Error ignored;

    ret[0] = '\0';
    if (image_pass(plan, &wire, present, plan->before, &ignored) < 0)
        return;
    for (int k = 0; k < plan->key_count && length < KEY_TEXT_MAX - 1; k++) {
        const Value *value = &plan->values[plan->keys[k]];
        Slice slice = plan->before[plan->keys[k]];
        const Field *field = &batch->schema->fields[value->field];
        const ColumnVector *vector = &batch->columns[value->field];
        int row = batch->rows;
        int64_t number = 0;

        if (!slice.data || value->decode(value, slice.data, slice.length, batch, &ignored) < 0)
            continue;
        length += (size_t)snprintf(ret + length, KEY_TEXT_MAX - length, "%s%.64s=", length ? ", " : "", field->source_name);
        if (length >= KEY_TEXT_MAX)
            return;
        if (vector->offsets)
            length += (size_t)snprintf(ret + length, KEY_TEXT_MAX - length, "%.*s", (int)(vector->offsets[row + 1] - vector->offsets[row]) > 64 ? 64 : (int)(vector->offsets[row + 1] - vector->offsets[row]),
                                       vector->bytes.data ? vector->bytes.data + vector->offsets[row] : "");
        else {
            size_t width = column_width(field->type);

            memcpy(&number, vector->fixed + (size_t)row * width, width < sizeof number ? width : sizeof number);
            length += (size_t)snprintf(ret + length, KEY_TEXT_MAX - length, "%lld", (long long)number);
        }
    }
}

static int row_add(RowsCursor *cursor, Bytes *wire, const uint8_t *present, char op, uint64_t number, ColumnBatch *batch, Error *error)
{
    RowPosition position = cursor->position;
    Bytes begin = *wire;

    position.row = number;
    if (cursor->behind >= 0 && number <= (uint64_t)cursor->behind)
        return image_pass(cursor->plan, wire, present, NULL, error);
    if (image_decode(cursor->plan, wire, present, batch, error) < 0) {
        char key[KEY_TEXT_MAX];

        if (error->kind != ERROR_PERMANENT)
            return -1;
        key_text(cursor->plan, begin, present, batch, key);
        return error_prefix(error, "%.100s.%.100s, row %s", cursor->plan->spec.map->schema, cursor->plan->spec.map->table, key);
    }
    batch->op[batch->rows] = op;
    batch->commit_us[batch->rows] = cursor->commit_us;
    row_position_encode(&position, batch->position[batch->rows]);
    column_row_end(batch);
    return 0;
}

/* A row of a versioned table that counts now: its end is the end of time, of 2038 or (MariaDB 11.5) 2106, or the largest transaction. */
static bool row_counts(const RowPlan *plan, const Slice *row)
{
    Slice end;

    if (plan->row_end < 0)
        return true;
    end = row[plan->row_end];
    if (!end.data || end.length < 4 || memcmp(end.data + 1, "\xff\xff\xff", 3) != 0)
        return false;
    return end.length == 8 ? end.data[0] == 0xff && memcmp(end.data + 4, "\xff\xff\xff\xff", 4) == 0 : end.data[0] == 0x7f || end.data[0] == 0xff;
}

static bool key_same(const RowPlan *plan)
{
    for (int k = 0; k < plan->key_count; k++) {
        Slice before = plan->before[plan->keys[k]], after = plan->after[plan->keys[k]];

        if (before.length != after.length || !before.data != !after.data || (before.data && memcmp(before.data, after.data, before.length) != 0))
            return false;
    }
    return plan->key_count > 0;
}

/* Insert or delete. */
static int single_next(RowsCursor *cursor, char op, ColumnBatch *batch, Error *error)
{
    RowPlan *plan = cursor->plan;
    Bytes wire = bytes_of(cursor->at, (size_t)(cursor->end - cursor->at));
    uint64_t number = cursor->position.row++;

    if (plan->row_end >= 0) {
        if (image_pass(plan, &wire, cursor->present, plan->before, error) < 0)
            return -1;
        if (!row_counts(plan, plan->before)) {
            cursor->at = wire.at;
            return 0;
        }
        wire.at = cursor->at;
    }
    if (row_add(cursor, &wire, cursor->present, op, number, batch, error) < 0)
        return -1;
    cursor->at = wire.at;
    return 0;
}

/* An update that may land as something else: both images are looked at, then the rows that count are added. */
static int judged_next(RowsCursor *cursor, uint64_t number, ColumnBatch *batch, Error *error)
{
    RowPlan *plan = cursor->plan;
    Bytes before = bytes_of(cursor->at, (size_t)(cursor->end - cursor->at)), wire = before, after;
    bool was, is, moved;
    char op;

    if (image_pass(plan, &wire, cursor->present, plan->before, error) < 0)
        return -1;
    after = wire;
    if (image_pass(plan, &wire, cursor->present_after, plan->after, error) < 0)
        return -1;
    was = row_counts(plan, plan->before);
    is = row_counts(plan, plan->after);
    moved = (plan->spec.before || plan->spec.images) && !key_same(plan);
    op = moved || !is ? 'D' : 'B';
    if (was && (op == 'D' || plan->spec.images) && row_add(cursor, &before, cursor->present, op, number, batch, error) < 0)
        return -1;
    if (is && row_add(cursor, &after, cursor->present_after, was && !moved ? 'U' : 'I', number + 1, batch, error) < 0)
        return -1;
    cursor->at = wire.at;
    return 0;
}

static int update_next(RowsCursor *cursor, ColumnBatch *batch, Error *error)
{
    RowPlan *plan = cursor->plan;
    uint64_t number = cursor->position.row;
    Bytes wire = bytes_of(cursor->at, (size_t)(cursor->end - cursor->at));

    cursor->position.row += 2;
    if (plan->spec.before || plan->spec.images || plan->row_end >= 0)
        return judged_next(cursor, number, batch, error);
    if (image_pass(plan, &wire, cursor->present, NULL, error) < 0 ||
        row_add(cursor, &wire, cursor->present_after, 'U', number + 1, batch, error) < 0)
        return -1;
    cursor->at = wire.at;
    return 0;
}

int rows_next(RowsCursor *cursor, ColumnBatch *batch, Error *error)
{
    int rows = batch->rows;

    while (cursor->at < cursor->end && batch->rows == rows) {
        int status;

        if (cursor->code == ROWS_UPDATE_V1 || cursor->code == ROWS_UPDATE)
            status = update_next(cursor, batch, error);
        else
            status = single_next(cursor, cursor->code == ROWS_WRITE_V1 || cursor->code == ROWS_WRITE ? 'I' : 'D', batch, error);
        if (status < 0)
            return -1;
    }
    return batch->rows > rows;
}
