/* yaml.c - see yaml.h */
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define PATH_MAX_BYTES 1024

typedef struct YamlRead {
    const char *name;
    yaml_document_t *document;
    bool text_only;
    cJSON *places;
    char path[PATH_MAX_BYTES];
    int nodes;
    Error *error;
} YamlRead;

static int yaml_refused(const YamlRead *read, const yaml_mark_t *mark, const char *what)
{
    return error_set(read->error, ERROR_PERMANENT, NULL, "%s:%zu:%zu: %s", read->name, mark->line + 1, mark->column + 1, what);
}

static int yaml_memory(Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

static cJSON *scalar_read(const YamlRead *read, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    char *end;
    double number;

    if (read->text_only || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return cJSON_CreateString(text);
    if (!text[0] || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return cJSON_CreateNull();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return cJSON_CreateBool(text[0] == 't');
    number = strtod(text, &end);
    /* 0x and nan are text here; a number that double cannot hold stays the text it is. */
    if (!*end && strspn(text, "+-0123456789.eE") == strlen(text) && number <= 9007199254740992.0 && number >= -9007199254740992.0)
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(text);
}

static int node_read(YamlRead *read, int index, int depth, cJSON **ret);

/* Goes down into one member: the path grows by it and shrinks again. */
static int member_read(YamlRead *read, const char *name, int index, int depth, cJSON **ret)
{
    size_t length = strlen(read->path);
    int status;

    if (length + strlen(name) + 2 > sizeof read->path)
        return yaml_refused(read, &yaml_document_get_node(read->document, index)->start_mark, "names are too long");
    snprintf(read->path + length, sizeof read->path - length, "%s%s", length ? "." : "", name);
    status = node_read(read, index, depth + 1, ret);
    read->path[length] = '\0';
    return status;
}

static int mapping_read(YamlRead *read, const yaml_node_t *node, int depth, cJSON *object)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(read->document, pair->key);
        const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
        cJSON *value;

        if (!name || strlen(name) != key->data.scalar.length)
            return yaml_refused(read, &key->start_mark, "a name must be plain text");
        if (cJSON_GetObjectItemCaseSensitive(object, name))
            return yaml_refused(read, &key->start_mark, "this name stands twice");
        if (member_read(read, name, pair->value, depth, &value) < 0)
            return -1;
        if (!cJSON_AddItemToObject(object, name, value))
            return yaml_memory(read->error);
    }
    return 0;
}

static int sequence_read(YamlRead *read, const yaml_node_t *node, int depth, cJSON *array)
{
    int number = 0;

    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        char name[16];
        cJSON *value;

        snprintf(name, sizeof name, "%d", number++);
        if (member_read(read, name, *item, depth, &value) < 0)
            return -1;
        cJSON_AddItemToArray(array, value);
    }
    return 0;
}

static int place_note(const YamlRead *read, const yaml_node_t *node)
{
    char place[PATH_MAX_BYTES];

    if (!read->places)
        return 0;
    snprintf(place, sizeof place, "%s:%zu", read->name, node->start_mark.line + 1);
    cJSON_DeleteItemFromObjectCaseSensitive(read->places, read->path);
    return cJSON_AddStringToObject(read->places, read->path, place) ? 0 : yaml_memory(read->error);
}

static int node_read(YamlRead *read, int index, int depth, cJSON **ret)
{
    const yaml_node_t *node = yaml_document_get_node(read->document, index);
    cJSON *json = NULL;
    int status = 0;

    if (depth > YAML_DEPTH_MAX || ++read->nodes > YAML_NODES_MAX)
        return yaml_refused(read, &node->start_mark, "too deep or too much");
    if (place_note(read, node) < 0)
        return -1;
    if (node->type == YAML_SCALAR_NODE) {
        if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
            return yaml_refused(read, &node->start_mark, "a value with a zero byte");
        json = scalar_read(read, node);
    } else {
        json = node->type == YAML_MAPPING_NODE ? cJSON_CreateObject() : cJSON_CreateArray();
    }
    if (!json)
        return yaml_memory(read->error);
    if (node->type == YAML_MAPPING_NODE)
        status = mapping_read(read, node, depth, json);
    else if (node->type == YAML_SEQUENCE_NODE)
        status = sequence_read(read, node, depth, json);
    if (status < 0)
        json_wipe(json);
    else
        *ret = json;
    return status;
}

int yaml_read(const char *name, const char *text, size_t length, bool text_only, cJSON *places, cJSON **ret, Error *error)
{
    yaml_document_t document;
    YamlRead read = {name, &document, text_only, places, "", 0, error};
    yaml_parser_t parser;
    int status;

    if (!yaml_parser_initialize(&parser))
        return yaml_memory(error);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    if (yaml_parser_load(&parser, &document)) {
        if (yaml_document_get_root_node(&document)) {
            status = node_read(&read, 1, 0, ret);
        } else {
            *ret = cJSON_CreateObject();
            status = *ret ? 0 : yaml_memory(error);
        }
        yaml_document_delete(&document);
    } else {
        status = yaml_refused(&read, &parser.problem_mark, parser.problem ? parser.problem : "unreadable");
    }
    yaml_parser_delete(&parser);
    return status;
}

static int event_emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(emitter, event) ? 0 : -1;
}

static int scalar_write(yaml_emitter_t *emitter, const char *text, bool quoted)
{
    yaml_event_t event;

    return event_emit(emitter, &event, yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                                                    quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE));
}

/* Text that would read back as something else, or that only quotes make plain. */
static bool text_needs_quotes(const char *text)
{
    return !text[0] || strcmp(text, "null") == 0 || strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strchr("~+-.0123456789", text[0]) ||
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") != strlen(text);
}

static int value_write(yaml_emitter_t *emitter, const cJSON *json)
{
    const cJSON *item;
    yaml_event_t event;
    char *text;
    int status;

    if (cJSON_IsString(json))
        return scalar_write(emitter, json->valuestring, text_needs_quotes(json->valuestring));
    if (!cJSON_IsObject(json) && !cJSON_IsArray(json)) {
        text = cJSON_PrintUnformatted(json);
        status = text ? scalar_write(emitter, text, false) : -1;
        cJSON_free(text);
        return status;
    }
    if (event_emit(emitter, &event, cJSON_IsObject(json) ? yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, json->child ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE)
                                                         : yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, json->child ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE)) < 0)
        return -1;
    cJSON_ArrayForEach(item, json) {
        if (cJSON_IsObject(json) && scalar_write(emitter, item->string, text_needs_quotes(item->string)) < 0)
            return -1;
        if (value_write(emitter, item) < 0)
            return -1;
    }
    return event_emit(emitter, &event, cJSON_IsObject(json) ? yaml_mapping_end_event_initialize(&event) : yaml_sequence_end_event_initialize(&event));
}

typedef struct YamlSink {
    Buffer *text;
    Error *error;
    bool failed;
} YamlSink;

static int sink_take(void *context, unsigned char *data, size_t length)
{
    YamlSink *sink = context;

    sink->failed = sink->failed || buffer_append(sink->text, data, length, sink->error) < 0;
    return !sink->failed;
}

int yaml_write(const cJSON *json, Buffer *text, Error *error)
{
    YamlSink sink = {text, error, false};
    yaml_emitter_t emitter;
    yaml_event_t event;
    int status;

    if (!yaml_emitter_initialize(&emitter))
        return yaml_memory(error);
    yaml_emitter_set_output(&emitter, sink_take, &sink);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    status = event_emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    if (status == 0)
        status = event_emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    if (status == 0)
        status = value_write(&emitter, json);
    if (status == 0)
        status = event_emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
    if (status == 0)
        status = event_emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&emitter);
    if (status < 0 && !sink.failed)
        return error_set(error, ERROR_INTERNAL, NULL, "the document cannot be written as YAML");
    return status;
}
