/* parquet_test.c - encodings by the bytes of the format's own examples, bounds by its rules, and what must be refused. */
#include "check.h"
#include "format/format.h"
#include "format/parquet/chunk.h"
#include "format/parquet/encode.h"

#include <math.h>
#include <stdlib.h>

static Error error;

static int collect(void *context, const void *data, size_t length, Error *err)
{
    return buffer_append(context, data, length, err);
}

static const char *hex(const Buffer *buffer)
{
    static char text[4096];

    text[0] = '\0';
    for (size_t i = 0; i < buffer->length && 3 * i + 4 < sizeof text; i++)
        snprintf(text + 3 * i, 5, "%02x ", (unsigned)(uint8_t)buffer->data[i]);
    return text;
}

/* ---- encodings: Encodings.md --------------------------------------------------- */

static void test_thrift(void)
{
    Buffer out;
    Thrift thrift;

    buffer_init(&out, 4096);
    thrift_begin(&thrift, &out, &error);
    thrift_i32(&thrift, 1, -1);
    thrift_bool(&thrift, 3, true);
    thrift_i64(&thrift, 40, 150);
    thrift_struct(&thrift, 41);
    thrift_binary(&thrift, 1, "ab", 2);
    thrift_stop(&thrift);
    thrift_list(&thrift, 42, THRIFT_I32, 2);
    thrift_element_i32(&thrift, 1);
    thrift_element_i32(&thrift, -64);
    check(thrift_end(&thrift) == 0, "a Thrift struct is written");
    check_text(hex(&out), "15 01 21 06 50 ac 02 1c 18 02 61 62 00 19 25 02 7f 00 ", "fields go by the step from the last one, or by their number");
    buffer_clear(&out);
    thrift_begin(&thrift, &out, &error);
    for (int i = 0; i < THRIFT_DEPTH_MAX; i++)
        thrift_struct(&thrift, 1);
    check(thrift_end(&thrift) < 0, "structs too deep are an error, not an overflow");
    buffer_free(&out);
}

static void test_hybrid(void)
{
    uint32_t values[200];
    uint8_t levels[10] = {1, 0, 1, 1, 1, 1, 1, 1, 0, 1};
    Buffer out;

    buffer_init(&out, 4096);
    for (uint32_t i = 0; i < 8; i++)
        values[i] = i;
    rle_encode(&out, values, 8, 3, &error);
    check_text(hex(&out), "03 88 c6 fa ", "0 to 7 in 3 bits are packed as the format's example says");
    buffer_clear(&out);
    for (int i = 0; i < 100; i++)
        values[i] = 4;
    rle_encode(&out, values, 100, 3, &error);
    check_text(hex(&out), "c8 01 04 ", "a hundred fours are one run");
    buffer_clear(&out);
    for (uint32_t i = 0; i < 8; i++)
        values[100 + i] = i;
    values[108] = 1;
    rle_encode(&out, values, 109, 3, &error);
    check_text(hex(&out), "c8 01 04 05 88 c6 fa 01 00 00 ", "a packed run is filled with zeros to a multiple of 8");
    buffer_clear(&out);
    for (int i = 0; i < 8; i++)
        values[i] = 300;
    rle_encode(&out, values, 8, 9, &error);
    check_text(hex(&out), "10 2c 01 ", "a value of 9 bits takes two bytes in a run");
    buffer_clear(&out);
    levels_encode(&out, levels, 10, 2, &error);
    check_text(hex(&out), "03 00 00 00 05 fd 02 ", "levels have their length in front");
    buffer_clear(&out);
    levels_encode(&out, levels, 10, 0, &error);
    levels_encode(&out, levels, 10, 10, &error);
    check_text(hex(&out), "02 00 00 00 14 01 02 00 00 00 14 00 ", "a page without NULL, and one of nothing else, are one run");
    buffer_clear(&out);
    boolean_encode(&out, levels, 10, &error);
    check_text(hex(&out), "fd 02 ", "booleans are bits, first one lowest");
    buffer_free(&out);
}

static void test_delta(void)
{
    const int32_t rising[] = {1, 2, 3, 4, 5}, mixed[] = {7, 5, 3, 1, 2, 3, 4, 5}, ends32[] = {INT32_MIN, INT32_MAX};
    const int64_t ends[] = {INT64_MIN, INT64_MAX}, wide[] = {0, INT64_C(1) << 40, 0};
    int32_t many[130];
    Buffer out;

    buffer_init(&out, 4096);
    delta32_encode(&out, rising, 5, &error);
    check_text(hex(&out), "80 01 04 05 02 02 00 00 00 00 ", "1 2 3 4 5: the format's first example");
    buffer_clear(&out);
    delta32_encode(&out, mixed, 8, &error);
    check_text(hex(&out), "80 01 04 08 0e 03 02 00 00 00 c0 3f 00 00 00 00 00 00 ", "7 5 3 1 2 3 4 5: the format's second example");
    buffer_clear(&out);
    delta64_encode(&out, ends, 2, &error);
    check_text(hex(&out), "80 01 04 02 ff ff ff ff ff ff ff ff ff 01 01 00 00 00 00 ", "differences wrap at 64 bits");
    buffer_clear(&out);
    delta32_encode(&out, ends32, 2, &error);
    check_text(hex(&out), "80 01 04 02 ff ff ff ff 0f 01 00 00 00 00 ", "and at 32");
    buffer_clear(&out);
    delta64_encode(&out, wide, 3, &error);
    check(out.length == 5 + 6 + 4 + 32 * 42 / 8 && out.data[11] == 42, "differences of 42 bits take 42 bits each");
    buffer_clear(&out);
    for (int i = 0; i < 130; i++)
        many[i] = i;
    delta32_encode(&out, many, 130, &error);
    check_text(hex(&out), "80 01 04 82 01 00 02 00 00 00 00 02 00 00 00 00 ", "a block holds 128 differences");
    buffer_clear(&out);
    delta32_encode(&out, many, 1, &error);
    check_text(hex(&out), "80 01 04 01 00 ", "one value has no block");
    buffer_free(&out);
}

static void test_bytes(void)
{
    const uint32_t lengths[] = {5, 5, 6, 6}, words[] = {4, 4, 6, 8};
    const char *strings = "HelloWorldFoobarABCDEF", *shared = "axisaxlebabblebabyhood";
    uint32_t prefixes[4];
    Buffer out;

    buffer_init(&out, 4096);
    bytes_encode(&out, (const uint8_t *)"ab", (const uint32_t[]){1, 0, 1}, 3, &error);
    check_text(hex(&out), "01 00 00 00 61 00 00 00 00 01 00 00 00 62 ", "plain byte arrays have 4 bytes of length each");
    buffer_clear(&out);
    delta_length_encode(&out, (const uint8_t *)strings, lengths, 4, &error);
    check(out.length == 14 + 22 && memcmp(out.data, "\x80\x01\x04\x04\x0a\x00\x01\x00\x00\x00\x02\x00\x00\x00", 14) == 0 && memcmp(out.data + 14, strings, 22) == 0,
          "Hello World Foobar ABCDEF: lengths, then bytes");
    buffer_clear(&out);
    check(bytes_prefixes((const uint8_t *)shared, words, 4, prefixes) == 5 && prefixes[1] == 2 && prefixes[2] == 0 && prefixes[3] == 3,
          "axis axle babble babyhood share 2, 0 and 3 bytes");
    delta_bytes_encode(&out, (const uint8_t *)shared, words, prefixes, 4, &error);
    check(out.length > 17 && memcmp(out.data + out.length - 17, "axislebabbleyhood", 17) == 0, "and what they do not share follows");
    buffer_clear(&out);
    check(delta_bytes_encode(&out, NULL, (const uint32_t[]){0, 0}, (const uint32_t[]){0, 0}, 2, &error) == 0, "empty values need no bytes to point at");
    buffer_free(&out);
}

/* ---- bounds: parquet.thrift ---------------------------------------------------- */

static ParquetType type_of(Field *field)
{
    ParquetType type = {0};

    memcpy(field->name, "v", 2);
    parquet_type_choose(field, PARQUET_TIMES_EXACT, &type, &error);
    return type;
}

static void bounds_of_doubles(const double *values, int count, ParquetBounds *ret)
{
    Field field = {.type = COLUMN_FLOAT64};
    ParquetType type = type_of(&field);
    ParquetValues *held = calloc(1, sizeof *held);

    held->count = count;
    held->fixed = values;
    *ret = (ParquetBounds){0};
    parquet_bounds_add(ret, &type, held);
    free(held);
}

static void test_real_bounds(void)
{
    Field field = {.type = COLUMN_FLOAT64};
    ParquetType type = type_of(&field);
    ParquetBounds bounds;
    ParquetBoundText min, max;
    double low, high;

    bounds_of_doubles((const double[]){NAN, 3, -2, NAN}, 4, &bounds);
    parquet_bounds_min(&bounds, &type, &min);
    parquet_bounds_max(&bounds, &type, &max);
    memcpy(&low, min.bytes, 8);
    memcpy(&high, max.bytes, 8);
    check(low == -2 && high == 3, "NaN is no bound");
    bounds_of_doubles((const double[]){NAN, NAN}, 2, &bounds);
    parquet_bounds_max(&bounds, &type, &max);
    check(!max.any, "only NaN: no bounds");
    bounds_of_doubles((const double[]){0.0}, 1, &bounds);
    parquet_bounds_min(&bounds, &type, &min);
    bounds_of_doubles((const double[]){-0.0}, 1, &bounds);
    parquet_bounds_max(&bounds, &type, &max);
    memcpy(&low, min.bytes, 8);
    memcpy(&high, max.bytes, 8);
    check(signbit(low) && !signbit(high), "a least zero is -0.0, a greatest one +0.0");
}

static ParquetBoundText text_bound(ColumnType column, const char *const *values, const uint32_t *lengths, int count, bool max)
{
    Field field = {.type = column, .precision = 38};
    ParquetType type = type_of(&field);
    ParquetBounds bounds = {0};
    ParquetBoundText text;

    for (int i = 0; i < count; i++)
        parquet_bounds_add_bytes(&bounds, &type, (const uint8_t *)values[i], lengths ? lengths[i] : (uint32_t)strlen(values[i]));
    if (max)
        parquet_bounds_max(&bounds, &type, &text);
    else
        parquet_bounds_min(&bounds, &type, &text);
    return text;
}

#define BOUND(column, max, ...) text_bound(column, (const char *const[]){__VA_ARGS__}, NULL, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), max)

static bool bound_is(ParquetBoundText text, const char *wanted, bool exact)
{
    return text.any && text.exact == exact && text.length == strlen(wanted) && memcmp(text.bytes, wanted, text.length) == 0;
}

static void test_byte_bounds(void)
{
    char a65[66], raised[65], euro[80], last[80], ff[80];
    const char *zeros[] = {"a", "a\0"};
    const uint32_t zero_lengths[] = {1, 2};
    const char *decimals[] = {"\xff\xff", "\x00\x01", "\x80\x00"};
    const uint32_t decimal_lengths[] = {2, 2, 2};

    memset(a65, 'a', 65);
    a65[65] = '\0';
    memset(raised, 'a', 64);
    raised[63] = 'b';
    raised[64] = '\0';
    check(bound_is(BOUND(COLUMN_STRING, false, "b", "", "c"), "", true), "the empty string is the least one");
    check(bound_is(BOUND(COLUMN_STRING, true, "z", "\xc3\xa9", "a"), "\xc3\xa9", true), "bytes compare as unsigned");
    check(bound_is(text_bound(COLUMN_STRING, zeros, zero_lengths, 2, false), "a", true), "a prefix sorts before what it begins");
    check(text_bound(COLUMN_STRING, zeros, zero_lengths, 2, true).length == 2, "and is not greater than it");
    a65[64] = '\0';
    check(bound_is(BOUND(COLUMN_STRING, true, a65), a65, true), "64 bytes are kept whole");
    a65[64] = 'a';
    check(bound_is(BOUND(COLUMN_STRING, true, a65), raised, false), "of 65 bytes the 64th is raised, and the bound said to be none of the values");
    a65[64] = '\0';
    check(BOUND(COLUMN_STRING, false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab").length == 64, "a least value is cut and not raised");
    memset(euro, 'a', 62);
    memcpy(euro + 62, "\xe2\x82\xac" "bcd", 7);
    raised[61] = 'b';
    raised[62] = '\0';
    check(bound_is(BOUND(COLUMN_STRING, true, euro), raised, false), "text is cut between two characters");
    for (int i = 0; i < 68; i += 4)
        memcpy(last + i, "\xf4\x8f\xbf\xbf", 5);
    check(!BOUND(COLUMN_STRING, true, last).any && BOUND(COLUMN_STRING, false, last).any, "the last character of all cannot be raised: no greatest value");
    memset(ff, 0xff, 70);
    ff[70] = '\0';
    check(!BOUND(COLUMN_BINARY, true, ff).any, "nor can a run of ff");
    ff[3] = 'x';
    check(bound_is(BOUND(COLUMN_BINARY, true, ff), "\xff\xff\xff\x79", false), "else the byte before it is");
    check(memcmp(text_bound(COLUMN_DECIMAL, decimals, decimal_lengths, 3, true).bytes, "\x00\x01", 2) == 0 &&
              memcmp(text_bound(COLUMN_DECIMAL, decimals, decimal_lengths, 3, false).bytes, "\x80\x00", 2) == 0,
          "decimals compare signed");
}

static void test_bloom(void)
{
    static const int count = 2000;
    Field field = {.type = COLUMN_INT64};
    ParquetType type = type_of(&field);
    ParquetBloom bloom;
    ParquetValues *values = calloc(1, sizeof *values);
    Buffer out;

    buffer_init(&out, MIB(4));
    parquet_bloom_init(&bloom, MIB(1), &error);
    for (int done = 0; done < count; done += BATCH_ROWS_MAX / 2) {
        for (values->count = 0; values->count < BATCH_ROWS_MAX / 2 && done + values->count < count; values->count++)
            values->room.i64[values->count] = done + values->count;
        values->fixed = &values->room;
        parquet_bloom_add(&bloom, &type, values);
    }
    check(parquet_bloom_write(&bloom, &out, &error) == 0 && out.length > 2500 && out.length < 5000, "a Bloom filter is folded to what its values need");
    check(memcmp(out.data + out.length % BLOOM_BLOCK - 13, "\x1c\x1c\x00\x00\x1c\x1c\x00\x00\x1c\x1c\x00\x00\x00", 13) == 0, "block, XXH64, not compressed");
    buffer_free(&out);
    parquet_bloom_free(&bloom);
    free(values);
}

/* ---- whole files --------------------------------------------------------------- */

static FormatSpec spec_of(const char *compression, const char *options)
{
    return (FormatSpec){.format = "parquet", .compression = compression, .profile = "sluice", .options = cJSON_Parse(options), .epoch = 1, .incarnation = 1};
}

static const char name_changed[] = "{}"; /* asks for a column name that is no text */

static bool open_refused(Field field, const char *compression, int level, const char *options, const char *wanted)
{
    Schema schema = {&field, 1};
    FormatSpec spec = spec_of(compression, options);
    Format *format = NULL;
    Buffer out;
    bool refused;

    memcpy(field.name, options == name_changed ? "\xed\xa0" : "v", options == name_changed ? 3 : 2);
    spec.level = level;
    buffer_init(&out, MIB(1));
    refused = format_open(&spec, &schema, (FormatOutput){collect, &out}, &format, &error) < 0;
    format_close(format);
    buffer_free(&out);
    cJSON_Delete((cJSON *)(uintptr_t)spec.options);
    return refused && error.kind == ERROR_PERMANENT && strstr(error.message, wanted) && error.hint[0];
}

static void test_open_refusals(void)
{
    char extension[32];

    check(open_refused((Field){.type = COLUMN_INT32}, "zstd", 0, "{\"bloom_columns\": [\"w\"]}", "\"w\""), "a Bloom column that does not exist is named");
    check(open_refused((Field){.type = COLUMN_BOOLEAN}, "zstd", 0, "{\"bloom_columns\": [\"v\"]}", "\"v\""), "a boolean takes no Bloom filter");
    check(open_refused((Field){.type = COLUMN_INT32}, "zstd", 0, "{\"bloom_columns\": \"v\"}", "bloom_columns"), "Bloom columns are a list");
    check(open_refused((Field){.type = COLUMN_INT32}, "zstd", 0, "{\"row_group_bytes\": 100}", "row_group_bytes"), "a row group has its least size");
    check(open_refused((Field){.type = COLUMN_INT32}, "zstd", 0, "{\"timestamp_precision\": \"nanos\"}", "nanos"), "an unknown precision of times is refused");
    check(open_refused((Field){.type = COLUMN_DECIMAL, .precision = 39}, "zstd", 0, "{}", "\"v\""), "a decimal of 39 digits is refused by name");
    check(open_refused((Field){.type = COLUMN_DECIMAL, .precision = 3, .scale = 4}, "zstd", 0, "{}", "\"v\""), "so is a scale above the digits");
    check(open_refused((Field){.type = COLUMN_INT32, .source_name = "half"}, "zstd", 0, name_changed, "half"), "a name that is not UTF-8 is refused");
    check(open_refused((Field){.type = COLUMN_INT32}, "lz4", 0, "{}", "lz4"), "an unknown compression is refused");
    check(open_refused((Field){.type = COLUMN_INT32}, "snappy", 1, "{}", "snappy"), "snappy has no level");
    check(format_extension("parquet", "snappy", extension, sizeof extension, &error) == 0 && strcmp(extension, "parquet") == 0,
          "the name does not tell the compression, which is the pages'");
    check(format_extension("jsonl", "snappy", extension, sizeof extension, &error) < 0, "snappy is Parquet's alone");
}

/* One row of one value; 0 and the file in `out`, or -1. */
static int land_one(Field field, const char *options, const void *value, size_t length, Buffer *out)
{
    FormatSpec spec = spec_of("none", options);
    ColumnBatch *batch = calloc(1, sizeof *batch);
    Schema schema = {&field, 1};
    Format *format;
    int status;

    memcpy(field.name, "the_column", 11);
    column_batch_init(batch, &schema, 4, VALUE_BYTES_MAX, &error);
    if (column_width(field.type))
        memcpy(column_set_fixed(batch, 0), value, column_width(field.type));
    else
        column_set_bytes(batch, 0, value, length, &error);
    batch->op[0] = 'I';
    memset(batch->position[0], 0xab, 4);
    batch->commit_us[0] = INT64_MIN;
    column_row_end(batch);
    status = format_open(&spec, &schema, (FormatOutput){collect, out}, &format, &error);
    if (status == 0) {
        status = format_write(format, batch, 0, 1, &error);
        if (status == 0)
            status = format_finish(format, &error);
        if (status == 0 && format_size(format) != out->length)
            status = -1;
        format_close(format);
    }
    column_batch_free(batch);
    free(batch);
    cJSON_Delete((cJSON *)(uintptr_t)spec.options);
    return status;
}

static bool lands_with(Field field, const char *options, const void *value, size_t length, const char *part, size_t part_length)
{
    Buffer out;
    bool found;

    buffer_init(&out, MIB(4));
    found = land_one(field, options, value, length, &out) == 0 && memmem(out.data, out.length, part, part_length);
    buffer_free(&out);
    return found;
}

static bool value_refused(Field field, const char *options, const void *value, size_t length)
{
    Buffer out;
    bool refused;

    buffer_init(&out, MIB(4));
    refused = land_one(field, options, value, length, &out) < 0 && strstr(error.message, "\"the_column\"");
    buffer_free(&out);
    return refused;
}

#define LIMIT38 ((__int128)INT64_C(1000000000000000000) * INT64_C(1000000000000000000) * 100)

static void test_values(void)
{
    const char *micros = "{\"timestamp_precision\": \"micros\"}";
    const int64_t fine = INT64_C(17950464001234567), even = INT64_C(17950464001234560), time = INT64_C(452961234567), beyond = INT64_MAX;
    const ColumnInstant instant = {.utc = fine, .offset_minutes = -90};
    const Field seven = {.type = COLUMN_TIMESTAMP, .precision = 7}, six = {.type = COLUMN_TIMESTAMP, .precision = 6};
    __int128 decimal = LIMIT38;
    const int64_t fits = even / 10;
    uint64_t most = UINT64_MAX;

    check(lands_with(seven, "{}", &fine, 0, "2026-11-19T00:00:00.1234567", 27), "datetime2(7) lands as text with all its digits");
    check(lands_with(six, "{}", &even, 0, (const char *)&fits, 8), "six digits land as microseconds");
    check(lands_with(seven, micros, &even, 0, (const char *)&fits, 8), "with micros seven digits do too");
    check(value_refused(seven, micros, &fine, 0), "where the seventh is 0; else the column is named");
    check(lands_with((Field){.type = COLUMN_TIMESTAMPTZ, .precision = 7}, "{}", &instant, 0, "2026-11-18T22:30:00.1234567-01:30", 33), "an offset is kept in text");
    check(lands_with((Field){.type = COLUMN_TIME, .precision = 7}, "{}", &time, 0, "12:34:56.1234567", 16), "a time of day lands as text");
    check(lands_with((Field){.type = COLUMN_TIME, .precision = 3}, micros, &(int64_t){10000}, 0, "00:00:00.001", 12), "with micros too, since Spark has no such type");
    check(lands_with((Field){.type = COLUMN_TIMESTAMPTZ, .precision = 6, .utc = true}, "{}", &(ColumnInstant){.utc = even}, 0, (const char *)&fits, 8),
          "an instant without an offset to keep lands as microseconds");
    check(lands_with(six, "{}", &even, 0, "org.apache.spark.version", 24), "the file says that its days are proleptic");
    check(value_refused(six, "{}", &beyond, 0), "a year beyond 9999 is refused");
    check(value_refused((Field){.type = COLUMN_DECIMAL, .precision = 38}, "{}", &decimal, 0), "a decimal beyond its digits is refused");
    decimal = -(LIMIT38 - 1);
    check(lands_with((Field){.type = COLUMN_DECIMAL, .precision = 38}, "{}", &decimal, 0,
                     "\xb4\xc4\xb3\x57\xa5\x79\x3b\x85\xf6\x75\xdd\xc0\x00\x00\x00\x01", 16),
          "the least decimal of 38 digits is 16 bytes, big-endian");
    decimal = -1;
    check(lands_with((Field){.type = COLUMN_DECIMAL, .precision = 19}, "{}", &decimal, 0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9), "one of 19 digits takes 9");
    check(lands_with((Field){.type = COLUMN_UINT64}, "{}", &most, 0, "\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9), "unsigned 64 bits are a decimal of 20 digits");
    check(value_refused((Field){.type = COLUMN_STRING}, "{}", "a\xed\xa0\x80", 4), "half of a surrogate pair is refused, naming the column");
    check(strstr(error.message, "abababab") && strstr(error.message, "byte 2") && error.hint[0], "and position and byte, with a hint");
    check(value_refused((Field){.type = COLUMN_STRING}, "{}", "\xff", 1), "so is what is no UTF-8");
    check(lands_with((Field){.type = COLUMN_BINARY}, "{}", "\xff\x00\xed\xa0\x80", 5, "\xff\x00\xed\xa0\x80", 5), "bytes may be anything");
}

static void test_zero_rows(void)
{
    Field fields[] = {{.name = "a", .type = COLUMN_INT64}, {.name = "b", .type = COLUMN_STRING}};
    Schema schema = {fields, 2};
    FormatSpec spec = spec_of("zstd", "{}");
    Format *format;
    uint32_t length = 0;
    Buffer out;

    buffer_init(&out, MIB(1));
    check(format_open(&spec, &schema, (FormatOutput){collect, &out}, &format, &error) == 0 && format_finish(format, &error) == 0, "a file without rows is closed");
    if (out.length > 12)
        memcpy(&length, out.data + out.length - 8, 4);
    check(out.length > 12 && memcmp(out.data, "PAR1", 4) == 0 && memcmp(out.data + out.length - 4, "PAR1", 4) == 0 && length == out.length - 12,
          "and holds its schema, and nothing else");
    format_close(format);
    buffer_free(&out);
    cJSON_Delete((cJSON *)(uintptr_t)spec.options);
}

int main(void)
{
    test_thrift();
    test_hybrid();
    test_delta();
    test_bytes();
    test_real_bounds();
    test_byte_bounds();
    test_bloom();
    test_open_refusals();
    test_values();
    test_zero_rows();
    return check_end();
}
