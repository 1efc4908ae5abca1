/*
 * rows.h - rows events into column batches.
 *
 * A RowPlan joins a table map (how values lie in the event), a shape (what the columns are) and the batch's schema (which of them land).
 * Only row images of all columns are decoded: a column that the image leaves out (binlog_row_image other than FULL) is
 * ERROR_PERMANENT naming it, with the statement that mends it.
 */
#ifndef SLUICE_MYSQL_ROWS_H
#define SLUICE_MYSQL_ROWS_H

#include "source/mysql/binlog.h"
#include "source/mysql/shape.h"

typedef struct RowPlan RowPlan;

typedef struct RowPlanSpec {
    const TableMap *map;     /* outlives the plan */
    const Shape *shape;
    const Schema *schema;    /* fields are found by source_name */
    bool before;             /* batch.schema.before: an update comes as D and I where its key changed or there is no key */
    bool images;             /* batch.schema.images: the row before an update is given too, as B before its U */
    size_t value_bytes_max;  /* a larger value is ERROR_PERMANENT naming column and key */
    int64_t *nulled;         /* counts zero dates that landed as null */
} RowPlanSpec;

int rowplan_open(const RowPlanSpec *spec, RowPlan **ret, Error *error);
void rowplan_close(RowPlan *plan);

typedef struct RowsCursor {
    RowPlan *plan;
    const uint8_t *at, *end;
    RowPosition position; /* of the next row */
    int64_t commit_us;
    uint8_t code;
    const uint8_t *present, *present_after;
    int64_t behind;       /* rows of this event numbered up to it are passed over; -1 = none. Set it after rows_open to take up reading in the middle */
} RowsCursor;

/* item: a ROWS item of the plan's table; its bytes must outlive the cursor. position: where its rows stand (item->end and inner, or an XA COMMIT's). */
int rows_open(RowsCursor *cursor, RowPlan *plan, const BinlogItem *item, LogPosition at, uint64_t inner, Error *error);
/* Adds the next change to batch (one row or two). An update takes two numbers, of the row before and of the row after, whether both land or not. Of a system-versioned
 * table only the rows that count now are rows: history passes in silence and a row that becomes history is a D. 1 = added, 0 = the event is at its end. There must be room for two rows. */
int rows_next(RowsCursor *cursor, ColumnBatch *batch, Error *error);

#endif
