/* follow.c - see follow.h; the tables and their names */
#include "source/mysql/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FNV_BASE UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static uint64_t hash_text(uint64_t hash, const char *text, bool fold)
{
    for (; *text; text++) {
        unsigned char letter = (unsigned char)*text;

        hash = (hash ^ (fold && letter >= 'A' && letter <= 'Z' ? letter + 32U : letter)) * FNV_PRIME;
    }
    return (hash ^ '.') * FNV_PRIME;
}

static uint64_t hash_name(const Follow *follow, const char *schema, const char *table)
{
    return hash_text(hash_text(FNV_BASE, schema, follow->fold), table, follow->fold);
}

static bool name_is(const Follow *follow, const DdlName *name, const char *schema, const char *table)
{
    if (follow->fold)
        return strcasecmp(name->schema, schema) == 0 && strcasecmp(name->table, table) == 0;
    return strcmp(name->schema, schema) == 0 && strcmp(name->table, table) == 0;
}

int follow_find(const Follow *follow, const char *schema, const char *table)
{
    if (follow->slot_count == 0)
        return -1;
    for (uint64_t slot = hash_name(follow, schema, table);; slot++) {
        int index = follow->slots[slot & (uint64_t)(follow->slot_count - 1)] - 1;

        if (index < 0 || name_is(follow, &follow->tables[index].name, schema, table))
            return index;
    }
}

bool follow_here(const FollowTable *table)
{
    return table->columns || table->pending;
}

bool follow_active(const Follow *follow, const FollowTable *table, LogPosition end)
{
    if (follow->stretch && !table->behind)
        return false;
    return !table->behind || log_position_compare(end, table->from) > 0;
}

static void table_free(FollowTable *table)
{
    cJSON_Delete(table->columns);
    cJSON_Delete(table->pending_mark);
    cJSON_Delete(table->failed);
    buffer_free(&table->map);
    buffer_free(&table->unproved);
}

static void xa_free(FollowXa *xa)
{
    free(xa->xid);
    free(xa->tables);
}

void follow_free(Follow *follow)
{
    if (!follow)
        return;
    for (int i = 0; i < follow->count; i++)
        table_free(&follow->tables[i]);
    for (int i = 0; i < follow->xa_count; i++)
        xa_free(&follow->xa[i]);
    free(follow->tables);
    free(follow->slots);
    free(follow->touched);
    free(follow->maps);
    free(follow->held);
    free(follow->xa);
    buffer_free(&follow->command);
    free(follow);
}

static int slots_fill(Follow *follow, Error *error)
{
    int count = 16;

    while (count < 2 * follow->count)
        count *= 2;
    free(follow->slots);
    follow->slots = calloc((size_t)count, sizeof *follow->slots);
    follow->slot_count = follow->slots ? count : 0;
    if (!follow->slots)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d tables", follow->count);
    for (int i = 0; i < follow->count; i++) {
        uint64_t slot = hash_name(follow, follow->tables[i].name.schema, follow->tables[i].name.table);

        while (follow->slots[slot & (uint64_t)(count - 1)])
            slot++;
        follow->slots[slot & (uint64_t)(count - 1)] = i + 1;
    }
    return 0;
}

static int table_read(FollowTable *table, const cJSON *item, Error *error)
{
    const cJSON *columns = json_member(item, "columns");
    const char *schema, *name;

    if (json_need_text(item, "schema", &schema, error) < 0 || json_need_text(item, "table", &name, error) < 0)
        return -1;
    table->table_id = json_integer(item, "table_id", 0);
    buffer_init(&table->map, FOLLOW_MAP_BYTES_MAX);
    buffer_init(&table->unproved, FOLLOW_MAP_BYTES_MAX);
    snprintf(table->name.schema, sizeof table->name.schema, "%s", schema);
    snprintf(table->name.table, sizeof table->name.table, "%s", name);
    if (json_boolean(item, "gone", false) || !cJSON_IsArray(columns))
        return 0;
    table->columns = cJSON_Duplicate(columns, true);
    return table->columns ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the columns of %.100s.%.100s", schema, name);
}

/* What is known of a table of the same number, name and columns moves over. */
static void table_keep(const Follow *old, FollowTable *table)
{
    for (int i = 0; old && i < old->count; i++) {
        FollowTable *known = &old->tables[i];

        if (known->table_id != table->table_id || !name_is(old, &known->name, table->name.schema, table->name.table))
            continue;
        if (!known->columns != !table->columns || !follow_columns_same(known->columns, table->columns))
            return;
        buffer_free(&table->map);
        table->map = known->map;
        buffer_init(&known->map, FOLLOW_MAP_BYTES_MAX);
        return;
    }
}

static Follow *tables_new(const Follow *old, const cJSON *tables, bool fold, Error *error)
{
    Follow *made = calloc(1, sizeof *made);
    int count = cJSON_GetArraySize(tables);
    const cJSON *item;

    if (made) {
        made->tables = calloc((size_t)count + 1, sizeof *made->tables);
        made->touched = calloc((size_t)count + 1, sizeof *made->touched);
    }
    if (!made || !made->tables || !made->touched) {
        follow_free(made);
        error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d tables", count);
        return NULL;
    }
    made->fold = fold;
    buffer_init(&made->command, KIB(4));
    cJSON_ArrayForEach(item, tables) {
        if (table_read(&made->tables[made->count++], item, error) < 0) {
            follow_free(made);
            return NULL;
        }
        table_keep(old, &made->tables[made->count - 1]);
    }
    if (slots_fill(made, error) < 0) {
        follow_free(made);
        return NULL;
    }
    return made;
}

/* Prepared transactions outlive a new list of tables, but not the indexes of the old one. */
static void rest_move(Follow *from, Follow *to)
{
    for (int i = 0; i < from->xa_count; i++) {
        free(from->xa[i].tables);
        from->xa[i].tables = NULL;
        from->xa[i].count = 0;
        from->xa[i].unknown = true;
    }
    to->commit_us = from->commit_us;
    to->xa = from->xa, to->xa_count = from->xa_count, to->xa_room = from->xa_room;
    from->xa = NULL, from->xa_count = 0;
}

static void behind_read(Follow *follow, const cJSON *behind)
{
    const cJSON *item;

    for (int i = 0; i < follow->count; i++)
        follow->tables[i].behind = false;
    cJSON_ArrayForEach(item, behind) {
        int64_t id = json_integer(item, "table_id", 0);

        for (int i = 0; i < follow->count; i++) {
            FollowTable *table = &follow->tables[i];

            if (table->table_id != id || log_position_parse(json_text(item, "from", ""), &table->from) < 0)
                continue;
            table->behind = true;
            cJSON_Delete(table->failed); /* it was resumed: what failed is read again */
            table->failed = NULL;
        }
    }
}

int follow_tables(Follow **follow, const cJSON *ask, bool fold, Error *error)
{
    const cJSON *tables = json_member(ask, "tables");

    if (tables || !*follow) {
        Follow *made = tables_new(*follow, tables, fold, error);

        if (!made)
            return -1;
        if (*follow)
            rest_move(*follow, made);
        follow_free(*follow);
        *follow = made;
    }
    for (int i = 0; i < (*follow)->count; i++) {
        (*follow)->tables[i].changed = false;
        (*follow)->tables[i].newest = (LogPosition){.file = 0};
    }
    follow_untouch(*follow);
    behind_read(*follow, json_member(ask, "behind"));
    return 0;
}

static bool member_same(const cJSON *a, const cJSON *b, const char *name)
{
    const cJSON *one = json_member(a, name), *other = json_member(b, name);

    if (!one || !other)
        return !one == !other || cJSON_IsFalse(one ? one : other);
    return cJSON_Compare(one, other, true);
}

bool follow_columns_same(const cJSON *a, const cJSON *b)
{
    static const char *const members[] = {"name", "source_type", "type", "precision", "scale", "nullable", "collation", "character_set",
                                          "values", "computed", "refused"};
    const cJSON *one = a ? a->child : NULL, *other = b ? b->child : NULL;

    for (; one && other; one = one->next, other = other->next) {
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            if (!member_same(one, other, members[i]))
                return false;
        }
    }
    return !one && !other;
}

/* One statement may make two changes of a table (RENAME t TO old, new TO t): what it has behind the statement is the shape. Returns the change of
 * the earlier one. */
static const char *shape_replace(Follow *follow, const FollowTable *table, const char *at)
{
    static const char *const changes[] = {"create", "drop", "truncate", "partition"};
    const char *change = NULL;
    cJSON *shape;

    cJSON_ArrayForEach(shape, follow->shapes) {
        if (json_integer(shape, "table_id", 0) == table->table_id && strcmp(json_text(shape, "start", ""), at) == 0)
            break;
    }
    if (!shape)
        return NULL;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (strcmp(json_text(shape, "change", ""), changes[i]) == 0)
            change = changes[i];
    }
    cJSON_Delete(cJSON_DetachItemViaPointer(follow->shapes, shape));
    return change;
}

int follow_shape(Follow *follow, int index, const char *at, const cJSON *mark, const cJSON *columns, const char *change, const char *message,
                 Error *error)
{
    FollowTable *table = &follow->tables[index];
    cJSON *shape = cJSON_CreateObject(), *kept = columns ? cJSON_Duplicate(columns, true) : NULL;
    char instance[2 * DDL_NAME_MAX + 32];

    if (!shape || (columns && !kept)) {
        cJSON_Delete(shape);
        cJSON_Delete(kept);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the columns of a table");
    }
    if (!change)
        change = shape_replace(follow, table, at);
    else
        (void)shape_replace(follow, table, at);
    snprintf(instance, sizeof instance, "%s.%s@%s", table->name.schema, table->name.table, at);
    cJSON_AddNumberToObject(shape, "table_id", (double)table->table_id);
    cJSON_AddStringToObject(shape, "instance", instance);
    cJSON_AddStringToObject(shape, "start", at);
    cJSON_AddItemToObject(shape, "mark", cJSON_Duplicate(mark, true));
    cJSON_AddItemToObject(shape, "columns", columns ? cJSON_Duplicate(columns, true) : cJSON_CreateNull());
    cJSON_AddItemToObject(shape, "change", change ? cJSON_CreateString(change) : cJSON_CreateNull());
    cJSON_AddItemToObject(shape, "message", message ? cJSON_CreateString(message) : cJSON_CreateNull());
    cJSON_AddItemToArray(follow->shapes, shape);
    cJSON_Delete(table->columns);
    table->columns = kept;
    buffer_clear(&table->map);
    return 0;
}

void follow_failed(FollowTable *table, const Error *error)
{
    cJSON_Delete(table->failed);
    table->told = false;
    table->failed = cJSON_CreateObject();
    cJSON_AddNumberToObject(table->failed, "table_id", (double)table->table_id);
    cJSON_AddStringToObject(table->failed, "kind", error_kind_name(error->kind));
    cJSON_AddStringToObject(table->failed, "code", error->code);
    cJSON_AddStringToObject(table->failed, "message", error->message);
    cJSON_AddStringToObject(table->failed, "hint", error->hint);
}
