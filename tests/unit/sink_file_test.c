/* sink_file_test.c - whole objects appear once at their final name or not at all, on a folder. */
#include "check.h"
#include "sink/sink.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTED_MAX 4096
#define ATTEMPT_1 "11111111111111111111111111111111"
#define ATTEMPT_2 "22222222222222222222222222222222"

static char root[PATH_MAX];
static Error error;

static Sink *open_sink(bool xattr)
{
    cJSON *options = cJSON_CreateObject();
    Sink *sink = NULL;

    cJSON_AddStringToObject(options, "path", root);
    cJSON_AddBoolToObject(options, "xattr", xattr);
    if (sink_open("file", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0)
        printf("# %s\n", error.message);
    cJSON_Delete(options);
    return sink;
}

static bool exists(const char *key)
{
    char path[PATH_MAX + 256];

    snprintf(path, sizeof path, "%s/%s", root, key);
    return access(path, F_OK) == 0;
}

static int temporaries(void)
{
    char path[PATH_MAX + 256];
    struct dirent *entry;
    DIR *directory;
    int count = 0;

    snprintf(path, sizeof path, "%s/_sluice/tmp", root);
    directory = opendir(path);
    while (directory && (entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

static SinkObject *prepared(Sink *sink, const char *key, const char *attempt, const char *data)
{
    SinkObject *object = NULL;

    if (sink_object_begin(sink, key, attempt, &object, &error) < 0 || sink_object_write(object, data, strlen(data), &error) < 0 ||
        sink_object_prepare(object, &error) < 0)
        printf("# %s\n", error.message);
    return object;
}

static void test_whole(Sink *sink, const char *key)
{
    SinkObject *object = prepared(sink, key, ATTEMPT_1, "one");
    SinkOutcome outcome = SINK_EXISTS;
    SinkHead head;
    Buffer content;

    check(!exists(key), "an object that is not completed has no final name");
    check(sink_head(sink, key, &head, &error) == 0 && !head.exists, "head of an absent object is no error");
    check(sink_objects_complete(sink, &object, 1, &outcome, &head, &error) == 0 && outcome == SINK_CREATED && head.bytes == 3,
          "completing makes it visible");
    sink_object_close(object);
    check(exists(key) && temporaries() == 0, "no temporary is left");
    check(sink_head(sink, key, &head, &error) == 0 && head.exists && head.bytes == 3, "head knows its bytes");
    check_text(head.attempt, ATTEMPT_1, "head knows its attempt");
    buffer_init(&content, 100);
    check(sink_get(sink, key, &content, &error) == 0 && content.length == 3 && memcmp(content.data, "one", 3) == 0, "get reads it back");
    check(sink_get(sink, "absent", &content, &error) < 0 && error.kind == ERROR_GONE, "get of an absent object says gone");
    buffer_free(&content);
}

static void test_loser(Sink *sink, const char *key)
{
    SinkOutcome outcome = SINK_CREATED;
    SinkObject *again;
    SinkHead head;

    check(sink_put(sink, key, ATTEMPT_2, "two!", 4, &outcome, &error) == 0 && outcome == SINK_EXISTS, "a second writer finds it taken");
    check(sink_head(sink, key, &head, &error) == 0 && head.bytes == 3 && strcmp(head.attempt, ATTEMPT_1) == 0, "and has changed nothing");
    again = prepared(sink, key, ATTEMPT_1, "one");
    check(sink_objects_complete(sink, &again, 1, &outcome, &head, &error) == 0 && outcome == SINK_CREATED,
          "an object found to carry our attempt is ours");
    sink_object_close(again);
    check(temporaries() == 0, "the loser leaves no temporary");
}

static void test_fence(Sink *sink)
{
    SinkObject *zombie = prepared(sink, "t/fenced", ATTEMPT_1, "zombie");
    SinkOutcome outcome;
    SinkHead head;

    check(temporaries() == 1, "an upload under way is a temporary");
    check(sink_uploads_abort(sink, "t/other", &error) == 0 && temporaries() == 1, "aborting another key's uploads leaves it");
    check(sink_uploads_abort(sink, "t/fenced", &error) == 0 && temporaries() == 0, "aborting the key's uploads ends it");
    check(sink_objects_complete(sink, &zombie, 1, &outcome, &head, &error) < 0 && error.kind == ERROR_FENCED && !exists("t/fenced"),
          "an aborted upload cannot be completed");
    sink_object_close(zombie);
    zombie = prepared(sink, "t/dropped", ATTEMPT_1, "x");
    sink_object_close(zombie);
    check(temporaries() == 0 && !exists("t/dropped"), "an object closed before it is completed leaves nothing");
}

static int collect(void *context, const SinkEntry *entry)
{
    char *text = context;

    snprintf(text + strlen(text), LISTED_MAX - strlen(text), "%s ", entry->key);
    return 0;
}

static void test_list(Sink *sink)
{
    static const char *const keys[] = {"l/a/c", "l/a-b", "l/a0", "l/a/b/x", "l/b", "l/a.b", "lz"};
    char found[LISTED_MAX] = "";
    SinkOutcome outcome;

    for (int i = 0; i < 7; i++)
        sink_put(sink, keys[i], ATTEMPT_1, "x", 1, &outcome, &error);
    check(sink_list(sink, "l/", NULL, collect, found, &error) == 0, "a prefix is listed");
    check_text(found, "l/a-b l/a.b l/a/b/x l/a/c l/a0 l/b ", "keys come in the order of their bytes");
    found[0] = '\0';
    sink_list(sink, "l/a", "l/a/b/x", collect, found, &error);
    check_text(found, "l/a/c l/a0 ", "listing starts behind a key");
    found[0] = '\0';
    sink_list(sink, "", "l/b", collect, found, &error);
    check(strncmp(found, "lz ", 3) == 0 && !strstr(found, "_sluice/tmp"), "temporaries are not listed");
    found[0] = '\0';
    check(sink_list(sink, "none/", NULL, collect, found, &error) == 0 && !found[0], "an absent prefix is an empty listing");
    check(sink_remove(sink, "lz", &error) == 0 && !exists("lz") && exists("l/b"), "a removed object is gone, others are not");
    check(sink_remove(sink, "lz", &error) == 0, "removing what is not there is no error");
}

static void test_sweep(Sink *sink)
{
    SinkObject *stale = prepared(sink, "t/stale", ATTEMPT_1, "x");
    int ended = 0;

    check(sink_uploads_sweep(sink, "", 3600, &ended, &error) == 0 && ended == 0 && temporaries() == 1, "a young temporary is left alone");
    check(sink_uploads_sweep(sink, "", -1, &ended, &error) == 0 && ended == 1 && temporaries() == 0, "one older than asked for is ended and counted");
    sink_object_close(stale);
}

static void test_keys(Sink *sink)
{
    static const char *const bad[] = {"", "/a", "a//b", "a/", "../a", "a/../b", "a/.", "a b", "a\nb", "_sluice/tmp/x", "\xc3\xa9"};
    SinkObject *object;
    bool all = true;

    for (int i = 0; i < 11; i++)
        all = sink_object_begin(sink, bad[i], ATTEMPT_1, &object, &error) < 0 && error.kind == ERROR_PERMANENT && all;
    check(all, "keys with .., empty parts or foreign characters are refused");
    check(sink_object_begin(sink, "a", "short", &object, &error) < 0, "an attempt that is not 32 hex digits is refused");
}

static void test_open(void)
{
    cJSON *options = cJSON_CreateObject();
    Sink *sink;

    check(sink_open("file", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0 && error.hint[0], "a file target without path is refused");
    cJSON_AddStringToObject(options, "path", "/nonexistent/folder");
    check(sink_open("file", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0 && error.kind == ERROR_PERMANENT && error.hint[0],
          "a folder that is not there is refused with a hint");
    check(sink_open("tape", options, NULL, (Beat){NULL, NULL}, &sink, &error) < 0, "an unknown kind is refused");
    cJSON_Delete(options);
}

/* Root may write anywhere, so only an ordinary user sees this one. */
static void test_denied(Sink *sink)
{
    SinkObject *object;
    char path[PATH_MAX + 64];

    if (geteuid() == 0)
        return;
    snprintf(path, sizeof path, "%s/_sluice/tmp", root);
    chmod(path, 0500);
    check(sink_object_begin(sink, "t/denied", ATTEMPT_1, &object, &error) < 0 && error.kind == ERROR_PERMANENT && strstr(error.hint, path),
          "a folder without the right to write is an error with a hint");
    chmod(path, 0700);
}

static void test_doctor(void)
{
    cJSON *options = cJSON_CreateObject();
    cJSON *answer = NULL;
    const cJSON *row;
    int good = 0;

    cJSON_AddStringToObject(options, "path", root);
    check(sink_check("file", options, NULL, (Beat){NULL, NULL}, "lake", &answer, &error) == 0, "the doctor answers");
    cJSON_ArrayForEach(row, answer) good += json_boolean(row, "ok", false);
    check(good == 10 && cJSON_GetArraySize(answer) == 10, "its ten steps hold on a folder");
    cJSON_Delete(answer);
    cJSON_ReplaceItemInObject(options, "path", cJSON_CreateString("/nonexistent"));
    check(sink_check("file", options, NULL, (Beat){NULL, NULL}, "lake", &answer, &error) == 0 &&
              !json_boolean(cJSON_GetArrayItem(answer, 0), "ok", true) && json_boolean(cJSON_GetArrayItem(answer, 9), "skipped", false),
          "after a step that fails the others are skipped");
    cJSON_Delete(answer);
    cJSON_Delete(options);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    char command[PATH_MAX + 32];
    Sink *sink;

    snprintf(root, sizeof root, "%s/sluice-sink-XXXXXX", base ? base : "/var/tmp");
    if (!mkdtemp(root))
        return 2;
    test_open();
    for (int xattr = 1; xattr >= 0; xattr--) {
        printf("# attempts in %s\n", xattr ? "extended attributes where there are any" : ".attempt files");
        sink = open_sink(xattr);
        test_whole(sink, xattr ? "t/x/sluice_day=2026-11-20/one.jsonl" : "u/one.jsonl");
        test_loser(sink, xattr ? "t/x/sluice_day=2026-11-20/one.jsonl" : "u/one.jsonl");
        test_fence(sink);
        test_list(sink);
    test_sweep(sink);
        test_keys(sink);
        test_denied(sink);
        sink_close(sink);
    }
    test_doctor();
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) == 0 ? check_end() : 2;
}
