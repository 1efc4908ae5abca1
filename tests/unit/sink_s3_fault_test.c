/*
 * sink_s3_fault_test.c - what no good server does: lost, cut and false answers. Each case is a script of requests that must come
 * and answers that are given, played by a child process; a request that is not the next one of the script gets HTTP 418.
 */
#include "base/clock.h"
#include "check.h"
#include "sink/s3_object.h"

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
    const char *query;   /* somewhere in it */
    const char *answer;
} Exchange;

static Error error;

/* ---- the server --------------------------------------------------------------- */
static bool request_read(int connection, char *request)
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

static void answer_write(int connection, const char *answer, bool head)
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

static void serve(int listener, const Exchange *script)
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
        *line_end = '\0';
        if (!script->request || strncmp(request, script->request, strlen(script->request)) != 0 || !strstr(request, script->query)) {
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

static int stop_beat(void *context)
{
    return *(int64_t *)context && clock_monotonic_ms() > *(int64_t *)context;
}

static int64_t stop_at_ms;

static cJSON *options_make(int port)
{
    cJSON *options = cJSON_CreateObject();
    char endpoint[64];

    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", port);
    cJSON_AddStringToObject(options, "endpoint", endpoint);
    cJSON_AddStringToObject(options, "bucket", "bucket");
    cJSON_AddNumberToObject(options, "tries", 3);
    return options;
}

static Peer peer_start(const Exchange *script, cJSON **options)
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

static void peer_stop(Peer *peer)
{
    sink_close(peer->sink);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}

static Peer peer_open(const Exchange *script)
{
    SinkSecret secret = {"key", SECRET, NULL};
    cJSON *options;
    Peer peer = peer_start(script, &options);

    if (sink_open("s3", options, &secret, (Beat){stop_beat, &stop_at_ms}, &peer.sink, &error) < 0)
        exit(2);
    cJSON_Delete(options);
    return peer;
}

/* ---- cases -------------------------------------------------------------------- */
static void put_gives(const Exchange *script, int wanted, const char *name)
{
    Peer peer = peer_open(script);
    SinkOutcome outcome = SINK_EXISTS;
    int found = sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error) < 0 ? -1 - (int)error.kind : (int)outcome;

    if (!check(found == wanted, name))
        printf("# found %d, wanted %d: %s\n", found, wanted, found < 0 ? error.message : "");
    if (found < 0)
        check(!strstr(error.message, SECRET) && !strstr(error.hint, SECRET), "(no secret in the error)");
    peer_stop(&peer);
}

static void complete_gives(const Exchange *script, int wanted, const char *name)
{
    Peer peer = peer_open(script);
    SinkOutcome outcome = SINK_EXISTS;
    SinkObject *object = NULL;
    SinkHead head;
    int found;

    sink_object_begin(peer.sink, "t/o", OURS, &object, &error);
    if (sink_object_write(object, "content", 7, &error) < 0 || s3_object_part_end(object, &error) < 0 || sink_object_prepare(object, &error) < 0)
        printf("# %s\n", error.message);
    found = sink_objects_complete(peer.sink, &object, 1, &outcome, &head, &error) < 0 ? -1 - (int)error.kind : (int)outcome;
    if (!check(found == wanted, name))
        printf("# found %d, wanted %d: %s\n", found, wanted, found < 0 ? error.message : "");
    sink_object_close(object);
    peer_stop(&peer);
}

#define FAILS(kind) (-1 - (int)(kind))
#define UPLOAD_OF_ONE_PART {"POST", "?uploads=", UPLOAD}, {"PUT", "?partNumber=1&uploadId=u%261", OK_PUT}
#define SCRIPT (const Exchange[])

static void test_put(void)
{
    put_gives(SCRIPT{{"PUT", "", OK_PUT}, {0}}, SINK_CREATED, "a put is answered");
    put_gives(SCRIPT{{"PUT", "", LOST}, {"PUT", "", FAILURE("412 P", "PreconditionFailed")}, {"HEAD", "", OURS_THERE}, {0}}, SINK_CREATED,
              "a lost reply to a put is settled by the attempt");
    put_gives(SCRIPT{{"PUT", "", FAILURE("412 P", "PreconditionFailed")}, {"HEAD", "", THEIRS_THERE}, {0}}, SINK_EXISTS,
              "another's object is told");
    put_gives(SCRIPT{{"PUT", "", LOST}, {"PUT", "", LOST}, {"PUT", "", LOST}, {"HEAD", "", OURS_THERE}, {0}}, SINK_CREATED,
              "where every reply is lost the object itself decides: it is there");
    put_gives(SCRIPT{{"PUT", "", LOST}, {"PUT", "", LOST}, {"PUT", "", LOST}, {"HEAD", "", ABSENT}, {0}}, FAILS(ERROR_TRANSIENT),
              "where every reply is lost the object itself decides: it is not");
    put_gives(SCRIPT{{"PUT", "", FAILURE("503 S", "SlowDown")}, {"PUT", "", FAILURE("500 I", "InternalError")}, {"PUT", "", OK_PUT}, {0}},
              SINK_CREATED, "SlowDown and 500 are tried again");
    put_gives(SCRIPT{{"PUT", "", FAILURE("409 C", "ConditionalRequestConflict")}, {"HEAD", "", ABSENT}, {"PUT", "", OK_PUT}, {0}}, SINK_CREATED,
              "a conflict with nothing there is tried again");
    put_gives(SCRIPT{{"PUT", "", FAILURE("409 C", "ConditionalRequestConflict")}, {"HEAD", "", THEIRS_THERE}, {0}}, SINK_EXISTS,
              "a conflict that another has won is told");
    put_gives(SCRIPT{{"PUT", "", FAILURE("403 F", "AccessDenied")}, {0}}, FAILS(ERROR_PERMANENT), "AccessDenied is not tried again");
    put_gives(SCRIPT{{"PUT", "", "403 Forbidden\r\n|"}, {0}}, FAILS(ERROR_PERMANENT), "a 403 without a body is one too");
    check(error.hint[0], "it has a hint");
}

static void test_region(void)
{
    put_gives(SCRIPT{{"PUT", "", "301 Moved\r\nx-amz-bucket-region: eu-north-1\r\n|<Error><Code>PermanentRedirect</Code></Error>"}, {0}},
              FAILS(ERROR_PERMANENT), "a redirect is not followed");
    check(strstr(error.hint, "eu-north-1") != NULL, "but names the region");
    put_gives(SCRIPT{{"PUT", "", "400 Bad\r\n|<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"}, {0}},
              FAILS(ERROR_PERMANENT), "a signature for the wrong region is an error");
    check(strstr(error.hint, "eu-west-3") != NULL, "that names the right one");
}

static void test_complete(void)
{
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "?uploadId=u%261", COMPLETED}, {0}}, SINK_CREATED, "an upload is completed");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", FAILURE("200 OK", "InternalError")}, {"POST", "", COMPLETED}, {0}}, SINK_CREATED,
                   "a failure inside of a 200 is tried again");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", FAILURE("200 OK", "AccessDenied")}, {"POST", "", FAILURE("403 F", "AccessDenied")}, {0}},
                   FAILS(ERROR_PERMANENT), "a failure inside of a 200 is no success");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", "200 OK\r\n|<CompleteMultipartUploadResult><ETag>&quot;e9"},
                          {"POST", "", FAILURE("404 N", "NoSuchUpload")}, {"HEAD", "", OURS_THERE}, {0}},
                   SINK_CREATED, "a cut answer is settled by the attempt");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", LOST}, {"POST", "", FAILURE("412 P", "PreconditionFailed")}, {"HEAD", "", OURS_THERE}, {0}},
                   SINK_CREATED, "a lost reply to Complete is settled by the attempt");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", FAILURE("404 N", "NoSuchUpload")}, {"HEAD", "", ABSENT}, {0}}, FAILS(ERROR_FENCED),
                   "an upload that another has ended fences us");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", LOST}, {"POST", "", FAILURE("404 N", "NoSuchUpload")}, {"HEAD", "", ABSENT},
                          {"POST", "", FAILURE("404 N", "NoSuchUpload")}, {"HEAD", "", OURS_THERE}, {0}},
                   SINK_CREATED, "an object that appears late, after a lost reply, is ours");
    complete_gives(SCRIPT{UPLOAD_OF_ONE_PART, {"POST", "", FAILURE("404 N", "NoSuchUpload")}, {"HEAD", "", THEIRS_THERE}, {0}}, SINK_EXISTS,
                   "an upload that another has ended to put his own is told");
    complete_gives(SCRIPT{{"POST", "?uploads=", LOST}, UPLOAD_OF_ONE_PART, {"POST", "?uploadId=", COMPLETED}, {"GET", "uploads=", NO_UPLOADS}, {0}},
                   SINK_CREATED, "an upload begun twice leaves no twin");
    complete_gives(SCRIPT{{"POST", "?uploads=", UPLOAD}, {"PUT", "?partNumber=1", LOST}, {"PUT", "?partNumber=1", OK_PUT},
                          {"POST", "?uploadId=", COMPLETED}, {0}},
                   SINK_CREATED, "a part whose reply is lost is sent again");
}

static void test_fenced_part(void)
{
    Peer peer = peer_open(SCRIPT{{"POST", "?uploads=", UPLOAD}, {"PUT", "?partNumber=1", FAILURE("404 N", "NoSuchUpload")}, {0}});
    SinkObject *object = NULL;

    sink_object_begin(peer.sink, "t/o", OURS, &object, &error);
    s3_object_part_end(object, &error);
    check(sink_object_prepare(object, &error) < 0 && error.kind == ERROR_FENCED, "a part of an upload that another has ended fences us");
    sink_object_close(object);
    peer_stop(&peer);
}

static void test_clock(void)
{
    int64_t ahead = clock_wall_us() / 1000000 + 7200;
    time_t seconds = (time_t)ahead;
    char date[64], answer[256];
    struct tm parts;
    Peer peer;
    SinkOutcome outcome = SINK_EXISTS;

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    snprintf(answer, sizeof answer, "403 F\r\nDate: %s\r\n|<Error><Code>RequestTimeTooSkewed</Code></Error>", date);
    peer = peer_open(SCRIPT{{"PUT", "", answer}, {"PUT", "", OK_PUT}, {0}});
    check(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error) == 0 && outcome == SINK_CREATED, "a skewed clock is corrected and the request repeated");
    check(llabs(((S3Sink *)peer.sink)->http.clock_offset_s - 7200) < 5, "by the server's Date");
    peer_stop(&peer);
}

static void test_interrupt(void)
{
    Peer peer = peer_open(SCRIPT{{"PUT", "", STALL}, {0}});
    int64_t begin = clock_monotonic_ms();
    SinkOutcome outcome;

    stop_at_ms = begin + 300;
    check(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error) < 0 && error.kind == ERROR_INTERRUPTED, "a beat that says stop ends a wait");
    check(clock_monotonic_ms() - begin < 10000, "long before the answer would be given up");
    stop_at_ms = 0;
    peer_stop(&peer);
}

static int key_check(void *context, const SinkEntry *entry)
{
    char *text = context;

    snprintf(text + strlen(text), 200 - strlen(text), "%s=%d%s ", entry->key, (int)entry->bytes, entry->etag);
    return 0;
}

static void test_pages(void)
{
    char found[200] = "";
    Peer peer = peer_open(SCRIPT{
        {"GET", "?list-type=2&prefix=t%2F&start-after=t%2Fa",
         "200 OK\r\n|<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>to+k&amp;n=</NextContinuationToken><Contents><Key>t/b</Key>"
         "<Size>1</Size></Contents></ListBucketResult>"},
        {"GET", "?continuation-token=to%2Bk%26n%3D&list-type=2&prefix=t%2F",
         "200 OK\r\n|<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>t/c</Key><ETag>&quot;e7-2&quot;</ETag><Size>22</Size></Contents></ListBucketResult>"},
        {"GET", "?prefix=t%2Fo&uploads=",
         "200 OK\r\n|<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>t/o</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>"
         "<Upload><Key>t/o</Key><UploadId>2</UploadId></Upload><Upload><Key>t/other</Key><UploadId>3</UploadId></Upload></ListMultipartUploadsResult>"},
        {"DELETE", "?uploadId=2", "204 No\r\n|"},
        {"GET", "?key-marker=t%2Fo&prefix=t%2Fo&upload-id-marker=2&uploads=", NO_UPLOADS},
        {"GET", "?prefix=t%2Fo&uploads=", NO_UPLOADS},
        {0}});

    check(sink_list(peer.sink, "t/", "t/a", key_check, found, &error) == 0, "a listing of two pages");
    check_text(found, "t/b=1 t/c=22e7-2 ", "gives keys, sizes and ETags of both");
    if (!check(sink_uploads_abort(peer.sink, "t/o", &error) == 0, "uploads of one key are aborted on all pages, a longer key's are not"))
        printf("# %s\n", error.message);
    peer_stop(&peer);
}

static void test_sweep(void)
{
    int ended = 0;
    Peer peer = peer_open(SCRIPT{
        {"GET", "?prefix=t%2F&uploads=",
         "200 OK\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\n|<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
         "<Upload><Key>t/a</Key><UploadId>1</UploadId><Initiated>2026-11-13T11:59:59.000Z</Initiated></Upload>"
         "<Upload><Key>t/b</Key><UploadId>2</UploadId><Initiated>2026-11-13T12:00:00.000Z</Initiated></Upload>"
         "<Upload><Key>t/c</Key><UploadId>3</UploadId></Upload></ListMultipartUploadsResult>"},
        {"DELETE", "?uploadId=1", "204 No\r\n|"},
        {0}});

    check(sink_uploads_sweep(peer.sink, "t/", 7 * 86400, &ended, &error) == 0 && ended == 1,
          "uploads older than seven days of the server's clock are ended, others are left alone");
    peer_stop(&peer);
}

/* A server that takes every write: the doctor must find it out, or two workers would overwrite each other. */
static void test_doctor(void)
{
    SinkSecret secret = {"key", SECRET, NULL};
    cJSON *options, *answer = NULL;
    Peer peer = peer_start(SCRIPT{{"HEAD", "", ABSENT}, {"GET", "?list-type", EMPTY_LIST}, {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT},
                                  UPLOAD_OF_ONE_PART, {"POST", "?uploadId", COMPLETED}, {"GET", "", "200 OK\r\n|other"}, UPLOAD_OF_ONE_PART,
                                  {"GET", "uploads=", NO_UPLOADS}, {"POST", "?uploadId", COMPLETED}, {"DELETE", "", "204 No\r\n|"},
                                  {"DELETE", "", "204 No\r\n|"}, {0}},
                           &options);
    const cJSON *row;
    char bad[200] = "";

    check(sink_check("s3", options, &secret, (Beat){NULL, NULL}, "lake", &answer, &error) == 0, "the doctor answers");
    cJSON_ArrayForEach(row, answer) {
        if (!json_boolean(row, "ok", true))
            snprintf(bad + strlen(bad), sizeof bad - strlen(bad), "%s,", json_text(row, "check", ""));
    }
    check_text(bad, "conditional put,conditional complete,get,abort,", "a server that ignores If-None-Match is found out");
    cJSON_Delete(answer);
    cJSON_Delete(options);
    peer_stop(&peer);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    test_put();
    test_region();
    test_complete();
    test_fenced_part();
    test_clock();
    test_interrupt();
    test_pages();
    test_sweep();
    test_doctor();
    return check_end();
}
