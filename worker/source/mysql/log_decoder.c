/* log_decoder.c - see log_decoder.h */
#include "source/mysql/log_decoder.h"
#include "source/mysql/bytes.h"
#include "source/mysql/log_group.h"
#include "source/mysql/log_payload.h"
#include "source/mysql/log_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_V1_POST_HEADER 8
#define ROWS_POST_HEADER 10
#define TABLE_MAP_POST_HEADER 8

struct LogDecoder {
    bool mariadb, gtids;
    LogFormat format;
    char file[LOG_FILE_NAME_MAX]; /* the events' that come, "" before the first */
    LogPosition at;               /* behind the last event */
    bool from_begin;              /* the file has been read from its begin */
    uint64_t skip_to;             /* groups of this file up to here are passed over */
    LogPosition position;         /* behind the last group and what belongs to none */
    char position_file[LOG_FILE_NAME_MAX];
    GtidSet *set;
    bool counted; /* `set` is what has been up to `position` */
    bool heartbeat, settled;

    bool in_group;
    uint32_t created; /* the format description's time, 0: of this file none came yet */
    bool opened;      /* its BEGIN has come, or (MariaDB) it will have a commit: a statement does not end it */
    LogPosition begin;
    LogGroup group;

    BinlogItem item;
    bool item_due, commit_due;
    LogQuery query;
    char xid[LOG_XID_TEXT];
    LogPayload *payload;
    uint64_t inner;
    Buffer inflated; /* of the event in hand */
};

int log_decoder_open(const LogDecoderStart *start, LogDecoder **ret, Error *error)
{
    LogDecoder *decoder = calloc(1, sizeof *decoder);

    if (!decoder)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a log");
    decoder->mariadb = start->mariadb;
    decoder->gtids = start->gtids;
    buffer_init(&decoder->inflated, LOG_INFLATED_MAX);
    if (gtid_parse(start->mariadb, start->gtid ? start->gtid : "", &decoder->set, error) < 0)
        goto fail;
    decoder->counted = start->gtid != NULL;
    decoder->settled = start->file || !start->gtid;
    if (start->file) {
        if (log_file_number(start->file, &decoder->at.file) < 0 || strlen(start->file) >= sizeof decoder->file) {
            error_set(error, ERROR_INTERNAL, NULL, "\"%.100s\" is no name of a log file", start->file);
            goto fail;
        }
        snprintf(decoder->file, sizeof decoder->file, "%s", start->file);
        snprintf(decoder->position_file, sizeof decoder->position_file, "%s", start->file);
        decoder->at.offset = start->offset;
        decoder->position = decoder->at;
        if (start->seek) {
            decoder->skip_to = start->offset;
            decoder->at.offset = LOG_FILE_BEGIN;
        }
    }
    *ret = decoder;
    return 0;
fail:
    log_decoder_close(decoder);
    return -1;
}

void log_decoder_close(LogDecoder *decoder)
{
    if (!decoder)
        return;
    log_payload_close(decoder->payload);
    gtid_free(decoder->set);
    buffer_free(&decoder->inflated);
    free(decoder);
}

bool log_decoder_begun(const LogDecoder *decoder)
{
    return decoder->format.known;
}

bool log_decoder_settled(const LogDecoder *decoder)
{
    return decoder->settled;
}

bool log_decoder_heartbeat(const LogDecoder *decoder)
{
    return decoder->heartbeat;
}

int log_decoder_torn(const LogDecoder *decoder, uint32_t *ret)
{
    return log_file_number(decoder->file, ret);
}

LogPosition log_decoder_position(const LogDecoder *decoder)
{
    return decoder->position;
}

const char *log_decoder_file(const LogDecoder *decoder)
{
    return decoder->position_file;
}

const GtidSet *log_decoder_gtid(const LogDecoder *decoder)
{
    return decoder->gtids && decoder->counted ? decoder->set : NULL;
}

uint32_t log_decoder_created(const LogDecoder *decoder)
{
    return decoder->created;
}

bool log_decoder_in_group(const LogDecoder *decoder)
{
    /* Behind a DDL or the end of a prepared transaction its COMMIT is still to be given. */
    return decoder->in_group || decoder->commit_due;
}

static void position_settle(LogDecoder *decoder)
{
    if (decoder->position.file != decoder->at.file || !*decoder->position_file)
        snprintf(decoder->position_file, sizeof decoder->position_file, "%s", decoder->file);
    decoder->position = decoder->at;
}

static void item_set(LogDecoder *decoder, BinlogType type, uint8_t code, const void *data, size_t length)
{
    decoder->item = (BinlogItem){.type = type,
                                 .code = code,
                                 .begin = decoder->begin,
                                 .end = decoder->at,
                                 .inner = decoder->inner,
                                 .xa = decoder->group.prepared,
                                 .commit_us = decoder->group.commit_us,
                                 .data = data,
                                 .length = length,
                                 .database = decoder->query.database};
    decoder->item_due = true;
}

static void group_begin(LogDecoder *decoder, LogPosition begin)
{
    decoder->in_group = true;
    decoder->settled = true;
    decoder->opened = false;
    decoder->begin = begin;
}

/* A group that no GTID announced: older servers, and MySQL before 5.6. */
static void group_begin_bare(LogDecoder *decoder, const LogEvent *event, LogPosition begin)
{
    if (decoder->in_group)
        return;
    decoder->group = (LogGroup){.commit_us = event->timestamp ? event->timestamp * INT64_C(1000000) : INT64_MIN};
    group_begin(decoder, begin);
}

static int group_end(LogDecoder *decoder, Error *error)
{
    const LogGroup *group = &decoder->group;

    decoder->in_group = false;
    position_settle(decoder);
    if (!group->numbered)
        decoder->counted = false; /* the set no longer says what has been */
    else if (decoder->counted && decoder->mariadb)
        return gtid_add_mariadb(decoder->set, group->domain, group->server, group->number, error);
    else if (decoder->counted)
        return gtid_add_mysql(decoder->set, group->uuid, group->tag, group->number, error);
    return 0;
}

/* The item that ends the group; `data` is the xid of PREPARE. */
static int group_end_item(LogDecoder *decoder, BinlogType type, const char *xid, Error *error)
{
    if (group_end(decoder, error) < 0)
        return -1;
    item_set(decoder, type, 0, xid, xid ? strlen(xid) : 0);
    return 0;
}

static int on_gtid(LogDecoder *decoder, const LogEvent *event, LogPosition begin, Error *error)
{
    if (decoder->in_group)
        return error_set(error, ERROR_INTERNAL, NULL, "a group of the log begins before the one before has ended");
    if (log_group_parse(event, &decoder->group, error) < 0)
        return -1;
    group_begin(decoder, begin);
    decoder->opened = decoder->mariadb && !decoder->group.standalone && !decoder->group.completed;
    return 0;
}

static int on_statement(LogDecoder *decoder, Error *error)
{
    item_set(decoder, BINLOG_STATEMENT, 0, decoder->query.text, decoder->query.length);
    if (decoder->group.quiet)
        decoder->item_due = false;
    if (decoder->opened)
        return 0;
    decoder->commit_due = true;
    return group_end(decoder, error);
}

static int on_xa_end(LogDecoder *decoder, BinlogType type, Error *error)
{
    snprintf(decoder->xid, sizeof decoder->xid, "%s", decoder->query.xid);
    decoder->commit_due = true;
    if (group_end(decoder, error) < 0)
        return -1;
    item_set(decoder, type, 0, decoder->xid, strlen(decoder->xid));
    return 0;
}

static int on_query(LogDecoder *decoder, const LogEvent *event, LogPosition begin, Error *error)
{
    LogQuery *query = &decoder->query;

    if (log_query_parse(&decoder->format, event, query, error) < 0)
        return -1;
    if (event->type == LOG_MARIADB_QUERY_COMPRESSED) {
        if (log_inflate(query->text, query->length, &decoder->inflated, error) < 0)
            return -1;
        query->text = (const uint8_t *)decoder->inflated.data;
        query->length = decoder->inflated.length;
    }
    group_begin_bare(decoder, event, begin);
    log_query_classify(query);
    switch (query->type) {
    case QUERY_XA_START:
        decoder->group.prepared = true;
        decoder->opened = true;
        return 0;
    case QUERY_BEGIN:
        decoder->opened = true;
        return 0;
    case QUERY_SAVEPOINT:
    case QUERY_XA_END:
        return 0;
    case QUERY_COMMIT:
    case QUERY_XA_COMMIT_ONE_PHASE:
        return group_end_item(decoder, BINLOG_COMMIT, NULL, error);
    case QUERY_ROLLBACK:
        return group_end_item(decoder, BINLOG_ROLLBACK, NULL, error);
    case QUERY_ROLLBACK_TO:
        item_set(decoder, BINLOG_SAVEPOINT, 0, NULL, 0);
        return 0;
    case QUERY_XA_PREPARE:
        snprintf(decoder->xid, sizeof decoder->xid, "%s", query->xid);
        return group_end_item(decoder, BINLOG_PREPARE, decoder->xid, error);
    case QUERY_XA_COMMIT:
        return on_xa_end(decoder, BINLOG_XA_COMMIT, error);
    case QUERY_XA_ROLLBACK:
        return on_xa_end(decoder, BINLOG_XA_ROLLBACK, error);
    default:
        return on_statement(decoder, error);
    }
}

/* XA_PREPARE_LOG_EVENT: one phase (which is a commit), format, two lengths, the two parts. */
static int on_prepare(LogDecoder *decoder, const LogEvent *event, Error *error)
{
    Bytes bytes = bytes_of(event->body, event->length);
    bool one_phase = bytes_number(&bytes, 1) != 0;
    uint32_t format = (uint32_t)bytes_number(&bytes, 4);
    size_t gtrid = bytes_number(&bytes, 4), bqual = bytes_number(&bytes, 4);
    const uint8_t *data = bytes_take(&bytes, gtrid + bqual);

    if (!data || log_xid_text(format, data, gtrid, bqual, decoder->xid) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the name of an XA transaction in the log is malformed");
    return one_phase ? group_end_item(decoder, BINLOG_COMMIT, NULL, error)
                     : group_end_item(decoder, BINLOG_PREPARE, decoder->xid, error);
}

/* MariaDB compresses the rows, not the table's number, the columns' count and their bitmaps before them. */
static int rows_inflate(LogDecoder *decoder, const LogEvent *event, uint8_t code, const uint8_t **data, size_t *length,
                        Error *error)
{
    Bytes bytes = bytes_of(event->body, event->length);
    bool v1 = event->type <= LOG_MARIADB_DELETE_V1_COMPRESSED;
    size_t extra = 0, columns, plain;

    bytes_take(&bytes, ROWS_V1_POST_HEADER);
    if (!v1)
        extra = bytes_number(&bytes, 2);
    if (extra > 2)
        bytes_take(&bytes, extra - 2);
    columns = bytes_packed(&bytes);
    bytes_take(&bytes, columns / 8 + (columns % 8 != 0));
    if (code == 24 || code == 31)
        bytes_take(&bytes, columns / 8 + (columns % 8 != 0));
    if (bytes.short_of)
        return error_set(error, ERROR_INTERNAL, NULL, "a compressed rows event of the log ends too early");
    plain = (size_t)(bytes.at - event->body);
    if (buffer_append(&decoder->inflated, event->body, plain, error) < 0 ||
        log_inflate(bytes.at, bytes_left(&bytes), &decoder->inflated, error) < 0)
        return -1;
    *data = (const uint8_t *)decoder->inflated.data;
    *length = decoder->inflated.length;
    return 0;
}

static int on_rows(LogDecoder *decoder, const LogEvent *event, LogPosition begin, Error *error)
{
    const uint8_t *data = event->body;
    size_t length = event->length;
    uint8_t code = event->type, wanted = TABLE_MAP_POST_HEADER;

    if (event->type >= LOG_MARIADB_WRITE_V1_COMPRESSED) {
        code = event->type <= LOG_MARIADB_DELETE_V1_COMPRESSED
                   ? (uint8_t)(event->type - LOG_MARIADB_WRITE_V1_COMPRESSED + LOG_WRITE_ROWS_V1)
                   : (uint8_t)(event->type - LOG_MARIADB_WRITE_COMPRESSED + LOG_WRITE_ROWS);
        if (rows_inflate(decoder, event, code, &data, &length, error) < 0)
            return -1;
    }
    if (code != LOG_TABLE_MAP)
        wanted = code <= LOG_DELETE_ROWS_V1 ? ROWS_V1_POST_HEADER : ROWS_POST_HEADER;
    if (decoder->format.post_header[event->type] != wanted || length < wanted)
        return error_set(error, ERROR_PERMANENT, NULL, "the log's events of type %u have a header of %u bytes",
                         event->type, decoder->format.post_header[event->type]);
    group_begin_bare(decoder, event, begin);
    item_set(decoder, code == LOG_TABLE_MAP ? BINLOG_TABLE_MAP : BINLOG_ROWS, code == LOG_TABLE_MAP ? 0 : code, data,
             length);
    return 0;
}

static int on_incident(const LogEvent *event, Error *error)
{
    size_t length = event->length > 3 ? event->body[2] : 0;

    if (length > event->length - (event->length > 3 ? 3 : event->length))
        length = 0;
    return error_set(
        error, ERROR_PERMANENT, "Events may be missing from the server's log: sluice.resync_source loads anew.",
        "the server wrote an incident into its log: %.*s", (int)length, length ? (const char *)event->body + 3 : "");
}

/* The next file, and where in it. A group left in mid-file is one whose server crashed: it was never committed. */
static int on_rotate(LogDecoder *decoder, const LogEvent *event, Error *error)
{
    Bytes bytes = bytes_of(event->body, event->length);
    uint64_t offset = bytes_number(&bytes, 8);
    size_t length = bytes_left(&bytes);
    char name[LOG_FILE_NAME_MAX];
    uint32_t number;
    bool same;

    if (bytes.short_of || length == 0 || length >= sizeof name || offset >= UINT64_C(1) << 48)
        return error_set(error, ERROR_INTERNAL, NULL, "a rotation of the log is malformed");
    memcpy(name, bytes.at, length);
    name[length] = 0;
    if (log_file_number(name, &number) < 0)
        return error_set(error, ERROR_PERMANENT, NULL, "the log's file \"%.100s\" has no number", name);
    same = strcmp(name, decoder->file) == 0;
    if (same && decoder->format.known)
        return 0; /* the artificial one behind a real one */
    if (decoder->in_group && !same) {
        decoder->in_group = false;
        item_set(decoder, BINLOG_ROLLBACK, 0, NULL, 0);
    }
    if (!same)
        decoder->created = 0;
    snprintf(decoder->file, sizeof decoder->file, "%s", name);
    decoder->at = (LogPosition){.file = number, .offset = offset};
    decoder->from_begin = offset == LOG_FILE_BEGIN && decoder->skip_to == 0;
    if (!same)
        decoder->skip_to = 0;
    if (decoder->skip_to == 0)
        position_settle(decoder);
    return 0;
}

/* The set of all files before this one: what has been, if nothing of the file was read yet. */
static int on_previous(LogDecoder *decoder, const LogEvent *event, Error *error)
{
    if (decoder->counted || !decoder->from_begin || event->flags & LOG_EVENT_ARTIFICIAL)
        return 0;
    gtid_clear(decoder->set);
    if (gtid_decode(decoder->set, event->body, event->length, error) < 0)
        return -1;
    decoder->counted = true;
    return 0;
}

static int on_other(const LogEvent *event, Error *error)
{
    if (event->flags & LOG_EVENT_IGNORABLE)
        return 0;
    if (event->type == LOG_PARTIAL_UPDATE)
        return error_set(error, ERROR_PERMANENT,
                         "SET PERSIST binlog_row_value_options = '' on the server, then sluice.resync_source.",
                         "the log holds parts of JSON values (binlog_row_value_options = PARTIAL_JSON)");
    return error_set(error, ERROR_PERMANENT, "A newer sluice may know it.",
                     "the log holds an event of the unknown type %u", event->type);
}

static int decode_event(LogDecoder *decoder, const LogEvent *event, LogPosition begin, Error *error)
{
    switch (event->type) {
    case LOG_GTID:
    case LOG_ANONYMOUS_GTID:
    case LOG_TAGGED_GTID:
    case LOG_MARIADB_GTID:
        return on_gtid(decoder, event, begin, error);
    case LOG_QUERY:
    case LOG_EXECUTE_LOAD:
    case LOG_MARIADB_QUERY_COMPRESSED:
        return on_query(decoder, event, begin, error);
    case LOG_XID:
        return group_end_item(decoder, BINLOG_COMMIT, NULL, error);
    case LOG_XA_PREPARE:
        return on_prepare(decoder, event, error);
    case LOG_PAYLOAD:
        group_begin_bare(decoder, event, begin);
        return log_payload_open(event->body, event->length, &decoder->payload, error);
    case LOG_INCIDENT:
        return on_incident(event, error);
    case LOG_STOP:
    case LOG_INTVAR:
    case LOG_APPEND_BLOCK:
    case LOG_DELETE_FILE:
    case LOG_RAND:
    case LOG_USER_VAR:
    case LOG_BEGIN_LOAD:
    case LOG_IGNORABLE:
    case LOG_ROWS_QUERY:
    case LOG_TRANSACTION_CONTEXT:
    case LOG_VIEW_CHANGE:
    case LOG_MARIADB_ANNOTATE:
    case LOG_MARIADB_CHECKPOINT:
    case LOG_MARIADB_START_ENCRYPTION:
        return 0;
    default:
        if (event->type == LOG_TABLE_MAP || (event->type >= LOG_WRITE_ROWS_V1 && event->type <= LOG_DELETE_ROWS_V1) ||
            (event->type >= LOG_WRITE_ROWS && event->type <= LOG_DELETE_ROWS) ||
            (event->type >= LOG_MARIADB_WRITE_V1_COMPRESSED && event->type <= LOG_MARIADB_DELETE_COMPRESSED))
            return on_rows(decoder, event, begin, error);
        return on_other(event, error);
    }
}

/* Moves on by an event. log_pos has the lower 32 bits of its end; where groups were left out before it, it lies further
 * on. */
static LogPosition event_place(LogDecoder *decoder, const LogEvent *event)
{
    LogPosition begin = decoder->at;

    if (event->log_pos == 0 || event->flags & LOG_EVENT_ARTIFICIAL)
        return begin;
    decoder->at.offset += event->size;
    decoder->at.offset += (uint32_t)(event->log_pos - (uint32_t)decoder->at.offset);
    begin.offset = decoder->at.offset - event->size;
    return begin;
}

/* At the end of the log, or on the way past groups that we have: where the server is. */
static void on_heartbeat(LogDecoder *decoder, const LogEvent *event)
{
    decoder->heartbeat = true;
    decoder->settled = true;
    if (decoder->in_group || event->type != LOG_HEARTBEAT || event->log_pos == 0 || decoder->skip_to)
        return;
    decoder->at.offset += (uint32_t)(event->log_pos - (uint32_t)decoder->at.offset);
    position_settle(decoder);
}

int log_decoder_feed(LogDecoder *decoder, const uint8_t *data, size_t length, Error *error)
{
    LogEvent event;
    LogPosition begin;

    decoder->heartbeat = false;
    decoder->inner = 0;
    if (log_event_parse(&decoder->format, data, length, &event, error) < 0)
        return -1;
    if (event.type == LOG_HEARTBEAT || event.type == LOG_HEARTBEAT_V2) {
        on_heartbeat(decoder, &event);
        return 0;
    }
    buffer_clear(&decoder->inflated);
    begin = event_place(decoder, &event);
    if (event.type == LOG_ROTATE)
        return on_rotate(decoder, &event, error);
    if (event.type == LOG_PREVIOUS_GTIDS || event.type == LOG_MARIADB_GTID_LIST) {
        if (on_previous(decoder, &event, error) < 0)
            return -1;
    } else if (event.type == LOG_FORMAT) {
        decoder->created = event.timestamp;
    } else if (decoder->at.offset > decoder->skip_to) {
        decoder->skip_to = 0;
        if (decode_event(decoder, &event, begin, error) < 0)
            return -1;
    }
    if (!decoder->in_group && decoder->skip_to == 0)
        position_settle(decoder);
    return 0;
}

static int payload_step(LogDecoder *decoder, Error *error)
{
    const uint8_t *data;
    size_t length;
    LogEvent event;
    int found = log_payload_next(decoder->payload, &data, &length, error);

    if (found < 0)
        return -1;
    if (found == 0) {
        log_payload_close(decoder->payload);
        decoder->payload = NULL;
        decoder->inner = 0;
        return 0;
    }
    decoder->inner++;
    buffer_clear(&decoder->inflated);
    if (log_event_parse_inner(data, length, &event, error) < 0)
        return -1;
    if (event.type == LOG_PAYLOAD || event.type == LOG_GTID || event.type == LOG_TAGGED_GTID ||
        event.type == LOG_ANONYMOUS_GTID)
        return error_set(error, ERROR_INTERNAL, NULL, "a transaction payload of the log holds an event of type %u",
                         event.type);
    return decode_event(decoder, &event, decoder->begin, error);
}

int log_decoder_next(LogDecoder *decoder, const BinlogItem **ret, Error *error)
{
    for (;;) {
        if (decoder->item_due) {
            decoder->item_due = false;
            *ret = &decoder->item;
            return 0;
        }
        if (decoder->commit_due) {
            decoder->commit_due = false;
            item_set(decoder, BINLOG_COMMIT, 0, NULL, 0);
            continue;
        }
        if (!decoder->payload) {
            *ret = NULL;
            return 0;
        }
        if (payload_step(decoder, error) < 0)
            return -1;
    }
}
