/*
 * debezium.h - JSON lines, profile "debezium": one change event a line, as Debezium's SQL Server connector 3.2 has Kafka
 * Connect's JsonConverter write its values. Inside format/ only.
 *
 * Facts: the connector's documentation, "Data change events" and "Data type mappings"
 * (debezium.io/documentation/reference/3.2/connectors/sqlserver.html). docs/debezium.md lists where this file says more or
 * something else than the connector: nothing is ever lost in silence here.
 */
#ifndef SLUICE_DEBEZIUM_H
#define SLUICE_DEBEZIUM_H

#include "format/jsonl.h"

#define DEBEZIUM_UNAVAILABLE "__debezium_unavailable_value" /* in the place of a value that the source did not log */
#define DEBEZIUM_VALUE_MAX 96 /* bytes of a value of fixed width or of the placeholder, with quotes and what may be written beyond */

/* How a value is written. */
typedef enum DebeziumForm {
    DEBEZIUM_PLAIN,          /* as in profile sluice: boolean, integers, floats */
    DEBEZIUM_DECIMAL_BYTES,  /* base64 of the unscaled value, big-endian two's complement, fewest bytes */
    DEBEZIUM_DECIMAL_DOUBLE,
    DEBEZIUM_DECIMAL_STRING,
    DEBEZIUM_DAYS,
    DEBEZIUM_MILLISECONDS,   /* of a day or since 1970, rounded down */
    DEBEZIUM_MICROSECONDS,
    DEBEZIUM_NANOSECONDS,
    DEBEZIUM_ISO_DATE,       /* "2018-06-20Z" */
    DEBEZIUM_ISO_TIME,       /* "15:13:16.9451Z" */
    DEBEZIUM_ISO_TIMESTAMP,  /* "2018-06-20T15:13:16.9451Z" */
    DEBEZIUM_ZONED,          /* "2018-06-20T15:13:16.9451+02:00" */
    DEBEZIUM_UUID,           /* upper case */
    DEBEZIUM_STRING,
    DEBEZIUM_BASE64,
    DEBEZIUM_BASE64_URL,
    DEBEZIUM_HEX
} DebeziumForm;

/* A column's type in the event: its form and what the event's schema says of it. */
typedef struct DebeziumType {
    DebeziumForm form;
    const char *literal;  /* "int64" */
    const char *semantic; /* "io.debezium.time.Timestamp", NULL where the literal says all */
} DebeziumType;

typedef struct DebeziumOptions {
    const char *decimal;      /* precise, double, string */
    const char *time;         /* adaptive, adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds */
    const char *binary;       /* bytes, base64, base64-url-safe, hex */
    bool schemas;             /* each line is {"schema": ..., "payload": ...} */
    const char *topic_prefix; /* source.name, and what names of schemas begin with */
} DebeziumOptions;

/* ERROR_PERMANENT for a mode that is none of Debezium's. What the options do not say is Debezium's default; topic_prefix then is the
 * source's name. */
int debezium_options(const FormatSpec *spec, DebeziumOptions *ret, Error *error);
DebeziumType debezium_type(const Field *field, const DebeziumOptions *options);
/* The text of a value of fixed width at `text`, where DEBEZIUM_VALUE_MAX bytes are free; *end is where it stopped. */
int debezium_value(JsonlColumn *column, DebeziumForm form, const uint8_t *value, char *text, char **end, Error *error);
/* A piece of a binary value, without quotes; `length` is a multiple of 3 but for the last piece. At most 2 * length + 4 bytes. */
char *debezium_bytes(DebeziumForm form, const uint8_t *data, size_t length, char *text);
/* A JSON string, quotes and escapes included. */
int debezium_quote(const char *value, Buffer *ret, Error *error);
/* `{"schema":...,"payload":`: what stands before each event where schemas are asked for. */
int debezium_schema(const FormatSpec *spec, const DebeziumOptions *options, const Schema *schema, Buffer *ret, Error *error);

#endif
