/*
 * runner.c - takes batches one claim after another and keeps the connections they need.
 */
#include "pipeline/connect.h"
#include "pipeline/pipeline.h"
#include "pipeline/work.h"

#include "base/crash.h"
#include "base/log.h"

#include <string.h>
#include <unistd.h>

#define IDLE_MS 1000     /* NOTIFY wakes earlier */
#define FAILED_PAUSE_MS 200

typedef struct Runner {
    const ChildSpec *spec;
    Control *control;
    KeptSource source;
    KeptSink sink;
} Runner;

static int runner_connect(Runner *runner, const cJSON *claim, bool wants_source, Error *error)
{
    const cJSON *source = json_member(claim, "source"), *target = json_member(claim, "target");

    log_context("runner", json_text(source, "name", NULL), NULL, 0);
    if (wants_source && connect_source_keep(&runner->source, source, runner->spec->beat, error) < 0)
        return error_prefix(error, "source %s", json_text(source, "name", "?"));
    if (connect_sink_keep(&runner->sink, target, runner->spec->beat, error) < 0)
        return error_prefix(error, "target %s", json_text(target, "name", "?"));
    return 0;
}

/* Work that reads no source. */
static const struct {
    const char *work;
    int (*run)(const Work *work, Error *error);
} others[] = {{"epoch", epoch_run}, {"recover", recover_run}, {"verify", verify_run}, {"purge", purge_run}, {"sweep", sweep_run}};

/* Does what was claimed; every outcome has been told to the control plane when it returns. */
static int runner_do(Runner *runner, const cJSON *claim, Error *error)
{
    const char *kind = json_text(claim, "work", "");
    Work work = {.control = runner->control, .beat = runner->spec->beat, .worker_id = runner->spec->worker_id, .claim = claim};
    bool reads = strcmp(kind, "load") == 0 || strcmp(kind, "cdc") == 0;
    const cJSON *batches = json_member(claim, "batches");

    if (strcmp(kind, "check") == 0)
        return check_run(&work, error);
    if (runner_connect(runner, claim, reads, error) < 0) {
        work_excuse(error);
        work_fail(&work, work_tickets(batches ? batches->child : NULL, WORK_ALL), error);
        return -1;
    }
    work.source = runner->source.source;
    work.sink = runner->sink.sink;
    if (reads)
        return group_run(&work, error);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(kind, others[i].work) == 0)
            return others[i].run(&work, error);
    }
    return error_set(error, ERROR_INTERNAL, NULL, "unknown work \"%s\"", kind);
}

static int runner_turn(Runner *runner, Error *error)
{
    cJSON *message = cJSON_CreateObject(), *claim = NULL;
    int status;

    log_context("runner", NULL, NULL, 0);
    cJSON_AddNumberToObject(message, "worker_id", (double)runner->spec->worker_id);
    cJSON_AddNumberToObject(message, "pid", (double)getpid());
    cJSON_AddNumberToObject(message, "max", LOG_BATCHES_MAX);
    status = control_call(runner->control, "batch_claim", message, &claim, error);
    cJSON_Delete(message);
    if (status < 0)
        return -1;
    if (!claim)
        return control_wait(runner->control, -1, IDLE_MS, error);
    CRASH_POINT("claim_after");
    if (runner_do(runner, claim, error) < 0) {
        connect_source_drop(&runner->source);
        connect_sink_drop(&runner->sink);
        if (error->kind == ERROR_INTERRUPTED || control_lost(runner->control))
            status = -1;
        else
            status = control_wait(runner->control, -1, FAILED_PAUSE_MS, error);
    }
    cJSON_Delete(claim);
    return status;
}

int runner_main(const ChildSpec *spec, Error *error)
{
    Runner runner = {.spec = spec};
    int status;

    log_context("runner", NULL, NULL, 0);
    status = control_open(spec->conninfo, "sluice runner", spec->beat, &runner.control, error);
    while (status == 0)
        status = runner_turn(&runner, error);
    connect_source_drop(&runner.source);
    connect_sink_drop(&runner.sink);
    control_close(runner.control);
    return error->kind == ERROR_INTERRUPTED || error->kind == ERROR_FENCED ? 0 : -1;
}
