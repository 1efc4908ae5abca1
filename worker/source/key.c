/* key.c - see key.h */
#include "source/key.h"
#include "base/clock.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS_A_SECOND 10000000LL
#define TICKS_A_DAY (86400 * TICKS_A_SECOND)

static void time_text(int64_t ticks, int digits, char *ret, size_t size)
{
    int64_t seconds = ticks / TICKS_A_SECOND;
    char fraction[16];

    snprintf(fraction, sizeof fraction, ".%07d", (int)(ticks % TICKS_A_SECOND));
    fraction[digits > 0 ? digits + 1 : 0] = 0;
    snprintf(ret, size, "%02d:%02d:%02d%s", (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60),
             fraction);
}

static void date_text(int64_t days, char *ret, size_t size)
{
    int year, month, day;

    clock_civil_from_days(days, &year, &month, &day);
    snprintf(ret, size, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100);
}

void timestamp_text(int64_t ticks, int digits, char ret[32])
{
    int64_t days = ticks / TICKS_A_DAY - (ticks % TICKS_A_DAY < 0);
    char date[12], time[20];

    date_text(days, date, sizeof date);
    time_text(ticks - days * TICKS_A_DAY, digits, time, sizeof time);
    snprintf(ret, 32, "%sT%s", date, time);
}

static void instant_text(const ColumnInstant *instant, char *ret, size_t size)
{
    int offset = instant->offset_minutes < 0 ? -instant->offset_minutes : instant->offset_minutes;
    char local[32];

    timestamp_text(instant->utc + instant->offset_minutes * 60 * TICKS_A_SECOND, 7, local);
    snprintf(ret, size, "%s%c%02d:%02d", local, instant->offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

static void decimal_text(const void *data, int scale, char *ret, size_t size)
{
    __int128 value;
    unsigned __int128 rest;
    char digits[48];
    int at = sizeof digits - 1, count = 0;

    memcpy(&value, data, sizeof value);
    rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    digits[at] = 0;
    do {
        if (count == scale && scale > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
        count++;
    } while (rest || count <= scale);
    if (value < 0)
        digits[--at] = '-';
    snprintf(ret, size, "%s", digits + at);
}

static void uuid_text(const uint8_t *bytes, char *ret, size_t size)
{
    char hex[33];

    hex_encode(bytes, 16, hex);
    hex[32] = 0;
    snprintf(ret, size, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static cJSON *variable_text(const Field *field, const ColumnVector *vector, int row)
{
    size_t length = vector->offsets[row + 1] - vector->offsets[row];
    const char *data = vector->bytes.data + vector->offsets[row];
    char *text;
    cJSON *ret;

    /* JSON's text ends at U+0000 here: such a key would come back cut. */
    if (field->type == COLUMN_STRING && length && memchr(data, 0, length))
        return NULL;
    text = malloc(length * 2 + 3);
    if (!text)
        return NULL;
    if (field->type == COLUMN_BINARY) {
        memcpy(text, "0x", 2);
        if (length)
            hex_encode((const uint8_t *)data, length, text + 2);
        text[2 + 2 * length] = 0;
    } else {
        if (length)
            memcpy(text, data, length);
        text[length] = 0;
    }
    ret = cJSON_CreateString(text);
    free(text);
    return ret;
}

cJSON *key_text(const ColumnBatch *batch, int index, int row)
{
    const Field *field = &batch->schema->fields[index];
    const ColumnVector *vector = &batch->columns[index];
    const uint8_t *data = vector->fixed + (size_t)row * column_width(field->type);
    char text[80];

    if (!vector->valid[row])
        return NULL;
    switch (field->type) {
    case COLUMN_BOOLEAN:
        snprintf(text, sizeof text, "%d", *data);
        break;
    case COLUMN_INT16:
        snprintf(text, sizeof text, "%d", *(const int16_t *)(const void *)data);
        break;
    case COLUMN_INT32:
        snprintf(text, sizeof text, "%" PRId32, *(const int32_t *)(const void *)data);
        break;
    case COLUMN_INT64:
        snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)(const void *)data);
        break;
    case COLUMN_UINT64:
        snprintf(text, sizeof text, "%" PRIu64, *(const uint64_t *)(const void *)data);
        break;
    case COLUMN_FLOAT32:
        snprintf(text, sizeof text, "%.9E", (double)*(const float *)(const void *)data);
        break;
    case COLUMN_FLOAT64:
        snprintf(text, sizeof text, "%.16E", *(const double *)(const void *)data);
        break;
    case COLUMN_DECIMAL:
        decimal_text(data, field->scale, text, sizeof text);
        break;
    case COLUMN_DATE:
        date_text(*(const int32_t *)(const void *)data, text, sizeof text);
        break;
    case COLUMN_TIME:
        time_text(*(const int64_t *)(const void *)data, 7, text, sizeof text);
        break;
    case COLUMN_TIMESTAMP:
        /* datetime and smalldatetime refuse more than three digits. */
        timestamp_text(*(const int64_t *)(const void *)data, strncmp(field->source_type, "datetime2", 9) == 0 ? 7 : 3,
                       text);
        break;
    case COLUMN_TIMESTAMPTZ:
        instant_text((const ColumnInstant *)(const void *)data, text, sizeof text);
        break;
    case COLUMN_UUID:
        uuid_text(data, text, sizeof text);
        break;
    case COLUMN_STRING:
    case COLUMN_BINARY:
        return variable_text(field, vector, row);
    }
    return cJSON_CreateString(text);
}
