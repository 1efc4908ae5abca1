/*
 * ddl.h - what a statement in the log did to which tables.
 *
 * Not a parser of SQL: a tokenizer that knows comments, executable comments, quotes and where table names stand. What it finds is only a reason
 * to look again: the columns themselves come from the catalogue and from table maps (shape.h). It does not know the sql_mode the statement
 * ran under: "a" is a name where a name stands and a text elsewhere, and a text that ends nowhere under backslash escapes is read again
 * without them (NO_BACKSLASH_ESCAPES).
 */
#ifndef SLUICE_MYSQL_DDL_H
#define SLUICE_MYSQL_DDL_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

#define DDL_NAME_MAX 257 /* 64 characters of 4 bytes, and the 0 byte */

typedef enum DdlKind {
    DDL_CREATE,    /* CREATE TABLE; `maybe`: IF NOT EXISTS */
    DDL_REPLACE,   /* CREATE OR REPLACE TABLE: what was there is gone */
    DDL_ALTER,     /* columns may differ from here on, rows are kept */
    DDL_DROP,
    DDL_RENAME,    /* the table has the name `to` from here on */
    DDL_TRUNCATE,  /* also DELETE FROM t, all of it, in statement form: what a server writes when a MEMORY table comes up empty */
    DDL_PARTITION, /* rows went or came with a partition, a tablespace or ALTER IGNORE, and the log does not say which */
    DDL_DATABASE,  /* DROP DATABASE: all tables of `schema` */
    DDL_DML        /* rows were changed in statement form, perhaps in `schema`; once for each database named in it and the default one */
} DdlKind;

typedef struct DdlName {
    char schema[DDL_NAME_MAX], table[DDL_NAME_MAX];
} DdlName;

typedef struct DdlChange {
    DdlKind kind;
    bool maybe;
    DdlName of, to; /* to: RENAME */
} DdlChange;

/* Non-zero stops with -1 and the taker's error. */
typedef int (*DdlTake)(void *context, const DdlChange *change, Error *error);

/* Gives the changes of one statement in its order; none for what concerns no table's rows or columns: temporary tables, indexes, views, routines,
 * sequences, users, administration. database: the default one, may be "". */
int ddl_read(const char *text, size_t length, const char *database, DdlTake take, void *context, Error *error);

#endif
