/*
 * stage.h - the bytes a text format puts together before it gives them to the output. Inside format/ only.
 *
 * The writer asks for room once a row and stores at `at`; whatever is staged goes to the output when room runs out, so memory is the
 * stage and nothing else.
 */
#ifndef SLUICE_STAGE_H
#define SLUICE_STAGE_H

#include "format/format.h"

#include <stdlib.h>
#include <string.h>

#define STAGE_BYTES KIB(128) /* beside the room of one row */

typedef struct Stage {
    FormatOutput output;
    char *start, *end;
    char *at;
} Stage;

static inline int stage_open(Stage *stage, FormatOutput output, size_t bytes, Error *error)
{
    stage->output = output;
    stage->start = stage->at = malloc(bytes);
    if (!stage->start)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for %zu bytes of rows", bytes);
    stage->end = stage->start + bytes;
    return 0;
}

static inline int stage_flush(Stage *stage, Error *error)
{
    size_t length = (size_t)(stage->at - stage->start);

    stage->at = stage->start;
    return length ? stage->output.write(stage->output.context, stage->start, length, error) : 0;
}

/* No more than the stage has in all. */
static inline int stage_room(Stage *stage, size_t room, Error *error)
{
    return (size_t)(stage->end - stage->at) >= room ? 0 : stage_flush(stage, error);
}

static inline void stage_copy(Stage *stage, const char *text, size_t length)
{
    memcpy(stage->at, text, length);
    stage->at += length;
}

static inline uint64_t stage_held(const Stage *stage)
{
    return (uint64_t)(stage->at - stage->start);
}

#endif
