/*
 * secret.h - resolves references to secrets. A secret never stands in a table, a log, an error or a process title.
 *
 * options hold `<name>_env` (an environment variable of the worker) or `<name>_file` (a file of mode 0600 or stricter, whose
 * first line is the secret). *ret is malloc'ed, NULL where neither is given; the caller hands it to secret_wipe.
 */
#ifndef SLUICE_SECRET_H
#define SLUICE_SECRET_H

#include "base/json.h"

int secret_resolve(const cJSON *options, const char *name, char **ret, Error *error);
/* Overwrites and frees; NULL is fine. */
void secret_wipe(char *secret);

#endif
