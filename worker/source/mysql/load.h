/*
 * load.h - rows of the table itself: a range of its key, or all of a table without key.
 *
 * A range is one statement in one transaction with a consistent snapshot, which ends with the range. L, the position
 * its rows carry, is one all of whose changes the snapshot shows:
 * - MariaDB: the log's end read directly before the snapshot, or, where that is lower, the binlog position of the snapshot itself (status variables
 *   binlog_snapshot_file and _position; knowledge base, "Enhancements for START TRANSACTION WITH CONSISTENT SNAPSHOT"). The latter alone would do
 *   but for XA: see load_snapshot.c.
 * - MySQL: batch.cut, once all its transactions are in @@global.gtid_executed: the server adds a GTID there after the engine has committed
 *   (MySQL manual, "gtid_executed"), while SHOW MASTER STATUS tells of transactions that are written and not yet visible. Only then
 *   does the snapshot begin. Without GTIDs: refused with a hint, or with load_lock under a read lock of all tables for that moment.
 * - A range taken up again keeps the L of its seals.
 * A scan without key also tells L2, the end of the log at a moment when its snapshot had begun (source_position_after); on MariaDB the
 * snapshot's own position where its table is transactional, which lies next to L. With keyless "lock" the table is locked against writers for the scan, and L2 is L.
 *
 * While a reader is open its session takes no other statement. A reader closed in mid-result opens the session anew, which makes the
 * server end the statement.
 */
#ifndef SLUICE_MYSQL_LOAD_H
#define SLUICE_MYSQL_LOAD_H

#include "source/mysql/reader.h"

/* spec as in source.h: batch.work is "load". */
int load_reader_open(MySql *source, const ReadSpec *spec, MySqlReader **ret, Error *error);
int load_reader_next(MySqlReader *reader, const ColumnBatch **ret, Error *error);
const char *load_reader_position(const MySqlReader *reader);
int load_reader_last_key(const MySqlReader *reader, cJSON **ret, Error *error);
int64_t load_reader_nulled(const MySqlReader *reader);
void load_reader_close(MySqlReader *reader);

#endif
