/* position.c - see position.h */
#include "source/mysql/position.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void big_endian(uint64_t number, uint8_t *ret, int bytes)
{
    for (int i = 0; i < bytes; i++)
        ret[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

static uint64_t big_endian_read(const uint8_t *data, int bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < bytes; i++)
        number = number << 8 | data[i];
    return number;
}

static void log_position_encode(LogPosition position, uint8_t ret[LOG_POSITION_BYTES])
{
    big_endian(position.file, ret, 4);
    big_endian(position.offset, ret + 4, 6);
}

static LogPosition log_position_decode(const uint8_t data[LOG_POSITION_BYTES])
{
    return (LogPosition){.file = (uint32_t)big_endian_read(data, 4), .offset = big_endian_read(data + 4, 6)};
}

int log_position_compare(LogPosition a, LogPosition b)
{
    if (a.file != b.file)
        return a.file < b.file ? -1 : 1;
    return a.offset < b.offset ? -1 : a.offset > b.offset;
}

void log_position_text(LogPosition position, char ret[LOG_POSITION_TEXT])
{
    uint8_t bytes[LOG_POSITION_BYTES];

    log_position_encode(position, bytes);
    hex_encode(bytes, sizeof bytes, ret);
    ret[LOG_POSITION_TEXT - 1] = 0;
}

int log_position_parse(const char *text, LogPosition *ret)
{
    uint8_t bytes[LOG_POSITION_BYTES];

    if (!text || hex_decode(text, bytes, sizeof bytes) < 0)
        return -1;
    *ret = log_position_decode(bytes);
    return 0;
}

int log_file_number(const char *name, uint32_t *ret)
{
    const char *dot = name ? strrchr(name, '.') : NULL;
    uint64_t number = 0;

    if (!dot || !dot[1])
        return -1;
    for (const char *c = dot + 1; *c; c++) {
        if (*c < '0' || *c > '9')
            return -1;
        number = number * 10 + (uint64_t)(*c - '0');
        if (number > UINT32_MAX)
            return -1;
    }
    *ret = (uint32_t)number;
    return 0;
}

int log_file_name(const char *sibling, uint32_t number, char ret[LOG_FILE_NAME_MAX])
{
    const char *dot = strrchr(sibling, '.');
    int length;

    if (!dot)
        return -1;
    length = snprintf(ret, LOG_FILE_NAME_MAX, "%.*s.%06u", (int)(dot - sibling), sibling, number);
    return length > 0 && length < LOG_FILE_NAME_MAX ? 0 : -1;
}

void row_position_encode(const RowPosition *position, uint8_t ret[LOG_ROW_BYTES])
{
    log_position_encode(position->at, ret);
    big_endian(position->inner, ret + LOG_POSITION_BYTES, 7);
    big_endian(position->row, ret + LOG_POSITION_BYTES + 7, 8);
}

int row_position_parse(const char *text, RowPosition *ret, Error *error)
{
    uint8_t bytes[LOG_ROW_BYTES];

    if (!text || hex_decode(text, bytes, sizeof bytes) < 0)
        return error_set(error, ERROR_INTERNAL, NULL, "\"%.60s\" is no row position of a binary log", text ? text : "");
    ret->at = log_position_decode(bytes);
    ret->inner = big_endian_read(bytes + LOG_POSITION_BYTES, 7);
    ret->row = big_endian_read(bytes + LOG_POSITION_BYTES + 7, 8);
    return 0;
}

int log_load_position_encode(LogPosition position, int64_t job, int64_t range, uint8_t ret[LOG_ROW_BYTES], Error *error)
{
    char digits[64];

    if (job < 0 || job > 9999999999999 || range < 0 || range > 9999999999999999)
        return error_set(error, ERROR_INTERNAL, NULL, "job %lld or range %lld does not fit a position", (long long)job,
                         (long long)range);
    snprintf(digits, sizeof digits, "f%013lld%016lld", (long long)job, (long long)range);
    log_position_encode(position, ret);
    return hex_decode(digits, ret + LOG_POSITION_BYTES, LOG_ROW_BYTES - LOG_POSITION_BYTES);
}
