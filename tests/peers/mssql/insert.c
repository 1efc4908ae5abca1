/* INSERT: rows become value bytes and sort keys here and go to PostgreSQL by one binary COPY a statement. */
#include "statement.h"
#include "table.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { INSERT_ROWS_MAX = 1000 }; /* "Table Value Constructor": more is error 10738 */

typedef struct Insert {
    Session *session;
    Table *table;
    int *targets; /* table column of each listed one */
    int target_count;
    Constant *row; /* by table column */
    bool *given;
    Constant *defaults;
    bool *default_known;
    Bytes *copy; /* the session's */
    int rows;
} Insert;

static void copy_field(Bytes *copy, const uint8_t *data, size_t length)
{
    uint32_t size = htobe32(data ? (uint32_t)length : UINT32_MAX);
    bytes_append(copy, &size, 4);
    if (data && length)
        bytes_append(copy, data, length);
}

static const char *column_default(const Column *column)
{
    return column->default_text;
}

/* A literal default is worked out once a statement; NEWID() and the like once a row. */
static Constant default_value(Insert *insert, int index)
{
    Session *session = insert->session;
    const Column *column = &insert->table->columns[index];
    if (insert->default_known[index])
        return insert->defaults[index];
    Expr *expr = parse_definition(session, column_default(column));
    Constant constant;
    bool literal = constant_fold(session, expr, &constant);
    if (!literal)
        constant = query_scalar(session, expr);
    constant = constant_cast(session, constant, &column->type);
    if (literal || expr->kind != EXPR_FUNCTION || !strcasecmp(expr->name.parts[0], "getdate")) {
        insert->default_known[index] = true;
        insert->defaults[index] = constant;
    }
    return constant;
}

static void fill_column(Insert *insert, int index)
{
    Session *session = insert->session;
    Table *table = insert->table;
    const Column *column = &table->columns[index];
    if (!insert->given[index]) {
        insert->row[index] = (Constant){.type = column->type};
        if (column->identity) {
            session->last_identity =
                db_number(session, "SELECT nextval('db%d.identity_%d')", table->db_id, table->object_id);
            char *text = arena_format(&session->arena, "%lld", (long long)session->last_identity);
            Expr literal = {.kind = EXPR_NSTRING, .text = text, .length = strlen(text)};
            insert->row[index] = constant_for_column(session, &literal, &column->type);
        } else if (column->default_text) {
            insert->row[index] = default_value(insert, index);
        } else if (column->type.type == TYPE_ROWVERSION) {
            uint64_t next = htobe64((uint64_t)db_number(session, "SELECT nextval('db%d.rowversion')", table->db_id));
            insert->row[index].data = (const uint8_t *)arena_copy(&session->arena, (const char *)&next, 8);
            insert->row[index].length = 8;
        }
    }
    if (!insert->row[index].data && !column->nullable)
        session_fail(session, 515, 2,
                     "Cannot insert the value NULL into column '%s', table '%s.%s.%s'; column does not allow nulls. "
                     "INSERT fails.",
                     column->name, table->database, table->schema, table->name);
}

static void add_row(Insert *insert)
{
    Session *session = insert->session;
    Table *table = insert->table;
    uint16_t fields = 0;
    for (int i = 0; i < table->column_count; i++)
        if (!table->columns[i].computed)
            fields = (uint16_t)(fields + 1 + table->columns[i].has_key);
    fields = htobe16(fields);
    bytes_append(insert->copy, &fields, 2);
    for (int i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        if (column->computed)
            continue;
        fill_column(insert, i);
        const Constant *value = &insert->row[i];
        copy_field(insert->copy, value->data, value->length);
        if (!column->has_key)
            continue;
        bytes_clear(&session->scratch_key);
        if (value->data)
            value_sort_key(&value->type, value->data, value->length, &session->scratch_key);
        copy_field(insert->copy,
                   !value->data                ? NULL
                   : session->scratch_key.data ? session->scratch_key.data
                                               : (const uint8_t *)"",
                   session->scratch_key.length);
    }
    insert->rows++;
}

static void copy_run(Insert *insert)
{
    Session *session = insert->session;
    Table *table = insert->table;
    static const uint8_t header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
    Text sql = {.arena = &session->arena};
    text_format(&sql, "COPY %s (", table->relation);
    const char *comma = "";
    for (int i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        if (column->computed)
            continue;
        text_format(&sql, column->has_key ? "%sv%d, k%d" : "%sv%d", comma, column->id, column->id);
        comma = ", ";
    }
    text_format(&sql, ") FROM STDIN (FORMAT binary)");
    db_release(session);
    db_run(session, sql.data);
    uint16_t end = 0xffff;
    bytes_append(insert->copy, &end, 2);
    if (PQputCopyData(session->pg, (const char *)header, 19) != 1 ||
        PQputCopyData(session->pg, (const char *)insert->copy->data, (int)insert->copy->length) != 1)
        session_fail(session, 50000, 1, "COPY: %s", PQerrorMessage(session->pg));
    PQputCopyEnd(session->pg, NULL);
    PGresult *result = PQgetResult(session->pg), *last;
    while ((last = PQgetResult(session->pg)))
        PQclear(last);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        db_fail(session, result);
    PQclear(result);
}

static void parse_targets(Parser *parser, Insert *insert)
{
    Session *session = parser->session;
    Table *table = insert->table;
    insert->targets = arena_alloc(&session->arena, sizeof *insert->targets * (size_t)(table->column_count + 1));
    bool listed = parser_at(parser, "(") && !token_is(parser_peek(parser, 1), "select");
    if (listed) {
        parser->at++;
        do {
            const char *name = parser_name_part(parser);
            int index = table_column(table, name);
            if (index < 0)
                session_fail(session, 207, 1, "Invalid column name '%s'.", name);
            if (insert->target_count == table->column_count)
                session_fail(
                    session, 264, 1,
                    "The column name '%s' is specified more than once in the SET clause or column list of an INSERT.",
                    name);
            insert->targets[insert->target_count++] = index;
        } while (parser_take(parser, ","));
        parser_expect(parser, ")");
    } else {
        for (int i = 0; i < table->column_count; i++)
            if (!table->columns[i].computed && table->columns[i].type.type != TYPE_ROWVERSION &&
                !(table->columns[i].identity && session->identity_insert != table->object_id))
                insert->targets[insert->target_count++] = i;
    }
    for (int i = 0; i < insert->target_count; i++) {
        const Column *column = &table->columns[insert->targets[i]];
        insert->given[insert->targets[i]] = true;
        if (column->identity && session->identity_insert != table->object_id)
            session_fail(
                session, 544, 1,
                "Cannot insert explicit value for identity column in table '%s' when IDENTITY_INSERT is set to OFF.",
                table->name);
        if (column->computed)
            session_fail(session, 271, 1,
                         "The column \"%s\" cannot be modified because it is either a computed column or is the result "
                         "of a UNION operator.",
                         column->name);
        if (column->type.type == TYPE_ROWVERSION)
            session_fail(session, 273, 1,
                         "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to "
                         "exclude the timestamp column, or insert a DEFAULT into the timestamp column.");
    }
}

static Expr *literal_token(Parser *parser, Expr *place)
{
    const Token *token = parser->tokens + parser->at, *next = token + 1;
    static const ExprKind kinds[] = {[TOKEN_STRING] = EXPR_STRING,
                                     [TOKEN_NSTRING] = EXPR_NSTRING,
                                     [TOKEN_NUMBER] = EXPR_NUMBER,
                                     [TOKEN_HEX] = EXPR_HEX};
    if (token->kind < TOKEN_STRING || token->kind > TOKEN_HEX || next->kind != TOKEN_OPERATOR ||
        (next->text[0] != ',' && next->text[0] != ')'))
        return NULL;
    *place = (Expr){.kind = kinds[token->kind], .text = token->text, .length = token->length, .line = token->line};
    parser->at++;
    return place;
}

static void parse_value(Parser *parser, Insert *insert, int index)
{
    Session *session = insert->session;
    const Column *column = &insert->table->columns[index];
    Expr place, *expr = literal_token(parser, &place);
    Constant constant;
    session->target_column = column->name;
    if (!expr)
        expr = parser_expr(parser);
    if (expr->kind == EXPR_DEFAULT) {
        constant = column->default_text ? default_value(insert, index) : (Constant){.type = column->type};
    } else if (expr->kind <= EXPR_HEX || (expr->kind == EXPR_MINUS && expr->args[0]->kind == EXPR_NUMBER)) {
        if (expr->kind == EXPR_MINUS) {
            place = *expr->args[0];
            place.text = arena_format(&session->arena, "-%.*s", (int)place.length, place.text);
            place.length++;
            if (type_is_text(&column->type))
                place.kind = EXPR_NSTRING;
            else if (type_is_integer(&column->type) &&
                     (memchr(place.text, '.', place.length) || memchr(place.text, 'e', place.length)))
                place = *expr;
            expr = &place;
        }
        constant = constant_for_column(session, expr, &column->type);
    } else {
        constant = constant_cast(session, query_scalar(session, expr), &column->type);
    }
    insert->row[index] = constant;
}

static void parse_rows(Parser *parser, Insert *insert)
{
    Session *session = insert->session;
    do {
        session->line = parser_peek(parser, 0)->line;
        parser_expect(parser, "(");
        if (insert->rows == INSERT_ROWS_MAX)
            session_fail(session, 10738, 1,
                         "The number of row value expressions in the INSERT statement exceeds the maximum allowed "
                         "number of 1000 row values.");
        for (int i = 0; i < insert->target_count; i++) {
            if (i && !parser_take(parser, ","))
                session_fail(session, 109, 1,
                             "There are more columns in the INSERT statement than values specified in the VALUES "
                             "clause. The number of values in the VALUES clause must match the number of columns "
                             "specified in the INSERT statement.");
            parse_value(parser, insert, insert->targets[i]);
        }
        if (parser_at(parser, ","))
            session_fail(session, 110, 1,
                         "There are fewer columns in the INSERT statement than values specified in the VALUES clause. "
                         "The number of values in the VALUES clause must match the number of columns specified in the "
                         "INSERT statement.");
        parser_expect(parser, ")");
        add_row(insert);
    } while (parser_take(parser, ","));
}

/* INSERT .. SELECT: PostgreSQL gives the rows, this side makes values and keys of them. */
static void insert_select(Parser *parser, Insert *insert)
{
    Session *session = insert->session;
    OutColumn *columns;
    int count;
    char *sql = emit_select(session, parser_select(parser), NULL, OUT_VALUE, &columns, &count);
    if (count != insert->target_count)
        session_fail(session, count < insert->target_count ? 120 : 121, 1,
                     "The select list for the INSERT statement contains %s items than the insert list. The number of "
                     "SELECT values must match the number of INSERT columns.",
                     count < insert->target_count ? "fewer" : "more");
    db_release(session);
    PGresult *result = PQexecParams(session->pg, sql, 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        db_fail(session, result);
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < count; i++) {
            Constant value = {.type = columns[i].fragment.typed ? columns[i].fragment.type
                                                                : native_type_of(PQftype(result, i))};
            if (!PQgetisnull(result, row, i)) {
                Bytes bytes = {0};
                if (columns[i].fragment.user)
                    bytes_append(&bytes, PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i));
                else
                    native_encode(session, PQftype(result, i), PQgetvalue(result, row, i), PQgetlength(result, row, i),
                                  &value.type, &bytes);
                value.length = bytes.length;
                value.data = (const uint8_t *)arena_copy(&session->arena, (const char *)bytes.data, bytes.length);
                bytes_free(&bytes);
            }
            insert->row[insert->targets[i]] =
                constant_cast(session, value, &insert->table->columns[insert->targets[i]].type);
        }
        add_row(insert);
    }
    PQclear(result);
}

typedef struct Gathered {
    Insert *insert;
    TypeInfo *types;
    Constant **rows;
    int count, room;
    bool mismatch;
    const ResultSink *outer;
} Gathered;

static int gather_columns(void *context, const ResultColumn *columns, int count)
{
    Gathered *gathered = context;
    Session *session = gathered->insert->session;
    gathered->mismatch |= count != gathered->insert->target_count;
    gathered->types = arena_alloc(&session->arena, sizeof *gathered->types * (size_t)count);
    for (int i = 0; i < count; i++)
        gathered->types[i] = columns[i].type;
    return 0;
}

static int gather_row(void *context, const ResultValue *values, int count)
{
    Gathered *gathered = context;
    Arena *arena = &gathered->insert->session->arena;
    if (gathered->count == gathered->room) {
        int room = gathered->room ? gathered->room * 2 : 64;
        Constant **rows = arena_alloc(arena, sizeof *rows * (size_t)room);
        if (gathered->count)
            memcpy(rows, gathered->rows, sizeof *rows * (size_t)gathered->count);
        gathered->rows = rows;
        gathered->room = room;
    }
    Constant *row = gathered->rows[gathered->count++] = arena_alloc(arena, sizeof *row * (size_t)count);
    for (int i = 0; i < count; i++) {
        row[i] = (Constant){.type = gathered->types[i], .length = values[i].length};
        if (values[i].data)
            row[i].data = (const uint8_t *)arena_copy(arena, (const char *)values[i].data, values[i].length);
    }
    return 0;
}

static int gather_done(void *context, uint64_t rows, bool has_count, bool more)
{
    (void)context, (void)rows, (void)has_count, (void)more;
    return 0;
}

static int gather_message(void *context, const SqlError *error, int line)
{
    const ResultSink *outer = ((Gathered *)context)->outer;
    return outer->message(outer->context, error, line);
}

static int gather_database(void *context, const char *old_name, const char *new_name)
{
    const ResultSink *outer = ((Gathered *)context)->outer;
    return outer->database(outer->context, old_name, new_name);
}

/* INSERT .. EXEC: the rows of the procedure's result sets. An error leaves by the trap, which restores the sink. */
static void insert_execute(Parser *parser, Insert *insert)
{
    Session *session = insert->session;
    Gathered gathered = {.insert = insert, .outer = session->sink};
    ResultSink sink = {&gathered, gather_columns, gather_row, gather_done, gather_message, gather_database, NULL};
    session->sink = &sink;
    statement_execute(parser);
    session->sink = gathered.outer;
    if (gathered.mismatch)
        session_fail(session, 213, 7, "Column name or number of supplied values does not match table definition.");
    bytes_clear(insert->copy);
    for (int row = 0; row < gathered.count; row++) {
        for (int i = 0; i < insert->target_count; i++) {
            const Column *column = &insert->table->columns[insert->targets[i]];
            session->target_column = column->name;
            insert->row[insert->targets[i]] = constant_cast(session, gathered.rows[row][i], &column->type);
        }
        add_row(insert);
    }
}

void statement_insert(Parser *parser)
{
    Session *session = parser->session;
    parser_take(parser, "into");
    Name name = parser_table_name(parser);
    Insert *insert = arena_alloc(&session->arena, sizeof *insert);
    insert->session = session;
    insert->table = table_get(session, &name);
    size_t columns = (size_t)insert->table->column_count + 1;
    insert->row = arena_alloc(&session->arena, sizeof *insert->row * columns);
    insert->given = arena_alloc(&session->arena, columns);
    insert->defaults = arena_alloc(&session->arena, sizeof *insert->defaults * columns);
    insert->default_known = arena_alloc(&session->arena, columns);
    table_check(session, insert->table, "INSERT");
    session->target_table =
        arena_format(&session->arena, "%s.%s.%s", insert->table->database, insert->table->schema, insert->table->name);
    if (!insert->table->object_id || insert->table->change_table)
        session_fail(session, 259, 1, "Ad hoc updates to system catalogs are not allowed.");
    insert->copy = &session->scratch_copy;
    bytes_clear(insert->copy);
    if (parser_at2(parser, "default", "values")) {
        parser->at += 2;
        add_row(insert);
    } else {
        parse_targets(parser, insert);
        if (parser_take(parser, "values"))
            parse_rows(parser, insert);
        else if (parser_take(parser, "exec") || parser_take(parser, "execute"))
            insert_execute(parser, insert);
        else
            insert_select(parser, insert);
    }
    if (insert->rows)
        copy_run(insert);
    if (insert->table->tracked && insert->rows)
        session->logged = true;
    session->row_count = (uint64_t)insert->rows;
}
