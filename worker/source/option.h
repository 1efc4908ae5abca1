/*
 * option.h - options of a source as every kind reads them: bounded, and said what is wrong with them.
 */
#ifndef SLUICE_SOURCE_OPTION_H
#define SLUICE_SOURCE_OPTION_H

#include "base/error.h"
#include "base/json.h"
#include <stddef.h>

/* *ret = the text, which belongs to `options`, NULL where it is absent or empty. ERROR_PERMANENT above `maximum` bytes, or with a control character: a
 * line break would be another setting in FreeTDS' file. */
int option_text(const cJSON *options, const char *name, size_t maximum, const char **ret, Error *error);
/* ERROR_PERMANENT outside low .. high. */
int option_number(const cJSON *options, const char *name, int low, int high, int otherwise, int *ret, Error *error);

#endif
