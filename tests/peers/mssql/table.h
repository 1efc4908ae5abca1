/*
 * table.h - what a name in FROM stands for: a user table, a change table, or a catalogue view; cached by session.
 *
 * A user table is dbN.o<object_id> with two PostgreSQL columns per SQL Server column: v<column_id> (value bytes) and,
 * for types that compare, k<column_id> (sort key). Columns that the engine fills itself (of change tables and views)
 * are native: they have a PostgreSQL type and no key.
 */
#ifndef MSSQL_TABLE_H
#define MSSQL_TABLE_H

#include "session.h"

typedef struct Column {
    char name[129];
    int id;
    TypeInfo type;
    bool nullable, identity, computed, has_key;
    const char *native;     /* PostgreSQL's column name, or NULL for a user column */
    const char *definition; /* of a computed column */
    const char *default_text;
} Column;

struct Table {
    Table *next;
    int db_id;
    char database[129], schema[129], name[129];
    int object_id;        /* 0 for a catalogue view */
    const char *relation; /* quoted, with schema */
    Column *columns;
    int column_count;
    bool tracked; /* captured by CDC */
    bool change_table;
    int shape;    /* of the log rows, when tracked */
    int identity; /* index of the identity column or -1 */
};

/* Finds by name with the current database and dbo as defaults. NULL if there is none. A name with a database fails with
 * 911. */
Table *table_find(Session *session, const Name *name);
/* Fails with 1087 where there is none. */
Table *table_variable(Session *session, const char *name);
/* The same, but fails with 208. */
Table *table_get(Session *session, const Name *name);
int table_column(const Table *table, const char *name);                         /* index or -1 */
void table_check(Session *session, const Table *table, const char *permission); /* fails with 229 */
void table_changed(Session *session); /* the catalogue was changed: everybody looks again */
bool type_has_key(const TypeInfo *type);
int schema_id_of(Session *session, const char *schema); /* -1 if there is none */
char *name_text(Session *session, const Name *name);

#endif
