/* follow_item.c - see follow.h; what the items of the log do to the followed tables */
#include "source/mysql/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more of `size` bytes in an array. */
static int grow(void **array, int count, int *room, size_t size, Error *error)
{
    void *grown;

    if (count < *room)
        return 0;
    grown = realloc(*array, (size_t)(*room * 2 + 16) * size);
    if (!grown)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for what the log says");
    *array = grown;
    *room = *room * 2 + 16;
    return 0;
}

static uint64_t number_6(const uint8_t *data)
{
    uint64_t number = 0;

    for (int i = 5; i >= 0; i--)
        number = number << 8 | data[i];
    return number;
}

/* ---- rows ---- */

/* Body: table id 6, flags 2, then length, name and 0 of schema and of table (MySQL internals, "Table_map event"). */
static bool map_names(const uint8_t *data, size_t length, const char **schema, const char **table)
{
    size_t at = 8, schema_length, table_length;

    if (length < at + 1)
        return false;
    schema_length = data[at];
    if (length < at + schema_length + 3 || data[at + 1 + schema_length] != 0)
        return false;
    *schema = (const char *)data + at + 1;
    at += schema_length + 2;
    table_length = data[at];
    if (length < at + table_length + 2 || data[at + 1 + table_length] != 0)
        return false;
    *table = (const char *)data + at + 1;
    return true;
}

int follow_map(Follow *follow, const BinlogItem *item, int *ret, Error *error)
{
    const char *schema, *table;
    FollowMap *map;

    if (!map_names(item->data, item->length, &schema, &table))
        return error_set(error, ERROR_INTERNAL, NULL, "a table map event is malformed");
    *ret = follow_find(follow, schema, table);
    if (*ret >= 0 && (!follow_here(&follow->tables[*ret]) || !follow_active(follow, &follow->tables[*ret], item->end)))
        *ret = -1;
    if (*ret < 0 && follow->map_count == 0)
        return 0;
    for (int i = 0; i < follow->map_count; i++) {
        if (follow->maps[i].table_id == number_6(item->data)) {
            follow->maps[i].index = *ret;
            return 0;
        }
    }
    if (*ret < 0)
        return 0;
    if (grow((void **)&follow->maps, follow->map_count, &follow->map_room, sizeof *follow->maps, error) < 0)
        return -1;
    map = &follow->maps[follow->map_count++];
    map->table_id = number_6(item->data);
    map->index = *ret;
    return 0;
}

int follow_rows(Follow *follow, const BinlogItem *item, Error *error)
{
    if (follow->map_count == 0)
        return 0;
    if (item->length < 8)
        return error_set(error, ERROR_INTERNAL, NULL, "a rows event is malformed");
    for (int i = 0; i < follow->map_count; i++) {
        if (follow->maps[i].table_id == number_6(item->data) && follow->maps[i].index >= 0)
            follow_touch(follow, follow->maps[i].index);
    }
    return 0;
}

void follow_touch(Follow *follow, int index)
{
    if (!follow->tables[index].touched)
        follow->touched[follow->touched_count++] = index;
    follow->tables[index].touched = true;
}

void follow_untouch(Follow *follow)
{
    while (follow->touched_count)
        follow->tables[follow->touched[--follow->touched_count]].touched = false;
    follow->map_count = 0;
}

void follow_end(Follow *follow, LogPosition end)
{
    for (int i = 0; i < follow->touched_count; i++) {
        FollowTable *table = &follow->tables[follow->touched[i]];

        table->changed = true;
        if (log_position_compare(end, table->newest) > 0)
            table->newest = end;
    }
    follow_untouch(follow);
}

/* ---- prepared transactions ---- */

FollowXa *follow_xa_find(Follow *follow, const BinlogItem *item)
{
    for (int i = 0; i < follow->xa_count; i++) {
        if (strlen(follow->xa[i].xid) == item->length && memcmp(follow->xa[i].xid, item->data, item->length) == 0)
            return &follow->xa[i];
    }
    return NULL;
}

static int xa_add(Follow *follow, const char *xid, size_t length, const char *file, uint64_t offset, FollowXa **ret, Error *error)
{
    FollowXa *xa;

    if (follow->xa_count == FOLLOW_XA_MAX)
        return error_set(error, ERROR_PERMANENT, "End them: XA RECOVER lists them, XA COMMIT or XA ROLLBACK ends each.",
                         "more than %d prepared XA transactions are open", FOLLOW_XA_MAX);
    if (grow((void **)&follow->xa, follow->xa_count, &follow->xa_room, sizeof *follow->xa, error) < 0)
        return -1;
    xa = &follow->xa[follow->xa_count];
    memset(xa, 0, sizeof *xa);
    xa->xid = strndup(xid, length);
    if (!xa->xid)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a prepared transaction");
    snprintf(xa->file, sizeof xa->file, "%s", file);
    xa->offset = offset;
    follow->xa_count++;
    *ret = xa;
    return 0;
}

int follow_prepare(Follow *follow, const BinlogItem *item, const char *file, Error *error)
{
    FollowXa *xa;

    if (xa_add(follow, (const char *)item->data, item->length, file, item->begin.offset, &xa, error) < 0)
        return -1;
    xa->tables = calloc((size_t)follow->touched_count + 1, sizeof *xa->tables);
    if (!xa->tables)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a prepared transaction");
    for (int i = 0; i < follow->touched_count; i++)
        xa->tables[xa->count++] = follow->touched[i];
    follow_untouch(follow);
    return 0;
}

void follow_xa_end(Follow *follow, FollowXa *xa, bool committed)
{
    for (int i = 0; committed && i < xa->count; i++)
        follow_touch(follow, xa->tables[i]);
    free(xa->xid);
    free(xa->tables);
    *xa = follow->xa[--follow->xa_count];
}

int follow_xa_read(Follow *follow, const cJSON *mark, Error *error)
{
    const cJSON *item;
    FollowXa *xa;

    for (int i = 0; i < follow->xa_count; i++) {
        free(follow->xa[i].xid);
        free(follow->xa[i].tables);
    }
    follow->xa_count = 0;
    cJSON_ArrayForEach(item, json_member(mark, "xa")) {
        const char *xid, *file;

        if (json_need_text(item, "xid", &xid, error) < 0 || json_need_text(item, "file", &file, error) < 0 ||
            xa_add(follow, xid, strlen(xid), file, (uint64_t)json_integer(item, "offset", 4), &xa, error) < 0)
            return -1;
        xa->unknown = true;
    }
    return 0;
}

cJSON *follow_xa_json(const Follow *follow)
{
    cJSON *list = cJSON_CreateArray();

    for (int i = 0; i < follow->xa_count; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "xid", follow->xa[i].xid);
        cJSON_AddStringToObject(item, "file", follow->xa[i].file);
        cJSON_AddNumberToObject(item, "offset", (double)follow->xa[i].offset);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}
