/*
 * supervisor.c: keeps one sluice-worker running while there is something for
 * it to do.
 *
 * It is connected to no database (only to the shared catalogs), so it stands
 * in the way of no DROP or CREATE DATABASE; it waits on its latch only, so it
 * answers procsignal barriers at once. It runs outside recovery: a standby's
 * postmaster starts it at promotion.
 */
#include "postgres.h"

#include <sys/wait.h>

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "child.h"
#include "compat.h"
#include "supervisor.h"

#define TURN_MS 1000			/* how often the catalogs are looked at */
#define STOP_MS 8000			/* from SIGTERM to SIGKILL */
#define DELAY_FACTOR_MAX 60		/* longest delay, and the run that counts as healthy, in restart delays */
#define ABSENT_FACTOR 5			/* delay while the database has no extension */
#define DEFAULT_ROLE "sluice_worker"

typedef struct Supervisor
{
	Child		child;
	int			failures;		/* in a row; decides the next delay */
	bool		absent;			/* the last run found no extension */
	bool		present;		/* database and role are there */
	TimestampTz start_at;		/* not before */
	TimestampTz look_at;		/* next look at the catalogs */
	char		running[4096];	/* what the child was started with */
	MemoryContext turn;			/* reset each turn */
} Supervisor;

static void
handle_sigchld(SIGNAL_ARGS)
{
	int			save_errno = errno;

	SetLatch(MyLatch);
	errno = save_errno;
}

void
supervisor_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "sluice", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "sluice_supervisor_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "sluice supervisor", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "sluice supervisor", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

/* A value of a conninfo: in quotes, a backslash before each quote and backslash. */
static char *
quoted(const char *value)
{
	char	   *result = palloc(2 * strlen(value) + 3);
	char	   *end = result;

	*end++ = '\'';
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			*end++ = '\\';
		*end++ = *value;
	}
	*end++ = '\'';
	*end = '\0';
	return result;
}

static char *
worker_conninfo(void)
{
	List	   *directories = NIL;
	const char *host = "localhost";

	if (sluice_worker_conninfo[0] != '\0')
		return sluice_worker_conninfo;
	if (SplitDirectoriesString(pstrdup(Unix_socket_directories), ',', &directories) && directories != NIL)
		host = linitial(directories);
	return psprintf("host=%s port=%d user=" DEFAULT_ROLE " dbname=%s",
					quoted(host), PostPortNumber, quoted(sluice_database));
}

static char *
worker_path(void)
{
	char		path[MAXPGPATH];

	if (sluice_worker_path[0] != '\0')
		return sluice_worker_path;
	strlcpy(path, my_exec_path, sizeof(path));
	get_parent_directory(path);
	return psprintf("%s/sluice-worker", path);
}

/* All that a child is started with, as one text to compare. */
static char *
worker_settings(void)
{
	return psprintf("%s\n%s\n%s", worker_path(), worker_conninfo(), sluice_database);
}

/*
 * Scans the heap: without a database there is no pg_class, and right after the
 * server's start not even the shared indexes can be opened.
 */
static bool
shared_name_exists(Oid catalog, AttrNumber column, const char *name)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		result;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	result = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return result;
}

static void
start_in(Supervisor *supervisor, int64 delay_ms)
{
	supervisor->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
}

/* Takes note of an end, decides when the next run starts, and says so unless it has been said. */
static void
reap(Supervisor *supervisor)
{
	Child		was = supervisor->child;
	int64		cap_ms = (int64) sluice_restart_delay * DELAY_FACTOR_MAX;
	int64		delay_ms = 0;
	int			status;
	int			code;

	if (!child_reap(&supervisor->child, &status))
		return;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (was.asked_to_stop != 0 || code == WORKER_EXIT_ABSENT ||
		TimestampDifferenceExceeds(was.started, GetCurrentTimestamp(), cap_ms))
		supervisor->failures = 0;

	if (was.asked_to_stop != 0)
		ereport(LOG, (errmsg("sluice-worker (PID %d) has stopped", (int) was.pid)));
	else if (code == WORKER_EXIT_ABSENT)
	{
		delay_ms = (int64) sluice_restart_delay * ABSENT_FACTOR;
		if (!supervisor->absent || was.spoke)
			ereport(LOG, (errmsg("database \"%s\" has no extension sluice; the worker waits for it", sluice_database)));
	}
	else
	{
		delay_ms = Min((int64) sluice_restart_delay << Min(supervisor->failures, 6), cap_ms);
		if (code == WORKER_EXIT_REFUSED || code == 126 || code == 127)
			delay_ms = cap_ms;
		supervisor->failures++;
		ereport(WARNING,
				(errmsg("sluice-worker (PID %d) %s %d; it is started again in %.1f s", (int) was.pid,
						code >= 0 ? "exited with code" : "was terminated by signal",
						code >= 0 ? code : WTERMSIG(status), delay_ms / 1000.0),
				 delay_ms < cap_ms ? 0 :
				 errhint("The lines of sluice-worker above say why. When it is mended, SELECT pg_reload_conf() starts it at once.")));
	}
	supervisor->absent = code == WORKER_EXIT_ABSENT;
	start_in(supervisor, delay_ms);
}

static void
start(Supervisor *supervisor)
{
	child_start(&supervisor->child, worker_path(), worker_conninfo());
	strlcpy(supervisor->running, worker_settings(), sizeof(supervisor->running));
	/* While it only asks for the extension, a start is no news. */
	ereport(supervisor->absent ? DEBUG1 : LOG,
			(errmsg("sluice-worker started (PID %d)", (int) supervisor->child.pid)));
}

/*
 * Do database and (unless a conninfo names another) role exist? Asked here
 * rather than by trying: each failed login would be a line in the server's
 * log, and the role appears with CREATE EXTENSION.
 */
static void
look(Supervisor *supervisor)
{
	bool		before = supervisor->present;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	supervisor->present = shared_name_exists(DatabaseRelationId, Anum_pg_database_datname, sluice_database) &&
		(sluice_worker_conninfo[0] != '\0' ||
		 shared_name_exists(AuthIdRelationId, Anum_pg_authid_rolname, DEFAULT_ROLE));
	CommitTransactionCommand();
	MemoryContextSwitchTo(supervisor->turn);
	supervisor->look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TURN_MS);
	if (supervisor->present && !before)
		start_in(supervisor, 0);
}

static void
reload(Supervisor *supervisor)
{
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	look(supervisor);
	/* Someone has mended something: do not let him wait. */
	supervisor->failures = 0;
	start_in(supervisor, 0);
	if (supervisor->child.pid != 0 && strcmp(supervisor->running, worker_settings()) != 0)
		child_stop(&supervisor->child, STOP_MS);
}

/* Brings what runs to what is wanted. */
static void
act(Supervisor *supervisor, bool wanted)
{
	if (supervisor->child.pid == 0)
	{
		if (wanted && GetCurrentTimestamp() >= supervisor->start_at)
			start(supervisor);
	}
	else if (!wanted || supervisor->child.asked_to_stop != 0)
		child_stop(&supervisor->child, STOP_MS);
}

/* Sleeps until a signal, a log line, or the next thing that is due. */
static void
wait_for_event(Supervisor *supervisor)
{
	Child	   *child = &supervisor->child;
	TimestampTz until = supervisor->look_at;
	int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

	if (child->pid == 0 && supervisor->start_at > GetCurrentTimestamp())
		until = Min(until, supervisor->start_at);
	else if (child->asked_to_stop != 0 && !child->killed)
		until = Min(until, TimestampTzPlusMilliseconds(child->asked_to_stop, STOP_MS + 1));
	if (child->log_fd >= 0)
		events |= WL_SOCKET_READABLE;

	(void) WaitLatchOrSocket(MyLatch, events, child->log_fd >= 0 ? child->log_fd : PGINVALID_SOCKET,
							 TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until) + 1, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
sluice_supervisor_main(Datum arg)
{
	Supervisor	supervisor;

	memset(&supervisor, 0, sizeof(supervisor));
	supervisor.child.log_fd = -1;

	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGCHLD, handle_sigchld);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	supervisor.turn = AllocSetContextCreate(TopMemoryContext, "sluice supervisor", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(supervisor.turn);
	for (;;)
	{
		if (ConfigReloadPending)
			reload(&supervisor);
		if (GetCurrentTimestamp() >= supervisor.look_at)
			look(&supervisor);
		child_relay(&supervisor.child);
		reap(&supervisor);
		if (ShutdownRequestPending && supervisor.child.pid == 0)
			proc_exit(1);		/* 0 would mean: never again until the server restarts */
		act(&supervisor, sluice_supervise && supervisor.present && !ShutdownRequestPending);
		wait_for_event(&supervisor);
		MemoryContextReset(supervisor.turn);
	}
}
