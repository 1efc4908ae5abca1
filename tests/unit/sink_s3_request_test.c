/*
 * sink_s3_request_test.c - what a target's options put into its requests, and how many requests there are: retries, pace, renewed keys.
 * Each case is a script that s3_peer.h plays.
 */
#include "s3_peer.h"

#define FULL                                                                                                                            \
    "{\"sse\": \"aws:kms\", \"kms_key\": \"arn:aws:kms:eu-central-1:1:key/k\", \"bucket_key\": true, \"storage_class\": \"STANDARD_IA\","  \
    " \"tags\": [\"team=data & more\", \"env=\"], \"acl\": \"bucket-owner-full-control\", \"requester_pays\": true}"
#define CREATED_HEADERS                                                                                                                 \
    "\nx-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-central-1:1:key/k\n"          \
    "x-amz-server-side-encryption-bucket-key-enabled: true\nx-amz-storage-class: STANDARD_IA\n"                                          \
    "x-amz-tagging: team=data%20%26%20more&env=\nx-amz-acl: bucket-owner-full-control\nx-amz-request-payer: requester\n"
#define OTHER_HEADERS                                                                                                                   \
    "\nx-amz-request-payer: requester\n!x-amz-server-side-encryption\n!x-amz-storage-class\n!x-amz-tagging\n!x-amz-acl\n"

static void holds(int result, const char *name)
{
    if (!check(result == 0, name))
        printf("# %s [%s]\n", error.message, error.hint);
}

static void test_headers(void)
{
    Peer peer = peer_open_with(SCRIPT{{"PUT", CREATED_HEADERS "if-none-match: *\n", OK_PUT}, {"HEAD", OTHER_HEADERS, OURS_THERE}, {0}}, FULL);
    SinkOutcome outcome;
    SinkObject *object = NULL;
    SinkHead head;

    holds(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error), "encryption, class, tags, ACL and payer stand in PutObject, signed");
    holds(sink_head(peer.sink, "t/o", &head, &error), "other requests carry the payer alone");
    peer_stop(&peer);
    peer = peer_open_with(SCRIPT{{"POST", "?uploads=" CREATED_HEADERS, UPLOAD}, {"PUT", "partNumber=1" OTHER_HEADERS, OK_PUT},
                                 {"POST", "uploadId" OTHER_HEADERS "if-none-match: *\n", COMPLETED}, {0}}, FULL);
    sink_object_begin(peer.sink, "t/o", OURS, &object, &error);
    sink_object_write(object, "content", 7, &error);
    s3_object_part_end(object, &error);
    holds(sink_object_prepare(object, &error), "in CreateMultipartUpload they all stand, in UploadPart the payer alone");
    holds(sink_objects_complete(peer.sink, &object, 1, &outcome, &head, &error), "and in CompleteMultipartUpload too");
    sink_object_close(object);
    peer_stop(&peer);
    peer = peer_open_with(SCRIPT{{"PUT", "\nx-amz-server-side-encryption: AES256\n!x-amz-server-side-encryption-aws-kms-key-id\n!x-amz-request-payer\n", OK_PUT},
                                 {0}}, "{\"sse\": \"AES256\"}");
    holds(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error), "SSE-S3 names no key");
    peer_stop(&peer);
    peer = peer_open_with(SCRIPT{{"PUT", "\n!x-amz-server-side-encryption\n!x-amz-tagging\n!x-amz-acl\n!x-amz-storage-class\n!x-amz-request-payer\n", OK_PUT},
                                 {0}}, "{\"sse\": \"none\"}");
    holds(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error), "without options nothing is asked for");
    peer_stop(&peer);
}

static void test_payload(void)
{
    Peer peer = peer_open(SCRIPT{{"PUT", "\nx-amz-content-sha256: UNSIGNED-PAYLOAD\n", OK_PUT},
                                 {"GET", "\nx-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n", "200 OK\r\n|x"}, {0}});
    SinkOutcome outcome;
    Buffer found;

    ((S3Sink *)peer.sink)->http.unsigned_payload = true; /* which options allow over https only */
    buffer_init(&found, 100);
    holds(sink_put(peer.sink, "t/o", OURS, "content", 7, &outcome, &error), "an unsigned payload is said to be one");
    holds(sink_get(peer.sink, "t/o", &found, &error), "requests without a body stay signed whole");
    buffer_free(&found);
    peer_stop(&peer);
}

static void refused(const char *more, const char *name)
{
    SinkSecret secret = {"key", SECRET, NULL};
    cJSON *options = cJSON_Parse(more);
    Sink *sink = NULL;

    if (!cJSON_HasObjectItem(options, "endpoint"))
        cJSON_AddStringToObject(options, "endpoint", "https://127.0.0.1:9");
    cJSON_AddStringToObject(options, "bucket", "bucket");
    check(sink_open("s3", options, &secret, (Beat){NULL, NULL}, &sink, &error) < 0 && error.kind == ERROR_PERMANENT, name);
    printf("# %s\n", error.message);
    sink_close(sink);
    cJSON_Delete(options);
}

static void test_refusals(void)
{
    refused("{\"kms_key\": \"k\"}", "a KMS key without aws:kms is refused");
    refused("{\"sse\": \"AES128\"}", "an unknown encryption is refused");
    refused("{\"payload_hash\": \"unsigned\", \"endpoint\": \"http://127.0.0.1:9\"}", "unsigned payloads are refused over http");
    refused("{\"part_bytes\": 1048576}", "parts of 1 MiB are refused");
    refused("{\"parallel_parts\": 0}", "no part at once is refused");
    refused("{\"tags\": [\"novalue\"]}", "a tag without = is refused");
    refused("{\"tags\": [\"1=\",\"2=\",\"3=\",\"4=\",\"5=\",\"6=\",\"7=\",\"8=\",\"9=\",\"10=\",\"11=\"]}", "eleven tags are refused");
    refused("{\"acl\": \"two\\nlines\"}", "an ACL that would make a second header is refused");
    refused("{\"endpoint\": \"https://user:password@host\"}", "an endpoint with a password in it is refused");
}

static int put_result(Sink *sink)
{
    SinkOutcome outcome;

    return sink_put(sink, "t/o", OURS, "content", 7, &outcome, &error);
}

static void test_retry_tokens(void)
{
    Peer peer = peer_open(SCRIPT{{"PUT", "", FAILURE("500 I", "InternalError")}, {"PUT", "", FAILURE("500 I", "InternalError")}, {"HEAD", "", ABSENT},
                                 {"PUT", "", OK_PUT}, {"PUT", "", FAILURE("500 I", "InternalError")}, {"HEAD", "", ABSENT}, {0}});
    S3Http *http = &((S3Sink *)peer.sink)->http;

    check(http->retry_tokens == S3_RETRY_TOKENS, "retries begin with a full bucket of tokens");
    http->retry_tokens = 5;
    check(put_result(peer.sink) < 0 && error.kind == ERROR_TRANSIENT, "where the tokens end, retries end");
    check(http->retry_tokens == 0, "a retry has cost 5");
    check(put_result(peer.sink) == 0 && http->retry_tokens == 1, "success fills the bucket");
    check(put_result(peer.sink) < 0, "with too few tokens the first try is the last");
    peer_stop(&peer);
}

static void test_pace(void)
{
    Peer peer = peer_open_with(SCRIPT{{"PUT", "", FAILURE("503 S", "SlowDown")}, {"PUT", "", FAILURE("503 S", "SlowDown")}, {"PUT", "", OK_PUT},
                                      {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT},
                                      {"PUT", "", OK_PUT}, {"PUT", "", OK_PUT}, {0}}, "{\"parallel_parts\": 4}");
    S3Http *http = &((S3Sink *)peer.sink)->http;

    check(http->parallel == 4, "as many parts at once as the option says");
    holds(put_result(peer.sink), "SlowDown is tried again");
    check(http->parallel == 2, "SlowDown halves the parts at once, once for the complaints of a moment");
    for (int i = 0; i < 7; i++)
        put_result(peer.sink);
    check(http->parallel == 3, "good answers let them grow again");
    peer_stop(&peer);
}

/* Keys of a profile can be asked for anew; those of the target's own secret cannot. */
static void test_expired(void)
{
    Peer peer = peer_open(SCRIPT{{"PUT", "", FAILURE("400 B", "ExpiredToken")}, {0}});
    char path[] = "/tmp/sluice-profile-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    S3Http *http = &((S3Sink *)peer.sink)->http;

    check(put_result(peer.sink) < 0 && error.kind == ERROR_TRANSIENT && strstr(error.hint, "options"), "expired keys of the target's own are told, and read again when it is opened again");
    peer_stop(&peer);

    fprintf(file, "[default]\naws_access_key_id = old\naws_secret_access_key = s1\naws_session_token = t1\n");
    fflush(file);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_CONFIG_FILE", "/nowhere", 1);
    peer = peer_open(SCRIPT{{"PUT", "\nx-amz-security-token: t1\n", OK_PUT}, {"PUT", "\nx-amz-security-token: t1\n", FAILURE("400 B", "ExpiredToken")},
                            {"PUT", "\nx-amz-security-token: t2\n", OK_PUT}, {"HEAD", "\nx-amz-security-token: t2\n", "400 B\r\n|"},
                            {"HEAD", "\nx-amz-security-token: t3\n", OURS_THERE}, {"PUT", "\nx-amz-security-token: t3\n", FAILURE("400 B", "ExpiredToken")}, {0}});
    http = &((S3Sink *)peer.sink)->http;
    memset(&http->credentials.given, 0, sizeof http->credentials.given);
    holds(put_result(peer.sink), "keys of a profile sign");
    for (int turn = 2; turn <= 3; turn++) {
        SinkHead head;

        rewind(file);
        fprintf(file, "[default]\naws_access_key_id = new\naws_secret_access_key = s%d\naws_session_token = t%d\n", turn, turn);
        fflush(file);
        if (turn == 2)
            holds(put_result(peer.sink), "an expired token is renewed and the request made again");
        else
            holds(sink_head(peer.sink, "t/o", &head, &error), "for a HEAD too, whose answer cannot say what is wrong");
    }
    check(put_result(peer.sink) < 0 && error.kind == ERROR_PERMANENT, "where renewing gives the same keys, the failure stands");
    peer_stop(&peer);
    fclose(file);
    unlink(path);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    test_headers();
    test_payload();
    test_refusals();
    test_retry_tokens();
    test_pace();
    test_expired();
    return check_end();
}
