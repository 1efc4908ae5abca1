/* CREATE TABLE, CREATE INDEX, CREATE DATABASE and the column definitions they share with ALTER TABLE. */
#include "statement.h"
#include "table.h"

#include "scripts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INDEX_COLUMNS_MAX = 32, KIND_INDEX = 0, KIND_PRIMARY = 1, KIND_UNIQUE = 2 };

typedef struct KeySpec {
    struct KeySpec *next;
    const char *name;
    const char *columns[INDEX_COLUMNS_MAX];
    bool descending[INDEX_COLUMNS_MAX];
    int count, kind;
    bool clustered, clustered_given;
} KeySpec;

/* The text between here and where the parser stands, as it was written. */
static char *source_text(Parser *parser, int from)
{
    const char *start = parser->tokens[from].start, *end = parser->tokens[parser->at].start;
    while (end > start && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return arena_copy(&parser->session->arena, start, (size_t)(end - start));
}

Expr *parse_definition(Session *session, const char *text)
{
    Parser parser = {.session = session};
    int count;
    if (lexer_run(&session->arena, text, &parser.tokens, &count, &session->error))
        session_fail_with(session, &session->error);
    return parser_expr(&parser);
}

/* A literal loses the parentheses it was written in, and a number keeps one pair: the catalogue then shows ((7)),
 * (N'x'), (NULL) ("sys.default_constraints", sql-docs, definition). Anything else stays as written. */
static const char *default_text(Parser *parser, const Expr *expr, const char *text)
{
    bool number = expr->kind == EXPR_NUMBER || (expr->kind == EXPR_MINUS && expr->args[0]->kind == EXPR_NUMBER);
    if (!number && expr->kind != EXPR_STRING && expr->kind != EXPR_NSTRING && expr->kind != EXPR_HEX &&
        expr->kind != EXPR_NULL)
        return text;
    size_t length = strlen(text);
    while (length > 1 && *text == '(') {
        text++;
        length -= 2;
        while (length && (*text == ' ' || text[length - 1] == ' '))
            *text == ' ' ? text++ : text, length--;
    }
    return arena_format(&parser->session->arena, number ? "(%.*s)" : "%.*s", (int)length, text);
}

static void parse_default(Parser *parser, ColumnSpec *spec)
{
    int from = parser->at;
    const Expr *expr = parser_expr(parser);
    spec->default_text = default_text(parser, expr, source_text(parser, from));
    if (spec->constraint)
        spec->default_name = spec->constraint;
    spec->constraint = NULL;
}

static void parse_identity(Parser *parser, ColumnSpec *spec)
{
    spec->identity = true;
    spec->seed = spec->increment = 1;
    if (parser_take(parser, "(")) {
        spec->seed = parser_integer(parser);
        parser_expect(parser, ",");
        spec->increment = parser_integer(parser);
        parser_expect(parser, ")");
    }
    spec->nullable = false;
}

static bool parse_clustered(Parser *parser, bool *given, bool fallback)
{
    *given = true;
    if (parser_take(parser, "clustered"))
        return true;
    if (parser_take(parser, "nonclustered"))
        return false;
    *given = false;
    return fallback;
}

void column_spec_parse(Parser *parser, ColumnSpec *spec)
{
    memset(spec, 0, sizeof *spec);
    spec->name = parser_name_part(parser);
    spec->nullable = true;
    if (parser_take(parser, "as")) {
        int from = parser->at;
        spec->computed = true;
        parser_expr(parser);
        spec->definition = source_text(parser, from);
        spec->type = (TypeInfo){.type = TYPE_INT, .max_length = 4, .precision = 10};
        parser_take(parser, "persisted");
    } else {
        spec->type = parser_type(parser);
        if (spec->type.type == TYPE_ROWVERSION)
            spec->nullable = false;
    }
    for (;;) {
        bool given;
        if (parser_take(parser, "constraint"))
            spec->constraint = parser_name_part(parser);
        else if (parser_take(parser, "null"))
            spec->nullable = spec->null_given = true;
        else if (parser_take(parser, "not")) {
            parser_expect(parser, "null");
            spec->nullable = false;
            spec->null_given = true;
        } else if (parser_take(parser, "collate"))
            strncpy(spec->type.collation, parser_name_part(parser), sizeof spec->type.collation - 1);
        else if (parser_take(parser, "identity"))
            parse_identity(parser, spec);
        else if (parser_take(parser, "default"))
            parse_default(parser, spec);
        else if (parser_take(parser, "primary")) {
            parser_expect(parser, "key");
            spec->primary_key = true;
            spec->clustered = parse_clustered(parser, &spec->clustered_given, true);
            spec->nullable = false;
        } else if (parser_take(parser, "unique")) {
            spec->unique = true;
            spec->clustered = parse_clustered(parser, &given, false);
        } else if (parser_take(parser, "rowguidcol") || parser_take(parser, "sparse"))
            continue;
        else
            break;
    }
    if (type_is_text(&spec->type) && !spec->type.collation[0] && spec->type.type != TYPE_XML)
        strcpy(spec->type.collation, "SQL_Latin1_General_CP1_CI_AS");
}

/* A computed column has its expression's type, as PostgreSQL finds it. */
static void computed_type(Session *session, Table *table, ColumnSpec *spec)
{
    Scope scope = {.outer = NULL};
    scope_table(session, &scope, table, NULL, "t");
    Fragment fragment = emit_scalar(session, parse_definition(session, spec->definition), &scope);
    if (fragment.typed) {
        spec->type = fragment.type;
        return;
    }
    PGresult *result = db_runf(session, "SELECT %s FROM %s AS t LIMIT 0", fragment.value, table->relation);
    spec->type = native_type_of(PQftype(result, 0));
}

void column_add(Session *session, int object_id, const ColumnSpec *given)
{
    ColumnSpec copy = *given, *spec = &copy;
    Table *table = NULL;
    char *qualified = db_text(session,
                              "SELECT s.name || E'\\n' || o.name FROM mssql.object o JOIN mssql.schema s USING (db_id, "
                              "schema_id) WHERE object_id = %d",
                              object_id);
    char *name = strchr(qualified, '\n');
    *name++ = 0;
    if (spec->computed) {
        session->tables = NULL;
        Name full = {{qualified, name}, 2};
        table = table_get(session, &full);
        computed_type(session, table, spec);
    }
    if (db_text(session, "SELECT 1 FROM mssql.column WHERE object_id = %d AND name = %s", object_id,
                lit(session, spec->name)))
        session_fail(
            session, 2705, 4,
            "Column names in each table must be unique. Column name '%s' in table '%s' is specified more than once.",
            spec->name, name);
    int id = (int)db_number(
        session,
        "UPDATE mssql.object SET max_column_id = max_column_id + 1 WHERE object_id = %d RETURNING max_column_id",
        object_id);
    if (spec->default_text && !spec->default_name)
        spec->default_name = arena_format(&session->arena, "DF__%.20s__%.20s__%08X", name, spec->name,
                                          (unsigned)object_id + (unsigned)id);
    const char *collation = spec->type.collation[0] ? lit(session, spec->type.collation) : "NULL";
    db_runf(session,
            "INSERT INTO mssql.column (db_id, object_id, column_id, name, type_name, system_type_id, user_type_id, "
            "max_length, \"precision\", scale, collation_name, "
            "is_nullable, is_identity, is_computed, definition, default_name, default_definition, identity_increment) "
            "VALUES (%d, %d, %d, %s, '%s', %d, %d, %d, %d, %d, %s, %d, %d, %d, %s, %s, %s, %lld)",
            session->db_id, object_id, id, lit(session, spec->name), type_name(&spec->type),
            type_system_id(&spec->type), type_user_id(&spec->type), spec->type.max_length, spec->type.precision,
            spec->type.scale, collation, spec->nullable, spec->identity, spec->computed,
            spec->definition ? lit(session, arena_format(&session->arena, "(%s)", spec->definition)) : "NULL",
            lit(session, spec->default_name),
            spec->default_text ? lit(session, arena_format(&session->arena, "(%s)", spec->default_text)) : "NULL",
            (long long)spec->increment);
    if (spec->default_text)
        db_runf(session,
                "INSERT INTO mssql.object (db_id, object_id, schema_id, name, type, parent_object_id, create_date, "
                "modify_date) SELECT db_id, "
                "nextval('mssql.object_id_seq'), schema_id, %s, 'D', object_id, mssql.getdate(), mssql.getdate() FROM "
                "mssql.object WHERE object_id = %d",
                lit(session, spec->default_name), object_id);
    if (spec->identity)
        db_runf(session, "CREATE SEQUENCE db%d.identity_%d START %lld INCREMENT %lld MINVALUE -9223372036854775807",
                session->db_id, object_id, (long long)spec->seed, (long long)spec->increment);
    if (spec->computed)
        return;
    db_runf(session,
            "ALTER TABLE db%d.o%d ADD COLUMN v%d bytea; ALTER TABLE db%d.o%d ALTER COLUMN v%d SET STORAGE EXTERNAL",
            session->db_id, object_id, id, session->db_id, object_id, id);
    if (type_has_key(&spec->type))
        db_runf(session, "ALTER TABLE db%d.o%d ADD COLUMN k%d bytea", session->db_id, object_id, id);
    if (spec->type.type == TYPE_ROWVERSION) /* a new value with each update of the row */
        db_runf(session,
                "CREATE FUNCTION db%d.version_%d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v%d := "
                "int8send(nextval('db%d.rowversion')); NEW.k%d := NEW.v%d; "
                "RETURN NEW; END $$; CREATE TRIGGER version BEFORE UPDATE ON db%d.o%d FOR EACH ROW EXECUTE FUNCTION "
                "db%d.version_%d()",
                session->db_id, object_id, id, session->db_id, id, id, session->db_id, object_id, session->db_id,
                object_id);
    db_release(session);
}

static void index_columns(Session *session, Table *table, int index_id, const char **columns, const bool *descending,
                          int count, Text *keys)
{
    for (int i = 0; i < count; i++) {
        int index = table_column(table, columns[i]);
        if (index < 0)
            session_fail(session, 1911, 1, "Column name '%s' does not exist in the target table or view.", columns[i]);
        const Column *column = &table->columns[index];
        if (!column->has_key)
            session_fail(session, 1919, 1,
                         "Column '%s' in table '%s' is of a type that is invalid for use as a key column in an index.",
                         columns[i], table->name);
        text_format(keys, "%sk%d", i ? ", " : "", column->id);
        db_runf(session, "INSERT INTO mssql.index_column VALUES (%d, %d, %d, %d, %d, %d, %d)", session->db_id,
                table->object_id, index_id, i + 1, column->id, i + 1, descending && descending[i]);
    }
}

void index_add(Session *session, Table *table, const char *name, const char **columns, const bool *descending,
               int count, bool unique, bool clustered, int kind)
{
    int id = clustered ? 1
                       : (int)db_number(session,
                                        "SELECT greatest(max(index_id), 1) + 1 FROM mssql.index WHERE object_id = %d",
                                        table->object_id);
    if (clustered) {
        if (db_text(session, "SELECT 1 FROM mssql.index WHERE object_id = %d AND index_id = 1", table->object_id))
            session_fail(session, 1902, 3, "Cannot create more than one clustered index on table '%s.%s'.",
                         table->schema, table->name);
        db_runf(session, "DELETE FROM mssql.index WHERE object_id = %d AND index_id = 0", table->object_id);
    }
    int64_t constraint = 0;
    if (kind != KIND_INDEX) {
        constraint = db_number(session, "SELECT nextval('mssql.object_id_seq')");
        if (!name)
            name = arena_format(&session->arena, "%s__%.30s__%08X", kind == KIND_PRIMARY ? "PK" : "UQ", table->name,
                                (unsigned)constraint);
        db_runf(session,
                "INSERT INTO mssql.object (db_id, object_id, schema_id, name, type, parent_object_id, create_date, "
                "modify_date) SELECT db_id, %lld, schema_id, %s, '%s', "
                "object_id, mssql.getdate(), mssql.getdate() FROM mssql.object WHERE object_id = %d",
                (long long)constraint, lit(session, name), kind == KIND_PRIMARY ? "PK" : "UQ", table->object_id);
    }
    db_runf(session, "INSERT INTO mssql.index VALUES (%d, %d, %d, %s, %d, %d, %d, %d, nullif(%lld, 0))", session->db_id,
            table->object_id, id, lit(session, name), clustered ? 1 : 2, unique, kind == KIND_PRIMARY,
            kind == KIND_UNIQUE, (long long)constraint);
    Text keys = {.arena = &session->arena};
    db_release(session);
    index_columns(session, table, id, columns, descending, count, &keys);
    db_release(session);
    if (unique) /* checked at the end of the statement, and NULL equals NULL, as in SQL Server */
        db_runf(session, "ALTER TABLE %s ADD CONSTRAINT i%d_%d UNIQUE NULLS NOT DISTINCT (%s) DEFERRABLE",
                table->relation, table->object_id, id, keys.data);
    else
        db_runf(session, "CREATE INDEX i%d_%d ON %s (%s)", table->object_id, id, table->relation, keys.data);
    db_release(session);
}

static void parse_key_columns(Parser *parser, KeySpec *key)
{
    parser_expect(parser, "(");
    do {
        if (key->count == INDEX_COLUMNS_MAX)
            session_fail(parser->session, 1904, 1, "The index has more than %d columns in its key list.",
                         INDEX_COLUMNS_MAX);
        key->columns[key->count] = parser_name_part(parser);
        key->descending[key->count++] = parser_take(parser, "desc");
        parser_take(parser, "asc");
    } while (parser_take(parser, ","));
    parser_expect(parser, ")");
}

static void skip_parenthesis(Parser *parser)
{
    int depth = 0;
    do {
        if (parser_at(parser, "("))
            depth++;
        else if (parser_at(parser, ")"))
            depth--;
        else if (parser_peek(parser, 0)->kind == TOKEN_END)
            parser_fail(parser);
        parser->at++;
    } while (depth);
}

static void skip_storage(Parser *parser)
{
    for (;;) {
        if (parser_at2(parser, "with", "("))
            parser->at++, skip_parenthesis(parser);
        else if (parser_at(parser, "on") || parser_at(parser, "textimage_on"))
            parser->at++, parser_name_part(parser);
        else
            return;
    }
}

/* CONSTRAINT x PRIMARY KEY .. between the columns. True if it was one. */
static bool parse_table_key(Parser *parser, KeySpec **list)
{
    const char *name = NULL;
    if (!parser_at(parser, "constraint") && !parser_at(parser, "primary") && !parser_at(parser, "unique"))
        return false;
    if (parser_take(parser, "constraint"))
        name = parser_name_part(parser);
    KeySpec *key = arena_alloc(&parser->session->arena, sizeof *key);
    key->name = name;
    if (parser_take(parser, "primary")) {
        parser_expect(parser, "key");
        key->kind = KIND_PRIMARY;
    } else {
        parser_expect(parser, "unique");
        key->kind = KIND_UNIQUE;
    }
    key->clustered = parse_clustered(parser, &key->clustered_given, key->kind == KIND_PRIMARY);
    parse_key_columns(parser, key);
    skip_storage(parser);
    while (*list)
        list = &(*list)->next;
    *list = key;
    return true;
}

static void column_key(Session *session, const ColumnSpec *spec, KeySpec **list)
{
    if (!spec->primary_key && !spec->unique)
        return;
    KeySpec *key = arena_alloc(&session->arena, sizeof *key);
    key->name = spec->constraint;
    key->kind = spec->primary_key ? KIND_PRIMARY : KIND_UNIQUE;
    key->clustered = spec->clustered;
    key->clustered_given = spec->clustered_given;
    key->columns[key->count++] = spec->name;
    while (*list)
        list = &(*list)->next;
    *list = key;
}

static int object_create(Session *session, const Name *name)
{
    const char *schema = name->count > 1 && *name->parts[name->count - 2] ? name->parts[name->count - 2] : "dbo",
               *table = name->parts[name->count - 1];
    if (session->db_id < 5)
        session_fail(session, 262, 1, "CREATE TABLE permission denied in database '%s'.", session->database);
    if (!session->sysadmin && !session->db_owner)
        session_fail(session, 262, 1, "CREATE TABLE permission denied in database '%s'.", session->database);
    int schema_id = schema_id_of(session, schema);
    if (schema_id < 0)
        session_fail(session, 2760, 1,
                     "The specified schema name \"%s\" either does not exist or you do not have permission to use it.",
                     schema);
    if (table_find(session, name))
        session_fail(session, 2714, 6, "There is already an object named '%s' in the database.", table);
    int id = (int)db_number(session, "SELECT nextval('mssql.object_id_seq')");
    db_runf(session,
            "INSERT INTO mssql.object (db_id, object_id, schema_id, name, type, create_date, modify_date) VALUES (%d, "
            "%d, %d, %s, 'U', mssql.getdate(), mssql.getdate())",
            session->db_id, id, schema_id, lit(session, table));
    db_runf(session, "INSERT INTO mssql.index VALUES (%d, %d, 0, NULL, 0, 0, 0, 0, NULL)", session->db_id, id);
    db_runf(session, "CREATE TABLE db%d.o%d ()", session->db_id, id);
    return id;
}

void create_table(Parser *parser)
{
    Session *session = parser->session;
    Name name = parser_name(parser);
    int id = object_create(session, &name);
    KeySpec *keys = NULL;
    parser_expect(parser, "(");
    do {
        if (parser_at(parser, ")"))
            break;
        if (parse_table_key(parser, &keys))
            continue;
        ColumnSpec spec;
        column_spec_parse(parser, &spec);
        column_add(session, id, &spec);
        column_key(session, &spec, &keys);
    } while (parser_take(parser, ","));
    parser_expect(parser, ")");
    skip_storage(parser);
    bool other_clustered = false;
    for (KeySpec *key = keys; key; key = key->next) {
        other_clustered |= key->kind == KIND_UNIQUE && key->clustered;
        for (int i = 0; i < key->count && key->kind == KIND_PRIMARY; i++)
            db_runf(session, "UPDATE mssql.column SET is_nullable = 0 WHERE object_id = %d AND name = %s", id,
                    lit(session, key->columns[i]));
    }
    table_changed(session);
    Table *table = table_get(session, &name);
    for (KeySpec *key = keys; key; key = key->next)
        index_add(session, table, key->name, key->columns, key->descending, key->count, true,
                  key->clustered && !(key->kind == KIND_PRIMARY && !key->clustered_given && other_clustered),
                  key->kind);
    table_changed(session);
}

/* CREATE [UNIQUE] [CLUSTERED|NONCLUSTERED] INDEX name ON table (..) [INCLUDE (..)] */
void create_index(Parser *parser)
{
    Session *session = parser->session;
    bool given, unique = parser_take(parser, "unique"), clustered = parse_clustered(parser, &given, false);
    parser_expect(parser, "index");
    KeySpec key = {.name = parser_name_part(parser)};
    parser_expect(parser, "on");
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    parse_key_columns(parser, &key);
    if (parser_take(parser, "include"))
        skip_parenthesis(parser);
    skip_storage(parser);
    index_add(session, table, key.name, key.columns, key.descending, key.count, unique, clustered, KIND_INDEX);
    table_changed(session);
}

void create_database(Session *session, const char *name)
{
    if (db_text(session, "SELECT 1 FROM mssql.database WHERE name = %s", lit(session, name)))
        session_fail(session, 1801, 3, "Database '%s' already exists. Choose a different database name.", name);
    int id = (int)db_number(session,
                            "INSERT INTO mssql.database (id, name, owner, create_date) VALUES "
                            "(nextval('mssql.database_id_seq'), %s, %s, mssql.getdate()) RETURNING id",
                            lit(session, name), lit(session, session->login));
    Text sql = {.arena = &session->arena};
    for (const char *c = database_sql; *c; c++) {
        if (!strncmp(c, "{db}", 4))
            text_format(&sql, "db%d", id), c += 3;
        else if (!strncmp(c, "{id}", 4))
            text_format(&sql, "%d", id), c += 3;
        else
            text_add(&sql, c, 1);
    }
    db_run(session, sql.data);
    if (!session->sysadmin)
        db_runf(session, "UPDATE mssql.principal SET login = %s WHERE db_id = %d AND principal_id = 1",
                lit(session, session->login), id);
}
