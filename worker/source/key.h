/*
 * key.h - the exact text of a value as a bound of a load: what a range's `from` and `to` and a seal's `last_key` are made of.
 */
#ifndef SLUICE_SOURCE_KEY_H
#define SLUICE_SOURCE_KEY_H

#include "base/column.h"
#include <cjson/cJSON.h>

/* One value of a batch: digits, "0x.." of binary, ISO forms of dates, a text as it is. NULL for an SQL NULL, a text with U+0000 or without
 * memory. A timestamp has 7 digits where its type is datetime2 and 3 elsewhere (SQL Server's older types refuse more). */
cJSON *key_text(const ColumnBatch *batch, int index, int row);
/* "2026-11-20T08:51:06.1234567" with `digits` fractional digits (0 = none); ret holds 32 bytes. */
void timestamp_text(int64_t ticks, int digits, char ret[32]);

#endif
