/* log_group.c - see log_group.h */
#include "source/mysql/log_group.h"
#include "source/mysql/bytes.h"

#include <string.h>

/* Flags of MariaDB's GTID event, and of its second byte of them. */
#define FL_STANDALONE 1
#define FL_GROUP_COMMIT 2
#define FL_PREPARED_XA 64
#define FL_COMPLETED_XA 128
#define FL_EXTRA_MULTI_ENGINE 1
#define FL_EXTRA_START_ALTER 2
#define FL_EXTRA_ROLLBACK_ALTER 8

static int group_mariadb(Bytes *bytes, const LogEvent *event, LogGroup *ret, Error *error)
{
    uint8_t flags, extra;

    ret->numbered = true;
    ret->server = event->server_id;
    ret->number = bytes_number(bytes, 8);
    ret->domain = (uint32_t)bytes_number(bytes, 4);
    flags = (uint8_t)bytes_number(bytes, 1);
    ret->standalone = flags & FL_STANDALONE;
    ret->prepared = flags & FL_PREPARED_XA;
    ret->completed = flags & FL_COMPLETED_XA;
    if (flags & FL_GROUP_COMMIT)
        bytes_take(bytes, 8);
    if (ret->prepared || ret->completed) {
        uint32_t format = (uint32_t)bytes_number(bytes, 4);
        size_t gtrid = bytes_number(bytes, 1), bqual = bytes_number(bytes, 1);
        const uint8_t *data = bytes_take(bytes, gtrid + bqual);

        if (!data || log_xid_text(format, data, gtrid, bqual, ret->xid) < 0)
            return error_set(error, ERROR_INTERNAL, NULL, "the name of an XA transaction in the log is malformed");
    }
    if (bytes->short_of)
        return error_set(error, ERROR_INTERNAL, NULL, "a GTID event of the log ends too early");
    /* What is missing here is padding or an older server's. */
    extra = (uint8_t)bytes_number(bytes, 1);
    ret->quiet = extra & (FL_EXTRA_START_ALTER | FL_EXTRA_ROLLBACK_ALTER);
    return 0;
}

static int group_mysql(Bytes *bytes, const LogEvent *event, LogGroup *ret, Error *error)
{
    const uint8_t *uuid;
    uint64_t microseconds;

    bytes_take(bytes, 1); /* flags */
    uuid = bytes_take(bytes, sizeof ret->uuid);
    ret->number = bytes_number(bytes, 8);
    if (bytes->short_of)
        return error_set(error, ERROR_INTERNAL, NULL, "a GTID event of the log ends too early");
    memcpy(ret->uuid, uuid, sizeof ret->uuid);
    ret->numbered = event->type == LOG_GTID;
    /* The rest came with 5.7 and 8.0: logical clock, time of commit (its highest bit says that another time follows).
     */
    if (bytes_number(bytes, 1) != 2)
        return 0;
    bytes_take(bytes, 16);
    microseconds = bytes_number(bytes, 7) & ~(UINT64_C(1) << 55);
    if (!bytes->short_of && microseconds > 0)
        ret->commit_us = (int64_t)microseconds;
    return 0;
}

/* A message of MySQL's serialization library (libs/mysql/serialization/readme.md): fields in the order of their
 * numbers, those without a value left out. */
static int group_tagged(Bytes *bytes, LogGroup *ret, Error *error)
{
    enum { FLAGS, UUID, NUMBER, TAG, LAST_COMMITTED, SEQUENCE, COMMIT_TIME };
    uint64_t found = 0;

    bytes_varlen(bytes); /* version */
    bytes_varlen(bytes); /* size */
    bytes_varlen(bytes); /* last field that must be known */
    while (!bytes->short_of && bytes_left(bytes) > 0 && found < COMMIT_TIME) {
        uint64_t length;
        const uint8_t *tag;

        found = bytes_varlen(bytes);
        if (found == UUID) {
            for (size_t i = 0; i < sizeof ret->uuid; i++)
                ret->uuid[i] = (uint8_t)bytes_varlen(bytes);
        } else if (found == NUMBER) {
            ret->number = bytes_varlen(bytes) >> 1; /* signed, and never negative */
        } else if (found == TAG) {
            length = bytes_varlen(bytes);
            tag = bytes_take(bytes, length > GTID_TAG_MAX ? SIZE_MAX : length);
            if (tag)
                memcpy(ret->tag, tag, length);
        } else if (found == COMMIT_TIME) {
            ret->commit_us = (int64_t)bytes_varlen(bytes);
        } else if (found < COMMIT_TIME) {
            bytes_varlen(bytes);
        }
    }
    ret->numbered = true;
    if (bytes->short_of || ret->number == 0)
        return error_set(error, ERROR_INTERNAL, NULL, "a tagged GTID event of the log is malformed");
    return 0;
}

int log_group_parse(const LogEvent *event, LogGroup *ret, Error *error)
{
    Bytes bytes = bytes_of(event->body, event->length);

    *ret = (LogGroup){.commit_us = event->timestamp ? event->timestamp * INT64_C(1000000) : INT64_MIN};
    if (event->type == LOG_MARIADB_GTID)
        return group_mariadb(&bytes, event, ret, error);
    return event->type == LOG_TAGGED_GTID ? group_tagged(&bytes, ret, error) : group_mysql(&bytes, event, ret, error);
}
