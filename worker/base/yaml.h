/*
 * yaml.h - YAML documents as JSON, and where each value stood.
 *
 * A subset that people write by hand: mappings with plain keys, lists, scalars; anchors and aliases are resolved by libyaml. Unquoted true, false, null
 * and numbers (YAML 1.2 core schema, section 10.3.2) become themselves, everything else text. No key stands twice, nothing is deeper than YAML_DEPTH_MAX
 * or, aliases resolved, more than YAML_NODES_MAX values.
 */
#ifndef SLUICE_YAML_H
#define SLUICE_YAML_H

#include "base/buffer.h"
#include "base/json.h"

#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 500000

/* *ret: the document, an empty object where there is none. places: NULL, or an object that gets for each path ("sources.erp.options.port", list entries by
 * number) "name:line". text_only: every scalar stays text. ERROR_PERMANENT names line and column, never a value. */
int yaml_read(const char *name, const char *text, size_t length, bool text_only, cJSON *places, cJSON **ret, Error *error);
/* json as YAML, keys in the order they stand, two spaces a level; scalars quoted where they would read back as something else. */
int yaml_write(const cJSON *json, Buffer *text, Error *error);

#endif
