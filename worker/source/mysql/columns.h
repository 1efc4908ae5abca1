/*
 * columns.h - tables' columns as the catalogue has them now, each as a shape (shape.h).
 */
#ifndef SLUICE_MYSQL_COLUMNS_H
#define SLUICE_MYSQL_COLUMNS_H

#include "source/mysql/session.h"
#include "source/mysql/shape.h"

/* One table; `columns` is the taker's, also where it fails. */
typedef int (*ColumnsTake)(void *context, const char *schema, const char *table, cJSON *columns, Error *error);

/* where: a condition on information_schema.columns, whose alias is c. Tables come in the order of schema and name. */
int columns_read(Session *session, const char *where, ColumnsTake take, void *context, Error *error);

#endif
