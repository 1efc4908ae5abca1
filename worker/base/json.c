/* json.c - see json.h */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

const cJSON *json_member(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return member && !cJSON_IsNull(member) ? member : NULL;
}

const char *json_text(const cJSON *object, const char *name, const char *otherwise)
{
    const cJSON *member = json_member(object, name);

    return cJSON_IsString(member) ? member->valuestring : otherwise;
}

int64_t json_integer(const cJSON *object, const char *name, int64_t otherwise)
{
    const cJSON *member = json_member(object, name);

    if (cJSON_IsNumber(member))
        return (int64_t)member->valuedouble;
    if (cJSON_IsString(member)) {
        char *end;
        long long value = strtoll(member->valuestring, &end, 10);

        return *member->valuestring && !*end ? value : otherwise;
    }
    return otherwise;
}

bool json_boolean(const cJSON *object, const char *name, bool otherwise)
{
    const cJSON *member = json_member(object, name);

    return cJSON_IsBool(member) ? cJSON_IsTrue(member) : otherwise;
}

int json_need_text(const cJSON *object, const char *name, const char **ret, Error *error)
{
    const char *text = json_text(object, name, NULL);

    if (!text)
        return error_set(error, ERROR_INTERNAL, NULL, "a control message lacks the text \"%s\"", name);
    *ret = text;
    return 0;
}

static void json_blank(cJSON *json)
{
    for (cJSON *item = json; item; item = item->next) {
        if (item->valuestring)
            explicit_bzero(item->valuestring, strlen(item->valuestring));
        json_blank(item->child);
    }
}

void json_wipe(cJSON *json)
{
    if (json)
        json_blank(json->child);
    if (json && json->valuestring)
        explicit_bzero(json->valuestring, strlen(json->valuestring));
    cJSON_Delete(json);
}
