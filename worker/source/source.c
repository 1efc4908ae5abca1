/* source.c - see source.h; every call goes to the kind that was opened */
#include "source/kind.h"

#include <string.h>

static const SourceKind *const kinds[] = {&sqlserver_kind, &mysql_kind, &mariadb_kind};

static const SourceKind *kind_find(const char *name, Error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (name && strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    error_set(error, ERROR_PERMANENT, "The kind of a source is 'sqlserver', 'mysql' or 'mariadb'.",
              "this worker knows no source of kind \"%s\"", name ? name : "");
    return NULL;
}

int source_open(const char *kind, const cJSON *options, const char *password, Beat beat, Source **ret,
                Error *error)
{
    const SourceKind *found = kind_find(kind, error);

    return found ? found->open(options, password, beat, ret, error) : -1;
}

void source_close(Source *source)
{
    if (source)
        source->kind->close(source);
}

int source_poll(Source *source, const cJSON *ask, cJSON **answer, Error *error)
{
    return source->kind->poll(source, ask, answer, error);
}

int source_discover(Source *source, cJSON **answer, Error *error)
{
    return source->kind->discover(source, answer, error);
}

int source_split(Source *source, const cJSON *ask, cJSON **ret, Error *error)
{
    return source->kind->split(source, ask, ret, error);
}

int source_stage(Source *source, const cJSON *batches, Error *error)
{
    return source->kind->stage ? source->kind->stage(source, batches, error) : 0;
}

int64_t reader_nulled(const Reader *reader)
{
    return reader->kind->nulled ? reader->kind->nulled(reader) : 0;
}

int source_position_after(Source *source, char *ret, size_t size, Error *error)
{
    return source->kind->position_after(source, ret, size, error);
}

int source_read(Source *source, const ReadSpec *spec, Reader **ret, Error *error)
{
    return source->kind->read(source, spec, ret, error);
}

int reader_next(Reader *reader, const ColumnBatch **ret, Error *error)
{
    return reader->kind->next(reader, ret, error);
}

int reader_verify(Reader *reader, Error *error)
{
    return reader->kind->verify(reader, error);
}

const char *reader_position(const Reader *reader)
{
    return reader->kind->reader_position(reader);
}

int reader_last_key(const Reader *reader, cJSON **ret, Error *error)
{
    return reader->kind->last_key(reader, ret, error);
}

void reader_close(Reader *reader)
{
    if (reader)
        reader->kind->reader_close(reader);
}

int source_check(const char *kind, const cJSON *options, const char *password, Beat beat, cJSON **answer,
                 Error *error)
{
    const SourceKind *found = kind_find(kind, error);

    return found ? found->check(options, password, beat, answer, error) : -1;
}
