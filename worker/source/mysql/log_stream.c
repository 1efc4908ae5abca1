/* log_stream.c - see log_stream.h */
#include "source/mysql/log_stream.h"

#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

#define STREAM_WAIT_MS 1000
#define AHEAD_BYTES MIB(16) /* of log that a stream reads on through rather than being opened again */

/* A group that was prepared: where it begins. */
typedef struct Prepared {
    char *xid;
    LogPosition begin;
} Prepared;

/* A group that is read again, now that its rows count. */
typedef struct Again {
    Binlog *binlog; /* NULL = none */
    bool moved;     /* its rows stand at `at`, else where they are */
    LogPosition at;
    int64_t commit_us;
    uint64_t events;
} Again;

struct LogStream {
    MySql *source;
    Binlog *binlog;
    bool reused;     /* opened for an earlier range and not heard of since */
    LogRange range;
    Again again;
    Prepared *prepared;
    int count, capacity;
    int64_t heard_ms; /* when the server last sent something new */
};

int log_range_of(const cJSON *batch, LogRange *ret, Error *error)
{
    *ret = (LogRange){.mark = json_member(batch, "mark")};
    /* resync_source has left the log that this batch is of: what stands in the bucket of it may be committed, nothing more can be read. */
    if (!ret->mark)
        return error_set(error, ERROR_LOST, NULL, "the log that batch %lld is of is not followed any more", (long long)json_integer(batch, "batch_id", 0));
    if (log_position_parse(json_text(batch, "from", ""), &ret->from) < 0 || log_position_parse(json_text(batch, "to", ""), &ret->to) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "batch %lld lacks a range of the log", (long long)json_integer(batch, "batch_id", 0));
    return 0;
}

static Prepared *prepared_find(LogStream *stream, const char *xid, size_t length)
{
    for (int i = 0; i < stream->count; i++) {
        if (strlen(stream->prepared[i].xid) == length && memcmp(stream->prepared[i].xid, xid, length) == 0)
            return &stream->prepared[i];
    }
    return NULL;
}

static int prepared_add(LogStream *stream, const char *xid, size_t length, LogPosition begin, Error *error)
{
    Prepared *known = prepared_find(stream, xid, length);

    if (known) {
        known->begin = begin;
        return 0;
    }
    if (stream->count == LOG_XA_MAX)
        return error_set(error, ERROR_PERMANENT, "XA RECOVER lists them: commit or roll back those that nobody will.",
                         "more than %d XA transactions of %s are prepared and not ended", LOG_XA_MAX, stream->source->session.target);
    if (stream->count == stream->capacity) {
        int capacity = stream->capacity ? 2 * stream->capacity : 8;
        Prepared *grown = realloc(stream->prepared, (size_t)capacity * sizeof *grown);

        if (!grown)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %d XA transactions", capacity);
        stream->prepared = grown;
        stream->capacity = capacity;
    }
    stream->prepared[stream->count].xid = strndup(xid, length);
    if (!stream->prepared[stream->count].xid)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for an XA transaction");
    stream->prepared[stream->count++].begin = begin;
    return 0;
}

static void prepared_remove(LogStream *stream, Prepared *gone)
{
    free(gone->xid);
    *gone = stream->prepared[--stream->count];
}

static void stream_shut(LogStream *stream)
{
    binlog_close(stream->binlog);
    binlog_close(stream->again.binlog);
    stream->binlog = stream->again.binlog = NULL;
    while (stream->count)
        prepared_remove(stream, &stream->prepared[stream->count - 1]);
}

void log_stream_close(LogStream *stream)
{
    if (!stream)
        return;
    stream_shut(stream);
    free(stream->prepared);
    free(stream);
}

static int mark_position(const cJSON *mark, LogPosition *ret, Error *error)
{
    const char *file = json_text(mark, "file", "");

    ret->offset = (uint64_t)json_integer(mark, "offset", 0);
    if (log_file_number(file, &ret->file) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a mark names the file \"%.100s\"", file);
    return 0;
}

static int other_server(const LogStream *stream, const char *found, const char *wanted, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, "The next poll says what became of it; the name of the host must lead to one and the same server.",
                     "%s is not the server, or has not the history, that was polled: it says %.150s where %.150s was known", stream->source->session.target,
                     found, wanted);
}

/* MariaDB can be asked for the set at a place of its log. Both texts name the same set where they are the same in canonical form. */
static int history_mariadb(LogStream *stream, const cJSON *mark, const char *known, Error *error)
{
    Session *session = &stream->source->session;
    const char *file = json_text(mark, "file", "");
    GtidSet *sets[2] = {NULL, NULL};
    Buffer text[2], statement;
    char *found = NULL;
    int status = -1;

    buffer_init(&statement, KIB(4));
    buffer_init(&text[0], SMALL_OBJECT_MAX);
    buffer_init(&text[1], SMALL_OBJECT_MAX);
    if (buffer_text(&statement, "SELECT BINLOG_GTID_POS(", error) < 0 || session_quote(&statement, file, strlen(file), error) < 0 ||
        buffer_format(&statement, error, ", %lld)", (long long)json_integer(mark, "offset", 0)) < 0 || buffer_terminate(&statement, error) < 0 ||
        session_value(session, statement.data, &found, error) < 0)
        goto done;
    /* NULL: no such file. Whether it was purged is what the stream will say. */
    status = 0;
    if (!found)
        goto done;
    status = -1;
    if (gtid_parse(true, found, &sets[0], error) < 0 || gtid_parse(true, known, &sets[1], error) < 0 || gtid_text(sets[0], &text[0], error) < 0 ||
        gtid_text(sets[1], &text[1], error) < 0)
        goto done;
    status = text[0].length == text[1].length && (!text[0].length || memcmp(text[0].data, text[1].data, text[0].length) == 0)
                 ? 0
                 : other_server(stream, found, known, error);
done:
    free(found);
    gtid_free(sets[0]);
    gtid_free(sets[1]);
    buffer_free(&statement);
    buffer_free(&text[0]);
    buffer_free(&text[1]);
    return status;
}

static int history_mysql(LogStream *stream, const char *known, Error *error)
{
    Buffer statement;
    char *found = NULL;
    int status = -1;

    buffer_init(&statement, SMALL_OBJECT_MAX);
    if (buffer_text(&statement, "SELECT GTID_SUBSET(", error) == 0 && session_quote(&statement, known, strlen(known), error) == 0 &&
        buffer_text(&statement, ", @@global.gtid_executed)", error) == 0 && buffer_terminate(&statement, error) == 0)
        status = session_value(&stream->source->session, statement.data, &found, error);
    if (status == 0 && (!found || strcmp(found, "1") != 0))
        status = other_server(stream, "less", known, error);
    free(found);
    buffer_free(&statement);
    return status;
}

/* A file and an offset mean something on one server and in one history only: are these the ones that the poll took them from? */
static int server_check(LogStream *stream, const cJSON *mark, Error *error)
{
    const bool mariadb = stream->source->session.mariadb;
    const char *server = json_text(mark, "server", ""), *gtid = json_text(mark, "gtid", "");
    char *found = NULL;
    int status;

    if (*server) {
        if (session_value(&stream->source->session, mariadb ? "SELECT @@global.server_id" : "SELECT @@global.server_uuid", &found, error) < 0)
            return -1;
        status = found && strcmp(found, server) == 0 ? 0 : other_server(stream, found ? found : "nothing", server, error);
        free(found);
        if (status < 0)
            return -1;
    }
    /* A file whose own time is known proves itself when it is opened; MariaDB would read it up to the place to tell the set. */
    if (!*gtid || (mariadb && json_integer(mark, "created", 0)))
        return 0;
    return mariadb ? history_mariadb(stream, mark, gtid, error) : history_mysql(stream, gtid, error);
}

/* RESET MASTER, or a restore, may have put another file in the place of the one that the mark is of. */
static int file_check(LogStream *stream, const cJSON *mark, Error *error)
{
    const int64_t known = json_integer(mark, "created", 0), found = binlog_created(stream->binlog);

    if (!known || !found || known == found)
        return 0;
    return error_set(error, ERROR_TRANSIENT, "The next poll says what became of it.", "%.200s of %s is another file than the one that was polled",
                     json_text(mark, "file", ""), stream->source->session.target);
}

/* A login or a stream that the server refuses is to be mended there, as the poll says too: no table is at fault, and none has to be resumed. */
static int stream_connect(LogStream *stream, const BinlogStart *start, Binlog **ret, Error *error)
{
    MySql *source = stream->source;

    if (binlog_open(&source->options, source->password, source->beat, start, STREAM_WAIT_MS, ret, error) == 0)
        return 0;
    if (error->kind == ERROR_PERMANENT)
        error->kind = ERROR_TRANSIENT;
    return -1;
}

static int stream_open(LogStream *stream, Error *error)
{
    const cJSON *mark = stream->range.mark, *one;
    BinlogStart start = {.file = json_text(mark, "file", ""), .offset = (uint64_t)json_integer(mark, "offset", 0), .gtid = json_text(mark, "gtid", NULL)};

    stream_shut(stream);
    if (server_check(stream, mark, error) < 0)
        return -1;
    cJSON_ArrayForEach(one, json_member(mark, "xa")) {
        const char *xid = json_text(one, "xid", "");
        LogPosition begin;

        if (mark_position(one, &begin, error) < 0 || prepared_add(stream, xid, strlen(xid), begin, error) < 0)
            return -1;
    }
    stream->reused = false;
    stream->heard_ms = clock_monotonic_ms();
    if (stream_connect(stream, &start, &stream->binlog, error) < 0)
        return -1;
    if (file_check(stream, mark, error) == 0)
        return 0;
    stream_shut(stream);
    return -1;
}

/* Does reading on from where the stream stands lead to the range, without much that nobody wants on the way? */
static bool stream_serves(const LogStream *stream, LogPosition mark)
{
    LogPosition at;

    if (!stream->binlog || stream->again.binlog || binlog_in_group(stream->binlog))
        return false;
    at = binlog_position(stream->binlog);
    if (log_position_compare(at, stream->range.from) > 0)
        return false;
    return log_position_compare(at, mark) >= 0 || (at.file == mark.file && mark.offset - at.offset <= AHEAD_BYTES);
}

int log_stream_begin(MySql *source, const LogRange *range, Error *error)
{
    LogStream *stream = source->stream;
    LogPosition mark;

    if (mark_position(range->mark, &mark, error) < 0)
        return -1;
    if (log_position_compare(mark, range->from) > 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the mark of a range stands above its beginning");
    if (!stream) {
        stream = calloc(1, sizeof *stream);
        if (!stream)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a stream of the log");
        stream->source = source;
        source->stream = stream;
    }
    stream->range = *range;
    if (stream_serves(stream, mark)) {
        stream->reused = true;
        stream->heard_ms = clock_monotonic_ms();
        return 0;
    }
    return stream_open(stream, error);
}

static int again_open(LogStream *stream, LogPosition begin, Error *error)
{
    char file[LOG_FILE_NAME_MAX];
    BinlogStart start = {.file = file, .offset = begin.offset};

    if (log_file_name(json_text(stream->range.mark, "file", ""), begin.file, file) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "file %u of the log has no name", begin.file);
    stream->again.events = 0;
    return stream_connect(stream, &start, &stream->again.binlog, error);
}

static int quiet(LogStream *stream, LogPosition at, LogPosition wanted, Error *error)
{
    char have[LOG_POSITION_TEXT], want[LOG_POSITION_TEXT];

    if (clock_monotonic_ms() - stream->heard_ms < LOG_QUIET_MS)
        return 0;
    log_position_text(at, have);
    log_position_text(wanted, want);
    return error_set(error, ERROR_TRANSIENT, "The next poll says what became of it.", "the log of %s ends at %s, although a poll has seen it up to %s",
                     stream->source->session.target, have, want);
}

/* The next item of the group that is read again; 0 = it is at its end. */
static int again_next(LogStream *stream, LogItem *ret, Error *error)
{
    Again *again = &stream->again;
    const BinlogItem *item;

    for (;;) {
        if (binlog_next(again->binlog, &item, error) < 0)
            return -1;
        if (item->type == BINLOG_IDLE) {
            if (quiet(stream, binlog_position(again->binlog), again->at, error) < 0)
                return -1;
            continue;
        }
        stream->heard_ms = clock_monotonic_ms();
        switch (item->type) {
        case BINLOG_TABLE_MAP:
        case BINLOG_ROWS:
            again->events += item->type == BINLOG_ROWS;
            *ret = (LogItem){.type = item->type == BINLOG_ROWS ? LOG_ROWS : LOG_MAP, .code = item->code, .data = item->data, .length = item->length,
                             .at = again->moved ? again->at : item->end, .inner = again->moved ? again->events : item->inner,
                             .commit_us = again->moved ? again->commit_us : item->commit_us};
            return 1;
        case BINLOG_SAVEPOINT:
            *ret = (LogItem){.type = LOG_UNDONE};
            return 1;
        case BINLOG_COMMIT:
        case BINLOG_PREPARE:
        case BINLOG_ROLLBACK:
        case BINLOG_XA_COMMIT:
        case BINLOG_XA_ROLLBACK:
            binlog_close(again->binlog);
            again->binlog = NULL;
            return 0;
        case BINLOG_STATEMENT:
        case BINLOG_IDLE:
            break;
        }
    }
}

/* The rows of a prepared transaction count from here on. */
static int xa_commit(LogStream *stream, const BinlogItem *item, Error *error)
{
    Prepared *known = prepared_find(stream, (const char *)item->data, item->length);
    LogPosition begin;

    if (log_position_compare(item->end, stream->range.from) <= 0) {
        if (known)
            prepared_remove(stream, known);
        return 0;
    }
    if (!known)
        return error_set(error, ERROR_PERMANENT, "SELECT sluice.resync_table(...) loads the table again.",
                         "the XA transaction %.*s of %s was prepared before the log was followed: what it changed is not known", (int)item->length,
                         (const char *)item->data, stream->source->session.target);
    begin = known->begin;
    prepared_remove(stream, known);
    stream->again = (Again){.moved = true, .at = item->end, .commit_us = item->commit_us};
    return again_open(stream, begin, error);
}

/* An item of a group's rows: 1 = given, 0 = not wanted here. */
static int stream_rows(const LogStream *stream, const BinlogItem *item, LogItem *ret)
{
    if (item->xa || log_position_compare(item->end, stream->range.from) <= 0)
        return 0;
    *ret = (LogItem){.type = item->type == BINLOG_ROWS ? LOG_ROWS : LOG_MAP, .code = item->code, .at = item->end, .inner = item->inner,
                     .commit_us = item->commit_us, .data = item->data, .length = item->length};
    return 1;
}

static int stream_item(LogStream *stream, const BinlogItem *item, LogItem *ret, Error *error)
{
    Prepared *known;

    switch (item->type) {
    case BINLOG_TABLE_MAP:
    case BINLOG_ROWS:
        return stream_rows(stream, item, ret);
    case BINLOG_SAVEPOINT:
    case BINLOG_ROLLBACK:
        ret->type = LOG_UNDONE;
        return !item->xa && log_position_compare(item->end, stream->range.from) > 0;
    case BINLOG_COMMIT:
        ret->type = LOG_GROUP_END;
        if (item->xa && log_position_compare(item->end, stream->range.from) > 0) {
            stream->again = (Again){.at = item->end};
            return again_open(stream, item->begin, error);
        }
        return 1;
    case BINLOG_PREPARE:
        return prepared_add(stream, (const char *)item->data, item->length, item->begin, error);
    case BINLOG_XA_COMMIT:
        return xa_commit(stream, item, error);
    case BINLOG_XA_ROLLBACK:
        known = prepared_find(stream, (const char *)item->data, item->length);
        if (known)
            prepared_remove(stream, known);
        return 0;
    case BINLOG_STATEMENT:
    case BINLOG_IDLE:
        break;
    }
    return 0;
}

/* A stream that was left alone for a while may have been ended by the server: that is no failure. */
static int stream_read(LogStream *stream, const BinlogItem **ret, Error *error)
{
    int status = binlog_next(stream->binlog, ret, error);

    if (status < 0 && stream->reused && error->kind == ERROR_TRANSIENT) {
        if (stream_open(stream, error) < 0)
            return -1;
        status = binlog_next(stream->binlog, ret, error);
    }
    stream->reused = false;
    return status;
}

int log_stream_next(LogStream *stream, LogItem *ret, Error *error)
{
    const LogPosition to = stream->range.to;
    const BinlogItem *item;
    int status;

    for (;;) {
        if (stream->again.binlog) {
            status = again_next(stream, ret, error);
            if (status)
                return status;
            ret->type = LOG_GROUP_END;
            return 1;
        }
        if (!binlog_in_group(stream->binlog) && log_position_compare(binlog_position(stream->binlog), to) >= 0)
            return 0;
        if (stream_read(stream, &item, error) < 0)
            return -1;
        if (item->type == BINLOG_IDLE) {
            if (quiet(stream, binlog_position(stream->binlog), to, error) < 0)
                return -1;
            continue;
        }
        if (log_position_compare(item->begin, to) >= 0)
            return 0;
        if (log_position_compare(item->end, to) > 0)
            return other_server(stream, "a transaction that ends elsewhere", "the end of one", error);
        stream->heard_ms = clock_monotonic_ms();
        status = stream_item(stream, item, ret, error);
        if (status)
            return status;
    }
}
