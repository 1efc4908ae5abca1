/* sqlserver_lsn_test.c - log sequence numbers, row positions, update masks */
#include "base/hex.h"
#include "check.h"
#include "source/sqlserver/plan.h"

static void lsn_arithmetic(void)
{
    uint8_t lsn[LSN_BYTES], zero[LSN_BYTES] = {0};
    char text[LSN_TEXT];

    check(lsn_parse("00000027000007580005", lsn) == 0, "an LSN of 20 digits is read");
    lsn_text(lsn, text);
    check_text(text, "00000027000007580005", "an LSN is written as it was read");
    lsn_decrement(lsn);
    lsn_text(lsn, text);
    check_text(text, "00000027000007580004", "one below in the last byte");
    lsn_parse("00000028000000000000", lsn);
    lsn_decrement(lsn);
    lsn_text(lsn, text);
    check_text(text, "00000027ffffffffffff", "one below borrows over all bytes");
    lsn_decrement(zero);
    lsn_text(zero, text);
    check_text(text, "00000000000000000000", "nothing lies below zero");
    check(lsn_parse("0000002700000758000", lsn) < 0 && lsn_parse("0000002700000758000g", lsn) < 0 &&
              lsn_parse(NULL, lsn) < 0,
          "what is no LSN is refused");
    check(lsn_parse_printed("00000027:00000758:0005", lsn) == 0, "the printed form is read");
    lsn_text(lsn, text);
    check_text(text, "00000027000007580005", "the printed form is the same number");
    check(lsn_parse_printed("00000027-00000758:0005", lsn) < 0, "another form is refused");
}

static void positions(void)
{
    ChangePosition position = {.command_id = 258, .operation = 4}, read;
    uint8_t bytes[ROW_POSITION_BYTES], load[ROW_POSITION_BYTES], after[ROW_POSITION_BYTES];
    char text[2 * ROW_POSITION_BYTES + 1] = "";
    Error error;

    lsn_parse("00000027000007580005", position.lsn);
    lsn_parse("0000002700000758000f", position.seqval);
    change_position_encode(&position, bytes);
    hex_encode(bytes, sizeof bytes, text);
    check_text(text, "00000027000007580005000001020000002700000758000f04",
               "a change's position is LSN, command, seqval, operation");
    check(change_position_parse(text, &read, &error) == 0 && read.command_id == 258 && read.operation == 4 &&
              memcmp(read.seqval, position.seqval, LSN_BYTES) == 0,
          "a position is read back");
    check(change_position_parse("00", &read, &error) < 0, "a short position is refused");
    change_position_after(position.lsn, &read);
    change_position_encode(&read, after);
    check(memcmp(after, bytes, sizeof bytes) > 0, "the place behind an LSN sorts above its changes");
    check(load_position_encode(position.lsn, 7, 12, load, &error) == 0, "a load's position is made");
    hex_encode(load, sizeof load, text);
    check_text(text, "00000027000007580005f00000000000070000000000000012", "a load's position is L, f, job, range");
    check(memcmp(load, bytes, sizeof bytes) > 0, "a loaded row sorts above the changes of L");
    position.lsn[9]++;
    change_position_encode(&position, bytes);
    check(memcmp(load, bytes, sizeof bytes) < 0, "a loaded row sorts below the changes behind L");
    check(load_position_encode(position.lsn, 10000000000000, 1, load, &error) < 0,
          "a job number that is too long is refused");
}

static void masks(void)
{
    static const int counts[] = {1, 8, 9, 64, 65};
    bool right = true, alone = true;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int count = counts[i], length = (count + 7) / 8;

        for (int ordinal = 1; ordinal <= count; ordinal++) {
            uint8_t mask[128] = {0};

            /* Built as SQL Server documents it: the lowest ordinals in the last byte. */
            mask[length - 1 - (ordinal - 1) / 8] = (uint8_t)(1 << ((ordinal - 1) % 8));
            right &= mask_has(mask, length, ordinal);
            for (int other = 1; other <= count; other++)
                alone &= other == ordinal || !mask_has(mask, length, other);
        }
    }
    check(right, "a set bit is found at 1, 8, 9, 64 and 65 columns");
    check(alone, "no other column is taken for it");
    check(!mask_has((const uint8_t *)"\xff", 1, 9) && !mask_has((const uint8_t *)"\xff", 1, 0),
          "an ordinal outside the mask is not set");
    check(!mask_has(NULL, 0, 1), "an absent mask has no bit");
}

int main(void)
{
    lsn_arithmetic();
    positions();
    masks();
    return check_end();
}
