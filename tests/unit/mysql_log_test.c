/*
 * A scripted log read by the runner's stream and stage (worker/source/mysql/log_stream.h, log_stage.h): which rows count, where they stand, how often the
 * server is asked. The functions of binlog.h and session.h are this file's own: they play a script.
 */
#include "check.h"
#include "source/mysql/log_stage.h"
#include "source/mysql/log_stream.h"

#include <stdlib.h>

typedef struct Step {
    BinlogType type;
    uint64_t begin, end; /* offsets in file 1; begin: of the group */
    bool xa;
    const char *xid;
    char table;          /* maps and rows */
    char row;
} Step;

struct Binlog {
    const Step *at, *start;
    uint64_t position;
    bool in_group;
    BinlogItem item;
    uint8_t data[64];
};

static struct {
    const Step *steps; /* ends with type BINLOG_IDLE */
    int opens, broken;  /* broken: the next read of a stream fails as if the server had ended it */
    uint64_t fail_at;   /* a group that begins here cannot be read: the log was purged; 0 = none */
    const char *server;
    uint32_t created;
    bool refused;
} script;

int binlog_open(const SessionOptions *options, const char *password, Beat beat, const BinlogStart *start, int wait_ms, Binlog **ret, Error *error)
{
    Binlog *binlog;

    (void)options, (void)password, (void)beat, (void)wait_ms;
    script.opens++;
    if (script.refused)
        return error_set(error, ERROR_PERMANENT, NULL, "no right to stream the log");
    binlog = calloc(1, sizeof *binlog);
    for (binlog->at = script.steps; binlog->at->type != BINLOG_IDLE && binlog->at->begin < start->offset; binlog->at++)
        continue;
    if (script.fail_at && start->offset < script.fail_at) {
        free(binlog);
        return error_set(error, ERROR_LOST, NULL, "purged");
    }
    binlog->position = start->offset;
    *ret = binlog;
    return 0;
}

void binlog_close(Binlog *binlog)
{
    free(binlog);
}

static size_t event_data(const Step *step, uint8_t *data)
{
    const uint8_t map[] = {(uint8_t)step->table, 0, 0, 0, 0, 0, 1, 0, 1, 's', 0, 1, (uint8_t)step->table, 0, 7};
    const uint8_t rows[] = {(uint8_t)step->table, 0, 0, 0, 0, 0, 1, 0, (uint8_t)step->row};

    if (step->type == BINLOG_TABLE_MAP)
        memcpy(data, map, sizeof map);
    else if (step->type == BINLOG_ROWS)
        memcpy(data, rows, sizeof rows);
    else if (step->xid)
        memcpy(data, step->xid, strlen(step->xid));
    return step->type == BINLOG_TABLE_MAP ? sizeof map : step->type == BINLOG_ROWS ? sizeof rows : step->xid ? strlen(step->xid) : 0;
}

int binlog_next(Binlog *binlog, const BinlogItem **ret, Error *error)
{
    const Step *step = binlog->at;

    if (script.broken) {
        script.broken--;
        return error_set(error, ERROR_TRANSIENT, NULL, "the server has ended the stream");
    }
    binlog->item = (BinlogItem){.type = step->type, .code = 30, .begin = {1, step->begin}, .end = {1, step->end}, .xa = step->xa,
                                .commit_us = (int64_t)step->end, .data = binlog->data, .length = event_data(step, binlog->data)};
    *ret = &binlog->item;
    if (step->type == BINLOG_IDLE)
        return 0;
    binlog->in_group = true;
    if (step->type == BINLOG_COMMIT || step->type == BINLOG_PREPARE || step->type == BINLOG_ROLLBACK) {
        binlog->in_group = false;
        binlog->position = step->end;
    }
    binlog->at++;
    return 0;
}

LogPosition binlog_position(const Binlog *binlog)
{
    return (LogPosition){1, binlog->position};
}

uint32_t binlog_created(const Binlog *binlog)
{
    (void)binlog;
    return script.created;
}

bool binlog_in_group(const Binlog *binlog)
{
    return binlog->in_group;
}

int session_value(Session *session, const char *text, char **ret, Error *error)
{
    (void)session, (void)text, (void)error;
    *ret = strdup(script.server);
    return 0;
}

int session_quote(Buffer *text, const char *value, size_t length, Error *error)
{
    return buffer_append(text, value, length, error);
}

#define COMMITTED(b, t, r) \
    {BINLOG_TABLE_MAP, b, b + 2, false, NULL, t, 0}, {BINLOG_ROWS, b, b + 5, false, NULL, t, r}, {BINLOG_COMMIT, b, b + 10, false, NULL, 0, 0}
#define LOG_END {BINLOG_IDLE, 0, 0, false, NULL, 0, 0}

static Error error;
static MySql source = {.session = {.mariadb = true, .target = "server:3306"}};

static void begin(const Step *steps)
{
    log_stage_free(source.stage);
    log_stream_close(source.stream);
    source.stage = NULL;
    source.stream = NULL;
    memset(&script, 0, sizeof script);
    script.steps = steps;
    script.server = "1";
}

static cJSON *batch_of(int id, char table, int from, int to, int mark, const char *xa)
{
    char text[400];

    snprintf(text, sizeof text,
             "{\"batch_id\":%d,\"table\":\"s.%c\",\"from\":\"00000001%012x\",\"to\":\"00000001%012x\",\"schema\":{\"source_schema\":\"s\",\"source_table\":\"%c\"},"
             "\"mark\":{\"server\":\"1\",\"file\":\"bin.000001\",\"offset\":%d,\"created\":7,\"xa\":[%s]}}",
             id, table, (unsigned)from, (unsigned)to, table, mark, xa);
    return cJSON_Parse(text);
}

/* Reads a range: "a@15 b@25/2 .." (row, place, event of an XA transaction where it has a number), "!" a group undone, "?kind" an error. */
static void range_read(int from, int to, int mark, const char *xa, char *ret, size_t size)
{
    cJSON *batch = batch_of(1, 'x', from, to, mark, xa);
    LogRange range;
    LogItem item;
    size_t used = 0;
    int status = log_range_of(batch, &range, &error) < 0 || log_stream_begin(&source, &range, &error) < 0 ? -1 : 1;

    ret[0] = '\0';
    while (status > 0 && (status = log_stream_next(source.stream, &item, &error)) > 0) {
        if (item.type == LOG_ROWS)
            used += (size_t)snprintf(ret + used, size - used, "%c@%d", item.data[8], (int)item.at.offset);
        if (item.type == LOG_ROWS && item.inner)
            used += (size_t)snprintf(ret + used, size - used, "/%d", (int)item.inner);
        if (item.type == LOG_ROWS)
            used += (size_t)snprintf(ret + used, size - used, " ");
        if (item.type == LOG_UNDONE)
            used += (size_t)snprintf(ret + used, size - used, "! ");
    }
    if (status < 0)
        snprintf(ret + used, size - used, "?%s", error_kind_name(error.kind));
    cJSON_Delete(batch);
}

static void test_ranges(void)
{
    static const Step steps[] = {COMMITTED(10, 'x', 'a'), COMMITTED(20, 'x', 'b'), COMMITTED(30, 'x', 'c'), COMMITTED(40, 'x', 'd'), LOG_END};
    char text[200];

    begin(steps);
    range_read(20, 40, 10, "", text, sizeof text);
    check_text(text, "b@25 c@35 ", "rows above from and up to to, from a mark below");
    range_read(40, 50, 10, "", text, sizeof text);
    check_text(text, "d@45 ", "a range that begins where the last one ended");
    check(script.opens == 1, "costs no new stream");
    range_read(20, 30, 20, "", text, sizeof text);
    check_text(text, "b@25 ", "a range that lies behind");
    check(script.opens == 2, "opens one");
    script.broken = 1;
    range_read(30, 40, 20, "", text, sizeof text);
    check_text(text, "c@35 ", "a stream that the server ended while nobody read it is opened again");
    script.broken = 2;
    range_read(40, 50, 40, "", text, sizeof text);
    check_text(text, "?transient", "but once");
    begin(steps);
    range_read(10, 35, 10, "", text, sizeof text);
    check_text(text, "a@15 b@25 c@35 ?transient", "a log in which the range does not end where a transaction does is not the one that was polled");
    begin(steps);
    script.server = "2";
    range_read(10, 20, 10, "", text, sizeof text);
    check_text(text, "?transient", "nor is another server's");
    begin(steps);
    script.created = 8;
    range_read(10, 20, 10, "", text, sizeof text);
    check_text(text, "?transient", "nor one begun at another time");
    begin(steps);
    script.refused = true;
    range_read(10, 20, 10, "", text, sizeof text);
    check_text(text, "?transient", "a stream that the server refuses is no table's fault");
}

static void test_xa(void)
{
    static const Step steps[] = {
        {BINLOG_TABLE_MAP, 10, 12, true, NULL, 'x', 0}, {BINLOG_ROWS, 10, 14, true, NULL, 'x', 'a'}, {BINLOG_ROWS, 10, 16, true, NULL, 'x', 'b'},
        {BINLOG_PREPARE, 10, 20, true, "one", 0, 0},
        COMMITTED(20, 'x', 'c'),
        {BINLOG_XA_COMMIT, 30, 39, false, "one", 0, 0}, {BINLOG_COMMIT, 30, 40, false, NULL, 0, 0},
        {BINLOG_TABLE_MAP, 40, 42, true, NULL, 'x', 0}, {BINLOG_ROWS, 40, 44, true, NULL, 'x', 'd'}, {BINLOG_COMMIT, 40, 50, true, NULL, 0, 0},
        {BINLOG_TABLE_MAP, 50, 52, true, NULL, 'x', 0}, {BINLOG_ROWS, 50, 54, true, NULL, 'x', 'e'}, {BINLOG_PREPARE, 50, 60, true, "two", 0, 0},
        {BINLOG_XA_ROLLBACK, 60, 69, false, "two", 0, 0}, {BINLOG_COMMIT, 60, 70, false, NULL, 0, 0},
        COMMITTED(70, 'x', 'f'), LOG_END};
    char text[200];

    begin(steps);
    range_read(10, 80, 10, "", text, sizeof text);
    check_text(text, "c@25 a@39/1 b@39/2 d@44 f@75 ", "rows of an XA transaction stand at its XA COMMIT, those of one undone nowhere");
    begin(steps);
    range_read(10, 20, 10, "", text, sizeof text);
    check_text(text, "", "a range up to the prepare has none of them");
    range_read(20, 30, 10, "", text, sizeof text);
    range_read(30, 40, 10, "", text, sizeof text);
    check_text(text, "a@39/1 b@39/2 ", "a later one on the same stream has them");
    begin(steps);
    range_read(30, 40, 30, "{\"xid\":\"one\",\"file\":\"bin.000001\",\"offset\":10}", text, sizeof text);
    check_text(text, "a@39/1 b@39/2 ", "and so has another worker's, by the mark");
    begin(steps);
    range_read(30, 40, 30, "", text, sizeof text);
    check_text(text, "?permanent", "one prepared before all marks is not passed over in silence");
    begin(steps);
    range_read(40, 50, 30, "", text, sizeof text);
    check_text(text, "d@44 ", "unless it was ended before the range");
}

static void test_undone(void)
{
    static const Step steps[] = {{BINLOG_TABLE_MAP, 10, 12, false, NULL, 'x', 0}, {BINLOG_ROWS, 10, 14, false, NULL, 'x', 'a'},
                                 {BINLOG_ROLLBACK, 10, 20, false, NULL, 0, 0},   {BINLOG_TABLE_MAP, 20, 22, false, NULL, 'y', 0},
                                 {BINLOG_ROWS, 20, 24, false, NULL, 'y', 'b'},   {BINLOG_COMMIT, 20, 30, false, NULL, 0, 0},
                                 LOG_END};
    cJSON *batches = cJSON_CreateArray();
    char text[200];
    int first = 0, second = 0;

    begin(steps);
    range_read(10, 30, 10, "", text, sizeof text);
    check_text(text, "a@14 ! b@24 ", "a group that was undone says so behind its rows");
    begin(steps);
    cJSON_AddItemToArray(batches, batch_of(1, 'x', 10, 30, 10, ""));
    cJSON_AddItemToArray(batches, batch_of(2, 'y', 10, 30, 10, ""));
    check(mysql_source_stage(&source.base, batches, &error) == 0 && log_stage_turn(&source, batches->child, &first, &error) == 0 &&
              log_stage_turn(&source, batches->child->next, &second, &error) == 0 && first == -1 && second == 1,
          "which is its tables' trouble, and no other's");
    check(mysql_source_stage(&source.base, NULL, &error) == 0 && !source.stage, "a stage is forgotten");
    cJSON_Delete(batches);
}

/* "a@15 .." of a table in the stage. */
static void staged_read(const cJSON *batch, char *ret, size_t size)
{
    StageCursor cursor = {0};
    StageItem item;
    size_t used = 0;
    int table;

    snprintf(ret, size, "?");
    if (log_stage_turn(&source, batch, &table, &error) < 0 || table < 0)
        return;
    ret[0] = '\0';
    while (stage_next(log_stage_rows(source.stage), table, &cursor, &item)) {
        if (!item.map)
            used += (size_t)snprintf(ret + used, size - used, "%c@%d ", item.data[8], (int)item.at.offset);
    }
}

static void test_stage(void)
{
    static const Step steps[] = {COMMITTED(10, 'x', 'a'), COMMITTED(20, 'y', 'b'), COMMITTED(30, 'z', 'c'),
                                 COMMITTED(40, 'x', 'd'), COMMITTED(50, 'y', 'e'), LOG_END};
    cJSON *batches = cJSON_CreateArray();
    char text[200];

    begin(steps);
    cJSON_AddItemToArray(batches, batch_of(1, 'x', 20, 60, 10, ""));
    cJSON_AddItemToArray(batches, batch_of(2, 'y', 10, 50, 10, ""));
    cJSON_AddItemToArray(batches, batch_of(3, 'w', 10, 60, 10, ""));
    cJSON_AddItemToArray(batches, batch_of(4, 'y', 50, 60, 10, ""));
    check(mysql_source_stage(&source.base, batches, &error) == 0 && script.opens == 1, "a log is read once for all tables of a claim");
    staged_read(batches->child, text, sizeof text);
    check_text(text, "d@45 ", "a table has the rows of its own range");
    staged_read(batches->child->next, text, sizeof text);
    check_text(text, "b@25 ", "and another those of its own");
    staged_read(batches->child->next->next, text, sizeof text);
    check_text(text, "", "one without changes has none");
    staged_read(batches->child->next->next->next, text, sizeof text);
    check_text(text, "?", "a second range of one table is read by itself");
    begin(steps);
    script.fail_at = 20;
    cJSON_Delete(cJSON_DetachItemFromArray(batches, 0));
    cJSON_InsertItemInArray(batches, 0, batch_of(1, 'x', 20, 60, 20, ""));
    check(mysql_source_stage(&source.base, batches, &error) == 0, "a log purged below one table's range");
    staged_read(batches->child, text, sizeof text);
    check_text(text, "d@45 ", "does not hold up another");
    staged_read(batches->child->next, text, sizeof text);
    check_text(text, "?", "and is found by its own reader");
    cJSON_Delete(batches);
}

int main(void)
{
    test_ranges();
    test_xa();
    test_undone();
    test_stage();
    begin(NULL);
    return check_end();
}
