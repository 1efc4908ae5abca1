/*
 * profile.h - the columns a file holds: the table's own and those the profile adds, as one schema. Inside format/ only.
 *
 * A format that sets FormatKind.expands knows no profile: it gets a schema and batches in which _sluice_op, _sluice_seq or dms's Op
 * are columns like all others.
 */
#ifndef SLUICE_PROFILE_H
#define SLUICE_PROFILE_H

#include "format/format.h"

typedef struct Profile Profile;

/* Does a row of this operation land? (format_lands) */
bool profile_lands(const FormatSpec *spec, char op);

/* ERROR_PERMANENT where an added column has the name of one of the table's, which readers compare without regard to case. spec's
 * texts and schema must outlive the profile. */
int profile_open(const FormatSpec *spec, const Schema *schema, Profile **ret, Error *error);
/* The columns in the order in which they land; the profile's. */
const Schema *profile_schema(const Profile *profile);
/* The rows from *first on, but never up to `end`, as a batch of profile_schema from its row 0 on; *first moves behind what was
 * taken, so the caller asks until it is `end`. It may take fewer rows than there are, and its batch may have none, where the
 * profile leaves rows out. The table's values are shared, not copied: their offsets need not begin with 0, and `size` is not
 * told. Memory is the profile's and the batch's, until the next call: at most some MiB. */
int profile_expand(Profile *profile, const ColumnBatch *batch, int *first, int end, const ColumnBatch **ret, Error *error);
void profile_close(Profile *profile);

#endif
