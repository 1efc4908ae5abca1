/*
 * sweep.c - uploads that nobody finished and no lease speaks for any more are ended after a week: they cost money and are never seen.
 */
#include "pipeline/walk.h"

#include "base/log.h"

#define SWEEP_DAYS 7
#define DAY_S 86400

int sweep_uploads(const Work *work, const cJSON *batch, int *ended, Error *error)
{
    const cJSON *prefix;
    int status = 0;

    cJSON_ArrayForEach(prefix, json_member(batch, "sweep")) {
        if (status == 0)
            status = sink_uploads_sweep(work->sink, prefix->valuestring, SWEEP_DAYS * DAY_S, ended, error);
    }
    if (*ended)
        log_line(LOG_NOTICE, "ended %d unfinished uploads of more than %d days", *ended, SWEEP_DAYS);
    if (status < 0 && error->kind == ERROR_INTERRUPTED)
        return -1;
    if (status < 0)
        log_error(LOG_WARNING, error);
    return 0;
}

static int sweep_one(const Work *work, const cJSON *batch, Error *error)
{
    cJSON *message;
    int ended = 0;
    bool ignored;

    if (sweep_uploads(work, batch, &ended, error) < 0)
        return -1;
    message = work_batch_message(work, batch);
    cJSON_AddNumberToObject(message, "ended", ended);
    return walk_tell(work, "sweep_done", message, &ignored, error);
}

int sweep_run(const Work *work, Error *error)
{
    return walk_run(work, sweep_one, error);
}
