/*
 * sink_s3_fault_test.c - what no good server does: lost, cut and false answers. Each case is a script that s3_peer.h plays.
 */
#include "s3_peer.h"

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

#define UPLOAD_OF_ONE_PART {"POST", "?uploads=", UPLOAD}, {"PUT", "?partNumber=1&uploadId=u%261", OK_PUT}

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

/* What the doctor says of a peer: the steps that are not ok into `bad`; `each` (may be NULL) is what their rows should want, in order. */
static void doctor_gives(const Exchange *script, const char *wanted_bad, const char *const *each, const char *name)
{
    SinkSecret secret = {"key", SECRET, NULL};
    cJSON *options, *answer = NULL;
    Peer peer = peer_start(script, &options);
    const cJSON *row;
    char bad[300] = "";
    bool wanted = true;

    check(sink_check("s3", options, &secret, (Beat){NULL, NULL}, "lake", &answer, &error) == 0, "the doctor answers");
    cJSON_ArrayForEach(row, answer) {
        if (json_boolean(row, "ok", true) || json_boolean(row, "skipped", false))
            continue;
        snprintf(bad + strlen(bad), sizeof bad - strlen(bad), "%s,", json_text(row, "check", ""));
        if (each && *each)
            wanted = strstr(json_text(row, "wanted", ""), *each++) && wanted;
    }
    check_text(bad, wanted_bad, name);
    if (each)
        check(wanted, "(and each names the right that is missing)");
    cJSON_Delete(answer);
    cJSON_Delete(options);
    peer_stop(&peer);
}

/* A server that takes every write: the doctor must find it out, or two workers would overwrite each other. */
static void test_doctor(void)
{
    static const char *const rights[] = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", NULL};

    doctor_gives(SCRIPT{{"GET", "?list-type", EMPTY_LIST}, {"HEAD", "", ABSENT}, {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT}, UPLOAD_OF_ONE_PART,
                        {"POST", "?uploadId", COMPLETED}, UPLOAD_OF_ONE_PART, {"POST", "?uploadId", COMPLETED}, {"GET", "", "200 OK\r\n|other"},
                        UPLOAD_OF_ONE_PART, {"GET", "uploads=", NO_UPLOADS}, {"POST", "?uploadId", COMPLETED}, {"DELETE", "", "204 No\r\n|"},
                        {"DELETE", "", "204 No\r\n|"}, {"DELETE", "", "204 No\r\n|"}, {0}},
                 "conditional put,conditional complete,get,abort,", NULL, "a server that ignores If-None-Match is found out");
    doctor_gives(SCRIPT{{"GET", "?list-type", FAILURE("403 F", "AccessDenied")}, {"HEAD", "", "403 F\r\n|"}, {"PUT", "", FAILURE("403 F", "AccessDenied")},
                        {"POST", "?uploads=", FAILURE("403 F", "AccessDenied")}, {"POST", "?uploads=", FAILURE("403 F", "AccessDenied")},
                        {"DELETE", "", FAILURE("403 F", "AccessDenied")}, {0}},
                 "list,missing key,put,multipart,abort,delete,", rights, "each right is tried by itself");
    doctor_gives(SCRIPT{{"GET", "?list-type", FAILURE("403 F", "InvalidAccessKeyId")}, {0}}, "list,", NULL, "where the key is unknown nothing else is tried");
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
