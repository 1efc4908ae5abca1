/*
 * check.h - the unit tests' only tool: each promise prints `ok - name` or `not ok - name`; main returns check_end().
 */
#ifndef SLUICE_TEST_CHECK_H
#define SLUICE_TEST_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_failures;

static inline bool check(bool holds, const char *name)
{
    printf("%s - %s\n", holds ? "ok" : "not ok", name);
    check_failures += !holds;
    return holds;
}

static inline bool check_text(const char *found, const char *wanted, const char *name)
{
    bool holds = strcmp(found, wanted) == 0;

    check(holds, name);
    if (!holds)
        printf("#  found: %s\n# wanted: %s\n", found, wanted);
    return holds;
}

static inline int check_end(void)
{
    return check_failures ? 1 : 0;
}

#endif
