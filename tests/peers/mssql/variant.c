#include "variant.h"

#include "scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STYLE_FLOAT = 3, STYLE_ISO = 126, WHEN_FIRST = 1 };

const Expr *variant_case_column(const Expr *expr)
{
    if (expr->kind != EXPR_CASE || expr->arg_count < 4 || expr->args[0] || expr->args[WHEN_FIRST]->kind != EXPR_IN)
        return NULL;
    const Expr *cast = expr->args[WHEN_FIRST]->args[0];
    const Expr *property = cast->kind == EXPR_CAST ? cast->args[0] : cast;
    if (property->kind != EXPR_FUNCTION || property->name.count != 1 || property->arg_count != 2 ||
        strcasecmp(property->name.parts[0], "sql_variant_property"))
        return NULL;
    return property->args[0]->kind == EXPR_COLUMN ? property->args[0] : NULL;
}

static bool named(const Expr *in, const char *base)
{
    for (int i = 1; i < in->arg_count; i++) {
        const Expr *name = in->args[i];
        if ((name->kind == EXPR_STRING || name->kind == EXPR_NSTRING) && name->length == strlen(base) &&
            !strncasecmp(name->text, base, name->length))
            return true;
    }
    return false;
}

static const Expr *chosen(const Expr *expr, const char *base)
{
    int i = WHEN_FIRST;
    for (; i + 1 < expr->arg_count; i += 2)
        if (expr->args[i]->kind == EXPR_IN && named(expr->args[i], base))
            return expr->args[i + 1];
    return i < expr->arg_count ? expr->args[i] : NULL;
}

/* SQL Server writes an exponent of three digits. */
static void float_text(double number, Bytes *ret)
{
    char text[48], out[64];
    snprintf(text, sizeof text, "%.16e", number);
    char *exponent = strchr(text, 'e');
    long power = exponent ? strtol(exponent + 1, NULL, 10) : 0;
    if (exponent)
        *exponent = 0;
    int length = snprintf(out, sizeof out, "%se%c%03ld", text, power < 0 ? '-' : '+', labs(power));
    bytes_append(ret, out, (size_t)length);
}

static int styled_text(const TypeInfo *type, const Bytes *value, long style, Bytes *ret, SqlError *error)
{
    size_t start = ret->length;
    if (style == STYLE_FLOAT && type->type == TYPE_FLOAT && value->length == 8) {
        double number;
        memcpy(&number, value->data, sizeof number);
        float_text(number, ret);
        return 0;
    }
    if (value_to_text(type, value->data, value->length, ret, error))
        return -1;
    for (size_t i = start; style == STYLE_ISO && i < ret->length; i++)
        if (ret->data[i] == ' ')
            ret->data[i] = 'T';
    return 0;
}

int variant_case_value(const Expr *expr, const uint8_t *value, size_t length, Bytes *ret, SqlError *error)
{
    TypeInfo inner_type;
    const uint8_t *inner;
    size_t inner_length;
    if (variant_unwrap(value, length, &inner_type, &inner, &inner_length))
        return type_error(error, 529, 3, "The bytes of the sql_variant value are damaged.");
    const Expr *outer = chosen(expr, type_name(&inner_type));
    const Expr *cast = outer && outer->kind == EXPR_CAST ? outer->args[0] : NULL;
    if (!cast || cast->kind != EXPR_CAST)
        return type_error(error, 50000, 1, "The simulator expects CONVERT(type, CONVERT(type, column), style) for a sql_variant.");
    long style = outer->arg_count > 1 && outer->args[1]->kind == EXPR_NUMBER ? strtol(outer->args[1]->text, NULL, 10) : 0;
    TypeInfo middle = cast->type;
    if (middle.type == TYPE_MONEY) /* four decimals, whatever the default style shows */
        middle = (TypeInfo){.type = TYPE_DECIMAL, .max_length = 9, .precision = 19, .scale = 4};
    if (middle.type == TYPE_DATETIME && style == STYLE_ISO) /* its three digits in ISO form */
        middle = (TypeInfo){.type = TYPE_DATETIME2, .max_length = 7, .precision = 23, .scale = 3};
    static const TypeInfo wide = {.type = TYPE_NVARCHAR, .max_length = -1};
    Bytes converted = {0}, text = {0};
    int status = value_convert(&inner_type, inner, inner_length, &middle, &converted, error);
    if (status == 0)
        status = styled_text(&middle, &converted, style, &text, error);
    if (status == 0)
        status = value_from_text(&wide, text.data ? (const char *)text.data : "", text.length, ret, error);
    bytes_free(&converted);
    bytes_free(&text);
    return status;
}
