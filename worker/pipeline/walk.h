/*
 * walk.h - a folder of the target page by page, for those who tell the control plane what stands there.
 */
#ifndef SLUICE_WALK_H
#define SLUICE_WALK_H

#include "pipeline/work.h"

#define WALK_PAGE_OBJECTS 1000 /* objects a call to the control plane tells of */

/* The objects below `prefix` that sort after `after` ("" = all), at most a page: [{"key","bytes","etag"}..]; the caller frees it. An
 * empty one: there are no more. */
int walk_page(const Work *work, const char *prefix, const char *after, cJSON **ret, Error *error);
const char *walk_last(const cJSON *page); /* key of its last object */
/* Calls the control plane. *yield, where asked for: other work waits, the batch is to be given back (walk_yield) and goes on later. */
int walk_tell(const Work *work, const char *function, cJSON *message, bool *yield, Error *error);
void walk_yield(const Work *work, const cJSON *batch);
/* Runs `one` for the claim's batch and tells the control plane of its failure. */
int walk_run(const Work *work, int (*one)(const Work *work, const cJSON *batch, Error *error), Error *error);

#endif
