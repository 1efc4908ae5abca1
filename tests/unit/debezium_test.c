/* debezium_test.c - every type in each of Debezium's modes, and whole events. Wanted values: the examples of the connector's
 * documentation ("Data type mappings") and what java.math.BigInteger and java.time say of the extremes. */
#include "base/clock.h"
#include "check.h"
#include "land.h"

#include <stdlib.h>

#define TICKS INT64_C(10000000)

static FormatSpec spec_of(const cJSON *options)
{
    return (FormatSpec){.format = "jsonl",
                        .compression = "none",
                        .profile = "debezium",
                        .options = options,
                        .epoch = 1,
                        .incarnation = 1,
                        .source_kind = "sqlserver",
                        .source = "erp",
                        .database = "ERP",
                        .schema = "dbo",
                        .table = "orders"};
}

static int land_as(const ColumnBatch *batch, const cJSON *options)
{
    const FormatSpec spec = spec_of(options);

    return land(batch, &spec);
}

static ColumnBatch *batch_new(const Schema *schema)
{
    ColumnBatch *batch = calloc(1, sizeof *batch);

    column_batch_init(batch, schema, 25, VALUE_BYTES_MAX, &error);
    return batch;
}

static void batch_drop(ColumnBatch *batch)
{
    column_batch_free(batch);
    free(batch);
}

/* Position of a change: commit LSN and seqval that end in these bytes. */
static void position_set(uint8_t *position, uint8_t lsn, uint8_t seqval, uint8_t operation)
{
    memset(position, 0, 25);
    position[3] = 0x27;
    position[6] = 0x07;
    position[7] = 0x58;
    position[9] = lsn;
    memcpy(position + 14, position, 10);
    position[23] = seqval;
    position[24] = operation;
}

static void row_end(ColumnBatch *batch, char op, uint8_t lsn, uint8_t seqval)
{
    batch->op[batch->rows] = op;
    batch->commit_us[batch->rows] = 1559729468470000;
    position_set(batch->position[batch->rows], lsn, seqval, op == 'D' ? 1 : op == 'I' ? 2 : op == 'B' ? 3 : 4);
    column_row_end(batch);
}

/* One column "v" of one created row, as text. */
static const char *value_text(Field field, const cJSON *options, const void *value, size_t length)
{
    static char text[512];
    Schema schema = {&field, 1};
    ColumnBatch *batch;
    char *start, *end;

    memcpy(field.name, "v", 2);
    batch = batch_new(&schema);
    snprintf(text, sizeof text, "(failed)");
    if (column_width(field.type))
        memcpy(column_set_fixed(batch, 0), value, column_width(field.type));
    else
        column_set_bytes(batch, 0, value, length, &error);
    row_end(batch, 'I', 5, 3);
    if (land_as(batch, options) == 0) {
        start = strstr(landed.data, "\"after\":{\"v\":") + strlen("\"after\":{\"v\":");
        end = strstr(start, "},\"source\"");
        snprintf(text, sizeof text, "%.*s", (int)(end - start), start);
    }
    batch_drop(batch);
    return text;
}

/* mode: "name=value" of one option, "" for the defaults. */
static void check_value(Field field, const char *mode, const void *value, size_t length, const char *wanted)
{
    const char *equals = strchr(mode, '=');
    cJSON *options = cJSON_CreateObject();
    char name[256], key[64];

    if (equals) {
        snprintf(key, sizeof key, "%.*s", (int)(equals - mode), mode);
        cJSON_AddStringToObject(options, key, equals + 1);
    }
    snprintf(name, sizeof name, "%s(%d) %s is %.120s", column_type_name(field.type), field.precision, mode, wanted);
    check_text(value_text(field, options, value, length), wanted, name);
    cJSON_Delete(options);
}

#define FIXED(field_type, c_type, value, wanted) \
    do { c_type fixed_value = value; check_value((Field){.type = field_type}, "", &fixed_value, 0, wanted); } while (0)

static void test_plain(void)
{
    static const uint8_t uuid[16] = {0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0x00, 0xcf, 0x4f, 0xc9, 0x64, 0xff};

    FIXED(COLUMN_BOOLEAN, uint8_t, 1, "true");
    FIXED(COLUMN_INT16, int16_t, 255, "255");
    FIXED(COLUMN_INT32, int32_t, INT32_MIN, "-2147483648");
    FIXED(COLUMN_INT64, int64_t, INT64_MAX, "9223372036854775807");
    FIXED(COLUMN_FLOAT32, float, 4.323f, "4.323");
    FIXED(COLUMN_FLOAT64, double, 3.323, "3.323");
    check_value((Field){.type = COLUMN_UUID}, "", uuid, 0, "\"6F9619FF-8B86-D011-B42D-00CF4FC964FF\"");
    check_value((Field){.type = COLUMN_STRING}, "", "gr\xc3\xbc\xc3\x9f \"x\"\n", 11, "\"gr\xc3\xbc\xc3\x9f \\\"x\\\"\\n\"");
    check_value((Field){.type = COLUMN_STRING}, "", "", 0, "\"\"");
}

static void decimal_value(__int128 unscaled, int scale, const char *mode, const char *wanted)
{
    check_value((Field){.type = COLUMN_DECIMAL, .precision = 38, .scale = (uint8_t)scale}, mode, &unscaled, 0, wanted);
}

static void test_decimals(void)
{
    __int128 nines = 0;

    for (int i = 0; i < 38; i++)
        nines = nines * 10 + 9;
    decimal_value(0, 2, "", "\"AA==\"");
    decimal_value(1, 2, "", "\"AQ==\"");
    decimal_value(-1, 2, "", "\"/w==\"");
    decimal_value(127, 0, "", "\"fw==\"");
    decimal_value(128, 0, "", "\"AIA=\"");
    decimal_value(-128, 0, "", "\"gA==\"");
    decimal_value(-129, 0, "", "\"/38=\"");
    decimal_value(1123, 3, "", "\"BGM=\"");
    decimal_value(63230, 4, "", "\"APb+\"");
    decimal_value(nines, 0, "", "\"SztMqFqGxHoJiiI//////w==\"");
    decimal_value(-nines, 0, "", "\"tMSzV6V5O4X2dd3AAAAAAQ==\"");
    decimal_value(-12345, 2, "decimal_handling_mode=string", "\"-123.45\"");
    decimal_value(nines, 38, "decimal_handling_mode=string", "\"0.99999999999999999999999999999999999999\"");
    decimal_value(-12345, 2, "decimal_handling_mode=double", "-123.45");
    decimal_value(1, 1, "decimal_handling_mode=double", "0.1");
    decimal_value(1, 0, "decimal_handling_mode=exact", "(failed)");
}

static void tick_value(ColumnType type, int precision, const char *mode, int64_t ticks, const char *wanted)
{
    char option[80] = "";

    if (mode[0])
        snprintf(option, sizeof option, "time_precision_mode=%s", mode);
    check_value((Field){.type = type, .precision = (uint8_t)precision}, option, &ticks, 0, wanted);
}

static void test_days_and_times(void)
{
    int32_t day = 17725; /* 2018-07-13 */
    int64_t time = 374256789012; /* 10:23:45.6789012 */

    FIXED(COLUMN_DATE, int32_t, 17725, "17725");
    FIXED(COLUMN_DATE, int32_t, (int32_t)clock_days_from_civil(1, 1, 1), "-719162");
    check_value((Field){.type = COLUMN_DATE}, "time_precision_mode=connect", &day, 0, "17725");
    check_value((Field){.type = COLUMN_DATE}, "time_precision_mode=isostring", &day, 0, "\"2018-07-13Z\"");
    tick_value(COLUMN_TIME, 2, "", 374256800000, "37425680");
    tick_value(COLUMN_TIME, 4, "", 374256789000, "37425678900");
    tick_value(COLUMN_TIME, 7, "", time, "37425678901200");
    tick_value(COLUMN_TIME, 7, "connect", time, "37425678");
    tick_value(COLUMN_TIME, 0, "adaptive_time_microseconds", 374250000000, "37425000000");
    tick_value(COLUMN_TIME, 7, "microseconds", time, "37425678901");
    tick_value(COLUMN_TIME, 0, "nanoseconds", 374250000000, "37425000000000");
    tick_value(COLUMN_TIME, 7, "isostring", time, "\"10:23:45.6789012Z\"");
    tick_value(COLUMN_TIME, 7, "isostring", 0, "\"00:00:00Z\"");
    tick_value(COLUMN_TIME, 7, "sometimes", 0, "(failed)");
}

static void test_timestamps(void)
{
    int64_t moment = (clock_days_from_civil(2018, 6, 20) * 86400 + 54796) * TICKS + 9451040; /* 15:13:16.945104 */
    int64_t first = clock_days_from_civil(1, 1, 1) * 86400 * TICKS;
    int64_t last = (clock_days_from_civil(9999, 12, 31) + 1) * 86400 * TICKS - 1;

    tick_value(COLUMN_TIMESTAMP, 6, "", moment, "1529507596945104");
    tick_value(COLUMN_TIMESTAMP, 3, "", moment, "1529507596945");
    tick_value(COLUMN_TIMESTAMP, 0, "", 0, "0");
    tick_value(COLUMN_TIMESTAMP, 7, "", moment + 1, "1529507596945104100");
    tick_value(COLUMN_TIMESTAMP, 7, "adaptive_time_microseconds", moment, "1529507596945104000");
    tick_value(COLUMN_TIMESTAMP, 7, "connect", moment, "1529507596945");
    tick_value(COLUMN_TIMESTAMP, 3, "connect", -1, "-1");
    tick_value(COLUMN_TIMESTAMP, 3, "microseconds", moment, "1529507596945104");
    tick_value(COLUMN_TIMESTAMP, 3, "nanoseconds", 0, "0");
    tick_value(COLUMN_TIMESTAMP, 7, "isostring", moment, "\"2018-06-20T15:13:16.945104Z\"");
    tick_value(COLUMN_TIMESTAMP, 7, "isostring", first, "\"0001-01-01T00:00:00Z\"");
    /* 64 bits are too few here: the number is right all the same. */
    tick_value(COLUMN_TIMESTAMP, 7, "", first, "-62135596800000000000");
    tick_value(COLUMN_TIMESTAMP, 7, "", last, "253402300799999999900");
}

static void instant_value(int64_t utc, int offset, const char *wanted)
{
    ColumnInstant instant;

    memset(&instant, 0, sizeof instant);
    instant.utc = utc;
    instant.offset_minutes = (int16_t)offset;
    check_value((Field){.type = COLUMN_TIMESTAMPTZ, .precision = 7}, "", &instant, 0, wanted);
}

static void test_instants(void)
{
    int64_t moment = (clock_days_from_civil(2018, 7, 13) * 86400 + 44625 - 11 * 3600) * TICKS + 4560000;

    instant_value(moment, 660, "\"2018-07-13T12:23:45.456+11:00\"");
    instant_value(moment, 0, "\"2018-07-13T01:23:45.456Z\"");
    instant_value(0, -570, "\"1969-12-31T14:30:00-09:30\"");
    instant_value(-5000000, 0, "\"1969-12-31T23:59:59.5Z\"");
    instant_value(INT64_MAX, 0, "(failed)");
}

static void bytes_value(const char *mode, const char *data, size_t length, const char *wanted)
{
    check_value((Field){.type = COLUMN_BINARY}, mode, data, length, wanted);
}

static void test_bytes(void)
{
    bytes_value("", "\xff\xff\xfe", 3, "\"///+\"");
    bytes_value("binary_handling_mode=bytes", "fo", 2, "\"Zm8=\"");
    bytes_value("binary_handling_mode=base64", "\xff\xff\xfe", 3, "\"///+\"");
    bytes_value("binary_handling_mode=base64-url-safe", "\xff\xff\xfe", 3, "\"___-\"");
    bytes_value("binary_handling_mode=hex", "\x00\xab\xcd", 3, "\"00abcd\"");
    bytes_value("binary_handling_mode=hex", "", 0, "\"\"");
    bytes_value("binary_handling_mode=octal", "", 0, "(failed)");
}

/* The event's own ts_ms is the clock's: it is taken out, after it was seen to be now. */
static void clock_take(char *text)
{
    char *at;

    while ((at = strstr(text, "\"op\":\""))) {
        char *end = strchr(at, '}');

        check(llabs(atoll(strchr(at + 9, ':') + 1) - clock_wall_us() / 1000) < 600000, "an event's ts_ms is the time it was written");
        at[1] = 'O';
        memmove(at + 8, end, strlen(end) + 1);
    }
}

static void row_set(ColumnBatch *batch, int32_t id, const char *name)
{
    memcpy(column_set_fixed(batch, 0), &id, 4);
    if (name)
        column_set_bytes(batch, 1, name, strlen(name), &error);
    else
        column_set_null(batch, 1, true);
}

#define SOURCE(snapshot, change, commit, serial)                                                                                              \
    "\"source\":{\"version\":\"sluice-" SLUICE_VERSION "\",\"connector\":\"sqlserver\",\"name\":\"erp\",\"ts_ms\":1559729468470,"            \
    "\"snapshot\":\"" snapshot "\",\"db\":\"ERP\",\"sequence\":null,\"ts_us\":1559729468470000,\"ts_ns\":1559729468470000000,"               \
    "\"schema\":\"dbo\",\"table\":\"orders\",\"change_lsn\":" change ",\"commit_lsn\":" commit ",\"event_serial_no\":" serial "},"            \
    "\"transaction\":null,\"Op\":\""

static void test_events(void)
{
    Field fields[] = {{.name = "id", .type = COLUMN_INT32, .key_ordinal = 1}, {.name = "na\"me", .type = COLUMN_STRING, .large = true}};
    Schema schema = {fields, 2};
    ColumnBatch *batch = batch_new(&schema);

    row_set(batch, 1, "loaded");
    row_end(batch, 'R', 5, 0);
    memset(batch->position[0] + 10, 0xf0, 15);
    row_set(batch, 2, "old");
    row_end(batch, 'B', 5, 3);
    row_set(batch, 2, "new");
    row_end(batch, 'U', 5, 3);
    row_set(batch, 2, NULL);
    row_end(batch, 'D', 6, 4);
    row_set(batch, 3, "moved");
    row_end(batch, 'I', 6, 4);
    check(land_as(batch, NULL) == 0, "a batch of all kinds of rows is written");
    clock_take(landed.data);
    check_text(landed.data,
               "{\"before\":null,\"after\":{\"id\":1,\"na\\\"me\":\"loaded\"}," SOURCE("true", "null", "\"00000027:00000758:0005\"", "null") "r\"}\n"
               "{\"before\":{\"id\":2,\"na\\\"me\":\"old\"},\"after\":{\"id\":2,\"na\\\"me\":\"new\"},"
               SOURCE("false", "\"00000027:00000758:0003\"", "\"00000027:00000758:0005\"", "2") "u\"}\n"
               "{\"before\":{\"id\":2,\"na\\\"me\":\"__debezium_unavailable_value\"},\"after\":null,"
               SOURCE("false", "\"00000027:00000758:0004\"", "\"00000027:00000758:0006\"", "1") "d\"}\n"
               "{\"before\":null,\"after\":{\"id\":3,\"na\\\"me\":\"moved\"},"
               SOURCE("false", "\"00000027:00000758:0004\"", "\"00000027:00000758:0006\"", "2") "c\"}\n",
               "loaded, updated, deleted and created rows are events r, u, d, c");
    batch_drop(batch);
}

static void test_schema(void)
{
    Field fields[] = {{.name = "id", .type = COLUMN_INT32},
                      {.name = "price", .type = COLUMN_DECIMAL, .precision = 19, .scale = 4, .nullable = true},
                      {.name = "raw", .type = COLUMN_BINARY, .nullable = true, .large = true}};
    Schema schema = {fields, 3};
    cJSON *options = cJSON_Parse("{\"schemas_enable\":true,\"topic_prefix\":\"server1\",\"binary_handling_mode\":\"hex\"}"), *event, *image;
    ColumnBatch *batch = batch_new(&schema);
    int32_t id = 1;

    memcpy(column_set_fixed(batch, 0), &id, 4);
    column_set_null(batch, 1, false);
    column_set_null(batch, 2, true);
    row_end(batch, 'I', 5, 3);
    check(land_as(batch, options) == 0 && landed.data[landed.length - 1] == '\n', "an event with its schema is written");
    event = cJSON_Parse(landed.data);
    image = cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(event, "schema"), "fields"), 1);
    char *fields_text = cJSON_PrintUnformatted(cJSON_GetObjectItem(image, "fields"));
    check_text(fields_text,
               "[{\"type\":\"int32\",\"optional\":false,\"field\":\"id\"},{\"type\":\"bytes\",\"optional\":true,"
               "\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"4\","
               "\"connect.decimal.precision\":\"19\"},\"field\":\"price\"},{\"type\":\"string\",\"optional\":true,\"field\":\"raw\"}]",
               "the schema names each column's type, with the scale of a decimal");
    check_text(cJSON_GetStringValue(cJSON_GetObjectItem(image, "name")), "server1.ERP.dbo.orders.Value", "a schema's name begins with the topic");
    image = cJSON_GetObjectItem(cJSON_GetObjectItem(event, "payload"), "after");
    check_text(cJSON_GetStringValue(cJSON_GetObjectItem(image, "raw")), "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565",
               "bytes that were not logged are the placeholder's, in the mode's text");
    free(fields_text);
    cJSON_Delete(event);
    cJSON_Delete(options);
    batch_drop(batch);
}

/* Values longer than a slice, and a schema longer than the stage. */
static void test_large(void)
{
    static Field fields[600];
    Schema schema = {fields, 600};
    cJSON *options = cJSON_Parse("{\"schemas_enable\":true,\"binary_handling_mode\":\"hex\"}"), *event, *after;
    size_t size = 1000001;
    char *data = malloc(size);
    ColumnBatch *batch;

    memset(data, '"', size);
    for (int i = 0; i < 600; i++) {
        snprintf(fields[i].name, sizeof fields[i].name, "a_column_with_a_longish_name_%d", i);
        fields[i].type = i == 0 ? COLUMN_STRING : i == 1 ? COLUMN_BINARY : COLUMN_INT64;
    }
    batch = batch_new(&schema);
    for (int row = 0; row < 2; row++) {
        column_set_bytes(batch, 0, data, size, &error);
        column_set_bytes(batch, 1, data, size, &error);
        for (int i = 2; i < 600; i++)
            memset(column_set_fixed(batch, i), 0x7f, 8);
        row_end(batch, row ? 'U' : 'B', 5, 3);
    }
    check(land_as(batch, options) == 0, "large values and a large schema are written");
    event = cJSON_Parse(landed.data);
    after = cJSON_GetObjectItem(cJSON_GetObjectItem(event, "payload"), "after");
    check(after && strlen(cJSON_GetStringValue(cJSON_GetObjectItem(after, fields[0].name))) == size &&
              strlen(cJSON_GetStringValue(cJSON_GetObjectItem(after, fields[1].name))) == 2 * size,
          "and read back whole");
    cJSON_Delete(event);
    cJSON_Delete(options);
    batch_drop(batch);
    free(data);
}

static void test_refusals(void)
{
    Field field = {.name = "v", .type = COLUMN_INT32};
    Schema schema = {&field, 1};
    FormatSpec spec = spec_of(NULL);
    Format *format;

    spec.source_kind = "mysql";
    check(format_open(&spec, &schema, (FormatOutput){land_collect, &landed}, &format, &error) < 0 && error.kind == ERROR_PERMANENT,
          "a source whose envelope is not known is refused");
}

int main(void)
{
    buffer_init(&landed, MIB(256));
    test_plain();
    test_decimals();
    test_days_and_times();
    test_timestamps();
    test_instants();
    test_bytes();
    test_events();
    test_schema();
    test_large();
    test_refusals();
    buffer_free(&landed);
    return check_end();
}
