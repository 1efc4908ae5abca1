/*
 * keyset.h - a table's load key: bounds in a WHERE, with constant text and typed parameters.
 *
 * A bound is `CONVERT(<column type>, @f1[, style])`: the parameter travels as nvarchar and becomes the column's own
 * type, so an index is sought and no text comparison takes the place of the column's. Character columns carry their
 * collation into the conversion: without it a varchar key of another code page than the database's skips rows.
 */
#ifndef SLUICE_SQLSERVER_KEYSET_H
#define SLUICE_SQLSERVER_KEYSET_H

#include "base/column.h"
#include "source/sqlserver/sqlserver.h"

#define KEY_COLUMNS_MAX 32

typedef struct KeyColumn {
    Field field;
    char collation[129];
    bool descending;
} KeyColumn;

typedef struct Keyset {
    KeyColumn columns[KEY_COLUMNS_MAX];
    int count;
} Keyset;

/* keys: array of {name, source_type, type, precision, scale, collation, descending}; what is missing is taken from
 * `columns` (batch.schema.columns, may be NULL) by name, then from the type. An empty keyset for NULL. */
int keyset_read(const cJSON *keys, const cJSON *columns, Keyset *ret, Error *error);
/* letter 'f': rows behind @f1..; 't': rows up to and including @t1.. */
int keyset_bound(const Keyset *keyset, char letter, Buffer *text, Error *error);
int keyset_equal(const Keyset *keyset, Buffer *text, Error *error); /* = @f1 AND ... */
int keyset_order(const Keyset *keyset, bool reverse, Buffer *text, Error *error);
/* ERROR_INTERNAL if the array does not have one text for each column. */
int keyset_parameters(const Keyset *keyset, char letter, const cJSON *values, Parameters *ret, Error *error);

#endif
