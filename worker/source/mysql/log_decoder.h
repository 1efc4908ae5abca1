/*
 * log_decoder.h - events of a log in, items of binlog.h out: where we are in which file, which groups begin and end, what is compressed.
 *
 * Knows nothing of connections: binlog.c feeds it, tests and a fuzzer do too. Bytes are checked before use.
 */
#ifndef SLUICE_MYSQL_LOG_DECODER_H
#define SLUICE_MYSQL_LOG_DECODER_H

#include "source/mysql/binlog.h"

typedef struct LogDecoder LogDecoder;

typedef struct LogDecoderStart {
    bool mariadb;
    bool gtids;       /* the server runs with GTIDs */
    const char *file; /* NULL: the first rotation tells */
    uint64_t offset;
    const char *gtid; /* the set up to the start, NULL = not known (binlog_gtid is then NULL until a file's begin tells) */
    bool seek;        /* the stream begins at the begin of `file`: groups up to offset are passed over */
} LogDecoderStart;

int log_decoder_open(const LogDecoderStart *start, LogDecoder **ret, Error *error);
void log_decoder_close(LogDecoder *decoder);
/* One event as it came, which must stay until the next feed. Before it, log_decoder_next must have given NULL. */
int log_decoder_feed(LogDecoder *decoder, const uint8_t *event, size_t length, Error *error);
/* *ret = NULL: wants the next event. */
int log_decoder_next(LogDecoder *decoder, const BinlogItem **ret, Error *error);
/* True once a format description has come: the stream has begun. */
bool log_decoder_begun(const LogDecoder *decoder);
/* True once the place where the stream stands is known: a set's end is told by the first group behind it, or a heartbeat. */
bool log_decoder_settled(const LogDecoder *decoder);
/* True if the event fed last was a heartbeat. */
bool log_decoder_heartbeat(const LogDecoder *decoder);
/* The file in hand ends here, in mid-event: *ret is its number, and the next event may be another file's. -1: no file is known. */
int log_decoder_torn(const LogDecoder *decoder, uint32_t *ret);
LogPosition log_decoder_position(const LogDecoder *decoder);
const char *log_decoder_file(const LogDecoder *decoder);
const GtidSet *log_decoder_gtid(const LogDecoder *decoder);
uint32_t log_decoder_created(const LogDecoder *decoder);
bool log_decoder_in_group(const LogDecoder *decoder);

#endif
