/* profile_test.c - what a profile adds to a table's columns, seen by a format that knows no profile. */
#include "check.h"
#include "format/profile.h"

#include <stdlib.h>
#include <strings.h>

static Error error;

static Field fields[] = {
    {.name = "id", .type = COLUMN_INT32, .key_ordinal = 1},
    {.name = "note \"x\"", .type = COLUMN_STRING, .nullable = true, .large = true},
    {.name = "photo", .type = COLUMN_BINARY, .nullable = true, .large = true},
};
static const Schema schema = {fields, 3};
static const FormatSpec spec = {.format = "csv", .profile = "sluice", .epoch = 7, .incarnation = 3};

static void row_add(ColumnBatch *batch, int id, const char *note, char op)
{
    int32_t value = id;

    memcpy(column_set_fixed(batch, 0), &value, sizeof value);
    if (note)
        column_set_bytes(batch, 1, note, strlen(note), &error);
    else
        column_set_null(batch, 1, true);
    column_set_null(batch, 2, !note);
    batch->op[batch->rows] = op;
    batch->commit_us[batch->rows] = id == 2 ? INT64_MIN : INT64_C(1000000) * id;
    memset(batch->position[batch->rows], id, 4);
    column_row_end(batch);
}

static const char *text_at(const ColumnBatch *batch, const char *name, int row)
{
    static char text[4][512];
    static int turn;
    char *ret = text[turn++ % 4];

    for (int i = 0; i < batch->schema->count; i++) {
        const ColumnVector *vector = &batch->columns[i];

        if (strcmp(batch->schema->fields[i].name, name) != 0)
            continue;
        if (!vector->valid[row])
            return "(null)";
        snprintf(ret, 512, "%.*s", (int)(vector->offsets[row + 1] - vector->offsets[row]), vector->bytes.data + vector->offsets[row]);
        return ret;
    }
    return "(absent)";
}

static const void *fixed_at(const ColumnBatch *batch, int column, int row)
{
    return batch->columns[column].fixed + (size_t)row * column_width(batch->schema->fields[column].type);
}

static void test_added(const ColumnBatch *batch)
{
    const ColumnBatch *got = NULL;
    Profile *profile = NULL;
    ColumnInstant instant;
    int first = 1;
    int64_t epoch;

    if (!check(profile_open(&spec, &schema, &profile, &error) == 0, "a profile opens for a table"))
        return;
    check(profile_schema(profile)->count == 9, "the profile sluice adds six columns");
    check(profile_expand(profile, batch, &first, 3, &got, &error) == 0 && first == 3 && got->rows == 2, "rows from the middle of a batch are taken");
    check(memcmp(fixed_at(got, 0, 0), &(int32_t){2}, 4) == 0 && memcmp(fixed_at(got, 0, 1), &(int32_t){3}, 4) == 0, "the table's values are those of these rows");
    check_text(text_at(got, "note \"x\"", 1), "three", "a text of the table is that of its row");
    check_text(text_at(got, "_sluice_op", 0), "U", "_sluice_op is the row's operation");
    check_text(text_at(got, "_sluice_op", 1), "D", "_sluice_op of the next row too");
    check_text(text_at(got, "_sluice_seq", 1), "00000007000303030303", "_sluice_seq is epoch, incarnation and position");
    check_text(text_at(got, "_sluice_unchanged", 0), "[\"note \\\"x\\\"\",\"photo\"]", "_sluice_unchanged is a JSON array of the columns not logged");
    check_text(text_at(got, "_sluice_unchanged", 1), "(null)", "_sluice_unchanged is NULL where all is logged");
    check(!got->columns[5].valid[0] && got->columns[5].valid[1], "a commit time that is not known is NULL");
    memcpy(&instant, fixed_at(got, 5, 1), sizeof instant);
    check(instant.utc == INT64_C(30000000) && instant.offset_minutes == 0, "_sluice_commit_ts is the commit time in UTC");
    memcpy(&epoch, fixed_at(got, 6, 1), sizeof epoch);
    check(epoch == 7, "_sluice_epoch is the epoch");
    check(!got->columns[8].valid[1], "_sluice_hash is NULL");
    profile_close(profile);
}

static void test_left_out(const ColumnBatch *batch)
{
    const ColumnBatch *got = NULL;
    Profile *profile = NULL;
    char ops[16] = "";
    int first = 0;

    if (!check(profile_open(&spec, &schema, &profile, &error) == 0, "a profile opens again"))
        return;
    while (first < batch->rows && profile_expand(profile, batch, &first, batch->rows, &got, &error) == 0)
        strncat(ops, got->op, (size_t)got->rows);
    check_text(ops, "IUDU", "rows before an update are left out, all others are taken once and in order");
    profile_close(profile);
}

static void test_names(void)
{
    Field twin = {.name = "_SLUICE_op", .type = COLUMN_INT32};
    const Schema table = {&twin, 1};
    Profile *profile = NULL;

    check(profile_open(&spec, &table, &profile, &error) < 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "_SLUICE_op"),
          "a table's column that differs from an added one only in case is refused by name");
}

int main(void)
{
    ColumnBatch *batch = calloc(1, sizeof *batch);

    column_batch_init(batch, &schema, 4, VALUE_BYTES_MAX, &error);
    row_add(batch, 1, "one", 'I');
    row_add(batch, 2, NULL, 'U');
    row_add(batch, 3, "three", 'D');
    row_add(batch, 4, "four", 'B');
    row_add(batch, 5, "five", 'U');
    test_added(batch);
    test_left_out(batch);
    test_names();
    column_batch_free(batch);
    free(batch);
    return check_end();
}
