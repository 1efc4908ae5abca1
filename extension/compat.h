/*
 * What differs between the PostgreSQL versions we compile on (15 to 18).
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/wait_event.h"

/* 18 shows the name of a loaded module; older ones know only the magic. */
#if PG_VERSION_NUM >= 180000
#define SLUICE_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "sluice")
#else
#define SLUICE_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 15 has no prototype of its own for the entry point. */
#if PG_VERSION_NUM < 160000
extern PGDLLEXPORT void _PG_init(void);
#endif

/* 17 lets an extension name its wait event. */
static inline uint32
sluice_wait_event(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 event = 0;

	if (event == 0)
		event = WaitEventExtensionNew("SluiceSupervisor");
	return event;
#else
	return PG_WAIT_EXTENSION;
#endif
}

#endif
