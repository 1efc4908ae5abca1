/*
 * upload.c - one large object through the S3 sink: `upload ENDPOINT BUCKET KEY MIB signed|unsigned [CA]`, keys in AWS_*. Prints bytes and
 * the process's CPU seconds. The bytes do not compress and differ in every part; making them is not counted.
 */
#include "base/limits.h"
#include "sink/sink.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double cpu_s(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int upload(Sink *sink, const char *key, int mib, uint32_t *piece, Error *error)
{
    SinkObject *object;
    SinkOutcome outcome;
    SinkHead head;
    int result;

    if (sink_object_begin(sink, key, "00000000000000000000000000000000", &object, error) < 0)
        return -1;
    result = 0;
    for (int i = 0; result == 0 && i < mib; i++) {
        piece[0] = (uint32_t)i;
        result = sink_object_write(object, piece, MIB(1), error);
    }
    if (result == 0)
        result = sink_object_prepare(object, error);
    if (result == 0)
        result = sink_objects_complete(sink, &object, 1, &outcome, &head, error);
    sink_object_close(object);
    return result;
}

int main(int count, char **arguments)
{
    cJSON *options = cJSON_CreateObject();
    uint32_t *piece = malloc(MIB(1)), value = 1;
    Sink *sink = NULL;
    Error error;
    double begin;
    int mib;

    signal(SIGPIPE, SIG_IGN);
    if (count < 6 || !piece)
        return 2;
    mib = (int)strtol(arguments[4], NULL, 10);
    for (size_t i = 0; i < MIB(1) / sizeof *piece; i++)
        piece[i] = value = value * 1664525 + 1013904223;
    cJSON_AddStringToObject(options, "endpoint", arguments[1]);
    cJSON_AddStringToObject(options, "bucket", arguments[2]);
    cJSON_AddStringToObject(options, "payload_hash", arguments[5]);
    if (count > 6)
        cJSON_AddStringToObject(options, "ca_file", arguments[6]);
    begin = cpu_s();
    if (sink_open("s3", options, NULL, (Beat){0}, &sink, &error) < 0 || upload(sink, arguments[3], mib, piece, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%lld %.6f\n", (long long)mib * 1024 * 1024, cpu_s() - begin);
    sink_close(sink);
    cJSON_Delete(options);
    free(piece);
    return 0;
}
