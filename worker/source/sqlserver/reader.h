/*
 * reader.h - what the readers of changes and of tables have in common: statements of RANGE_READ_ROWS rows, restarted by
 * keyset behind the last row, filling one column batch at a time.
 */
#ifndef SLUICE_SQLSERVER_READER_H
#define SLUICE_SQLSERVER_READER_H

#include "source/sqlserver/keyset.h"
#include "source/sqlserver/plan.h"

typedef struct SqlReader SqlReader;

struct SqlReader {
    Reader base;
    SqlServer *server;
    const cJSON *batch; /* the caller's, outlives the reader */
    Plan plan;
    ColumnBatch rows;
    bool rows_ready;
    Buffer text; /* the statement, terminated */
    Statement statement;
    bool begun;             /* a statement has been sent at least once */
    bool finished;          /* the proved end of the range */
    int64_t statement_rows; /* rows a statement may return at most */
    /* Builds the statement's text, after the plan has changed. */
    int (*build)(SqlReader *reader, Error *error);
    /* Sends the next statement from where reading stands. */
    int (*start)(SqlReader *reader, Error *error);
    /* The current result row into the batch: 1 = a row was added, 0 = none (a before image that waits for its after
     * image). */
    int (*row)(SqlReader *reader, Error *error);

    /* changes */
    bool changes;
    bool has_command_id;
    bool reread; /* values not logged are read from the table */
    bool before; /* before images are read: an update may become a delete and an insert, see reader_cdc.c */
    bool images; /* the before image of an update is a row of its own */
    bool keyless;
    struct BeforeImage *image;
    ChangePosition from;   /* reading goes on behind it */
    ChangePosition given;  /* of the last row handed out */
    ChangePosition proved; /* up to here rows were read and then verified */
    uint8_t to[LSN_BYTES];
    int utc_offset_minutes;

    /* loads */
    Keyset keyset;
    int key_index[KEY_COLUMNS_MAX]; /* field of each key column */
    cJSON *after;                   /* key texts behind which reading goes on, NULL = from the beginning */
    cJSON *until;                   /* key texts of the upper bound, NULL = the table's end */
    uint8_t load_position[ROW_POSITION_BYTES];
    char position[LSN_TEXT];
};

int reader_changes_init(SqlReader *reader, const ReadSpec *spec, Error *error);
void reader_changes_free(SqlReader *reader);
int reader_load_init(SqlReader *reader, const ReadSpec *spec, Error *error);
/* Values of the batch that were not logged, from the table by key, where it still has the row. */
int reader_reread(SqlReader *reader, Error *error);

#endif
