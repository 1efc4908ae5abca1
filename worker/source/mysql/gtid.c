/* gtid.c - see gtid.h */
#include "source/mysql/gtid.h"
#include "base/hex.h"
#include "source/mysql/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GTID_NUMBER_END INT64_MAX /* one past the largest number of MySQL */
#define UUID_TEXT 36

typedef struct Interval {
    uint64_t from, to; /* to: one past the last */
} Interval;

/* Who wrote transactions: MySQL a uuid and a tag, MariaDB a domain. Sorted by these. */
typedef struct Writer {
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1];
    Interval *intervals; /* in order, apart from each other */
    size_t count, room;
    uint32_t domain, server;
    uint64_t sequence;
} Writer;

struct GtidSet {
    bool mariadb;
    Writer *writers;
    size_t count, room;
    size_t last; /* the writer added to last: the next transaction is mostly its */
};

static int writer_compare(bool mariadb, const Writer *a, const Writer *b)
{
    int order;

    if (mariadb)
        return a->domain < b->domain ? -1 : a->domain > b->domain;
    order = memcmp(a->uuid, b->uuid, sizeof a->uuid);
    return order ? order : strcmp(a->tag, b->tag);
}

/* The writer that `wanted` names, made where it is not there yet. */
static Writer *writer_of(GtidSet *set, const Writer *wanted, Error *error)
{
    size_t low = 0, high = set->count;

    if (set->last < set->count && writer_compare(set->mariadb, &set->writers[set->last], wanted) == 0)
        return &set->writers[set->last];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (writer_compare(set->mariadb, &set->writers[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    set->last = low;
    if (low < set->count && writer_compare(set->mariadb, &set->writers[low], wanted) == 0)
        return &set->writers[low];
    if (set->count == GTID_SERVERS_MAX) {
        error_set(error, ERROR_PERMANENT, NULL, "a GTID set has more than %d servers", GTID_SERVERS_MAX);
        return NULL;
    }
    if (set->count == set->room) {
        size_t room = set->room ? 2 * set->room : 4;
        Writer *grown = realloc(set->writers, room * sizeof *grown);

        if (!grown) {
            error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a GTID set");
            return NULL;
        }
        set->writers = grown;
        set->room = room;
    }
    memmove(set->writers + low + 1, set->writers + low, (set->count - low) * sizeof *set->writers);
    set->count++;
    set->writers[low] = *wanted;
    return &set->writers[low];
}

static int interval_insert(Writer *writer, size_t at, Interval interval, Error *error)
{
    if (writer->count == GTID_INTERVALS_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "a GTID set has more than %d intervals", GTID_INTERVALS_MAX);
    if (writer->count == writer->room) {
        size_t room = writer->room ? 2 * writer->room : 2;
        Interval *grown = realloc(writer->intervals, room * sizeof *grown);

        if (!grown)
            return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a GTID set");
        writer->intervals = grown;
        writer->room = room;
    }
    memmove(writer->intervals + at + 1, writer->intervals + at, (writer->count - at) * sizeof interval);
    writer->intervals[at] = interval;
    writer->count++;
    return 0;
}

/* Adds [from, to) and joins what then touches. */
static int interval_add(Writer *writer, uint64_t from, uint64_t to, Error *error)
{
    size_t low = 0, high = writer->count, next;

    if (from == 0 || from >= to || to > GTID_NUMBER_END)
        return error_set(error, ERROR_PERMANENT, NULL, "a GTID set has the interval %" PRIu64 "-%" PRIu64, from,
                         to - 1);
    if (writer->count > 0 && from >= writer->intervals[writer->count - 1].from)
        low = writer->count - 1;
    /* The first one that ends at or behind `from`. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (writer->intervals[middle].to < from)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == writer->count || writer->intervals[low].from > to)
        return interval_insert(writer, low, (Interval){from, to}, error);
    if (from < writer->intervals[low].from)
        writer->intervals[low].from = from;
    if (to <= writer->intervals[low].to)
        return 0;
    for (next = low + 1; next < writer->count && writer->intervals[next].from <= to; next++) {
        if (writer->intervals[next].to > to)
            to = writer->intervals[next].to;
    }
    writer->intervals[low].to = to;
    memmove(writer->intervals + low + 1, writer->intervals + next, (writer->count - next) * sizeof *writer->intervals);
    writer->count -= next - low - 1;
    return 0;
}

void gtid_clear(GtidSet *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->writers[i].intervals);
    set->count = 0;
}

void gtid_free(GtidSet *set)
{
    if (!set)
        return;
    gtid_clear(set);
    free(set->writers);
    free(set);
}

int gtid_add_mariadb(GtidSet *set, uint32_t domain, uint32_t server, uint64_t sequence, Error *error)
{
    Writer *writer = writer_of(set, &(Writer){.domain = domain}, error);

    if (!writer)
        return -1;
    writer->server = server;
    writer->sequence = sequence;
    return 0;
}

static Writer *writer_mysql(GtidSet *set, const uint8_t uuid[16], const char *tag, size_t length, Error *error)
{
    Writer wanted = {0};

    memcpy(wanted.uuid, uuid, sizeof wanted.uuid);
    if (length > GTID_TAG_MAX) {
        error_set(error, ERROR_PERMANENT, NULL, "a GTID's tag is longer than %d", GTID_TAG_MAX);
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        char c = tag[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (i > 0 && c >= '0' && c <= '9'))) {
            error_set(error, ERROR_PERMANENT, NULL, "a GTID's tag has the character 0x%02x", (unsigned char)c);
            return NULL;
        }
        wanted.tag[i] = c;
    }
    return writer_of(set, &wanted, error);
}

int gtid_add_mysql(GtidSet *set, const uint8_t uuid[16], const char *tag, uint64_t number, Error *error)
{
    Writer *writer = writer_mysql(set, uuid, tag ? tag : "", tag ? strlen(tag) : 0, error);

    if (!writer)
        return -1;
    if (writer->count > 0 && writer->intervals[writer->count - 1].to == number && number < GTID_NUMBER_END - 1) {
        writer->intervals[writer->count - 1].to++;
        return 0;
    }
    return interval_add(writer, number, number + 1, error);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static const char *skip_spaces(const char *text)
{
    while (is_space(*text))
        text++;
    return text;
}

/* A decimal number of at least one digit: where it ends, NULL where there is none or it is too large. */
static const char *read_number(const char *text, uint64_t maximum, uint64_t *ret)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (number > (maximum - digit) / 10)
            return NULL;
        number = number * 10 + digit;
    }
    *ret = number;
    return text;
}

static const char *read_uuid(const char *text, uint8_t ret[16])
{
    char digits[33];
    int count = 0;

    for (int i = 0; i < UUID_TEXT; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return NULL;
        } else if (!text[i]) {
            return NULL;
        } else {
            digits[count++] = text[i];
        }
    }
    digits[count] = 0;
    return hex_decode(digits, ret, 16) == 0 ? text + UUID_TEXT : NULL;
}

static const char *read_mariadb(GtidSet *set, const char *at, Error *error)
{
    uint64_t domain, server, sequence;

    at = read_number(at, UINT32_MAX, &domain);
    at = at && *at == '-' ? read_number(at + 1, UINT32_MAX, &server) : NULL;
    at = at && *at == '-' ? read_number(at + 1, UINT64_MAX, &sequence) : NULL;
    if (!at || gtid_add_mariadb(set, (uint32_t)domain, (uint32_t)server, sequence, error) < 0)
        return NULL;
    return at;
}

/* "uuid" and then ":1-3", ":7", ":tag" as often as they come. */
static const char *read_mysql(GtidSet *set, const char *at, Error *error)
{
    uint8_t uuid[16];
    Writer *writer;

    at = read_uuid(at, uuid);
    writer = at ? writer_mysql(set, uuid, "", 0, error) : NULL;
    for (at = writer ? skip_spaces(at) : NULL; at && *at == ':'; at = at ? skip_spaces(at) : NULL) {
        uint64_t from, to;

        at = skip_spaces(at + 1);
        if (*at < '0' || *at > '9') {
            size_t length = strcspn(at, ":, \n\t\r");

            writer = length > 0 ? writer_mysql(set, uuid, at, length, error) : NULL;
            if (!writer)
                return NULL;
            at += length;
            continue;
        }
        at = read_number(at, GTID_NUMBER_END - 1, &from);
        at = at ? skip_spaces(at) : NULL;
        to = from;
        if (at && *at == '-')
            at = read_number(skip_spaces(at + 1), GTID_NUMBER_END - 1, &to);
        if (at && from > 0 && to >= from && interval_add(writer, from, to + 1, error) < 0)
            return NULL;
        if (at && (from == 0 || to < from))
            return NULL;
    }
    return at;
}

int gtid_parse(bool mariadb, const char *text, GtidSet **ret, Error *error)
{
    GtidSet *set = calloc(1, sizeof *set);
    const char *at = skip_spaces(text);

    if (!set)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a GTID set");
    set->mariadb = mariadb;
    error_store(error, ERROR_PERMANENT, NULL, NULL, "no GTID set: \"%.200s\"", text);
    while (*at) {
        if (*at != ',')
            at = mariadb ? read_mariadb(set, at, error) : read_mysql(set, at, error);
        at = at ? skip_spaces(at) : NULL;
        if (!at || (*at && *at != ',')) {
            gtid_free(set);
            return -1;
        }
        if (*at == ',')
            at = skip_spaces(at + 1);
    }
    *ret = set;
    return 0;
}

static int uuid_text(const uint8_t uuid[16], Buffer *text, Error *error)
{
    char digits[33];

    hex_encode(uuid, 16, digits);
    digits[32] = 0;
    return buffer_format(text, error, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
                         digits + 20);
}

int gtid_text(const GtidSet *set, Buffer *text, Error *error)
{
    const Writer *before = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const Writer *writer = &set->writers[i];
        bool same = before && !set->mariadb && memcmp(before->uuid, writer->uuid, sizeof writer->uuid) == 0;

        if (!set->mariadb && writer->count == 0)
            continue;
        if (before && !same && buffer_text(text, ",", error) < 0)
            return -1;
        before = writer;
        if (set->mariadb) {
            if (buffer_format(text, error, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, writer->domain, writer->server,
                              writer->sequence) < 0)
                return -1;
            continue;
        }
        if ((!same && uuid_text(writer->uuid, text, error) < 0) ||
            (*writer->tag && buffer_format(text, error, ":%s", writer->tag) < 0))
            return -1;
        for (size_t j = 0; j < writer->count; j++) {
            const Interval *interval = &writer->intervals[j];
            int failed = interval->to - interval->from == 1
                             ? buffer_format(text, error, ":%" PRIu64, interval->from)
                             : buffer_format(text, error, ":%" PRIu64 "-%" PRIu64, interval->from, interval->to - 1);

            if (failed)
                return -1;
        }
    }
    return 0;
}

static int append_number(Buffer *bytes, uint64_t number, Error *error)
{
    uint8_t data[8];

    for (int i = 0; i < 8; i++)
        data[i] = (uint8_t)(number >> 8 * i);
    return buffer_append(bytes, data, sizeof data, error);
}

int gtid_encode(const GtidSet *set, Buffer *bytes, Error *error)
{
    uint64_t count = 0;
    bool tagged = false;

    for (size_t i = 0; i < set->count; i++) {
        count += set->writers[i].count > 0;
        tagged |= set->writers[i].count > 0 && *set->writers[i].tag;
    }
    /* The tagged form says so in the first and in the last of the 8 bytes (sql/rpl_gtid_set.cc, encode_nsids_format).
     */
    if (append_number(bytes, tagged ? UINT64_C(1) << 56 | count << 8 | 1 : count, error) < 0)
        return -1;
    for (size_t i = 0; i < set->count; i++) {
        const Writer *writer = &set->writers[i];
        uint8_t length = (uint8_t)(strlen(writer->tag) << 1);

        if (writer->count == 0)
            continue;
        if (buffer_append(bytes, writer->uuid, sizeof writer->uuid, error) < 0 ||
            (tagged && buffer_append(bytes, &length, 1, error) < 0) ||
            (tagged && buffer_append(bytes, writer->tag, strlen(writer->tag), error) < 0) ||
            append_number(bytes, writer->count, error) < 0)
            return -1;
        for (size_t j = 0; j < writer->count; j++) {
            if (append_number(bytes, writer->intervals[j].from, error) < 0 ||
                append_number(bytes, writer->intervals[j].to, error) < 0)
                return -1;
        }
    }
    return 0;
}

static int decode_mariadb(GtidSet *set, Bytes *bytes, Error *error)
{
    uint64_t count = bytes_number(bytes, 4) & 0x0fffffff; /* the upper bits are flags */

    for (uint64_t i = 0; i < count && !bytes->short_of; i++) {
        uint32_t domain = (uint32_t)bytes_number(bytes, 4), server = (uint32_t)bytes_number(bytes, 4);
        uint64_t sequence = bytes_number(bytes, 8);

        if (!bytes->short_of && gtid_add_mariadb(set, domain, server, sequence, error) < 0)
            return -1;
    }
    return 0;
}

static int decode_mysql(GtidSet *set, Bytes *bytes, Error *error)
{
    uint64_t first = bytes_number(bytes, 8), count = first & UINT64_C(0x00ffffffffffffff);
    bool tagged = first >> 56 == 1;

    if (first >> 56 > 1)
        return error_set(error, ERROR_PERMANENT, "A newer sluice may know it.", "a GTID set has the unknown form %u",
                         (unsigned)(first >> 56));
    if (tagged)
        count >>= 8;
    for (uint64_t i = 0; i < count && !bytes->short_of; i++) {
        const uint8_t *uuid = bytes_take(bytes, 16);
        size_t length = tagged ? bytes_varlen(bytes) : 0;
        const uint8_t *tag = bytes_take(bytes, length);
        uint64_t intervals = bytes_number(bytes, 8);
        Writer *writer;

        if (bytes->short_of)
            break;
        writer = writer_mysql(set, uuid, (const char *)tag, length, error);
        if (!writer)
            return -1;
        for (uint64_t j = 0; j < intervals && !bytes->short_of; j++) {
            uint64_t from = bytes_number(bytes, 8), to = bytes_number(bytes, 8);

            if (!bytes->short_of && interval_add(writer, from, to, error) < 0)
                return -1;
        }
    }
    return 0;
}

int gtid_decode(GtidSet *set, const uint8_t *data, size_t length, Error *error)
{
    Bytes bytes = bytes_of(data, length);

    if ((set->mariadb ? decode_mariadb(set, &bytes, error) : decode_mysql(set, &bytes, error)) < 0)
        return -1;
    if (bytes.short_of)
        return error_set(error, ERROR_INTERNAL, NULL, "a GTID set in the log ends too early");
    return 0;
}
