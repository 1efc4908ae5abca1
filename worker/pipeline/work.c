/* work.c - see work.h */
#include "pipeline/work.h"

#include "base/hex.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

cJSON *work_message(const Work *work)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddNumberToObject(message, "worker_id", (double)work->worker_id);
    return message;
}

cJSON *work_ticket(const cJSON *batch)
{
    cJSON *ticket = cJSON_CreateObject();

    cJSON_AddNumberToObject(ticket, "batch_id", (double)json_integer(batch, "batch_id", 0));
    cJSON_AddNumberToObject(ticket, "generation", (double)json_integer(batch, "generation", 0));
    return ticket;
}

cJSON *work_batch_message(const Work *work, const cJSON *batch)
{
    cJSON *message = work_ticket(batch);

    cJSON_AddNumberToObject(message, "worker_id", (double)work->worker_id);
    return message;
}

cJSON *work_tickets(const cJSON *first, int count)
{
    cJSON *tickets = cJSON_CreateArray();

    for (const cJSON *batch = first; batch && count > 0; batch = batch->next, count--)
        cJSON_AddItemToArray(tickets, work_ticket(batch));
    return tickets;
}

void work_fail(const Work *work, cJSON *tickets, const Error *error)
{
    bool release = error->kind == ERROR_INTERRUPTED;
    cJSON *message = work_message(work), *answer = NULL;
    Error ignored;

    log_error(release ? LOG_INFO : LOG_WARNING, error);
    cJSON_AddItemToObject(message, "batches", tickets);
    if (!release) {
        cJSON_AddStringToObject(message, "kind", error_kind_name(error->kind));
        cJSON_AddStringToObject(message, "code", error->code);
        cJSON_AddStringToObject(message, "message", error->message);
        cJSON_AddStringToObject(message, "hint", error->hint);
    }
    /* What a stopping process cannot release any more, its parent does: no word of it. */
    if (error->kind != ERROR_FENCED && !control_lost(work->control) &&
        control_call(work->control, release ? "batch_release" : "batch_fail", message, &answer, &ignored) < 0 && !release)
        log_error(LOG_WARNING, &ignored);
    cJSON_Delete(answer);
    cJSON_Delete(message);
}

void work_excuse(Error *error)
{
    if ((error->kind == ERROR_PERMANENT || error->kind == ERROR_GONE) && strcmp(error->code, FOREIGN_OBJECT) != 0)
        error->kind = ERROR_TRANSIENT;
}

int work_target(int status, Error *error)
{
    if (status < 0)
        work_excuse(error);
    return status;
}

int work_attempt(char ret[33], Error *error)
{
    uint8_t bits[16];

    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        return error_set(error, ERROR_TRANSIENT, NULL, "no random numbers: %s", strerror(errno));
    hex_encode(bits, sizeof bits, ret);
    ret[32] = '\0';
    return 0;
}
