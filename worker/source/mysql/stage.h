/*
 * stage.h - changes of several tables from one reading of the log, kept row by row until each table's turn comes.
 *
 * Rows events are copied as they are, chained by table in the order of the log; what stands before them is the table map they were written
 * under, kept once until it changes. All of it together holds at most the bytes the stage was made with (LOG_STAGE_BYTES_MAX for a runner). When
 * an item finds no room, one table gives way: the largest where it holds more than a quarter of the stage, which then reads the log by
 * itself, else the last one of the claim's order, which is staged again when its turn comes. The first of the order that waits for its turn is
 * never asked to wait again, so that passes come to an end.
 * Knows neither servers nor batches: log_stage.c fills it.
 */
#ifndef SLUICE_MYSQL_STAGE_H
#define SLUICE_MYSQL_STAGE_H

#include "source/mysql/binlog.h"

typedef struct Stage Stage;

typedef enum StageState {
    STAGE_WAITING,  /* not begun, or gave way: to be staged when its turn comes */
    STAGE_OPEN,     /* a pass is under way: items are taken in */
    STAGE_WHOLE,    /* the pass has ended: all of its range is here */
    STAGE_LARGE,    /* gave way: to be read from the log by itself */
    STAGE_DONE      /* read out and forgotten */
} StageState;

typedef struct StageItem {
    bool map;             /* data is the table map of the rows that follow */
    uint8_t code;         /* of the rows event */
    LogPosition at;       /* where its rows stand */
    uint64_t inner;
    int64_t commit_us;
    const uint8_t *data;  /* belongs to the stage until the table gives way or is forgotten */
    size_t length;
} StageItem;

/* {0} stands before a chain's first item. */
typedef struct StageCursor {
    const void *chunk;
    size_t offset;
} StageCursor;

/* `tables` chains, 0 .. tables - 1 in the order in which they will be read; all are STAGE_WAITING. */
int stage_new(int tables, size_t bytes_max, Stage **ret, Error *error);
void stage_free(Stage *stage);

StageState stage_state(const Stage *stage, int table);
/* Forgets the table's items, but for STAGE_WHOLE. */
void stage_set(Stage *stage, int table, StageState state);
/* Copies rows of a table, and `map` before them where it is another one than that of the rows before (the number that the server gives the table
 * apart). A table that is not open takes nothing; it, or another, may cease to be open here. */
int stage_add(Stage *stage, int table, const uint8_t *map, size_t map_length, const StageItem *rows, Error *error);
/* The item behind the cursor; false at the end of the chain. */
bool stage_next(const Stage *stage, int table, StageCursor *cursor, StageItem *ret);

/* Memory in use, chunks as a whole: never above bytes_max. */
size_t stage_bytes(const Stage *stage);
size_t stage_table_bytes(const Stage *stage, int table);
/* How often a table gave way. */
int64_t stage_evictions(const Stage *stage);

#endif
