/*
 * poll.c - one poll: where the log ends, then a scan of the stream up to there; what moved is the answer (control/README.md, poll).
 *
 * The stream stays open between polls. It is opened anew where it was lost or does not stand at the cut that is asked from; by GTID first, so
 * that the server proves that its history holds ours, then by file and offset, which the cut is made of.
 */
#include "source/mysql/follow_shape.h"
#include "source/mysql/log_state.h"
#include "source/mysql/scan.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE_ROUNDS_MAX 8 /* the catalogue is asked again where tables changed meanwhile */

typedef struct Poll {
    MySql *source;
    const cJSON *ask;
    LogState state;
    Scan scan;
    bool proved;        /* the server has found our GTID set in its log: nothing above the cut is gone */
    bool bridged;       /* and the file of the cut is gone: the cut moves to where the log begins now, and no further */
    bool lost;          /* the log below its beginning is gone, what is left is scanned */
    char rewound[512];  /* why, "" = it is the log we know */
} Poll;

static void stream_close(MySql *source)
{
    binlog_close(source->binlog);
    source->binlog = NULL;
}

static int stream_start(MySql *source, const BinlogStart *start, Binlog **ret, Error *error)
{
    return binlog_open(&source->options, source->password, source->beat, start, SCAN_WAIT_MS, ret, error);
}

/* The server seeks the set in its log and says by error 1236 if it cannot. */
static int history_prove(Poll *poll, const char *gtid, Error *error)
{
    const BinlogStart start = {.gtid = gtid};
    Binlog *proof;

    if (!gtid || !*gtid || !poll->state.gtids)
        return 0;
    if (stream_start(poll->source, &start, &proof, error) < 0)
        return -1;
    binlog_close(proof);
    poll->proved = true;
    return 0;
}

/* GTIDs are counted from 1 again after RESET MASTER and may have come as far as they were: the file's own time tells. */
static int file_prove(const Binlog *binlog, const cJSON *mark, Error *error)
{
    const int64_t seen = json_integer(mark, "created", 0), now = binlog_created(binlog);

    if (seen == 0 || now == 0 || seen == now)
        return 0;
    return error_set(error, ERROR_REWOUND, NULL, "%.200s is another file than the one that was read: RESET MASTER, or another log was put in its place",
                     binlog_file(binlog));
}

/* A transaction that is prepared and not ended belongs to the first mark: its rows stand below it and count when it commits. */
static int skip_item(Poll *poll, const BinlogItem *item, Error *error)
{
    Follow *follow = poll->source->follow;
    char file[LOG_FILE_NAME_MAX];
    FollowXa *xa;

    if (item->type != BINLOG_PREPARE && item->type != BINLOG_XA_COMMIT && item->type != BINLOG_XA_ROLLBACK)
        return 0;
    xa = follow_xa_find(follow, item);
    if (xa)
        follow_xa_end(follow, xa, false);
    if (item->type != BINLOG_PREPARE)
        return 0;
    if (log_file_name(binlog_file(poll->source->binlog), item->begin.file, file) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the name of a log file is too long");
    return follow_prepare(follow, item, file, error);
}

/* Reads on to the log's end without looking at rows, or as far as the server gives it. */
static int stream_skip(Poll *poll, Error *error)
{
    Binlog *stream = poll->source->binlog;
    int64_t moved_ms = clock_monotonic_ms();

    while (log_position_compare(binlog_position(stream), poll->state.end) < 0) {
        const BinlogItem *item;

        if (binlog_next(stream, &item, error) < 0 || skip_item(poll, item, error) < 0)
            return -1;
        if (item->type != BINLOG_IDLE)
            moved_ms = clock_monotonic_ms();
        else if (!binlog_in_group(stream) && clock_monotonic_ms() - moved_ms >= 1000)
            break;
    }
    return 0;
}

/* The log's newest file is read from its begin, where the set of transactions stands: MySQL's executed ones are fewer, as long as a commit is on its way from the
 * log into the engine, and a load that waits for too small a set would not wait for those. What was prepared in that file and is open is found on the way. */
static int stream_begin(Poll *poll, Error *error)
{
    MySql *source = poll->source;
    const BinlogStart start = {.file = poll->state.file, .offset = LOG_FILE_BEGIN};

    return stream_start(source, &start, &source->binlog, error) < 0 ? -1 : stream_skip(poll, error);
}

static int stream_resume(Poll *poll, const cJSON *mark, LogPosition position, Error *error)
{
    MySql *source = poll->source;
    const char *gtid = json_text(mark, "gtid", NULL), *file = json_text(mark, "file", NULL);
    BinlogStart start = {.offset = position.offset, .gtid = gtid};
    char name[LOG_FILE_NAME_MAX];

    if (!file && log_file_name(poll->state.file, position.file, name) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the name of a log file is too long");
    start.file = file ? file : name;
    if (follow_xa_read(source->follow, mark, error) < 0 || history_prove(poll, gtid, error) < 0 ||
        stream_start(source, &start, &source->binlog, error) < 0)
        return -1;
    return file_prove(source->binlog, mark, error);
}

/* The file of the cut is gone. Where our set was found all the same, nothing is between the cut and what is left: tables that have read all are moved there, before a
 * change would hold them where no file is. Else each table that lost something is told by `low`, and the rest is read. */
static int stream_oldest(Poll *poll, LogPosition cut, Error *error)
{
    BinlogStart start = {.file = NULL};

    if (log_position_compare(poll->state.low, cut) <= 0)
        return -1; /* the log begins below the cut and does not lead to it: the error says so */
    if (poll->proved) {
        poll->state.low = cut;
        poll->bridged = true;
        start.gtid = json_text(json_member(poll->ask, "mark"), "gtid", NULL);
    } else {
        poll->lost = true;
        if (follow_xa_read(poll->source->follow, NULL, error) < 0)
            return -1;
    }
    return stream_start(poll->source, &start, &poll->source->binlog, error);
}

static int stream_open(Poll *poll, Error *error)
{
    const cJSON *mark = json_member(poll->ask, "mark");
    MySql *source = poll->source;
    LogPosition position;
    int status;

    if (log_position_parse(json_text(poll->ask, "position", NULL), &position) < 0) {
        stream_close(source);
        return stream_begin(poll, error);
    }
    if (source->binlog && log_position_compare(binlog_position(source->binlog), position) == 0)
        return 0;
    stream_close(source);
    status = stream_resume(poll, mark, position, error);
    if (status < 0 && error->kind == ERROR_LOST)
        return stream_oldest(poll, position, error);
    if (status < 0 && error->kind == ERROR_REWOUND) {
        snprintf(poll->rewound, sizeof poll->rewound, "%s", error->message);
        stream_close(source);
        if (follow_xa_read(source->follow, NULL, error) < 0)
            return -1;
        return stream_begin(poll, error);
    }
    return status;
}

/* ---- the scan ---- */

/* What is gone below the log's beginning is told of each table: a cut must not speak for it. */
static int behind_lost(Poll *poll, FollowTable *table, Error *error)
{
    error_set(error, ERROR_LOST, NULL, "the log of %.100s.%.100s was removed before it was scanned", table->name.schema, table->name.table);
    follow_failed(table, error);
    return table->failed ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a poll of %s", poll->source->session.target);
}

static int scan_behind(Poll *poll, Error *error)
{
    Follow *follow = poll->source->follow;
    LogPosition cut = binlog_position(poll->source->binlog), from = cut;

    for (int i = 0; i < follow->count; i++) {
        FollowTable *table = &follow->tables[i];

        if (!table->behind || log_position_compare(table->from, cut) >= 0)
            continue;
        if (log_position_compare(table->from, poll->state.low) < 0) {
            table->behind = false;
            if (behind_lost(poll, table, error) < 0)
                return -1;
        } else if (log_position_compare(table->from, from) < 0) {
            from = table->from;
        }
    }
    if (log_position_compare(from, cut) < 0 && scan_stretch(&poll->scan, poll->state.file, from, cut, error) < 0)
        return -1;
    for (int i = 0; i < follow->count; i++)
        follow->tables[i].behind &= log_position_compare(follow->tables[i].from, cut) > 0;
    return 0;
}

/* Columns behind a DDL: see follow_shape.h. */
static int scan_shapes(Poll *poll, Error *error)
{
    MySql *source = poll->source;

    for (int round = 0; follow_pending(source->follow); round++) {
        FollowFound *found;
        int status;

        if (round == RESOLVE_ROUNDS_MAX)
            return error_set(error, ERROR_TRANSIENT, NULL, "tables of %s change faster than their columns can be asked for",
                             source->session.target);
        if (follow_lookup(source->follow, &source->session, &found, error) < 0)
            return -1;
        status = log_state_end(&source->session, &poll->state, error);
        if (status == 0)
            status = scan_until(&poll->scan, poll->state.end, error);
        if (status == 0)
            status = follow_settle(source->follow, found, error);
        follow_found_free(found, source->follow->count);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int poll_scan(Poll *poll, Error *error)
{
    MySql *source = poll->source;
    int status;

    poll->scan = (Scan){.source = source, .stream = source->binlog, .follow = source->follow, .server = poll->state.server, .shapes = true};
    /* In another log the places of the one before mean nothing. */
    status = poll->rewound[0] ? 0 : scan_behind(poll, error);
    if (status == 0 && !poll->rewound[0] && !poll->bridged)
        status = scan_until(&poll->scan, poll->state.end, error);
    if (status == 0 && !poll->bridged)
        status = scan_shapes(poll, error);
    if (status < 0 && error->kind == ERROR_LOST) {
        /* A file went away below the stream: the next poll opens it anew and learns what is left. */
        stream_close(source);
        error->kind = ERROR_TRANSIENT;
    }
    return status;
}

/* ---- the answer ---- */

static void add_position(cJSON *object, const char *name, LogPosition position)
{
    char text[LOG_POSITION_TEXT];

    log_position_text(position, text);
    cJSON_AddStringToObject(object, name, text);
}

static void answer_tables(Follow *follow, cJSON *answer)
{
    cJSON *newest = cJSON_AddArrayToObject(answer, "newest"), *failed = cJSON_AddArrayToObject(answer, "failed");

    for (int i = 0; i < follow->count; i++) {
        FollowTable *table = &follow->tables[i];

        if (table->failed && !table->told)
            cJSON_AddItemToArray(failed, cJSON_Duplicate(table->failed, true));
        table->told = true;
        if (table->changed) {
            cJSON *item = cJSON_CreateObject();

            cJSON_AddNumberToObject(item, "table_id", (double)table->table_id);
            add_position(item, "position", table->newest);
            cJSON_AddItemToArray(newest, item);
        }
    }
}

/* The log's end at a clock read is a transaction's end: what was committed before it is at or below. */
static void answer_fences(const Poll *poll, cJSON *answer)
{
    cJSON *reached = cJSON_AddArrayToObject(answer, "fences"), *item;
    LogPosition cut = binlog_position(poll->source->binlog), clock;
    const cJSON *fence;

    cJSON_ArrayForEach(fence, json_member(poll->ask, "fences")) {
        if (log_position_parse(json_text(fence, "clock", NULL), &clock) < 0 || log_position_compare(cut, clock) < 0)
            continue;
        item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "table_id", (double)json_integer(fence, "table_id", 0));
        add_position(item, "position", clock);
        cJSON_AddItemToArray(reached, item);
    }
}

static int poll_answer(Poll *poll, LogPosition end, cJSON *answer, Error *error)
{
    MySql *source = poll->source;
    cJSON *mark = scan_mark(&poll->scan), *identity;

    if (!mark)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a poll");
    add_position(answer, "position", binlog_position(source->binlog));
    cJSON_AddItemToObject(answer, "mark", mark);
    add_position(answer, "end", end);
    add_position(answer, "clock", end);
    add_position(answer, "low", poll->state.low);
    /* The clock was read before the log's end was: all that was committed by then is below the cut, on an idle server too. */
    if (log_position_compare(binlog_position(source->binlog), end) >= 0)
        cJSON_AddStringToObject(answer, "tran_end_time", poll->state.time);
    else
        follow_time(answer, "tran_end_time", source->follow->commit_us);
    cJSON_AddStringToObject(answer, "source_time", poll->state.time);
    cJSON_AddNumberToObject(answer, "utc_offset_minutes", 0);
    identity = cJSON_AddObjectToObject(answer, "identity");
    cJSON_AddStringToObject(identity, source->session.mariadb ? "server_id" : "server_uuid", poll->state.server);
    cJSON_AddBoolToObject(answer, "read_only", poll->state.read_only);
    if (poll->rewound[0])
        cJSON_AddStringToObject(answer, "rewound", poll->rewound);
    if (poll->lost)
        cJSON_AddTrueToObject(answer, "lost");
    answer_tables(source->follow, answer);
    answer_fences(poll, answer);
    cJSON_AddNullToObject(answer, "capture");
    /* The tables of that digest are held now, given with this ask or before. */
    cJSON_AddItemToObject(answer, "known", cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(poll->ask, "known"), false));
    return 0;
}

/* ---- quiet ---- */

/* Has the table no change in (from, to]? A follower of that one table reads the stretch. */
static int quiet_one(Poll *poll, const cJSON *asked, bool *quiet, Error *error)
{
    int64_t id = json_integer(asked, "table_id", 0);
    const Follow *follow = poll->source->follow;
    cJSON *ask = cJSON_CreateObject(), *table, *behind;
    LogPosition from, to;
    Follow *own = NULL;
    Scan scan = poll->scan;
    int at = 0, status;

    if (log_position_parse(json_text(asked, "from", NULL), &from) < 0 || log_position_parse(json_text(asked, "to", NULL), &to) < 0) {
        cJSON_Delete(ask);
        return error_set(error, ERROR_INTERNAL, NULL, "a quiet check has no range");
    }
    while (at < follow->count && follow->tables[at].table_id != id)
        at++;
    *quiet = at < follow->count && log_position_compare(from, to) >= 0;
    if (at == follow->count || *quiet || log_position_compare(binlog_position(poll->source->binlog), to) < 0) {
        cJSON_Delete(ask);
        return at == follow->count ? error_set(error, ERROR_INTERNAL, NULL, "a quiet check names an unknown table") : *quiet ? 0 : 1;
    }
    table = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(ask, "tables"), table);
    cJSON_AddNumberToObject(table, "table_id", (double)id);
    cJSON_AddStringToObject(table, "schema", follow->tables[at].name.schema);
    cJSON_AddStringToObject(table, "table", follow->tables[at].name.table);
    cJSON_AddArrayToObject(table, "columns");
    behind = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(ask, "behind"), behind);
    cJSON_AddNumberToObject(behind, "table_id", (double)id);
    cJSON_AddStringToObject(behind, "from", json_text(asked, "from", ""));
    status = follow_tables(&own, ask, follow->fold, error);
    cJSON_Delete(ask);
    if (status < 0)
        return -1;
    own->ddl = cJSON_CreateArray();
    own->shapes = cJSON_CreateArray();
    scan.follow = own;
    scan.shapes = false;
    status = scan_stretch(&scan, poll->state.file, from, to, error);
    *quiet = !own->tables[0].changed && cJSON_GetArraySize(own->ddl) == 0;
    cJSON_Delete(own->ddl);
    cJSON_Delete(own->shapes);
    follow_free(own);
    return status;
}

static int answer_quiet(Poll *poll, cJSON *answer, Error *error)
{
    cJSON *list = cJSON_AddArrayToObject(answer, "quiet"), *item;
    const cJSON *asked;

    cJSON_ArrayForEach(asked, json_member(poll->ask, "quiet")) {
        bool quiet;
        int status = quiet_one(poll, asked, &quiet, error);

        if (status < 0 && error->kind != ERROR_LOST)
            return -1;
        if (status != 0)
            continue;
        item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "table_id", (double)json_integer(asked, "table_id", 0));
        cJSON_AddBoolToObject(item, "quiet", quiet);
        cJSON_AddItemToArray(list, item);
    }
    return 0;
}

/* ---- */

static int poll_run(Poll *poll, cJSON *answer, Error *error)
{
    const cJSON *mark = json_member(poll->ask, "mark");
    MySql *source = poll->source;
    LogPosition end = poll->state.end;
    int rewound = 0;

    if (follow_tables(&source->follow, poll->ask, poll->state.fold, error) < 0)
        return -1;
    source->follow->ddl = cJSON_AddArrayToObject(answer, "ddl");
    source->follow->shapes = cJSON_AddArrayToObject(answer, "shapes");
    if (mark && json_member(poll->ask, "position"))
        rewound = log_state_rewound(&source->session, &poll->state, mark, poll->rewound, sizeof poll->rewound, error);
    if (rewound < 0)
        return -1;
    if (rewound > 0) {
        stream_close(source);
        if (follow_xa_read(source->follow, NULL, error) < 0 || stream_begin(poll, error) < 0)
            return -1;
    } else if (stream_open(poll, error) < 0) {
        return -1;
    }
    if (poll_scan(poll, error) < 0 || poll_answer(poll, end, answer, error) < 0)
        return -1;
    return answer_quiet(poll, answer, error);
}

int mysql_source_poll(Source *base, const cJSON *ask, cJSON **answer, Error *error)
{
    Poll poll = {.source = (MySql *)base, .ask = ask};
    cJSON *made = cJSON_CreateObject();
    int status;

    if (!made)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a poll");
    status = log_state_read(&poll.source->session, &poll.state, error);
    /* What changes while the log is off is nowhere: not a fault that is mended by switching it on again. */
    if (status < 0 && strcmp(error->code, LOG_OFF_CODE) == 0 && json_member(ask, "position"))
        error->kind = ERROR_LOST;
    if (status == 0) {
        status = poll_run(&poll, made, error);
        log_state_free(&poll.state);
    }
    if (poll.source->follow)
        poll.source->follow->ddl = poll.source->follow->shapes = NULL;
    if (status < 0) {
        /* What was scanned is not told: it is read again. */
        stream_close(poll.source);
        cJSON_Delete(made);
        return -1;
    }
    *answer = made;
    return 0;
}
