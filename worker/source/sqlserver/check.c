/* check.c */
#include "source/sqlserver/sqlserver.h"
int sqlserver_check(const cJSON *options, const char *password, SourceBeat beat, cJSON **answer, Error *error)
{
    Source *source;
    *answer = cJSON_CreateArray();
    if (sqlserver_open(options, password, beat, &source, error) < 0)
        return -1;
    sqlserver_close(source);
    return 0;
}
