/*
 * plan.h - the columns of a schema in a statement's select list, and the way of each value into a batch.
 */
#ifndef SLUICE_SQLSERVER_PLAN_H
#define SLUICE_SQLSERVER_PLAN_H

#include "source/sqlserver/decode.h"
#include "source/sqlserver/sqlserver.h"
#include "source/sqlserver/type.h"

typedef struct PlanColumn {
    Decode decode;
    int wire; /* column of the result, from 1 */
    int told; /* column with its DATALENGTH, 0 = none */
    TypeLength rule;
    int ordinal; /* captured column's ordinal, for the update mask; 0 = unknown */
    bool large;
    bool legacy; /* text, ntext, image */
} PlanColumn;

typedef struct Plan {
    const Schema *schema;
    PlanColumn *columns;
    size_t value_bytes_max;
    bool exact_text; /* texts travel as UTF-16 in varbinary, converted here: see plan_exact_text */
} Plan;

/* What may be NULL because it was not logged. */
typedef enum PlanRow { PLAN_COMPLETE, PLAN_UPDATE, PLAN_BEFORE, PLAN_DELETE } PlanRow;

/* columns: batch.schema.columns (ordinal, collation). ahead: columns of the result before the first of these. */
int plan_init(Plan *plan, const Schema *schema, const cJSON *columns, int ahead, size_t value_bytes_max, Error *error);
void plan_free(Plan *plan);
/* "a.[x], a.[y], ..., DATALENGTH(a.[lob]), ..." */
int plan_select(const Plan *plan, const char *alias, Buffer *text, Error *error);
/* Chooses the decoders for the result set that is open. */
int plan_bind(Plan *plan, DBPROCESS *process, Error *error);
/* The current row of the result into the row under construction; does not end it. */
int plan_row(const Plan *plan, DBPROCESS *process, ColumnBatch *batch, PlanRow kind, const uint8_t *mask,
             int mask_length, Error *error);
/* Is the bit of a captured column set? Lowest ordinals stand in the last byte. */
bool mask_has(const uint8_t *mask, int length, int ordinal);
/*
 * DB-Library puts '?' in the place of what it cannot convert: a lone surrogate, a byte that glibc's table of the code
 * page leaves out. Where it says so the statement is sent again in this form, which costs the server a conversion and
 * loses nothing.
 */
int plan_text_expression(const Field *field, const char *alias, Buffer *text, Error *error);
/* One column as the select list reads it, exactly. */
int plan_expression(const Field *field, const char *alias, Buffer *text, Error *error);

#endif
