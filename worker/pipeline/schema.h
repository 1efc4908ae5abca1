/*
 * schema.h - a batch's schema (control/README.md) as the column batch wants it.
 */
#ifndef SLUICE_SCHEMA_H
#define SLUICE_SCHEMA_H

#include "base/column.h"
#include "base/json.h"

/* Parses schema.columns; the caller frees with schema_free. */
int schema_parse(const cJSON *schema, Schema *ret, Error *error);
void schema_free(Schema *schema);

#endif
