/*
 * json.h - reading configuration and control messages held in cJSON. Rows never pass through here.
 *
 * Getters return a default where the member is absent or null; json_need_* set ERROR_INTERNAL naming the member.
 * Returned strings belong to the cJSON object.
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include "base/error.h"
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

const char *json_text(const cJSON *object, const char *name, const char *otherwise);
int64_t json_integer(const cJSON *object, const char *name, int64_t otherwise); /* numbers and numeric text; exact to 2^53 */
bool json_boolean(const cJSON *object, const char *name, bool otherwise);
const cJSON *json_member(const cJSON *object, const char *name); /* NULL where absent or null */
int json_need_text(const cJSON *object, const char *name, const char **ret, Error *error);
/* Overwrites all text in it, then frees; NULL is fine. For what holds secrets. */
void json_wipe(cJSON *json);

#endif
