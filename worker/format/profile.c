/* profile.c - see profile.h */
#include "format/profile.h"
#include "format/json_text.h"
#include "format/value_text.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ADDED_MAX 8
#define UNCHANGED_BYTES_MAX MIB(4) /* of the texts in _sluice_unchanged; fewer rows are taken at once where they could be more */
#define SEQ_PREFIX_LENGTH 12       /* epoch, 8 hex, and incarnation, 4 hex */
#define SEQ_TEXT_MAX (SEQ_PREFIX_LENGTH + 2 * POSITION_BYTES_MAX)
#define CHANGE_SEQ_HEAD 15         /* epoch, 10 digits, and incarnation, 5 digits */
#define STAMP_LENGTH 26
#define ADDED_TEXT_MAX 104         /* the longest of these, and what may be written beyond */

/* A column that the profile adds: how it is declared, and who fills its vector for rows [first, first + count). */
typedef struct Added {
    const char *name;
    ColumnType type;
    uint8_t precision;
    bool nullable;
    int (*fill)(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error);
} Added;

struct Profile {
    const Schema *source;
    Schema schema;
    ColumnBatch batch;
    int added_count;
    int lead;              /* of these stand before the table's columns */
    Added added[ADDED_MAX];
    int rows_max;          /* taken at once */
    bool rows_left_out[256]; /* by operation */
    uint32_t epoch;
    char seq_prefix[SEQ_PREFIX_LENGTH + 1];
    char change_seq_head[CHANGE_SEQ_HEAD];
    int64_t load_us;       /* stands for a commit time where rows have none */
    int64_t stamp_us;      /* of the text kept in stamp: rows of one transaction share it */
    char stamp[STAMP_LENGTH];
    char **unchanged_name; /* [source->count] the column's name as an element of a JSON array; NULL where it is never unchanged */
};

/* ---- filling --------------------------------------------------------------- */

static int op_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    (void)profile;
    buffer_clear(&vector->bytes);
    return buffer_append(&vector->bytes, batch->op + first, (size_t)count, error);
}

static int seq_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    size_t length = (size_t)batch->position_length;
    char *text;

    buffer_clear(&vector->bytes);
    if (buffer_reserve(&vector->bytes, (size_t)count * SEQ_TEXT_MAX + 8, error) < 0)
        return -1;
    text = vector->bytes.data;
    for (int row = 0; row < count; row++) {
        vector->offsets[row] = (uint32_t)(text - vector->bytes.data);
        memcpy(text, profile->seq_prefix, SEQ_PREFIX_LENGTH);
        text = hex_text(text + SEQ_PREFIX_LENGTH, batch->position[first + row], length);
    }
    vector->bytes.length = (size_t)(text - vector->bytes.data);
    vector->offsets[count] = (uint32_t)vector->bytes.length;
    return 0;
}

/* A time that is not known, or that no reader could write as a date, is NULL. */
static bool commit_known(int64_t commit_us)
{
    const int64_t day_us = INT64_C(86400000000);

    return commit_us >= DATE_DAYS_MIN * day_us && commit_us < (DATE_DAYS_MAX + 1) * day_us;
}

static int commit_ts_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    ColumnInstant *instant = (ColumnInstant *)(void *)vector->fixed;

    (void)profile;
    (void)error;
    for (int row = 0; row < count; row++) {
        vector->valid[row] = commit_known(batch->commit_us[first + row]);
        instant[row] = (ColumnInstant){.utc = vector->valid[row] ? batch->commit_us[first + row] * 10 : 0};
    }
    return 0;
}

static int epoch_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    const int64_t epoch = profile->epoch;

    (void)batch;
    (void)first;
    (void)error;
    for (int row = 0; row < count; row++)
        memcpy(vector->fixed + (size_t)row * sizeof epoch, &epoch, sizeof epoch);
    return 0;
}

static int unchanged_row(const Profile *profile, const ColumnBatch *batch, int row, Buffer *bytes, Error *error)
{
    size_t before = bytes->length;

    for (int i = 0; i < profile->source->count; i++) {
        const uint8_t *unchanged = batch->columns[i].unchanged;

        if (!unchanged || !unchanged[row] || !profile->unchanged_name[i])
            continue;
        if (buffer_text(bytes, bytes->length == before ? "[" : ",", error) < 0 || buffer_text(bytes, profile->unchanged_name[i], error) < 0)
            return -1;
    }
    return bytes->length == before ? 0 : buffer_text(bytes, "]", error);
}

static int unchanged_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    buffer_clear(&vector->bytes);
    for (int row = 0; row < count; row++) {
        vector->offsets[row] = (uint32_t)vector->bytes.length;
        if (unchanged_row(profile, batch, first + row, &vector->bytes, error) < 0)
            return -1;
        vector->valid[row] = vector->bytes.length > vector->offsets[row];
    }
    vector->offsets[count] = (uint32_t)vector->bytes.length;
    return 0;
}

static int null_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    (void)profile;
    (void)batch;
    (void)first;
    (void)error;
    memset(vector->valid, 0, (size_t)count);
    return 0;
}

/* AWS DMS knows no loaded row: it is an insert. */
static int dms_op_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    if (op_fill(profile, batch, first, count, vector, error) < 0)
        return -1;
    for (int row = 0; row < count; row++) {
        if (vector->bytes.data[row] == 'R')
            vector->bytes.data[row] = 'I';
    }
    return 0;
}

static void stamp_make(Profile *profile, int64_t commit_us)
{
    const int64_t day_us = INT64_C(86400000000);
    int64_t rest = commit_us % day_us;
    char *text;

    if (rest < 0)
        rest += day_us;
    text = date_text(profile->stamp, (int32_t)((commit_us - rest) / day_us));
    *text++ = ' ';
    time_text(text, rest * 10, 6);
    profile->stamp_us = commit_us;
}

static int stamp_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    char *text;

    buffer_clear(&vector->bytes);
    if (buffer_reserve(&vector->bytes, (size_t)count * STAMP_LENGTH, error) < 0)
        return -1;
    text = vector->bytes.data;
    for (int row = 0; row < count; row++) {
        int64_t commit_us = batch->commit_us[first + row];

        if (commit_us == INT64_MIN)
            commit_us = profile->load_us;
        vector->offsets[row] = (uint32_t)(text - vector->bytes.data);
        vector->valid[row] = commit_known(commit_us);
        if (!vector->valid[row])
            continue;
        if (commit_us != profile->stamp_us)
            stamp_make(profile, commit_us);
        memcpy(text, profile->stamp, STAMP_LENGTH);
        text += STAMP_LENGTH;
    }
    vector->bytes.length = (size_t)(text - vector->bytes.data);
    vector->offsets[count] = (uint32_t)vector->bytes.length;
    return 0;
}

/* _sluice_seq in digits: each piece of 8 bytes, the last one shorter, as a decimal of fixed width, so that it sorts as they do. */
static char *change_seq_text(char *text, const uint8_t *position, int length)
{
    static const uint8_t digits[] = {0, 3, 5, 8, 10, 13, 15, 17, 20};

    for (int at = 0; at < length; at += 8) {
        int bytes = length - at < 8 ? length - at : 8;
        uint64_t value = 0;

        for (int i = 0; i < bytes; i++)
            value = value << 8 | position[at + i];
        text = digits_text(text, value, digits[bytes]);
    }
    return text;
}

static int change_seq_fill(Profile *profile, const ColumnBatch *batch, int first, int count, ColumnVector *vector, Error *error)
{
    char *text;

    buffer_clear(&vector->bytes);
    if (buffer_reserve(&vector->bytes, (size_t)count * ADDED_TEXT_MAX, error) < 0)
        return -1;
    text = vector->bytes.data;
    for (int row = 0; row < count; row++) {
        vector->offsets[row] = (uint32_t)(text - vector->bytes.data);
        memcpy(text, profile->change_seq_head, CHANGE_SEQ_HEAD);
        text = change_seq_text(text + CHANGE_SEQ_HEAD, batch->position[first + row], batch->position_length);
    }
    vector->bytes.length = (size_t)(text - vector->bytes.data);
    vector->offsets[count] = (uint32_t)vector->bytes.length;
    return 0;
}

static const Added sluice_added[] = {
    {"_sluice_op", COLUMN_STRING, 0, false, op_fill},
    {"_sluice_seq", COLUMN_STRING, 0, false, seq_fill},
    {"_sluice_commit_ts", COLUMN_TIMESTAMPTZ, 6, true, commit_ts_fill},
    {"_sluice_epoch", COLUMN_INT64, 0, false, epoch_fill},
    {"_sluice_unchanged", COLUMN_STRING, 0, true, unchanged_fill},
    {"_sluice_hash", COLUMN_INT64, 0, true, null_fill},
};

/* Where the added column stands among all. */
static int added_at(const Profile *profile, int added)
{
    return added < profile->lead ? added : profile->source->count + added;
}

/* ---- expanding ------------------------------------------------------------- */

static void vector_share(const ColumnVector *from, size_t width, int first, ColumnVector *ret)
{
    *ret = *from;
    ret->valid += first;
    if (ret->unchanged)
        ret->unchanged += first;
    if (ret->fixed)
        ret->fixed += (size_t)first * width;
    if (ret->offsets)
        ret->offsets += first;
}

bool profile_lands(const FormatSpec *spec, char op)
{
    if (op == 'B')
        return false;
    if (strcmp(spec->profile, "dms") != 0 || spec->load)
        return true;
    if (json_boolean(spec->options, "cdc_inserts_only", false))
        return op != 'U' && op != 'D';
    return op != 'D' || !json_boolean(spec->options, "cdc_inserts_and_updates", false);
}

static bool row_is_kept(const Profile *profile, const ColumnBatch *batch, int row)
{
    return !profile->rows_left_out[(uint8_t)batch->op[row]];
}

int profile_expand(Profile *profile, const ColumnBatch *batch, int *first, int end, const ColumnBatch **ret, Error *error)
{
    ColumnBatch *expanded = &profile->batch;
    int from = *first, count = 0;

    while (from < end && !row_is_kept(profile, batch, from))
        from++;
    while (from + count < end && count < profile->rows_max && row_is_kept(profile, batch, from + count))
        count++;
    for (int i = 0; i < profile->source->count; i++)
        vector_share(&batch->columns[i], column_width(profile->source->fields[i].type), from, &expanded->columns[profile->lead + i]);
    for (int i = 0; i < profile->added_count; i++) {
        if (profile->added[i].fill(profile, batch, from, count, &expanded->columns[added_at(profile, i)], error) < 0)
            return -1;
    }
    memcpy(expanded->op, batch->op + from, (size_t)count);
    memcpy(expanded->commit_us, batch->commit_us + from, (size_t)count * sizeof *expanded->commit_us);
    memcpy(expanded->position, batch->position + from, (size_t)count * sizeof *expanded->position);
    expanded->position_length = batch->position_length;
    expanded->rows = count;
    *first = from + count;
    *ret = expanded;
    return 0;
}

const Schema *profile_schema(const Profile *profile)
{
    return &profile->schema;
}

/* ---- making ---------------------------------------------------------------- */

static int name_taken(const Profile *profile, const char *name, Error *error)
{
    for (int i = 0; i < profile->source->count; i++) {
        if (strcasecmp(profile->source->fields[i].name, name) == 0)
            return error_set(error, ERROR_PERMANENT, "Leave the column out of the table (exclude), or choose another name or profile.",
                             "the table has a column \"%.200s\", a name that the profile gives to a column of its own", profile->source->fields[i].name);
    }
    for (int i = 0; i < profile->added_count; i++) {
        if (strcasecmp(profile->added[i].name, name) == 0)
            return error_set(error, ERROR_PERMANENT, "Choose another name.", "the profile adds two columns of the name \"%.200s\"", name);
    }
    return 0;
}

/* A column before the table's ones must be added before those behind them. */
static int added_add(Profile *profile, Added added, bool lead, Error *error)
{
    if (!added.name || !added.name[0])
        return 0;
    if (name_taken(profile, added.name, error) < 0)
        return -1;
    profile->lead += lead;
    profile->added[profile->added_count++] = added;
    return 0;
}

static int sluice_declare(Profile *profile, Error *error)
{
    for (size_t i = 0; i < sizeof sluice_added / sizeof *sluice_added; i++) {
        if (added_add(profile, sluice_added[i], false, error) < 0)
            return -1;
    }
    return 0;
}

/*
 * AWS Database Migration Service User Guide, "Using Amazon S3 as a target": "Indicating source DB operations in migrated S3 data" tells when
 * there is an Op, the table of endpoint settings that the timestamp is a STRING in .csv and .parquet.
 */
static int dms_declare(Profile *profile, const FormatSpec *spec, Error *error)
{
    bool op_in_load = json_boolean(spec->options, "include_op_for_full_load", false);
    bool op_in_changes = op_in_load || !json_boolean(spec->options, "cdc_inserts_only", false);

    profile->load_us = spec->load ? spec->load_us : INT64_MIN;
    if ((spec->load ? op_in_load : op_in_changes) && added_add(profile, (Added){"Op", COLUMN_STRING, 0, false, dms_op_fill}, true, error) < 0)
        return -1;
    if (added_add(profile, (Added){json_text(spec->options, "timestamp_column_name", NULL), COLUMN_STRING, 0, true, stamp_fill}, false, error) < 0)
        return -1;
    return added_add(profile, (Added){json_text(spec->options, "change_seq_column", NULL), COLUMN_STRING, 0, false, change_seq_fill}, false, error);
}

static int added_vector(ColumnVector *vector, ColumnType type)
{
    buffer_init(&vector->bytes, UNCHANGED_BYTES_MAX + BATCH_ROWS_MAX * ADDED_TEXT_MAX);
    vector->valid = malloc(BATCH_ROWS_MAX);
    if (!vector->valid)
        return -1;
    memset(vector->valid, 1, BATCH_ROWS_MAX);
    if (column_width(type)) {
        vector->fixed = calloc(BATCH_ROWS_MAX, column_width(type));
        return vector->fixed ? 0 : -1;
    }
    vector->offsets = malloc((BATCH_ROWS_MAX + 1) * sizeof *vector->offsets);
    if (!vector->offsets)
        return -1;
    /* Right from the start for a text of one character a row; whoever has other texts sets them anew. */
    for (uint32_t row = 0; row <= BATCH_ROWS_MAX; row++)
        vector->offsets[row] = row;
    return 0;
}

static int unchanged_name(const Field *field, char **ret, Error *error)
{
    size_t length = strlen(field->name), bad;
    char *text = malloc(length * JSON_ESCAPE_FACTOR + 16), *end;

    if (!text)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a profile");
    text[0] = '"';
    end = json_escape(text + 1, (const uint8_t *)field->name, length, &bad);
    if (!end) {
        free(text);
        return error_set(error, ERROR_PERMANENT, "Override the name of this column.", "a column name is not UTF-8 at its byte %zu", bad + 1);
    }
    end[0] = '"';
    end[1] = '\0';
    *ret = text;
    return 0;
}

static int unchanged_prepare(Profile *profile, Error *error)
{
    size_t row_bytes = 2;

    profile->unchanged_name = calloc((size_t)profile->source->count + 1, sizeof *profile->unchanged_name);
    if (!profile->unchanged_name)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a profile");
    for (int i = 0; i < profile->source->count; i++) {
        if (!profile->source->fields[i].large)
            continue;
        if (unchanged_name(&profile->source->fields[i], &profile->unchanged_name[i], error) < 0)
            return -1;
        row_bytes += strlen(profile->unchanged_name[i]) + 1;
    }
    profile->rows_max = (int)(UNCHANGED_BYTES_MAX / row_bytes);
    if (profile->rows_max < 1)
        profile->rows_max = 1;
    return 0;
}

/* Schema and vectors of all columns, once it is known which are added. */
static int schema_make(Profile *profile, Error *error)
{
    const Schema *source = profile->source;
    const int count = source->count + profile->added_count;

    profile->schema.fields = calloc((size_t)count, sizeof *profile->schema.fields);
    profile->batch.columns = calloc((size_t)count, sizeof *profile->batch.columns);
    if (!profile->schema.fields || !profile->batch.columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a profile of %d columns", count);
    profile->schema.count = count;
    profile->batch.schema = &profile->schema;
    memcpy(profile->schema.fields + profile->lead, source->fields, (size_t)source->count * sizeof *source->fields);
    for (int i = 0; i < profile->added_count; i++) {
        const Added *added = &profile->added[i];
        Field *field = &profile->schema.fields[added_at(profile, i)];

        snprintf(field->name, sizeof field->name, "%s", added->name);
        snprintf(field->source_name, sizeof field->source_name, "%s", added->name);
        field->type = added->type;
        field->precision = added->precision;
        field->nullable = added->nullable;
        field->utc = added->type == COLUMN_TIMESTAMPTZ;
        if (added_vector(&profile->batch.columns[added_at(profile, i)], added->type) < 0)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a profile of %d columns", count);
    }
    return 0;
}

static int profile_prepare(Profile *profile, const FormatSpec *spec, Error *error)
{
    bool dms = strcmp(spec->profile, "dms") == 0;

    if (!dms && strcmp(spec->profile, "sluice") != 0)
        return error_set(error, ERROR_PERMANENT, "SELECT * FROM sluice.option WHERE scope = 'table' lists them.", "unknown profile \"%.60s\"", spec->profile);
    profile->epoch = spec->epoch;
    snprintf(profile->seq_prefix, sizeof profile->seq_prefix, "%08x%04x", spec->epoch, spec->incarnation);
    digits_text(digits_text(profile->change_seq_head, spec->epoch, 10), spec->incarnation, 5);
    profile->stamp_us = INT64_MIN;
    for (int op = 0; op < 256; op++)
        profile->rows_left_out[op] = !profile_lands(spec, (char)op);
    if ((dms ? dms_declare(profile, spec, error) : sluice_declare(profile, error)) < 0 || schema_make(profile, error) < 0)
        return -1;
    return unchanged_prepare(profile, error);
}

int profile_open(const FormatSpec *spec, const Schema *schema, Profile **ret, Error *error)
{
    Profile *profile = calloc(1, sizeof *profile);

    if (!profile)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a profile");
    profile->source = schema;
    if (profile_prepare(profile, spec, error) < 0) {
        profile_close(profile);
        return -1;
    }
    *ret = profile;
    return 0;
}

void profile_close(Profile *profile)
{
    if (!profile)
        return;
    for (int i = 0; profile->batch.columns && i < profile->added_count; i++) {
        ColumnVector *vector = &profile->batch.columns[added_at(profile, i)];

        free(vector->valid);
        free(vector->fixed);
        free(vector->offsets);
        buffer_free(&vector->bytes);
    }
    for (int i = 0; profile->unchanged_name && i < profile->source->count; i++)
        free(profile->unchanged_name[i]);
    free(profile->unchanged_name);
    free(profile->batch.columns);
    free(profile->schema.fields);
    free(profile);
}
