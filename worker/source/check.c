/* check.c - see check.h */
#include "source/check.h"
#include "base/clock.h"

void check_begin(Check *check)
{
    check->began_ms = clock_monotonic_ms();
}

static void member(cJSON *object, const char *name, const char *text)
{
    if (text && *text)
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}

void check_step(Check *check, const char *name, const char *object, bool ok, CheckSeverity severity, const char *found,
                const char *wanted, const char *fix_sql)
{
    static const char *const words[] = {[CHECK_ERROR] = "error", [CHECK_WARNING] = "warning", [CHECK_INFO] = "info"};
    cJSON *step = cJSON_CreateObject();

    cJSON_AddStringToObject(step, "check", name);
    member(step, "object", object);
    cJSON_AddBoolToObject(step, "ok", ok);
    cJSON_AddStringToObject(step, "severity", words[ok ? CHECK_INFO : severity]);
    member(step, "found", found);
    member(step, "wanted", ok ? NULL : wanted);
    member(step, "fix_sql", ok ? NULL : fix_sql);
    cJSON_AddNumberToObject(step, "ms", (double)(clock_monotonic_ms() - check->began_ms));
    cJSON_AddBoolToObject(step, "skipped", false);
    cJSON_AddItemToArray(check->steps, step);
    check->stopped |= !ok && severity == CHECK_ERROR;
    check_begin(check);
}

void check_skip(Check *check, const char *name, const char *object)
{
    cJSON *step = cJSON_CreateObject();

    cJSON_AddStringToObject(step, "check", name);
    member(step, "object", object);
    cJSON_AddNullToObject(step, "ok");
    cJSON_AddStringToObject(step, "severity", "info");
    cJSON_AddNullToObject(step, "found");
    cJSON_AddNullToObject(step, "wanted");
    cJSON_AddNullToObject(step, "fix_sql");
    cJSON_AddNullToObject(step, "ms");
    cJSON_AddBoolToObject(step, "skipped", true);
    cJSON_AddItemToArray(check->steps, step);
}
