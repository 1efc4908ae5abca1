/* log_query.c - see log_query.h */
#include "source/mysql/log_query.h"
#include "base/hex.h"
#include "source/mysql/bytes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define XID_PART_MAX 64

int log_query_parse(const LogFormat *format, const LogEvent *event, LogQuery *ret, Error *error)
{
    Bytes bytes = bytes_of(event->body, event->length);
    uint8_t post_header = format->post_header[event->type == LOG_EXECUTE_LOAD ? LOG_EXECUTE_LOAD : LOG_QUERY];
    size_t database, variables;
    const uint8_t *name;

    *ret = (LogQuery){0};
    bytes_take(&bytes, 8); /* thread, time */
    database = bytes_number(&bytes, 1);
    bytes_take(&bytes, 2); /* error */
    variables = bytes_number(&bytes, 2);
    /* The post-header may be longer than what we know of it: LOAD DATA's file, later versions. */
    if (post_header < 13)
        return error_set(error, ERROR_PERMANENT, NULL, "the log's QUERY events have a header of %u bytes", post_header);
    bytes_take(&bytes, (size_t)post_header - 13);
    bytes_take(&bytes, variables);
    name = bytes_take(&bytes, database + 1);
    if (bytes.short_of || name[database] != 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a QUERY event of the log ends too early");
    memcpy(ret->database, name, database);
    ret->text = bytes.at;
    ret->length = bytes_left(&bytes);
    return 0;
}

/* Where the words end that `text` begins with, NULL where it begins otherwise. One blank of `words` stands for any
 * number of them. */
static const char *begins(const char *text, const char *end, const char *words)
{
    for (; *words; words++) {
        if (*words == ' ') {
            if (text == end || !isspace((unsigned char)*text))
                return NULL;
            while (text < end && isspace((unsigned char)*text))
                text++;
        } else if (text == end || toupper((unsigned char)*text++) != *words) {
            return NULL;
        }
    }
    return text;
}

static bool is(const char *text, const char *end, const char *words)
{
    text = begins(text, end, words);
    while (text && text < end && isspace((unsigned char)*text))
        text++;
    return text == end && text;
}

/* One of the two texts of "X'..',X'..',n", or, as a person writes it, 'ab': its bytes. */
static const char *read_part(const char *text, const char *end, uint8_t *data, size_t *length)
{
    bool hexadecimal = text < end && (*text == 'X' || *text == 'x');
    const char *close;
    char digits[2 * XID_PART_MAX + 1];

    text += hexadecimal;
    if (text >= end || *text != '\'' || !(close = memchr(text + 1, '\'', (size_t)(end - text - 1))))
        return NULL;
    text++;
    *length = (size_t)(close - text);
    if (*length > (hexadecimal ? 2 : 1) * XID_PART_MAX)
        return NULL;
    if (!hexadecimal) {
        memcpy(data, text, *length);
        return close + 1;
    }
    memcpy(digits, text, *length);
    digits[*length] = 0;
    *length /= 2;
    return hex_decode(digits, data, *length) == 0 ? close + 1 : NULL;
}

static bool read_xid(const char *text, const char *end, char ret[LOG_XID_TEXT], const char **behind)
{
    uint8_t data[2 * XID_PART_MAX];
    size_t gtrid = 0, bqual = 0;
    uint64_t format = 1;

    text = read_part(text, end, data, &gtrid);
    if (text && text < end && *text == ',')
        text = read_part(text + 1, end, data + gtrid, &bqual);
    if (text && text < end && *text == ',') {
        format = 0;
        for (text++; text < end && *text >= '0' && *text <= '9'; text++)
            format = (format * 10 + (uint64_t)(*text - '0')) & UINT32_MAX;
    }
    *behind = text;
    return text && log_xid_text((uint32_t)format, data, gtrid, bqual, ret) == 0;
}

static bool xa_classify(LogQuery *query, const char *text, const char *end)
{
    static const struct {
        const char *words;
        QueryType type;
    } forms[] = {{"XA START ", QUERY_XA_START},   {"XA BEGIN ", QUERY_XA_START},
                 {"XA END ", QUERY_XA_END},       {"XA PREPARE ", QUERY_XA_PREPARE},
                 {"XA COMMIT ", QUERY_XA_COMMIT}, {"XA ROLLBACK ", QUERY_XA_ROLLBACK}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *name = begins(text, end, forms[i].words), *behind;

        if (!name || !read_xid(name, end, query->xid, &behind))
            continue;
        query->type = forms[i].type;
        if (query->type == QUERY_XA_COMMIT && is(behind, end, " ONE PHASE"))
            query->type = QUERY_XA_COMMIT_ONE_PHASE;
        return true;
    }
    return false;
}

void log_query_classify(LogQuery *query)
{
    const char *text = (const char *)query->text, *end = text + query->length;

    query->type = QUERY_OTHER;
    while (text < end && isspace((unsigned char)*text))
        text++;
    if (is(text, end, "BEGIN"))
        query->type = QUERY_BEGIN;
    else if (is(text, end, "COMMIT"))
        query->type = QUERY_COMMIT;
    else if (is(text, end, "ROLLBACK"))
        query->type = QUERY_ROLLBACK;
    else if (begins(text, end, "ROLLBACK TO ") || begins(text, end, "ROLLBACK WORK TO "))
        query->type = QUERY_ROLLBACK_TO;
    else if (begins(text, end, "SAVEPOINT ") || begins(text, end, "RELEASE SAVEPOINT "))
        query->type = QUERY_SAVEPOINT;
    else
        xa_classify(query, text, end);
}

int log_xid_text(uint32_t format_id, const uint8_t *data, size_t gtrid, size_t bqual, char ret[LOG_XID_TEXT])
{
    char one[2 * XID_PART_MAX + 1], two[2 * XID_PART_MAX + 1];

    if (gtrid > XID_PART_MAX || bqual > XID_PART_MAX)
        return -1;
    hex_encode(data, gtrid, one);
    one[2 * gtrid] = 0;
    hex_encode(data + gtrid, bqual, two);
    two[2 * bqual] = 0;
    snprintf(ret, LOG_XID_TEXT, "X'%s',X'%s',%u", one, two, format_id);
    return 0;
}
