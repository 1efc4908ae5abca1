/* lsn.c - see lsn.h */
#include "source/sqlserver/lsn.h"
#include "base/hex.h"

#include <stdio.h>
#include <string.h>

void lsn_text(const uint8_t lsn[LSN_BYTES], char ret[LSN_TEXT])
{
    hex_encode(lsn, LSN_BYTES, ret);
    ret[LSN_TEXT - 1] = 0;
}

int lsn_parse(const char *text, uint8_t ret[LSN_BYTES])
{
    return text ? hex_decode(text, ret, LSN_BYTES) : -1;
}

int lsn_parse_printed(const char *text, uint8_t ret[LSN_BYTES])
{
    char digits[LSN_TEXT];

    if (strlen(text) != 22 || text[8] != ':' || text[17] != ':')
        return -1;
    snprintf(digits, sizeof digits, "%.8s%.8s%.4s", text, text + 9, text + 18);
    return hex_decode(digits, ret, LSN_BYTES);
}

void lsn_decrement(uint8_t lsn[LSN_BYTES])
{
    static const uint8_t zero[LSN_BYTES];

    if (memcmp(lsn, zero, LSN_BYTES) == 0)
        return;
    for (int i = LSN_BYTES - 1; i >= 0; i--) {
        if (lsn[i]-- != 0)
            return;
    }
}

void change_position_encode(const ChangePosition *position, uint8_t ret[ROW_POSITION_BYTES])
{
    uint32_t command = (uint32_t)position->command_id;

    memcpy(ret, position->lsn, LSN_BYTES);
    for (int i = 0; i < 4; i++)
        ret[10 + i] = (uint8_t)(command >> (24 - 8 * i));
    memcpy(ret + 14, position->seqval, LSN_BYTES);
    ret[24] = position->operation;
}

int change_position_parse(const char *text, ChangePosition *ret, Error *error)
{
    uint8_t bytes[ROW_POSITION_BYTES];
    uint32_t command = 0;

    if (hex_decode(text, bytes, sizeof bytes) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no row position of SQL Server", text);
    memcpy(ret->lsn, bytes, LSN_BYTES);
    for (int i = 0; i < 4; i++)
        command = command << 8 | bytes[10 + i];
    ret->command_id = (int32_t)command;
    memcpy(ret->seqval, bytes + 14, LSN_BYTES);
    ret->operation = bytes[24];
    return 0;
}

void change_position_after(const uint8_t lsn[LSN_BYTES], ChangePosition *ret)
{
    memcpy(ret->lsn, lsn, LSN_BYTES);
    ret->command_id = INT32_MAX;
    memset(ret->seqval, 0xff, LSN_BYTES);
    ret->operation = 0xff;
}

int load_position_encode(const uint8_t lsn[LSN_BYTES], int64_t job, int64_t range, uint8_t ret[ROW_POSITION_BYTES],
                         Error *error)
{
    char digits[64];

    if (job < 0 || job > 9999999999999 || range < 0 || range > 9999999999999999)
        return error_set(error, ERROR_INTERNAL, NULL, "job %lld or range %lld does not fit a position", (long long)job,
                         (long long)range);
    snprintf(digits, sizeof digits, "f%013lld%016lld", (long long)job, (long long)range);
    memcpy(ret, lsn, LSN_BYTES);
    return hex_decode(digits, ret + LSN_BYTES, ROW_POSITION_BYTES - LSN_BYTES);
}
