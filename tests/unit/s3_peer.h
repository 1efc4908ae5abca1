/*
 * s3_peer.h - a server that plays a script: requests that must come and answers that are given, in a child process. A request that
 * is not the next one of the script gets HTTP 418.
 */
#ifndef SLUICE_TEST_S3_PEER_H
#define SLUICE_TEST_S3_PEER_H

#include "base/clock.h"
#include "check.h"
#include "sink/s3/object.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OURS "11111111111111111111111111111111"
#define THEIRS "22222222222222222222222222222222"
#define REQUEST_MAX 65536
#define SECRET "very-secret-key"
#define FAILS(kind) (-1 - (int)(kind))
#define SCRIPT (const Exchange[])

/* An answer is status line's rest and headers, "|", body. */
#define OK_PUT "200 OK\r\nETag: \"e1\"\r\n|"
#define OURS_THERE "200 OK\r\nETag: \"e1\"\r\nx-amz-meta-sluice-attempt: " OURS "\r\n|"
#define THEIRS_THERE "200 OK\r\nETag: \"e2\"\r\nx-amz-meta-sluice-attempt: " THEIRS "\r\n|"
#define ABSENT "404 Not Found\r\n|"
#define FAILURE(status, code) status "\r\n|<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>m</Message></Error>"
#define UPLOAD "200 OK\r\n|<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId></InitiateMultipartUploadResult>"
#define COMPLETED "200 OK\r\n|<CompleteMultipartUploadResult><ETag>&quot;e9-1&quot;</ETag></CompleteMultipartUploadResult>"
#define EMPTY_LIST "200 OK\r\n|<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
#define NO_UPLOADS "200 OK\r\n|<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
#define LOST "lost"   /* the connection ends without an answer */
#define STALL "stall" /* nothing comes */

typedef struct Exchange {
    const char *request; /* beginning of the request line, without " /bucket" and what follows */
    const char *query;   /* somewhere in it; then "\n" and headers that must be there, each signed: "name: value\n", or not: "!name\n" */
    const char *answer;
} Exchange;

static Error error;

/* ---- the server --------------------------------------------------------------- */
static inline bool request_read(int connection, char *request)
{
    size_t length = 0, wanted = 0;
    char *end = NULL;

    while (length < REQUEST_MAX - 1 && (!end || length < wanted)) {
        ssize_t count = read(connection, request + length, REQUEST_MAX - 1 - length);

        if (count <= 0)
            return false;
        length += (size_t)count;
        request[length] = '\0';
        if (!end && (end = strstr(request, "\r\n\r\n")) != NULL) {
            const char *header = strcasestr(request, "\r\ncontent-length:");

            wanted = (size_t)(end + 4 - request) + (header ? strtoul(header + 17, NULL, 10) : 0);
        }
    }
    return true;
}

static inline void answer_write(int connection, const char *answer, bool head)
{
    const char *body = strchr(answer, '|');
    char text[4096];
    int length;

    /* A HEAD tells of 7 bytes that it does not send. */
    length = snprintf(text, sizeof text, "HTTP/1.1 %.*sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", (int)(body - answer), answer,
                      head ? 7 : strlen(body + 1), head ? "" : body + 1);
    if (write(connection, text, (size_t)length) != length)
        _exit(1);
}

/* Whether a header is there as given, and its name among those that are signed. */
static inline bool header_came(const char *headers, const char *line, size_t length)
{
    char wanted[1024], name[128];
    const char *signed_names = strcasestr(headers, "SignedHeaders="), *at;
    size_t name_length;

    if (line[0] == '!') {
        snprintf(wanted, sizeof wanted, "\n%.*s:", (int)length - 1, line + 1);
        return !strcasestr(headers, wanted);
    }
    name_length = (size_t)(strchr(line, ':') - line);
    snprintf(wanted, sizeof wanted, "\n%.*s\r", (int)length, line);
    snprintf(name, sizeof name, "%.*s", (int)name_length, line);
    at = signed_names ? strstr(signed_names, name) : NULL;
    return strstr(headers, wanted) && at && strchr("=;", at[-1]) && strchr(";,", at[name_length]);
}

static inline bool query_came(const char *line, const char *wanted)
{
    char query[512];

    snprintf(query, sizeof query, "%.*s", (int)strcspn(wanted, "\n"), wanted);
    return strstr(line, query) != NULL;
}

static inline bool headers_came(const char *headers, const char *wanted)
{
    wanted += strcspn(wanted, "\n");
    for (wanted += *wanted != 0; *wanted; wanted += strcspn(wanted, "\n") + 1) {
        if (!header_came(headers, wanted, strcspn(wanted, "\n")))
            return false;
    }
    return true;
}

static inline void serve(int listener, const Exchange *script)
{
    char *request = malloc(REQUEST_MAX);

    for (;;) {
        int connection = accept(listener, NULL, NULL);
        char *line_end;

        if (connection < 0 || !request)
            _exit(1);
        if (!request_read(connection, request)) {
            close(connection);
            continue;
        }
        line_end = strstr(request, "\r\n");
        *line_end = '\0'; /* headers begin behind it, with the line's \\n */
        if (!script->request || strncmp(request, script->request, strlen(script->request)) != 0 || !query_came(request, script->query) ||
            !headers_came(line_end + 1, script->query)) {
            answer_write(connection, FAILURE("418 No", "Unexpected"), false);
        } else if (strcmp(script->answer, STALL) == 0) {
            pause();
        } else {
            if (strcmp(script->answer, LOST) != 0)
                answer_write(connection, script->answer, strncmp(request, "HEAD", 4) == 0);
            script++;
        }
        close(connection);
    }
}

typedef struct Peer {
    pid_t pid;
    Sink *sink;
} Peer;

static inline int stop_beat(void *context)
{
    return *(int64_t *)context && clock_monotonic_ms() > *(int64_t *)context;
}

static int64_t stop_at_ms;

static inline cJSON *options_make(int port)
{
    cJSON *options = cJSON_CreateObject();
    char endpoint[64];

    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", port);
    cJSON_AddStringToObject(options, "endpoint", endpoint);
    cJSON_AddStringToObject(options, "bucket", "bucket");
    cJSON_AddNumberToObject(options, "tries", 3);
    return options;
}

static inline Peer peer_start(const Exchange *script, cJSON **options)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    Peer peer = {0};

    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        exit(2);
    fflush(stdout);
    peer.pid = fork();
    if (peer.pid == 0)
        serve(listener, script);
    close(listener);
    *options = options_make(ntohs(address.sin_port));
    return peer;
}

static inline void peer_stop(Peer *peer)
{
    sink_close(peer->sink);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}

/* `more`: JSON with options that are added; NULL for none. */
static inline Peer peer_open_with(const Exchange *script, const char *more)
{
    SinkSecret secret = {"key", SECRET, NULL};
    cJSON *options, *added = cJSON_Parse(more ? more : "{}");
    Peer peer = peer_start(script, &options);

    while (added->child)
        cJSON_AddItemToObject(options, added->child->string, cJSON_Duplicate(added->child, true)), cJSON_DeleteItemFromObject(added, added->child->string);
    if (sink_open("s3", options, &secret, (Beat){stop_beat, &stop_at_ms}, &peer.sink, &error) < 0) {
        printf("# %s\n", error.message);
        exit(2);
    }
    cJSON_Delete(added);
    cJSON_Delete(options);
    return peer;
}

static inline Peer peer_open(const Exchange *script)
{
    return peer_open_with(script, NULL);
}

#endif
