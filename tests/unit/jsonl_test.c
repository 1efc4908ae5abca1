/* jsonl_test.c - every type as JSON text, by golden lines with extreme values and by reading back with another parser. */
#include "base/clock.h"
#include "check.h"
#include "format/float_text.h"
#include "land.h"

#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#define TICKS INT64_C(10000000)

static const FormatSpec plain = {.format = "jsonl", .compression = "none", .profile = "sluice", .epoch = 1, .incarnation = 2};

/* One column "v" of one row, as text between `{"v":` and the added columns. */
static const char *value_text(Field field, const void *value, size_t length)
{
    static char text[512];

    snprintf(text, sizeof text, "(failed)");
    if (land_value(field, value, length, &plain) == 0) {
        *strstr(landed.data, ",\"_sluice_op\"") = '\0';
        snprintf(text, sizeof text, "%s", landed.data + 5);
    }
    return text;
}

static void check_value(Field field, const void *value, size_t length, const char *wanted)
{
    char name[256];

    snprintf(name, sizeof name, "%s lands as %.150s", column_type_name(field.type), wanted);
    check_text(value_text(field, value, length), wanted, name);
}

#define FIXED(field_type, c_type, value, wanted) \
    do { c_type fixed_value = value; check_value((Field){.type = field_type}, &fixed_value, 0, wanted); } while (0)

static void test_numbers(void)
{
    FIXED(COLUMN_BOOLEAN, uint8_t, 0, "false");
    FIXED(COLUMN_BOOLEAN, uint8_t, 1, "true");
    FIXED(COLUMN_INT16, int16_t, INT16_MIN, "-32768");
    FIXED(COLUMN_INT16, int16_t, 255, "255");
    FIXED(COLUMN_INT32, int32_t, INT32_MIN, "-2147483648");
    FIXED(COLUMN_INT32, int32_t, 0, "0");
    FIXED(COLUMN_INT64, int64_t, INT64_MIN, "-9223372036854775808");
    FIXED(COLUMN_INT64, int64_t, INT64_MAX, "9223372036854775807");
    FIXED(COLUMN_UINT64, uint64_t, UINT64_MAX, "18446744073709551615");
    FIXED(COLUMN_FLOAT32, float, 0.1f, "0.1");
    FIXED(COLUMN_FLOAT32, float, FLT_MAX, "3.4028235e38");
    FIXED(COLUMN_FLOAT32, float, 1e-45f, "1e-45");
    FIXED(COLUMN_FLOAT32, float, 16777216.0f, "16777216.0");
    FIXED(COLUMN_FLOAT64, double, 0.1, "0.1");
    FIXED(COLUMN_FLOAT64, double, -0.0, "-0.0");
    FIXED(COLUMN_FLOAT64, double, 1.0, "1.0");
    FIXED(COLUMN_FLOAT64, double, -1234.5, "-1234.5");
    FIXED(COLUMN_FLOAT64, double, 1e308, "1e308");
    FIXED(COLUMN_FLOAT64, double, DBL_MAX, "1.7976931348623157e308");
    FIXED(COLUMN_FLOAT64, double, DBL_MIN, "2.2250738585072014e-308");
    FIXED(COLUMN_FLOAT64, double, 5e-324, "5e-324");
    FIXED(COLUMN_FLOAT64, double, 1e16, "10000000000000000.0");
    FIXED(COLUMN_FLOAT64, double, 1e17, "1e17");
    FIXED(COLUMN_FLOAT64, double, 0.00001, "0.00001");
    FIXED(COLUMN_FLOAT64, double, 0.000001, "1e-6");
    FIXED(COLUMN_FLOAT64, double, 9007199254740993.0, "9007199254740992.0");
    FIXED(COLUMN_FLOAT64, double, NAN, "\"NaN\"");
    FIXED(COLUMN_FLOAT64, double, INFINITY, "\"Infinity\"");
    FIXED(COLUMN_FLOAT32, float, -INFINITY, "\"-Infinity\"");
}

static void decimal_value(__int128 unscaled, int scale, const char *wanted)
{
    check_value((Field){.type = COLUMN_DECIMAL, .precision = 38, .scale = (uint8_t)scale}, &unscaled, 0, wanted);
}

static void test_decimals(void)
{
    __int128 nines = 0;

    for (int i = 0; i < 38; i++)
        nines = nines * 10 + 9;
    decimal_value(nines, 0, "99999999999999999999999999999999999999");
    decimal_value(-nines, 0, "-99999999999999999999999999999999999999");
    decimal_value(-nines, 38, "-0.99999999999999999999999999999999999999");
    decimal_value(nines, 19, "9999999999999999999.9999999999999999999");
    decimal_value(-1, 38, "-0.00000000000000000000000000000000000001");
    decimal_value(0, 4, "0.0000");
    decimal_value(-5, 2, "-0.05");
    decimal_value(-12345, 2, "-123.45");
    decimal_value(100, 2, "1.00");
    decimal_value((__int128)10000000000000000000U * 10000000000000000000U, 0, "100000000000000000000000000000000000000");
    decimal_value((__int128)10000000000000000000U, 1, "1000000000000000000.0");
}

static void tick_value(ColumnType type, int precision, int64_t ticks, const char *wanted)
{
    check_value((Field){.type = type, .precision = (uint8_t)precision}, &ticks, 0, wanted);
}

static void instant_value(int64_t utc, int offset, int precision, const char *wanted)
{
    ColumnInstant instant;

    memset(&instant, 0, sizeof instant);
    instant.utc = utc;
    instant.offset_minutes = (int16_t)offset;
    check_value((Field){.type = COLUMN_TIMESTAMPTZ, .precision = (uint8_t)precision}, &instant, 0, wanted);
}

static void test_times(void)
{
    int64_t first = clock_days_from_civil(1, 1, 1) * 86400 * TICKS;
    int64_t last = (clock_days_from_civil(9999, 12, 31) + 1) * 86400 * TICKS - 1;
    int64_t day = clock_days_from_civil(2026, 11, 20) * 86400 * TICKS;

    FIXED(COLUMN_DATE, int32_t, 0, "\"1970-01-01\"");
    FIXED(COLUMN_DATE, int32_t, (int32_t)clock_days_from_civil(1, 1, 1), "\"0001-01-01\"");
    FIXED(COLUMN_DATE, int32_t, (int32_t)clock_days_from_civil(9999, 12, 31), "\"9999-12-31\"");
    FIXED(COLUMN_DATE, int32_t, (int32_t)clock_days_from_civil(2024, 2, 29), "\"2024-02-29\"");
    FIXED(COLUMN_DATE, int32_t, INT32_MAX, "(failed)");
    tick_value(COLUMN_TIME, 7, 0, "\"00:00:00.0000000\"");
    tick_value(COLUMN_TIME, 7, 86400 * TICKS - 1, "\"23:59:59.9999999\"");
    tick_value(COLUMN_TIME, 0, 45296 * TICKS, "\"12:34:56\"");
    tick_value(COLUMN_TIME, 3, 45296 * TICKS + 1230000, "\"12:34:56.123\"");
    tick_value(COLUMN_TIME, 3, 45296 * TICKS + 1230001, "(failed)");
    tick_value(COLUMN_TIMESTAMP, 7, first, "\"0001-01-01T00:00:00.0000000\"");
    tick_value(COLUMN_TIMESTAMP, 7, last, "\"9999-12-31T23:59:59.9999999\"");
    tick_value(COLUMN_TIMESTAMP, 7, -1, "\"1969-12-31T23:59:59.9999999\"");
    tick_value(COLUMN_TIMESTAMP, 7, day + 45296 * TICKS + 1234567, "\"2026-11-20T12:34:56.1234567\"");
    tick_value(COLUMN_TIMESTAMP, 0, day, "\"2026-11-20T00:00:00\"");
    tick_value(COLUMN_TIMESTAMP, 7, last + 1, "(failed)");
    instant_value(day + 45296 * TICKS, 120, 7, "\"2026-11-20T14:34:56.0000000+02:00\"");
    instant_value(day, -570, 0, "\"2026-11-19T14:30:00-09:30\"");
    instant_value(day, 0, 1, "\"2026-11-20T00:00:00.0+00:00\"");
    instant_value(last - 840 * 60 * TICKS, 840, 7, "\"9999-12-31T23:59:59.9999999+14:00\"");
}

static void bytes_value(ColumnType type, const char *data, size_t length, const char *wanted)
{
    check_value((Field){.type = type}, data, length, wanted);
}

static void test_bytes(void)
{
    static const char control[] = "\x00\x01\b\t\n\f\r\x1f\x7f";
    static const uint8_t uuid[16] = {0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0x00, 0xcf, 0x4f, 0xc9, 0x64, 0xff};

    bytes_value(COLUMN_STRING, "", 0, "\"\"");
    bytes_value(COLUMN_STRING, "plain text of more than eight bytes", 35, "\"plain text of more than eight bytes\"");
    bytes_value(COLUMN_STRING, "say \"hi\" \\ /", 12, "\"say \\\"hi\\\" \\\\ /\"");
    bytes_value(COLUMN_STRING, control, 9, "\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\x7f\"");
    bytes_value(COLUMN_STRING, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11, "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"");
    bytes_value(COLUMN_STRING, "\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7, "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"");
    bytes_value(COLUMN_STRING, "a\xed\xa0\x80z\xed\xbf\xbf", 8, "\"a\\ud800z\\udfff\"");
    bytes_value(COLUMN_STRING, "\xc0\xaf", 2, "(failed)");
    bytes_value(COLUMN_STRING, "\xe0\x9f\xbf", 3, "(failed)");
    bytes_value(COLUMN_STRING, "\xf4\x90\x80\x80", 4, "(failed)");
    bytes_value(COLUMN_STRING, "abcdefgh\xe2\x82", 10, "(failed)");
    bytes_value(COLUMN_STRING, "\x80", 1, "(failed)");
    bytes_value(COLUMN_BINARY, "", 0, "\"\"");
    bytes_value(COLUMN_BINARY, "f", 1, "\"Zg==\"");
    bytes_value(COLUMN_BINARY, "fo", 2, "\"Zm8=\"");
    bytes_value(COLUMN_BINARY, "foobar", 6, "\"Zm9vYmFy\"");
    bytes_value(COLUMN_BINARY, "\xff\xff\xfe", 3, "\"///+\"");
    check_value((Field){.type = COLUMN_UUID}, uuid, 0, "\"6f9619ff-8b86-d011-b42d-00cf4fc964ff\"");
}

static void test_row(void)
{
    Field fields[] = {{.name = "id", .type = COLUMN_INT64}, {.name = "do\"c", .type = COLUMN_STRING, .large = true},
                      {.name = "raw", .type = COLUMN_BINARY, .large = true}};
    Schema schema = {fields, 3};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    int64_t id = 7;

    column_batch_init(batch, &schema, 3, VALUE_BYTES_MAX, &error);
    memcpy(column_set_fixed(batch, 0), &id, 8);
    column_set_null(batch, 1, true);
    column_set_null(batch, 2, true);
    batch->op[0] = 'U';
    memcpy(batch->position[0], "\x0a\x0b\xff", 3);
    batch->commit_us[0] = (clock_days_from_civil(2026, 11, 20) * 86400 + 45296) * 1000000 + 123456;
    column_row_end(batch);
    column_set_null(batch, 0, false);
    column_set_bytes(batch, 1, "x", 1, &error);
    column_set_null(batch, 2, false);
    batch->op[1] = 'D';
    batch->commit_us[1] = INT64_MIN;
    column_row_end(batch);
    check(land(batch, &plain) == 0, "a batch is written");
    check_text(landed.data,
               "{\"id\":7,\"do\\\"c\":null,\"raw\":null,\"_sluice_op\":\"U\",\"_sluice_seq\":\"0000000100020a0bff\","
               "\"_sluice_commit_ts\":\"2026-11-20T12:34:56.123456Z\",\"_sluice_epoch\":1,"
               "\"_sluice_unchanged\":\"[\\\"do\\\\\\\"c\\\",\\\"raw\\\"]\",\"_sluice_hash\":null}\n"
               "{\"id\":null,\"do\\\"c\":\"x\",\"raw\":null,\"_sluice_op\":\"D\",\"_sluice_seq\":\"000000010002000000\","
               "\"_sluice_commit_ts\":null,\"_sluice_epoch\":1,\"_sluice_unchanged\":null,\"_sluice_hash\":null}\n",
               "a row holds its columns, then the added ones");
    column_batch_free(batch);
    free(batch);
}

static void test_bad_text(void)
{
    Field field = {.name = "note", .type = COLUMN_STRING};
    Schema schema = {&field, 1};
    ColumnBatch *batch = calloc(1, sizeof *batch);

    column_batch_init(batch, &schema, 3, VALUE_BYTES_MAX, &error);
    for (int row = 0; row < 2; row++) {
        column_set_bytes(batch, 0, row ? "abc\xff" : "good", 4, &error);
        memcpy(batch->position[row], "\x0a\x0b\xff", 3);
        batch->op[row] = 'I';
        column_row_end(batch);
    }
    check(land(batch, &plain) < 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "\"note\"") && strstr(error.message, "0a0bff") &&
              strstr(error.message, "byte 4"),
          "text that is not UTF-8 is an error naming column, position and byte");
    column_batch_free(batch);
    free(batch);
}

static void test_refusals(void)
{
    Field field = {.name = "v\xff", .type = COLUMN_INT32};
    Schema schema = {&field, 1};
    Format *format;
    FormatSpec spec = plain;
    char extension[16];

    check(format_open(&plain, &schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0, "a column name that is not UTF-8 is refused");
    memcpy(field.name, "v", 2);
    spec.format = "xls";
    check(format_open(&spec, &schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0, "an unknown format is refused");
    spec = plain;
    spec.compression = "rar";
    check(format_open(&spec, &schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0, "an unknown compression is refused");
    spec = plain;
    spec.profile = "dms";
    check(format_open(&spec, &schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0, "an unknown profile is refused");
    check(format_extension("jsonl", "zstd", extension, sizeof extension, &error) == 0 && strcmp(extension, "jsonl.zst") == 0,
          "zstd files end in jsonl.zst");
    check(format_extension("jsonl", "gzip", extension, sizeof extension, &error) == 0 && strcmp(extension, "jsonl.gz") == 0,
          "gzip files end in jsonl.gz");
    check(format_extension("jsonl", "none", extension, sizeof extension, &error) == 0 && strcmp(extension, "jsonl") == 0,
          "plain files end in jsonl");
}

static uint64_t random_state = 88172645463325252U;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* A shorter text that reads back equal must not exist: "%.*e" with one digit less is the closest candidate. */
static bool float_shortest(double value)
{
    char text[FLOAT_TEXT_MAX + 8], shorter[64];
    int digits, found = 0, zeros = 0;
    bool leading = true;

    *float64_text(text, value) = '\0';
    if (strtod(text, NULL) != value)
        return false;
    for (digits = 1; digits <= 17; digits++) {
        snprintf(shorter, sizeof shorter, "%.*e", digits - 1, value);
        if (strtod(shorter, NULL) == value)
            break;
    }
    for (const char *at = text; *at && *at != 'e'; at++) {
        if (*at == '-' || *at == '.')
            continue;
        if (leading && *at == '0')
            continue;
        leading = false;
        zeros = *at == '0' ? zeros + 1 : 0;
        found++;
    }
    return found - zeros <= digits;
}

static void test_floats(void)
{
    bool all64 = true, all32 = true;

    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_next();
        double value;
        float single;
        char text[FLOAT_TEXT_MAX + 8];

        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 0)
            value = (double)(int64_t)(bits >> 40) / 100;
        if (isfinite(value) && !float_shortest(value)) {
            all64 = false;
            printf("# %.17g\n", value);
            break;
        }
        memcpy(&single, &bits, sizeof single);
        if (!isfinite(single))
            continue;
        *float32_text(text, single) = '\0';
        if (strtof(text, NULL) != single) {
            all32 = false;
            printf("# %.9g as %s\n", (double)single, text);
            break;
        }
    }
    check(all64, "100000 random float64 read back to the same bits from the fewest digits");
    check(all32, "100000 random float32 read back to the same bits");
}

static size_t random_string(char *text, size_t limit)
{
    static const char *const pieces[] = {"a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "plain words here", "/"};
    size_t length = 0;

    while (random_next() % 12 && length + 20 < limit) {
        const char *piece = pieces[random_next() % 10];

        memcpy(text + length, piece, strlen(piece));
        length += strlen(piece);
    }
    text[length] = '\0';
    return length;
}

/* Reads the lines back with cJSON and compares strings and numbers. */
static bool round_trip(const ColumnBatch *batch, char (*strings)[256], const double *numbers)
{
    const char *line = landed.data;

    for (int row = 0; row < batch->rows; row++) {
        const char *end = strchr(line, '\n');
        cJSON *object = end ? cJSON_ParseWithLength(line, (size_t)(end - line)) : NULL;
        bool equal = object && strcmp(cJSON_GetObjectItem(object, "s")->valuestring, strings[row]) == 0 &&
                     cJSON_GetObjectItem(object, "f")->valuedouble == numbers[row];

        cJSON_Delete(object);
        if (!equal)
            return false;
        line = end + 1;
    }
    return *line == '\0';
}

static void test_property(void)
{
    Field fields[] = {{.name = "s", .type = COLUMN_STRING}, {.name = "f", .type = COLUMN_FLOAT64}};
    Schema schema = {fields, 2};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    static char strings[BATCH_ROWS_MAX][256];
    static double numbers[BATCH_ROWS_MAX];
    bool all = true;

    column_batch_init(batch, &schema, 20, VALUE_BYTES_MAX, &error);
    for (int turn = 0; turn < 20 && all; turn++) {
        column_batch_clear(batch);
        while (!column_batch_full(batch)) {
            int row = batch->rows;
            size_t length = random_string(strings[row], sizeof strings[row]);
            uint64_t bits = random_next() & ~(UINT64_C(1) << 62);

            memcpy(&numbers[row], &bits, 8);
            column_set_bytes(batch, 0, strings[row], length, &error);
            memcpy(column_set_fixed(batch, 1), &numbers[row], 8);
            batch->op[row] = 'I';
            column_row_end(batch);
        }
        all = land(batch, &plain) == 0 && round_trip(batch, strings, numbers);
    }
    check(all, "random strings and numbers read back equal through cJSON");
    column_batch_free(batch);
    free(batch);
}

/* Larger than any window: written slice by slice, cut between characters. */
static void test_large(void)
{
    Field fields[] = {{.name = "s", .type = COLUMN_STRING}, {.name = "b", .type = COLUMN_BINARY}};
    Schema schema = {fields, 2};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    size_t length = MIB(3) + 1;
    char *text = malloc(length + 1);
    cJSON *object;

    for (size_t i = 0; i < length; i += 3)
        memcpy(text + i, i % 2 ? "\xe2\x82\xac" : "a\xc3\xa9", length - i < 3 ? length - i : 3);
    text[length - 1] = '"';
    text[length] = '\0';
    column_batch_init(batch, &schema, 20, VALUE_BYTES_MAX, &error);
    check(column_set_bytes(batch, 0, text, length, &error) == 0 && column_set_bytes(batch, 1, text, length, &error) == 0, "3 MiB fit a batch");
    column_row_end(batch);
    batch->op[0] = 'I';
    check(land(batch, &plain) == 0, "a row of 6 MiB is written");
    object = cJSON_ParseWithLength(landed.data, landed.length);
    check(object && strcmp(cJSON_GetObjectItem(object, "s")->valuestring, text) == 0, "its text reads back equal");
    check(object && strlen(cJSON_GetObjectItem(object, "b")->valuestring) == (length + 2) / 3 * 4, "its bytes are one base64 text");
    cJSON_Delete(object);
    column_batch_free(batch);
    free(batch);
    free(text);
}

int main(void)
{
    buffer_init(&landed, MIB(256));
    test_numbers();
    test_decimals();
    test_times();
    test_bytes();
    test_row();
    test_bad_text();
    test_refusals();
    test_floats();
    test_property();
    test_large();
    buffer_free(&landed);
    return check_end();
}
