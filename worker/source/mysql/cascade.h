/*
 * cascade.h - foreign keys by which a server changes rows of their table itself, outside of the log: ON DELETE or UPDATE with CASCADE, SET NULL or
 * SET DEFAULT.
 */
#ifndef SLUICE_MYSQL_CASCADE_H
#define SLUICE_MYSQL_CASCADE_H

#include "source/mysql/session.h"

/* {name, parent, on_delete, on_update} into the list. */
void cascade_add(cJSON *list, const char *name, const char *parent, const char *on_delete, const char *on_update);
/* The same out of SHOW CREATE TABLE, which takes SELECT on the table and no more. */
int cascades_defined(Session *session, const char *schema, const char *table, cJSON *list, Error *error);
/* Out of the text of a definition, of whose lines those of keys begin with "  CONSTRAINT `". `schema`: of a parent that is named without one. */
void cascades_parse(const char *text, const char *schema, cJSON *list);

#endif
