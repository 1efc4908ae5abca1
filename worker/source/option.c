/* option.c - see option.h */
#include "source/option.h"

#include <string.h>

int option_text(const cJSON *options, const char *name, size_t maximum, const char **ret, Error *error)
{
    const char *text = json_text(options, name, NULL);

    *ret = NULL;
    if (!text || !*text)
        return 0;
    if (strlen(text) > maximum)
        return error_set(error, ERROR_PERMANENT, NULL, "the option %s of the source is longer than %zu bytes", name,
                         maximum);
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127)
            return error_set(error, ERROR_PERMANENT, "Remove the control character.",
                             "the option %s of the source has a control character", name);
    }
    *ret = text;
    return 0;
}

int option_number(const cJSON *options, const char *name, int low, int high, int otherwise, int *ret,
                         Error *error)
{
    int64_t number = json_integer(options, name, otherwise);

    if (number < low || number > high)
        return error_set(error, ERROR_PERMANENT, NULL,
                         "the option %s of the source is %lld; it must be between %d and %d", name, (long long)number,
                         low, high);
    *ret = (int)number;
    return 0;
}
