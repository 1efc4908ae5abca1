/*
 * fault.h - faults on demand at the level of bytes and rows.
 *
 * A test writes a file of lines `name value`; the simulator reads it again before each statement. Names:
 *   match TEXT             only statements whose text contains TEXT
 *   count N                how often the fault fires, over all connections (default 1; 0 = always)
 *   drop_after_bytes N     the connection is cut after N bytes of the answer
 *   stall_after_bytes N    nothing is sent after N bytes of the answer until the file changes
 *   error_after_rows N     after N rows ERROR 8134 (severity 16) stands in the rows, then DONE with its error bit
 *   reset 1                the cut is a TCP reset instead of an orderly end
 * Lines that start with # and unknown names are ignored. Writing the file anew (rename or rewrite) makes the count
 * start again. A missing or empty file means no fault.
 */
#ifndef MSSQL_FAULT_H
#define MSSQL_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Fault {
    const char *path; /* NULL: faults are switched off; the caller's */
    bool active;      /* for the running statement */
    bool reset;
    int64_t drop_after_bytes;  /* -1: none */
    int64_t stall_after_bytes; /* -1: none */
    int64_t error_after_rows;  /* -1: none */
    uint64_t identity;         /* of the file that was read */
} Fault;

/* Before the first fork: makes the counter that all connections share. */
int fault_setup(void);
/* Reads the file and decides whether the fault fires for this statement; a fault that fires is counted. */
void fault_load(Fault *fault, const char *path, const char *statement_utf8);
/* True as soon as the file is another one than fault_load read. */
bool fault_changed(const Fault *fault);

#endif
