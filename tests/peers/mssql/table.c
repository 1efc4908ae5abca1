#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool type_has_key(const TypeInfo *type)
{
    switch (type->type) {
    case TYPE_TEXT:
    case TYPE_NTEXT:
    case TYPE_IMAGE:
    case TYPE_XML:
    case TYPE_GEOMETRY:
    case TYPE_GEOGRAPHY:
        return false;
    case TYPE_VARCHAR:
    case TYPE_NVARCHAR:
    case TYPE_VARBINARY:
        return type->max_length != -1;
    default:
        return true;
    }
}

char *name_text(Session *session, const Name *name)
{
    Text text = {.arena = &session->arena};
    for (int i = 0; i < name->count; i++)
        text_format(&text, "%s%s", i ? "." : "", name->parts[i]);
    return text.data;
}

int schema_id_of(Session *session, const char *schema)
{
    char *text = db_text(session, "SELECT schema_id FROM mssql.schema WHERE db_id = %d AND name = %s", session->db_id,
                         lit(session, schema));
    return text ? atoi(text) : -1;
}

/* The SQL Server type that stands behind a catalogue column's PostgreSQL type (a domain of catalog.sql, or a base
 * type). */
static void native_type(const char *name, TypeInfo *type)
{
    static const struct {
        const char *name;
        TypeInfo type;
    } types[] = {
        {"sysname", {TYPE_NVARCHAR, 256, 0, 0, ""}},
        {"nvarchar_60", {TYPE_NVARCHAR, 120, 0, 0, ""}},
        {"nvarchar_max", {TYPE_NVARCHAR, -1, 0, 0, ""}},
        {"nvarchar_4000", {TYPE_NVARCHAR, 8000, 0, 0, ""}},
        {"varchar_254", {TYPE_VARCHAR, 254, 0, 0, ""}},
        {"char_1", {TYPE_CHAR, 1, 0, 0, ""}},
        {"char_2", {TYPE_CHAR, 2, 0, 0, ""}},
        {"bit", {TYPE_BIT, 1, 1, 0, ""}},
        {"tinyint", {TYPE_TINYINT, 1, 3, 0, ""}},
        {"lsn", {TYPE_BINARY, 10, 0, 0, ""}},
        {"tran_id", {TYPE_VARBINARY, 10, 0, 0, ""}},
        {"mask", {TYPE_VARBINARY, 128, 0, 0, ""}},
        {"sid", {TYPE_VARBINARY, 85, 0, 0, ""}},
        {"datetime", {TYPE_DATETIME, 8, 23, 3, ""}},
        {"int4", {TYPE_INT, 4, 10, 0, ""}},
        {"int8", {TYPE_BIGINT, 8, 19, 0, ""}},
        {"int2", {TYPE_SMALLINT, 2, 5, 0, ""}},
        {"uuid", {TYPE_UNIQUEIDENTIFIER, 16, 0, 0, ""}},
        {"timestamp", {TYPE_DATETIME2, 8, 27, 7, ""}},
        {"numeric", {TYPE_NUMERIC, 17, 38, 0, ""}},
        {"bytea", {TYPE_VARBINARY, 8000, 0, 0, ""}},
    };
    *type = (TypeInfo){TYPE_NVARCHAR, 8000, 0, 0, ""};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name))
            *type = types[i].type;
    if (type->type == TYPE_NVARCHAR || type->type == TYPE_VARCHAR || type->type == TYPE_CHAR)
        strcpy(type->collation, "SQL_Latin1_General_CP1_CI_AS");
}

static void copy_name(char to[129], const char *from)
{
    size_t length = strlen(from);
    if (length > 128)
        length = 128;
    memcpy(to, from, length);
    to[length] = 0;
}

static const char *cached(Session *session, PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return NULL;
    return arena_copy(&session->cache_arena, PQgetvalue(result, row, column), strlen(PQgetvalue(result, row, column)));
}

static void load_view_columns(Session *session, Table *table, const char *view)
{
    PGresult *result =
        db_runf(session,
                "SELECT a.attname, t.typname, a.attnotnull FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
                "WHERE a.attrelid = 'db%d.%s'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                table->db_id, quote_name(&session->arena, view));
    table->column_count = PQntuples(result);
    table->columns = arena_alloc(&session->cache_arena, sizeof(Column) * (size_t)table->column_count);
    for (int i = 0; i < table->column_count; i++) {
        Column *column = &table->columns[i];
        copy_name(column->name, PQgetvalue(result, i, 0));
        column->native = arena_format(&session->cache_arena, "\"%s\"", column->name);
        column->nullable = PQgetvalue(result, i, 2)[0] != 't';
        native_type(PQgetvalue(result, i, 1), &column->type);
    }
    db_pop(session);
}

static void load_columns(Session *session, Table *table)
{
    PGresult *result = db_runf(
        session,
        "SELECT name, column_id, type_name, max_length, precision, scale, coalesce(collation_name, ''), is_nullable, "
        "is_identity, "
        "is_computed, definition, default_definition, native FROM mssql.column WHERE object_id = %d ORDER BY column_id",
        table->object_id);
    table->column_count = PQntuples(result);
    table->columns = arena_alloc(&session->cache_arena, sizeof(Column) * (size_t)(table->column_count + 1));
    table->identity = -1;
    for (int i = 0; i < table->column_count; i++) {
        Column *column = &table->columns[i];
        SqlError error;
        copy_name(column->name, PQgetvalue(result, i, 0));
        column->id = atoi(PQgetvalue(result, i, 1));
        if (type_parse(PQgetvalue(result, i, 2), -1, -1, &column->type, &error))
            session_fail_with(session, &error);
        column->type.max_length = atoi(PQgetvalue(result, i, 3));
        column->type.precision = (uint8_t)atoi(PQgetvalue(result, i, 4));
        column->type.scale = (uint8_t)atoi(PQgetvalue(result, i, 5));
        copy_name(column->type.collation, PQgetvalue(result, i, 6));
        column->nullable = PQgetvalue(result, i, 7)[0] == '1';
        column->identity = PQgetvalue(result, i, 8)[0] == '1';
        column->computed = PQgetvalue(result, i, 9)[0] == '1';
        column->definition = cached(session, result, i, 10);
        column->default_text = cached(session, result, i, 11);
        const char *native = cached(session, result, i, 12);
        column->native = native ? arena_format(&session->cache_arena, "\"%s\"", native) : NULL;
        column->has_key = !native && !table->change_table && !column->computed && type_has_key(&column->type);
        if (column->identity)
            table->identity = i;
    }
    db_pop(session);
}

static Table *load_user(Session *session, int db_id, const char *schema, const char *name)
{
    PGresult *result = db_runf(session,
                               "SELECT o.object_id, s.name, o.name, o.is_tracked_by_cdc, o.is_ms_shipped, (SELECT "
                               "max(shape_id) FROM mssql.shape h WHERE h.object_id = o.object_id) "
                               "FROM mssql.object o JOIN mssql.schema s USING (db_id, schema_id) WHERE o.db_id = %d "
                               "AND s.name = %s AND o.name = %s AND o.type = 'U'",
                               db_id, lit(session, schema), lit(session, name));
    if (!PQntuples(result)) {
        db_pop(session);
        return NULL;
    }
    Table *table = arena_alloc(&session->cache_arena, sizeof *table);
    table->db_id = db_id;
    table->object_id = atoi(PQgetvalue(result, 0, 0));
    copy_name(table->schema, PQgetvalue(result, 0, 1));
    copy_name(table->name, PQgetvalue(result, 0, 2));
    table->tracked = PQgetvalue(result, 0, 3)[0] == '1';
    table->change_table = PQgetvalue(result, 0, 4)[0] == '1';
    table->shape = PQgetisnull(result, 0, 5) ? 0 : atoi(PQgetvalue(result, 0, 5));
    table->relation = arena_format(&session->cache_arena, "db%d.o%d", db_id, table->object_id);
    db_pop(session);
    load_columns(session, table);
    return table;
}

static Table *load_view(Session *session, int db_id, const char *schema, const char *name)
{
    if (!strcasecmp(schema, "cdc") &&
        !db_number(session, "SELECT is_cdc_enabled FROM mssql.database WHERE id = %d", db_id))
        return NULL; /* the schema comes with sp_cdc_enable_db */
    char *view = arena_format(&session->arena, "%s.%s", schema, name);
    for (char *c = view; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    if (strlen(view) > 63 ||
        !db_text(session, "SELECT to_regclass(%s)::oid",
                 lit(session, arena_format(&session->arena, "db%d.%s", db_id, quote_name(&session->arena, view)))))
        return NULL;
    Table *table = arena_alloc(&session->cache_arena, sizeof *table);
    table->db_id = db_id;
    table->identity = -1;
    copy_name(table->schema, schema);
    copy_name(table->name, name);
    table->relation = arena_format(&session->cache_arena, "db%d.%s", db_id, quote_name(&session->arena, view));
    load_view_columns(session, table, view);
    return table;
}

static void cache_refresh(Session *session)
{
    int64_t version = db_number(session, "SELECT last_value FROM mssql.version");
    if (version == session->cache_version && session->tables)
        return;
    session->tables = NULL; /* the memory stays until the batch ends: the statement may still hold tables */
    session->cache_stale = true;
    session->cache_version = version;
}

static int database_id(Session *session, const char *name)
{
    if (!*name || !strcasecmp(name, session->database))
        return session->db_id;
    char *id = db_text(session, "SELECT id FROM mssql.database WHERE name = %s", lit(session, name));
    if (!id)
        return -1;
    return atoi(id);
}

Table *table_find(Session *session, const Name *name)
{
    const char *object = name->parts[name->count - 1];
    if (name->count == 1 && *object == '@')
        return table_variable(session, object);
    const char *schema = name->count > 1 && *name->parts[name->count - 2] ? name->parts[name->count - 2] : "dbo";
    const char *database = name->count > 2 ? name->parts[name->count - 3] : "";
    if (session->transactions == 0 || !session->tables)
        cache_refresh(session);
    int db_id = database_id(session, database);
    if (db_id < 0 || name->count > 3)
        return NULL;
    for (Table *table = session->tables; table; table = table->next)
        if (table->db_id == db_id && !strcasecmp(table->name, object) && !strcasecmp(table->schema, schema))
            return table;
    Table *table = load_user(session, db_id, schema, object);
    if (!table)
        table = load_view(session, db_id, schema, object);
    if (!table)
        return NULL;
    copy_name(table->database, *database ? database : session->database);
    table->next = session->tables;
    session->tables = table;
    return table;
}

Table *table_get(Session *session, const Name *name)
{
    Table *table = table_find(session, name);
    if (!table)
        session_fail(session, 208, 1, "Invalid object name '%s'.", name_text(session, name));
    return table;
}

int table_column(const Table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++)
        if (!strcasecmp(table->columns[i].name, name))
            return i;
    return -1;
}

/* Catalogue views filter by themselves in SQL Server; here they are open to everybody who is in the database. */
void table_check(Session *session, const Table *table, const char *permission)
{
    if (session->sysadmin || session->db_owner || *table->name == '@' || (!table->object_id && strcasecmp(table->schema, "cdc")))
        return;
    char *allowed = table->object_id
                        ? db_text(session, "SELECT mssql.allowed(%d, %d, %d, '%s')", table->db_id,
                                  session->principal_id, table->object_id, permission)
                        : db_text(session,
                                  "SELECT EXISTS (SELECT FROM mssql.permission p WHERE db_id = %d AND class = 3 AND "
                                  "state = 'G' AND permission = '%s' AND major_id = mssql.schema_id('cdc') AND "
                                  "grantee_id IN (SELECT id FROM mssql.roles_of(%d, %d)))",
                                  table->db_id, permission, table->db_id, session->principal_id);
    if ((allowed && *allowed == 't') || (!table->object_id && session->db_reader))
        return;
    session_fail(session, 229, 5, "The %s permission was denied on the object '%s', database '%s', schema '%s'.",
                 permission, table->name, table->database, table->schema);
}

void table_changed(Session *session)
{
    session->catalog_changed = true;
    db_run(session, "SELECT nextval('mssql.version')");
    session->tables = NULL; /* the memory stays until the batch ends: the statement may still hold tables */
    session->cache_stale = true;
}
