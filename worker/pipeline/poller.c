/*
 * poller.c - asks one source what changed and hands the answers to the control plane, which plans.
 *
 * The process holds no facts of its own: what it asks comes from poll_begin, what it learns goes to cut_store and its siblings.
 */
#include "pipeline/connect.h"
#include "pipeline/pipeline.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "control/control.h"

#include <stdlib.h>
#include <string.h>

typedef struct Poller {
    const ChildSpec *spec;
    Control *control;
    KeptSource source;
    char *known;   /* of the last answer on this connection, given back with the next poll_begin; NULL = the source is asked from the start */
    cJSON *failed; /* tables whose ranges could not be asked for, told with the next answer; NULL = none */
    char told[sizeof((Error *)0)->message]; /* the failure logged last: a source that stays down says so once, not at each try */
} Poller;

static cJSON *poller_message(const Poller *poller, const cJSON *begin)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddNumberToObject(message, "worker_id", (double)poller->spec->worker_id);
    cJSON_AddNumberToObject(message, "source_id", (double)poller->spec->source_id);
    if (begin)
        cJSON_AddNumberToObject(message, "generation", (double)json_integer(begin, "generation", 0));
    return message;
}

/* Sends message + {name: value}; owns both. */
static int poller_tell(Poller *poller, const char *function, cJSON *message, const char *name, cJSON *value, Error *error)
{
    cJSON *answer = NULL;
    int status;

    cJSON_AddItemToObject(message, name, value);
    status = control_call(poller->control, function, message, &answer, error);
    cJSON_Delete(message);
    cJSON_Delete(answer);
    return status;
}

static int poller_check(Poller *poller, const cJSON *begin, Error *error)
{
    cJSON *steps;

    if (connect_source_check(json_member(begin, "source"), poller->spec->beat, &steps, error) < 0)
        return -1;
    return poller_tell(poller, "check_store", poller_message(poller, begin), "steps", steps, error);
}

static int poller_discover(Poller *poller, const cJSON *begin, Error *error)
{
    cJSON *facts;

    if (source_discover(poller->source.source, &facts, error) < 0)
        return -1;
    if (poller_tell(poller, "facts_store", poller_message(poller, begin), "facts", facts, error) < 0)
        return -1;
    CRASH_POINT("facts_after");
    return 0;
}

static int poller_split(Poller *poller, const cJSON *begin, const cJSON *split, Error *error)
{
    static const char *const copied[] = {"table_id", "job_id", "range"};
    cJSON *message, *bound = NULL;

    if (source_split(poller->source.source, split, &bound, error) < 0)
        return -1;
    message = poller_message(poller, begin);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        cJSON_AddItemToObject(message, copied[i], cJSON_Duplicate(json_member(split, copied[i]), true));
    CRASH_POINT("range_before");
    if (poller_tell(poller, "range_store", message, "to", bound ? bound : cJSON_CreateNull(), error) < 0)
        return -1;
    CRASH_POINT("range_after");
    return 0;
}

/* One table that cannot be split is told with the next answer, and is not the others' trouble. */
static void split_failed(Poller *poller, const cJSON *split, const Error *error)
{
    cJSON *item = cJSON_CreateObject();

    log_error(LOG_WARNING, error);
    cJSON_AddNumberToObject(item, "table_id", (double)json_integer(split, "table_id", 0));
    cJSON_AddStringToObject(item, "kind", error_kind_name(error->kind));
    cJSON_AddStringToObject(item, "code", error->code);
    cJSON_AddStringToObject(item, "message", error->message);
    cJSON_AddStringToObject(item, "hint", error->hint);
    if (!poller->failed)
        poller->failed = cJSON_CreateArray();
    cJSON_AddItemToArray(poller->failed, item);
}

/* What the source said it knows holds for the connection it said so on. */
static void poller_drop(Poller *poller)
{
    connect_source_drop(&poller->source);
    free(poller->known);
    poller->known = NULL;
}

/* After the cut, which no table's load may hold up. */
static int poller_splits(Poller *poller, const cJSON *begin, Error *error)
{
    const cJSON *split;

    cJSON_ArrayForEach(split, json_member(json_member(begin, "ask"), "splits")) {
        if (connect_source_keep(&poller->source, json_member(begin, "source"), poller->spec->beat, error) < 0)
            return -1;
        if (poller_split(poller, begin, split, error) == 0)
            continue;
        if (error->kind == ERROR_INTERRUPTED || error->kind == ERROR_FENCED || control_lost(poller->control))
            return -1;
        split_failed(poller, split, error);
        poller_drop(poller);
    }
    return 0;
}

/* Adds what split_failed noted to the tables that the probe could not ask. */
static void answer_failed(Poller *poller, cJSON *answer)
{
    cJSON *failed = cJSON_GetObjectItemCaseSensitive(answer, "failed"), *item;

    while (failed && poller->failed && (item = cJSON_DetachItemFromArray(poller->failed, 0)))
        cJSON_AddItemToArray(failed, item);
}

static int poller_poll(Poller *poller, const cJSON *begin, Error *error)
{
    const cJSON *ask = json_member(begin, "ask");
    const char *known;
    cJSON *answer;
    int anew = connect_source_keep(&poller->source, json_member(begin, "source"), poller->spec->beat, error);

    if (anew < 0)
        return -1;
    if (anew && poller->known) {
        /* The registry's row has changed. This poll was begun with what the connection before it knew: it is asked for again. */
        free(poller->known);
        poller->known = NULL;
        return 0;
    }
    if (json_boolean(begin, "discover", false) && poller_discover(poller, begin, error) < 0)
        return -1;
    if (source_poll(poller->source.source, ask, &answer, error) < 0)
        return -1;
    answer_failed(poller, answer);
    free(poller->known);
    known = json_text(answer, "known", NULL);
    poller->known = known ? strdup(known) : NULL;
    CRASH_POINT("cut_before");
    if (poller_tell(poller, "cut_store", poller_message(poller, begin), "answer", answer, error) < 0)
        return -1;
    CRASH_POINT("cut_after");
    return poller_splits(poller, begin, error);
}

/* A source that fails is told so and tried again at the control plane's pace; the connection is made anew. */
static int poller_failed(Poller *poller, const cJSON *begin, Error *error)
{
    cJSON *message, *answer = NULL;
    int status;

    poller_drop(poller);
    if (error->kind == ERROR_INTERRUPTED || error->kind == ERROR_FENCED || control_lost(poller->control))
        return -1;
    if (strcmp(poller->told, error->message) != 0)
        log_error(LOG_WARNING, error);
    memcpy(poller->told, error->message, sizeof poller->told);
    message = poller_message(poller, begin);
    cJSON_AddStringToObject(message, "kind", error_kind_name(error->kind));
    cJSON_AddStringToObject(message, "code", error->code);
    cJSON_AddStringToObject(message, "message", error->message);
    cJSON_AddStringToObject(message, "hint", error->hint);
    status = control_call(poller->control, "source_fail", message, &answer, error);
    cJSON_Delete(message);
    cJSON_Delete(answer);
    return status;
}

/* Polls begin poll_ms apart; one that took long is followed by a quarter of its time in which the source has peace. */
static int poller_pause(const cJSON *begin, int64_t began_ms)
{
    const int64_t took = clock_monotonic_ms() - began_ms, left = json_integer(begin, "poll_ms", 1000) - took;

    return (int)(left > took / 4 ? left : took / 4);
}

static int poller_turn(Poller *poller, bool *ours, Error *error)
{
    const int64_t began_ms = clock_monotonic_ms();
    cJSON *begin = NULL, *message = poller_message(poller, NULL);
    int status;

    if (poller->known)
        cJSON_AddStringToObject(message, "known", poller->known);
    status = control_call(poller->control, "poll_begin", message, &begin, error);

    cJSON_Delete(message);
    *ours = status == 0 && begin;
    if (!*ours)
        return status;
    log_context("poller", json_text(json_member(begin, "source"), "name", NULL), NULL, 0);
    if (json_boolean(begin, "check", false))
        status = poller_check(poller, begin, error);
    if (status == 0 && !json_boolean(begin, "rest", false))
        status = poller_poll(poller, begin, error);
    if (status < 0)
        status = poller_failed(poller, begin, error);
    else if (!json_boolean(begin, "rest", false))
        poller->told[0] = '\0';
    if (status == 0)
        status = control_wait(poller->control, -1, poller_pause(begin, began_ms), error);
    cJSON_Delete(begin);
    return status;
}

int poller_main(const ChildSpec *spec, Error *error)
{
    Poller poller = {.spec = spec};
    bool ours = true;
    int status;

    log_context("poller", NULL, NULL, 0);
    status = control_open(spec->conninfo, "sluice poller", spec->beat, &poller.control, error);
    while (status == 0 && ours)
        status = poller_turn(&poller, &ours, error);
    poller_drop(&poller);
    cJSON_Delete(poller.failed);
    control_close(poller.control);
    return status == 0 || error->kind == ERROR_INTERRUPTED || error->kind == ERROR_FENCED ? 0 : -1;
}
