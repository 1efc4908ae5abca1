/*
 * limits.h - every bound of the worker in one place. Sizes in bytes unless the name says otherwise.
 *
 * A streaming runner: one column batch, one encoder window, at most PARTS_IN_FLIGHT parts: about
 * 256 KiB + 1 MiB + 5 * 8 MiB, under 64 MiB. 64 small objects of one group share GROUP_BYTES_MAX.
 */
#ifndef SLUICE_LIMITS_H
#define SLUICE_LIMITS_H

#define KIB(n) ((size_t)(n) * 1024)
#define MIB(n) ((size_t)(n) * 1024 * 1024)

#define BATCH_ROWS_MAX 1024
#define BATCH_BYTES_MAX KIB(256)        /* soft: a batch ends once it is reached; one value may exceed it */
#define VALUE_BYTES_MAX MIB(16)         /* default of max_value_bytes */
#define COLUMNS_MAX 1024
#define RANGE_READ_ROWS 100000          /* rows a range statement returns at most; then keyset restart */
#define PART_BYTES MIB(8)               /* default of part_bytes */
#define PART_BYTES_MIN MIB(8)
#define PART_BYTES_MAX MIB(16)
#define PARTS_IN_FLIGHT 4               /* default of parallel_parts */
#define PARTS_IN_FLIGHT_MAX 8
#define GROUP_BATCHES_MAX 64
#define GROUP_BYTES_MAX MIB(16)         /* encoded bytes the objects of one group hold in memory together */
#define LOG_BATCHES_MAX 1024            /* small ranges of one log that a claim reads at once */
#define LOG_STAGE_BYTES_MAX MIB(64)     /* rows of a log kept for tables that wait their turn */
#define LOG_POLL_BYTES_MAX MIB(1024)    /* of a log scanned in one poll; it goes on to the end of the transaction in hand */
#define STREAM_BYTES_MAX MIB(64)        /* of a runner that streams; one that loads has its share of the worker's memory */
#define ENCODER_BYTES_MIN MIB(8)        /* what an encoder is given at least */
#define MMAP_BYTES MIB(1)               /* larger blocks are mapped and given back whole: left to adapt, glibc soon keeps them on a heap full of holes */
#define SMALL_OBJECT_MAX MIB(16)        /* manifests, epochs, control rows */
#define RUNNERS_MAX 32
#define POSITION_BYTES_MAX 32           /* binary position of a row */
#define CHILD_SILENCE_MS 60000          /* a child that has not beaten for this long is killed */
#define CHILD_STOP_MS 5000              /* a child is given this long to stop */

#endif
