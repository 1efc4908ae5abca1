/*
 * epoch.c - claims an epoch of a table in the bucket.
 *
 * The number is 1 + the highest below `epoch_prefix`, claimed by putting `{epoch_prefix}{n, 8 digits}.json` where nothing may
 * stand. Two registries that share a prefix by mistake therefore never share an epoch. A number claimed just before a crash
 * stays unused, which harms nobody.
 */
#include "pipeline/work.h"

#include "base/crash.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM_TRIES_MAX 100
#define KEY_MAX 1100

typedef struct EpochSearch {
    size_t prefix_length;
    int64_t highest;
} EpochSearch;

static int epoch_seen(void *context, const SinkEntry *entry)
{
    EpochSearch *search = context;
    long long number = strlen(entry->key) > search->prefix_length ? strtoll(entry->key + search->prefix_length, NULL, 10) : 0;

    if (number > search->highest)
        search->highest = number;
    return 0;
}

static int epoch_put(const Work *work, const cJSON *batch, const char *prefix, int64_t epoch, SinkOutcome *outcome, Error *error)
{
    char key[KEY_MAX], attempt[33], text[700];

    if (snprintf(key, sizeof key, "%s%08lld.json", prefix, (long long)epoch) >= (int)sizeof key)
        return error_set(error, ERROR_PERMANENT, NULL, "the key of epoch %lld is too long", (long long)epoch);
    if (work_attempt(attempt, error) < 0)
        return -1;
    snprintf(text, sizeof text, "{\"version\":1,\"epoch\":%lld,\"batch\":%lld}\n", (long long)epoch,
             (long long)json_integer(batch, "batch_id", 0));
    CRASH_POINT("epoch_before");
    if (sink_put(work->sink, key, attempt, text, strlen(text), outcome, error) < 0)
        return -1;
    CRASH_POINT("epoch_after");
    return 0;
}

static int epoch_claim(const Work *work, const cJSON *batch, int64_t *ret, Error *error)
{
    const char *prefix;
    EpochSearch search = {0};
    SinkOutcome outcome = SINK_EXISTS;
    int64_t epoch;

    if (json_need_text(batch, "epoch_prefix", &prefix, error) < 0)
        return -1;
    search.prefix_length = strlen(prefix);
    if (sink_list(work->sink, prefix, NULL, epoch_seen, &search, error) < 0)
        return -1;
    epoch = json_integer(batch, "at_least", 1);
    if (epoch <= search.highest)
        epoch = search.highest + 1;
    for (int tries = 0; outcome == SINK_EXISTS; tries++, epoch++) {
        if (tries == CLAIM_TRIES_MAX)
            return error_set(error, ERROR_TRANSIENT, NULL, "%d epochs in a row were taken by another writer", tries);
        if (epoch_put(work, batch, prefix, epoch, &outcome, error) < 0)
            return -1;
        *ret = epoch;
    }
    return 0;
}

static int epoch_one(const Work *work, const cJSON *batch, Error *error)
{
    cJSON *message, *answer = NULL;
    int64_t epoch = 0;
    int status;

    log_context("runner", NULL, json_text(batch, "table", NULL), json_integer(batch, "batch_id", 0));
    if (epoch_claim(work, batch, &epoch, error) < 0)
        return -1;
    message = work_ticket(batch);
    cJSON_AddNumberToObject(message, "worker_id", (double)work->worker_id);
    cJSON_AddNumberToObject(message, "epoch", (double)epoch);
    status = control_call(work->control, "epoch_store", message, &answer, error);
    CRASH_POINT("epoch_stored");
    cJSON_Delete(message);
    cJSON_Delete(answer);
    return status;
}

int epoch_run(const Work *work, Error *error)
{
    const cJSON *batch;
    int status = 0;

    cJSON_ArrayForEach(batch, json_member(work->claim, "batches")) {
        if (epoch_one(work, batch, error) < 0) {
            work_excuse(error);
            work_fail(work, work_tickets(batch, 1), error);
            status = -1;
            if (error->kind == ERROR_INTERRUPTED || control_lost(work->control))
                return -1;
        }
    }
    return status;
}
