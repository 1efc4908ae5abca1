/*
 * What differs between the PostgreSQL versions we compile on (15 to 18).
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include "postgres.h"
#include "fmgr.h"

/* 18 shows name and version of a loaded module; older ones know only the magic. */
#if PG_VERSION_NUM >= 180000
#define SLUICE_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "sluice")
#else
#define SLUICE_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 15 has no prototype of its own for the entry point. */
#if PG_VERSION_NUM < 160000
extern PGDLLEXPORT void _PG_init(void);
#endif

#endif
