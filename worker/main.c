/*
 * main.c - sluice-worker: command line, the main process's loop, the children's entry points.
 *
 * The main process keeps one connection to PostgreSQL, renews leases, starts and watches children, and does nothing else. If
 * that connection is lost its children are stopped, since their leases can no longer be renewed, and it begins anew.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "child.h"
#include "config_command.h"
#include "control/control.h"
#include "pipeline/connect.h"
#include "pipeline/pipeline.h"
#include "vault_command.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXIT_STOPPED = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3, /* will not run until a person acts */
    EXIT_ABSENT = 4   /* the extension is not installed in the database (any more) */
};

#define RECONNECT_FIRST_MS 500
#define RECONNECT_LAST_MS 30000
#define CONNINFO_MAX 4096

static int main_wake[2] = {-1, -1};              /* self-pipe: a signal handler has no other way */
static volatile sig_atomic_t main_stopping;

static void main_on_signal(int number)
{
    if (number != SIGCHLD)
        main_stopping = 1;
    if (write(main_wake[1], "", 1) < 0)
        return; /* full: it will wake anyway */
}

typedef struct Run {
    const char *conninfo;
    bool once;
    Control *control;
    int64_t worker_id;
    Children children;
} Run;

static int run_beat(void *context)
{
    children_service(&((Run *)context)->children);
    return 0;
}

static cJSON *run_message(const Run *run)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddNumberToObject(message, "worker_id", (double)run->worker_id);
    return message;
}

static int run_tell(Run *run, const char *function, cJSON *message, cJSON **answer, Error *error)
{
    int status = control_call(run->control, function, message, answer, error);

    cJSON_Delete(message);
    return status;
}

static void run_child_gone(void *context, pid_t pid)
{
    Run *run = context;
    cJSON *message = run_message(run), *answer = NULL;
    Error ignored; /* the lease runs out by itself */

    cJSON_AddNumberToObject(message, "pid", pid);
    if (run_tell(run, "child_gone", message, &answer, &ignored) < 0)
        log_error(LOG_WARNING, &ignored);
    cJSON_Delete(answer);
}

static int run_start(Run *run, Error *error)
{
    cJSON *message = cJSON_CreateObject(), *answer = NULL;
    char host[256] = "";

    gethostname(host, sizeof host - 1);
    cJSON_AddStringToObject(message, "host", host);
    cJSON_AddNumberToObject(message, "pid", getpid());
    cJSON_AddStringToObject(message, "version", SLUICE_VERSION);
    cJSON_AddNumberToObject(message, "api", API_VERSION);
    if (run_tell(run, "worker_start", message, &answer, error) < 0)
        return -1;
    run->worker_id = json_integer(answer, "worker_id", 0);
    cJSON_Delete(answer);
    if (!run->worker_id)
        return error_set(error, ERROR_INTERNAL, NULL, "worker_start gave no worker_id");
    run->children.worker_id = run->worker_id;
    log_line(LOG_INFO, "worker %lld of version %s has started", (long long)run->worker_id, SLUICE_VERSION);
    return 0;
}

/* One beat; *wait_ms until the next. *finished: asked to stop, or --once and all is in step. */
static int run_turn(Run *run, int *wait_ms, bool *finished, Error *error)
{
    cJSON *message = run_message(run), *answer = NULL;

    cJSON_AddItemToObject(message, "children", children_pids(&run->children));
    if (run_tell(run, "worker_beat", message, &answer, error) < 0)
        return -1;
    *finished = !answer || !json_boolean(answer, "run", false) || (run->once && json_boolean(answer, "settled", false));
    *wait_ms = (int)json_integer(answer, "idle_ms", 1000);
    children_want(&run->children, json_member(answer, "pollers"), (int)json_integer(answer, "runners", 2));
    cJSON_Delete(answer);
    return 0;
}

static void run_stop(Run *run)
{
    cJSON *answer = NULL;
    Error ignored; /* leases run out by themselves */

    children_stop(&run->children);
    if (run->control && run->worker_id && !control_lost(run->control))
        run_tell(run, "worker_stop", run_message(run), &answer, &ignored);
    cJSON_Delete(answer);
    control_close(run->control);
    run->control = NULL;
    run->worker_id = 0;
}

/* From login to the loss of the connection (-1) or an orderly end (0). */
static int run_session(Run *run, Error *error)
{
    bool finished = false;
    int wait_ms;
    char drain[64];

    if (control_open(run->conninfo, "sluice worker", (Beat){run_beat, run}, &run->control, error) < 0 || run_start(run, error) < 0)
        return -1;
    while (!main_stopping && !finished) {
        if (run_turn(run, &wait_ms, &finished, error) < 0)
            return -1;
        if (finished)
            break;
        children_service(&run->children);
        if (control_wait(run->control, main_wake[0], wait_ms, error) < 0)
            return -1;
        while (read(main_wake[0], drain, sizeof drain) > 0)
            ;
        children_reap(&run->children, run_child_gone, run);
    }
    return 0;
}

static int run_main(Run *run)
{
    struct sigaction action = {.sa_handler = main_on_signal};
    int64_t pause = RECONNECT_FIRST_MS;
    Error error;

    if (pipe2(main_wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return EXIT_FAILED;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    for (;;) {
        int64_t began = clock_monotonic_ms();
        int status = run_session(run, &error);

        run_stop(run);
        if (status == 0 || main_stopping) {
            log_line(LOG_INFO, "worker has stopped");
            return EXIT_STOPPED;
        }
        /* The supervisor says it once by the exit code; whoever runs us by hand reads it here. */
        if (error.kind != ERROR_GONE || isatty(STDERR_FILENO))
            log_error(LOG_ERROR, &error);
        if (error.kind == ERROR_GONE)
            return EXIT_ABSENT;
        if (error.kind == ERROR_PERMANENT)
            return EXIT_REFUSED;
        if (run->once)
            return EXIT_FAILED;
        pause = clock_monotonic_ms() - began > RECONNECT_LAST_MS ? RECONNECT_FIRST_MS : pause * 2;
        clock_sleep_ms(pause < RECONNECT_LAST_MS ? pause : RECONNECT_LAST_MS);
        if (main_stopping)
            return EXIT_STOPPED;
    }
}

static int steps_print(const char *object, const cJSON *steps)
{
    const cJSON *step;
    int failed = 0;

    cJSON_ArrayForEach(step, steps) {
        bool skipped = json_boolean(step, "skipped", false), ok = json_boolean(step, "ok", false);

        failed += !skipped && !ok && strcmp(json_text(step, "severity", "error"), "error") == 0;
        printf("%-7s %-20s %-18s %6lld ms  %s%s%s\n", skipped ? "skipped" : ok ? "ok" : "FAILED", object, json_text(step, "check", ""),
               (long long)json_integer(step, "ms", 0), json_text(step, "found", ""), ok || skipped ? "" : "  wanted: ",
               ok || skipped ? "" : json_text(step, "wanted", ""));
    }
    return failed;
}

static int check_config(const char *conninfo)
{
    Control *control = NULL;
    cJSON *config = NULL, *steps = NULL;
    const cJSON *entry;
    Error error;
    int failed = 0;

    if (control_open(conninfo, "sluice check", (Beat){0}, &control, &error) < 0 ||
        control_call(control, "worker_config", NULL, &config, &error) < 0) {
        log_error(LOG_ERROR, &error);
        control_close(control);
        return EXIT_REFUSED;
    }
    for (int part = 0; part < 2; part++) {
        cJSON_ArrayForEach(entry, json_member(config, part ? "targets" : "sources")) {
            int status = part ? connect_sink_check(entry, (Beat){0}, &steps, &error) : connect_source_check(entry, (Beat){0}, &steps, &error);

            if (status < 0) {
                log_error(LOG_ERROR, &error);
                failed++;
                continue;
            }
            failed += steps_print(json_text(entry, "name", "?"), steps);
            cJSON_Delete(steps);
        }
    }
    cJSON_Delete(config);
    control_close(control);
    return failed ? EXIT_FAILED : EXIT_STOPPED;
}

static int child_main(const char *conninfo, char **arguments)
{
    ChildSpec spec = {.conninfo = conninfo, .worker_id = strtoll(arguments[1], NULL, 10), .beat = {child_beat, NULL}};
    bool poller = strcmp(arguments[0], "poller") == 0;
    Error error = {0};
    int status;

    child_begin();
    if (poller)
        spec.source_id = strtoll(arguments[2], NULL, 10);
    status = poller ? poller_main(&spec, &error) : runner_main(&spec, &error);
    if (status < 0)
        log_error(LOG_WARNING, &error);
    return status < 0 ? EXIT_FAILED : EXIT_STOPPED;
}

static int usage(void)
{
    fputs("usage: sluice-worker run [--once] [--conninfo-file FILE]\n"
          "       sluice-worker --check-config [--conninfo-file FILE]\n"
          "       sluice-worker config export|diff|import [FILE ..] [--conninfo-file FILE]\n"
          "       sluice-worker vault encrypt|decrypt|view|rekey FILE [--key-file KEY]\n"
          "       sluice-worker --version\n"
          "\n"
          "The connection to PostgreSQL is a libpq conninfo in the environment variable SLUICE_CONNINFO or the first line of FILE.\n"
          "--once stops when every table is in step with its source, and fails where PostgreSQL cannot be had. --check-config tries every source and target and exits\n"
          "with 1 if a step fails. Exit codes of run: 0 stopped, 1 failed, 3 refused until somebody acts, 4 extension absent.\n",
          stderr);
    return EXIT_USAGE;
}

/* The conninfo may hold a password: it comes by environment or file, never by the command line that everybody can see. */
static const char *conninfo_find(const char *path)
{
    static char text[CONNINFO_MAX]; /* children inherit it through the environment */
    const char *conninfo = getenv("SLUICE_CONNINFO");
    FILE *file;

    if (!path) {
        if (!conninfo)
            log_line(LOG_ERROR, "no connection to PostgreSQL is given HINT: set SLUICE_CONNINFO or --conninfo-file");
        return conninfo;
    }
    file = fopen(path, "re");
    if (!file || !fgets(text, sizeof text, file)) {
        log_line(LOG_ERROR, "--conninfo-file %s cannot be read: %s HINT: its first line is a libpq conninfo", path, file ? "it is empty" : strerror(errno));
        text[0] = '\0';
    }
    if (file)
        fclose(file);
    text[strcspn(text, "\r\n")] = '\0';
    setenv("SLUICE_CONNINFO", text, 1);
    return text[0] ? text : NULL;
}

static void secrets_guard(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
}

int main(int count, char **arguments)
{
    const char *command = NULL, *path = NULL, *conninfo;
    bool child;
    Run run = {0};

    if (count > 1 && strcmp(arguments[1], "vault") == 0) {
        secrets_guard();
        return vault_command(count - 2, arguments + 2);
    }
    if (count > 1 && strcmp(arguments[1], "config") == 0) {
        secrets_guard();
        return config_command(count - 2, arguments + 2, conninfo_find(config_conninfo_file(count - 2, arguments + 2)));
    }
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--once") == 0)
            run.once = true;
        else if (strcmp(arguments[i], "--conninfo-file") == 0 && i + 1 < count)
            path = arguments[++i];
        else if (!command)
            command = arguments[i];
        else if (strcmp(command, "poller") != 0 && strcmp(command, "runner") != 0)
            return usage();
    }
    if (!command)
        return usage();
    if (strcmp(command, "--version") == 0)
        return printf("sluice-worker %s\n", SLUICE_VERSION) < 0;
    child = (strcmp(command, "poller") == 0 && count == 4) || (strcmp(command, "runner") == 0 && count == 3);
    if (!child && strcmp(command, "--check-config") != 0 && strcmp(command, "run") != 0)
        return usage();
    secrets_guard();
    mallopt(M_MMAP_THRESHOLD, (int)MMAP_BYTES);
    conninfo = conninfo_find(path);
    if (!conninfo)
        return EXIT_REFUSED;
    if (child)
        return child_main(conninfo, arguments + 1);
    if (strcmp(command, "--check-config") == 0)
        return check_config(conninfo);
    run.conninfo = conninfo;
    return run_main(&run);
}
