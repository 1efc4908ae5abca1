/*
 * csv.c - rows as comma-separated values, RFC 4180 but for the line end, which is LF (as AWS DMS writes it, and as every reader takes it).
 *
 * Quoted is a text that holds a comma, a quote, CR or LF, begins or ends with a blank, or is empty: nothing between two commas is NULL.
 * Rows are put together in the stage: once a row it is made sure that all its fixed parts have room, only a value of variable length
 * asks again and goes through it in slices, so memory does not follow a value.
 */
#include "base/hex.h"
#include "format/field_text.h"
#include "format/json_text.h"
#include "format/kind.h"
#include "format/stage.h"
#include "format/value_text.h"

#define CSV_SLICE KIB(12) /* a multiple of 3, so that base64 goes on where it stopped */

typedef struct Csv {
    Stage stage;
    const Schema *schema;
    FieldText *columns;
    size_t row_room; /* of all fixed parts of a row */
} Csv;

#define BYTES_OF(value) (UINT64_C(0x0101010101010101) * (value))
#define HIGH_BITS BYTES_OF(0x80)

/* Non-zero where one of the 8 bytes needs a look: below 0x20, '"', ',' or above 0x7f. May also hit a byte above such a one. */
static inline uint64_t needs_look(uint64_t eight)
{
    uint64_t quote = eight ^ BYTES_OF('"');
    uint64_t comma = eight ^ BYTES_OF(',');

    return ((eight - BYTES_OF(0x20)) | (quote - BYTES_OF(1)) | (comma - BYTES_OF(1)) | eight) & HIGH_BITS;
}

/* Whether the text must stand in quotes. -1 where it is no text: *bad is the byte of what is not UTF-8 or a lone surrogate, which JSON
 * can escape and CSV cannot. */
static int text_quotes(const uint8_t *data, size_t length, size_t *bad)
{
    int quotes = !length || data[0] <= ' ' || data[length - 1] <= ' ';
    size_t at = 0;

    while (at < length) {
        uint64_t eight;

        if (at + 8 <= length) {
            memcpy(&eight, data + at, 8);
            if (!needs_look(eight)) {
                at += 8;
                continue;
            }
        }
        if (data[at] < 0x80) {
            quotes |= data[at] == '"' || data[at] == ',' || data[at] == '\r' || data[at] == '\n';
            at++;
        } else {
            size_t count = json_character(data + at, length - at);

            if (!count || (data[at] == 0xed && data[at + 1] >= 0xa0)) {
                *bad = at;
                return -1;
            }
            at += count;
        }
    }
    return quotes;
}

/* The slice with every quote doubled; twice its length at most. */
static char *quotes_double(char *to, const uint8_t *data, size_t length)
{
    while (length) {
        const uint8_t *quote = memchr(data, '"', length);
        size_t plain = quote ? (size_t)(quote - data) + 1 : length;

        memcpy(to, data, plain);
        to += plain;
        if (quote)
            *to++ = '"';
        data += plain;
        length -= plain;
    }
    return to;
}

static char *slice_write(char *to, const uint8_t *data, size_t length, bool binary, bool quoted)
{
    if (binary)
        return base64_text(to, data, length);
    if (quoted)
        return quotes_double(to, data, length);
    memcpy(to, data, length);
    return to + length;
}

/* Room is asked with the whole row's fixed part on top, so that what follows the value needs no asking. */
static int value_write(Csv *csv, const uint8_t *data, size_t length, bool binary, bool quoted, Error *error)
{
    if (quoted)
        *csv->stage.at++ = '"';
    while (length) {
        size_t piece = length < CSV_SLICE ? length : CSV_SLICE;

        if (stage_room(&csv->stage, csv->row_room + 2 * piece + 16, error) < 0)
            return -1;
        csv->stage.at = slice_write(csv->stage.at, data, piece, binary, quoted);
        data += piece;
        length -= piece;
    }
    if (quoted)
        *csv->stage.at++ = '"';
    return 0;
}

static int not_text(const Csv *csv, const ColumnBatch *batch, int row, int column, size_t byte, Error *error)
{
    char position[2 * POSITION_BYTES_MAX + 1] = "";

    hex_encode(batch->position[row], (size_t)batch->position_length, position);
    position[2 * batch->position_length] = '\0';
    return error_set(error, ERROR_PERMANENT, "Mend the row at the source, leave the column out of the table (exclude), or land the table as jsonl.",
                     "column \"%.200s\" of the row at position %s holds a text that CSV cannot hold: byte %zu is not UTF-8 or half of a pair",
                     csv->schema->fields[column].name, position, byte + 1);
}

static int variable_write(Csv *csv, const ColumnBatch *batch, int row, int column, Error *error)
{
    const ColumnVector *vector = &batch->columns[column];
    size_t length = vector->offsets[row + 1] - vector->offsets[row], bad = 0;
    const uint8_t *data = (const uint8_t *)vector->bytes.data + (length ? vector->offsets[row] : 0);
    bool binary = csv->schema->fields[column].type == COLUMN_BINARY;
    int quotes = binary ? !length : text_quotes(data, length, &bad);

    if (quotes < 0)
        return not_text(csv, batch, row, column, bad, error);
    return value_write(csv, data, length, binary, quotes != 0, error);
}

static int row_write(Csv *csv, const ColumnBatch *batch, int row, Error *error)
{
    if (stage_room(&csv->stage, csv->row_room, error) < 0)
        return -1;
    for (int i = 0; i < csv->schema->count; i++) {
        FieldText *column = &csv->columns[i];
        const ColumnVector *vector = &batch->columns[i];

        if (i)
            *csv->stage.at++ = ',';
        if (!vector->valid[row])
            continue;
        if (vector->offsets) {
            if (variable_write(csv, batch, row, i, error) < 0)
                return -1;
        } else if (field_text(column, vector->fixed + (size_t)row * column->width, csv->stage.at, &csv->stage.at, error) < 0) {
            return -1;
        }
    }
    *csv->stage.at++ = '\n';
    return 0;
}

static int csv_write(void *state, const ColumnBatch *batch, int first, int count, Error *error)
{
    Csv *csv = state;

    for (int row = first; row < first + count; row++) {
        if (row_write(csv, batch, row, error) < 0)
            return -1;
    }
    return 0;
}

static uint64_t csv_held(const void *state)
{
    const Csv *csv = state;

    return stage_held(&csv->stage);
}

static int csv_finish(void *state, Error *error)
{
    Csv *csv = state;

    return stage_flush(&csv->stage, error);
}

static void csv_close(void *state)
{
    Csv *csv = state;

    free(csv->columns);
    free(csv->stage.start);
    free(csv);
}

static int header_write(Csv *csv, Error *error)
{
    for (int i = 0; i < csv->schema->count; i++) {
        const char *name = csv->schema->fields[i].name;
        size_t bad = 0;
        int quotes = text_quotes((const uint8_t *)name, strlen(name), &bad);

        if (quotes < 0)
            return error_set(error, ERROR_PERMANENT, "Leave the column out of the table (exclude).", "a column name is not UTF-8 at its byte %zu", bad + 1);
        if (i)
            *csv->stage.at++ = ',';
        if (value_write(csv, (const uint8_t *)name, strlen(name), false, quotes != 0, error) < 0)
            return -1;
    }
    *csv->stage.at++ = '\n';
    return 0;
}

static int csv_prepare(Csv *csv, const FormatSpec *spec, FormatOutput output, Error *error)
{
    const int count = csv->schema->count;

    if (count == 1 && csv->schema->fields[0].nullable)
        return error_set(error, ERROR_PERMANENT, "Let the profile add a column: for profile dms set include_op_for_full_load or timestamp_column_name.",
                         "a CSV file whose only column is \"%.200s\" cannot hold NULL: readers pass over an empty line", csv->schema->fields[0].name);
    csv->columns = calloc((size_t)count + 1, sizeof *csv->columns);
    if (!csv->columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a csv writer of %d columns", count);
    for (int i = 0; i < count; i++)
        field_text_init(&csv->columns[i], &csv->schema->fields[i], ' ');
    csv->row_room = (size_t)(count + 1) * (FIELD_TEXT_MAX + 3);
    if (stage_open(&csv->stage, output, STAGE_BYTES + csv->row_room + 2 * CSV_SLICE, error) < 0)
        return -1;
    return json_boolean(spec->options, "csv_header", true) ? header_write(csv, error) : 0;
}

static int csv_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, void **ret, Error *error)
{
    Csv *csv = calloc(1, sizeof *csv);

    if (!csv)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a csv writer");
    csv->schema = schema;
    if (csv_prepare(csv, spec, output, error) < 0) {
        csv_close(csv);
        return -1;
    }
    *ret = csv;
    return 0;
}

const FormatKind csv_kind = {
    .name = "csv",
    .profiles = {"sluice", "dms"},
    .expands = true,
    .open = csv_open,
    .write = csv_write,
    .held = csv_held,
    .finish = csv_finish,
    .close = csv_close,
};
