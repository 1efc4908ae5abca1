/* UPDATE, DELETE and TRUNCATE of one table. */
#include "statement.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHANGE_ROWS_AT_ONCE = 1000 };

typedef struct Assignment {
    int column;
    Expr *expr;
    bool constant;
    Constant value;
    Fragment fragment;
} Assignment;

static void refuse_system(Session *session, const Table *table)
{
    if (!table->object_id || table->change_table)
        session_fail(session, 259, 1, "Ad hoc updates to system catalogs are not allowed.");
}

static bool mentions_column(const Expr *expr)
{
    if (!expr)
        return false;
    if (expr->kind == EXPR_COLUMN || expr->kind == EXPR_SUBQUERY)
        return true;
    for (int i = 0; i < expr->arg_count; i++)
        if (mentions_column(expr->args[i]))
            return true;
    return false;
}

static void check_assignment(Session *session, const Table *table, const Assignment *to)
{
    const Column *column = &table->columns[to->column];
    if (column->identity)
        session_fail(session, 8102, 1, "Cannot update identity column '%s'.", column->name);
    if (column->computed)
        session_fail(session, 271, 1,
                     "The column \"%s\" cannot be modified because it is either a computed column or is the result of "
                     "a UNION operator.",
                     column->name);
    if (column->type.type == TYPE_ROWVERSION)
        session_fail(session, 272, 1, "Cannot update a timestamp column.");
}

static void check_null(Session *session, const Table *table, const Column *column, bool is_null)
{
    if (is_null && !column->nullable)
        session_fail(session, 515, 2,
                     "Cannot insert the value NULL into column '%s', table '%s.%s.%s'; column does not allow nulls. "
                     "UPDATE fails.",
                     column->name, table->database, table->schema, table->name);
}

static Assignment *parse_assignments(Parser *parser, const Table *table, int *count)
{
    Session *session = parser->session;
    Assignment *list = arena_alloc(&session->arena, sizeof *list * (size_t)(table->column_count + 1));
    *count = 0;
    do {
        Name name = parser_name(parser);
        Assignment *to = &list[*count];
        to->column = table_column(table, name.parts[name.count - 1]);
        if (to->column < 0)
            session_fail(session, 207, 1, "Invalid column name '%s'.", name.parts[name.count - 1]);
        for (int i = 0; i < *count; i++)
            if (list[i].column == to->column)
                session_fail(session, 264, 1,
                             "The column name '%s' is specified more than once in the SET clause or column list of an "
                             "INSERT. A column cannot be assigned more than one value in the same clause. Modify the "
                             "clause to make sure that a column is updated only once.",
                             table->columns[to->column].name);
        (*count)++;
        static const char *const operators[] = {"+=", "-=", "*=", "/="};
        for (int i = 0; i < 4; i++)
            if (parser_take(parser, operators[i])) {
                Expr *self = parser_new(parser, EXPR_COLUMN, 0);
                self->name = (Name){{table->columns[to->column].name}, 1};
                to->expr = parser_new(parser, EXPR_ARITHMETIC, 2);
                to->expr->text = arena_format(&session->arena, "%c", operators[i][0]);
                to->expr->args[0] = self;
                to->expr->args[1] = parser_expr(parser);
            }
        if (!to->expr) {
            parser_expect(parser, "=");
            to->expr = parser_expr(parser);
        }
        check_assignment(session, table, to);
    } while (parser_take(parser, ","));
    return list;
}

static void set_text(Session *session, Text *sql, const Column *column, const Constant *value, const char *comma)
{
    text_format(sql, "%sv%d = ", comma, column->id);
    text_add_bytes(sql, value->data, value->length);
    if (column->has_key)
        text_format(sql, ", k%d = %s", column->id, constant_key(session, value));
}

static void update_constant(Session *session, Table *table, Assignment *list, int count, const char *where)
{
    Text sql = {.arena = &session->arena};
    text_format(&sql, "UPDATE %s AS t SET ", table->relation);
    for (int i = 0; i < count; i++)
        set_text(session, &sql, &table->columns[list[i].column], &list[i].value, i ? ", " : "");
    text_format(&sql, " WHERE %s", where);
    session->row_count = strtoull(PQcmdTuples(db_run(session, sql.data)), NULL, 10);
}

/* One row of VALUES: the row's address, then value and key of each assigned column. */
static void computed_row(Session *session, Table *table, Assignment *list, int count, const PGresult *result, int row,
                         Text *sql)
{
    const uint8_t *tid = (const uint8_t *)PQgetvalue(result, row, 0);
    text_format(sql, "('(%u,%u)'::tid",
                (unsigned)tid[0] << 24 | (unsigned)tid[1] << 16 | (unsigned)tid[2] << 8 | tid[3],
                (unsigned)tid[4] << 8 | tid[5]);
    for (int i = 0; i < count; i++) {
        const Column *column = &table->columns[list[i].column];
        Constant value = list[i].value;
        if (!list[i].constant) {
            value = (Constant){.type = list[i].fragment.typed ? list[i].fragment.type
                                                              : native_type_of(PQftype(result, i + 1))};
            if (!PQgetisnull(result, row, i + 1)) {
                bytes_clear(&session->scratch_key);
                if (list[i].fragment.user)
                    bytes_append(&session->scratch_key, PQgetvalue(result, row, i + 1),
                                 (size_t)PQgetlength(result, row, i + 1));
                else
                    native_encode(session, PQftype(result, i + 1), PQgetvalue(result, row, i + 1),
                                  PQgetlength(result, row, i + 1), &value.type, &session->scratch_key);
                value.length = session->scratch_key.length;
                value.data =
                    (const uint8_t *)arena_copy(&session->arena, (const char *)session->scratch_key.data, value.length);
            }
            value = constant_cast(session, value, &column->type);
        }
        check_null(session, table, column, !value.data);
        text_add(sql, ", ", 2);
        text_add_bytes(sql, value.data, value.length);
        if (column->has_key)
            text_format(sql, ", %s", constant_key(session, &value));
    }
    text_add(sql, ")", 1);
}

/* Expressions over the row itself: read under lock, work out here, write back by address. One UPDATE statement, so that
 * the key may move through values that other rows leave (a unique index is checked row by row in PostgreSQL: in key
 * order). */
static void update_computed(Session *session, Table *table, Assignment *list, int count, const char *where,
                            Scope *scope)
{
    Text sql = {.arena = &session->arena}, names = {.arena = &session->arena}, sets = {.arena = &session->arena};
    text_format(&sql, "SELECT t.ctid");
    text_format(&names, "a");
    for (int i = 0; i < count; i++) {
        const Column *column = &table->columns[list[i].column];
        if (!list[i].constant)
            list[i].fragment = emit_scalar(session, list[i].expr, scope);
        text_format(&sql, ", %s", list[i].constant ? "NULL::bytea" : list[i].fragment.value);
        text_format(&names, column->has_key ? ", v%d, k%d" : ", v%d", column->id, column->id);
        text_format(&sets, "%sv%d = x.v%d", i ? ", " : "", column->id, column->id);
        if (column->has_key)
            text_format(&sets, ", k%d = x.k%d", column->id, column->id);
    }
    text_format(&sql, " FROM %s AS t WHERE %s FOR UPDATE", table->relation, where);
    db_release(session);
    PGresult *result = PQexecParams(session->pg, sql.data, 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        db_fail(session, result);
    session->results[session->result_count++] = result;
    int rows = PQntuples(result);
    session->row_count = (uint64_t)rows;
    for (int start = 0; start < rows; start += CHANGE_ROWS_AT_ONCE) {
        Text update = {.arena = &session->arena};
        text_format(&update, "UPDATE %s AS t SET %s FROM (VALUES ", table->relation, sets.data);
        for (int row = start; row < rows && row < start + CHANGE_ROWS_AT_ONCE; row++) {
            if (row > start)
                text_add(&update, ", ", 2);
            computed_row(session, table, list, count, result, row, &update);
        }
        text_format(&update, ") AS x(%s) WHERE t.ctid = x.a", names.data);
        PGresult *done = db_run(session, update.data);
        PQclear(done);
        session->result_count--;
    }
}

/* WHERE of the target alone; a FROM clause may only name the target again. */
static char *parse_where(Parser *parser, Table *table, Scope *scope, const char *alias)
{
    Session *session = parser->session;
    scope_table(session, scope, table, alias, "t");
    if (!parser_take(parser, "where"))
        return (char *)"true";
    return emit_predicate(session, parser_predicate(parser), scope);
}

static int parse_top(Parser *parser)
{
    if (!parser_take(parser, "top"))
        return -1;
    bool bracket = parser_take(parser, "(");
    Constant top;
    if (!constant_fold(parser->session, parser_primary(parser), &top))
        parser_fail(parser);
    if (bracket)
        parser_expect(parser, ")");
    return (int)constant_integer(parser->session, &top);
}

static char *limit_where(Session *session, const Table *table, const char *where, int top)
{
    if (top < 0)
        return (char *)where;
    return arena_format(&session->arena, "t.ctid IN (SELECT t.ctid FROM %s AS t WHERE %s LIMIT %d)", table->relation,
                        where, top);
}

void statement_update(Parser *parser)
{
    Session *session = parser->session;
    int top = parse_top(parser);
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    table_check(session, table, "UPDATE");
    session->target_table = arena_format(&session->arena, "%s.%s.%s", table->database, table->schema, table->name);
    refuse_system(session, table);
    parser_expect(parser, "set");
    int count;
    Assignment *list = parse_assignments(parser, table, &count);
    Scope scope = {.outer = NULL};
    char *where = limit_where(session, table, parse_where(parser, table, &scope, NULL), top);
    bool constant = true;
    for (int i = 0; i < count; i++) {
        const Column *column = &table->columns[list[i].column];
        session->target_column = column->name;
        list[i].constant = !mentions_column(list[i].expr) &&
                           !(list[i].expr->kind == EXPR_FUNCTION && !strcasecmp(list[i].expr->name.parts[0], "newid"));
        if (list[i].constant) {
            Constant folded;
            if (list[i].expr->kind <= EXPR_NSTRING)
                list[i].value = constant_for_column(session, list[i].expr, &column->type);
            else
                list[i].value = constant_cast(
                    session,
                    constant_fold(session, list[i].expr, &folded) ? folded : query_scalar(session, list[i].expr),
                    &column->type);
            check_null(session, table, column, !list[i].value.data);
        }
        constant &= list[i].constant;
    }
    if (constant)
        update_constant(session, table, list, count, where);
    else
        update_computed(session, table, list, count, where, &scope);
    if (table->tracked && session->row_count)
        session->logged = true;
}

void statement_delete(Parser *parser)
{
    Session *session = parser->session;
    int top = parse_top(parser);
    parser_take(parser, "from");
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    table_check(session, table, "DELETE");
    refuse_system(session, table);
    Scope scope = {.outer = NULL};
    char *where = limit_where(session, table, parse_where(parser, table, &scope, NULL), top);
    PGresult *result = db_runf(session, "DELETE FROM %s AS t WHERE %s", table->relation, where);
    session->row_count = strtoull(PQcmdTuples(result), NULL, 10);
    if (table->tracked && session->row_count)
        session->logged = true;
}

/* Refused on a table that is published or captured ("TRUNCATE TABLE", restrictions). */
void statement_truncate(Parser *parser)
{
    Session *session = parser->session;
    parser_expect(parser, "table");
    Name name = parser_name(parser);
    Table *table = table_get(session, &name);
    refuse_system(session, table);
    if (table->tracked)
        session_fail(
            session, 4711, 1,
            "Cannot truncate table '%s' because it is published for replication or enabled for Change Data Capture.",
            name_text(session, &name));
    db_runf(session, "DELETE FROM %s", table->relation);
    if (table->identity >= 0)
        db_runf(session, "ALTER SEQUENCE db%d.identity_%d RESTART", table->db_id, table->object_id);
}
