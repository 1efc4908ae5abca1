/*
 * follow_shape.h - which columns the followed tables have.
 *
 * The catalogue says what columns are now, the log is read up to some time ago. What it says counts for a place in the log if no DDL of the
 * table stands between that place and the log's end at the moment of asking: follow_lookup, then scan to the log's end read behind it, then
 * follow_settle; a table that changed meanwhile stays pending. Table maps with full metadata need none of this: they name the columns.
 */
#ifndef SLUICE_MYSQL_FOLLOW_SHAPE_H
#define SLUICE_MYSQL_FOLLOW_SHAPE_H

#include "source/mysql/follow.h"

typedef struct FollowFound {
    LogPosition at;  /* pending_at as it was when the catalogue was asked */
    cJSON *columns;  /* NULL: the catalogue does not have the table */
} FollowFound;

/* Is it the map that fitted last? */
bool follow_map_known(const FollowTable *table, const BinlogItem *item);
/* Another one: it fits, or makes a new shape (full metadata) from `at`, the end of the group before, or fails the table (follow_failed). */
int follow_map_check(Follow *follow, Session *session, int index, const BinlogItem *item, LogPosition at, const cJSON *mark, Error *error);

bool follow_pending(const Follow *follow);
/* One query for all pending tables; *ret, one for each table, is freed by follow_found_free. */
int follow_lookup(Follow *follow, Session *session, FollowFound **ret, Error *error);
int follow_settle(Follow *follow, const FollowFound *found, Error *error);
void follow_found_free(FollowFound *found, int count);

#endif
