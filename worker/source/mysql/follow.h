/*
 * follow.h - what the poller knows of the followed tables between two polls, and what the log's items change in it.
 *
 * A table is found by the name it has in the log; a name that was dropped stays, without columns, since only a CREATE of it is of interest then.
 * Nothing here asks the server: what the catalogue must say (the columns behind a DDL) is left pending for follow_shape.c to look up.
 */
#ifndef SLUICE_MYSQL_FOLLOW_H
#define SLUICE_MYSQL_FOLLOW_H

#include "source/mysql/binlog.h"
#include "source/mysql/ddl.h"
#include "source/mysql/shape.h"

typedef struct Follow Follow;

#define FOLLOW_MAP_BYTES_MAX (256 * 1024) /* of one table map: 4096 columns with names and labels */
#define FOLLOW_XA_MAX 10000               /* prepared transactions at a time */

typedef struct FollowTable {
    int64_t table_id;
    DdlName name;
    cJSON *columns;          /* of its newest shape; NULL: it is gone */
    LogPosition from;        /* `behind`: what is not above it was scanned before */
    bool behind;
    bool touched;            /* has rows in the group at hand */
    bool changed;            /* has rows above what was scanned */
    LogPosition newest;
    Buffer map;              /* the last table map that fitted, behind its table id; empty: none yet */
    bool pending;            /* a DDL came and the catalogue was not asked yet */
    LogPosition pending_at;
    cJSON *pending_mark;
    const char *change;      /* of the pending shape, NULL: rows are kept */
    Buffer unproved;         /* pending, without full metadata: a table map that the catalogue's columns must fit */
    cJSON *failed;           /* an item of `failed`; kept until it is scanned for again */
    bool told;               /* it stood in an answer: told again it would stop a table that was resumed meanwhile */
} FollowTable;

/* A prepared transaction; tables: their indexes. */
typedef struct FollowXa {
    char *xid;
    bool unknown;            /* prepared before this connection's time, or before a table was followed: `tables` does not say all */
    char file[LOG_FILE_NAME_MAX];
    uint64_t offset;
    int *tables;
    int count;
} FollowXa;

/* A change of a followed table that waits for the end of its group, which says where it stands. */
typedef struct FollowHeld {
    DdlChange change;
    int64_t time_us;
} FollowHeld;

/* Which table a map of the group at hand gave a number. */
typedef struct FollowMap {
    uint64_t table_id;
    int index;
} FollowMap;

struct Follow {
    FollowTable *tables;
    int count;
    int *slots;              /* hash of names: index + 1, 0 = empty */
    int slot_count;          /* a power of 2 */
    bool fold;               /* lower_case_table_names: names are compared without case */
    bool stretch;            /* only tables that are behind are looked at, above their `from` */
    int *touched;            /* [count] indexes of tables with rows in the group at hand */
    int touched_count;
    FollowMap *maps;         /* of the group at hand */
    int map_count, map_room;
    FollowHeld *held;
    int held_count, held_room;
    Buffer command;          /* text of the held changes' statement */
    FollowXa *xa;
    int xa_count, xa_room;
    cJSON *ddl, *shapes;     /* members of the answer that is made */
    int64_t commit_us;       /* of the last group that told it, 0: none yet */
};

/* Takes ask.tables (NULL: as before) and ask.behind. What is known of a table that stays is kept. */
int follow_tables(Follow **follow, const cJSON *ask, bool fold, Error *error);
void follow_free(Follow *follow);
/* The index of a table of that name, -1. */
int follow_find(const Follow *follow, const char *schema, const char *table);
/* Is there a table of that name, as far as the log was read? */
bool follow_here(const FollowTable *table);
bool follow_active(const Follow *follow, const FollowTable *table, LogPosition end);

/* Holds what the statement does to followed tables until its group ends. ERROR_PERMANENT for rows changed in statement form in a database with
 * followed tables. */
int follow_statement(Follow *follow, const BinlogItem *item, Error *error);
/* Is a change of that table held? */
bool follow_held(const Follow *follow, int index);
/* The group that held them was rolled back, or torn by a crash. */
void follow_forget(Follow *follow);
/* The held changes, in their order: shapes of tables that went, pending ones of those to be looked up. at, mark: behind the group. */
int follow_apply(Follow *follow, LogPosition at, const cJSON *mark, Error *error);
/* The name in a table map's body; -1: malformed. *ret = the index, -1 for a table that is not followed. */
int follow_map(Follow *follow, const BinlogItem *item, int *ret, Error *error);
int follow_rows(Follow *follow, const BinlogItem *item, Error *error);
/* The table has rows in the group at hand; follow_untouch: none has. */
void follow_touch(Follow *follow, int index);
void follow_untouch(Follow *follow);
/* A group ended: COMMIT, ROLLBACK. */
void follow_end(Follow *follow, LogPosition end);
/* file, offset: of the prepared group's begin. */
int follow_prepare(Follow *follow, const BinlogItem *item, const char *file, Error *error);
/* *ret = the prepared transaction, NULL where none is known by that name. */
FollowXa *follow_xa_find(Follow *follow, const BinlogItem *item);
/* committed: its tables are touched in the group at hand. */
void follow_xa_end(Follow *follow, FollowXa *xa, bool committed);
/* mark.xa */
int follow_xa_read(Follow *follow, const cJSON *mark, Error *error);
cJSON *follow_xa_json(const Follow *follow);

/* A shape of the table begins at `at`: columns (duplicated; NULL: gone), change, message (may be NULL). */
int follow_shape(Follow *follow, int index, const char *at, const cJSON *mark, const cJSON *columns, const char *change, const char *message,
                 Error *error);
/* Notes that the table cannot be followed, as `failed` in each answer. */
void follow_failed(FollowTable *table, const Error *error);
/* "2026-11-20T08:51:06.123456Z" of UTC microseconds; null for 0 and below. */
void follow_time(cJSON *object, const char *name, int64_t time_us);
/* Do two lists of columns tell the same types in the same order? Defaults do not count: rows bear their values. */
bool follow_columns_same(const cJSON *a, const cJSON *b);

#endif
