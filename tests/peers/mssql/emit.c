/* Scalars and conditions. */
#include "emit.h"

#include <string.h>
#include <strings.h>

#define FORMAT(...) arena_format(&session->arena, __VA_ARGS__)

const char *fragment_native(Session *session, const Fragment *fragment)
{
    if (!fragment->user)
        return fragment->value;
    const TypeInfo *type = &fragment->type;
    const char *value = fragment->value;
    switch (type->type) {
    case TYPE_BIT:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
        return FORMAT("mssql.native_int(%s)::int4", value);
    case TYPE_BIGINT:
        return FORMAT("mssql.native_int(%s)", value);
    case TYPE_DECIMAL:
    case TYPE_NUMERIC:
        return FORMAT("mssql.native_decimal(%s, %d)", value, type->scale);
    case TYPE_MONEY:
    case TYPE_SMALLMONEY:
        return FORMAT("mssql.native_money(%s)", value);
    case TYPE_REAL:
    case TYPE_FLOAT:
        return FORMAT("mssql.native_float(%s)", value);
    case TYPE_DATE:
        return FORMAT("mssql.native_date(%s)", value);
    case TYPE_TIME:
        return FORMAT("mssql.native_ticks(%s, %d)::time", value, type->scale);
    case TYPE_DATETIME:
    case TYPE_SMALLDATETIME:
        return FORMAT("mssql.native_datetime(%s)", value);
    case TYPE_DATETIME2:
        return FORMAT("mssql.native_datetime2(%s, %d)", value, type->scale);
    case TYPE_DATETIMEOFFSET:
        return FORMAT("mssql.native_datetime2(substring(%s, 1, octet_length(%s) - 2), %d) AT TIME ZONE 'UTC'", value,
                      value, type->scale);
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TEXT:
        return FORMAT("convert_from(%s, 'WIN1252')", value);
    case TYPE_NCHAR:
    case TYPE_NVARCHAR:
    case TYPE_NTEXT:
    case TYPE_XML:
        return FORMAT("mssql.native_utf16(%s)", value);
    case TYPE_UNIQUEIDENTIFIER:
        return FORMAT("mssql.native_uuid(%s)", value);
    default:
        return value;
    }
}

static Fragment constant_fragment(Session *session, const Constant *constant)
{
    Fragment fragment = {.is_constant = true, .constant = *constant, .typed = true, .type = constant->type};
    char *native;
    if (constant_native(session, constant, &native)) {
        fragment.value = native;
    } else {
        fragment.user = true;
        fragment.value = constant_bytes(session, constant);
    }
    return fragment;
}

static const ScopeColumn *find_column(Session *session, const Expr *expr, const Scope *scope)
{
    const Name *name = &expr->name;
    const char *column = name->parts[name->count - 1];
    const char *table = name->count > 1 ? name->parts[name->count - 2] : NULL;
    const char *schema = name->count > 2 ? name->parts[name->count - 3] : NULL;
    bool table_known = false;
    for (; scope; scope = scope->outer) {
        const ScopeColumn *found = NULL;
        for (const ScopeSource *source = scope->sources; source; source = source->next) {
            if (table && (!source->alias || strcasecmp(source->alias, table)))
                continue;
            if (schema && (!source->schema || strcasecmp(source->schema, schema)))
                continue;
            table_known = true;
            for (int i = 0; i < source->count; i++) {
                if (strcasecmp(source->columns[i].name, column))
                    continue;
                if (found) {
                    session->line = expr->line;
                    session_fail(session, 209, 1, "Ambiguous column name '%s'.", column);
                }
                found = &source->columns[i];
            }
        }
        if (found)
            return found;
    }
    session->line = expr->line;
    if (table && !table_known)
        session_fail(session, 4104, 1, "The multi-part identifier \"%s\" could not be bound.",
                     name_text(session, name));
    session_fail(session, 207, 1, "Invalid column name '%s'.", column);
}

/* A computed column is its definition, worked out where it is read. */
static Fragment computed_fragment(Session *session, const Column *column, Scope *scope)
{
    Expr *expr = parse_definition(session, column->definition);
    Fragment fragment = emit_scalar(session, expr, scope);
    fragment.typed = true;
    if (!fragment.user)
        fragment.type = column->type;
    return fragment;
}

static Fragment column_fragment(Session *session, const Expr *expr, Scope *scope)
{
    const ScopeColumn *found = find_column(session, expr, scope);
    if (found->column && found->column->computed && !found->fragment.value)
        return computed_fragment(session, found->column, scope);
    return found->fragment;
}

static Fragment system_fragment(Session *session, const Expr *expr)
{
    const char *name = expr->text;
    Fragment fragment = {.typed = true, .type = {.type = TYPE_INT, .max_length = 4, .precision = 10}};
    if (!strcasecmp(name, "@@version") || !strcasecmp(name, "@@servername") || !strcasecmp(name, "@@language")) {
        fragment.type = (TypeInfo){.type = TYPE_NVARCHAR, .max_length = 600};
        fragment.value = !strcasecmp(name, "@@version")      ? "mssql.version_text()"
                         : !strcasecmp(name, "@@servername") ? "'SIMULATOR'::text"
                                                             : "'us_english'::text";
    } else if (!strcasecmp(name, "@@spid")) {
        fragment.type = (TypeInfo){.type = TYPE_SMALLINT, .max_length = 2, .precision = 5};
        fragment.value = "current_setting('mssql.spid')::int2";
    } else if (!strcasecmp(name, "@@trancount")) {
        fragment.value = FORMAT("%d", session->transactions);
    } else if (!strcasecmp(name, "@@rowcount")) {
        fragment.value = FORMAT("%d", (int)session->row_count);
    } else if (!strcasecmp(name, "@@error")) {
        fragment.value = FORMAT("%d", session->last_error);
    } else if (!strcasecmp(name, "@@identity")) {
        fragment.type = (TypeInfo){.type = TYPE_NUMERIC, .max_length = 17, .precision = 38};
        fragment.value =
            session->last_identity ? FORMAT("%lld::numeric", (long long)session->last_identity) : "NULL::numeric";
    } else if (!strcasecmp(name, "@@max_precision")) {
        fragment.type = (TypeInfo){.type = TYPE_TINYINT, .max_length = 1, .precision = 3};
        fragment.value = "38::int2";
    } else if (!strcasecmp(name, "@@textsize")) {
        fragment.value = FORMAT("%d", session->text_size);
    } else if (!strcasecmp(name, "@@options") || !strcasecmp(name, "@@nestlevel") || !strcasecmp(name, "@@dbts") ||
               !strcasecmp(name, "@@fetch_status")) {
        fragment.value = "0";
    } else if (!strcasecmp(name, "@@lock_timeout")) {
        fragment.value =
            "coalesce(nullif(current_setting('lock_timeout'), '0')::interval, interval '-1 ms') IS NULL"; /* replaced
                                                                                                             below */
        fragment.value =
            "(SELECT CASE setting WHEN '0' THEN -1 ELSE setting::int END FROM pg_settings WHERE name = 'lock_timeout')";
    } else if (!strcasecmp(name, "@@microsoftversion")) {
        fragment.value = "251662615";
    } else {
        session_fail(session, 137, 1, "Must declare the scalar variable \"%s\".", name);
    }
    return fragment;
}

static bool looks_text(const Fragment *fragment)
{
    return fragment->typed && type_is_text(&fragment->type);
}

static Fragment arithmetic_fragment(Session *session, const Expr *expr, Scope *scope)
{
    Fragment left = emit_scalar(session, expr->args[0], scope), right = emit_scalar(session, expr->args[1], scope);
    const char *operator= expr->text;
    Fragment ret = {.typed = false};
    if (!strcmp(operator, "+") && (looks_text(&left) || looks_text(&right))) {
        bool wide =
            (left.typed && left.type.type == TYPE_NVARCHAR) || (right.typed && right.type.type == TYPE_NVARCHAR);
        ret.typed = true;
        ret.type = (TypeInfo){
            .type = wide ? TYPE_NVARCHAR : TYPE_VARCHAR,
            .max_length =
                (left.typed && left.type.max_length == -1) || (right.typed && right.type.max_length == -1) ? -1 : 8000,
            .collation = "SQL_Latin1_General_CP1_CI_AS"};
        ret.value = FORMAT("(%s || %s)", fragment_native(session, &left), fragment_native(session, &right));
        return ret;
    }
    if (!strcmp(operator, "+") && left.typed && type_is_binary(&left.type)) {
        ret.typed = true;
        ret.type = (TypeInfo){.type = TYPE_VARBINARY, .max_length = 8000};
        ret.value = FORMAT("(%s || %s)", fragment_native(session, &left), fragment_native(session, &right));
        return ret;
    }
    ret.value = FORMAT("(%s %s %s)", fragment_native(session, &left), strcmp(operator, "^") ? operator : "#", fragment_native(session, &right));
    return ret;
}

static Fragment case_fragment(Session *session, const Expr *expr, Scope *scope)
{
    Text text = {.arena = &session->arena};
    Fragment ret = {.typed = false};
    text_format(&text, "(CASE");
    for (int i = 1; i + 1 < expr->arg_count; i += 2) {
        char *condition;
        if (expr->args[0]) {
            Fragment left = emit_scalar(session, expr->args[0], scope),
                     right = emit_scalar(session, expr->args[i], scope);
            condition = emit_compare(session, &left, "=", &right);
        } else {
            condition = emit_predicate(session, expr->args[i], scope);
        }
        Fragment then = emit_scalar(session, expr->args[i + 1], scope);
        if (!ret.typed && then.typed && !then.user && !(then.is_constant && !then.constant.data))
            ret.typed = true, ret.type = then.type;
        text_format(&text, " WHEN %s THEN %s", condition,
                    then.is_constant && !then.constant.data ? "NULL" : fragment_native(session, &then));
    }
    const Expr *last = expr->args[expr->arg_count - 1];
    if (last && last->kind != EXPR_NULL)
        text_format(&text, " ELSE %s", emit_native(session, last, scope));
    text_format(&text, " END)");
    if (ret.typed && type_is_text(&ret.type))
        ret.type.max_length = 8000;
    ret.value = text.data;
    return ret;
}

static Fragment cast_fragment(Session *session, const Expr *expr, Scope *scope)
{
    static const char *const pg[] = {[TYPE_BIT] = "int2",
                                     [TYPE_TINYINT] = "int2",
                                     [TYPE_SMALLINT] = "int2",
                                     [TYPE_INT] = "int4",
                                     [TYPE_BIGINT] = "int8",
                                     [TYPE_DECIMAL] = "numeric",
                                     [TYPE_NUMERIC] = "numeric",
                                     [TYPE_MONEY] = "numeric",
                                     [TYPE_SMALLMONEY] = "numeric",
                                     [TYPE_REAL] = "float4",
                                     [TYPE_FLOAT] = "float8",
                                     [TYPE_DATE] = "date",
                                     [TYPE_TIME] = "time",
                                     [TYPE_DATETIME] = "timestamp",
                                     [TYPE_SMALLDATETIME] = "timestamp",
                                     [TYPE_DATETIME2] = "timestamp",
                                     [TYPE_DATETIMEOFFSET] = "timestamptz",
                                     [TYPE_CHAR] = "text",
                                     [TYPE_VARCHAR] = "text",
                                     [TYPE_NCHAR] = "text",
                                     [TYPE_NVARCHAR] = "text",
                                     [TYPE_TEXT] = "text",
                                     [TYPE_NTEXT] = "text",
                                     [TYPE_UNIQUEIDENTIFIER] = "uuid",
                                     [TYPE_XML] = "text",
                                     [TYPE_BINARY] = "bytea",
                                     [TYPE_VARBINARY] = "bytea",
                                     [TYPE_IMAGE] = "bytea",
                                     [TYPE_ROWVERSION] = "bytea"};
    Fragment inner = emit_scalar(session, expr->args[0], scope);
    Fragment ret = {.typed = true, .type = expr->type};
    if (expr->type.type >= TYPE_SQL_VARIANT)
        session_fail(session, 50000, 1, "The simulator cannot convert to %s inside an expression.",
                     type_name(&expr->type));
    const char *native = fragment_native(session, &inner);
    if (!strcmp(native, "mssql.sysdatetimeoffset()")) { /* a text with the offset, which PostgreSQL's type would drop */
        bool offset = expr->type.type == TYPE_DATETIMEOFFSET;
        ret.value = offset ? native : FORMAT("left(%s, 26)::timestamp::%s", native, pg[expr->type.type]);
        return ret;
    }
    bool binary_text = type_is_text(&expr->type) && inner.typed && type_is_binary(&inner.type);
    if (binary_text)
        ret.value = expr->arg_count > 1 ? FORMAT("('0x' || upper(encode(%s, 'hex')))", native)
                                        : FORMAT("convert_from(%s, 'WIN1252')", native);
    else if (type_is_binary(&expr->type) && inner.typed && type_is_text(&inner.type))
        ret.value = FORMAT("decode(regexp_replace(%s, '^0x', ''), 'hex')", native);
    else if (expr->type.type == TYPE_DECIMAL || expr->type.type == TYPE_NUMERIC)
        ret.value = FORMAT("(%s)::numeric(%d,%d)", native, expr->type.precision, expr->type.scale);
    else if (type_is_integer(&expr->type) && !(inner.typed && type_is_integer(&inner.type)))
        ret.value = FORMAT("trunc((%s)::numeric)::%s", native, pg[expr->type.type]);
    else
        ret.value = FORMAT("(%s)::%s", native, pg[expr->type.type]);
    if (type_is_text(&expr->type) && expr->type.max_length > 0 && !binary_text)
        ret.value =
            FORMAT("left(%s, %d)", ret.value,
                   expr->type.max_length / (expr->type.type == TYPE_NVARCHAR || expr->type.type == TYPE_NCHAR ? 2 : 1));
    return ret;
}

static Fragment subquery_fragment(Session *session, const Expr *expr, Scope *scope)
{
    OutColumn *columns;
    int count;
    char *text = emit_select(session, expr->select, scope, OUT_VALUE, &columns, &count);
    if (count != 1)
        session_fail(
            session, 116, 1,
            "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.");
    Fragment ret = columns[0].fragment;
    ret.is_constant = false;
    ret.value = FORMAT("(%s)", text);
    if (ret.user && ret.key)
        ret.key = FORMAT("(%s)", emit_select(session, expr->select, scope, OUT_KEY, &columns, &count));
    return ret;
}

Fragment emit_scalar(Session *session, const Expr *expr, Scope *scope)
{
    Constant constant;
    if (constant_fold(session, expr, &constant))
        return constant_fragment(session, &constant);
    switch (expr->kind) {
    case EXPR_COLUMN:
        return column_fragment(session, expr, scope);
    case EXPR_SYSTEM:
        return system_fragment(session, expr);
    case EXPR_MINUS:
        return (Fragment){.value = FORMAT("(- %s)", emit_native(session, expr->args[0], scope))};
    case EXPR_ARITHMETIC:
        return arithmetic_fragment(session, expr, scope);
    case EXPR_FUNCTION:
        return emit_function(session, expr, scope);
    case EXPR_CASE:
        return case_fragment(session, expr, scope);
    case EXPR_CAST:
        return cast_fragment(session, expr, scope);
    case EXPR_SUBQUERY:
        return subquery_fragment(session, expr, scope);
    case EXPR_COLLATE: {
        Fragment inner = emit_scalar(session, expr->args[0], scope);
        if (inner.typed && strcasecmp(expr->text, "database_default"))
            strncpy(inner.type.collation, expr->text, sizeof inner.type.collation - 1);
        return inner;
    }
    default:
        session->line = expr->line;
        session_fail(session, 102, 1, "Incorrect syntax near '%s'.", expr->kind == EXPR_STAR ? "*" : "DEFAULT");
    }
}

char *emit_native(Session *session, const Expr *expr, Scope *scope)
{
    Fragment fragment = emit_scalar(session, expr, scope);
    return (char *)fragment_native(session, &fragment);
}

/* A user column against a constant: the constant takes the column's type and the keys are compared. */
static char *compare_constant(Session *session, const Fragment *column, const char *operator, const Fragment * other)
{
    const Constant *constant = &other->constant;
    bool equality = !strcmp(operator, "=") || !strcmp(operator, "<>");
    bool integer = type_is_integer(&column->type) && !type_is_text(&constant->type) &&
                   (!type_is_integer(&constant->type) || constant->type.type > column->type.type);
    if (integer || (!column->key && !equality) || column->type.type == TYPE_SQL_VARIANT) {
        TypeInfo widest = {.type = TYPE_BIGINT, .max_length = 8, .precision = 19};
        Constant number = *constant;
        if (type_is_integer(&column->type) && type_is_text(&constant->type))
            number = constant_cast(session, *constant, &widest);
        char *native;
        if (integer && column->key && type_is_integer(&number.type) &&
            number.data) { /* in range: keep the index usable */
            int64_t value = constant_integer(session, &number);
            int64_t limit = column->type.type == TYPE_INT        ? INT32_MAX
                            : column->type.type == TYPE_SMALLINT ? INT16_MAX
                            : column->type.type == TYPE_TINYINT  ? 255
                                                                 : 1;
            if (value <= limit && value >= (column->type.type <= TYPE_TINYINT ? 0 : -limit - 1)) {
                Constant cast = constant_cast(session, number, &column->type);
                return FORMAT("%s %s %s", column->key, operator, constant_key(session, &cast));
            }
        }
        if (!constant_native(session, &number, &native))
            native = constant_bytes(session, &number);
        return FORMAT("%s %s %s", fragment_native(session, column), operator, native);
    }
    TypeInfo type = constant_comparable(&column->type);
    Constant cast = constant_cast(session, *constant, &type);
    if (!column->key)
        return FORMAT("%s %s %s", column->value, operator, constant_bytes(session, &cast));
    return FORMAT("%s %s %s", column->key, operator, constant_key(session, &cast));
}

static const char *flipped(const char *operator)
{
    switch (operator[0]) {
    case '<':
        return operator[1] == '=' ? ">=" : operator[1] == '>' ? "<>" : ">";
    case '>':
        return operator[1] == '=' ? "<=" : "<";
    default:
        return operator;
    }
}

/* Neither is a user column: a constant text follows the other side's type, as T-SQL's precedence asks. */
static const char *follow(Session *session, const Fragment *constant, const Fragment *other)
{
    if (constant->is_constant && other->typed && !other->is_constant && type_is_text(&constant->type) &&
        !type_is_text(&other->type)) {
        Constant cast = constant_cast(session, constant->constant, &other->type);
        char *native;
        if (constant_native(session, &cast, &native))
            return native;
    }
    if (constant->is_constant && !constant->constant.data)
        return "NULL";
    return fragment_native(session, constant);
}

char *emit_compare(Session *session, const Fragment *left, const char *operator, const Fragment * right)
{
    if (!strcmp(operator, "!="))
        operator= "<>";
    else if (!strcmp(operator, "!<"))
        operator= ">=";
    else if (!strcmp(operator, "!>"))
        operator= "<=";
    if (left->user && !left->is_constant && right->is_constant)
        return compare_constant(session, left, operator, right);
    if (right->user && !right->is_constant && left->is_constant)
        return compare_constant(session, right, flipped(operator), left);
    if (left->user && right->user && left->key && right->key && left->type.type == right->type.type &&
        left->type.scale == right->type.scale)
        return FORMAT("%s %s %s", left->key, operator, right->key);
    return FORMAT("%s %s %s", follow(session, left, right), operator, follow(session, right, left));
}

/* LIKE: % and _ are PostgreSQL's; [x] stands for x, other classes become a regular expression. */
static char *like_predicate(Session *session, const Expr *expr, Scope *scope)
{
    Fragment pattern = emit_scalar(session, expr->args[1], scope);
    const char *left = emit_native(session, expr->args[0], scope);
    if (!pattern.is_constant || !pattern.constant.data)
        return FORMAT("(%s)::text COLLATE \"default\" %sILIKE (%s)::text ESCAPE ''", left, expr->inverted ? "NOT " : "",
                      fragment_native(session, &pattern));
    const char *text = constant_text(session, &pattern.constant);
    Text regex = {.arena = &session->arena};
    text_add(&regex, "^", 1);
    for (const char *c = text; *c; c++) {
        if (expr->length && *c == expr->text[0] && c[1]) {
            c++;
            text_format(&regex, strchr(".*+?^$()|\\{}[]", *c) ? "\\%c" : "%c", *c);
        } else if (*c == '%') {
            text_add(&regex, ".*", 2);
        } else if (*c == '_') {
            text_add(&regex, ".", 1);
        } else if (*c == '[' && strchr(c, ']')) {
            const char *end = strchr(c + 1, ']');
            text_format(&regex, "[%.*s]", (int)(end - c - 1), c + 1);
            c = end;
        } else {
            text_format(&regex, strchr(".*+?^$()|\\{}[]", *c) ? "\\%c" : "%c", *c);
        }
    }
    text_add(&regex, "$", 1);
    return FORMAT("(%s)::text COLLATE \"default\" %s~* %s", left, expr->inverted ? "!" : "",
                  quote_literal(&session->arena, regex.data, regex.length));
}

static char *in_predicate(Session *session, const Expr *expr, Scope *scope)
{
    Fragment left = emit_scalar(session, expr->args[0], scope);
    const char *not = expr->inverted ? "NOT " : "";
    if (expr->select) {
        OutColumn *columns;
        int count;
        bool key = left.user && left.key;
        char *text = emit_select(session, expr->select, scope, key ? OUT_KEY : OUT_NATIVE, &columns, &count);
        return FORMAT("%s %sIN (%s)", key ? left.key : fragment_native(session, &left), not, text);
    }
    Text text = {.arena = &session->arena};
    text_format(&text, "%s(", not );
    for (int i = 1; i < expr->arg_count; i++) {
        Fragment right = emit_scalar(session, expr->args[i], scope);
        text_format(&text, "%s%s", i > 1 ? " OR " : "", emit_compare(session, &left, "=", &right));
    }
    text_add(&text, ")", 1);
    return text.data;
}

/* The comparison that stands leftmost in a disjunct, if it is one of a user column's key with a constant. */
static const Expr *leading_comparison(const Expr *expr)
{
    while (expr->kind == EXPR_AND)
        expr = expr->args[0];
    return expr->kind == EXPR_COMPARE && expr->args[0]->kind == EXPR_COLUMN ? expr : NULL;
}

/* Keyset paging, (a > x) OR (a = x AND b > y): all disjuncts bound a from the same side by the same constant. Then
 * a >= x holds too, and that PostgreSQL can look up in an index. NULL where the condition has another form. */
static const char *common_bound(Session *session, const Expr *expr, Scope *scope, char *side, const char **column)
{
    if (expr->kind == EXPR_OR) {
        char other_side = 0;
        const char *left_column, *right_column, *left = common_bound(session, expr->args[0], scope, side, &left_column);
        const char *right = left ? common_bound(session, expr->args[1], scope, &other_side, &right_column) : NULL;
        if (!right || strcmp(left, right) || strcmp(left_column, right_column) ||
            (*side && other_side && *side != other_side))
            return NULL;
        *side = *side ? *side : other_side;
        *column = left_column;
        return left;
    }
    const Expr *comparison = leading_comparison(expr);
    Constant constant;
    if (!comparison || !strchr("<>=", comparison->text[0]) || !strcmp(comparison->text, "<>") ||
        !constant_fold(session, comparison->args[1], &constant) || !constant.data)
        return NULL;
    Fragment fragment = emit_scalar(session, comparison->args[0], scope);
    if (!fragment.user || !fragment.key || type_is_integer(&constant.type) != type_is_integer(&fragment.type))
        return NULL;
    TypeInfo type = constant_comparable(&fragment.type);
    if (type_is_integer(&type) && constant.type.type > type.type)
        return NULL; /* might not fit: left to compare_constant */
    constant = constant_cast(session, constant, &type);
    *side = comparison->text[0] == '=' ? 0 : comparison->text[0];
    *column = fragment.key;
    return constant_key(session, &constant);
}

static char *or_text(Session *session, const Expr *expr, Scope *scope)
{
    if (expr->kind != EXPR_OR)
        return emit_predicate(session, expr, scope);
    return FORMAT("(%s OR %s)", or_text(session, expr->args[0], scope), emit_predicate(session, expr->args[1], scope));
}

static char *or_predicate(Session *session, const Expr *expr, Scope *scope)
{
    char side = 0;
    const char *column = NULL, *bound = common_bound(session, expr, scope, &side, &column);
    char *text = or_text(session, expr, scope);
    return bound && side ? FORMAT("(%s %c= %s AND %s)", column, side, bound, text) : text;
}

char *emit_predicate(Session *session, const Expr *expr, Scope *scope)
{
    switch (expr->kind) {
    case EXPR_AND:
        return FORMAT("(%s AND %s)", emit_predicate(session, expr->args[0], scope),
                      emit_predicate(session, expr->args[1], scope));
    case EXPR_OR:
        return or_predicate(session, expr, scope);
    case EXPR_NOT:
        return FORMAT("(NOT %s)", emit_predicate(session, expr->args[0], scope));
    case EXPR_COMPARE: {
        Fragment left = emit_scalar(session, expr->args[0], scope), right = emit_scalar(session, expr->args[1], scope);
        return FORMAT("(%s)", emit_compare(session, &left, expr->text, &right));
    }
    case EXPR_IN:
        return FORMAT("(%s)", in_predicate(session, expr, scope));
    case EXPR_LIKE:
        return FORMAT("(%s)", like_predicate(session, expr, scope));
    case EXPR_BETWEEN: {
        Fragment value = emit_scalar(session, expr->args[0], scope);
        Fragment low = emit_scalar(session, expr->args[1], scope), high = emit_scalar(session, expr->args[2], scope);
        return FORMAT("(%s(%s AND %s))", expr->inverted ? "NOT " : "", emit_compare(session, &value, ">=", &low),
                      emit_compare(session, &value, "<=", &high));
    }
    case EXPR_IS_NULL: {
        Fragment value = emit_scalar(session, expr->args[0], scope);
        return FORMAT("(%s IS %sNULL)", value.value, expr->inverted ? "NOT " : "");
    }
    case EXPR_EXISTS: {
        OutColumn *columns;
        int count;
        return FORMAT("EXISTS (%s)", emit_select(session, expr->select, scope, OUT_TABLE, &columns, &count));
    }
    default:
        session->line = expr->line;
        session_fail(session, 4145, 1,
                     "An expression of non-boolean type specified in a context where a condition is expected.");
    }
}
