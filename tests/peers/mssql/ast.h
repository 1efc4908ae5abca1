/*
 * ast.h - what the parser makes of a query: expressions and SELECTs. Everything lives in the batch's arena.
 */
#ifndef MSSQL_AST_H
#define MSSQL_AST_H

#include "lexer.h"

enum { NAME_PARTS_MAX = 4 };

/* server.database.schema.object; missing leading parts are not counted, empty ones ("db..t") are "". */
typedef struct Name {
    const char *parts[NAME_PARTS_MAX];
    int count;
} Name;

typedef enum ExprKind {
    EXPR_NULL,
    EXPR_NUMBER,
    EXPR_STRING,
    EXPR_NSTRING,
    EXPR_HEX,
    EXPR_VARIABLE,
    EXPR_SYSTEM,
    EXPR_COLUMN,
    EXPR_STAR,
    EXPR_MINUS,
    EXPR_ARITHMETIC,
    EXPR_FUNCTION,
    EXPR_CASE,
    EXPR_CAST,
    EXPR_COLLATE,
    EXPR_SUBQUERY,
    EXPR_DEFAULT,
    /* predicates */
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT,
    EXPR_COMPARE,
    EXPR_IN,
    EXPR_LIKE,
    EXPR_BETWEEN,
    EXPR_IS_NULL,
    EXPR_EXISTS
} ExprKind;

typedef struct Expr Expr;
typedef struct Select Select;
typedef struct Source Source;

typedef struct OrderItem {
    Expr *expr;
    bool descending;
} OrderItem;

typedef struct Over {
    Expr **partition;
    int partition_count;
    OrderItem *order;
    int order_count;
} Over;

struct Expr {
    ExprKind kind;
    int line;
    const char *text; /* literal, variable, operator, collation */
    size_t length;
    Name name;   /* column, function, star's qualifier */
    Expr **args; /* operands; CASE: [operand or NULL, when, then, when, then .., else or NULL] */
    int arg_count;
    Select *select;
    Over *over;
    TypeInfo type; /* CAST */
    bool inverted; /* NOT IN, NOT LIKE, NOT BETWEEN, IS NOT NULL */
    bool distinct; /* COUNT(DISTINCT x) */
    bool try_cast;
};

typedef struct SelectItem {
    Expr *expr;
    const char *alias;    /* NULL where none */
    const char *variable; /* SELECT @v = expr */
} SelectItem;

typedef enum JoinKind {
    JOIN_NONE,
    JOIN_COMMA,
    JOIN_INNER,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
    JOIN_CROSS,
    JOIN_CROSS_APPLY,
    JOIN_OUTER_APPLY
} JoinKind;

/* A tree: either a named table, a table function, a derived table, a VALUES list, or a join of two. */
struct Source {
    int line;
    Name name;
    Expr *function;
    Select *derived;
    Expr ***rows; /* VALUES */
    int row_count, row_width;
    const char *alias;
    const char **column_names;
    int column_name_count;
    JoinKind join;
    Source *left, *right;
    Expr *on;
};

typedef struct CommonTable {
    const char *name;
    Select *select;
    const char **column_names;
    int column_name_count;
} CommonTable;

struct Select {
    int line;
    bool distinct;
    Expr *top;
    SelectItem *items;
    int item_count;
    Source *from;
    Expr *where;
    Expr **group;
    int group_count;
    Expr *having;
    /* A set operation: this one is then only a holder of left, right and what follows. */
    const char *set_operator; /* UNION ALL, UNION, EXCEPT, INTERSECT */
    Select *left, *right;
    OrderItem *order;
    int order_count;
    Expr *offset, *fetch;
    CommonTable *with;
    int with_count;
    const char *into;
};

#endif
