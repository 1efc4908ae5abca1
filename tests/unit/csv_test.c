/* csv_test.c - rows as CSV, by golden lines with extreme values. */
#include "base/clock.h"
#include "check.h"
#include "land.h"

#include <math.h>
#include <stdlib.h>

#define TICKS INT64_C(10000000)

static const FormatSpec plain = {.format = "csv", .compression = "none", .profile = "sluice", .epoch = 1, .incarnation = 2};

/* One column of one row, as text between the header and the added columns. */
static const char *value_text(Field field, const void *value, size_t length)
{
    static char text[512];

    snprintf(text, sizeof text, "(failed)");
    if (land_value(field, value, length, &plain) == 0) {
        char *line = strchr(landed.data, '\n') + 1;

        snprintf(text, sizeof text, "%.*s", (int)(strstr(line, ",I,0000000100020000") - line), line);
    }
    return text;
}

static void check_value(Field field, const void *value, size_t length, const char *wanted)
{
    char name[256];

    snprintf(name, sizeof name, "%s lands as [%.150s]", column_type_name(field.type), wanted);
    for (char *at = name; *at; at++)
        *at = *at == '\n' || *at == '\r' ? '|' : *at;
    check_text(value_text(field, value, length), wanted, name);
}

#define FIXED(field, c_type, value, wanted) \
    do { c_type fixed_value = value; check_value((Field) field, &fixed_value, 0, wanted); } while (0)
#define FIELD(...) {__VA_ARGS__}
#define STRING(text, wanted) check_value((Field){.type = COLUMN_STRING}, text, sizeof(text) - 1, wanted)

static void test_values(void)
{
    static const uint8_t uuid[16] = {0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0x00, 0xcf, 0x4f, 0xc9, 0x64, 0xff};
    const int64_t moment = (clock_days_from_civil(2026, 11, 20) * 86400 + 45296) * TICKS + 1234567;
    ColumnInstant instant = {.utc = moment - 7200 * TICKS, .offset_minutes = 120};

    FIXED(FIELD(.type = COLUMN_BOOLEAN), uint8_t, 1, "true");
    FIXED(FIELD(.type = COLUMN_INT64), int64_t, INT64_MIN, "-9223372036854775808");
    FIXED(FIELD(.type = COLUMN_UINT64), uint64_t, UINT64_MAX, "18446744073709551615");
    FIXED(FIELD(.type = COLUMN_FLOAT64), double, -0.0, "-0.0");
    FIXED(FIELD(.type = COLUMN_FLOAT64), double, NAN, "NaN");
    FIXED(FIELD(.type = COLUMN_FLOAT32), float, -INFINITY, "-Infinity");
    FIXED(FIELD(.type = COLUMN_DECIMAL, .precision = 5, .scale = 2), __int128, -5, "-0.05");
    FIXED(FIELD(.type = COLUMN_DATE), int32_t, (int32_t)clock_days_from_civil(1, 1, 1), "0001-01-01");
    FIXED(FIELD(.type = COLUMN_TIME, .precision = 3), int64_t, 45296 * TICKS + 1230000, "12:34:56.123");
    FIXED(FIELD(.type = COLUMN_TIMESTAMP, .precision = 7), int64_t, moment, "2026-11-20 12:34:56.1234567");
    FIXED(FIELD(.type = COLUMN_TIMESTAMP, .precision = 3), int64_t, moment, "(failed)");
    check_value((Field){.type = COLUMN_TIMESTAMPTZ, .precision = 7}, &instant, 0, "2026-11-20 12:34:56.1234567+02:00");
    check_value((Field){.type = COLUMN_UUID}, uuid, 0, "6f9619ff-8b86-d011-b42d-00cf4fc964ff");
    check_value((Field){.type = COLUMN_BINARY}, "fo", 2, "Zm8=");
    check_value((Field){.type = COLUMN_BINARY}, "", 0, "\"\"");
    check_value((Field){.type = COLUMN_BINARY, .nullable = true}, NULL, 0, "");
}

static void test_strings(void)
{
    check_value((Field){.type = COLUMN_STRING, .nullable = true}, NULL, 0, "");
    STRING("", "\"\"");
    STRING("plain text of more than eight bytes", "plain text of more than eight bytes");
    STRING("NULL", "NULL");
    STRING("=1+1", "=1+1");
    STRING("a,b", "\"a,b\"");
    STRING("exactly8,", "\"exactly8,\"");
    STRING("say \"hi\"", "\"say \"\"hi\"\"\"");
    STRING("\"", "\"\"\"\"");
    STRING("two\nlines", "\"two\nlines\"");
    STRING("a\rb", "\"a\rb\"");
    STRING(" led", "\" led\"");
    STRING("trailed\t", "\"trailed\t\"");
    STRING("back\\slash", "back\\slash");
    STRING("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    STRING("a\xed\xa0\x80", "(failed)");
    STRING("abcdefgh\xe2\x82", "(failed)");
    STRING("\x80", "(failed)");
}

static void test_rows(void)
{
    Field fields[] = {{.name = "id", .type = COLUMN_INT32}, {.name = "a \"b\", c", .type = COLUMN_STRING, .nullable = true, .large = true}};
    const Schema schema = {fields, 2};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    FormatSpec bare = plain;
    int32_t id = 7;

    column_batch_init(batch, &schema, 3, VALUE_BYTES_MAX, &error);
    check(land(batch, &plain) == 0, "a file without rows is written");
    check_text(landed.data, "id,\"a \"\"b\"\", c\",_sluice_op,_sluice_seq,_sluice_commit_ts,_sluice_epoch,_sluice_unchanged,_sluice_hash\n",
               "a file without rows holds its header");
    memcpy(column_set_fixed(batch, 0), &id, 4);
    column_set_null(batch, 1, true);
    batch->op[0] = 'U';
    memcpy(batch->position[0], "\x0a\x0b\xff", 3);
    batch->commit_us[0] = (clock_days_from_civil(2026, 11, 20) * 86400 + 45296) * 1000000 + 123456;
    column_row_end(batch);
    memcpy(column_set_fixed(batch, 0), &id, 4);
    column_set_bytes(batch, 1, "x\ny", 3, &error);
    batch->op[1] = 'D';
    batch->commit_us[1] = INT64_MIN;
    column_row_end(batch);
    bare.options = cJSON_Parse("{\"csv_header\": false}");
    check(land(batch, &bare) == 0, "rows are written");
    check_text(landed.data,
               "7,,U,0000000100020a0bff,2026-11-20 12:34:56.123456+00:00,1,\"[\"\"a \\\"\"b\\\"\", c\"\"]\",\n"
               "7,\"x\ny\",D,000000010002000000,,1,,\n",
               "a row holds its columns, then the added ones; csv_header false leaves the names out");
    cJSON_Delete((cJSON *)(uintptr_t)bare.options);
    column_batch_free(batch);
    free(batch);
}

/* A value longer than the stage's slices, with a quote at and around each border. */
static void test_long(void)
{
    Field field = {.name = "v", .type = COLUMN_STRING};
    const Schema schema = {&field, 1};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    const size_t length = 100000;
    char *text = malloc(length), *at;
    bool equal = true;

    memset(text, 'x', length);
    for (size_t i = 0; i < length; i += 4095)
        text[i] = '"';
    column_batch_init(batch, &schema, 3, VALUE_BYTES_MAX, &error);
    for (int row = 0; row < 3; row++) {
        column_set_bytes(batch, 0, text, length, &error);
        batch->op[row] = 'I';
        column_row_end(batch);
    }
    check(land(batch, &plain) == 0, "long values are written");
    at = strchr(landed.data, '\n') + 2;
    for (size_t i = 0; i < length && equal; i++) {
        equal = *at++ == text[i];
        if (equal && text[i] == '"')
            equal = *at++ == '"';
    }
    check(equal && memcmp(at, "\",I,", 4) == 0, "a long value reads back, every quote doubled");
    column_batch_free(batch);
    free(batch);
    free(text);
}

int main(void)
{
    char extension[16];

    test_values();
    test_strings();
    test_rows();
    test_long();
    check(format_extension("csv", "gzip", extension, sizeof extension, &error) == 0 && strcmp(extension, "csv.gz") == 0, "gzip files end in csv.gz");
    check(format_extension("csv", "snappy", extension, sizeof extension, &error) < 0, "snappy belongs inside parquet and is refused");
    buffer_free(&landed);
    return check_end();
}
