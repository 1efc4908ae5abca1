/* scan.c - see scan.h */
#include "source/mysql/scan.h"
#include "source/mysql/follow_shape.h"
#include "base/clock.h"

#include <string.h>

cJSON *scan_mark(const Scan *scan)
{
    const GtidSet *gtid = binlog_gtid(scan->stream);
    cJSON *mark;
    Buffer text;
    Error error;

    /* Which XA transactions were open at a place below the cut is not known any more: reading is taken up at the cut before it. */
    if (scan->follow->stretch)
        return cJSON_CreateNull();
    mark = cJSON_CreateObject();
    cJSON_AddStringToObject(mark, "server", scan->server);
    cJSON_AddStringToObject(mark, "file", binlog_file(scan->stream));
    cJSON_AddNumberToObject(mark, "offset", (double)binlog_position(scan->stream).offset);
    cJSON_AddNumberToObject(mark, "created", (double)binlog_created(scan->stream));
    buffer_init(&text, MIB(16));
    if (gtid && gtid_text(gtid, &text, &error) == 0 && buffer_terminate(&text, &error) == 0)
        cJSON_AddStringToObject(mark, "gtid", text.data);
    else
        cJSON_AddNullToObject(mark, "gtid");
    buffer_free(&text);
    cJSON_AddItemToObject(mark, "xa", follow_xa_json(scan->follow));
    return mark;
}

static int scan_map(Scan *scan, const BinlogItem *item, Error *error)
{
    Follow *follow = scan->follow;
    int index, status;
    cJSON *mark;

    if (follow_map(follow, item, &index, error) < 0)
        return -1;
    /* CREATE OR REPLACE TABLE .. SELECT: rows of the new life in the group that begins it, which therefore begins before the group. */
    if (index >= 0 && follow_held(follow, index)) {
        mark = scan_mark(scan);
        status = follow_apply(follow, binlog_position(scan->stream), mark, error);
        cJSON_Delete(mark);
        if (status < 0)
            return -1;
    }
    if (index < 0 || !scan->shapes || follow_map_known(&follow->tables[index], item))
        return 0;
    mark = scan_mark(scan);
    status = follow_map_check(follow, &scan->source->session, index, item, binlog_position(scan->stream), mark, error);
    cJSON_Delete(mark);
    return status;
}

static int scan_end(Scan *scan, const BinlogItem *item, Error *error)
{
    int status = 0;

    follow_end(scan->follow, item->end);
    if (item->commit_us != INT64_MIN && !scan->follow->stretch)
        scan->follow->commit_us = item->commit_us;
    if (item->type == BINLOG_ROLLBACK) {
        follow_forget(scan->follow);
    } else if (scan->follow->held_count) {
        cJSON *mark = scan_mark(scan);

        status = follow_apply(scan->follow, item->end, mark, error);
        cJSON_Delete(mark);
    }
    return status;
}

static void all_touched(Follow *follow, LogPosition end)
{
    for (int i = 0; i < follow->count; i++) {
        if (follow_here(&follow->tables[i]) && follow_active(follow, &follow->tables[i], end))
            follow_touch(follow, i);
    }
}

/* Which tables a transaction touched that was prepared before our time: its group is read again. */
static int prepared_read(Scan *scan, const FollowXa *xa, LogPosition end, Error *error)
{
    const BinlogStart start = {.file = xa->file, .offset = xa->offset};
    Scan own = *scan;
    const BinlogItem *item = NULL;
    int status = binlog_open(&scan->source->options, scan->source->password, scan->source->beat, &start, SCAN_WAIT_MS, &own.stream, error);

    if (status < 0 && error->kind == ERROR_LOST) {
        all_touched(scan->follow, end); /* their readers will say what is lost */
        return 0;
    }
    own.shapes = false;
    while (status == 0) {
        status = binlog_next(own.stream, &item, error);
        if (status < 0 || item->type == BINLOG_PREPARE || item->type == BINLOG_COMMIT || item->type == BINLOG_ROLLBACK)
            break;
        if (item->type == BINLOG_TABLE_MAP)
            status = scan_map(&own, item, error);
        else if (item->type == BINLOG_ROWS)
            status = follow_rows(scan->follow, item, error);
    }
    scan->follow->map_count = 0;
    binlog_close(own.stream);
    return status;
}

static int scan_prepare(Scan *scan, const BinlogItem *item, Error *error)
{
    char file[LOG_FILE_NAME_MAX];
    FollowXa *xa = follow_xa_find(scan->follow, item);

    if (log_file_name(binlog_file(scan->stream), item->begin.file, file) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the name of a log file is too long");
    if (!scan->follow->stretch) {
        if (xa) /* the number of one that ended out of our sight */
            follow_xa_end(scan->follow, xa, false);
        return follow_prepare(scan->follow, item, file, error);
    }
    /* Known, and open still: that a new table is in it is found out at its end. */
    if (xa)
        xa->unknown = true;
    follow_untouch(scan->follow);
    return 0;
}

static int scan_xa_commit(Scan *scan, const BinlogItem *item, Error *error)
{
    FollowXa *xa = follow_xa_find(scan->follow, item);
    int status = 0;

    /* In a stretch its begin may lie below: each table is taken for touched, which costs a range without rows at most. */
    if (scan->follow->stretch || !xa) {
        all_touched(scan->follow, item->end);
        return 0;
    }
    if (xa->unknown)
        status = prepared_read(scan, xa, item->end, error);
    follow_xa_end(scan->follow, xa, true);
    return status;
}

static int scan_item(Scan *scan, const BinlogItem *item, Error *error)
{
    FollowXa *xa;

    switch (item->type) {
    case BINLOG_TABLE_MAP:
        return scan_map(scan, item, error);
    case BINLOG_ROWS:
        return follow_rows(scan->follow, item, error);
    case BINLOG_STATEMENT:
        return follow_statement(scan->follow, item, error);
    case BINLOG_COMMIT:
    case BINLOG_ROLLBACK:
        return scan_end(scan, item, error);
    case BINLOG_PREPARE:
        return scan_prepare(scan, item, error);
    case BINLOG_XA_COMMIT:
        return scan_xa_commit(scan, item, error);
    case BINLOG_XA_ROLLBACK:
        xa = scan->follow->stretch ? NULL : follow_xa_find(scan->follow, item);
        if (xa)
            follow_xa_end(scan->follow, xa, false);
        return 0;
    case BINLOG_SAVEPOINT:
    case BINLOG_IDLE:
        break;
    }
    return 0;
}

/* Where the columns behind a DDL are still to be asked for there is no cut: what the catalogue says holds at the log's end only. */
static bool scan_enough(const Scan *scan)
{
    return scan->bytes >= LOG_POLL_BYTES_MAX && (!scan->shapes || !follow_pending(scan->follow));
}

int scan_until(Scan *scan, LogPosition until, Error *error)
{
    const int64_t began_ms = clock_monotonic_ms();
    int64_t moved_ms = began_ms;
    const BinlogItem *item;

    for (;;) {
        bool group, reached;

        if (binlog_next(scan->stream, &item, error) < 0 || scan_item(scan, item, error) < 0)
            return -1;
        group = binlog_in_group(scan->stream);
        reached = log_position_compare(binlog_position(scan->stream), until) >= 0;
        if (item->type != BINLOG_IDLE) {
            scan->bytes += item->length;
            moved_ms = clock_monotonic_ms();
            if (!group && (reached || scan_enough(scan)))
                return 0;
            continue;
        }
        if (!group && (reached || clock_monotonic_ms() - moved_ms >= 1000))
            return 0;
        if (clock_monotonic_ms() - moved_ms >= (int64_t)scan->source->options.query_timeout_s * 1000)
            return error_set(error, ERROR_TRANSIENT, NULL, "%s sent the beginning of a transaction and nothing more",
                             scan->source->session.target);
    }
}

int scan_stretch(const Scan *like, const char *sibling, LogPosition from, LogPosition to, Error *error)
{
    char file[LOG_FILE_NAME_MAX];
    const BinlogStart start = {.file = file, .offset = from.offset};
    Scan own = *like;
    int status;

    if (log_file_name(sibling, from.file, file) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the name of a log file is too long");
    if (binlog_open(&own.source->options, own.source->password, own.source->beat, &start, SCAN_WAIT_MS, &own.stream, error) < 0)
        return -1;
    own.follow->stretch = true;
    do {
        own.bytes = 0;
        status = scan_until(&own, to, error);
    } while (status == 0 && own.bytes >= LOG_POLL_BYTES_MAX && log_position_compare(binlog_position(own.stream), to) < 0);
    own.follow->stretch = false;
    binlog_close(own.stream);
    return status;
}
