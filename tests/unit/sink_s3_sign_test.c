/*
 * sink_s3_sign_test.c - Signature Version 4 by all of AWS's own vectors, header and query form of each.
 *
 * Source: awslabs/aws-c-auth (Apache-2.0), tests/aws-signing-test-suite/v4/{name}: request.txt, context.json and what must come
 * of them. tests/harness/vectors.py takes them out of the crate aws-sigv4 and puts them where SLUICE_SIGV4_VECTORS or
 * SLUICE_BUILD says. What S3 does not do, and so our signer does not, is done here: paths are normalised where a vector asks for it.
 */
#include "check.h"
#include "base/json.h"
#include "base/limits.h"
#include "sink/s3/sign.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <ctype.h>

#define TEXT_MAX 8192
#define VECTORS_WANTED 38 /* as many as the suite of aws-c-auth 0.9 has */

typedef struct Vector {
    char text[TEXT_MAX];  /* request.txt, cut into the strings below */
    char path[TEXT_MAX];  /* decoded, normalised where asked for */
    char values[SIGN_HEADERS_MAX][1024];
    SignPair query[SIGN_QUERY_MAX];
    int query_count;
    const char *body;
    char sha256[SHA256_TEXT];
    cJSON *context;
    SignRequest request;
} Vector;

static Error error;

static bool file_read(const char *folder, const char *name, char ret[TEXT_MAX])
{
    char path[PATH_MAX];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file)
        return false;
    length = fread(ret, 1, TEXT_MAX - 1, file);
    ret[length] = '\0';
    fclose(file);
    return true;
}

/* In place, since a decoded text is never longer. */
static void decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        unsigned int value;

        if (*at == '%' && sscanf(at + 1, "%2x", &value) == 1) {
            *to++ = (char)value;
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* RFC 3986 5.2.4, and runs of slashes as one: what "normalize" asks for. */
static void normalise(char *path)
{
    char parts[64][128];
    int count = 0;
    bool folder = false;

    for (char *at = path; *at;) {
        size_t length = strcspn(at, "/");

        folder = length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.');
        if (length == 2 && folder)
            count -= count > 0;
        else if (!folder)
            snprintf(parts[count++], sizeof parts[0], "%.*s", (int)length, at);
        at += length;
        if (*at == '/') {
            at++;
            folder = true;
        }
    }
    for (int i = 0; i < count; i++) {
        size_t length = strlen(parts[i]);

        *path++ = '/';
        memcpy(path, parts[i], length); /* what is written is never longer than what was read */
        path += length;
    }
    if (folder || !count)
        *path++ = '/';
    *path = '\0';
}

static void query_parse(Vector *vector, char *query)
{
    char *save = NULL;

    for (char *pair = strtok_r(query, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
        char *value = strchr(pair, '=');

        if (value)
            *value++ = '\0';
        decode(pair);
        if (value)
            decode(value);
        vector->query[vector->query_count++] = (SignPair){pair, value ? value : ""};
    }
}

/* Header lines: one that begins with a blank goes on, one of a name seen before is added to that with a comma. */
static void header_parse(Vector *vector, char *line)
{
    SignRequest *request = &vector->request;
    char *colon = strchr(line, ':');
    int at = 0;

    if (isblank((unsigned char)line[0])) {
        char *last = vector->values[request->headers_count - 1];

        snprintf(last + strlen(last), 256, " %s", line);
        return;
    }
    *colon = '\0';
    for (char *c = line; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    while (at < request->headers_count && strcmp(request->headers[at].name, line) != 0)
        at++;
    if (at < request->headers_count) {
        snprintf(vector->values[at] + strlen(vector->values[at]), 256, ",%s", colon + 1);
        return;
    }
    snprintf(vector->values[at], sizeof vector->values[at], "%s", colon + 1);
    request->headers[request->headers_count++] = (SignPair){line, vector->values[at]};
}

static void request_parse(Vector *vector)
{
    char *at = vector->text, *line;
    char *path, *query, *version;

    line = strsep(&at, "\n");
    path = strchr(line, ' ');
    *path++ = '\0';
    version = strstr(path, " HTTP/");
    *version = '\0';
    query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    vector->request.method = line;
    snprintf(vector->path, sizeof vector->path, "%s", path);
    decode(vector->path);
    if (json_boolean(vector->context, "normalize", true))
        normalise(vector->path);
    if (query)
        query_parse(vector, query);
    while (at && *at && (line = strsep(&at, "\n")) != NULL && *line)
        header_parse(vector, line);
    vector->body = at ? at : "";
}

static bool vector_read(Vector *vector, const char *folder)
{
    const cJSON *keys;
    char context[TEXT_MAX];

    memset(vector, 0, sizeof *vector);
    if (!file_read(folder, "context.json", context) || !file_read(folder, "request.txt", vector->text))
        return false;
    vector->context = cJSON_Parse(context);
    keys = json_member(vector->context, "credentials");
    request_parse(vector);
    vector->request.access_key = json_text(keys, "access_key_id", "");
    vector->request.secret_key = json_text(keys, "secret_access_key", "");
    vector->request.region = json_text(vector->context, "region", "");
    vector->request.service = json_text(vector->context, "service", "");
    vector->request.time = "20150830T123600Z";
    vector->request.payload_sha256 = vector->sha256;
    return strcmp(json_text(vector->context, "timestamp", ""), "2015-08-30T12:36:00Z") == 0 &&
           sign_sha256(vector->body, json_boolean(vector->context, "sign_body", false) ? strlen(vector->body) : 0, vector->sha256, &error) == 0;
}

static const char *token_of(const Vector *vector)
{
    if (json_boolean(vector->context, "omit_session_token", false))
        return NULL;
    return json_text(json_member(vector->context, "credentials"), "token", NULL);
}

/* The Authorization header of header-signed-request.txt, or the Signature of query-signature.txt. */
static void header_check(Vector *vector, const char *folder, const char *name)
{
    char wanted[TEXT_MAX] = "", promise[300];
    char *line;
    SignRequest request = vector->request;
    Buffer query, found;

    buffer_init(&query, KIB(4));
    buffer_init(&found, KIB(8));
    request.headers[request.headers_count++] = (SignPair){"x-amz-date", request.time};
    if (json_boolean(vector->context, "sign_body", false))
        request.headers[request.headers_count++] = (SignPair){"x-amz-content-sha256", vector->sha256};
    if (token_of(vector))
        request.headers[request.headers_count++] = (SignPair){"x-amz-security-token", token_of(vector)};
    snprintf(promise, sizeof promise, "AWS vector %s, header form", name);
    file_read(folder, "header-signed-request.txt", wanted);
    line = strstr(wanted, "Authorization:");
    if (line)
        line[strcspn(line, "\n")] = '\0';
    if (sign_query(&query, vector->query, vector->query_count, &error) < 0)
        check(false, promise);
    request.query = query.data;
    if (sign_authorization(&request, &found, &error) < 0 || !line)
        check(false, promise);
    else
        check_text(found.data, line + strlen("Authorization:"), promise);
    buffer_free(&query);
    buffer_free(&found);
}

static void query_check(Vector *vector, const char *folder, const char *name)
{
    char wanted[TEXT_MAX] = "", promise[300];
    const char *at;
    Buffer found;

    buffer_init(&found, KIB(8));
    snprintf(promise, sizeof promise, "AWS vector %s, query form", name);
    file_read(folder, "query-signature.txt", wanted);
    wanted[strcspn(wanted, "\n")] = '\0';
    if (sign_presigned(&vector->request, vector->query, vector->query_count, (int)json_integer(vector->context, "expiration_in_seconds", 0),
                       token_of(vector), &found, &error) < 0 ||
        !(at = strstr(found.data, "&X-Amz-Signature=")))
        check(false, promise);
    else
        check_text(at + strlen("&X-Amz-Signature="), wanted, promise);
    buffer_free(&found);
}

static void vector_check(const char *folder, const char *name)
{
    static Vector vector;
    Buffer path;

    if (!check(vector_read(&vector, folder), name))
        return;
    buffer_init(&path, KIB(8));
    sign_uri(&path, vector.path, true, &error);
    buffer_terminate(&path, &error);
    vector.request.path = path.data;
    header_check(&vector, folder, name);
    query_check(&vector, folder, name);
    buffer_free(&path);
    cJSON_Delete(vector.context);
}

static void test_vectors(void)
{
    const char *given = getenv("SLUICE_SIGV4_VECTORS"), *build = getenv("SLUICE_BUILD");
    char folder[PATH_MAX - 512], path[PATH_MAX];
    struct dirent *entry;
    DIR *directory;
    int count = 0;

    snprintf(folder, sizeof folder, "%s%s", given ? given : build ? build : "build", given ? "" : "/tools/sigv4-vectors");
    directory = opendir(folder);
    while (directory && (entry = readdir(directory)) != NULL) {
        char context[TEXT_MAX];

        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        /* The crate's own two are not of the suite: they have no context and are of services that encode twice. */
        if (entry->d_name[0] == '.' || !file_read(path, "context.json", context))
            continue;
        vector_check(path, entry->d_name);
        count++;
    }
    if (directory)
        closedir(directory);
    if (!check(count >= VECTORS_WANTED, "all of AWS's vectors are there"))
        printf("# %d in %s; python3 tests/harness/vectors.py install fetches them\n", count, folder);
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
    test_vectors();
    test_uri();
    return check_end();
}
