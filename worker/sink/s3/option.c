/* option.c - a target's options: where its bucket is, and what every object of it is made with; see s3.h */
#include "base/limits.h"
#include "sink/s3/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define HOST_CHARACTERS BUCKET_CHARACTERS ":[]"
#define REGION_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define WORD_CHARACTERS BUCKET_CHARACTERS

/* ret = value; false where it is too long. */
static bool copy(char *ret, size_t size, const char *value)
{
    return (size_t)snprintf(ret, size, "%s", value) < size;
}

static int endpoint_refuse(const char *why, Error *error)
{
    return error_set(error, ERROR_PERMANENT, "Write it as https://host or https://host:port.", "the target's option endpoint %s", why);
}

/* Scheme and host[:port]; a default port is taken off, as HTTP clients leave it out of the Host header that is signed. */
static int endpoint_parse(const char *endpoint, char scheme[6], char host[256], Error *error)
{
    const char *at = strstr(endpoint, "://");
    const char *port;
    size_t length;

    memcpy(scheme, "https", 6);
    if (at) {
        if (strncmp(endpoint, "http://", 7) == 0)
            memcpy(scheme, "http", 5);
        else if (strncmp(endpoint, "https://", 8) != 0)
            return endpoint_refuse("is neither http nor https", error);
        endpoint = at + 3;
    }
    if (strchr(endpoint, '@'))
        return error_set(error, ERROR_PERMANENT, "Give the keys as the target's secret.", "the target's option endpoint must not hold credentials");
    length = strcspn(endpoint, "/");
    if (!length || length >= 256 || strspn(endpoint, HOST_CHARACTERS) < length || (endpoint[length] && endpoint[length + 1]))
        return endpoint_refuse("is not a host with an optional port", error);
    port = strcmp(scheme, "https") == 0 ? ":443" : ":80";
    if (length > strlen(port) && strncmp(endpoint + length - strlen(port), port, strlen(port)) == 0)
        length -= strlen(port);
    memcpy(host, endpoint, length);
    host[length] = '\0';
    return 0;
}

static int address_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const char *endpoint = json_text(options, "endpoint", NULL);
    bool path_style = json_boolean(options, "path_style", endpoint != NULL || strchr(sink->bucket, '.'));
    S3Http *http = &sink->http;
    char scheme[6];
    char host[256];
    char amazon[160];

    if (!endpoint) {
        snprintf(amazon, sizeof amazon, "https://s3.%s.amazonaws.com%s", http->region, strncmp(http->region, "cn-", 3) == 0 ? ".cn" : "");
        endpoint = amazon;
    }
    if (endpoint_parse(endpoint, scheme, host, error) < 0)
        return -1;
    if (path_style) {
        snprintf(http->host, sizeof http->host, "%s", host);
        snprintf(http->path, sizeof http->path, "/%s", sink->bucket);
    } else if ((size_t)snprintf(http->host, sizeof http->host, "%s.%s", sink->bucket, host) >= sizeof http->host) {
        return endpoint_refuse("is too long", error);
    }
    snprintf(http->origin, sizeof http->origin, "%s://%s", scheme, http->host);
    return 0;
}

/* The option, else the environment, else the shared profile, else the one that every client falls back to. */
static int region_take(S3Http *http, const cJSON *options, Error *error)
{
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    const char *region = json_text(options, "region", NULL);
    char of_profile[S3_REGION_MAX];

    for (int i = 0; !region && i < 2; i++) {
        region = getenv(variables[i]);
        region = region && region[0] ? region : NULL;
    }
    if (!region) {
        s3_profile_region(of_profile);
        region = of_profile[0] ? of_profile : "us-east-1";
    }
    if (!region[0] || region[strspn(region, REGION_CHARACTERS)] || !copy(http->region, sizeof http->region, region))
        return error_set(error, ERROR_PERMANENT, "Set the target's option region, for instance to eu-central-1.", "\"%.100s\" is no region", region);
    return 0;
}

static int refuse(const char *name, const char *why, const char *hint, Error *error)
{
    return error_set(error, ERROR_PERMANENT, hint, "the target's option %s %s", name, why);
}

static void header_add(S3Http *http, const char *name, const char *value)
{
    http->object_headers[http->object_headers_count++] = (SignPair){name, value};
}

/* Encryption by the server: S3 user guide, "Specifying server-side encryption". */
static int encryption_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const char *sse = json_text(options, "sse", "none"), *key = json_text(options, "kms_key", "");
    bool kms = strcmp(sse, "aws:kms") == 0;

    if (!kms && strcmp(sse, "none") != 0 && strcmp(sse, "AES256") != 0)
        return refuse("sse", "is not one of none, AES256, aws:kms", NULL, error);
    if (!kms && (key[0] || json_member(options, "bucket_key")))
        return refuse(key[0] ? "kms_key" : "bucket_key", "is given without sse aws:kms", "Set sse to aws:kms too.", error);
    if (!copy(sink->kms_key, sizeof sink->kms_key, key) || strpbrk(key, " \t\r\n"))
        return refuse("kms_key", "is no id, alias or ARN of a key", NULL, error);
    if (strcmp(sse, "none") != 0)
        header_add(&sink->http, "x-amz-server-side-encryption", kms ? "aws:kms" : "AES256");
    if (key[0])
        header_add(&sink->http, "x-amz-server-side-encryption-aws-kms-key-id", sink->kms_key);
    if (json_boolean(options, "bucket_key", false))
        header_add(&sink->http, "x-amz-server-side-encryption-bucket-key-enabled", "true");
    return 0;
}

static int tag_append(Buffer *text, const char *tag, Error *error)
{
    const char *equal = strchr(tag, '=');
    size_t length = equal ? (size_t)(equal - tag) : 0;
    char key[S3_TAG_KEY_MAX + 1];

    if (!length || length > S3_TAG_KEY_MAX || strlen(equal + 1) > S3_TAG_VALUE_MAX)
        return refuse("tags", "holds one that is not key=value, of at most 128 and 256 bytes", "For example: \"tags\": [\"team=data\", \"env=prod\"]", error);
    memcpy(key, tag, length);
    key[length] = '\0';
    if ((text->length && buffer_text(text, "&", error) < 0) || sign_uri(text, key, false, error) < 0 || buffer_text(text, "=", error) < 0)
        return -1;
    return sign_uri(text, equal + 1, false, error);
}

static int tags_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const cJSON *tags = json_member(options, "tags"), *tag;
    Buffer text;
    int result = 0;

    if (cJSON_GetArraySize(tags) > S3_TAGS_MAX)
        return refuse("tags", "holds more than 10, which is what S3 allows", NULL, error);
    buffer_init(&text, KIB(64));
    cJSON_ArrayForEach(tag, tags) {
        if (result == 0)
            result = tag_append(&text, cJSON_IsString(tag) ? tag->valuestring : "", error);
    }
    if (result == 0 && text.length && !copy(sink->tags, sizeof sink->tags, text.data))
        result = refuse("tags", "is longer than 2000 bytes when encoded", "Use fewer or shorter tags.", error);
    buffer_free(&text);
    if (result == 0 && sink->tags[0])
        header_add(&sink->http, "x-amz-tagging", sink->tags);
    return result;
}

/* One of a list of words goes into a header as it is. */
static int word_take(S3Http *http, const cJSON *options, const char *option, const char *header, char *ret, Error *error)
{
    const char *word = json_text(options, option, "");

    if (!word[0])
        return 0;
    if (word[strspn(word, WORD_CHARACTERS)] || !copy(ret, S3_WORD_MAX, word))
        return refuse(option, "is no word that S3 has for it", NULL, error);
    header_add(http, header, ret);
    return 0;
}

static int payload_take(S3Http *http, const cJSON *options, Error *error)
{
    const char *hash = json_text(options, "payload_hash", "signed");

    http->unsigned_payload = strcmp(hash, "unsigned") == 0;
    if (!http->unsigned_payload && strcmp(hash, "signed") != 0)
        return refuse("payload_hash", "is neither signed nor unsigned", NULL, error);
    if (http->unsigned_payload && strncmp(http->origin, "https://", 8) != 0)
        return refuse("payload_hash", "is unsigned, and the endpoint is http: nothing would guard the bytes on their way",
                      "Use an https endpoint, or payload_hash signed.", error);
    return 0;
}

static int sizes_take(S3Sink *sink, const cJSON *options, Error *error)
{
    int64_t part_bytes = json_integer(options, "part_bytes", (int64_t)PART_BYTES), parallel = json_integer(options, "parallel_parts", PARTS_IN_FLIGHT);

    if (part_bytes < (int64_t)PART_BYTES_MIN || part_bytes > (int64_t)PART_BYTES_MAX)
        return refuse("part_bytes", "must lie between 8 MiB and 16 MiB", NULL, error);
    if (parallel < 1 || parallel > PARTS_IN_FLIGHT_MAX)
        return refuse("parallel_parts", "must lie between 1 and 8", NULL, error);
    sink->part_bytes = (size_t)part_bytes;
    sink->http.parallel_max = (int)parallel;
    sink->http.tries_max = (int)json_integer(options, "tries", S3_TRIES_DEFAULT);
    if (sink->http.tries_max < 1)
        sink->http.tries_max = 1;
    return 0;
}

int s3_options_take(S3Sink *sink, const cJSON *options, Error *error)
{
    const char *bucket = json_text(options, "bucket", "");
    S3Http *http = &sink->http;

    if (strlen(bucket) < 3 || bucket[strspn(bucket, BUCKET_CHARACTERS)] || !copy(sink->bucket, sizeof sink->bucket, bucket))
        return error_set(error, ERROR_PERMANENT, "Set the target's option bucket to the bucket's bare name.", "\"%.100s\" is no name of a bucket",
                         bucket);
    if (!copy(http->ca_file, sizeof http->ca_file, json_text(options, "ca_file", "")))
        return error_set(error, ERROR_PERMANENT, NULL, "the path of ca_file is too long");
    if (region_take(http, options, error) < 0 || address_take(sink, options, error) < 0 || encryption_take(sink, options, error) < 0 ||
        tags_take(sink, options, error) < 0 || payload_take(http, options, error) < 0 || sizes_take(sink, options, error) < 0 ||
        word_take(http, options, "storage_class", "x-amz-storage-class", sink->storage_class, error) < 0 ||
        word_take(http, options, "acl", "x-amz-acl", sink->acl, error) < 0)
        return -1;
    http->requester_pays = json_boolean(options, "requester_pays", false);
    return 0;
}
