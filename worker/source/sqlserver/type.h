/*
 * type.h - SQL Server's types: what the catalogue calls them, how a column batch holds them, how a statement reads
 * them so that the value arrives exactly.
 *
 * system_type_id and user_type_id are those of sys.types (learn.microsoft.com, sys.types and "Data types").
 */
#ifndef SLUICE_SQLSERVER_TYPE_H
#define SLUICE_SQLSERVER_TYPE_H

#include "base/column.h"

/* How the statement names a column of this type, since the wire has no exact form for some. */
typedef enum TypeRead {
    READ_PLAIN,
    READ_VARIANT,   /* sql_variant: text by the server, binary base types as 0x hex */
    READ_HIERARCHY, /* hierarchyid: its ToString() */
    READ_SPATIAL    /* geometry, geography: the server's own serialisation ([MS-SSCLRT]), which keeps SRID, Z and M */
} TypeRead;

typedef struct TypeFacts {
    char source_type[64]; /* "datetime2(7)" */
    ColumnType type;
    uint8_t precision; /* as Field.precision */
    uint8_t scale;
    bool large;        /* a change table may hold NULL for "not logged" */
    char refused[160]; /* "" or why the column cannot be captured exactly */
} TypeFacts;

/* base is the system type's name ("nvarchar"), max_length in bytes as in sys.columns (-1 = max). */
void type_facts(const char *base, int max_length, int precision, int scale, TypeFacts *ret);
/* From source_type ("sql_variant"), as the schema stores it. */
TypeRead type_read(const char *source_type);
/* text, ntext, image: NULL in every delete and before image whatever the row held. */
bool type_is_legacy_lob(const char *source_type);
/* How DATALENGTH of this LOB relates to the UTF-8 that arrives. */
typedef enum TypeLength { LENGTH_NONE, LENGTH_BYTES, LENGTH_UTF16, LENGTH_CHARACTERS, LENGTH_AT_MOST } TypeLength;
TypeLength type_length(const char *source_type, const char *collation);
/* 0 if a value of `length` UTF-8 or binary bytes is as long as DATALENGTH says, else -1: it was cut. */
int type_length_check(TypeLength rule, const void *data, size_t length, int64_t told);
/* The same for a value that came as UTF-16. */
int type_length_check_utf16(TypeLength rule, size_t length, int64_t told);

#endif
