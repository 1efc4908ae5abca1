/* mysql_gtid_test.c - GTID sets, and positions in a log */
#include "base/hex.h"
#include "check.h"
#include "source/mysql/gtid.h"
#include "source/mysql/position.h"

#include <inttypes.h>
#include <stdlib.h>

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "d0afe0d3-e4f7-11f1-86eb-02fc00000001"

static char *text_of(const GtidSet *set)
{
    Buffer text;
    Error error;

    buffer_init(&text, 1 << 24);
    gtid_text(set, &text, &error);
    buffer_terminate(&text, &error);
    return text.data;
}

static void check_form(bool mariadb, const char *given, const char *wanted)
{
    GtidSet *set = NULL;
    Error error;
    char *found;

    if (gtid_parse(mariadb, given, &set, &error) < 0) {
        check_text(error.message, wanted, wanted);
        return;
    }
    found = text_of(set);
    check_text(found, wanted, *wanted ? wanted : "an empty set");
    free(found);
    gtid_free(set);
}

static void forms(void)
{
    check_form(true, "", "");
    check_form(true, "7-2-3,0-1-55", "0-1-55,7-2-3");
    check_form(true, "0-1-55,0-2-60", "0-2-60");
    check_form(true, "4294967295-4294967295-18446744073709551615", "4294967295-4294967295-18446744073709551615");
    check_form(false, "", "");
    check_form(false, A ":1-3:4:7-9", A ":1-4:7-9");
    check_form(false, "\n" B ":5 ,\n3E11FA47-71CA-11E1-9E33-C80AA9429562:1-3 : 5-5\n,", A ":1-3:5," B ":5");
    check_form(false, B ":9223372036854775806", B ":9223372036854775806");
    check_form(false, B ":1-3:Tag_1:1-5:7:other:2," B ":4", B ":1-4:other:2:tag_1:1-5:7");
    check_form(false, B ":tag:1," B ":tag:2", B ":tag:1-2");
}

static void refusals(void)
{
    static const char *const mariadb[] = {"0-1",    "0-1-",           "a-1-2",
                                          "0-1-2;", "4294967296-1-1", "0-1-18446744073709551616"};
    static const char *const mysql[] = {A ":0",
                                        A ":5-4",
                                        A ":1-",
                                        "3e11fa47:1",
                                        A ":1x",
                                        A ":1 2",
                                        A ":-3",
                                        A ":t-ag:1",
                                        A "::1",
                                        A ":9223372036854775807",
                                        "0-1-55",
                                        A ":",
                                        A ":0123456789abcdef0123456789abcdef0:1"};
    bool refused = true;
    GtidSet *set;
    Error error;

    for (size_t i = 0; i < sizeof mariadb / sizeof mariadb[0]; i++) {
        if (gtid_parse(true, mariadb[i], &set, &error) == 0)
            printf("# taken: %s\n", mariadb[i]), refused = false;
    }
    for (size_t i = 0; i < sizeof mysql / sizeof mysql[0]; i++) {
        if (gtid_parse(false, mysql[i], &set, &error) == 0)
            printf("# taken: %s\n", mysql[i]), refused = false;
    }
    check(refused, "what is no set is refused");
}

/* A set against a plain array of what is in it: numbers 1 to 64 of 2 servers and 2 tags. */
static void property(void)
{
    static const char *const tags[] = {"", "tag"};
    static const char *const uuids[] = {A, B};
    uint8_t uuid[2][16];
    bool same = true;
    unsigned random = 1;

    hex_decode("3e11fa4771ca11e19e33c80aa9429562", uuid[0], 16);
    hex_decode("d0afe0d3e4f711f186eb02fc00000001", uuid[1], 16);
    for (int round = 0; round < 300; round++) {
        bool in[2][2][66] = {0}, first;
        GtidSet *set, *again, *decoded;
        Error error;
        Buffer wanted, encoded;
        char *found, *parsed, *read;

        buffer_init(&wanted, 1 << 16);
        buffer_init(&encoded, 1 << 16);
        gtid_parse(false, "", &set, &error);
        gtid_parse(false, "", &decoded, &error);
        for (int i = 0; i < round; i++) {
            random = random * 1103515245 + 12345;
            unsigned server = random >> 16 & 1, tag = random >> 17 & (round % 3 ? 1 : 0),
                     number = 1 + (random >> 18 & 63);

            in[server][tag][number] = true;
            same = same && gtid_add_mysql(set, uuid[server], tags[tag], number, &error) == 0;
        }
        for (int server = 0; server < 2; server++) {
            first = true;
            for (int tag = 0; tag < 2; tag++) {
                bool named = false;

                for (int number = 1; number < 65; number++) {
                    int to = number;

                    if (!in[server][tag][number] || in[server][tag][number - 1])
                        continue;
                    while (in[server][tag][to + 1])
                        to++;
                    if (first)
                        buffer_format(&wanted, &error, "%s%s", wanted.length ? "," : "", uuids[server]);
                    if (tag && !named)
                        buffer_format(&wanted, &error, ":%s", tags[tag]);
                    buffer_format(&wanted, &error, to > number ? ":%d-%d" : ":%d", number, to);
                    first = false;
                    named = true;
                }
            }
        }
        buffer_terminate(&wanted, &error);
        found = text_of(set);
        gtid_parse(false, found, &again, &error);
        parsed = text_of(again);
        same = same && gtid_encode(set, &encoded, &error) == 0 &&
               gtid_decode(decoded, (const uint8_t *)encoded.data, encoded.length, &error) == 0;
        read = text_of(decoded);
        if (strcmp(found, wanted.data) != 0 || strcmp(parsed, found) != 0 || strcmp(read, found) != 0) {
            printf("#  found: %s\n# wanted: %s\n# parsed: %s\n#   read: %s\n", found, wanted.data, parsed, read);
            same = false;
        }
        for (size_t length = 0; length < encoded.length; length += 7)
            same = same && gtid_decode(decoded, (const uint8_t *)encoded.data, length, &error) < 0;
        free(found), free(parsed), free(read);
        gtid_free(set), gtid_free(again), gtid_free(decoded);
        buffer_free(&wanted);
        buffer_free(&encoded);
    }
    check(same, "a set is what was added to it: as text, parsed, encoded, decoded");
}

static void encoding(void)
{
    GtidSet *set;
    Buffer bytes;
    Error error;
    char digits[256] = "";

    buffer_init(&bytes, 4096);
    gtid_parse(false, A ":1-5", &set, &error);
    gtid_encode(set, &bytes, &error);
    hex_encode((const uint8_t *)bytes.data, bytes.length, digits);
    check_text(digits,
               "01000000000000003e11fa4771ca11e19e33c80aa942956201000000000000000100000000000000"
               "0600000000000000",
               "a set without tags is encoded as before there were any");
    gtid_free(set);
    buffer_clear(&bytes);
    memset(digits, 0, sizeof digits);
    gtid_parse(false, A ":ab:2", &set, &error);
    gtid_encode(set, &bytes, &error);
    hex_encode((const uint8_t *)bytes.data, bytes.length, digits);
    check_text(digits,
               "01010000000000013e11fa4771ca11e19e33c80aa9429562"
               "046162"
               "010000000000000002000000000000000300000000000000",
               "a set with tags says so, and how long each is");
    gtid_free(set);
    buffer_free(&bytes);
    gtid_parse(true, "", &set, &error);
    hex_decode("02000000"
               "00000000"
               "01000000"
               "0600000000000000"
               "07000000"
               "02000000"
               "0300000000000000",
               (uint8_t *)digits, 36);
    check(gtid_decode(set, (const uint8_t *)digits, 36, &error) == 0, "MariaDB's list at a file's begin is read");
    bytes.data = text_of(set);
    check_text(bytes.data, "0-1-6,7-2-3", "MariaDB's list is its set");
    free(bytes.data);
    gtid_free(set);
}

static void positions(void)
{
    LogPosition position = {.file = 3, .offset = UINT64_C(0x123456789a)}, read;
    RowPosition row = {.at = position, .inner = 5, .row = 7}, row_read;
    char text[64] = "", name[LOG_FILE_NAME_MAX];
    uint8_t bytes[LOG_ROW_BYTES], load[LOG_ROW_BYTES];
    uint32_t number;
    Error error;

    log_position_text(position, text);
    check_text(text, "0000000300123456789a", "a position is file and offset");
    check(log_position_parse(text, &read) == 0 && log_position_compare(read, position) == 0, "a position is read back");
    check(log_position_parse("000000030012345678", &read) < 0 && log_position_parse(NULL, &read) < 0,
          "what is no position is refused");
    read.file = 4, read.offset = 0;
    check(log_position_compare(position, read) < 0 && log_position_compare(read, position) > 0,
          "a later file is later");
    row_position_encode(&row, bytes);
    hex_encode(bytes, sizeof bytes, text);
    text[2 * LOG_ROW_BYTES] = 0;
    check_text(text,
               "0000000300123456789a"
               "00000000000005"
               "0000000000000007",
               "a row's position adds its event and its number");
    check(row_position_parse(text, &row_read, &error) == 0 && row_read.inner == 5 && row_read.row == 7,
          "a row's position is read back");
    check(row_position_parse("00", &row_read, &error) < 0, "a short row position is refused");
    check(log_load_position_encode(position, 7, 12, load, &error) == 0 && memcmp(load, bytes, sizeof bytes) > 0,
          "a loaded row sorts above the changes of L");
    hex_encode(load, sizeof load, text);
    check_text(text,
               "0000000300123456789a"
               "f0000000000007"
               "0000000000000012",
               "a load's position is L, f, job, range");
    row.at.offset++;
    row_position_encode(&row, bytes);
    check(memcmp(load, bytes, sizeof bytes) < 0, "a loaded row sorts below the changes behind L");
    check(log_load_position_encode(position, 10000000000000, 1, load, &error) < 0, "a job's number must fit");
    check(log_file_number("mysql-bin.000123", &number) == 0 && number == 123 &&
              log_file_number("a.b.4294967295", &number) == 0 && number == UINT32_MAX,
          "a file's number is behind its last dot");
    check(log_file_number("mysql-bin", &number) < 0 && log_file_number("mysql.", &number) < 0 &&
              log_file_number("a.1x", &number) < 0 && log_file_number("a.4294967296", &number) < 0 &&
              log_file_number(NULL, &number) < 0,
          "a name without number is refused");
    check(log_file_name("a.b.000009", 10, name) == 0, "a sibling's name is made");
    check_text(name, "a.b.000010", "a sibling's name has its number");
    check(log_file_name("a.1", 1234567, name) == 0 && strcmp(name, "a.1234567") == 0,
          "a number may have more than six digits");
}

int main(void)
{
    forms();
    refusals();
    property();
    encoding();
    positions();
    return check_end();
}
