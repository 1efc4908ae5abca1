/*
 * position.h - places in a binary log and the positions of rows made of them.
 *
 * A log position is 10 bytes: number of the file (4, the digits behind the last dot of its name), offset behind the event (6),
 * big-endian; lower-case hex of it is the `position` of the contract (20 digits). The log_pos of an event header has 32 bits only and
 * wraps in files above 4 GiB (MySQL internals, "Binlog Event Header"): offsets here are counted on.
 * A row's position is 25 bytes: the log position of its event (10), the event's number inside a transaction payload or an
 * XA transaction (7, 0 elsewhere), the row's number in the event (8). Rows of an XA transaction stand at the position of its
 * XA COMMIT. A loaded row's: L (10), then the digits "f", job (13), range (16), as in every source.
 */
#ifndef SLUICE_MYSQL_POSITION_H
#define SLUICE_MYSQL_POSITION_H

#include "base/error.h"
#include <stdint.h>

#define LOG_POSITION_BYTES 10
#define LOG_POSITION_TEXT 21 /* with the 0 byte */
#define LOG_ROW_BYTES 25
#define LOG_FILE_BEGIN 4        /* behind the magic number of a log file */
#define LOG_FILE_NAME_MAX 512 /* FN_REFLEN of both servers */

typedef struct LogPosition {
    uint32_t file;
    uint64_t offset; /* < 2^48 */
} LogPosition;

typedef struct RowPosition {
    LogPosition at;
    uint64_t inner; /* < 2^52, so that no change sorts with the "f" of loaded rows */
    uint64_t row;
} RowPosition;

int log_position_compare(LogPosition a, LogPosition b);
void log_position_text(LogPosition position, char ret[LOG_POSITION_TEXT]);
int log_position_parse(const char *text, LogPosition *ret); /* -1: not 20 hex digits */
/* The file number of "mysql-bin.000123"; -1 where the name does not end in a dot and digits. */
int log_file_number(const char *name, uint32_t *ret);
/* The name of file `number` of the log that `sibling` belongs to: at least 6 digits, as both servers write them. -1: too long. */
int log_file_name(const char *sibling, uint32_t number, char ret[LOG_FILE_NAME_MAX]);

void row_position_encode(const RowPosition *position, uint8_t ret[LOG_ROW_BYTES]);
int row_position_parse(const char *text, RowPosition *ret, Error *error); /* 50 hex digits */
/* ERROR_INTERNAL if a number has more digits than its place. */
int log_load_position_encode(LogPosition position, int64_t job, int64_t range, uint8_t ret[LOG_ROW_BYTES], Error *error);

#endif
