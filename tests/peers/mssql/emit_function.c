/* Function calls. */
#include "emit.h"

#include <string.h>
#include <strings.h>

#define FORMAT(...) arena_format(&session->arena, __VA_ARGS__)

typedef struct FunctionRule {
    const char *name;
    const char *pg; /* %1 .. %4 arguments as PostgreSQL values; NULL: mssql.<name>(arguments) */
    int min, max;   /* arguments */
    int type;       /* SqlType of the result or -1: from PostgreSQL's */
    int length;
} FunctionRule;

static const FunctionRule rules[] = {
    {"db_name", NULL, 0, 1, TYPE_NVARCHAR, 256},
    {"db_id", "mssql.db()", 0, 0, -1, 0},
    {"schema_id", NULL, 0, 1, -1, 0},
    {"schema_name", NULL, 0, 1, TYPE_NVARCHAR, 256},
    {"object_name", NULL, 1, 2, TYPE_NVARCHAR, 256},
    {"object_schema_name", NULL, 1, 2, TYPE_NVARCHAR, 256},
    {"object_id", NULL, 1, 2, -1, 0},
    {"type_name", NULL, 1, 1, TYPE_NVARCHAR, 256},
    {"type_id", NULL, 1, 1, -1, 0},
    {"quotename", NULL, 1, 2, TYPE_NVARCHAR, 516},
    {"col_name", NULL, 2, 2, TYPE_NVARCHAR, 256},
    {"suser_sname", NULL, 0, 1, TYPE_NVARCHAR, 256},
    {"suser_name", "mssql.suser_sname()", 0, 1, TYPE_NVARCHAR, 256},
    {"original_login", "mssql.suser_sname()", 0, 0, TYPE_NVARCHAR, 256},
    {"user_name", NULL, 0, 1, TYPE_NVARCHAR, 256},
    {"system_user", "mssql.suser_sname()", 0, 0, TYPE_NVARCHAR, 256},
    {"is_member", NULL, 1, 1, -1, 0},
    {"is_rolemember", NULL, 1, 2, -1, 0},
    {"is_srvrolemember", NULL, 1, 2, -1, 0},
    {"has_dbaccess", NULL, 1, 1, -1, 0},
    {"has_perms_by_name", NULL, 3, 5, -1, 0},
    {"serverproperty", NULL, 1, 1, TYPE_NVARCHAR, 256},
    {"databasepropertyex", NULL, 2, 2, TYPE_NVARCHAR, 256},
    {"objectproperty", NULL, 2, 2, -1, 0},
    {"getdate", NULL, 0, 0, TYPE_DATETIME, 8},
    {"getutcdate", NULL, 0, 0, TYPE_DATETIME, 8},
    {"sysdatetime", "mssql.local_now()", 0, 0, TYPE_DATETIME2, 8},
    {"sysutcdatetime", NULL, 0, 0, TYPE_DATETIME2, 8},
    {"sysdatetimeoffset", NULL, 0, 0, TYPE_DATETIMEOFFSET, 10},
    {"newid", "gen_random_uuid()", 0, 0, TYPE_UNIQUEIDENTIFIER, 16},
    {"newsequentialid", "gen_random_uuid()", 0, 0, TYPE_UNIQUEIDENTIFIER, 16},
    {"fn_cdc_get_max_lsn", NULL, 0, 0, TYPE_BINARY, 10},
    {"fn_cdc_get_min_lsn", NULL, 1, 1, TYPE_BINARY, 10},
    {"fn_cdc_increment_lsn", NULL, 1, 1, TYPE_BINARY, 10},
    {"fn_cdc_decrement_lsn", NULL, 1, 1, TYPE_BINARY, 10},
    {"fn_cdc_map_lsn_to_time", NULL, 1, 1, TYPE_DATETIME, 8},
    {"fn_cdc_map_time_to_lsn", NULL, 2, 2, TYPE_BINARY, 10},
    {"nullif", "nullif(%1, %2)", 2, 2, -1, 0},
    {"len", "length(rtrim(%1))", 1, 1, -1, 0},
    {"upper", "upper(%1)", 1, 1, -1, 0},
    {"lower", "lower(%1)", 1, 1, -1, 0},
    {"ltrim", "ltrim(%1)", 1, 1, -1, 0},
    {"rtrim", "rtrim(%1)", 1, 1, -1, 0},
    {"trim", "btrim(%1)", 1, 1, -1, 0},
    {"replace", "replace(%1, %2, %3)", 3, 3, -1, 0},
    {"left", "left(%1, %2)", 2, 2, -1, 0},
    {"right", "right(%1, %2)", 2, 2, -1, 0},
    {"space", "repeat(' ', %1)", 1, 1, -1, 0},
    {"reverse", "reverse(%1)", 1, 1, -1, 0},
    {"char", "chr(%1)", 1, 1, -1, 0},
    {"nchar", "chr(%1)", 1, 1, -1, 0},
    {"ascii", "ascii(%1)", 1, 1, -1, 0},
    {"unicode", "ascii(%1)", 1, 1, -1, 0},
    {"charindex", NULL, 2, 3, -1, 0},
    {"abs", "abs(%1)", 1, 1, -1, 0},
    {"floor", "floor(%1)", 1, 1, -1, 0},
    {"ceiling", "ceiling(%1)", 1, 1, -1, 0},
    {"round", "round(%1, %2)", 2, 2, -1, 0},
    {"sign", "sign(%1)", 1, 1, -1, 0},
    {"power", "power(%1, %2)", 2, 2, -1, 0},
    {"sqrt", "sqrt(%1)", 1, 1, -1, 0},
    {"rand", "random()", 0, 1, TYPE_FLOAT, 8},
    {"year", "extract(year FROM %1)::int", 1, 1, -1, 0},
    {"month", "extract(month FROM %1)::int", 1, 1, -1, 0},
    {"day", "extract(day FROM %1)::int", 1, 1, -1, 0},
    {"row_number", "row_number()", 0, 0, -1, 0},
    {"rank", "rank()", 0, 0, -1, 0},
    {"dense_rank", "dense_rank()", 0, 0, -1, 0},
    {"ntile", "ntile(%1)", 1, 1, -1, 0},
    {"stdev", "stddev(%1)", 1, 1, -1, 0},
    {"checksum_agg", "bit_xor(%1)", 1, 1, -1, 0},
    {"xact_state", "0::int2", 0, 0, -1, 0},
    {"host_name", "''::text", 0, 0, TYPE_NVARCHAR, 256},
    {"app_name", "''::text", 0, 0, TYPE_NVARCHAR, 256},
    {"connectionproperty", "'TCP'::text", 1, 1, TYPE_NVARCHAR, 256},
};

static const FunctionRule *find_rule(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcasecmp(rules[i].name, name))
            return &rules[i];
    return NULL;
}

static char *over_text(Session *session, const Over *over, Scope *scope)
{
    Text text = {.arena = &session->arena};
    text_format(&text, " OVER (");
    for (int i = 0; i < over->partition_count; i++) {
        Fragment fragment = emit_scalar(session, over->partition[i], scope);
        text_format(&text, "%s%s", i ? ", " : "PARTITION BY ",
                    fragment.user && fragment.key ? fragment.key : fragment.value);
    }
    if (over->order_count)
        text_format(&text, " ORDER BY %s", emit_order(session, over->order, over->order_count, scope, NULL, NULL, 0));
    text_format(&text, ")");
    return text.data;
}

/* MIN and MAX of a user column over a plain FROM: the row at the end of the key's index. */
static Fragment extreme_fragment(Session *session, const Expr *expr, Scope *scope, bool maximum)
{
    Fragment inner = emit_scalar(session, expr->args[0], scope);
    Fragment ret = inner;
    ret.is_constant = ret.not_null = false;
    if (!inner.user) {
        ret.value = FORMAT("%s(%s)", maximum ? "max" : "min", inner.value);
        if (expr->over)
            ret.value = FORMAT("%s%s", ret.value, over_text(session, expr->over, scope));
        return ret;
    }
    if (!inner.key) {
        ret.user = false;
        ret.value = FORMAT("%s(%s)", maximum ? "max" : "min", fragment_native(session, &inner));
    } else if (scope->from && !scope->grouped) {
        const char *tail = FORMAT("FROM %s WHERE %s AND %s IS NOT NULL ORDER BY %s %s LIMIT 1", scope->from,
                                  scope->where ? scope->where : "true", inner.key, inner.key,
                                  maximum ? (inner.not_null ? "DESC" : "DESC NULLS LAST")
                                          : (inner.not_null ? "ASC" : "ASC NULLS FIRST"));
        /* An aggregate around it keeps the one row that an aggregate query gives. */
        ret.value = FORMAT("(SELECT %s %s)", inner.value, tail);
        ret.key = FORMAT("(SELECT %s %s)", inner.key, tail);
    } else {
        ret.value = FORMAT("mssql.%s_by(%s, %s)", maximum ? "max" : "min", inner.key, inner.value);
        ret.key = FORMAT("%s(%s)", maximum ? "max" : "min", inner.key);
    }
    return ret;
}

static Fragment aggregate_fragment(Session *session, const Expr *expr, Scope *scope, const char *name)
{
    Fragment ret = {.typed = true, .type = {.type = TYPE_INT, .max_length = 4, .precision = 10}};
    const char *over = expr->over && strcasecmp(name, "string_agg") ? over_text(session, expr->over, scope) : "";
    if (!strcasecmp(name, "count") || !strcasecmp(name, "count_big")) {
        bool big = strlen(name) > 5;
        const char *argument = "*";
        if (expr->arg_count == 1 && expr->args[0]->kind != EXPR_STAR) {
            Fragment inner = emit_scalar(session, expr->args[0], scope);
            argument = inner.user && inner.key ? inner.key : inner.value;
        }
        ret.value = FORMAT("(count(%s%s)%s)%s", expr->distinct ? "DISTINCT " : "", argument, over, big ? "" : "::int4");
        if (big)
            ret.type = (TypeInfo){.type = TYPE_BIGINT, .max_length = 8, .precision = 19};
    } else if (!strcasecmp(name, "sum")) { /* decimal(38, s), int and bigint keep their type ("SUM", sql-docs) */
        Fragment inner = emit_scalar(session, expr->args[0], scope);
        bool decimal = inner.typed && (inner.type.type == TYPE_DECIMAL || inner.type.type == TYPE_NUMERIC),
             integer = inner.typed && type_is_integer(&inner.type);
        ret.typed = decimal || integer;
        ret.type = decimal
                       ? (TypeInfo){.type = TYPE_DECIMAL, .max_length = 17, .precision = 38, .scale = inner.type.scale}
                   : inner.type.type == TYPE_BIGINT ? inner.type
                                                    : ret.type;
        ret.value = FORMAT("(sum(%s%s)%s)%s", expr->distinct ? "DISTINCT " : "", fragment_native(session, &inner), over,
                           !integer                         ? ""
                           : inner.type.type == TYPE_BIGINT ? "::int8"
                                                            : "::int4");
    } else if (!strcasecmp(name, "avg")) {
        Fragment inner = emit_scalar(session, expr->args[0], scope);
        bool integer = inner.typed && type_is_integer(&inner.type);
        ret.typed = integer;
        ret.value = FORMAT(integer ? "trunc(avg(%s)%s)::int4" : "(avg(%s)%s)", fragment_native(session, &inner), over);
    } else { /* string_agg */
        if (expr->arg_count != 2)
            session_fail(session, 174, 1, "The string_agg function requires 2 argument(s).");
        const char *order = expr->over && expr->over->order_count
                                ? emit_order(session, expr->over->order, expr->over->order_count, scope, NULL, NULL, 0)
                                : NULL;
        ret.type = (TypeInfo){.type = TYPE_NVARCHAR, .max_length = -1};
        ret.value = FORMAT("string_agg((%s)::text, (%s)::text%s%s)", emit_native(session, expr->args[0], scope),
                           emit_native(session, expr->args[1], scope), order ? " ORDER BY " : "", order ? order : "");
    }
    return ret;
}

bool is_aggregate(const Expr *expr)
{
    static const char *const names[] = {"count", "count_big",  "min",   "max",         "sum",
                                        "avg",   "string_agg", "stdev", "checksum_agg"};
    if (!expr)
        return false;
    if (expr->kind == EXPR_FUNCTION &&
        (!expr->over || !strcasecmp(expr->name.parts[expr->name.count - 1], "string_agg")))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!strcasecmp(expr->name.parts[expr->name.count - 1], names[i]))
                return true;
    for (int i = 0; i < expr->arg_count; i++)
        if (is_aggregate(expr->args[i]))
            return true;
    return false;
}

/* PostgreSQL's text functions refuse the catalogue's case-insensitive collation: they get the plain one. */
static const char *plain_argument(Session *session, const char *function, const Expr *expr, Scope *scope)
{
    static const char *const names[] = {"quotename", "replace", "charindex", "left",  "right",   "ltrim",
                                        "rtrim",     "trim",    "upper",     "lower", "reverse", "len"};
    Fragment fragment = emit_scalar(session, expr, scope);
    if (fragment.is_constant && !fragment.constant.data)
        return "NULL";
    for (size_t i = 0; i < sizeof names / sizeof *names && fragment.typed && !fragment.user && !fragment.is_constant &&
                       type_is_text(&fragment.type);
         i++)
        if (!strcasecmp(function, names[i]))
            return FORMAT("((%s)::text COLLATE \"default\")", fragment.value);
    return fragment_native(session, &fragment);
}

static Fragment substring_fragment(Session *session, const Expr *expr, Scope *scope)
{
    Fragment inner = emit_scalar(session, expr->args[0], scope);
    const char *from = emit_native(session, expr->args[1], scope), *length = emit_native(session, expr->args[2], scope);
    Fragment ret = {.typed = inner.typed, .type = inner.type};
    if (inner.user && !inner.is_constant) {
        int unit =
            inner.type.type == TYPE_NVARCHAR || inner.type.type == TYPE_NCHAR || inner.type.type == TYPE_NTEXT ? 2 : 1;
        ret.user = true;
        if (inner.type.type == TYPE_IMAGE)
            ret.type = (TypeInfo){.type = TYPE_VARBINARY, .max_length = 8000};
        ret.value = FORMAT("substring(%s FROM ((%s) * %d + %d)::int FOR ((%s) * %d)::int)", inner.value, from, unit,
                           1 - unit, length, unit);
        if (ret.type.type == TYPE_XML)
            session_fail(session, 8116, 1, "Argument data type xml is invalid for argument 1 of substring function.");
        return ret;
    }
    ret.value = FORMAT("substring(%s FROM (%s)::int FOR (%s)::int)", inner.value, from, length);
    return ret;
}

/* int, and bigint for the (max) types ("DATALENGTH", sql-docs). */
static Fragment datalength_fragment(Session *session, const Expr *expr, Scope *scope)
{
    Fragment inner = emit_scalar(session, expr->args[0], scope);
    bool big = inner.typed && inner.type.max_length == -1;
    Fragment ret = {
        .typed = true,
        .type = {.type = big ? TYPE_BIGINT : TYPE_INT, .max_length = big ? 8 : 4, .precision = big ? 19 : 10}};
    const char *cast = big ? "::int8" : "::int4";
    if (inner.is_constant)
        ret.value = inner.constant.data ? FORMAT("%zu%s", inner.constant.length, cast) : FORMAT("NULL%s", cast);
    else if (inner.user || (inner.typed && type_is_binary(&inner.type)))
        ret.value = FORMAT("octet_length(%s)%s", inner.value, cast);
    else
        ret.value = FORMAT("(length((%s)::text) * 2)%s", inner.value, cast);
    return ret;
}

/* The first argument's type rules, so a constant behind it is converted (ISNULL) or the names agree (COALESCE). */
static Fragment coalesce_fragment(Session *session, const Expr *expr, Scope *scope)
{
    Text text = {.arena = &session->arena};
    Fragment ret = {.typed = false};
    Fragment first = emit_scalar(session, expr->args[0], scope);
    if (first.typed && !(first.is_constant && !first.constant.data))
        ret.typed = true, ret.type = first.type;
    text_format(&text, "coalesce(%s", fragment_native(session, &first));
    for (int i = 1; i < expr->arg_count; i++) {
        Fragment next = emit_scalar(session, expr->args[i], scope);
        char *native = (char *)fragment_native(session, &next);
        if (next.is_constant && ret.typed && next.constant.data &&
            type_is_text(&next.type) != type_is_text(&ret.type)) {
            Constant cast = constant_cast(session, next.constant, &ret.type);
            constant_native(session, &cast, &native);
        }
        text_format(&text, ", %s", next.is_constant && !next.constant.data ? "NULL" : native);
    }
    text_add(&text, ")", 1);
    ret.value = text.data;
    return ret;
}

static bool special_fragment(Session *session, const Expr *expr, Scope *scope, const char *name, Fragment *ret)
{
    if (!strcasecmp(name, "min") || !strcasecmp(name, "max"))
        *ret = extreme_fragment(session, expr, scope, !strcasecmp(name, "max"));
    else if (!strcasecmp(name, "count") || !strcasecmp(name, "count_big") || !strcasecmp(name, "avg") ||
             !strcasecmp(name, "sum") || !strcasecmp(name, "string_agg"))
        *ret = aggregate_fragment(session, expr, scope, name);
    else if (!strcasecmp(name, "substring") && expr->arg_count == 3)
        *ret = substring_fragment(session, expr, scope);
    else if (!strcasecmp(name, "datalength") && expr->arg_count == 1)
        *ret = datalength_fragment(session, expr, scope);
    else if ((!strcasecmp(name, "isnull") && expr->arg_count == 2) ||
             (!strcasecmp(name, "coalesce") && expr->arg_count > 1))
        *ret = coalesce_fragment(session, expr, scope);
    else if (!strcasecmp(name, "replicate") && expr->arg_count == 2) {
        Fragment inner = emit_scalar(session, expr->args[0], scope); /* cut at 8,000 bytes unless it is a (max) type */
        bool max = inner.typed && inner.type.max_length == -1,
             wide = inner.typed && (inner.type.type == TYPE_NVARCHAR || inner.type.type == TYPE_NCHAR);
        const char *repeated =
            FORMAT("repeat(%s, %s)", fragment_native(session, &inner), emit_native(session, expr->args[1], scope));
        ret->typed = true;
        ret->type = (TypeInfo){.type = wide ? TYPE_NVARCHAR : TYPE_VARCHAR,
                               .max_length = max ? -1 : 8000,
                               .collation = "SQL_Latin1_General_CP1_CI_AS"};
        ret->value = max ? repeated : FORMAT("left(%s, %d)", repeated, wide ? 4000 : 8000);
    } else if (!strcasecmp(name, "db_id") && expr->arg_count == 1)
        ret->value = FORMAT("mssql.db_id(%s)", emit_native(session, expr->args[0], scope));
    else if (emit_time_function(session, expr, scope, ret))
        return true;
    else if (!strcasecmp(name, "concat")) {
        Text text = {.arena = &session->arena};
        for (int i = 0; i < expr->arg_count; i++)
            text_format(&text, "%s(%s)::text", i ? ", " : "concat(", emit_native(session, expr->args[i], scope));
        ret->typed = true;
        ret->type = (TypeInfo){.type = TYPE_NVARCHAR, .max_length = 8000};
        ret->value = FORMAT("%s)", text.data ? text.data : "concat(''");
    } else
        return false;
    return true;
}

Fragment emit_function(Session *session, const Expr *expr, Scope *scope)
{
    const char *name = expr->name.parts[expr->name.count - 1];
    Fragment ret = {.typed = false};
    session->line = expr->line;
    if (expr->name.count > 2)
        session_same_database(session, expr->name.parts[expr->name.count - 3]);
    if (!expr->arg_count && is_aggregate(expr))
        session_fail(session, 174, 1, "The %s function requires 1 argument(s).", name);
    if (special_fragment(session, expr, scope, name, &ret))
        return ret;
    const FunctionRule *rule = find_rule(name);
    if (!rule)
        session_fail(session, expr->name.count > 1 ? 4121 : 195, expr->name.count > 1 ? 1 : 10,
                     expr->name.count > 1 ? "Cannot find either column \"dbo\" or the user-defined function or "
                                            "aggregate \"%s\", or the name is ambiguous."
                                          : "'%s' is not a recognized built-in function name.",
                     name_text(session, &expr->name));
    static const char *const windowed[] = {"row_number", "rank", "dense_rank", "ntile"};
    for (int i = 0; i < 4; i++)
        if (!expr->over && !strcmp(rule->name, windowed[i]))
            session_fail(session, 10753, 1, "The function '%s' must have an OVER clause.", name);
    if (expr->arg_count < rule->min || expr->arg_count > rule->max)
        session_fail(session, 174, 1, "The %s function requires %d argument(s).", rule->name, rule->min);
    Text text = {.arena = &session->arena};
    if (rule->pg) {
        for (const char *c = rule->pg; *c; c++) {
            if (*c == '%')
                text_format(&text, "%s", plain_argument(session, rule->name, expr->args[*++c - '1'], scope));
            else
                text_add(&text, c, 1);
        }
    } else {
        text_format(&text, "mssql.%s(", rule->name);
        for (int i = 0; i < expr->arg_count; i++)
            text_format(&text, "%s%s", i ? ", " : "", plain_argument(session, rule->name, expr->args[i], scope));
        text_add(&text, ")", 1);
    }
    if (expr->over)
        text_format(&text, "%s", over_text(session, expr->over, scope));
    ret.value = text.data;
    if (rule->type >= 0) {
        ret.typed = true;
        ret.type = (TypeInfo){.type = (SqlType)rule->type, .max_length = rule->length};
        ret.type.scale = rule->type == TYPE_DATETIME2 || rule->type == TYPE_DATETIMEOFFSET ? 7 : 0;
        if (rule->type == TYPE_NVARCHAR)
            strcpy(ret.type.collation, "SQL_Latin1_General_CP1_CI_AS");
    }
    return ret;
}
