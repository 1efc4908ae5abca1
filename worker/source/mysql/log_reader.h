/*
 * log_reader.h - the changes of one table in (from, to] of the log, in its order.
 *
 * They come from the stage where source_stage has read them with those of others (log_stage.h), else from the stream itself, whatever the size of a
 * transaction: nothing is held but one event and one column batch. A stream that breaks in the middle of a range is opened again once per
 * progress made and read on behind the last row given.
 * A group of which rows may not count (ROLLBACK after a change of a table without transactions) is ERROR_PERMANENT: the table has to be loaded again.
 */
#ifndef SLUICE_MYSQL_LOG_READER_H
#define SLUICE_MYSQL_LOG_READER_H

#include "source/mysql/reader.h"

/* spec as in source.h: batch.work is "cdc". */
int log_reader_open(MySql *source, const ReadSpec *spec, MySqlReader **ret, Error *error);
int log_reader_next(MySqlReader *reader, const ColumnBatch **ret, Error *error);
int64_t log_reader_nulled(const MySqlReader *reader);
void log_reader_close(MySqlReader *reader);

#endif
