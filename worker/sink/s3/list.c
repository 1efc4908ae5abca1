/* list.c - ListObjectsV2 and ListMultipartUploads, page by page; see s3.h */
#include "base/clock.h"
#include "sink/s3/s3.h"
#include "sink/s3/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_MAX 1100      /* an S3 key has at most 1024 bytes */
#define TOKEN_MAX 2048
#define ETAG_TEXT_MAX 100
#define ABORT_ROUNDS_MAX 5     /* a part that was under way can outlive an abort (S3 API reference, AbortMultipartUpload) */

typedef struct Page {
    bool more;
    char token[TOKEN_MAX];          /* continuation-token, or the key marker */
    char upload_marker[S3_UPLOAD_ID_MAX];
} Page;

static int malformed(const S3Call *call, const char *what, Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "%s at %.200s: the answer is not the XML that S3 sends", what, call->http->host);
}

/* Runs the call; *level = what its root element encloses. */
static int page_fetch(S3Call *call, const char *what, XmlSpan *level, Error *error)
{
    XmlSpan document;
    char root[XML_NAME_MAX];

    if (s3_call_run(call, error) < 0)
        return -1;
    if (!s3_call_good(call))
        return s3_call_error(call, what, error);
    document = xml_span(call->answer.data, call->answer.length);
    return xml_next(&document, root, level) > 0 ? 0 : malformed(call, what, error);
}

typedef struct KeyTaker {
    SinkEach each;
    void *context;
    bool ended;
} KeyTaker;

static int keys_give(XmlSpan level, KeyTaker *taker, Page *page)
{
    char name[XML_NAME_MAX];
    char truncated[8] = "";
    XmlSpan inner;
    int found;

    page->token[0] = '\0';
    while ((found = xml_next(&level, name, &inner)) > 0 && !taker->ended) {
        if (strcmp(name, "IsTruncated") == 0 && xml_text(inner, truncated, sizeof truncated) < 0)
            return -1;
        if (strcmp(name, "NextContinuationToken") == 0 && xml_text(inner, page->token, sizeof page->token) < 0)
            return -1;
        if (strcmp(name, "Contents") == 0) {
            char key[KEY_TEXT_MAX];
            char size[32];
            char etag[ETAG_TEXT_MAX];

            if (xml_find_text(inner, "Key", key, sizeof key) < 0 || xml_find_text(inner, "Size", size, sizeof size) < 0 ||
                xml_find_text(inner, "ETag", etag, sizeof etag) < 0)
                return -1;
            s3_etag_bare(etag);
            taker->ended = taker->each(taker->context, &(SinkEntry){key, strtoull(size, NULL, 10), etag}) != 0;
        }
    }
    page->more = strcmp(truncated, "true") == 0 && page->token[0] && !taker->ended;
    return found < 0 && !taker->ended ? -1 : 0;
}

int s3_list(Sink *base, const char *prefix, const char *after, SinkEach each, void *context, Error *error)
{
    S3Sink *sink = (S3Sink *)base;
    KeyTaker taker = {each, context, false};
    Page page = {.more = true};

    while (page.more) {
        XmlSpan level = {NULL, NULL};
        S3Call call;
        int result;

        s3_call_init(&call, &sink->http, "GET", NULL);
        call.answer_root = "ListBucketResult";
        s3_call_query(&call, "list-type", "2");
        s3_call_query(&call, "prefix", prefix);
        if (page.token[0])
            s3_call_query(&call, "continuation-token", page.token);
        if (after && after[0])
            s3_call_query(&call, "start-after", after);
        result = page_fetch(&call, "ListObjectsV2", &level, error);
        if (result == 0 && keys_give(level, &taker, &page) < 0)
            result = malformed(&call, "ListObjectsV2", error);
        s3_call_end(&call);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* Which uploads to end: those of one key, or all below a prefix that are old. */
typedef struct UploadSearch {
    const char *prefix;
    const char *key;      /* NULL: every key; else `prefix` is this key too, and finds longer ones, which are others' */
    int64_t older_than_s; /* by the server's clock; -1 = of any age */
    int ended;
} UploadSearch;

static bool upload_wanted(const UploadSearch *search, const char *key, const char *initiated, int64_t now_s)
{
    int64_t begun_s = clock_seconds_from_text(initiated);

    if (search->key && strcmp(key, search->key) != 0)
        return false;
    /* One that does not say when it was begun is left alone. */
    return search->older_than_s < 0 || (begun_s >= 0 && now_s - begun_s > search->older_than_s);
}

static int uploads_end(S3Sink *sink, UploadSearch *search, XmlSpan level, int64_t now_s, Error *error)
{
    char name[XML_NAME_MAX];
    XmlSpan inner;

    while (xml_next(&level, name, &inner) > 0) {
        char key[KEY_TEXT_MAX];
        char upload_id[S3_UPLOAD_ID_MAX];
        char initiated[40];

        if (strcmp(name, "Upload") != 0)
            continue;
        if (xml_find_text(inner, "Key", key, sizeof key) < 0 || xml_find_text(inner, "UploadId", upload_id, sizeof upload_id) < 0 ||
            xml_find_text(inner, "Initiated", initiated, sizeof initiated) < 0)
            return error_set(error, ERROR_TRANSIENT, NULL, "ListMultipartUploads: an upload without key and id");
        if (!upload_wanted(search, key, initiated, now_s))
            continue;
        if (s3_upload_abort(sink, key, upload_id, 0, 0, error) < 0)
            return -1;
        search->ended++;
    }
    return 0;
}

static int page_read(XmlSpan level, Page *page)
{
    char truncated[8];

    if (xml_find_text(level, "IsTruncated", truncated, sizeof truncated) < 0 ||
        xml_find_text(level, "NextKeyMarker", page->token, sizeof page->token) < 0 ||
        xml_find_text(level, "NextUploadIdMarker", page->upload_marker, sizeof page->upload_marker) < 0)
        return -1;
    page->more = strcmp(truncated, "true") == 0 && page->token[0];
    return 0;
}

/* One pass over all uploads below the prefix. */
static int uploads_pass(S3Sink *sink, UploadSearch *search, Error *error)
{
    Page page = {.more = true};
    Page next;

    while (page.more) {
        XmlSpan level = {NULL, NULL};
        S3Call call;
        int result;

        s3_call_init(&call, &sink->http, "GET", NULL);
        call.answer_root = "ListMultipartUploadsResult";
        s3_call_query(&call, "uploads", "");
        s3_call_query(&call, "prefix", search->prefix);
        if (page.token[0]) {
            s3_call_query(&call, "key-marker", page.token);
            s3_call_query(&call, "upload-id-marker", page.upload_marker);
        }
        result = page_fetch(&call, "ListMultipartUploads", &level, error);
        if (result == 0 && page_read(level, &next) < 0)
            result = malformed(&call, "ListMultipartUploads", error);
        if (result == 0)
            result = uploads_end(sink, search, level, call.date_s ? call.date_s : clock_wall_us() / 1000000, error);
        s3_call_end(&call);
        if (result < 0)
            return -1;
        page = next;
    }
    return 0;
}

int s3_uploads_abort(Sink *base, const char *key, Error *error)
{
    for (int round = 0; round < ABORT_ROUNDS_MAX; round++) {
        UploadSearch search = {.prefix = key, .key = key, .older_than_s = -1};

        if (uploads_pass((S3Sink *)base, &search, error) < 0)
            return -1;
        if (!search.ended)
            return 0;
    }
    return error_set(error, ERROR_TRANSIENT, NULL, "uploads of %.300s are there again after %d aborts", key, ABORT_ROUNDS_MAX);
}

int s3_uploads_sweep(Sink *base, const char *prefix, int64_t older_than_s, int *ended, Error *error)
{
    UploadSearch search = {.prefix = prefix, .older_than_s = older_than_s < 0 ? 0 : older_than_s};
    int result = uploads_pass((S3Sink *)base, &search, error);

    *ended += search.ended;
    return result;
}
