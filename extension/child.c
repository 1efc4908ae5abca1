/*
 * child.c: fork, exec, log pipe and signals of one sluice-worker.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "child.h"

#define RELAY_READS_MAX 16		/* of 4 KiB each: the latch is served in between */

/*
 * The child between fork and exec. The server's handlers, signal mask,
 * descriptors and protection from the OOM killer do not reach the program.
 */
static void
child_exec(const char *path, int log_fd, pid_t parent)
{
	char	   *argv[] = {"sluice-worker", "run", NULL};
	sigset_t	none;
	int			fd = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 ||
		dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		_exit(1);
	closefrom(STDERR_FILENO + 1);
	/* Raising it to 0 is always allowed; lowering it is not ours, and is refused. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	(void) !write(fd, "0", 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	dprintf(STDERR_FILENO, "FATAL\tcould not execute sluice.worker_path %s: %s\n", path, strerror(errno));
	_exit(127);
}

void
child_start(Child *child, const char *path, const char *conninfo)
{
	pid_t		parent = getpid();
	sigset_t	all;
	sigset_t	before;
	int			pipe_fd[2];
	pid_t		pid;

	if (pipe2(pipe_fd, O_CLOEXEC) != 0)
		ereport(ERROR, (errmsg("could not create a pipe for sluice-worker: %m")));
	fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	setenv("SLUICE_CONNINFO", conninfo, 1);

	/* No handler of the server may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_exec(path, pipe_fd[1], parent);
	sigprocmask(SIG_SETMASK, &before, NULL);

	if (pid < 0)
		ereport(ERROR, (errmsg("could not fork sluice-worker: %m")));
	close(pipe_fd[1]);
	memset(child, 0, sizeof(*child));
	child->pid = pid;
	child->log_fd = pipe_fd[0];
	child->started = GetCurrentTimestamp();
}

/*
 * One line of the child, `LEVEL<tab>text`. Its errors are not ours: nothing is
 * reported at ERROR, which would end the supervisor. Anything else (an abort
 * message, a sanitizer's report) is passed on as it is.
 */
static void
relay_line(Child *child)
{
	static const char *const words[] = {"DEBUG\t", "INFO\t", "NOTICE\t", "WARNING\t", "ERROR\t", "FATAL\t"};
	static const char *const prefixes[] = {"", "", "", "", "error: ", "fatal: "};
	static const int elevels[] = {DEBUG1, LOG, LOG, WARNING, WARNING, WARNING};
	char	   *text = child->line;
	int			elevel = LOG;
	const char *prefix = "";

	child->line[child->line_bytes] = '\0';
	for (int i = 0; i < lengthof(words); i++)
	{
		if (strncmp(child->line, words[i], strlen(words[i])) == 0)
		{
			elevel = elevels[i];
			prefix = prefixes[i];
			text = child->line + strlen(words[i]);
		}
	}
	/* What a source's error message holds must not draw lines of its own. */
	for (char *c = text; *c != '\0'; c++)
	{
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
	}
	if (*text != '\0')
		ereport(elevel, (errmsg_internal("sluice-worker: %s%s%s", prefix, text,
										 child->line_cut ? " [cut]" : "")));
	child->spoke |= elevel >= LOG;
	child->line_bytes = 0;
}

static void
relay_bytes(Child *child, const char *bytes, ssize_t count)
{
	for (ssize_t i = 0; i < count; i++)
	{
		bool		end = bytes[i] == '\n';

		if (!child->line_cut && !end && child->line_bytes < CHILD_LINE_BYTES - 1)
			child->line[child->line_bytes++] = bytes[i] == '\0' ? ' ' : bytes[i];
		else if (!child->line_cut)
		{
			child->line_cut = !end;
			relay_line(child);
		}
		else
			child->line_cut = !end;
	}
}

void
child_relay(Child *child)
{
	char		bytes[4096];

	for (int reads = 0; child->log_fd >= 0 && reads < RELAY_READS_MAX; reads++)
	{
		ssize_t		count = read(child->log_fd, bytes, sizeof(bytes));

		if (count > 0)
			relay_bytes(child, bytes, count);
		else if (count < 0 && errno == EAGAIN)
			return;
		else if (count == 0 || errno != EINTR)
		{
			/* It has closed its standard error; waiting on it would spin. */
			close(child->log_fd);
			child->log_fd = -1;
		}
	}
}

void
child_stop(Child *child, int patience_ms)
{
	if (child->asked_to_stop == 0)
	{
		child->asked_to_stop = GetCurrentTimestamp();
		kill(child->pid, SIGTERM);
	}
	else if (!child->killed && TimestampDifferenceExceeds(child->asked_to_stop, GetCurrentTimestamp(), patience_ms))
	{
		ereport(WARNING, (errmsg("sluice-worker (PID %d) has not stopped within %d s and is killed",
								 (int) child->pid, patience_ms / 1000)));
		child->killed = true;
		kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);
	}
}

bool
child_reap(Child *child, int *status)
{
	siginfo_t	info = {0};

	if (child->pid == 0)
		return false;
	if (waitid(P_PID, child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
		return false;

	/* What it forked must not write beside its successor. Not reaped yet, so the group's number is its own. */
	kill(-child->pid, SIGKILL);
	*status = 0;
	waitpid(child->pid, status, 0);
	child_relay(child);
	if (child->line_bytes > 0 && !child->line_cut)
		relay_line(child);
	if (child->log_fd >= 0)
		close(child->log_fd);
	memset(child, 0, sizeof(*child));
	child->log_fd = -1;
	return true;
}
