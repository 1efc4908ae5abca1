/* log_stage.c - see log_stage.h */
#include "source/mysql/log_stage.h"

#include "base/limits.h"
#include "source/mysql/log_stream.h"
#include "source/mysql/log_table.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 2048
#define MAP_BYTES_MAX MIB(1) /* a table map of 4096 columns with names and lists stays below */

typedef struct LogTable {
    int64_t batch_id;
    const char *schema, *name; /* the batch's */
    LogRange range;
    int next;           /* in its bucket, -1 = none */
    Buffer map;         /* the last one */
    bool touched;       /* the group under way has rows of it */
} LogTable;

/* A number that a table has until the end of the statement. */
typedef struct Numbered {
    uint64_t id;
    int table;
} Numbered;

struct LogStage {
    Stage *stage;
    int count;
    int buckets[BUCKETS];
    Numbered *numbered; /* [count] */
    int numbers;
    int *touched; /* [count] tables of which the group under way has rows */
    int touches;
    LogTable tables[];
};

static uint32_t name_hash(const char *schema, size_t schema_length, const char *table, size_t table_length)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < schema_length; i++)
        hash = (hash ^ (uint8_t)schema[i]) * 16777619U;
    hash = (hash ^ '.') * 16777619U;
    for (size_t i = 0; i < table_length; i++)
        hash = (hash ^ (uint8_t)table[i]) * 16777619U;
    return hash % BUCKETS;
}

static int table_find(const LogStage *staged, const LogTableName *name)
{
    int at = staged->buckets[name_hash(name->schema, name->schema_length, name->table, name->table_length)];

    while (at >= 0) {
        const LogTable *table = &staged->tables[at];

        if (strlen(table->schema) == name->schema_length && memcmp(table->schema, name->schema, name->schema_length) == 0 &&
            strlen(table->name) == name->table_length && memcmp(table->name, name->table, name->table_length) == 0)
            break;
        at = table->next;
    }
    return at;
}

static int table_init(LogStage *staged, int at, const cJSON *batch, Error *error)
{
    const cJSON *schema = json_member(batch, "schema");
    LogTable *table = &staged->tables[at];
    LogTableName name;
    int *bucket;

    *table = (LogTable){.batch_id = json_integer(batch, "batch_id", 0)};
    buffer_init(&table->map, MAP_BYTES_MAX);
    if (json_need_text(schema, "source_schema", &table->schema, error) < 0 || json_need_text(schema, "source_table", &table->name, error) < 0)
        return -1;
    if (log_range_of(batch, &table->range, error) < 0) {
        /* Its reader says why, where there is anything left to be read. */
        stage_set(staged->stage, at, STAGE_LARGE);
        return error->kind == ERROR_LOST ? 0 : -1;
    }
    name = (LogTableName){table->schema, table->name, strlen(table->schema), strlen(table->name)};
    /* A name leads to one chain: a second batch of the same table reads by itself. */
    if (table_find(staged, &name) >= 0) {
        stage_set(staged->stage, at, STAGE_LARGE);
        return 0;
    }
    bucket = &staged->buckets[name_hash(name.schema, name.schema_length, name.table, name.table_length)];
    table->next = *bucket;
    *bucket = at;
    return 0;
}

/* The lowest range that waits and the end of the highest; false where none waits. */
static bool pass_range(const LogStage *staged, LogRange *ret)
{
    bool found = false;

    for (int i = 0; i < staged->count; i++) {
        const LogRange *range = &staged->tables[i].range;
        LogPosition to = found ? ret->to : range->to;

        if (stage_state(staged->stage, i) != STAGE_WAITING)
            continue;
        if (!found || log_position_compare(range->from, ret->from) < 0)
            *ret = *range;
        ret->to = log_position_compare(range->to, to) > 0 ? range->to : to;
        found = true;
    }
    return found;
}

static int pass_map(LogStage *staged, const LogItem *item, Error *error)
{
    LogTableName name;
    uint64_t id;
    int at;

    if (log_table_id(item->data, item->length, &id, error) < 0 || log_table_name(item->data, item->length, &name, error) < 0)
        return -1;
    for (int i = 0; i < staged->numbers; i++) {
        if (staged->numbered[i].id == id)
            staged->numbered[i--] = staged->numbered[--staged->numbers];
    }
    at = table_find(staged, &name);
    if (at < 0 || stage_state(staged->stage, at) != STAGE_OPEN)
        return 0;
    buffer_clear(&staged->tables[at].map);
    if (buffer_append(&staged->tables[at].map, item->data, item->length, error) < 0)
        return -1;
    for (int i = 0; i < staged->numbers; i++) {
        if (staged->numbered[i].table == at)
            staged->numbered[i--] = staged->numbered[--staged->numbers];
    }
    staged->numbered[staged->numbers++] = (Numbered){id, at};
    return 0;
}

static int pass_rows(LogStage *staged, const LogItem *item, Error *error)
{
    LogTable *table;
    uint64_t id;
    int at = -1;

    if (log_table_id(item->data, item->length, &id, error) < 0)
        return -1;
    for (int i = 0; i < staged->numbers && at < 0; i++) {
        if (staged->numbered[i].id == id)
            at = staged->numbered[i].table;
    }
    if (log_table_statement_end(item->data))
        staged->numbers = 0;
    if (at < 0)
        return 0;
    table = &staged->tables[at];
    if (log_position_compare(item->at, table->range.from) <= 0 || log_position_compare(item->at, table->range.to) > 0)
        return 0;
    if (!table->touched)
        staged->touched[staged->touches++] = at;
    table->touched = true;
    return stage_add(staged->stage, at, (const uint8_t *)table->map.data, table->map.length,
                     &(StageItem){.code = item->code, .at = item->at, .inner = item->inner, .commit_us = item->commit_us, .data = item->data,
                                  .length = item->length},
                     error);
}

/* undone: the group's tables read by themselves, and fail at it, each for itself. */
static void pass_group_end(LogStage *staged, bool undone)
{
    for (int i = 0; i < staged->touches; i++) {
        int at = staged->touched[i];

        if (undone && stage_state(staged->stage, at) == STAGE_OPEN)
            stage_set(staged->stage, at, STAGE_LARGE);
        staged->tables[at].touched = false;
    }
    staged->touches = 0;
}

static int pass_items(MySql *source, LogStage *staged, const LogRange *range, Error *error)
{
    LogItem item;
    int status;

    if (log_stream_begin(source, range, error) < 0)
        return -1;
    staged->numbers = 0;
    pass_group_end(staged, false);
    while ((status = log_stream_next(source->stream, &item, error)) > 0) {
        switch (item.type) {
        case LOG_MAP:
            status = pass_map(staged, &item, error);
            break;
        case LOG_ROWS:
            status = pass_rows(staged, &item, error);
            break;
        case LOG_UNDONE:
        case LOG_GROUP_END:
            pass_group_end(staged, item.type == LOG_UNDONE);
            break;
        }
        if (status < 0)
            return -1;
    }
    return status;
}

/* What is not the stream's but a table's fault. */
static bool error_is_range(const Error *error)
{
    return error->kind == ERROR_LOST || error->kind == ERROR_REWOUND || error->kind == ERROR_PERMANENT || error->kind == ERROR_GONE;
}

/* Reads the log once for all that wait. Where it cannot be read from the lowest mark, or not through, those whose range begins there find out why
 * by themselves, and the others go on without them. */
static int log_stage_pass(MySql *source, LogStage *staged, Error *error)
{
    LogRange range;

    while (pass_range(staged, &range)) {
        int status;

        for (int i = 0; i < staged->count; i++) {
            if (stage_state(staged->stage, i) == STAGE_WAITING)
                stage_set(staged->stage, i, STAGE_OPEN);
        }
        status = pass_items(source, staged, &range, error);
        if (status < 0 && !error_is_range(error))
            return -1;
        for (int i = 0; i < staged->count; i++) {
            if (stage_state(staged->stage, i) != STAGE_OPEN)
                continue;
            if (status == 0)
                stage_set(staged->stage, i, STAGE_WHOLE);
            else
                stage_set(staged->stage, i,
                          log_position_compare(staged->tables[i].range.from, range.from) == 0 ? STAGE_LARGE : STAGE_WAITING);
        }
        if (status == 0)
            return 0;
        log_stream_close(source->stream);
        source->stream = NULL;
    }
    return 0;
}

int log_stage_new(MySql *source, const cJSON *batches, LogStage **ret, Error *error)
{
    int count = cJSON_GetArraySize(batches), at = 0;
    LogStage *staged = calloc(1, sizeof *staged + (size_t)count * sizeof *staged->tables);
    const cJSON *batch;

    if (!staged)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d batches of a log", count);
    memset(staged->buckets, 0xff, sizeof staged->buckets);
    staged->numbered = calloc((size_t)count, sizeof *staged->numbered);
    staged->touched = calloc((size_t)count, sizeof *staged->touched);
    if (!staged->numbered || !staged->touched) {
        error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d batches of a log", count);
        goto failed;
    }
    if (stage_new(count, LOG_STAGE_BYTES_MAX, &staged->stage, error) < 0)
        goto failed;
    cJSON_ArrayForEach(batch, batches) {
        staged->count = at + 1;
        if (table_init(staged, at++, batch, error) < 0)
            goto failed;
    }
    if (log_stage_pass(source, staged, error) < 0)
        goto failed;
    *ret = staged;
    return 0;
failed:
    log_stage_free(staged);
    return -1;
}

void log_stage_free(LogStage *staged)
{
    if (!staged)
        return;
    for (int i = 0; i < staged->count; i++)
        buffer_free(&staged->tables[i].map);
    stage_free(staged->stage);
    free(staged->numbered);
    free(staged->touched);
    free(staged);
}

int log_stage_turn(MySql *source, const cJSON *batch, int *table, Error *error)
{
    const int64_t batch_id = json_integer(batch, "batch_id", 0);
    LogStage *staged = source->stage;
    int at = 0;

    *table = -1;
    if (!staged)
        return 0;
    while (at < staged->count && staged->tables[at].batch_id != batch_id)
        at++;
    if (at == staged->count)
        return 0;
    if (stage_state(staged->stage, at) == STAGE_WAITING && log_stage_pass(source, staged, error) < 0)
        return -1;
    if (stage_state(staged->stage, at) == STAGE_WHOLE)
        *table = at;
    return 0;
}

Stage *log_stage_rows(LogStage *staged)
{
    return staged->stage;
}

int mysql_source_stage(Source *base, const cJSON *batches, Error *error)
{
    MySql *source = (MySql *)base;

    log_stage_free(source->stage);
    source->stage = NULL;
    /* One table is read as it comes: nothing would be read twice. */
    if (cJSON_GetArraySize(batches) < 2)
        return 0;
    return log_stage_new(source, batches, &source->stage, error);
}
