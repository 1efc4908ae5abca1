/*
 * check.c - the doctor's look at a target, asked for by the control plane.
 */
#include "pipeline/connect.h"
#include "pipeline/work.h"

int check_run(const Work *work, Error *error)
{
    const cJSON *target = json_member(work->claim, "target"), *batches = json_member(work->claim, "batches");
    cJSON *message, *answer = NULL, *steps = NULL;
    int status = connect_sink_check(target, work->beat, &steps, error);

    if (status == 0) {
        message = work_message(work);
        cJSON_AddNumberToObject(message, "target_id", (double)json_integer(target, "id", 0));
        cJSON_AddItemToObject(message, "steps", steps);
        cJSON_AddItemToObject(message, "batches", work_tickets(batches ? batches->child : NULL, WORK_ALL));
        status = control_call(work->control, "check_store", message, &answer, error);
        cJSON_Delete(message);
        cJSON_Delete(answer);
    }
    if (status < 0)
        work_fail(work, work_tickets(batches ? batches->child : NULL, WORK_ALL), error);
    return status;
}
