/* follow_shape.c - which columns followed tables have: asked of the catalogue behind a DDL, told by table maps that name them */
#include "source/mysql/follow_shape.h"
#include "source/mysql/columns.h"

#include <stdlib.h>
#include <string.h>

#define METADATA_HINT "SET GLOBAL binlog_row_metadata = 'FULL', so that the log names its columns, then sluice.resync_table."

static void pending_end(FollowTable *table)
{
    cJSON_Delete(table->pending_mark);
    table->pending_mark = NULL;
    table->pending = false;
    table->change = NULL;
    buffer_clear(&table->unproved);
}

/* The pending shape has these columns. A shape that is the same as before is none, unless it begins another life. */
static int pending_shape(Follow *follow, int index, const cJSON *columns, Error *error)
{
    FollowTable *table = &follow->tables[index];
    char at[LOG_POSITION_TEXT];
    int status = 0;

    log_position_text(table->pending_at, at);
    if (table->change || !table->columns || !follow_columns_same(table->columns, columns))
        status = follow_shape(follow, index, at, table->pending_mark, columns, table->change, NULL, error);
    pending_end(table);
    return status;
}

/* ---- the catalogue ---- */

typedef struct Lookup {
    Follow *follow;
    cJSON **columns; /* per table, NULL: the catalogue does not have it */
} Lookup;

static int lookup_take(void *context, const char *schema, const char *table, cJSON *columns, Error *error)
{
    Lookup *lookup = context;
    int index = follow_find(lookup->follow, schema, table);

    (void)error;
    if (index < 0) {
        cJSON_Delete(columns);
        return 0;
    }
    cJSON_Delete(lookup->columns[index]);
    lookup->columns[index] = columns;
    return 0;
}

static int where_name(Buffer *text, const FollowTable *table, bool first, Error *error)
{
    if (buffer_text(text, first ? "(" : " OR (", error) < 0 || buffer_text(text, "c.TABLE_SCHEMA = ", error) < 0 ||
        session_quote(text, table->name.schema, strlen(table->name.schema), error) < 0 || buffer_text(text, " AND c.TABLE_NAME = ", error) < 0 ||
        session_quote(text, table->name.table, strlen(table->name.table), error) < 0)
        return -1;
    return buffer_text(text, ")", error);
}

/* One query for all tables that are pending, or for `only` (-1: all). */
static int lookup_read(Follow *follow, Session *session, int only, Lookup *lookup, Error *error)
{
    Buffer where;
    bool first = true;
    int status = 0;

    buffer_init(&where, MIB(2));
    for (int i = 0; i < follow->count && status == 0; i++) {
        if (only >= 0 ? i != only : !follow->tables[i].pending)
            continue;
        status = where_name(&where, &follow->tables[i], first, error);
        first = false;
    }
    if (status == 0)
        status = buffer_terminate(&where, error);
    if (status == 0 && !first)
        status = columns_read(session, where.data, lookup_take, lookup, error);
    buffer_free(&where);
    return status;
}

static void lookup_free(Lookup *lookup, int count)
{
    for (int i = 0; lookup->columns && i < count; i++)
        cJSON_Delete(lookup->columns[i]);
    free(lookup->columns);
}

static int lookup_one(Follow *follow, Session *session, int index, cJSON **ret, Error *error)
{
    Lookup lookup = {.follow = follow, .columns = calloc((size_t)follow->count + 1, sizeof(cJSON *))};
    int status = -1;

    if (!lookup.columns)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for columns");
    status = lookup_read(follow, session, index, &lookup, error);
    *ret = status == 0 ? lookup.columns[index] : NULL;
    if (status == 0)
        lookup.columns[index] = NULL;
    lookup_free(&lookup, follow->count);
    return status;
}

/* ---- table maps ---- */

static int map_fits(const cJSON *columns, const TableMap *map, bool *fits, Error *why)
{
    Shape shape;

    if (shape_parse(columns, &shape, why) < 0)
        return -1;
    *fits = shape_fits(&shape, map, why) == 0;
    shape_free(&shape);
    return 0;
}

static int map_keep(Buffer *kept, const BinlogItem *item, Error *error)
{
    buffer_clear(kept);
    return buffer_append(kept, item->data, item->length, error);
}

/* The map names its columns: they are the shape from here on, or from the pending DDL on. */
static int map_shape(Follow *follow, Session *session, int index, const TableMap *map, const BinlogItem *item, LogPosition at, const cJSON *mark,
                     Error *error)
{
    FollowTable *table = &follow->tables[index];
    cJSON *known = NULL, *columns = NULL;
    char text[LOG_POSITION_TEXT];
    int status;

    if (lookup_one(follow, session, index, &known, error) < 0)
        return -1;
    status = shape_of_map(map, known ? known : table->columns, &columns, error);
    cJSON_Delete(known);
    if (status < 0) {
        if (error->kind != ERROR_PERMANENT)
            return -1;
        follow_failed(table, error);
        pending_end(table);
        return 0;
    }
    log_position_text(at, text);
    status = table->pending ? pending_shape(follow, index, columns, error) : follow_shape(follow, index, text, mark, columns, NULL, NULL, error);
    cJSON_Delete(columns);
    return status < 0 ? -1 : map_keep(&table->map, item, error);
}

static int map_check(Follow *follow, Session *session, int index, const TableMap *map, const BinlogItem *item, LogPosition at, const cJSON *mark,
                     Error *error)
{
    FollowTable *table = &follow->tables[index];
    bool fits = false;
    Error why;

    if (table->pending && !map->full) {
        /* The catalogue will say; what it says must fit these rows. */
        return map_keep(&table->unproved, item, error);
    }
    if (!table->pending && map_fits(table->columns, map, &fits, &why) < 0) {
        *error = why;
        return -1;
    }
    if (fits)
        return map_keep(&table->map, item, error);
    if (map->full)
        return map_shape(follow, session, index, map, item, at, mark, error);
    error_set_code(error, ERROR_PERMANENT, why.code, METADATA_HINT, "%.400s", why.message);
    error_context(error, "%.64s.%.64s", table->name.schema, table->name.table);
    follow_failed(table, error);
    return 0;
}

bool follow_map_known(const FollowTable *table, const BinlogItem *item)
{
    return !table->pending && table->map.length == item->length && item->length > 6 &&
           memcmp(table->map.data + 6, item->data + 6, item->length - 6) == 0;
}

int follow_map_check(Follow *follow, Session *session, int index, const BinlogItem *item, LogPosition at, const cJSON *mark, Error *error)
{
    TableMap map;
    int status;

    if (follow->tables[index].failed)
        return 0;
    if (table_map_parse(item->data, item->length, &map, error) < 0)
        return -1;
    status = map_check(follow, session, index, &map, item, at, mark, error);
    table_map_free(&map);
    return status;
}

/* ---- what is still pending when the log is read to its end ---- */

bool follow_pending(const Follow *follow)
{
    for (int i = 0; i < follow->count; i++) {
        if (follow->tables[i].pending)
            return true;
    }
    return false;
}

/* -1 only where the poll must stop; a table whose rows do not fit is noted as failed. */
static int proved(FollowTable *table, const cJSON *columns, bool *fits, Error *error)
{
    TableMap map;
    Error why;
    int status;

    *fits = true;
    if (table->unproved.length == 0)
        return 0;
    if (table_map_parse((const uint8_t *)table->unproved.data, table->unproved.length, &map, error) < 0)
        return -1;
    status = map_fits(columns, &map, fits, &why);
    table_map_free(&map);
    if (status < 0) {
        *error = why;
        return -1;
    }
    if (*fits)
        return 0;
    error_set(&why, ERROR_PERMANENT, METADATA_HINT, "rows of %.64s.%.64s do not fit the columns that the catalogue has now",
              table->name.schema, table->name.table);
    follow_failed(table, &why);
    return 0;
}

static int settle_one(Follow *follow, int index, const cJSON *columns, Error *error)
{
    bool fits;

    if (proved(&follow->tables[index], columns, &fits, error) < 0)
        return -1;
    if (!fits) {
        pending_end(&follow->tables[index]);
        return 0;
    }
    return pending_shape(follow, index, columns, error);
}

int follow_lookup(Follow *follow, Session *session, FollowFound **ret, Error *error)
{
    Lookup lookup = {.follow = follow, .columns = calloc((size_t)follow->count + 1, sizeof(cJSON *))};
    FollowFound *found = calloc((size_t)follow->count + 1, sizeof *found);

    if (!lookup.columns || !found) {
        free(lookup.columns);
        free(found);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for columns");
    }
    if (lookup_read(follow, session, -1, &lookup, error) < 0) {
        lookup_free(&lookup, follow->count);
        free(found);
        return -1;
    }
    for (int i = 0; i < follow->count; i++) {
        found[i].at = follow->tables[i].pending_at;
        found[i].columns = lookup.columns[i];
    }
    free(lookup.columns);
    *ret = found;
    return 0;
}

void follow_found_free(FollowFound *found, int count)
{
    for (int i = 0; found && i < count; i++)
        cJSON_Delete(found[i].columns);
    free(found);
}

int follow_settle(Follow *follow, const FollowFound *found, Error *error)
{
    for (int i = 0; i < follow->count; i++) {
        FollowTable *table = &follow->tables[i];
        Error why;

        if (!table->pending || log_position_compare(table->pending_at, found[i].at) != 0)
            continue;
        if (found[i].columns) {
            if (settle_one(follow, i, found[i].columns, error) < 0)
                return -1;
            continue;
        }
        error_set(&why, ERROR_PERMANENT, "GRANT SELECT on it to the user of this source, then sluice.resync_table.",
                  "the log tells of %.100s.%.100s, but the catalogue does not show it to us", table->name.schema, table->name.table);
        follow_failed(table, &why);
        pending_end(table);
    }
    return 0;
}
