/*
 * sluice.c: the settings and the registration of the supervisor. Nothing else
 * of sluice runs inside PostgreSQL's processes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "supervisor.h"

PG_MODULE_MAGIC;

char	   *sluice_database = NULL;
char	   *sluice_worker_path = NULL;
char	   *sluice_worker_conninfo = NULL;
bool		sluice_supervise = true;
static int	sluice_memory = 512;	/* read in SQL: _sluice.memory_mib() */
int			sluice_restart_delay = 1000;

static bool
check_worker_path(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("sluice.worker_path must be an absolute path.");
	return false;
}

void
_PG_init(void)
{
	DefineCustomStringVariable("sluice.database", "The one database whose sluice the worker serves.", NULL,
							   &sluice_database, "postgres", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("sluice.supervise", "Run sluice-worker from this server.",
							 "Off: the worker runs elsewhere, or not at all (a clone of a server).",
							 &sluice_supervise, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("sluice.worker_path", "Program that the supervisor runs.",
							   "Empty: sluice-worker in the folder of the server's programs.", &sluice_worker_path, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_worker_path, NULL, NULL);
	DefineCustomStringVariable("sluice.worker_conninfo", "How the worker connects to PostgreSQL.",
							   "Empty: the first socket directory, sluice.database, role sluice_worker.",
							   &sluice_worker_conninfo, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("sluice.memory", "Memory that the runners of a worker share.",
							"The setting memory_mib of the registry, where it is set, counts instead.",
							&sluice_memory, 512, 64, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("sluice.restart_delay", "Delay before a worker that failed is started again.",
							"It doubles with each failure in a row, up to 60 times this value.",
							&sluice_restart_delay, 1000, 10, 60000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	MarkGUCPrefixReserved("sluice");

	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
		supervisor_register();
}
