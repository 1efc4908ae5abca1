/*
 * sluice.c: the settings and the registration of the supervisor. Nothing else
 * of sluice runs inside PostgreSQL's processes.
 */
#include "postgres.h"

#include "compat.h"

SLUICE_MODULE_MAGIC;

void
_PG_init(void)
{
}
