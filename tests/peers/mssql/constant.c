#include "constant.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool type_is_text(const TypeInfo *type)
{
    switch (type->type) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_NCHAR:
    case TYPE_NVARCHAR:
    case TYPE_TEXT:
    case TYPE_NTEXT:
    case TYPE_XML:
        return true;
    default:
        return false;
    }
}

bool type_is_integer(const TypeInfo *type)
{
    return type->type <= TYPE_BIGINT;
}

bool type_is_binary(const TypeInfo *type)
{
    return type->type == TYPE_BINARY || type->type == TYPE_VARBINARY || type->type == TYPE_IMAGE ||
           type->type == TYPE_ROWVERSION;
}

static Constant keep(Session *session, const TypeInfo *type)
{
    Constant constant = {.type = *type, .length = session->scratch.length};
    constant.data =
        (const uint8_t *)arena_copy(&session->arena, (const char *)session->scratch.data, session->scratch.length);
    return constant;
}

static Constant from_text(Session *session, const TypeInfo *type, const char *text, size_t length)
{
    SqlError error = {0};
    bytes_clear(&session->scratch);
    if (value_from_text(type, text, length, &session->scratch, &error))
        session_fail_with(session, &error);
    return keep(session, type);
}

Constant constant_cast(Session *session, Constant from, const TypeInfo *to)
{
    if (!from.data)
        return (Constant){.type = *to};
    SqlError error = {0};
    bytes_clear(&session->scratch);
    bool raw = to->type >= TYPE_HIERARCHYID && type_is_binary(&from.type);
    if (raw)
        bytes_append(&session->scratch, from.data, from.length);
    else if (value_cast(&from.type, from.data, from.length, to, &session->scratch, &error))
        session_fail_with(session, &error);
    return keep(session, to);
}

/* int, then numeric(p,0): a literal too large for int is numeric in T-SQL, not bigint ("Constants", sql-docs). */
static Constant number_literal(Session *session, const Expr *expr)
{
    const char *text = expr->text, *end = text + expr->length;
    TypeInfo type = {.type = TYPE_INT, .max_length = 4, .precision = 10};
    int before = 0, after = 0;
    bool dot = false, power = false;
    for (const char *c = text; c < end; c++) {
        if (*c == '.')
            dot = true;
        else if (*c == 'e' || *c == 'E')
            power = true;
        else if (!power && dot)
            after++;
        else if (!power && (before || *c != '0'))
            before++;
    }
    if (power) {
        type = (TypeInfo){.type = TYPE_FLOAT, .max_length = 8, .precision = 53};
    } else if (dot || before > 10 || strtoll(text, NULL, 10) > INT32_MAX) {
        int precision = before + after ? before + after : 1;
        type = (TypeInfo){
            .type = TYPE_NUMERIC, .precision = (uint8_t)(precision > 38 ? 38 : precision), .scale = (uint8_t)after};
        type.max_length = type.precision <= 9 ? 5 : type.precision <= 19 ? 9 : type.precision <= 28 ? 13 : 17;
    }
    return from_text(session, &type, text, expr->length);
}

static Constant string_literal(Session *session, const Expr *expr)
{
    TypeInfo type = {.type = TYPE_VARCHAR,
                     .max_length = expr->length > 8000 ? -1 : 8000,
                     .collation = "SQL_Latin1_General_CP1_CI_AS"};
    if (expr->kind == EXPR_NSTRING) {
        type.type = TYPE_NVARCHAR;
        type.max_length = expr->length > 4000 ? -1 : 8000;
    }
    Constant constant = from_text(session, &type, expr->text, expr->length);
    if (type.max_length > 0)
        constant.type.max_length = constant.length ? (int32_t)constant.length : type.type == TYPE_NVARCHAR ? 2 : 1;
    return constant;
}

static int nibble(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static Constant hex_literal(Session *session, const Expr *expr)
{
    size_t length = (expr->length + 1) / 2, odd = expr->length & 1;
    uint8_t *data = arena_alloc(&session->arena, length + 1);
    for (size_t i = 0; i < expr->length; i++) {
        size_t at = (i + odd) / 2;
        data[at] = (uint8_t)((data[at] << 4) | nibble(expr->text[i]));
    }
    Constant constant = {.type = {.type = TYPE_VARBINARY,
                                  .max_length = length > 8000 ? -1
                                                : length      ? (int32_t)length
                                                              : 1},
                         .data = data,
                         .length = length};
    return constant;
}

static bool fold_cast(Session *session, const Expr *expr, Constant *ret)
{
    Constant inner;
    if (!constant_fold(session, expr->args[0], &inner))
        return false;
    if (expr->arg_count > 1 && inner.data) {
        /* CONVERT(binary, '0x..', 1) and CONVERT(varchar, 0x.., 1|2): hexadecimal text. Other styles of dates read as
         * ISO. */
        Constant style;
        int number = constant_fold(session, expr->args[1], &style) ? (int)constant_integer(session, &style) : 0;
        if (type_is_binary(&expr->type) && type_is_text(&inner.type) && (number == 1 || number == 2)) {
            const char *text = constant_text(session, &inner);
            Expr hex = {.kind = EXPR_HEX, .text = number == 1 && strlen(text) >= 2 ? text + 2 : text};
            hex.length = strlen(hex.text);
            *ret = constant_cast(session, hex_literal(session, &hex), &expr->type);
            return true;
        }
        if (type_is_text(&expr->type) && type_is_binary(&inner.type) && (number == 1 || number == 2)) {
            Text text = {.arena = &session->arena};
            if (number == 1)
                text_add(&text, "0x", 2);
            for (size_t i = 0; i < inner.length; i++)
                text_format(&text, "%02X", inner.data[i]);
            *ret = from_text(session, &expr->type, text.data ? text.data : "", text.length);
            return true;
        }
    }
    *ret = constant_cast(session, inner, &expr->type);
    return true;
}

static bool fold_minus(Session *session, const Expr *expr, Constant *ret)
{
    const Expr *inner = expr->args[0];
    if (inner->kind != EXPR_NUMBER)
        return false;
    Constant positive = number_literal(session, inner);
    char *text = arena_format(&session->arena, "-%.*s", (int)inner->length, inner->text);
    TypeInfo type = positive.type;
    if (type.type == TYPE_NUMERIC && !strcmp(text, "-2147483648"))
        type = (TypeInfo){.type = TYPE_INT, .max_length = 4, .precision = 10};
    *ret = from_text(session, &type, text, strlen(text));
    return true;
}

/* ISNULL of constants has the first one's type; folded, so that a bound of it is compared by its sort key like any
 * other. */
static bool fold_isnull(Session *session, const Expr *expr, Constant *ret)
{
    Constant first, second;
    if (expr->name.count != 1 || expr->arg_count != 2 || strcasecmp(expr->name.parts[0], "isnull"))
        return false;
    if (!constant_fold(session, expr->args[0], &first) || !constant_fold(session, expr->args[1], &second))
        return false;
    if (first.data || expr->args[0]->kind == EXPR_NULL)
        *ret = first.data ? first : second;
    else
        *ret = constant_cast(session, second, &first.type);
    return true;
}

bool constant_fold(Session *session, const Expr *expr, Constant *ret)
{
    switch (expr->kind) {
    case EXPR_NULL:
        *ret = (Constant){.type = {.type = TYPE_INT, .max_length = 4, .precision = 10}};
        return true;
    case EXPR_NUMBER:
        *ret = number_literal(session, expr);
        return true;
    case EXPR_STRING:
    case EXPR_NSTRING:
        *ret = string_literal(session, expr);
        return true;
    case EXPR_HEX:
        *ret = hex_literal(session, expr);
        return true;
    case EXPR_MINUS:
        return fold_minus(session, expr, ret);
    case EXPR_CAST:
        return fold_cast(session, expr, ret);
    case EXPR_COLLATE:
        return constant_fold(session, expr->args[0], ret);
    case EXPR_FUNCTION:
        return fold_isnull(session, expr, ret);
    case EXPR_VARIABLE: {
        Variable *variable = session_variable(session, expr->text);
        session->line = expr->line;
        if (!variable)
            session_fail(session, 137, 2, "Must declare the scalar variable \"%s\".", expr->text);
        *ret = (Constant){
            .type = variable->type, .data = variable->is_null ? NULL : variable->data, .length = variable->length};
        if (!variable->is_null && !ret->data)
            ret->data = (const uint8_t *)"";
        return true;
    }
    default:
        return false;
    }
}

static bool plain_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

Constant constant_for_column(Session *session, const Expr *expr, const TypeInfo *type)
{
    if (expr->kind == EXPR_NULL)
        return (Constant){.type = *type};
    bool clr = type->type >= TYPE_SQL_VARIANT;
    if (!clr && !type_is_binary(type)) {
        bool direct = expr->kind == EXPR_NSTRING ||
                      (expr->kind == EXPR_STRING && (plain_ascii(expr->text, expr->length) || !type_is_text(type)));
        if (expr->kind == EXPR_NUMBER && !type_is_text(type))
            direct = !type_is_integer(type) || (type->type != TYPE_BIT && !memchr(expr->text, '.', expr->length) &&
                                                !memchr(expr->text, 'e', expr->length));
        if (expr->kind == EXPR_NUMBER &&
            (memchr(expr->text, 'e', expr->length) || memchr(expr->text, 'E', expr->length)))
            direct = type->type == TYPE_FLOAT || type->type == TYPE_REAL; /* the others take it through float */
        if (direct && (expr->kind != EXPR_NUMBER || type->type < TYPE_DATE))
            return from_text(session, type, expr->text, expr->length);
    }
    Constant constant;
    if (!constant_fold(session, expr, &constant))
        session_fail(session, 50000, 1, "The simulator cannot evaluate this expression here.");
    return constant_cast(session, constant, type);
}

TypeInfo constant_comparable(const TypeInfo *column)
{
    TypeInfo type = *column;
    switch (type.type) {
    case TYPE_CHAR:
        type.type = TYPE_VARCHAR;
        type.max_length = 8000;
        break;
    case TYPE_NCHAR:
        type.type = TYPE_NVARCHAR;
        type.max_length = 8000;
        break;
    case TYPE_VARCHAR:
    case TYPE_NVARCHAR:
    case TYPE_VARBINARY:
        type.max_length = -1;
        break;
    default:
        break;
    }
    return type;
}

char *constant_text(Session *session, const Constant *constant)
{
    if (!constant->data)
        return NULL;
    SqlError error = {0};
    bytes_clear(&session->scratch);
    if (value_to_text(&constant->type, constant->data, constant->length, &session->scratch, &error))
        session_fail_with(session, &error);
    return arena_copy(&session->arena, (const char *)session->scratch.data, session->scratch.length);
}

int64_t constant_integer(Session *session, const Constant *constant)
{
    TypeInfo type = {.type = TYPE_BIGINT, .max_length = 8, .precision = 19};
    Constant number = constant_cast(session, *constant, &type);
    int64_t value = 0;
    if (number.data)
        memcpy(&value, number.data, 8);
    return value;
}

char *constant_bytes(Session *session, const Constant *constant)
{
    Text text = {.arena = &session->arena};
    text_add_bytes(&text, constant->data, constant->length);
    return text.data;
}

char *constant_key(Session *session, const Constant *constant)
{
    if (!constant->data)
        return (char *)"NULL::bytea";
    bytes_clear(&session->scratch_key);
    value_sort_key(&constant->type, constant->data, constant->length, &session->scratch_key);
    Text text = {.arena = &session->arena};
    text_add_bytes(&text, session->scratch_key.data ? session->scratch_key.data : (const uint8_t *)"",
                   session->scratch_key.length);
    return text.data;
}

bool constant_native(Session *session, const Constant *constant, char **ret)
{
    static const char *const names[] = {[TYPE_BIT] = "int2",
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
    if (constant->type.type >= TYPE_SQL_VARIANT)
        return false;
    const char *name = names[constant->type.type];
    if (!constant->data) {
        *ret = arena_format(&session->arena, "NULL::%s", name);
        return true;
    }
    if (type_is_binary(&constant->type)) {
        *ret = constant_bytes(session, constant);
        return true;
    }
    TypeInfo text_type = constant->type;
    if (constant->type.type == TYPE_DATETIME) { /* CONVERT's default text of datetime has no milliseconds */
        text_type = (TypeInfo){.type = TYPE_DATETIME2, .max_length = 8, .precision = 27, .scale = 7};
    } else if (constant->type.type == TYPE_SMALLDATETIME) {
        text_type = (TypeInfo){.type = TYPE_DATETIME2, .max_length = 6, .precision = 19, .scale = 0};
    } else if (constant->type.type == TYPE_MONEY ||
               constant->type.type == TYPE_SMALLMONEY) { /* its text has two decimals */
        text_type = (TypeInfo){.type = TYPE_DECIMAL, .max_length = 9, .precision = 19, .scale = 4};
    }
    Constant shown = text_type.type == constant->type.type ? *constant : constant_cast(session, *constant, &text_type);
    const char *text = constant_text(session, &shown);
    if (type_is_integer(&constant->type))
        *ret = arena_format(&session->arena, *text == '-' ? "(%s)::%s" : "%s::%s", text, name);
    else
        *ret = arena_format(&session->arena, "%s::%s", quote_literal(&session->arena, text, strlen(text)), name);
    return true;
}
