/* log_event.c - see log_event.h */
#include "source/mysql/log_event.h"
#include "source/mysql/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FLAGS_AT 17
#define IN_USE 0x01 /* flag of a format description, set while the file is written to and not part of its checksum */
#define FORMAT_FIXED 57 /* version 2, server 50, created 4, header length 1 */

static int header_parse(const uint8_t *data, size_t length, LogEvent *ret, Error *error)
{
    Bytes bytes = bytes_of(data, length);

    ret->timestamp = (uint32_t)bytes_number(&bytes, 4);
    ret->type = (uint8_t)bytes_number(&bytes, 1);
    ret->server_id = (uint32_t)bytes_number(&bytes, 4);
    ret->size = (uint32_t)bytes_number(&bytes, 4);
    ret->log_pos = (uint32_t)bytes_number(&bytes, 4);
    ret->flags = (uint16_t)bytes_number(&bytes, 2);
    if (bytes.short_of || ret->size != length)
        return error_set(error, ERROR_INTERNAL, NULL, "an event of the log has %zu bytes and says %u", length,
                         bytes.short_of ? 0 : (unsigned)ret->size);
    ret->body = data + LOG_EVENT_HEADER;
    ret->length = length - LOG_EVENT_HEADER;
    return 0;
}

static bool checksum_holds(const uint8_t *data, size_t length, bool format)
{
    size_t covered;
    uint32_t wanted, found;
    uint8_t flags = data[FLAGS_AT];

    if (length < LOG_EVENT_HEADER + LOG_EVENT_CHECKSUM)
        return false;
    covered = length - LOG_EVENT_CHECKSUM;
    wanted = (uint32_t)data[covered] | (uint32_t)data[covered + 1] << 8 | (uint32_t)data[covered + 2] << 16 |
             (uint32_t)data[covered + 3] << 24;
    if (format)
        flags &= (uint8_t)~IN_USE;
    found = (uint32_t)crc32(0, data, FLAGS_AT);
    found = (uint32_t)crc32(found, &flags, 1);
    found = (uint32_t)crc32_z(found, data + FLAGS_AT + 1, covered - FLAGS_AT - 1);
    return found == wanted;
}

/* Whether a log of this server version says in its format description which checksum it has: MySQL from 5.6.1, MariaDB
 * from 5.3. */
static bool has_algorithm(const char *version)
{
    unsigned major = 0, minor = 0, patch = 0;

    sscanf(version, "%3u.%3u.%3u", &major, &minor, &patch);
    if (strstr(version, "MariaDB"))
        return major > 5 || (major == 5 && minor >= 3);
    return major > 5 || (major == 5 && (minor > 6 || (minor == 6 && patch >= 1)));
}

static int format_parse(LogFormat *format, const uint8_t *data, size_t length, LogEvent *event, Error *error)
{
    char version[51] = "";
    size_t types;
    LogFormat read = {.known = true};

    if (event->length < FORMAT_FIXED || event->body[0] != 4 || event->body[1] != 0)
        return error_set(error, ERROR_PERMANENT, NULL, "the log has no format description of version 4");
    memcpy(version, event->body + 2, 50);
    if (event->body[FORMAT_FIXED - 1] != LOG_EVENT_HEADER)
        return error_set(error, ERROR_PERMANENT, NULL, "the log's events have a header of %u bytes",
                         event->body[FORMAT_FIXED - 1]);
    if (has_algorithm(version)) {
        uint8_t algorithm;

        if (event->length < FORMAT_FIXED + 1 + LOG_EVENT_CHECKSUM)
            return error_set(error, ERROR_INTERNAL, NULL, "the log's format description ends too early");
        event->length -= LOG_EVENT_CHECKSUM;
        algorithm = event->body[--event->length];
        if (algorithm > 1)
            return error_set(error, ERROR_PERMANENT, "SET GLOBAL binlog_checksum = 'CRC32' on the server.",
                             "the log has the unknown checksum %u", algorithm);
        read.checksum = algorithm == 1;
        if (read.checksum && !checksum_holds(data, length, true))
            return error_set(error, ERROR_TRANSIENT, NULL, "the log's format description has a wrong checksum");
    }
    types = event->length - FORMAT_FIXED;
    if (types > sizeof read.post_header - 1)
        types = sizeof read.post_header - 1;
    memcpy(read.post_header + 1, event->body + FORMAT_FIXED, types);
    *format = read;
    return 0;
}

int log_event_parse(LogFormat *format, const uint8_t *data, size_t length, LogEvent *ret, Error *error)
{
    if (header_parse(data, length, ret, error) < 0)
        return -1;
    if (ret->type == LOG_FORMAT)
        return format_parse(format, data, length, ret, error);
    /* The rotation that opens a stream comes before any description, one between files may have the checksum of either:
     * it tells by itself. */
    if (ret->type == LOG_ROTATE && (!format->known || ret->flags & LOG_EVENT_ARTIFICIAL)) {
        if (checksum_holds(data, length, false))
            ret->length -= LOG_EVENT_CHECKSUM;
        return 0;
    }
    if (!format->known)
        return error_set(error, ERROR_INTERNAL, NULL, "an event of type %u came before the log's format description",
                         ret->type);
    if (!format->checksum)
        return 0;
    if (!checksum_holds(data, length, false))
        return error_set(error, ERROR_TRANSIENT, NULL, "an event of type %u ending at %u has a wrong checksum",
                         ret->type, ret->log_pos);
    ret->length -= LOG_EVENT_CHECKSUM;
    return 0;
}

int log_event_parse_inner(const uint8_t *data, size_t length, LogEvent *ret, Error *error)
{
    return header_parse(data, length, ret, error);
}
