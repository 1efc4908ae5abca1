/*
 * runner.c - takes batches one claim after another and keeps the connections they need.
 *
 * A connection is kept while claims are of the same source or target with the same options, and dropped at any failure, so that
 * a broken one is never used twice.
 */
#include "pipeline/connect.h"
#include "pipeline/pipeline.h"
#include "pipeline/work.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 1000     /* NOTIFY wakes earlier */
#define FAILED_PAUSE_MS 200

typedef struct Runner {
    const ChildSpec *spec;
    Control *control;
    Source *source;
    Sink *sink;
    char *source_made_of, *sink_made_of; /* the registry rows the connections were opened from */
} Runner;

static void runner_drop_source(Runner *runner)
{
    source_close(runner->source);
    cJSON_free(runner->source_made_of);
    runner->source = NULL;
    runner->source_made_of = NULL;
}

static void runner_drop_sink(Runner *runner)
{
    sink_close(runner->sink);
    cJSON_free(runner->sink_made_of);
    runner->sink = NULL;
    runner->sink_made_of = NULL;
}

static int runner_source(Runner *runner, const cJSON *source, Error *error)
{
    char *made_of = cJSON_PrintUnformatted(source);

    if (runner->source && strcmp(made_of, runner->source_made_of) == 0) {
        cJSON_free(made_of);
        return 0;
    }
    runner_drop_source(runner);
    runner->source_made_of = made_of;
    return connect_source(source, runner->spec->beat, &runner->source, error);
}

static int runner_sink(Runner *runner, const cJSON *target, Error *error)
{
    char *made_of = cJSON_PrintUnformatted(target);

    if (runner->sink && strcmp(made_of, runner->sink_made_of) == 0) {
        cJSON_free(made_of);
        return 0;
    }
    runner_drop_sink(runner);
    runner->sink_made_of = made_of;
    return connect_sink(target, runner->spec->beat, &runner->sink, error);
}

static int runner_connect(Runner *runner, const cJSON *claim, bool wants_source, Error *error)
{
    const cJSON *source = json_member(claim, "source"), *target = json_member(claim, "target");

    log_context("runner", json_text(source, "name", NULL), NULL, 0);
    if (wants_source && runner_source(runner, source, error) < 0)
        return error_prefix(error, "source %s", json_text(source, "name", "?"));
    if (runner_sink(runner, target, error) < 0)
        return error_prefix(error, "target %s", json_text(target, "name", "?"));
    return 0;
}

/* Does what was claimed; every outcome has been told to the control plane when it returns. */
static int runner_do(Runner *runner, const cJSON *claim, Error *error)
{
    const char *kind = json_text(claim, "work", "");
    Work work = {.control = runner->control, .beat = runner->spec->beat, .worker_id = runner->spec->worker_id, .claim = claim};
    bool reads = strcmp(kind, "load") == 0 || strcmp(kind, "cdc") == 0;
    cJSON *tickets;
    const cJSON *batch;

    if (strcmp(kind, "check") == 0)
        return check_run(&work, error);
    if (runner_connect(runner, claim, reads, error) < 0) {
        tickets = cJSON_CreateArray();
        cJSON_ArrayForEach(batch, json_member(claim, "batches"))
            cJSON_AddItemToArray(tickets, work_ticket(batch));
        work_fail(&work, tickets, error);
        return -1;
    }
    work.source = runner->source;
    work.sink = runner->sink;
    if (reads)
        return group_run(&work, error);
    return strcmp(kind, "epoch") == 0 ? epoch_run(&work, error) : recover_run(&work, error);
}

static int runner_turn(Runner *runner, Error *error)
{
    cJSON *message = cJSON_CreateObject(), *claim = NULL;
    int status;

    log_context("runner", NULL, NULL, 0);
    cJSON_AddNumberToObject(message, "worker_id", (double)runner->spec->worker_id);
    cJSON_AddNumberToObject(message, "pid", (double)getpid());
    cJSON_AddNumberToObject(message, "max", GROUP_BATCHES_MAX);
    status = control_call(runner->control, "batch_claim", message, &claim, error);
    cJSON_Delete(message);
    if (status < 0)
        return -1;
    if (!claim)
        return control_wait(runner->control, -1, IDLE_MS, error);
    if (runner_do(runner, claim, error) < 0) {
        runner_drop_source(runner);
        runner_drop_sink(runner);
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
    runner_drop_source(&runner);
    runner_drop_sink(&runner);
    control_close(runner.control);
    return error->kind == ERROR_INTERRUPTED || error->kind == ERROR_FENCED ? 0 : -1;
}
