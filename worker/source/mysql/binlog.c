/* binlog.c - see binlog.h: the connection that streams, and how it is asked for */
#include "base/clock.h"
#include "base/limits.h"
#include "source/mysql/binlog.h"
#include "source/mysql/log_decoder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define COM_DUMP 18
#define COM_DUMP_GTID 30
#define HEARTBEAT_NS "1000000000"
#define SILENCE_MS 30000 /* a server that sends no heartbeat for so long is gone */

struct Binlog {
    Session session;
    LogDecoder *decoder;
    int wait_ms;
    bool idle_due;     /* a heartbeat came and nothing was given since */
    int64_t silent_ms; /* waited for since the last packet */
    BinlogItem idle;
};

/* No replica has a number this high by chance, and no two of us the same. */
static uint32_t server_id_draw(void)
{
    uint32_t number = 0;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint32_t)clock_monotonic_ms();
    return number | UINT32_C(0x40000000);
}

static int little(Buffer *bytes, uint64_t number, int count, Error *error)
{
    uint8_t data[8];

    for (int i = 0; i < count; i++)
        data[i] = (uint8_t)(number >> 8 * i);
    return buffer_append(bytes, data, (size_t)count, error);
}

/* MySQL client/server protocol, "COM_BINLOG_DUMP": the offset has 32 bits; a group behind them is sought by us. */
static int dump_file(Session *session, const char *file, uint64_t offset, Error *error)
{
    Buffer bytes;
    int failed;

    buffer_init(&bytes, KIB(4));
    failed = little(&bytes, offset, 4, error) < 0 || little(&bytes, 0, 2, error) < 0 ||
             little(&bytes, server_id_draw(), 4, error) < 0 || buffer_text(&bytes, file, error) < 0 ||
             session_command(session, COM_DUMP, bytes.data, bytes.length, error) < 0;
    buffer_free(&bytes);
    return failed ? -1 : 0;
}

/* "COM_BINLOG_DUMP_GTID": the server sends all that is not in the set. */
static int dump_gtid_mysql(Session *session, const char *gtid, Error *error)
{
    GtidSet *set;
    Buffer bytes, encoded;
    int failed;

    if (gtid_parse(false, gtid, &set, error) < 0)
        return -1;
    buffer_init(&bytes, MIB(64));
    buffer_init(&encoded, MIB(64));
    failed = gtid_encode(set, &encoded, error) < 0 || little(&bytes, 4, 2, error) < 0 ||
             little(&bytes, server_id_draw(), 4, error) < 0 || little(&bytes, 0, 4, error) < 0 ||
             little(&bytes, LOG_FILE_BEGIN, 8, error) < 0 || little(&bytes, encoded.length, 4, error) < 0 ||
             buffer_append(&bytes, encoded.data, encoded.length, error) < 0 ||
             session_command(session, COM_DUMP_GTID, bytes.data, bytes.length, error) < 0;
    buffer_free(&encoded);
    buffer_free(&bytes);
    gtid_free(set);
    return failed ? -1 : 0;
}

/* MariaDB takes the set as a variable and COM_BINLOG_DUMP without file (knowledge base, "COM_BINLOG_DUMP", "Global
 * Transaction ID"). */
static int dump_gtid_mariadb(Session *session, const char *gtid, Error *error)
{
    Buffer text;
    int failed;

    buffer_init(&text, MIB(4));
    failed = buffer_text(&text, "SET @slave_connect_state = ", error) < 0 ||
             session_quote(&text, gtid, strlen(gtid), error) < 0 || buffer_terminate(&text, error) < 0 ||
             session_run(session, text.data, error) < 0 ||
             session_run(session, "SET @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0", error) < 0;
    buffer_free(&text);
    return failed ? -1 : dump_file(session, "", LOG_FILE_BEGIN, error);
}

/* What a replica says of itself before it asks for the log (both servers' manuals, and MySQL's replica sources:
 * master_* became source_*). */
static int introduce(Session *session, Error *error)
{
    static const char *const mariadb = "SET @mariadb_slave_capability = 4, @master_binlog_checksum = 'CRC32', "
                                       "@master_heartbeat_period = " HEARTBEAT_NS;
    static const char *const mysql =
        "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', "
        "@master_heartbeat_period = " HEARTBEAT_NS ", @source_heartbeat_period = " HEARTBEAT_NS;

    return session_run(session, session->mariadb ? mariadb : mysql, error);
}

static int gtids_used(Session *session, bool *ret, Error *error)
{
    char *mode;

    *ret = true;
    if (session->mariadb)
        return 0;
    if (session_value(session, "SELECT @@GLOBAL.gtid_mode", &mode, error) < 0)
        return -1;
    *ret = mode && strcmp(mode, "ON") == 0;
    free(mode);
    return 0;
}

static int dump(Binlog *binlog, const BinlogStart *start, Error *error)
{
    Session *session = &binlog->session;
    LogDecoderStart begin = {
        .mariadb = session->mariadb, .gtid = start->gtid, .file = start->file, .offset = start->offset};

    begin.seek = start->file && start->offset > UINT32_MAX;
    if (introduce(session, error) < 0 || gtids_used(session, &begin.gtids, error) < 0 ||
        log_decoder_open(&begin, &binlog->decoder, error) < 0)
        return -1;
    if (start->file)
        return dump_file(session, start->file, begin.seek ? LOG_FILE_BEGIN : start->offset, error);
    if (!start->gtid)
        return dump_file(session, "", LOG_FILE_BEGIN, error);
    return session->mariadb ? dump_gtid_mariadb(session, start->gtid, error)
                            : dump_gtid_mysql(session, start->gtid, error);
}

/* A MariaDB server that crashed while it wrote a group leaves the group's begin at the end of that file, and says so to
 * each reader ever after. The group was never committed, and the log goes on in the next file; the decoder ends the
 * group as one rolled back. */
static int torn(Binlog *binlog, Error *error)
{
    Session *session = &binlog->session;
    SessionOptions options = session->options;
    Beat beat = session->beat;
    char next[LOG_FILE_NAME_MAX], *password;
    uint32_t number;
    int failed;

    if (log_decoder_torn(binlog->decoder, &number) < 0 ||
        log_file_name(log_decoder_file(binlog->decoder), number + 1, next) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "the log's file \"%.100s\" has no successor",
                         log_decoder_file(binlog->decoder));
    /* The server ends the connection with the error. */
    password = strdup(session->mysql->passwd ? session->mysql->passwd : "");
    if (!password)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a log");
    session_close(session);
    failed = session_open(session, &options, password, beat, error) < 0 || introduce(session, error) < 0 ||
             dump_file(session, next, LOG_FILE_BEGIN, error) < 0;
    explicit_bzero(password, strlen(password));
    free(password);
    return failed ? -1 : 1;
}

/* An error packet: 0xff, number, (0x23 and a state of 5,) text. */
static int refused(Binlog *binlog, const uint8_t *data, size_t length, Error *error)
{
    unsigned number = length >= 3 ? (unsigned)data[1] | (unsigned)data[2] << 8 : 0;
    size_t at = length >= 9 && data[3] == '#' ? 9 : length < 3 ? length : 3;
    char text[400];

    snprintf(text, sizeof text, "%.*s", (int)(length - at > 399 ? 399 : length - at), (const char *)data + at);
    if (number == 1236 && binlog->session.mariadb && log_decoder_in_group(binlog->decoder) &&
        strstr(text, "truncated in the middle of event"))
        return torn(binlog, error);
    return session_refused(&binlog->session, number, text, "reading the binary log", error);
}

/* 1 = an event was fed or the next file asked for, 0 = nothing came for wait_ms. */
static int receive(Binlog *binlog, int wait_ms, Error *error)
{
    const uint8_t *data;
    size_t length;
    int64_t began = clock_monotonic_ms();
    int came = session_packet(&binlog->session, wait_ms, &data, &length, error);

    if (came < 0)
        return -1;
    if (came == 0) {
        binlog->silent_ms += clock_monotonic_ms() - began;
        if (binlog->silent_ms > SILENCE_MS)
            return error_set(error, ERROR_TRANSIENT, NULL, "%s has sent nothing for %d s, no heartbeat either",
                             binlog->session.target, SILENCE_MS / 1000);
        return 0;
    }
    binlog->silent_ms = 0;
    if (length > 0 && data[0] == 0xff)
        return refused(binlog, data, length, error);
    if (length > 0 && data[0] == 0xfe && length < 9)
        return error_set(error, ERROR_TRANSIENT, NULL, "%s has ended the stream of its log", binlog->session.target);
    if (length == 0 || data[0] != 0)
        return error_set(error, ERROR_INTERNAL, NULL, "%s sent a packet of its log that begins with 0x%02x",
                         binlog->session.target, length ? data[0] : 0);
    if (log_decoder_feed(binlog->decoder, data + 1, length - 1, error) < 0)
        return error_prefix(error, "%s: %s", binlog->session.target, log_decoder_file(binlog->decoder));
    return 1;
}

/* Refusals come in the place of the first events. */
static int begin_wait(Binlog *binlog, Error *error)
{
    int64_t deadline = clock_monotonic_ms() + binlog->session.query_timeout_s * INT64_C(1000);

    while (!log_decoder_begun(binlog->decoder)) {
        int came = receive(binlog, 1000, error);

        if (came < 0)
            return -1;
        if (came == 0 && clock_monotonic_ms() > deadline)
            return error_set(error, ERROR_TRANSIENT, NULL, "%s does not begin to send its log", binlog->session.target);
    }
    return 0;
}

int binlog_open(const SessionOptions *options, const char *password, Beat beat, const BinlogStart *start, int wait_ms,
                Binlog **ret, Error *error)
{
    Binlog *binlog = calloc(1, sizeof *binlog);

    if (!binlog)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a log");
    binlog->wait_ms = wait_ms;
    if (session_open(&binlog->session, options, password, beat, error) < 0 || dump(binlog, start, error) < 0 ||
        begin_wait(binlog, error) < 0) {
        binlog_close(binlog);
        return -1;
    }
    *ret = binlog;
    return 0;
}

void binlog_close(Binlog *binlog)
{
    if (!binlog)
        return;
    session_close(&binlog->session);
    log_decoder_close(binlog->decoder);
    free(binlog);
}

static const BinlogItem *idle(Binlog *binlog)
{
    LogPosition position = log_decoder_position(binlog->decoder);

    binlog->idle_due = false;
    binlog->idle = (BinlogItem){.type = BINLOG_IDLE, .begin = position, .end = position, .commit_us = INT64_MIN};
    return &binlog->idle;
}

int binlog_next(Binlog *binlog, const BinlogItem **ret, Error *error)
{
    const BinlogItem *item;

    for (;;) {
        int came;

        /* A transaction's payload gives items for long without a packet. */
        if (session_beat(&binlog->session, error) < 0)
            return -1;
        if (log_decoder_next(binlog->decoder, &item, error) < 0)
            return error_prefix(error, "%s: %s", binlog->session.target, log_decoder_file(binlog->decoder));
        if (item) {
            binlog->idle_due = false;
            *ret = item;
            return 0;
        }
        /* Heartbeats of a pause of ours come before what is new: only one with nothing behind it says that we are at
         * the end. */
        came = receive(binlog, binlog->idle_due ? 0 : binlog->wait_ms, error);
        if (came < 0)
            return -1;
        if (came == 0 && log_decoder_settled(binlog->decoder)) {
            *ret = idle(binlog);
            return 0;
        }
        if (log_decoder_heartbeat(binlog->decoder))
            binlog->idle_due = true;
    }
}

LogPosition binlog_position(const Binlog *binlog)
{
    return log_decoder_position(binlog->decoder);
}

const char *binlog_file(const Binlog *binlog)
{
    return log_decoder_file(binlog->decoder);
}

const GtidSet *binlog_gtid(const Binlog *binlog)
{
    return log_decoder_gtid(binlog->decoder);
}

uint32_t binlog_created(const Binlog *binlog)
{
    return log_decoder_created(binlog->decoder);
}

bool binlog_in_group(const Binlog *binlog)
{
    return log_decoder_in_group(binlog->decoder);
}
