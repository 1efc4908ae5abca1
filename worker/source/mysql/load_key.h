/*
 * load_key.h - a table's load key: its texts, its bounds in a WHERE, its order.
 *
 * A bound stands in the statement as a literal of the column's own type and collation, so that the server compares as the index is sorted
 * and nothing is skipped or read twice. Texts (JSON, UTF-8):
 *   numbers       digits; float and double as text that reads back to the same double
 *   bit           its number
 *   enum, set     its number ("2", the sum of the members' bits): the order of the index. Such a column is compared as a number, for which no
 *                 index is sought; in an ORDER BY it is
 *   date, time, datetime, timestamp (UTC), uuid, inet    as the server prints it; "T" may stand between day and time
 *   char, varchar converted to utf8mb4; one with U+0000 has no text
 *   binary        "0x" and hex digits
 */
#ifndef SLUICE_MYSQL_LOAD_KEY_H
#define SLUICE_MYSQL_LOAD_KEY_H

#include "base/column.h"
#include "base/json.h"

#define LOAD_KEY_COLUMNS_MAX 32 /* MariaDB; MySQL has 16 */

typedef enum LoadKeyForm {
    LOAD_KEY_NUMBER,
    LOAD_KEY_FLOAT,
    LOAD_KEY_BIT,
    LOAD_KEY_ENUM,
    LOAD_KEY_SET,
    LOAD_KEY_QUOTED,
    LOAD_KEY_TEXT,
    LOAD_KEY_BINARY
} LoadKeyForm;

typedef struct LoadKeyColumn {
    char name[513]; /* at the source */
    char collation[65];
    LoadKeyForm form;
    bool descending;
    const cJSON *values; /* enum and set, where the columns tell them; belongs to `columns` of load_key_read */
} LoadKeyColumn;

typedef struct LoadKey {
    LoadKeyColumn columns[LOAD_KEY_COLUMNS_MAX];
    int count; /* 0: no key */
} LoadKey;

/* keys: array of {name, source_type, type, collation, descending}; what is missing is taken from `columns` (batch.schema.log_columns or
 * .columns, may be NULL) by name. No key for NULL. */
int load_key_read(const cJSON *keys, const cJSON *columns, LoadKey *ret, Error *error);
/* The expression whose result, read as text by a session in utf8mb4, is the column's key text. */
int load_key_select(const LoadKey *key, int index, Buffer *text, Error *error);
/* The rows behind `values` (upper: up to and including them), in brackets. ERROR_PERMANENT where a text is none of its column. */
int load_key_bound(const LoadKey *key, bool upper, const cJSON *values, Buffer *text, Error *error);
/* " ORDER BY .." */
int load_key_order(const LoadKey *key, Buffer *text, Error *error);
/* The key text of key column `index` out of a batch, where it is column `column`. ERROR_PERMANENT, naming the column, where it has none. */
int load_key_text(const LoadKey *key, int index, const ColumnBatch *batch, int column, int row, cJSON **ret, Error *error);
/* The same for the text that load_key_select's expression gave. */
int load_key_value(const LoadKey *key, int index, const char *data, size_t length, cJSON **ret, Error *error);

#endif
