/* mysql.c - see mysql.h; a source and its connection for statements */
#include "source/mysql/mysql.h"
#include "source/mysql/follow.h"
#include "source/mysql/log_stage.h"
#include "source/mysql/log_stream.h"

#include <stdlib.h>
#include <string.h>

static void source_free(MySql *source)
{
    if (source->password) {
        explicit_bzero(source->password, strlen(source->password));
        free(source->password);
    }
    cJSON_Delete(source->kept);
    free(source);
}

int mysql_source_open(bool mariadb, const cJSON *options, const char *password, Beat beat, Source **ret, Error *error)
{
    MySql *source = calloc(1, sizeof *source);

    if (!source)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a source");
    source->beat = beat;
    source->kept = cJSON_Duplicate(options, true);
    source->password = password ? strdup(password) : NULL;
    if (!source->kept || (password && !source->password)) {
        source_free(source);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for a source");
    }
    if (session_options_read(source->kept, &source->options, error) < 0) {
        source_free(source);
        return -1;
    }
    source->options.mariadb = mariadb;
    if (session_open(&source->session, &source->options, source->password, beat, error) < 0) {
        source_free(source);
        return -1;
    }
    *ret = &source->base;
    return 0;
}

void mysql_source_close(Source *base)
{
    MySql *source = (MySql *)base;

    binlog_close(source->binlog);
    log_stream_close(source->stream);
    log_stage_free(source->stage);
    follow_free(source->follow);
    session_close(&source->session);
    source_free(source);
}
