/* The stage of a log: rows wait in their order under one bound, and who gives way is a rule (worker/source/mysql/stage.h). */
#include "check.h"
#include "source/mysql/stage.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BYTES 64

static bool sound; /* all that the test under way expected so far */

static void expect(bool holds, int line)
{
    if (!holds)
        printf("# line %d does not hold\n", line);
    sound = sound && holds;
}

#define CHECK(holds) expect(holds, __LINE__)

static void run(void (*test)(void), const char *name)
{
    sound = true;
    test();
    check(sound, name);
}

static int add(Stage *stage, int table, char map, uint64_t number, size_t length, Error *error)
{
    uint8_t bytes[16] = {(uint8_t)number, 0, 0, 0, 0, 0, 1, 0, (uint8_t)map};
    uint8_t *data = calloc(1, length);
    int status;

    memcpy(data, &number, sizeof number);
    status = stage_add(stage, table, bytes, sizeof bytes, &(StageItem){.code = 30, .at = {1, number}, .data = data, .length = length}, error);
    free(data);
    return status;
}

/* The numbers of a table's rows, which ascend, and how many table maps stand between them. */
static int read_out(const Stage *stage, int table, int *maps, bool *ordered)
{
    StageCursor cursor = {0};
    StageItem item;
    uint64_t last = 0;
    int rows = 0;

    *maps = 0;
    *ordered = true;
    while (stage_next(stage, table, &cursor, &item)) {
        uint64_t number;

        if (item.map) {
            ++*maps;
            continue;
        }
        memcpy(&number, item.data, sizeof number);
        *ordered = *ordered && number == item.at.offset && number > last;
        last = number;
        rows++;
    }
    return rows;
}

static void test_order(void)
{
    Error error;
    Stage *stage;
    int maps;
    bool ordered;

    CHECK(stage_new(3, 1 << 20, &stage, &error) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(stage_state(stage, i) == STAGE_WAITING);
        stage_set(stage, i, STAGE_OPEN);
    }
    for (uint64_t i = 1; i <= 3000; i++)
        CHECK(add(stage, (int)(i % 2), i > 1500 ? 'b' : 'a', i, ROW_BYTES + i % 7, &error) == 0);
    CHECK(read_out(stage, 0, &maps, &ordered) == 1500 && ordered && maps == 2);
    CHECK(read_out(stage, 1, &maps, &ordered) == 1500 && ordered && maps == 2);
    CHECK(read_out(stage, 2, &maps, &ordered) == 0);
    stage_set(stage, 0, STAGE_WHOLE);
    CHECK(read_out(stage, 0, &maps, &ordered) == 1500);
    CHECK(add(stage, 0, 'b', 4000, ROW_BYTES, &error) == 0);
    CHECK(read_out(stage, 0, &maps, &ordered) == 1500);
    stage_set(stage, 0, STAGE_DONE);
    stage_set(stage, 1, STAGE_DONE);
    CHECK(stage_bytes(stage) == 0 && stage_evictions(stage) == 0);
    stage_free(stage);
}

/* A chain is read on behind what a cursor has seen, also where it had come to the end. */
static void test_cursor(void)
{
    StageCursor cursor = {0};
    StageItem item;
    Error error;
    Stage *stage;

    CHECK(stage_new(1, 1 << 20, &stage, &error) == 0);
    stage_set(stage, 0, STAGE_OPEN);
    CHECK(!stage_next(stage, 0, &cursor, &item));
    CHECK(add(stage, 0, 'a', 1, 5000, &error) == 0);
    CHECK(stage_next(stage, 0, &cursor, &item) && item.map);
    CHECK(stage_next(stage, 0, &cursor, &item) && !item.map && item.length == 5000 && item.at.offset == 1);
    CHECK(!stage_next(stage, 0, &cursor, &item) && !stage_next(stage, 0, &cursor, &item));
    CHECK(add(stage, 0, 'a', 2, 100, &error) == 0);
    CHECK(stage_next(stage, 0, &cursor, &item) && item.at.offset == 2);
    CHECK(!stage_next(stage, 0, &cursor, &item));
    stage_free(stage);
}

static void test_large_gives_way(void)
{
    const size_t bound = 1 << 20;
    Error error;
    Stage *stage;
    int maps;
    bool ordered, bounded = true;

    CHECK(stage_new(3, bound, &stage, &error) == 0);
    for (int i = 0; i < 3; i++)
        stage_set(stage, i, STAGE_OPEN);
    for (uint64_t i = 1; i <= 100; i++)
        CHECK(add(stage, i % 2 ? 0 : 2, 'a', i, ROW_BYTES, &error) == 0);
    for (uint64_t i = 101; i <= 100000; i++) {
        CHECK(add(stage, 1, 'a', i, ROW_BYTES, &error) == 0);
        bounded = bounded && stage_bytes(stage) <= bound;
    }
    CHECK(bounded);
    CHECK(stage_state(stage, 1) == STAGE_LARGE && stage_table_bytes(stage, 1) == 0 && stage_evictions(stage) == 1);
    CHECK(stage_state(stage, 0) == STAGE_OPEN && read_out(stage, 0, &maps, &ordered) == 50 && ordered);
    CHECK(stage_state(stage, 2) == STAGE_OPEN && read_out(stage, 2, &maps, &ordered) == 50 && ordered);
    stage_free(stage);
}

/* Many tables of one size: the last ones of the order wait, and pass after pass all have their turn. */
static void test_last_waits(void)
{
    enum { TABLES = 64, ROWS = 400 };
    const size_t bound = 1 << 20;
    Error error;
    Stage *stage;
    int maps, passes = 0, done = 0;
    bool ordered, first_whole = true, bounded = true;

    CHECK(stage_new(TABLES, bound, &stage, &error) == 0);
    while (done < TABLES && passes < TABLES) {
        passes++;
        for (int i = 0; i < TABLES; i++) {
            if (stage_state(stage, i) == STAGE_WAITING)
                stage_set(stage, i, STAGE_OPEN);
        }
        for (uint64_t i = 1; i <= ROWS; i++) {
            for (int table = 0; table < TABLES; table++) {
                CHECK(add(stage, table, 'a', i, 256, &error) == 0);
                bounded = bounded && stage_bytes(stage) <= bound;
            }
        }
        for (int i = 0; i < TABLES; i++) {
            if (stage_state(stage, i) == STAGE_OPEN)
                stage_set(stage, i, STAGE_WHOLE);
        }
        first_whole = first_whole && stage_state(stage, done) == STAGE_WHOLE;
        while (done < TABLES && stage_state(stage, done) == STAGE_WHOLE) {
            CHECK(read_out(stage, done, &maps, &ordered) == ROWS && ordered && maps == 1);
            stage_set(stage, done++, STAGE_DONE);
        }
    }
    CHECK(bounded && first_whole && done == TABLES);
    CHECK(passes > 1 && passes < 16);
    CHECK(stage_bytes(stage) == 0);
    stage_free(stage);
}

static void test_one_item_too_large(void)
{
    Error error;
    Stage *stage;
    int maps;
    bool ordered;

    CHECK(stage_new(2, 1 << 16, &stage, &error) == 0);
    stage_set(stage, 0, STAGE_OPEN);
    stage_set(stage, 1, STAGE_OPEN);
    CHECK(add(stage, 0, 'a', 1, ROW_BYTES, &error) == 0);
    CHECK(add(stage, 1, 'a', 2, 1 << 20, &error) == 0);
    CHECK(stage_state(stage, 1) == STAGE_LARGE && stage_state(stage, 0) == STAGE_OPEN);
    CHECK(read_out(stage, 0, &maps, &ordered) == 1);
    CHECK(add(stage, 1, 'a', 3, ROW_BYTES, &error) == 0 && stage_table_bytes(stage, 1) == 0);
    stage_free(stage);
}

/* A thousand tables with a change each cost little. */
static void test_small_tables(void)
{
    Error error;
    Stage *stage;

    CHECK(stage_new(1024, 64 << 20, &stage, &error) == 0);
    for (int i = 0; i < 1024; i++) {
        stage_set(stage, i, STAGE_OPEN);
        CHECK(add(stage, i, 'a', 1, ROW_BYTES, &error) == 0);
    }
    CHECK(stage_bytes(stage) <= 8 << 20 && stage_evictions(stage) == 0);
    stage_free(stage);
}

int main(void)
{
    run(test_order, "rows come out in the order of the log, a table map before the first of them and where it changes");
    run(test_cursor, "a chain is read on behind what has been seen");
    run(test_large_gives_way, "a table that holds more than a quarter gives way, and no other");
    run(test_last_waits, "the last of the order wait, and each has its turn");
    run(test_one_item_too_large, "a row too large for the stage makes its table read by itself");
    run(test_small_tables, "a thousand tables with a change each cost little");
    return check_end();
}
