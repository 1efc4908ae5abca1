#include "rpc.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { RPC_PARAMETERS_MAX = 2100 }; /* SQL Server's own limit */
enum { PROC_EXECUTESQL = 10, PROC_PREPARE = 11, PROC_EXECUTE = 12, PROC_PREPEXEC = 13, PROC_UNPREPARE = 15 };

typedef struct Call {
    int procedure; /* a ProcID, or 0 with name */
    char name[520];
    Parameter *parameters;
    size_t *offsets;
    int count;
    Bytes arena; /* the values; pointers into it are set when all are read */
} Call;

static const struct {
    int id;
    const char *name;
} procedures[] = {
    {PROC_EXECUTESQL, "sp_executesql"}, {PROC_PREPARE, "sp_prepare"},     {PROC_EXECUTE, "sp_execute"},
    {PROC_PREPEXEC, "sp_prepexec"},     {PROC_UNPREPARE, "sp_unprepare"},
};

static void copy_text(const Bytes *from, char *ret, size_t size)
{
    size_t length = from->length < size - 1 ? from->length : size - 1;

    if (length > 0)
        memcpy(ret, from->data, length);
    ret[length] = '\0';
}

static int read_name(Reader *reader, size_t units, char *ret, size_t size)
{
    const uint8_t *utf16 = read_bytes(reader, units * 2);
    Bytes utf8 = {0};

    if (!utf16)
        return -1;
    text_utf8_from_utf16(utf16, units * 2, &utf8);
    copy_text(&utf8, ret, size);
    bytes_free(&utf8);
    return 0;
}

static int call_head(Reader *reader, Call *call)
{
    size_t units = read_number(reader, 2);

    if (units == 0xFFFF) {
        call->procedure = (int)read_number(reader, 2);
    } else if (units == 0 || units > 255 || read_name(reader, units, call->name, sizeof call->name) != 0) {
        return -1;
    }
    const char *plain = strncasecmp(call->name, "sys.", 4) == 0 ? call->name + 4 : call->name;
    for (size_t i = 0; i < sizeof procedures / sizeof *procedures; i++)
        if (call->procedure == 0 && strcasecmp(plain, procedures[i].name) == 0)
            call->procedure = procedures[i].id;
    read_number(reader, 2); /* options: recompile, no metadata */
    return reader->bad ? -1 : 0;
}

static int call_parameter(Reader *reader, Call *call)
{
    Parameter *parameter;
    bool is_null;

    if (call->count == RPC_PARAMETERS_MAX)
        return -1;
    if (call->count % 32 == 0) {
        size_t room = (size_t)call->count + 32;
        call->parameters = realloc(call->parameters, room * sizeof *call->parameters);
        call->offsets = realloc(call->offsets, room * sizeof *call->offsets);
        if (!call->parameters || !call->offsets)
            abort();
    }
    parameter = &call->parameters[call->count];
    memset(parameter, 0, sizeof *parameter);
    if (read_name(reader, read_number(reader, 1), parameter->name, sizeof parameter->name) != 0)
        return -1;
    read_number(reader, 1); /* status: by reference, default */
    if (wire_parameter_read(reader, &parameter->type, &call->arena, &call->offsets[call->count], &parameter->length,
                            &is_null) != 0)
        return -1;
    if (is_null)
        call->offsets[call->count] = SIZE_MAX;
    call->count++;
    return 0;
}

static void call_free(Call *call)
{
    free(call->parameters);
    free(call->offsets);
    bytes_free(&call->arena);
    memset(call, 0, sizeof *call);
}

/* Reads one call; a 0xFF (or 0x80 of older clients) where a name's length would stand separates calls. */
static int call_read(Reader *reader, Call *call)
{
    if (call_head(reader, call) != 0)
        return -1;
    while (reader->at < reader->length) {
        uint8_t flag = reader->data[reader->at];
        if (flag == 0xFF || flag == 0x80) {
            reader->at++;
            break;
        }
        if (call_parameter(reader, call) != 0)
            return -1;
    }
    static const uint8_t empty;
    for (int i = 0; i < call->count; i++)
        call->parameters[i].data = call->offsets[i] == SIZE_MAX ? NULL
                                   : call->arena.data           ? call->arena.data + call->offsets[i]
                                                                : &empty;
    return 0;
}

/* The text of a character parameter in UTF-8 (malloc'ed, NUL-terminated), or NULL if it is no text. */
static char *parameter_text(const Call *call, int index)
{
    Bytes utf8 = {0};

    if (index >= call->count)
        return NULL;
    const Parameter *parameter = &call->parameters[index];
    switch (parameter->type.type) {
    case TYPE_NCHAR:
    case TYPE_NVARCHAR:
    case TYPE_NTEXT:
        if (parameter->data)
            text_utf8_from_utf16(parameter->data, parameter->length, &utf8);
        break;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TEXT:
        if (parameter->data)
            text_utf8_from_1252(parameter->data, parameter->length, &utf8);
        break;
    default:
        if (parameter->data)
            return NULL;
    }
    bytes_append(&utf8, "", 1);
    return (char *)utf8.data;
}

static int32_t parameter_int(const Call *call, int index)
{
    if (index >= call->count || call->parameters[index].type.type != TYPE_INT || !call->parameters[index].data)
        return 0;
    const uint8_t *p = call->parameters[index].data;
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static int32_t prepared_add(Prepared *prepared, char *statement, char *declaration)
{
    size_t room = (size_t)prepared->count + 1;

    prepared->statements = realloc(prepared->statements, room * sizeof(char *));
    prepared->declarations = realloc(prepared->declarations, room * sizeof(char *));
    if (!prepared->statements || !prepared->declarations)
        abort();
    prepared->statements[prepared->count] = statement;
    prepared->declarations[prepared->count] = declaration;
    return ++prepared->count;
}

static bool prepared_has(const Prepared *prepared, int32_t handle)
{
    return handle >= 1 && handle <= prepared->count && prepared->statements[handle - 1];
}

static void prepared_drop(Prepared *prepared, int32_t handle)
{
    free(prepared->statements[handle - 1]);
    free(prepared->declarations[handle - 1]);
    prepared->statements[handle - 1] = prepared->declarations[handle - 1] = NULL;
}

void prepared_free(Prepared *prepared)
{
    for (int i = 1; i <= prepared->count; i++)
        prepared_drop(prepared, i);
    free(prepared->statements);
    free(prepared->declarations);
    memset(prepared, 0, sizeof *prepared);
}

typedef struct Run {
    Session *session;
    Prepared *prepared;
    Answer *answer;
    RpcTrace *trace;
    RpcStart start;
    void *context;
} Run;

/* The first @name of a declaration "@a int, @b nvarchar(20)" from *at on; type names may hold commas in parentheses. */
static bool declared_name(const char **at, char *ret, size_t size)
{
    const char *p = strchr(*at, '@');
    size_t length = p ? strcspn(p, " \t\r\n,()") : 0;
    int depth = 0;

    if (!p)
        return false;
    snprintf(ret, size, "%.*s", (int)(length < size ? length : size - 1), p);
    for (p += length; *p && (*p != ',' || depth > 0); p++)
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
    *at = p;
    return true;
}

/* Parameters may come without names; then they stand in the order of the declaration. */
static void name_by_order(Call *call, int first, const char *declaration)
{
    char name[129];

    for (int i = first; declaration && i < call->count && declared_name(&declaration, name, sizeof name); i++)
        if (!call->parameters[i].name[0])
            memcpy(call->parameters[i].name, name, sizeof name);
}

static int run_statement(Run *run, Call *call, int first, const char *statement, const char *declaration)
{
    int count = call->count > first ? call->count - first : 0;

    bytes_clear(&run->trace->statement);
    bytes_append(&run->trace->statement, statement, strlen(statement) + 1);
    run->trace->parameters = count;
    run->start(run->context, statement);
    name_by_order(call, first, declaration);
    return session_batch(run->session, statement, declaration, count ? call->parameters + first : NULL, count,
                         &run->answer->sink);
}

/* Any other procedure: EXEC name @p = @p, ...; the engine knows it or answers 2812. */
static int run_named(Run *run, Call *call)
{
    Bytes sql = {0};
    char part[300];

    bytes_append(&sql, "EXEC ", 5);
    bytes_append(&sql, call->name, strlen(call->name));
    for (int i = 0; i < call->count; i++) {
        Parameter *parameter = &call->parameters[i];
        bool named = parameter->name[0] != '\0';
        if (!named)
            snprintf(parameter->name, sizeof parameter->name, "@P%d", i + 1);
        int length = named ? snprintf(part, sizeof part, "%s %s = %s", i ? "," : "", parameter->name, parameter->name)
                           : snprintf(part, sizeof part, "%s %s", i ? "," : "", parameter->name);
        bytes_append(&sql, part, (size_t)length);
    }
    bytes_append(&sql, "", 1);
    int result = run_statement(run, call, 0, (const char *)sql.data, NULL);
    bytes_free(&sql);
    return result;
}

static int run_executesql(Run *run, Call *call)
{
    char *statement = parameter_text(call, 0);
    char *declaration = call->count > 1 ? parameter_text(call, 1) : NULL;
    int result = 0;

    if (!statement || (call->count > 1 && !declaration))
        answer_error(run->answer, 214, 16, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.");
    else
        result = run_statement(run, call, 2, statement, declaration && declaration[0] ? declaration : NULL);
    free(statement);
    free(declaration);
    return result;
}

/* sp_prepare(@handle output, @params, @stmt, @options); sp_prepexec(@handle output, @params, @stmt, values...). */
static int run_prepare(Run *run, Call *call, bool execute)
{
    char *declaration = parameter_text(call, 1), *statement = parameter_text(call, 2);
    int result = 0;

    if (!statement || !declaration) {
        answer_error(run->answer, 214, 16, "Procedure expects parameter '@stmt' of type 'ntext/nchar/nvarchar'.");
        free(statement);
        free(declaration);
        return 0;
    }
    int32_t handle = prepared_add(run->prepared, statement, declaration);
    if (execute)
        result = run_statement(run, call, 3, statement, declaration[0] ? declaration : NULL);
    answer_handle(run->answer, call->parameters[0].name, handle);
    return result;
}

static int run_prepared(Run *run, Call *call, bool execute)
{
    int32_t handle = parameter_int(call, 0);
    char text[100];

    if (!prepared_has(run->prepared, handle)) {
        snprintf(text, sizeof text, "Could not find prepared statement with handle %d.", handle);
        answer_error(run->answer, 8179, 16, text);
        return 0;
    }
    if (!execute) {
        prepared_drop(run->prepared, handle);
        return 0;
    }
    const char *declaration = run->prepared->declarations[handle - 1];
    return run_statement(run, call, 1, run->prepared->statements[handle - 1], declaration[0] ? declaration : NULL);
}

static int call_run(Run *run, Call *call)
{
    char text[100];

    switch (call->procedure) {
    case PROC_EXECUTESQL:
        return run_executesql(run, call);
    case PROC_PREPARE:
    case PROC_PREPEXEC:
        return run_prepare(run, call, call->procedure == PROC_PREPEXEC);
    case PROC_EXECUTE:
    case PROC_UNPREPARE:
        return run_prepared(run, call, call->procedure == PROC_EXECUTE);
    case 0:
        return run_named(run, call);
    default:
        snprintf(text, sizeof text, "Could not find stored procedure number %d.", call->procedure);
        answer_error(run->answer, 2812, 16, text);
        return 0;
    }
}

int rpc_run(Session *session, Prepared *prepared, const uint8_t *data, size_t length, Answer *answer, RpcTrace *trace,
            RpcStart start, void *context)
{
    Reader reader = {.data = data, .length = length};
    Run run = {session, prepared, answer, trace, start, context};
    int result = 0;

    while (result == 0) {
        Call call = {0};
        result = call_read(&reader, &call);
        if (result != 0)
            answer_error(answer, 8009, 16,
                         "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol "
                         "stream is incorrect.");
        else
            result = call_run(&run, &call);
        call_free(&call);
        if (result != 0 || reader.at >= reader.length || answer_next(answer) != 0)
            break;
    }
    return result;
}
