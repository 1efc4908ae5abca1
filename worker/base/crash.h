/*
 * crash.h - named points before and after each durable act, at which a test build kills itself.
 *
 * In a build with SLUICE_CRASH_POINTS, SLUICE_CRASH_AT=name[:nth] makes the nth arrival at the point a kill -9, once
 * for all processes that share the file named by SLUICE_CRASH_ONCE. In every other build a point costs nothing.
 */
#ifndef SLUICE_CRASH_H
#define SLUICE_CRASH_H

#ifdef SLUICE_CRASH_POINTS
void crash_point(const char *name);
#define CRASH_POINT(name) crash_point(name)
#else
#define CRASH_POINT(name) ((void)0)
#endif

#endif
