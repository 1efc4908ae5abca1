/*
 * group.c - a claimed load range, or small change ranges: up to GROUP_BATCHES_MAX of them are landed and committed together.
 *
 * One transaction seals all last files of the group, then the objects are completed, then one manifest and one transaction
 * commit them. A batch that fails leaves the group and the others go on. A claim of one log may be of many groups: the log is read once
 * for all of them (source_stage).
 */
#include "pipeline/announce.h"
#include "pipeline/landing.h"
#include "pipeline/manifest.h"
#include "pipeline/work.h"

#include "base/crash.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_ROUNDS_MAX 100 /* each round adopts at least one file an older attempt left */

typedef struct Group {
    const Work *work;
    int64_t commit;               /* kept from before a crash; 0 = none */
    Landing *culprit;             /* the one landing that failed, where it was one: the others are tried again */
    int count;                    /* landings that are read and wait for the common seal */
    Landing *landings[GROUP_BATCHES_MAX];
} Group;

static void landing_drop(Landing *landing)
{
    landing_close(landing);
    free(landing);
}

/* Nothing of the group is committed. What the target refuses is no table's fault; what failed for one table is not the others'. */
static void group_fail(const Group *group, const Error *error)
{
    cJSON *tickets = cJSON_CreateArray();
    Error excused = *error;

    for (int i = 0; i < group->count; i++) {
        if (group->landings[i] == group->culprit)
            work_fail(group->work, work_tickets(group->culprit->batch, 1), error);
        else
            cJSON_AddItemToArray(tickets, work_ticket(group->landings[i]->batch));
    }
    if (group->culprit && excused.kind != ERROR_INTERRUPTED && excused.kind != ERROR_FENCED)
        excused.kind = ERROR_TRANSIENT;
    work_excuse(&excused);
    if (tickets->child)
        work_fail(group->work, tickets, &excused);
    else
        cJSON_Delete(tickets);
}

static int group_seal(Group *group, cJSON **sealed, Error *error)
{
    const Work *work = group->work;
    cJSON *message = work_message(work), *seals;
    int status;

    cJSON_AddNumberToObject(message, "source_id", (double)json_integer(json_member(work->claim, "source"), "id", 0));
    cJSON_AddNumberToObject(message, "target_id", (double)json_integer(json_member(work->claim, "target"), "id", 0));
    seals = cJSON_AddArrayToObject(message, "seals");
    for (int i = 0; i < group->count; i++)
        cJSON_AddItemToArray(seals, landing_seal(group->landings[i], true));
    CRASH_POINT("group_seal_before");
    status = control_call(work->control, "batch_seal", message, sealed, error);
    CRASH_POINT("group_seal_after");
    cJSON_Delete(message);
    return status;
}

/* Completes every object that waits. A batch whose object an older attempt had completed is read on behind it; *again says so. */
static int group_complete(Group *group, bool *again, Error *error)
{
    SinkObject *objects[GROUP_BATCHES_MAX];
    Landing *owners[GROUP_BATCHES_MAX];
    SinkOutcome outcomes[GROUP_BATCHES_MAX];
    SinkHead heads[GROUP_BATCHES_MAX] = {0};
    int count = 0;
    bool yielded;

    *again = false;
    for (int i = 0; i < group->count; i++) {
        if (group->landings[i]->file.object) {
            owners[count] = group->landings[i];
            objects[count++] = group->landings[i]->file.object;
        }
    }
    CRASH_POINT("objects_before");
    if (count && sink_objects_complete(group->work->sink, objects, count, outcomes, heads, error) < 0)
        return -1;
    CRASH_POINT("objects_after");
    for (int i = 0; i < count; i++) {
        group->culprit = owners[i];
        if (landing_settle(owners[i], outcomes[i], &heads[i], error) < 0)
            return -1;
        if (!owners[i]->complete) {
            *again = true;
            if (landing_run(owners[i], &yielded, error) < 0)
                return -1;
        }
        group->culprit = NULL;
    }
    return 0;
}

/* Seals, completes and commits what has been gathered. On failure all of it is told as failed: nothing of it is committed. */
static int group_flush(Group *group, Error *error)
{
    cJSON *sealed = NULL;
    bool again = true;
    int status = 0;

    if (group->count == 0)
        return 0;
    for (int round = 0; status == 0 && again; round++) {
        cJSON_Delete(sealed);
        sealed = NULL;
        if (round == SETTLE_ROUNDS_MAX)
            status = error_set(error, ERROR_INTERNAL, NULL, "files of earlier attempts do not come to an end");
        else if ((status = group_seal(group, &sealed, error)) == 0)
            status = group_complete(group, &again, error);
    }
    if (status == 0)
        status = manifest_commit(group->work, group->landings, group->count, sealed, error);
    cJSON_Delete(sealed);
    if (status < 0)
        group_fail(group, error);
    for (int i = 0; i < group->count; i++)
        landing_drop(group->landings[i]);
    group->count = 0;
    return status;
}

static size_t group_memory(const Group *group)
{
    size_t bytes = 0;

    for (int i = 0; i < group->count; i++)
        bytes += landing_memory(group->landings[i]);
    return bytes;
}

/* Reads one batch. 0 also when it failed alone or gave way, which the control plane has then been told. */
static int group_add(Group *group, const cJSON *batch, Error *error)
{
    Landing *landing = malloc(sizeof *landing);
    bool yielded = false;

    if (!landing)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    if (landing_open(landing, group->work, batch, error) == 0 && announce_schema(landing, error) == 0 && landing_run(landing, &yielded, error) == 0 && !yielded) {
        /* The connection is wanted by the next table: its statement is at its end, its figures are noted. */
        group->landings[group->count++] = landing;
        return 0;
    }
    if (yielded)
        error_set(error, ERROR_INTERRUPTED, NULL, "load gives way to changes");
    work_fail(group->work, work_tickets(batch, 1), error);
    landing_drop(landing);
    return yielded ? 0 : -1;
}

/* Batches not begun are given back untouched. */
static void group_release(const Work *work, const cJSON *batch)
{
    Error released;

    if (!batch)
        return;
    error_set(&released, ERROR_INTERRUPTED, NULL, "given back");
    work_fail(work, work_tickets(batch, WORK_ALL), &released);
}

/* A failure that speaks of the connection or the process rather than of one table ends the claim. */
static bool error_is_common(const Error *error)
{
    return error->kind == ERROR_TRANSIENT || error->kind == ERROR_INTERRUPTED || error->kind == ERROR_INTERNAL;
}

/* All batches of the claim, group by group. */
static int group_batches(Group *group, const cJSON *batches, Error *error)
{
    const Work *work = group->work;
    const cJSON *batch;

    cJSON_ArrayForEach(batch, batches) {
        int status = group_add(group, batch, error);

        if (status < 0 && error_is_common(error)) {
            Error flush;

            group_release(work, batch->next);
            if (error->kind == ERROR_INTERRUPTED || group->commit) {
                group_fail(group, error);
                while (group->count)
                    landing_drop(group->landings[--group->count]);
                return -1;
            }
            group_flush(group, &flush);
            return -1;
        }
        if (group->count == GROUP_BATCHES_MAX || (!group->commit && group_memory(group) > GROUP_BYTES_MAX))
            if (group_flush(group, error) < 0) {
                group_release(work, batch->next);
                return -1;
            }
    }
    return group_flush(group, error);
}

int group_run(const Work *work, Error *error)
{
    Group group = {.work = work};
    const cJSON *batches = json_member(work->claim, "batches");
    const bool load = strcmp(json_text(work->claim, "work", ""), "load") == 0;
    Error ignored;
    bool done;
    int status;

    if (!batches || !batches->child)
        return 0;
    group.commit = json_integer(batches->child, "commit", 0);
    if (group.commit) {
        if (manifest_resume(work, group.commit, &done, error) < 0) {
            work_excuse(error);
            work_fail(work, work_tickets(batches->child, WORK_ALL), error);
            return -1;
        }
        if (done)
            return 0;
    }
    if (!load && source_stage(work->source, batches, error) < 0) {
        work_fail(work, work_tickets(batches->child, WORK_ALL), error);
        return -1;
    }
    status = group_batches(&group, batches, error);
    if (!load)
        (void)source_stage(work->source, NULL, &ignored);
    return status;
}
