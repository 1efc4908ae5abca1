/*
 * profile.h - the columns a file holds: the table's own and those the profile adds, as one schema. Inside format/ only.
 *
 * A format that sets FormatKind.expands knows no profile: it gets a schema and batches in which _sluice_op, _sluice_seq or dms's Op
 * are columns like all others.
 */
#ifndef SLUICE_FORMAT_PROFILE_H
#define SLUICE_FORMAT_PROFILE_H

#include "format/format.h"

typedef struct Profile Profile;

/* ERROR_PERMANENT where an added column has the name of one of the table's. spec and schema must outlive the profile. */
int profile_open(const FormatSpec *spec, const Schema *schema, Profile **ret, Error *error);
/* The columns in the order in which they land; the profile's. */
const Schema *profile_schema(const Profile *profile);
/* Rows [first, first + count) as a batch of profile_schema, from row 0 on. Its memory is the profile's and the batch's, until the next
 * call; the rows' count may be smaller, where the profile leaves rows out. */
int profile_expand(Profile *profile, const ColumnBatch *batch, int first, int count, const ColumnBatch **ret, Error *error);
void profile_close(Profile *profile);

#endif
