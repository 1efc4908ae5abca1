/* kind.c - the two kinds of source that this room is: they differ in what their server speaks, not in what they promise */
#include "source/mysql/load.h"
#include "source/mysql/log_reader.h"

#include <string.h>

static int mysql_next(Reader *base, const ColumnBatch **ret, Error *error)
{
    MySqlReader *reader = (MySqlReader *)base;

    return reader->load ? load_reader_next(reader, ret, error) : log_reader_next(reader, ret, error);
}

/* What a stream or a snapshot gave is whole, or it failed: a server that has purged a file below a stream ends the stream with an error where the
 * file would have been next, and the offsets of events have been counted on all the way (binlog.h). */
static int mysql_verify(Reader *base, Error *error)
{
    (void)base, (void)error;
    return 0;
}

static const char *mysql_reader_position(const Reader *base)
{
    const MySqlReader *reader = (const MySqlReader *)base;

    return reader->load ? load_reader_position(reader) : NULL;
}

static int64_t mysql_nulled(const Reader *base)
{
    const MySqlReader *reader = (const MySqlReader *)base;

    return reader->load ? load_reader_nulled(reader) : log_reader_nulled(reader);
}

static int mysql_last_key(const Reader *base, cJSON **ret, Error *error)
{
    const MySqlReader *reader = (const MySqlReader *)base;

    if (reader->load)
        return load_reader_last_key(reader, ret, error);
    *ret = NULL;
    return 0;
}

static void mysql_reader_close(Reader *base)
{
    MySqlReader *reader = (MySqlReader *)base;

    if (reader->load)
        load_reader_close(reader);
    else
        log_reader_close(reader);
}

static int mysql_source_read(Source *base, const ReadSpec *spec, Reader **ret, Error *error)
{
    const bool load = strcmp(json_text(spec->batch, "work", ""), "load") == 0;
    MySql *source = (MySql *)base;
    MySqlReader *reader;

    if ((load ? load_reader_open(source, spec, &reader, error) : log_reader_open(source, spec, &reader, error)) < 0)
        return -1;
    reader->base.kind = base->kind;
    reader->load = load;
    *ret = &reader->base;
    return 0;
}

static int kind_open(const SourceKind *kind, const cJSON *options, const char *password, Beat beat, Source **ret, Error *error)
{
    if (mysql_source_open(kind == &mariadb_kind, options, password, beat, ret, error) < 0)
        return -1;
    (*ret)->kind = kind;
    return 0;
}

static int mysql_open(const cJSON *options, const char *password, Beat beat, Source **ret, Error *error)
{
    return kind_open(&mysql_kind, options, password, beat, ret, error);
}

static int mariadb_open(const cJSON *options, const char *password, Beat beat, Source **ret, Error *error)
{
    return kind_open(&mariadb_kind, options, password, beat, ret, error);
}

static int mysql_check(const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error)
{
    return mysql_source_check(false, options, password, beat, answer, error);
}

static int mariadb_check(const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error)
{
    return mysql_source_check(true, options, password, beat, answer, error);
}

#define KIND(word)                                                                                                    \
    {                                                                                                                 \
        .name = #word, .open = word##_open, .check = word##_check, .close = mysql_source_close, .poll = mysql_source_poll, \
        .discover = mysql_source_discover, .split = mysql_source_split, .stage = mysql_source_stage,                   \
        .position_after = mysql_source_position_after, .read = mysql_source_read, .next = mysql_next,                  \
        .verify = mysql_verify, .reader_position = mysql_reader_position, .nulled = mysql_nulled,                      \
        .last_key = mysql_last_key, .reader_close = mysql_reader_close,                                               \
    }

const SourceKind mysql_kind = KIND(mysql), mariadb_kind = KIND(mariadb);
