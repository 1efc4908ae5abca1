/* crash.c - see crash.h */
#include "base/crash.h"

#ifdef SLUICE_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name)
{
    static long arrivals;
    const char *at = getenv("SLUICE_CRASH_AT");
    const char *once = getenv("SLUICE_CRASH_ONCE");
    size_t length = strlen(name);
    long nth = 1;
    int file;

    if (!at || strncmp(at, name, length) != 0 || (at[length] != '\0' && at[length] != ':'))
        return;
    if (at[length] == ':')
        nth = strtol(at + length + 1, NULL, 10);
    if (++arrivals != nth)
        return;
    if (once) {
        file = open(once, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (file < 0)
            return;
        if (write(file, name, length) < 0)
            return;
        close(file);
    }
    kill(getpid(), SIGKILL);
}

#else

/* A translation unit needs one declaration. */
typedef int crash_points_are_off;

#endif
