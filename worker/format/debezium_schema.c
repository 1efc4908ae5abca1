/*
 * debezium_schema.c - which type a column has in the event, by the modes chosen, and the event's schema; see debezium.h
 *
 * The schema is Kafka Connect's as JsonConverter writes it (schemas.enable). Column defaults are not in it: the registry does not know
 * them, and the connector uses them to put the default in the place of a NULL.
 */
#include "format/debezium.h"

#include <stdio.h>
#include <string.h>

/* The value of an option, which must be one of `known`; the first is the default. */
static int choice(const FormatSpec *spec, const char *name, const char *const *known, const char **ret, Error *error)
{
    const char *value = json_text(spec->options, name, known[0]);

    for (int i = 0; known[i]; i++) {
        if (strcmp(known[i], value) == 0) {
            *ret = known[i];
            return 0;
        }
    }
    return error_set(error, ERROR_PERMANENT, "SELECT * FROM sluice.option WHERE scope = 'table' lists the modes.",
                     "option %s has no value \"%.60s\"", name, value);
}

int debezium_options(const FormatSpec *spec, DebeziumOptions *ret, Error *error)
{
    static const char *const decimal[] = {"precise", "double", "string", NULL};
    static const char *const time[] = {"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds", NULL};
    static const char *const binary[] = {"bytes", "base64", "base64-url-safe", "hex", NULL};

    ret->schemas = json_boolean(spec->options, "schemas_enable", false);
    ret->topic_prefix = json_text(spec->options, "topic_prefix", spec->source ? spec->source : "");
    if (choice(spec, "decimal_handling_mode", decimal, &ret->decimal, error) < 0 ||
        choice(spec, "time_precision_mode", time, &ret->time, error) < 0 ||
        choice(spec, "binary_handling_mode", binary, &ret->binary, error) < 0)
        return -1;
    return 0;
}

static DebeziumType decimal_type(const char *mode)
{
    if (mode[0] == 'd')
        return (DebeziumType){DEBEZIUM_DECIMAL_DOUBLE, "double", NULL};
    if (mode[0] == 's')
        return (DebeziumType){DEBEZIUM_DECIMAL_STRING, "string", NULL};
    return (DebeziumType){DEBEZIUM_DECIMAL_BYTES, "bytes", "org.apache.kafka.connect.data.Decimal"};
}

static DebeziumType date_type(const char *mode)
{
    if (strcmp(mode, "isostring") == 0)
        return (DebeziumType){DEBEZIUM_ISO_DATE, "string", "io.debezium.time.IsoDate"};
    if (strcmp(mode, "connect") == 0)
        return (DebeziumType){DEBEZIUM_DAYS, "int32", "org.apache.kafka.connect.data.Date"};
    return (DebeziumType){DEBEZIUM_DAYS, "int32", "io.debezium.time.Date"};
}

/* The modes that name a unit have it for all; the adaptive ones take the one that holds the column's fractional digits. */
static DebeziumForm unit_of(const char *mode, int digits)
{
    if (strcmp(mode, "microseconds") == 0)
        return DEBEZIUM_MICROSECONDS;
    if (strcmp(mode, "nanoseconds") == 0)
        return DEBEZIUM_NANOSECONDS;
    return digits <= 3 ? DEBEZIUM_MILLISECONDS : digits <= 6 ? DEBEZIUM_MICROSECONDS : DEBEZIUM_NANOSECONDS;
}

static DebeziumType time_type(const char *mode, int digits)
{
    DebeziumForm unit = strcmp(mode, "adaptive_time_microseconds") == 0 ? DEBEZIUM_MICROSECONDS : unit_of(mode, digits);

    if (strcmp(mode, "isostring") == 0)
        return (DebeziumType){DEBEZIUM_ISO_TIME, "string", "io.debezium.time.IsoTime"};
    if (strcmp(mode, "connect") == 0)
        return (DebeziumType){DEBEZIUM_MILLISECONDS, "int32", "org.apache.kafka.connect.data.Time"};
    if (unit == DEBEZIUM_MILLISECONDS)
        return (DebeziumType){unit, "int32", "io.debezium.time.Time"};
    return (DebeziumType){unit, "int64", unit == DEBEZIUM_MICROSECONDS ? "io.debezium.time.MicroTime" : "io.debezium.time.NanoTime"};
}

static DebeziumType timestamp_type(const char *mode, int digits)
{
    DebeziumForm unit = unit_of(mode, digits);

    if (strcmp(mode, "isostring") == 0)
        return (DebeziumType){DEBEZIUM_ISO_TIMESTAMP, "string", "io.debezium.time.IsoTimestamp"};
    if (strcmp(mode, "connect") == 0)
        return (DebeziumType){DEBEZIUM_MILLISECONDS, "int64", "org.apache.kafka.connect.data.Timestamp"};
    return (DebeziumType){unit, "int64",
                          unit == DEBEZIUM_MILLISECONDS   ? "io.debezium.time.Timestamp"
                          : unit == DEBEZIUM_MICROSECONDS ? "io.debezium.time.MicroTimestamp"
                                                          : "io.debezium.time.NanoTimestamp"};
}

static DebeziumType binary_type(const char *mode)
{
    if (strcmp(mode, "hex") == 0)
        return (DebeziumType){DEBEZIUM_HEX, "string", NULL};
    if (strcmp(mode, "base64-url-safe") == 0)
        return (DebeziumType){DEBEZIUM_BASE64_URL, "string", NULL};
    return (DebeziumType){DEBEZIUM_BASE64, mode[1] == 'y' ? "bytes" : "string", NULL};
}

DebeziumType debezium_type(const Field *field, const DebeziumOptions *options)
{
    static const DebeziumType plain[] = {
        [COLUMN_BOOLEAN] = {DEBEZIUM_PLAIN, "boolean", NULL},
        [COLUMN_INT16] = {DEBEZIUM_PLAIN, "int16", NULL},
        [COLUMN_INT32] = {DEBEZIUM_PLAIN, "int32", NULL},
        [COLUMN_INT64] = {DEBEZIUM_PLAIN, "int64", NULL},
        [COLUMN_UINT64] = {DEBEZIUM_PLAIN, "int64", NULL},
        [COLUMN_FLOAT32] = {DEBEZIUM_PLAIN, "float", NULL},
        [COLUMN_FLOAT64] = {DEBEZIUM_PLAIN, "double", NULL},
        [COLUMN_TIMESTAMPTZ] = {DEBEZIUM_ZONED, "string", "io.debezium.time.ZonedTimestamp"},
        [COLUMN_STRING] = {DEBEZIUM_STRING, "string", NULL},
        [COLUMN_UUID] = {DEBEZIUM_UUID, "string", NULL},
    };

    switch (field->type) {
    case COLUMN_DECIMAL:
        return decimal_type(options->decimal);
    case COLUMN_DATE:
        return date_type(options->time);
    case COLUMN_TIME:
        return time_type(options->time, field->precision);
    case COLUMN_TIMESTAMP:
        return timestamp_type(options->time, field->precision);
    case COLUMN_BINARY:
        return binary_type(options->binary);
    default:
        break;
    }
    return plain[field->type];
}

static int column_schema(const Field *field, const DebeziumOptions *options, Buffer *ret, Error *error)
{
    DebeziumType type = debezium_type(field, options);

    if (buffer_format(ret, error, "{\"type\":\"%s\",\"optional\":%s", type.literal, field->nullable ? "true" : "false") < 0)
        return -1;
    if (type.semantic && buffer_format(ret, error, ",\"name\":\"%s\",\"version\":1", type.semantic) < 0)
        return -1;
    if (type.form == DEBEZIUM_DECIMAL_BYTES &&
        buffer_format(ret, error, ",\"parameters\":{\"scale\":\"%d\",\"connect.decimal.precision\":\"%d\"}", field->scale, field->precision) < 0)
        return -1;
    if (buffer_text(ret, ",\"field\":", error) < 0 || debezium_quote(field->name, ret, error) < 0)
        return -1;
    return buffer_text(ret, "}", error);
}

/* A topic holds letters, digits, dot, dash and underscore; a character that is none of them, which in Java is a UTF-16 unit, becomes _. */
static void topic_clean(char *name)
{
    char *to = name;

    for (const uint8_t *at = (const uint8_t *)name; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '_';

        if ((*at & 0xc0) == 0x80)
            continue;
        *to++ = plain ? (char)*at : '_';
        if (*at >= 0xf0)
            *to++ = '_';
    }
    *to = '\0';
}

/* The names of Debezium's schemas begin with the topic: prefix, database, schema, table. */
static int topic_name(const FormatSpec *spec, const DebeziumOptions *options, const char *kind, Buffer *ret, Error *error)
{
    char name[1600];

    snprintf(name, sizeof name, "%.255s.%.255s.%.255s.%.255s.%s", options->topic_prefix, spec->database ? spec->database : "",
             spec->schema ? spec->schema : "", spec->table ? spec->table : "", kind);
    topic_clean(name);
    return debezium_quote(name, ret, error);
}

static int image_schema(const FormatSpec *spec, const DebeziumOptions *options, const Schema *schema, const char *field, Buffer *ret, Error *error)
{
    if (buffer_text(ret, "{\"type\":\"struct\",\"fields\":[", error) < 0)
        return -1;
    for (int i = 0; i < schema->count; i++) {
        if ((i && buffer_text(ret, ",", error) < 0) || column_schema(&schema->fields[i], options, ret, error) < 0)
            return -1;
    }
    if (buffer_text(ret, "],\"optional\":true,\"name\":", error) < 0 || topic_name(spec, options, "Value", ret, error) < 0)
        return -1;
    return buffer_format(ret, error, ",\"field\":\"%s\"},", field);
}

static const char source_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"version\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"connector\"},{\"type\":\"string\",\"optional\":false,\"field\":\"name\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"},{\"type\":\"string\",\"optional\":true,"
    "\"name\":\"io.debezium.data.Enum\",\"version\":1,\"parameters\":{\"allowed\":"
    "\"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental\"},\"default\":\"false\",\"field\":\"snapshot\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"db\"},{\"type\":\"string\",\"optional\":true,\"field\":\"sequence\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"schema\"},{\"type\":\"string\",\"optional\":false,\"field\":\"table\"},"
    "{\"type\":\"string\",\"optional\":true,\"field\":\"change_lsn\"},{\"type\":\"string\",\"optional\":true,\"field\":\"commit_lsn\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"event_serial_no\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.sqlserver.Source\",\"version\":1,\"field\":\"source\"},";

static const char rest_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"total_order\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"data_collection_order\"}],\"optional\":true,\"name\":\"event.block\",\"version\":1,"
    "\"field\":\"transaction\"},{\"type\":\"string\",\"optional\":false,\"field\":\"op\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ms\"},{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"}],\"optional\":false,\"name\":";

int debezium_schema(const FormatSpec *spec, const DebeziumOptions *options, const Schema *schema, Buffer *ret, Error *error)
{
    if (buffer_text(ret, "{\"schema\":{\"type\":\"struct\",\"fields\":[", error) < 0 ||
        image_schema(spec, options, schema, "before", ret, error) < 0 || image_schema(spec, options, schema, "after", ret, error) < 0 ||
        buffer_text(ret, source_schema, error) < 0 || buffer_text(ret, rest_schema, error) < 0 ||
        topic_name(spec, options, "Envelope", ret, error) < 0)
        return -1;
    return buffer_text(ret, ",\"version\":2},\"payload\":", error);
}
