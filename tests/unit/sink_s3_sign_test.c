/*
 * sink_s3_sign_test.c - Signature Version 4 by AWS's own vectors.
 *
 * Source: awslabs/aws-c-auth (Apache-2.0), tests/aws-signing-test-suite/v4/{name}: request.txt, context.json and header-signature.txt.
 * All are of AKIDEXAMPLE, us-east-1, service "service", 2015-08-30T12:36:00Z, sign_body false (so an empty payload's hash).
 */
#include "check.h"
#include "base/limits.h"
#include "sink/s3_sign.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define STS_TOKEN                                                                                                                       \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/"           \
    "qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+"                    \
    "xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

typedef struct Vector {
    const char *name, *method, *path; /* path as in request.txt, not encoded */
    SignPair query[4];
    int query_count;
    SignPair headers[3]; /* beside host and x-amz-date */
    int headers_count;
    const char *signature;
} Vector;

static const Vector vectors[] = {
    {.name = "get-vanilla", .method = "GET", .path = "/", .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-header-value-trim", .method = "GET", .path = "/", .headers = {{"my-header2", " \"a   b   c\""}, {"my-header1", " value1"}},
     .headers_count = 2, .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "get-utf8", .method = "GET", .path = "/\xe1\x88\xb4",
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-unreserved", .method = "GET", .path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-vanilla-query-order-encoded", .method = "GET", .path = "/",
     .query = {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}}, .query_count = 3,
     .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {.name = "get-vanilla-utf8-query", .method = "GET", .path = "/", .query = {{"\xe1\x88\xb4", "bar"}}, .query_count = 1,
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "post-vanilla-query", .method = "POST", .path = "/", .query = {{"Param1", "value1"}}, .query_count = 1,
     .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "get-vanilla-with-session-token", .method = "GET", .path = "/",
     .headers = {{"x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}}, .headers_count = 1,
     .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "post-sts-header-before", .method = "POST", .path = "/", .headers = {{"x-amz-security-token", STS_TOKEN}}, .headers_count = 1,
     .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
};

static Error error;

static void vector_check(const Vector *vector)
{
    char sha256[SHA256_TEXT], time[SIGN_TIME_TEXT], wanted[256], name[128];
    Buffer path, query, found;
    SignRequest request = {.method = vector->method, .payload_sha256 = sha256, .region = "us-east-1", .service = "service", .time = time,
                           .access_key = "AKIDEXAMPLE", .secret_key = SECRET};

    buffer_init(&path, KIB(4));
    buffer_init(&query, KIB(4));
    buffer_init(&found, KIB(4));
    sign_sha256("", 0, sha256, &error);
    sign_time(1440938160, time);
    sign_uri(&path, vector->path, true, &error);
    sign_query(&query, vector->query, vector->query_count, &error);
    request.path = path.data;
    request.query = query.data;
    request.headers[request.headers_count++] = (SignPair){"x-amz-date", time};
    for (int i = 0; i < vector->headers_count; i++)
        request.headers[request.headers_count++] = vector->headers[i];
    request.headers[request.headers_count++] = (SignPair){"host", "example.amazonaws.com"};
    snprintf(name, sizeof name, "AWS vector %s", vector->name);
    snprintf(wanted, sizeof wanted, "Signature=%s", vector->signature);
    if (check(sign_authorization(&request, &found, &error) == 0, name))
        check_text(strstr(found.data, "Signature="), wanted, name);
    buffer_free(&path);
    buffer_free(&query);
    buffer_free(&found);
}

static void test_whole(void)
{
    char sha256[SHA256_TEXT];
    Buffer found;
    SignRequest request = {.method = "GET", .path = "/", .query = "", .headers = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
                           .headers_count = 2, .payload_sha256 = sha256, .region = "us-east-1", .service = "service",
                           .time = "20150830T123600Z", .access_key = "AKIDEXAMPLE", .secret_key = SECRET};

    buffer_init(&found, KIB(4));
    sign_sha256("", 0, sha256, &error);
    sign_authorization(&request, &found, &error);
    check_text(found.data,
               "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
               "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
               "the Authorization header is that of the documentation");
    buffer_free(&found);
}

static void test_uri(void)
{
    Buffer found;

    buffer_init(&found, KIB(4));
    sign_uri(&found, "d=2026-01-01/t 1+2:3.jsonl", true, &error);
    check_text(found.data, "d%3D2026-01-01/t%201%2B2%3A3.jsonl", "a key is encoded once, its slashes kept");
    buffer_clear(&found);
    sign_uri(&found, "a/b", false, &error);
    check_text(found.data, "a%2Fb", "a slash in a query is encoded");
    buffer_free(&found);
}

int main(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        vector_check(&vectors[i]);
    test_whole();
    test_uri();
    return check_end();
}
