/*
 * lsn.h - log sequence numbers and the positions made of them.
 *
 * An LSN is binary(10): VLF (4), block (4), slot (2), big-endian; its byte order is the log's order
 * (learn.microsoft.com, cdc.lsn_time_mapping; sys.fn_cdc_increment_lsn adds one to the whole number).
 * A change row's position is 25 bytes: LSN 10, command_id 4, seqval 10, operation 1, which is the order of the
 * change table's clustered index. A loaded row's: LSN 10, then the digits "f", job (13), range (16).
 */
#ifndef SLUICE_SQLSERVER_LSN_H
#define SLUICE_SQLSERVER_LSN_H

#include "base/error.h"
#include <stdint.h>

#define LSN_BYTES 10
#define LSN_TEXT 21 /* with the 0 byte */
#define ROW_POSITION_BYTES 25

typedef struct ChangePosition {
    uint8_t lsn[LSN_BYTES];
    int32_t command_id; /* 0 where the change table has none */
    uint8_t seqval[LSN_BYTES];
    uint8_t operation;
} ChangePosition;

void lsn_text(const uint8_t lsn[LSN_BYTES], char ret[LSN_TEXT]);
int lsn_parse(const char *text, uint8_t ret[LSN_BYTES]); /* -1: not 20 hex digits */
/* "00000027:00000758:0005", the form of sys.dm_db_log_stats. */
int lsn_parse_printed(const char *text, uint8_t ret[LSN_BYTES]);
void lsn_decrement(uint8_t lsn[LSN_BYTES]); /* of zero: stays zero */

void change_position_encode(const ChangePosition *position, uint8_t ret[ROW_POSITION_BYTES]);
int change_position_parse(const char *text, ChangePosition *ret, Error *error); /* 50 hex digits */
/* Behind every change of this LSN: where a range that excludes it begins. */
void change_position_after(const uint8_t lsn[LSN_BYTES], ChangePosition *ret);
/* ERROR_INTERNAL if a number has more digits than its place. */
int load_position_encode(const uint8_t lsn[LSN_BYTES], int64_t job, int64_t range, uint8_t ret[ROW_POSITION_BYTES],
                         Error *error);

#endif
