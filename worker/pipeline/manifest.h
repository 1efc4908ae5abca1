/*
 * manifest.h - the object that proves a commit, and the commit itself.
 *
 * `{prefix}/_sluice/{source}/{commit, 12 digits}.json` holds all that a commit writes (control/README.md, manifest). It is put,
 * never overwritten, after every object of the commit stands and before PostgreSQL is told: the first manifest under a
 * number is the truth, whoever put it.
 */
#ifndef SLUICE_MANIFEST_H
#define SLUICE_MANIFEST_H

#include "pipeline/landing.h"

/* Files, control rows and manifest of landings that are complete, then batch_commit. commit 0 = nothing lands. sealed is
 * batch_seal's answer. */
int manifest_commit(const Work *work, Landing *const *landings, int count, const cJSON *sealed, Error *error);
/* For batches that had drawn a commit number before a crash: if their manifest stands, commits what it says. *done tells. */
int manifest_resume(const Work *work, int64_t commit, bool *done, Error *error);

/* What stands under a commit number, parsed; the caller frees it. ERROR_GONE where nothing does. */
int manifest_read(const Work *work, int64_t commit, cJSON **ret, Error *error);

#endif
