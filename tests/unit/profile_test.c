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

static const ColumnBatch *dms_rows(const char *options, bool load, const ColumnBatch *batch, Profile **profile)
{
    FormatSpec dms = {.format = "csv", .profile = "dms", .epoch = 7, .incarnation = 3, .load = load, .load_us = INT64_C(86400000000) * 20000};
    cJSON *parsed = cJSON_Parse(options);
    const ColumnBatch *got = NULL;
    int first = 0;

    dms.options = parsed;
    if (profile_open(&dms, &schema, profile, &error) == 0 && profile_expand(*profile, batch, &first, batch->rows, &got, &error) < 0)
        got = NULL;
    cJSON_Delete(parsed);
    return got;
}

static void test_dms(ColumnBatch *batch)
{
    Profile *profile = NULL;
    const ColumnBatch *got = dms_rows("{\"timestamp_column_name\": \"moved_at\", \"change_seq_column\": \"AR_H_CHANGE_SEQ\"}", false, batch, &profile);

    if (!check(got != NULL, "a profile dms opens"))
        return;
    check(got->schema->count == 6 && strcmp(got->schema->fields[0].name, "Op") == 0 && strcmp(got->schema->fields[4].name, "moved_at") == 0,
          "Op stands first, the timestamp behind the table's columns");
    check_text(text_at(got, "Op", 1), "U", "Op is the operation");
    check_text(text_at(got, "note \"x\"", 2), "three", "the table's columns stand behind Op");
    check_text(text_at(got, "moved_at", 0), "1970-01-01 00:00:01.000000", "the timestamp is the commit's, as text to the microsecond");
    check_text(text_at(got, "moved_at", 1), "(null)", "a commit time that is not known is NULL");
    check_text(text_at(got, "AR_H_CHANGE_SEQ", 2), "0000000007000030050529027", "the sequence is epoch, incarnation and position in digits of fixed width");
    profile_close(profile);
    got = dms_rows("{\"timestamp_column_name\": \"moved_at\"}", true, batch, &profile);
    check(got && got->schema->count == 4 && strcmp(text_at(got, "Op", 0), "(absent)") == 0, "a loaded row has no Op unless it is asked for");
    check_text(text_at(got, "moved_at", 1), "2024-10-04 00:00:00.000000", "a loaded row has the time of its load");
    profile_close(profile);
    batch->op[0] = 'R';
    got = dms_rows("{\"include_op_for_full_load\": true, \"cdc_inserts_only\": true}", true, batch, &profile);
    check(got && got->rows > 0 && strcmp(text_at(got, "Op", 0), "I") == 0, "a loaded row is an insert");
    batch->op[0] = 'I';
    profile_close(profile);
}

static void test_dms_left_out(void)
{
    cJSON *both = cJSON_Parse("{\"cdc_inserts_and_updates\": true}"), *inserts = cJSON_Parse("{\"cdc_inserts_only\": true}");
    FormatSpec dms = {.format = "csv", .profile = "dms", .options = both};

    check(profile_lands(&dms, 'I') && profile_lands(&dms, 'U') && !profile_lands(&dms, 'D') && !profile_lands(&dms, 'B'),
          "cdc_inserts_and_updates leaves deletes out");
    dms.options = inserts;
    check(profile_lands(&dms, 'I') && !profile_lands(&dms, 'U') && !profile_lands(&dms, 'D'), "cdc_inserts_only leaves updates and deletes out");
    dms.load = true;
    check(profile_lands(&dms, 'R'), "neither leaves out what is loaded");
    cJSON_Delete(both);
    cJSON_Delete(inserts);
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
    test_dms(batch);
    test_dms_left_out();
    test_names();
    column_batch_free(batch);
    free(batch);
    return check_end();
}
