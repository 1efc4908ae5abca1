/*
 * log_payload.h - what the servers compress in their logs.
 *
 * MariaDB compresses the rows or the text of single events (log_bin_compress; log_event.cc, "binlog_buf_uncompress").
 * MySQL compresses all events of a transaction into one (binlog_transaction_compression; codecs/binary.cpp, "Transaction_payload"), with zstd
 * or not at all; it is inflated event by event, so that a transaction may be of any size.
 */
#ifndef SLUICE_MYSQL_LOG_PAYLOAD_H
#define SLUICE_MYSQL_LOG_PAYLOAD_H

#include "base/buffer.h"

#define LOG_INFLATED_MAX ((size_t)1100 * 1024 * 1024) /* of one event: the largest of both servers is 1 GiB */

/* A compressed part of a MariaDB event: its bytes are appended to `ret`. ERROR_INTERNAL where they are malformed. */
int log_inflate(const uint8_t *data, size_t length, Buffer *ret, Error *error);

typedef struct LogPayload LogPayload;

/* body: of the event, which must outlive the payload. */
int log_payload_open(const uint8_t *body, size_t length, LogPayload **ret, Error *error);
void log_payload_close(LogPayload *payload);
/* The next event: 1 = found, valid until the next call, 0 = the end. */
int log_payload_next(LogPayload *payload, const uint8_t **event, size_t *length, Error *error);

#endif
