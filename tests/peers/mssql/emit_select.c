/* FROM and SELECT. */
#include "query.h"
#include "variant.h"

#include <string.h>
#include <strings.h>

#define FORMAT(...) arena_format(&session->arena, __VA_ARGS__)

static ScopeSource *add_source(Session *session, Scope *scope, const char *alias, int count)
{
    ScopeSource *source = arena_alloc(&session->arena, sizeof *source), **last = &scope->sources;
    source->alias = alias;
    source->count = count;
    source->columns = arena_alloc(&session->arena, sizeof *source->columns * (size_t)(count ? count : 1));
    while (*last)
        last = &(*last)->next;
    *last = source;
    return source;
}

void scope_table(Session *session, Scope *scope, const Table *table, const char *alias, const char *pg_alias)
{
    ScopeSource *source = add_source(session, scope, alias ? alias : table->name, table->column_count);
    source->schema = alias ? NULL : table->schema;
    for (int i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        ScopeColumn *to = &source->columns[i];
        to->name = column->name;
        to->column = column;
        to->fragment.typed = true;
        to->fragment.not_null = !column->nullable; /* then the order of NULLs does not matter and an index serves */
        to->fragment.type = column->type;
        if (column->native) {
            to->fragment.value = FORMAT("%s.%s", pg_alias, column->native);
        } else if (column->computed && table->change_table) {
            to->fragment.user = true;
            to->fragment.value = "NULL::bytea";
        } else if (!column->computed) {
            to->fragment.user = true;
            to->fragment.value = FORMAT("%s.v%d", pg_alias, column->id);
            to->fragment.key = column->has_key ? FORMAT("%s.k%d", pg_alias, column->id) : NULL;
        }
    }
}

static void scope_derived(Session *session, Scope *scope, const Source *source, const char *pg_alias,
                          const OutColumn *columns, int count)
{
    ScopeSource *to = add_source(session, scope, source->alias, count);
    for (int i = 0; i < count; i++) {
        to->columns[i].name = i < source->column_name_count ? source->column_names[i] : columns[i].name;
        Fragment fragment = columns[i].fragment;
        fragment.is_constant = false;
        fragment.value = FORMAT("%s.c%d", pg_alias, i + 1);
        fragment.key = fragment.key ? FORMAT("%s.k%d", pg_alias, i + 1) : NULL;
        to->columns[i].fragment = fragment;
    }
}

static char *derived_source(Session *session, const Source *source, const Select *select, Scope *scope, bool lateral)
{
    OutColumn *columns;
    int count;
    const char *pg_alias = FORMAT("t%d", ++session->alias_count);
    char *text = emit_select(session, select, lateral ? scope : scope->outer, OUT_TABLE, &columns, &count);
    scope_derived(session, scope, source, pg_alias, columns, count);
    return FORMAT("%s(%s) AS %s", lateral ? "LATERAL " : "", text, pg_alias);
}

static char *values_source(Session *session, const Source *source, Scope *scope)
{
    Text text = {.arena = &session->arena};
    const char *pg_alias = FORMAT("t%d", ++session->alias_count);
    OutColumn *columns = arena_alloc(&session->arena, sizeof *columns * (size_t)source->row_width);
    text_format(&text, "(VALUES ");
    for (int row = 0; row < source->row_count; row++) {
        for (int i = 0; i < source->row_width; i++) {
            Fragment fragment = emit_scalar(session, source->rows[row][i], scope);
            text_format(&text, "%s%s", i ? ", " : row ? "), (" : "(", fragment_native(session, &fragment));
            if (row == 0) {
                columns[i].fragment = fragment;
                if (type_is_text(&fragment.type))
                    columns[i].fragment.type.max_length = 8000;
            }
        }
    }
    text_format(&text, ")) AS %s(", pg_alias);
    for (int i = 0; i < source->row_width; i++)
        text_format(&text, "%sc%d", i ? ", " : "", i + 1);
    text_add(&text, ")", 1);
    scope_derived(session, scope, source, pg_alias, columns, source->row_width);
    return text.data;
}

/* cdc.fn_cdc_get_all_changes_<instance>(from, to, option): the closed interval of the change table, without end_lsn and
 * command_id; before images only with 'all update old' (sql-docs, "cdc.fn_cdc_get_all_changes_<capture_instance>"). */
static char *changes_source(Session *session, const Source *source, Scope *scope, const char *instance)
{
    const Expr *call = source->function;
    Name name = {{"cdc", FORMAT("%s_CT", instance)}, 2};
    Table *table = table_find(session, &name);
    if (!table || call->arg_count != 3)
        session_fail(session, 208, 1, "Invalid object name '%s'.", name_text(session, &call->name));
    Constant from, to, option;
    from = query_scalar(session, call->args[0]);
    to = query_scalar(session, call->args[1]);
    option = query_scalar(session, call->args[2]);
    char *min = db_text(session,
                        "SELECT 1 FROM mssql.change_table WHERE object_id = %d AND start_lsn <= %s AND %s <= %s AND %s "
                        "<= mssql.fn_cdc_get_max_lsn()",
                        table->object_id, constant_bytes(session, &from), constant_bytes(session, &from),
                        constant_bytes(session, &to), constant_bytes(session, &to));
    if (!min)
        session_fail(session, 313, 3,
                     "An insufficient number of arguments were supplied for the procedure or function "
                     "cdc.fn_cdc_get_all_changes_ ... .");
    const char *pg_alias = FORMAT("t%d", ++session->alias_count);
    Scope whole = {.outer = NULL};
    scope_table(session, &whole, table, source->alias, pg_alias);
    ScopeSource *all = whole.sources,
                *visible = add_source(session, scope, source->alias ? source->alias : call->name.parts[1], 0);
    visible->columns = arena_alloc(&session->arena, sizeof *visible->columns * (size_t)all->count);
    for (int i = 0; i < all->count; i++)
        if (strcasecmp(all->columns[i].name, "__$end_lsn") && strcasecmp(all->columns[i].name, "__$command_id"))
            visible->columns[visible->count++] = all->columns[i];
    const char *text = constant_text(session, &option);
    return FORMAT("(SELECT * FROM %s WHERE \"__$start_lsn\" BETWEEN %s AND %s%s) AS %s", table->relation,
                  constant_bytes(session, &from), constant_bytes(session, &to),
                  text && !strcasecmp(text, "all update old") ? "" : " AND \"__$operation\" <> 3", pg_alias);
}

static char *function_source(Session *session, const Source *source, Scope *scope)
{
    const Name *name = &source->function->name;
    const char *last = name->parts[name->count - 1];
    if (!strncasecmp(last, "fn_cdc_get_all_changes_", 23))
        return changes_source(session, source, scope, last + 23);
    if (!strcasecmp(last, "fn_my_permissions")) {
        OutColumn columns[2] = {{.name = "entity_name"}, {.name = "permission_name"}};
        for (int i = 0; i < 2; i++) {
            columns[i].fragment.typed = true;
            columns[i].fragment.type = (TypeInfo){.type = TYPE_NVARCHAR, .max_length = 256};
        }
        const char *pg_alias = FORMAT("t%d", ++session->alias_count);
        scope_derived(session, scope, source, pg_alias, columns, 2);
        return FORMAT(
            "(SELECT 'database'::text AS c1, x AS c2 FROM unnest(ARRAY['CONNECT', 'SELECT', 'VIEW DATABASE STATE']) x "
            "WHERE mssql.is_dbo() OR x = 'CONNECT' OR mssql.allowed(mssql.db(), "
            "current_setting('mssql.principal')::int, 0, x)) AS %s",
            pg_alias);
    }
    session_fail(session, 208, 1, "Invalid object name '%s'.", name_text(session, name));
}

static char *named_source(Session *session, const Source *source, Scope *scope)
{
    if (source->name.count == 1)
        for (const Scope *at = scope; at; at = at->outer)
            for (int i = 0; i < at->with_count; i++)
                if (!strcasecmp(at->with[i].name, source->name.parts[0])) {
                    Source derived = *source;
                    derived.alias = source->alias ? source->alias : source->name.parts[0];
                    derived.column_names = at->with[i].column_names;
                    derived.column_name_count = at->with[i].column_name_count;
                    Scope *saved = arena_alloc(&session->arena, sizeof *saved);
                    *saved = (Scope){.outer = at->outer, .with = at->with, .with_count = i};
                    OutColumn *columns;
                    int count;
                    const char *pg_alias = FORMAT("t%d", ++session->alias_count);
                    char *text = emit_select(session, at->with[i].select, saved, OUT_TABLE, &columns, &count);
                    scope_derived(session, scope, &derived, pg_alias, columns, count);
                    return FORMAT("(%s) AS %s", text, pg_alias);
                }
    session->line = source->line;
    Table *table = table_get(session, &source->name);
    table_check(session, table, "SELECT");
    const char *pg_alias = FORMAT("t%d", ++session->alias_count);
    scope_table(session, scope, table, source->alias, pg_alias);
    return FORMAT("%s AS %s", table->relation, pg_alias);
}

static char *one_source(Session *session, const Source *source, Scope *scope, bool lateral)
{
    if (source->join)
        return FORMAT("(%s)", emit_source(session, source, scope));
    if (source->derived)
        return derived_source(session, source, source->derived, scope, lateral);
    if (source->rows)
        return values_source(session, source, scope);
    if (source->function)
        return function_source(session, source, scope);
    return named_source(session, source, scope);
}

char *emit_source(Session *session, const Source *source, Scope *scope)
{
    static const char *const words[] = {
        [JOIN_COMMA] = "CROSS JOIN",       [JOIN_INNER] = "JOIN",           [JOIN_LEFT] = "LEFT JOIN",
        [JOIN_RIGHT] = "RIGHT JOIN",       [JOIN_FULL] = "FULL JOIN",       [JOIN_CROSS] = "CROSS JOIN",
        [JOIN_CROSS_APPLY] = "CROSS JOIN", [JOIN_OUTER_APPLY] = "LEFT JOIN"};
    if (!source->join)
        return one_source(session, source, scope, false);
    bool apply = source->join == JOIN_CROSS_APPLY || source->join == JOIN_OUTER_APPLY;
    char *left = emit_source(session, source->left, scope);
    char *right = one_source(session, source->right, scope, apply);
    if (source->on)
        return FORMAT("%s %s %s ON %s", left, words[source->join], right, emit_predicate(session, source->on, scope));
    return FORMAT("%s %s %s%s", left, words[source->join], right, source->join == JOIN_OUTER_APPLY ? " ON true" : "");
}

static bool top_cast(const Expr *expr, const Fragment *inner)
{
    return expr->kind == EXPR_CAST && inner->user && !inner->is_constant &&
           (expr->arg_count == 1 || !type_is_binary(&inner->type));
}

/* The methods and CASEs that are answered value by value when the row is read. */
static bool exact_text(Session *session, const Expr *expr, Scope *scope, OutColumn *to)
{
    static const TypeInfo wide = {.type = TYPE_NVARCHAR, .max_length = 8000},
                          max = {.type = TYPE_NVARCHAR, .max_length = -1};
    const Expr *column = variant_case_column(expr);
    Expr method = {.kind = EXPR_COLUMN, .line = expr->line, .name = expr->name};
    if (column) {
        to->fragment = emit_scalar(session, column, scope);
        to->variant = expr;
        to->cast_type = max;
        to->cast = to->fragment.user && to->fragment.type.type == TYPE_SQL_VARIANT;
    } else if (expr->kind == EXPR_FUNCTION && expr->name.count > 1 && expr->arg_count == 0 &&
               !strcmp(expr->name.parts[expr->name.count - 1], "ToString")) {
        method.name.count--;
        to->fragment = emit_scalar(session, &method, scope);
        to->to_string = true;
        to->cast_type = wide;
        to->cast = to->fragment.user && to->fragment.type.type == TYPE_HIERARCHYID;
    }
    if (!to->cast)
        to->variant = NULL;
    return to->cast;
}

/* One item of the select list; at the top a CAST of a user column is left to value_convert of type.h. */
static void add_item(Session *session, const SelectItem *item, Scope *scope, OutMode mode, OutColumn *to)
{
    const Expr *expr = item->expr;
    memset(to, 0, sizeof *to);
    to->nullable = true;
    Constant constant;
    bool exact = mode == OUT_TOP && exact_text(session, expr, scope, to);
    if (mode == OUT_TOP && !exact && expr->kind == EXPR_CAST && !constant_fold(session, expr, &constant)) {
        Fragment inner = emit_scalar(session, expr->args[0], scope);
        if (top_cast(expr, &inner)) {
            to->fragment = inner;
            to->cast = true;
            to->cast_type = expr->type;
        }
    }
    if (!to->cast)
        to->fragment = emit_scalar(session, expr, scope);
    const char *name = item->alias                 ? item->alias
                       : expr->kind == EXPR_COLUMN ? expr->name.parts[expr->name.count - 1]
                                                   : "";
    for (const ScopeSource *source = scope->sources; source && expr->kind == EXPR_COLUMN; source = source->next)
        for (int i = 0; i < source->count; i++)
            if (!strcasecmp(source->columns[i].name, expr->name.parts[expr->name.count - 1])) {
                if (!item->alias)
                    name = source->columns[i].name; /* the catalogue's spelling */
                if (source->columns[i].column)
                    to->nullable = source->columns[i].column->nullable;
            }
    strncpy(to->name, name, sizeof to->name - 1);
}

static int star_count(const Scope *scope)
{
    int count = 0;
    for (const ScopeSource *source = scope->sources; source; source = source->next)
        count += source->count;
    return count;
}

static int add_star(Session *session, const Expr *star, Scope *scope, OutColumn *to)
{
    int count = 0;
    for (const ScopeSource *source = scope->sources; source; source = source->next) {
        if (star->name.count && (!source->alias || strcasecmp(source->alias, star->name.parts[star->name.count - 1])))
            continue;
        for (int i = 0; i < source->count; i++) {
            OutColumn *out = &to[count++];
            memset(out, 0, sizeof *out);
            const Column *column = source->columns[i].column;
            strncpy(out->name, source->columns[i].name, sizeof out->name - 1);
            out->nullable = !column || column->nullable;
            out->fragment = source->columns[i].fragment;
            if (!out->fragment.value) {
                Expr expr = {.kind = EXPR_COLUMN, .name = {{source->columns[i].name}, 1}};
                out->fragment = emit_scalar(session, &expr, scope);
            }
        }
    }
    if (!count)
        session_fail(session, 107, 1,
                     "The column prefix '%s' does not match with a table name or alias name used in the query.",
                     star->name.count ? star->name.parts[0] : "*");
    return count;
}

static OutColumn *select_items(Session *session, const Select *select, Scope *scope, OutMode mode, int *count)
{
    int capacity = select->item_count, stars = star_count(scope);
    for (int i = 0; i < select->item_count; i++)
        if (select->items[i].expr->kind == EXPR_STAR)
            capacity += stars;
    OutColumn *columns = arena_alloc(&session->arena, sizeof *columns * (size_t)(capacity + 1));
    *count = 0;
    for (int i = 0; i < select->item_count; i++) {
        if (select->items[i].expr->kind == EXPR_STAR)
            *count += add_star(session, select->items[i].expr, scope, columns + *count);
        else
            add_item(session, &select->items[i], scope, mode, &columns[(*count)++]);
    }
    return columns;
}

char *emit_order(Session *session, const OrderItem *items, int count, Scope *scope, const Select *select,
                 const OutColumn *out, int out_count)
{
    Text text = {.arena = &session->arena};
    for (int i = 0; i < count; i++) {
        const Expr *expr = items[i].expr;
        Fragment fragment = {.value = NULL};
        if (expr->kind == EXPR_NUMBER && out) {
            int64_t ordinal = 0;
            for (size_t c = 0; c < expr->length; c++)
                ordinal = ordinal * 10 + expr->text[c] - '0';
            if (ordinal < 1 || ordinal > out_count)
                session_fail(
                    session, 108, 1,
                    "The ORDER BY position number %d is out of range of the number of items in the select list.",
                    (int)ordinal);
            fragment = out[ordinal - 1].fragment;
        } else if (expr->kind == EXPR_COLUMN && expr->name.count == 1 && select) {
            for (int c = 0; c < out_count; c++)
                if (!strcasecmp(out[c].name, expr->name.parts[0]) && !out[c].cast) {
                    fragment = out[c].fragment;
                    break;
                }
        }
        if (!fragment.value)
            fragment = emit_scalar(session, expr, scope);
        bool constant =
            fragment.is_constant || (expr->kind == EXPR_SUBQUERY && !strcmp(fragment.value, "(SELECT NULL)"));
        text_format(&text, "%s%s %s", i ? ", " : "",
                    constant                        ? "NULL::int"
                    : fragment.user && fragment.key ? fragment.key
                                                    : fragment.value,
                    fragment.not_null     ? (items[i].descending ? "DESC" : "ASC")
                    : items[i].descending ? "DESC NULLS LAST"
                                          : "ASC NULLS FIRST");
    }
    return text.data;
}

static void append_items(Session *session, Text *text, const OutColumn *columns, int count, OutMode mode)
{
    for (int i = 0; i < count; i++) {
        const Fragment *fragment = &columns[i].fragment;
        const char *comma = i ? ", " : "";
        switch (mode) {
        case OUT_TOP:
            text_format(text, "%s%s", comma, fragment->value);
            break;
        case OUT_VALUE:
            text_format(text, "%s%s", comma, fragment->value);
            break;
        case OUT_KEY:
            text_format(text, "%s%s", comma, fragment->user && fragment->key ? fragment->key : fragment->value);
            break;
        case OUT_NATIVE:
            text_format(text, "%s%s", comma, fragment_native(session, fragment));
            break;
        case OUT_TABLE:
            text_format(text, "%s%s AS c%d", comma, fragment->value, i + 1);
            if (fragment->key)
                text_format(text, ", %s AS k%d", fragment->key, i + 1);
            break;
        }
    }
}

/* The branch's items must be what the first branch's are: user values or PostgreSQL values. */
static void match_items(Session *session, OutColumn *columns, int count, const OutColumn *expected, int expected_count)
{
    if (count != expected_count)
        session_fail(session, 205, 1,
                     "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of "
                     "expressions in their target lists.");
    for (int i = 0; i < count; i++) {
        Fragment *fragment = &columns[i].fragment;
        const Fragment *wanted = &expected[i].fragment;
        if (wanted->user && fragment->is_constant) {
            Constant cast = constant_cast(session, fragment->constant, &wanted->type);
            fragment->value = constant_bytes(session, &cast);
            fragment->key = wanted->key ? constant_key(session, &cast) : NULL;
            fragment->user = true;
        } else if (!wanted->user && fragment->user) {
            fragment->value = fragment_native(session, fragment);
            fragment->key = NULL;
            fragment->user = false;
        } else if (!wanted->user && fragment->is_constant && !fragment->constant.data) {
            fragment->value = "NULL";
        }
    }
}

/* TOP (expression): no column stands in it, so it is worked out beforehand. */
static int64_t top_rows(Session *session, const Expr *expr)
{
    Constant constant = query_scalar(session, expr);
    if (!constant.data || !type_is_integer(&constant.type))
        session_fail(session, 1060, 1,
                     "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.");
    return constant_integer(session, &constant);
}

static char *limit_text(Session *session, const Select *select)
{
    Constant constant;
    Text text = {.arena = &session->arena};
    text_add(&text, "", 0);
    if (select->top)
        text_format(&text, " LIMIT %lld", (long long)top_rows(session, select->top));
    if (select->fetch && constant_fold(session, select->fetch, &constant))
        text_format(&text, " LIMIT %lld", (long long)constant_integer(session, &constant));
    if (select->offset && constant_fold(session, select->offset, &constant))
        text_format(&text, " OFFSET %lld", (long long)constant_integer(session, &constant));
    return text.data;
}

static char *emit_block(Session *session, const Select *select, const Scope *outer, OutMode mode,
                        const OutColumn *expected, int expected_count, OutColumn **columns, int *count)
{
    Scope *scope = arena_alloc(&session->arena, sizeof *scope);
    scope->outer = outer;
    scope->with = select->with;
    scope->with_count = select->with_count;
    scope->grouped = select->group_count > 0 || select->having;
    const char *from = select->from ? emit_source(session, select->from, scope) : NULL;
    scope->from = from;
    const char *where = select->where ? emit_predicate(session, select->where, scope) : NULL;
    scope->where = where;
    *columns = select_items(session, select, scope, mode, count);
    if (expected)
        match_items(session, *columns, *count, expected, expected_count);
    bool aggregate = false, plain = false;
    for (int i = 0; i < select->item_count; i++)
        aggregate |= is_aggregate(select->items[i].expr);
    for (int i = 0; i < *count; i++)
        plain |= strstr((*columns)[i].fragment.value, "(SELECT ") != NULL;
    Text groups = {.arena = &session->arena};
    for (int i = 0; i < select->group_count; i++) {
        Fragment group = emit_scalar(session, select->group[i], scope);
        bool key = group.user && group.key; /* values that are equal but for case make one group and show one of them */
        text_format(&groups, "%s%s", i ? ", " : " GROUP BY ", key ? group.key : group.value);
        for (int c = 0; c < *count && key; c++)
            if (!strcmp((*columns)[c].fragment.value, group.value))
                (*columns)[c].fragment.value = FORMAT("(array_agg(%s))[1]", group.value);
    }
    Text text = {.arena = &session->arena};
    text_format(&text, "SELECT %s", select->distinct ? "DISTINCT " : "");
    append_items(session, &text, *columns, *count, mode);
    if (from)
        text_format(&text, " FROM %s", from);
    if (where)
        text_format(&text, " WHERE %s", where);
    if (groups.data)
        text_add(&text, groups.data, groups.length);
    if (select->having)
        text_format(&text, " HAVING %s", emit_predicate(session, select->having, scope));
    else if (aggregate && plain && !select->group_count)
        text_format(&text, " HAVING true"); /* one row, though MIN or MAX became a subquery */
    if (select->order_count)
        text_format(&text, " ORDER BY %s",
                    emit_order(session, select->order, select->order_count, scope, select, *columns, *count));
    text_format(&text, "%s", limit_text(session, select));
    return text.data;
}

static char *emit_any(Session *session, const Select *select, const Scope *outer, OutMode mode,
                      const OutColumn *expected, int expected_count, OutColumn **columns, int *count);

static char *emit_set(Session *session, const Select *select, const Scope *outer, OutMode mode,
                      const OutColumn *expected, int expected_count, OutColumn **columns, int *count)
{
    OutColumn *right_columns;
    int right_count;
    if (select->with_count) {
        Scope *scope = arena_alloc(&session->arena, sizeof *scope);
        *scope = (Scope){.outer = outer, .with = select->with, .with_count = select->with_count};
        outer = scope;
    }
    char *left = emit_any(session, select->left, outer, mode, expected, expected_count, columns, count);
    char *right = emit_any(session, select->right, outer, mode, *columns, *count, &right_columns, &right_count);
    Text text = {.arena = &session->arena};
    text_format(&text, "%s %s %s", left, select->set_operator, right);
    for (int i = 0; i < select->order_count; i++) {
        const Expr *expr = select->order[i].expr;
        int ordinal = 0;
        if (expr->kind == EXPR_NUMBER)
            ordinal = (int)(expr->text[0] - '0');
        for (int c = 0; c < *count && expr->kind == EXPR_COLUMN && !ordinal; c++)
            if (!strcasecmp((*columns)[c].name, expr->name.parts[expr->name.count - 1]))
                ordinal = c + 1;
        if (ordinal < 1 || ordinal > *count)
            session_fail(session, 104, 1,
                         "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT "
                         "or EXCEPT operator.");
        text_format(&text, "%s%d %s", i ? ", " : " ORDER BY ", ordinal,
                    select->order[i].descending ? "DESC NULLS LAST" : "ASC NULLS FIRST");
    }
    text_format(&text, "%s", limit_text(session, select));
    return text.data;
}

static char *emit_any(Session *session, const Select *select, const Scope *outer, OutMode mode,
                      const OutColumn *expected, int expected_count, OutColumn **columns, int *count)
{
    if (select->set_operator) {
        char *text = emit_set(session, select, outer, mode, expected, expected_count, columns, count);
        return select->order_count ? FORMAT("(%s)", text) : text;
    }
    char *text = emit_block(session, select, outer, mode, expected, expected_count, columns, count);
    return select->order_count || select->top ? FORMAT("(%s)", text) : text;
}

char *emit_select(Session *session, const Select *select, const Scope *outer, OutMode mode, OutColumn **columns,
                  int *count)
{
    if (select->set_operator)
        return emit_set(session, select, outer, mode, NULL, 0, columns, count);
    return emit_block(session, select, outer, mode, NULL, 0, columns, count);
}
