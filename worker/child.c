/* child.c - see child.h */
#include "child.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_FIRST_MS 250
#define RESTART_LAST_MS 30000
#define HEALTHY_MS 60000
#define BEAT_EVERY_MS 500

static volatile sig_atomic_t child_stopping; /* set by a signal handler: nothing else can reach it */

static void child_on_signal(int number)
{
    (void)number;
    child_stopping = 1;
}

void child_begin(void)
{
    struct sigaction action = {.sa_handler = child_on_signal};
    pid_t parent = getppid();

    sigaction(SIGTERM, &action, NULL);
    signal(SIGINT, SIG_IGN); /* a person's Ctrl-C reaches the main process, which stops us in order */
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent == 1 || getppid() != parent)
        _exit(1);
    if (fcntl(CHILD_BEAT_FD, F_SETFL, O_NONBLOCK) < 0)
        _exit(1); /* not started by the main process */
}

int child_beat(void *context)
{
    static int64_t last_ms; /* one process, one pulse */
    int64_t now = clock_monotonic_ms();

    (void)context;
    if (now - last_ms >= BEAT_EVERY_MS) {
        last_ms = now;
        if (write(CHILD_BEAT_FD, "", 1) < 0 && errno == EPIPE)
            return 1;
    }
    return child_stopping;
}

/* Between fork and exec: async-signal-safe calls only. */
static void child_exec(int beat_fd, char *const arguments[])
{
    sigset_t none;

    if (beat_fd != CHILD_BEAT_FD)
        dup2(beat_fd, CHILD_BEAT_FD);
    else
        fcntl(beat_fd, F_SETFD, 0);
    closefrom(CHILD_BEAT_FD + 1);
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

static int child_start(Child *child, int64_t worker_id)
{
    char worker[24], source[24];
    char *const poller[] = {"sluice-worker", "poller", worker, source, NULL};
    char *const runner[] = {"sluice-worker", "runner", worker, NULL};
    int ends[2];

    snprintf(worker, sizeof worker, "%lld", (long long)worker_id);
    snprintf(source, sizeof source, "%lld", (long long)child->source_id);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    child->pid = fork();
    if (child->pid == 0)
        child_exec(ends[1], child->source_id ? poller : runner);
    close(ends[1]);
    if (child->pid < 0) {
        close(ends[0]);
        child->pid = 0;
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->beat_fd = ends[0];
    child->beat_ms = child->started_ms = clock_monotonic_ms();
    child->kill_ms = 0;
    return 0;
}

static Child *child_find(Children *children, int64_t source_id, int nth)
{
    for (int i = 0; i < children->count; i++)
        if (children->list[i].source_id == source_id && nth-- == 0)
            return &children->list[i];
    if (children->count == CHILDREN_MAX)
        return NULL;
    children->list[children->count] = (Child){.source_id = source_id};
    return &children->list[children->count++];
}

void children_want(Children *children, const cJSON *pollers, int runners)
{
    const cJSON *source;
    Child *child;

    for (int i = 0; i < children->count; i++)
        children->list[i].wanted = false;
    cJSON_ArrayForEach(source, pollers) {
        child = child_find(children, (int64_t)source->valuedouble, 0);
        if (child)
            child->wanted = true;
        else
            log_line(LOG_WARNING, "more than %d sources and runners: start a second worker", CHILDREN_MAX);
    }
    for (int i = 0; i < runners && i < RUNNERS_MAX; i++) {
        child = child_find(children, 0, i);
        if (child)
            child->wanted = true;
    }
}

static void child_watch(Child *child, int64_t now)
{
    char beats[64];

    while (read(child->beat_fd, beats, sizeof beats) > 0)
        child->beat_ms = now;
    if (!child->wanted && !child->kill_ms) {
        kill(child->pid, SIGTERM);
        child->kill_ms = now + CHILD_STOP_MS;
    }
    if (now - child->beat_ms > CHILD_SILENCE_MS) {
        log_line(LOG_WARNING, "%s %d has been silent for %d s and is killed", child->source_id ? "poller" : "runner", (int)child->pid,
                 CHILD_SILENCE_MS / 1000);
        child->beat_ms = now;
        kill(child->pid, SIGKILL);
    } else if (child->kill_ms && now > child->kill_ms) {
        kill(child->pid, SIGKILL);
    }
}

void children_service(Children *children)
{
    int64_t now = clock_monotonic_ms();

    for (int i = 0; i < children->count; i++) {
        Child *child = &children->list[i];

        if (child->pid)
            child_watch(child, now);
        else if (child->wanted && now >= child->restart_ms && child_start(child, children->worker_id) < 0) {
            log_line(LOG_ERROR, "a child cannot be started: %s", strerror(errno));
            child->restart_ms = now + RESTART_LAST_MS;
        }
    }
}

static void child_ended(Child *child, int status, int64_t now)
{
    const char *kind = child->source_id ? "poller" : "runner";
    int64_t pause = RESTART_FIRST_MS;

    if (WIFSIGNALED(status) && !child->kill_ms)
        log_line(LOG_WARNING, "%s %d was terminated by signal %d", kind, (int)child->pid, WTERMSIG(status));
    if (now - child->started_ms > HEALTHY_MS || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        child->failures = 0;
    else if (child->failures < 16)
        child->failures++;
    for (int i = 1; i < child->failures && pause < RESTART_LAST_MS; i++)
        pause *= 2;
    child->restart_ms = now + (pause < RESTART_LAST_MS ? pause : RESTART_LAST_MS);
    close(child->beat_fd);
    child->pid = 0;
}

void children_reap(Children *children, void (*gone)(void *context, pid_t pid), void *context)
{
    int status;

    for (int i = 0; i < children->count; i++) {
        Child *child = &children->list[i];
        pid_t pid = child->pid;

        if (!pid || waitpid(pid, &status, WNOHANG) != pid)
            continue;
        child_ended(child, status, clock_monotonic_ms());
        if (gone)
            gone(context, pid);
    }
}

static int children_running(const Children *children)
{
    int running = 0;

    for (int i = 0; i < children->count; i++)
        running += children->list[i].pid != 0;
    return running;
}

void children_stop(Children *children)
{
    for (int i = 0; i < children->count; i++)
        children->list[i].wanted = false;
    while (children_running(children)) {
        for (int i = 0; i < children->count; i++)
            if (children->list[i].pid)
                child_watch(&children->list[i], clock_monotonic_ms());
        clock_sleep_ms(20);
        children_reap(children, NULL, NULL);
    }
    children->count = 0;
}

cJSON *children_pids(const Children *children)
{
    cJSON *pids = cJSON_CreateArray();

    for (int i = 0; i < children->count; i++)
        if (children->list[i].pid)
            cJSON_AddItemToArray(pids, cJSON_CreateNumber(children->list[i].pid));
    return pids;
}
