/*
 * jsonl.h - JSON lines, profile "sluice": one object a row. Inside format/ only.
 *
 * First the columns in schema order, every one in every row, then _sluice_op, _sluice_seq, _sluice_commit_ts, _sluice_epoch,
 * _sluice_unchanged, _sluice_hash. README.md of this room lists the texts of the values.
 */
#ifndef SLUICE_JSONL_H
#define SLUICE_JSONL_H

#include "format/field_text.h"
#include "format/format.h"

#define JSONL_SLICE KIB(12) /* a longer value is written piece by piece, so that memory does not follow it; a multiple of 3 */
#define JSONL_COPY_STEP 32     /* prefixes are mostly shorter, and a copy of fixed length costs two instructions */

/* A column as the writer needs it: everything that does not change from row to row is made once. */
typedef struct JsonlColumn {
    FieldText value;
    bool quotes;          /* JSON has no such type: the value is a string */
    bool floats;          /* may hold NaN or infinity, which are strings too */
    char *prefix;         /* `{"name":` or `,"name":`, at least JSONL_COPY_STEP bytes of memory */
    size_t prefix_length;
    char *quoted_name;    /* `\"name\"`, an element of the JSON text in _sluice_unchanged; NULL where never unchanged */
    size_t quoted_length;
} JsonlColumn;

/* Fills the column; ERROR_PERMANENT where its name is not UTF-8. */
int jsonl_column_init(JsonlColumn *column, const Field *field, bool first, Error *error);
void jsonl_column_free(JsonlColumn *column);
/* Bytes that the column's fixed part, its prefix and its place in _sluice_unchanged take at most. */
size_t jsonl_column_room(const JsonlColumn *column);
/* The value of a fixed type (not COLUMN_STRING, COLUMN_BINARY), not NULL. *end is where it stopped. */
int jsonl_value(JsonlColumn *column, const uint8_t *value, char *text, char **end, Error *error);

#endif
