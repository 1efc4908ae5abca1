/*
 * decode.h - raw values of DB-Library (dbdata, dbdatlen) into column vectors, without text in between.
 *
 * Layouts: sybdb.h (DBNUMERIC, DBDATETIMEALL, DBMONEY), and for what it does not say FreeTDS 1.3.17: numerics have a
 * sign byte (1 = negative) and a big-endian magnitude; date, time, datetime2, datetimeoffset arrive as DBDATETIMEALL
 * with the time in 100 ns, the date in days since 1900-01-01, both in UTC for datetimeoffset.
 */
#ifndef SLUICE_SQLSERVER_DECODE_H
#define SLUICE_SQLSERVER_DECODE_H

#include "base/column.h"
#include "source/key.h"

/* One value, not NULL, into the row under construction. */
typedef int (*Decode)(ColumnBatch *batch, int index, const void *data, int length, Error *error);

/* The decoder for a column of `type` that the wire announces as `wire` (dbcoltype); ERROR_GONE if they do not fit: the
 * column was altered since the schema was taken. */
int decode_choose(const Field *field, int wire, Decode *ret, Error *error);

/* A text that came as UTF-16LE in a varbinary, into UTF-8; a lone surrogate becomes its three bytes (WTF-8). */
int decode_utf16(ColumnBatch *batch, int index, const void *data, int length, Error *error);

/* datetime as the server gives commit times: 100 ns units since 1970, server-local. -1: not a datetime. */
int decode_datetime(const void *data, int length, int64_t *ret);
/* datetimeoffset -> UTC 100 ns units and offset. */
int decode_datetimeoffset(const void *data, int length, ColumnInstant *ret);
int decode_datetime2(const void *data, int length, int64_t *ret);

#endif
