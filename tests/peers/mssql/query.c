#include "query.h"

#include "variant.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIME = 1083,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_UUID = 2950
};
enum { CHUNK_BYTES = 256 * 1024, CHUNK_ROWS_MAX = 2000, CHUNK_ROWS_FIRST = 16 };

TypeInfo native_type_of(Oid oid)
{
    switch (oid) {
    case OID_BOOL:
        return (TypeInfo){.type = TYPE_BIT, .max_length = 1, .precision = 1};
    case OID_INT2:
        return (TypeInfo){.type = TYPE_SMALLINT, .max_length = 2, .precision = 5};
    case OID_INT4:
        return (TypeInfo){.type = TYPE_INT, .max_length = 4, .precision = 10};
    case OID_INT8:
    case OID_OID:
        return (TypeInfo){.type = TYPE_BIGINT, .max_length = 8, .precision = 19};
    case OID_FLOAT4:
        return (TypeInfo){.type = TYPE_REAL, .max_length = 4, .precision = 24};
    case OID_FLOAT8:
        return (TypeInfo){.type = TYPE_FLOAT, .max_length = 8, .precision = 53};
    case OID_NUMERIC:
        return (TypeInfo){.type = TYPE_NUMERIC, .max_length = 17, .precision = 38, .scale = 6};
    case OID_BYTEA:
        return (TypeInfo){.type = TYPE_VARBINARY, .max_length = 8000};
    case OID_DATE:
        return (TypeInfo){.type = TYPE_DATE, .max_length = 3, .precision = 10};
    case OID_TIME:
        return (TypeInfo){.type = TYPE_TIME, .max_length = 5, .precision = 15, .scale = 6};
    case OID_TIMESTAMP:
        return (TypeInfo){.type = TYPE_DATETIME2, .max_length = 8, .precision = 27, .scale = 7};
    case OID_TIMESTAMPTZ:
        return (TypeInfo){.type = TYPE_DATETIMEOFFSET, .max_length = 10, .precision = 34, .scale = 7};
    case OID_UUID:
        return (TypeInfo){.type = TYPE_UNIQUEIDENTIFIER, .max_length = 16};
    default:
        return (TypeInfo){.type = TYPE_NVARCHAR, .max_length = 8000, .collation = "SQL_Latin1_General_CP1_CI_AS"};
    }
}

static int64_t read_be(const char *data, int length)
{
    int64_t value = (int8_t)data[0];
    for (int i = 1; i < length; i++)
        value = (int64_t)((uint64_t)value << 8) | (uint8_t)data[i];
    return value;
}

/* PostgreSQL's binary numeric: digits of base 10,000 with a weight. */
static int numeric_text(const char *data, char *to, size_t size)
{
    int count = (int)read_be(data, 2), weight = (int)read_be(data + 2, 2), sign = (int)(uint16_t)read_be(data + 4, 2),
        scale = (int)read_be(data + 6, 2);
    size_t at = 0;
    if (sign == 0x4000)
        at += (size_t)snprintf(to, size, "-");
    for (int i = 0; i <= (weight > 0 ? weight : 0) && at < size - 8; i++) {
        int digit = i <= weight && i < count ? (int)read_be(data + 8 + 2 * i, 2) : 0;
        at += (size_t)snprintf(to + at, size - at, i ? "%04d" : "%d", digit);
    }
    if (scale > 0) {
        at += (size_t)snprintf(to + at, size - at, ".");
        size_t dot = at;
        for (int i = weight + 1; at < dot + (size_t)scale && at < size - 8; i++) {
            int digit = i >= 0 && i < count ? (int)read_be(data + 8 + 2 * i, 2) : 0;
            if (weight < 0 && i < 0)
                digit = 0;
            at += (size_t)snprintf(to + at, size - at, "%04d", digit);
        }
        at = dot + (size_t)scale;
        to[at] = 0;
    }
    return (int)at;
}

static void civil(int64_t days, int *year, int *month, int *day)
{ /* days since 2000-01-01 */
    int64_t z = days + 10957 + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100),
            mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static int time_text(int64_t micros, char *to, size_t size)
{
    return snprintf(to, size, "%02d:%02d:%02d.%06d", (int)(micros / 3600000000), (int)(micros / 60000000 % 60),
                    (int)(micros / 1000000 % 60), (int)(micros % 1000000));
}

static int native_text(Session *session, Oid oid, const char *data, int length, char *to, size_t size)
{
    int year, month, day, at;
    switch (oid) {
    case OID_BOOL:
        return snprintf(to, size, "%d", *data != 0);
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        return snprintf(to, size, "%lld", (long long)read_be(data, length));
    case OID_OID:
        return snprintf(to, size, "%u", (unsigned)read_be(data, length));
    case OID_FLOAT4:
    case OID_FLOAT8: {
        uint64_t bits = (uint64_t)read_be(data, length);
        double value;
        if (oid == OID_FLOAT4) {
            uint32_t half = (uint32_t)bits;
            float single;
            memcpy(&single, &half, 4);
            value = (double)single;
        } else {
            memcpy(&value, &bits, 8);
        }
        return snprintf(to, size, "%.17g", value);
    }
    case OID_NUMERIC:
        return numeric_text(data, to, size);
    case OID_DATE:
        civil(read_be(data, 4), &year, &month, &day);
        return snprintf(to, size, "%04d-%02d-%02d", year, month, day);
    case OID_TIME:
        return time_text(read_be(data, 8), to, size);
    case OID_TIMESTAMP:
    case OID_TIMESTAMPTZ: {
        int64_t micros = read_be(data, 8), days = micros / 86400000000;
        if (micros % 86400000000 < 0)
            days--;
        civil(days, &year, &month, &day);
        at = snprintf(to, size, "%04d-%02d-%02d ", year, month, day);
        at += time_text(micros - days * 86400000000, to + at, size - (size_t)at);
        return at + (oid == OID_TIMESTAMPTZ ? snprintf(to + at, size - (size_t)at, " +00:00") : 0);
    }
    case OID_UUID: {
        const uint8_t *u = (const uint8_t *)data;
        return snprintf(to, size, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", u[0], u[1],
                        u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    }
    default:
        session_fail(session, 50000, 1, "The simulator has no SQL Server type for PostgreSQL type %u.", oid);
    }
}

static bool encode_direct(Oid oid, const char *data, int length, const TypeInfo *type, Bytes *ret)
{
    if ((oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8 || oid == OID_BOOL) && type_is_integer(type)) {
        static const int widths[] = {1, 1, 2, 4, 8};
        uint64_t value = htole64((uint64_t)read_be(data, length));
        if (type->type == TYPE_BIT)
            value = value != 0;
        bytes_append(ret, &value, (size_t)widths[type->type]);
        return true;
    }
    if (oid == OID_BYTEA && (type_is_binary(type) || type->type >= TYPE_SQL_VARIANT)) {
        bytes_append(ret, data, (size_t)length);
        return true;
    }
    if (oid == OID_TIMESTAMP && type->type == TYPE_DATETIME) { /* days since 1900-01-01 and 1/300 s */
        int64_t micros = read_be(data, 8) + (int64_t)36524 * 86400000000, days = micros / 86400000000, ticks;
        if (micros % 86400000000 < 0)
            days--;
        ticks = ((micros - days * 86400000000) * 3 + 5000) / 10000;
        if (ticks >= 25920000)
            days++, ticks -= 25920000;
        int32_t parts[2] = {(int32_t)htole32((uint32_t)days), (int32_t)htole32((uint32_t)ticks)};
        bytes_append(ret, parts, 8);
        return true;
    }
    return false;
}

void native_encode(Session *session, Oid oid, const char *data, int length, const TypeInfo *type, Bytes *ret)
{
    char text[512];
    const char *source = text;
    SqlError error = {0};
    if (encode_direct(oid, data, length, type, ret))
        return;
    if (oid == OID_BYTEA) {
        static const TypeInfo binary = {.type = TYPE_VARBINARY, .max_length = -1};
        if (value_cast(&binary, (const uint8_t *)data, (size_t)length, type, ret, &error))
            session_fail_with(session, &error);
        return;
    }
    if (oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_NAME || oid == OID_BPCHAR || oid == OID_UNKNOWN)
        source = data;
    else
        length = native_text(session, oid, data, length, text, sizeof text);
    TypeInfo wide = *type;
    if (type->max_length > 0 && length * 2 > type->max_length && type_is_text(type))
        length = type->type == TYPE_NVARCHAR || type->type == TYPE_NCHAR ? (length > 4000 ? 4000 : length) : length;
    if (type->type == TYPE_NVARCHAR && wide.max_length > 0)
        wide.max_length = 8000;
    if (type->type == TYPE_VARCHAR && wide.max_length > 0)
        wide.max_length = 8000;
    if (value_from_text(&wide, source, (size_t)length, ret, &error))
        session_fail_with(session, &error);
}

typedef struct RowReader {
    OutColumn *columns;
    int count;
    TypeInfo *types; /* as told to the client */
    ResultValue *values;
    Bytes buffer;
    size_t *offsets;
} RowReader;

static void describe(Session *session, RowReader *reader, const PGresult *result)
{
    ResultColumn *columns = arena_alloc(&session->arena, sizeof *columns * (size_t)reader->count);
    for (int i = 0; i < reader->count; i++) {
        const OutColumn *out = &reader->columns[i];
        TypeInfo type = out->cast             ? out->cast_type
                        : out->fragment.typed ? out->fragment.type
                                              : native_type_of(PQftype(result, i));
        if (!out->fragment.user && PQftype(result, i) == OID_INT8 && type.type < TYPE_BIGINT && !out->fragment.typed)
            type = native_type_of(OID_INT8);
        if (type_is_text(&type) && !type.collation[0])
            strcpy(type.collation, "SQL_Latin1_General_CP1_CI_AS");
        if ((type.type == TYPE_NVARCHAR || type.type == TYPE_VARCHAR) && !out->fragment.user &&
            !out->fragment.is_constant && !out->cast && type.max_length == 0)
            type.max_length = 8000;
        reader->types[i] = type;
        memcpy(columns[i].name, out->name, sizeof columns[i].name);
        columns[i].type = type;
        columns[i].nullable = out->nullable;
    }
    if (session->sink->columns(session->sink->context, columns, reader->count))
        session->gone = true;
}

/* An explicit conversion; a hierarchyid becomes text by its ToString(), which the select list asked for. */
static int clr_text(const OutColumn *out, const char *data, size_t length, Bytes *ret, SqlError *error)
{
    if (!out->to_string)
        return value_convert(&out->fragment.type, (const uint8_t *)data, length, &out->cast_type, ret, error);
    Bytes text = {0};
    int status = value_to_text(&out->fragment.type, (const uint8_t *)data, length, &text, error);
    if (!status)
        status = value_from_text(&out->cast_type, (const char *)text.data, text.length, ret, error);
    bytes_free(&text);
    return status;
}

/* Values that need no conversion stay where libpq put them; the others go through one buffer. */
static void send_row(Session *session, RowReader *reader, const PGresult *result, int row)
{
    reader->buffer.length = 0;
    for (int i = 0; i < reader->count; i++) {
        const OutColumn *out = &reader->columns[i];
        reader->offsets[i] = SIZE_MAX;
        if (PQgetisnull(result, row, i)) {
            reader->values[i] = (ResultValue){NULL, 0};
            continue;
        }
        const char *data = PQgetvalue(result, row, i);
        int length = PQgetlength(result, row, i);
        reader->values[i] = (ResultValue){(const uint8_t *)data, (size_t)length};
        Oid oid = PQftype(result, i);
        if (!out->cast && (out->fragment.user || (oid == OID_BYTEA && (type_is_binary(&reader->types[i])))))
            continue;
        reader->offsets[i] = reader->buffer.length;
        if (out->cast) {
            SqlError error = {0};
            if (out->variant) {
                if (variant_case_value(out->variant, (const uint8_t *)data, (size_t)length, &reader->buffer, &error))
                    session_fail_with(session, &error);
            } else if (out->fragment.user) {
                if (clr_text(out, data, (size_t)length, &reader->buffer, &error))
                    session_fail_with(session, &error);
            }
        } else {
            native_encode(session, oid, data, length, &reader->types[i], &reader->buffer);
        }
        reader->values[i].length = reader->buffer.length - reader->offsets[i];
    }
    for (int i = 0; i < reader->count; i++)
        if (reader->offsets[i] != SIZE_MAX)
            reader->values[i].data =
                reader->buffer.data ? reader->buffer.data + reader->offsets[i] : (const uint8_t *)"";
    if (session->sink->row(session->sink->context, reader->values, reader->count))
        session->gone = true;
}

static size_t result_bytes(const PGresult *result)
{
    size_t bytes = 0;
    int rows = PQntuples(result), columns = PQnfields(result);
    for (int i = 0; i < columns && rows; i++)
        bytes += (size_t)PQgetlength(result, 0, i) + (size_t)PQgetlength(result, rows - 1, i);
    return bytes / 2 * (size_t)rows;
}

static void send_chunks(Session *session, RowReader *reader, PGresult *result)
{
    int chunk = CHUNK_ROWS_FIRST;
    for (;;) {
        int rows = PQntuples(result);
        for (int row = 0; row < rows && !session->gone; row++) {
            send_row(session, reader, result, row);
            session->row_count++;
        }
        if (rows < chunk || session->gone)
            return;
        size_t average = result_bytes(result) / (size_t)rows + 1;
        chunk = (int)(CHUNK_BYTES / average);
        chunk = chunk < 1 ? 1 : chunk > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : chunk;
        db_release(session);
        result = db_runf(session, "FETCH %d FROM q", chunk);
    }
}

void query_run(Session *session, const Select *select)
{
    RowReader *reader = arena_alloc(&session->arena, sizeof *reader);
    char *text = emit_select(session, select, NULL, OUT_TOP, &reader->columns, &reader->count);
    reader->types = arena_alloc(&session->arena, sizeof *reader->types * (size_t)reader->count);
    reader->values = arena_alloc(&session->arena, sizeof *reader->values * (size_t)reader->count);
    reader->offsets = arena_alloc(&session->arena, sizeof *reader->offsets * (size_t)reader->count);
    session->row_count = 0;
    db_release(session);
    bool own = session->transactions == 0;
    Text sql = {.arena = &session->arena};
    text_format(&sql, "%sDECLARE q BINARY NO SCROLL CURSOR FOR ",
                own ? session->snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ; " : "BEGIN; " : "");
    text_add(&sql, text, strlen(text));
    text_format(&sql, "; FETCH %d FROM q", CHUNK_ROWS_FIRST);
    PGresult *result = db_run(session, sql.data);
    reader->buffer = session->scratch;
    session->scratch = (Bytes){NULL, 0, 0};
    describe(session, reader, result);
    send_chunks(session, reader, result);
    bytes_free(&session->scratch);
    session->scratch = reader->buffer;
    db_release(session);
    db_run(session, own ? "COMMIT" : "CLOSE q");
}

Constant query_scalar(Session *session, const Expr *expr)
{
    Constant constant;
    if (constant_fold(session, expr, &constant))
        return constant;
    Scope scope = {.outer = NULL};
    Fragment fragment = emit_scalar(session, expr, &scope);
    db_release(session);
    PGresult *result = PQexecParams(session->pg, arena_format(&session->arena, "SELECT %s", fragment.value), 0, NULL,
                                    NULL, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        db_fail(session, result);
    session->results[session->result_count++] = result;
    constant = (Constant){.type = fragment.typed ? fragment.type : native_type_of(PQftype(result, 0))};
    if (PQntuples(result) && !PQgetisnull(result, 0, 0)) {
        Bytes bytes = {0};
        if (fragment.user)
            bytes_append(&bytes, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
        else
            native_encode(session, PQftype(result, 0), PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0),
                          &constant.type, &bytes);
        constant.length = bytes.length;
        constant.data = (const uint8_t *)arena_copy(&session->arena, (const char *)bytes.data, bytes.length);
        bytes_free(&bytes);
    }
    return constant;
}

bool query_condition(Session *session, const Expr *predicate)
{
    Scope scope = {.outer = NULL};
    char *text = db_text(session, "SELECT %s", emit_predicate(session, predicate, &scope));
    return text && *text == 't';
}

/* The last row's values stay, as T-SQL has it; without a row the variables keep what they had. */
void query_assign(Session *session, const Select *select)
{
    OutColumn *columns;
    int count;
    char *text = emit_select(session, select, NULL, OUT_VALUE, &columns, &count);
    db_release(session);
    PGresult *result = PQexecParams(session->pg, text, 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        db_fail(session, result);
    session->results[session->result_count++] = result;
    int rows = PQntuples(result);
    session->row_count = (uint64_t)rows;
    for (int i = 0; i < count && rows; i++) {
        Variable *variable = session_variable(session, select->items[i].variable);
        if (!variable)
            session_fail(session, 137, 1, "Must declare the scalar variable \"%s\".", select->items[i].variable);
        Constant value = {.type = columns[i].fragment.typed ? columns[i].fragment.type
                                                            : native_type_of(PQftype(result, i))};
        if (!PQgetisnull(result, rows - 1, i)) {
            bytes_clear(&session->scratch_key);
            if (columns[i].fragment.user)
                bytes_append(&session->scratch_key, PQgetvalue(result, rows - 1, i),
                             (size_t)PQgetlength(result, rows - 1, i));
            else
                native_encode(session, PQftype(result, i), PQgetvalue(result, rows - 1, i),
                              PQgetlength(result, rows - 1, i), &value.type, &session->scratch_key);
            value.length = session->scratch_key.length;
            value.data =
                (const uint8_t *)arena_copy(&session->arena, (const char *)session->scratch_key.data, value.length);
        }
        value = constant_cast(session, value, &variable->type);
        session_variable_set(session, variable->name, &variable->type, value.data, value.length);
    }
}
