#include "fault.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAULT_FILE_MAX = 8192 };

typedef struct Shared {
    uint64_t identity;
    int64_t fired;
} Shared;

static Shared *shared;

int fault_setup(void)
{
    void *memory = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -1;
    shared = memory;
    return 0;
}

static uint64_t identity_of(const struct stat *status)
{
    uint64_t identity = 1469598103934665603u;
    uint64_t parts[4] = {(uint64_t)status->st_ino, (uint64_t)status->st_mtim.tv_sec, (uint64_t)status->st_mtim.tv_nsec,
                         (uint64_t)status->st_size};

    for (int i = 0; i < 4; i++)
        identity = (identity ^ parts[i]) * 1099511628211u;
    return identity | 1;
}

bool fault_changed(const Fault *fault)
{
    struct stat status;

    if (!fault->path || stat(fault->path, &status) != 0)
        return true;
    return identity_of(&status) != fault->identity;
}

static void line_apply(Fault *fault, char *line, char **match, int64_t *count)
{
    char *value = strchr(line, ' ');

    if (line[0] == '#' || !value)
        return;
    *value++ = '\0';
    if (strcmp(line, "match") == 0)
        *match = value;
    else if (strcmp(line, "count") == 0)
        *count = strtoll(value, NULL, 10);
    else if (strcmp(line, "drop_after_bytes") == 0)
        fault->drop_after_bytes = strtoll(value, NULL, 10);
    else if (strcmp(line, "stall_after_bytes") == 0)
        fault->stall_after_bytes = strtoll(value, NULL, 10);
    else if (strcmp(line, "error_after_rows") == 0)
        fault->error_after_rows = strtoll(value, NULL, 10);
    else if (strcmp(line, "reset") == 0)
        fault->reset = strtoll(value, NULL, 10) != 0;
}

/* Called with the file locked: the counter is only touched under that lock. */
static bool fires(uint64_t identity, int64_t count)
{
    if (shared->identity != identity) {
        shared->identity = identity;
        shared->fired = 0;
    }
    if (count > 0 && shared->fired >= count)
        return false;
    shared->fired++;
    return true;
}

void fault_load(Fault *fault, const char *path, const char *statement_utf8)
{
    char text[FAULT_FILE_MAX];
    char *save = NULL, *match = NULL;
    int64_t count = 1;
    struct stat status;

    *fault = (Fault){.path = path, .drop_after_bytes = -1, .stall_after_bytes = -1, .error_after_rows = -1};
    if (!path || !shared)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    flock(fd, LOCK_EX);
    ssize_t length = fstat(fd, &status) == 0 ? read(fd, text, sizeof text - 1) : -1;
    if (length > 0) {
        text[length] = '\0';
        fault->identity = identity_of(&status);
        for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
            line_apply(fault, line, &match, &count);
        bool any = fault->drop_after_bytes >= 0 || fault->stall_after_bytes >= 0 || fault->error_after_rows >= 0;
        if (any && (!match || strstr(statement_utf8, match)))
            fault->active = fires(fault->identity, count);
    }
    close(fd);
}
