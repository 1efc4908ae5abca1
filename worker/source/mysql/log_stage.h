/*
 * log_stage.h - the batches of a claim, read from the log at once (source_stage) and then one after the other (source_read).
 *
 * A pass reads the log from the lowest `from` to the highest `to` of the batches that wait and keeps their rows in a Stage; rows outside a table's own
 * range are passed over. When the turn of a table comes that gave way, another pass is made for it and those behind it that wait too; a table too large
 * for that, and one whose group was undone, reads the log by itself, and so does one whose mark can no longer be read: its reader says why.
 */
#ifndef SLUICE_MYSQL_LOG_STAGE_H
#define SLUICE_MYSQL_LOG_STAGE_H

#include "source/mysql/mysql.h"
#include "source/mysql/stage.h"

typedef struct LogStage LogStage;

/* Makes the first pass. Borrows from `batches`. */
int log_stage_new(MySql *source, const cJSON *batches, LogStage **ret, Error *error);
/* NULL is allowed. */
void log_stage_free(LogStage *staged);
/* *table = the number of the batch's table, whose rows are all in log_stage_rows; -1: it is to be read by itself. */
int log_stage_turn(MySql *source, const cJSON *batch, int *table, Error *error);
Stage *log_stage_rows(LogStage *staged);

#endif
