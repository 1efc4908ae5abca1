/* format.c - picks the format by name and puts the compressor behind it; see format.h */
#include "format/compress.h"
#include "format/kind.h"
#include "format/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Format {
    const FormatKind *kind;
    void *state;
    Profile *profile; /* NULL where the format writes the added columns itself */
    Compressor *compressor;
};

static const FormatKind *const kinds[] = {&jsonl_kind, &debezium_kind, &csv_kind, &parquet_kind};

static bool kind_has(const FormatKind *kind, const char *profile)
{
    for (int i = 0; profile && kind->profiles[i]; i++) {
        if (strcmp(kind->profiles[i], profile) == 0)
            return true;
    }
    return false;
}

/* Of several of one name the one that has the profile, else the first. */
static const FormatKind *kind_find(const char *name, const char *profile)
{
    const FormatKind *found = NULL;

    for (size_t i = 0; name && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->name, name) != 0)
            continue;
        if (kind_has(kinds[i], profile))
            return kinds[i];
        found = found ? found : kinds[i];
    }
    return found;
}

static int kind_need(const char *name, const char *profile, const FormatKind **ret, Error *error)
{
    *ret = kind_find(name, profile);
    if (!*ret)
        return error_set(error, ERROR_PERMANENT, "This version writes jsonl, csv and parquet.", "unknown format \"%.60s\"", name ? name : "");
    return 0;
}

/* The end of the name that a compression gives; a format that compresses inside its file knows snappy too and gives no end. */
static const char *kind_extension(const FormatKind *kind, const char *compression)
{
    const char *extension = compress_extension(compression);

    if (kind->compresses && compression && (extension || strcmp(compression, "snappy") == 0))
        return "";
    return extension;
}

int format_extension(const char *format, const char *compression, char *ret, size_t size, Error *error)
{
    const FormatKind *kind;
    const char *extension;

    if (kind_need(format, NULL, &kind, error) < 0)
        return -1;
    extension = kind_extension(kind, compression);
    if (!extension)
        return error_set(error, ERROR_PERMANENT, "Known are none, gzip and zstd; parquet has snappy too.", "a %s file has no compression \"%.60s\"",
                         kind->name, compression ? compression : "");
    if ((size_t)snprintf(ret, size, "%s%s", kind->name, extension) >= size)
        return error_set(error, ERROR_INTERNAL, NULL, "no room for the extension of a %s file", kind->name);
    return 0;
}

bool format_lands(const FormatSpec *spec, char op)
{
    return profile_lands(spec, op);
}

static int compressor_write(void *context, const void *data, size_t length, Error *error)
{
    return compress_write(context, data, length, error);
}

static int profile_check(const FormatKind *kind, const char *profile, Error *error)
{
    if (kind_has(kind, profile))
        return 0;
    return error_set(error, ERROR_PERMANENT, "SELECT * FROM sluice.option WHERE scope = 'table' AND name = 'profile'; lists them.", "format %s has no profile \"%.60s\"", kind->name,
                     profile ? profile : "");
}

static int format_prepare(Format *format, const FormatSpec *spec, const Schema *schema, FormatOutput output, Error *error)
{
    const FormatKind *kind = format->kind;

    if (compress_open(kind->compresses ? "none" : spec->compression, kind->compresses ? 0 : spec->level, output, &format->compressor, error) < 0)
        return -1;
    if (kind->expands) {
        if (profile_open(spec, schema, &format->profile, error) < 0)
            return -1;
        schema = profile_schema(format->profile);
    }
    return kind->open(spec, schema, (FormatOutput){compressor_write, format->compressor}, &format->state, error);
}

int format_open(const FormatSpec *spec, const Schema *schema, FormatOutput output, Format **ret, Error *error)
{
    const FormatKind *kind;
    Format *format;

    if (kind_need(spec->format, spec->profile, &kind, error) < 0 || profile_check(kind, spec->profile, error) < 0)
        return -1;
    format = calloc(1, sizeof *format);
    if (!format)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a %s file", kind->name);
    format->kind = kind;
    if (format_prepare(format, spec, schema, output, error) < 0) {
        format_close(format);
        return -1;
    }
    *ret = format;
    return 0;
}

int format_write(Format *format, const ColumnBatch *batch, int first, int count, Error *error)
{
    const int end = first + count;

    if (!format->profile)
        return format->kind->write(format->state, batch, first, count, error);
    while (first < end) {
        const ColumnBatch *expanded;

        if (profile_expand(format->profile, batch, &first, end, &expanded, error) < 0 ||
            (expanded->rows && format->kind->write(format->state, expanded, 0, expanded->rows, error) < 0))
            return -1;
    }
    return 0;
}

uint64_t format_size(const Format *format)
{
    return compress_size(format->compressor, format->kind->held(format->state));
}

int format_finish(Format *format, Error *error)
{
    if (format->kind->finish(format->state, error) < 0)
        return -1;
    return compress_finish(format->compressor, error);
}

void format_close(Format *format)
{
    if (!format)
        return;
    if (format->state)
        format->kind->close(format->state);
    profile_close(format->profile);
    compress_close(format->compressor);
    free(format);
}
