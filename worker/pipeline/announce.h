/*
 * announce.h - schema files: what a table's files hold, in the bucket before the first of them lands and also for a table without rows.
 *
 * Per epoch and schema version a JSON document below `{prefix}/_sluice/` and, in profile sluice, a data file without rows in the
 * table's own format beside its files (control/README.md, schema.announce). Both have keys that are the same at every try, so one
 * that stands is taken as it is.
 */
#ifndef SLUICE_ANNOUNCE_H
#define SLUICE_ANNOUNCE_H

#include "pipeline/landing.h"

/* Puts what the batch asks for and notes it in landing->announced; nothing where it asks for nothing. */
int announce_schema(Landing *landing, Error *error);

#endif
