/*
 * What differs between the PostgreSQL versions we compile on (15 to 18).
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include "fmgr.h"
#include "utils/wait_event.h"	/* 18: no longer by way of latch.h */

/* 15 has no prototype of its own for the entry point. */
#if PG_VERSION_NUM < 160000
extern PGDLLEXPORT void _PG_init(void);
#endif

#endif
