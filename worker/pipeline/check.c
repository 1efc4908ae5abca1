/*
 * check.c - the doctor's look at a target, asked for by the control plane.
 */
#include "pipeline/connect.h"
#include "pipeline/work.h"

int check_run(const Work *work, Error *error)
{
    const cJSON *target = json_member(work->claim, "target"), *batch;
    cJSON *message, *answer = NULL, *steps = NULL, *tickets;
    int status = connect_sink_check(target, work->beat, &steps, error);

    if (status == 0) {
        message = work_message(work);
        cJSON_AddNumberToObject(message, "target_id", (double)json_integer(target, "id", 0));
        cJSON_AddItemToObject(message, "steps", steps);
        tickets = cJSON_AddArrayToObject(message, "batches");
        cJSON_ArrayForEach(batch, json_member(work->claim, "batches"))
            cJSON_AddItemToArray(tickets, work_ticket(batch));
        status = control_call(work->control, "check_store", message, &answer, error);
        cJSON_Delete(message);
        cJSON_Delete(answer);
    }
    if (status < 0) {
        tickets = cJSON_CreateArray();
        cJSON_ArrayForEach(batch, json_member(work->claim, "batches"))
            cJSON_AddItemToArray(tickets, work_ticket(batch));
        work_fail(work, tickets, error);
    }
    return status;
}
