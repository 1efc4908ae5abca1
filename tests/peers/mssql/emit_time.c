/* Functions of date and time whose first argument is a word, and TODATETIMEOFFSET. */
#include "emit.h"

#include <string.h>
#include <strings.h>

#define FORMAT(...) arena_format(&session->arena, __VA_ARGS__)

/* The datepart's full name, quoted ("DATEPART", sql-docs: datepart and abbreviations). */
static const char *unit_text(Session *session, const Expr *expr)
{
    static const char *const units[][2] = {
        {"dd", "day"},         {"d", "day"},          {"hh", "hour"},         {"mi", "minute"},     {"n", "minute"},
        {"ss", "second"},      {"s", "second"},       {"yy", "year"},         {"yyyy", "year"},     {"mm", "month"},
        {"m", "month"},        {"qq", "quarter"},     {"q", "quarter"},       {"dy", "dayofyear"},  {"y", "dayofyear"},
        {"dw", "weekday"},     {"ms", "millisecond"}, {"mcs", "microsecond"}, {"ns", "nanosecond"}, {"tz", "tzoffset"},
        {"isowk", "iso_week"}, {"isoww", "iso_week"}};
    const char *name = expr->kind == EXPR_COLUMN ? expr->name.parts[0] : "";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcasecmp(units[i][0], name))
            name = units[i][1];
    return quote_literal(&session->arena, name, strlen(name));
}

static const char *as_timestamp(Session *session, const Expr *expr, Scope *scope)
{
    Fragment fragment = emit_scalar(session, expr, scope);
    return FORMAT("(%s)::timestamp", fragment_native(session, &fragment));
}

/* int; TZOFFSET is the offset in minutes of a datetimeoffset, which the engine has as text outside of tables. */
static const char *datepart_value(Session *session, const Expr *expr, Scope *scope)
{
    const char *unit = unit_text(session, expr->args[0]);
    if (strcasecmp(unit, "'tzoffset'"))
        return FORMAT("mssql.datepart(%s, %s)", unit, as_timestamp(session, expr->args[1], scope));
    Fragment inner = emit_scalar(session, expr->args[1], scope);
    if (!inner.typed || inner.type.type != TYPE_DATETIMEOFFSET)
        session_fail(session, 9810, 9,
                     "The datepart tzoffset is not supported by date function datepart for data type %s.",
                     inner.typed ? type_name(&inner.type) : "datetime");
    if (inner.user) /* the value's last two bytes ([MS-TDS] 2.2.5.5.1.9) */
        return FORMAT("mssql.native_int(substring(%s FROM octet_length(%s) - 1))::int4", inner.value, inner.value);
    return FORMAT("mssql.offset_minutes((%s)::text)", inner.value);
}

/* The fraction has as many digits as the argument's ("TODATETIMEOFFSET", sql-docs). */
static void to_offset(Session *session, const Expr *expr, Scope *scope, Fragment *ret)
{
    Fragment inner = emit_scalar(session, expr->args[0], scope);
    ret->typed = true;
    ret->type = (TypeInfo){.type = TYPE_DATETIMEOFFSET, .max_length = 10, .precision = 34, .scale = 7};
    if (inner.typed && (inner.type.type == TYPE_DATETIME || inner.type.type == TYPE_DATETIME2))
        ret->type.scale = inner.type.type == TYPE_DATETIME ? 3 : inner.type.scale;
    ret->value = FORMAT("mssql.todatetimeoffset((%s)::timestamp, (%s)::text)", fragment_native(session, &inner),
                        emit_native(session, expr->args[1], scope));
}

bool emit_time_function(Session *session, const Expr *expr, Scope *scope, Fragment *ret)
{
    const char *name = expr->name.parts[expr->name.count - 1];
    if ((!strcasecmp(name, "datediff") || !strcasecmp(name, "datediff_big")) && expr->arg_count == 3)
        ret->value = FORMAT("mssql.datediff(%s, %s, %s)%s", unit_text(session, expr->args[0]),
                            as_timestamp(session, expr->args[1], scope), as_timestamp(session, expr->args[2], scope),
                            strlen(name) == 8 ? "::int4" : "");
    else if (!strcasecmp(name, "dateadd") && expr->arg_count == 3)
        ret->value = FORMAT("mssql.dateadd(%s, (%s)::int8, %s)", unit_text(session, expr->args[0]),
                            emit_native(session, expr->args[1], scope), as_timestamp(session, expr->args[2], scope));
    else if (!strcasecmp(name, "datepart") && expr->arg_count == 2)
        ret->value = datepart_value(session, expr, scope);
    else if (!strcasecmp(name, "todatetimeoffset") && expr->arg_count == 2)
        to_offset(session, expr, scope, ret);
    else
        return false;
    return true;
}
