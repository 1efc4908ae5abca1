/*
 * beat.h - the pulse of a process: says that it lives and learns that it should stop.
 *
 * Whoever waits calls beat() at least once a second. Non-zero means: stop, fail with ERROR_INTERRUPTED.
 */
#ifndef SLUICE_BEAT_H
#define SLUICE_BEAT_H

typedef struct Beat {
    int (*beat)(void *context);
    void *context;
} Beat;

static inline int beat_once(Beat beat)
{
    return beat.beat ? beat.beat(beat.context) : 0;
}

#endif
