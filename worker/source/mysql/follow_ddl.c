/* follow_ddl.c - see follow.h; statements in the log that concern followed tables */
#include "source/mysql/follow.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COMMAND_BYTES_MAX 2000

typedef struct Held {
    Follow *follow;
    const BinlogItem *item;
} Held;

static bool schema_is(const Follow *follow, const FollowTable *table, const char *schema)
{
    return (follow->fold ? strcasecmp(table->name.schema, schema) : strcmp(table->name.schema, schema)) == 0;
}

static bool schema_followed(const Follow *follow, const char *schema, LogPosition end)
{
    for (int i = 0; i < follow->count; i++) {
        if (follow_here(&follow->tables[i]) && schema_is(follow, &follow->tables[i], schema) && follow_active(follow, &follow->tables[i], end))
            return true;
    }
    return false;
}

static bool concerns(const Follow *follow, const DdlChange *change, LogPosition end)
{
    int of = follow_find(follow, change->of.schema, change->of.table);
    int to = change->kind == DDL_RENAME ? follow_find(follow, change->to.schema, change->to.table) : -1;

    if (change->kind == DDL_DATABASE)
        return schema_followed(follow, change->of.schema, end);
    return (of >= 0 && follow_active(follow, &follow->tables[of], end)) || (to >= 0 && follow_active(follow, &follow->tables[to], end));
}

static int hold(void *context, const DdlChange *change, Error *error)
{
    Held *held = context;
    Follow *follow = held->follow;

    if (change->kind == DDL_DML) {
        if (!schema_followed(follow, change->of.schema, held->item->end))
            return 0;
        return error_set(error, ERROR_PERMANENT,
                         "SET GLOBAL binlog_format = 'ROW', end the sessions that began before, then sluice.resync_source: what that statement "
                         "changed is unknown.",
                         "the log has a statement in the place of rows in the database \"%.100s\": %.60s", change->of.schema,
                         (const char *)follow->command.data);
    }
    if (!concerns(follow, change, held->item->end))
        return 0;
    if (follow->held_count == follow->held_room) {
        int room = follow->held_room * 2 + 8;
        FollowHeld *grown = realloc(follow->held, (size_t)room * sizeof *grown);

        if (!grown)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a statement of the log");
        follow->held = grown;
        follow->held_room = room;
    }
    follow->held[follow->held_count].change = *change;
    follow->held[follow->held_count++].time_us = held->item->commit_us;
    return 0;
}

/* Bytes of one UTF-8 character at `text`, 0 where there is none. */
static size_t utf8_length(const uint8_t *text, size_t left)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 : text[0] >= 0xe0 && text[0] < 0xf0 ? 3 : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;

    if (length == 0 || length > left || text[0] == 0)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
        (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

/* A statement as it may be shown: in its client's character set, which need not be UTF-8, and without what may be a secret. */
static int command_keep(Buffer *command, const BinlogItem *item, Error *error)
{
    size_t length = item->length < COMMAND_BYTES_MAX ? item->length : COMMAND_BYTES_MAX;
    size_t one;

    buffer_clear(command);
    for (size_t at = 0; at < length; at += one ? one : 1) {
        one = utf8_length(item->data + at, length - at);
        if ((one ? buffer_append(command, item->data + at, one, error) : buffer_text(command, "?", error)) < 0)
            return -1;
    }
    if (buffer_terminate(command, error) < 0)
        return -1;
    if (strcasestr(command->data, "connection") || strcasestr(command->data, "password")) {
        char *end = strpbrk(command->data, "(=");

        if (end)
            *end = 0;
    }
    return 0;
}

int follow_statement(Follow *follow, const BinlogItem *item, Error *error)
{
    Held held = {.follow = follow, .item = item};

    if (command_keep(&follow->command, item, error) < 0)
        return -1;
    return ddl_read((const char *)item->data, item->length, item->database ? item->database : "", hold, &held, error);
}

/* ---- when the group has ended ---- */

typedef struct Place {
    LogPosition position;
    char at[LOG_POSITION_TEXT];
    const cJSON *mark;
} Place;

static const char *const kind_names[] = {[DDL_CREATE] = "create", [DDL_REPLACE] = "create", [DDL_ALTER] = "alter",
                                         [DDL_DROP] = "drop",     [DDL_RENAME] = "rename",  [DDL_TRUNCATE] = "truncate",
                                         [DDL_PARTITION] = "partition", [DDL_DATABASE] = "drop", [DDL_DML] = "alter"};

void follow_time(cJSON *object, const char *name, int64_t time_us)
{
    int64_t seconds = time_us / 1000000;
    int year, month, day;
    char text[40];

    if (time_us <= 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    clock_civil_from_days(seconds / 86400, &year, &month, &day);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year % 10000, month % 100, day % 100, (int)(seconds / 3600 % 24),
             (int)(seconds / 60 % 60), (int)(seconds % 60), (int)(time_us % 1000000));
    cJSON_AddStringToObject(object, name, text);
}

static void ddl_note(Follow *follow, const FollowTable *table, const FollowHeld *held, const Place *place)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "schema", table->name.schema);
    cJSON_AddStringToObject(item, "table", table->name.table);
    cJSON_AddStringToObject(item, "lsn", place->at);
    follow_time(item, "time", held->time_us);
    cJSON_AddStringToObject(item, "command", follow->command.data);
    cJSON_AddStringToObject(item, "kind", kind_names[held->change.kind]);
    cJSON_AddItemToArray(follow->ddl, item);
}

static void pending_clear(FollowTable *table)
{
    cJSON_Delete(table->pending_mark);
    table->pending_mark = NULL;
    table->pending = false;
    table->change = NULL;
    buffer_clear(&table->unproved);
}

static int gone(Follow *follow, int index, const Place *place, Error *error)
{
    FollowTable *table = &follow->tables[index];

    pending_clear(table);
    return follow_shape(follow, index, place->at, place->mark, NULL, "drop", NULL, error);
}

/* Rows that came between two changes of a table: the catalogue cannot tell their columns any more, and types alone do not tell one column from another. */
static void unproved_settle(FollowTable *table)
{
    Error why;

    if (table->unproved.length == 0 || !table->columns)
        return;
    error_set(&why, ERROR_PERMANENT, "SET GLOBAL binlog_row_metadata = 'FULL', then sluice.resync_table.",
              "%.100s.%.100s was altered twice with rows in between, whose columns the log does not name", table->name.schema, table->name.table);
    follow_failed(table, &why);
}

static int pend(Follow *follow, int index, const char *change, const Place *place, Error *error)
{
    FollowTable *table = &follow->tables[index];
    const char *earlier = table->pending ? table->change : NULL;

    unproved_settle(table);
    pending_clear(table);
    table->pending_mark = cJSON_Duplicate(place->mark, true);
    if (!table->pending_mark)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a mark");
    table->pending = true;
    table->pending_at = place->position;
    table->change = change ? change : earlier;
    buffer_clear(&table->map);
    return 0;
}

static int change_of(Follow *follow, int index, const FollowHeld *held, const Place *place, Error *error)
{
    FollowTable *table = &follow->tables[index];
    bool here = follow_here(table);

    if (!follow_active(follow, table, place->position))
        return 0;
    switch (held->change.kind) {
    case DDL_CREATE:
        if (here && held->change.maybe)
            return 0; /* it was there already */
        ddl_note(follow, table, held, place);
        return pend(follow, index, "create", place, error);
    case DDL_REPLACE:
        ddl_note(follow, table, held, place);
        return pend(follow, index, "create", place, error);
    case DDL_DROP:
    case DDL_RENAME:
    case DDL_DATABASE:
        if (!here)
            return 0;
        ddl_note(follow, table, held, place);
        return gone(follow, index, place, error);
    case DDL_ALTER:
    case DDL_PARTITION:
    case DDL_TRUNCATE:
        if (!here)
            return 0;
        ddl_note(follow, table, held, place);
        if (held->change.kind == DDL_TRUNCATE && !table->pending)
            return follow_shape(follow, index, place->at, place->mark, table->columns, "truncate", NULL, error);
        return pend(follow, index,
                    held->change.kind == DDL_ALTER       ? NULL
                    : held->change.kind == DDL_TRUNCATE  ? "truncate"
                                                         : "partition",
                    place, error);
    case DDL_DML:
        break;
    }
    return 0;
}

static int apply_one(Follow *follow, const FollowHeld *held, const Place *place, Error *error)
{
    const DdlChange *change = &held->change;
    int index;

    if (change->kind == DDL_DATABASE) {
        for (int i = 0; i < follow->count; i++) {
            if (schema_is(follow, &follow->tables[i], change->of.schema) && change_of(follow, i, held, place, error) < 0)
                return -1;
        }
        return 0;
    }
    index = follow_find(follow, change->of.schema, change->of.table);
    if (index >= 0 && change_of(follow, index, held, place, error) < 0)
        return -1;
    if (change->kind != DDL_RENAME)
        return 0;
    index = follow_find(follow, change->to.schema, change->to.table);
    if (index < 0 || !follow_active(follow, &follow->tables[index], place->position))
        return 0;
    ddl_note(follow, &follow->tables[index], held, place);
    return pend(follow, index, "create", place, error);
}

bool follow_held(const Follow *follow, int index)
{
    for (int i = 0; i < follow->held_count; i++) {
        if (follow_find(follow, follow->held[i].change.of.schema, follow->held[i].change.of.table) == index)
            return true;
    }
    return false;
}

void follow_forget(Follow *follow)
{
    follow->held_count = 0;
}

int follow_apply(Follow *follow, LogPosition at, const cJSON *mark, Error *error)
{
    Place place = {.position = at, .mark = mark};
    int status = 0;

    log_position_text(at, place.at);
    for (int i = 0; i < follow->held_count && status == 0; i++)
        status = apply_one(follow, &follow->held[i], &place, error);
    follow->held_count = 0;
    return status;
}
