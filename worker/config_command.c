/* config_command.c - see config_command.h */
#include "config_command.h"

#include "base/limits.h"
#include "base/yaml.h"
#include "control/control.h"
#include "secret/store.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES_MAX MIB(64)
#define OVERLAYS_MAX 16
#define EXIT_DIFFERS 5

typedef struct ConfigCommand {
    const char *action;
    const char *files[OVERLAYS_MAX];
    int count;
    bool prune, dry_run;
} ConfigCommand;

static int config_usage(void)
{
    fputs("usage: sluice-worker config export                          the registry as YAML\n"
          "       sluice-worker config diff FILE [OVERLAY ..]          what import would change; exit code 0: nothing, 5: something\n"
          "       sluice-worker config import FILE [OVERLAY ..] [--prune] [--dry-run]\n"
          "\n"
          "Each OVERLAY is laid over what stands before it: mappings are joined, anything else is replaced, null takes a member away. import changes all of it\n"
          "or nothing; what only the registry has is told and left alone, with --prune it is dropped (files stay).\n"
          "The connection to PostgreSQL is SLUICE_CONNINFO or --conninfo-file FILE, of a role that is a member of sluice_admin.\n",
          stderr);
    return 2;
}

static int command_read(int count, char **arguments, ConfigCommand *ret)
{
    *ret = (ConfigCommand){0};
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--conninfo-file") == 0 && i + 1 < count)
            i++;
        else if (strcmp(arguments[i], "--prune") == 0)
            ret->prune = true;
        else if (strcmp(arguments[i], "--dry-run") == 0)
            ret->dry_run = true;
        else if (arguments[i][0] == '-')
            return -1;
        else if (!ret->action)
            ret->action = arguments[i];
        else if (ret->count < OVERLAYS_MAX)
            ret->files[ret->count++] = arguments[i];
        else
            return -1;
    }
    if (!ret->action)
        return -1;
    if (strcmp(ret->action, "export") == 0)
        return ret->count || ret->prune || ret->dry_run ? -1 : 0;
    if (strcmp(ret->action, "diff") == 0)
        ret->dry_run = true;
    else if (strcmp(ret->action, "import") != 0)
        return -1;
    return ret->count ? 0 : -1;
}

const char *config_conninfo_file(int count, char **arguments)
{
    for (int i = 0; i + 1 < count; i++)
        if (strcmp(arguments[i], "--conninfo-file") == 0)
            return arguments[i + 1];
    return NULL;
}

/* Lays `over` on `base`, taking its members. */
static void overlay(cJSON *base, cJSON *over)
{
    for (cJSON *item = over->child, *next; item; item = next) {
        cJSON *there = cJSON_GetObjectItemCaseSensitive(base, item->string);

        next = item->next;
        if (cJSON_IsObject(there) && cJSON_IsObject(item)) {
            overlay(there, item);
            continue;
        }
        cJSON_DetachItemViaPointer(over, item);
        cJSON_DeleteItemFromObjectCaseSensitive(base, item->string);
        if (cJSON_IsNull(item))
            cJSON_Delete(item);
        else
            cJSON_AddItemToArray(base, item); /* keeps its name */
    }
}

static int files_read(const ConfigCommand *command, cJSON *places, cJSON **ret, Error *error)
{
    cJSON *config = NULL, *next = NULL;

    for (int i = 0; i < command->count; i++) {
        Secret text = {0};
        int status = store_read(command->files[i], &text, error);

        if (status == 0)
            status = yaml_read(command->files[i], text.data, text.length, false, places, &next, error);
        secret_free(&text);
        if (status == 0 && !cJSON_IsObject(next)) {
            cJSON_Delete(next);
            status = error_set(error, ERROR_PERMANENT, "sluice-worker config export shows the form", "%s: a mapping is wanted", command->files[i]);
        }
        if (status < 0) {
            cJSON_Delete(config);
            return -1;
        }
        if (config) {
            overlay(config, next);
            cJSON_Delete(next);
        } else {
            config = next;
        }
    }
    *ret = config;
    return 0;
}

/* "FILE:LINE" of the longest place whose path the message begins with, behind the name of the function that refused. */
static const char *place_find(const cJSON *places, const char *message)
{
    const char *said = strstr(message, ": "), *found = NULL;
    const cJSON *place;
    size_t best = 0;

    said = said ? said + 2 : message;
    cJSON_ArrayForEach(place, places) {
        size_t length = strlen(place->string);

        if (length > best && strncmp(said, place->string, length) == 0 && strchr(".:", said[length])) {
            best = length;
            found = place->valuestring;
        }
    }
    return found;
}

static int config_failed(const cJSON *places, const Error *error)
{
    const char *place = place_find(places, error->message), *said = strstr(error->message, ": ");
    const char *hint = strcmp(error->code, "42501") == 0 ? "log in as a member of sluice_admin: SLUICE_CONNINFO or --conninfo-file" : error->hint;

    fprintf(stderr, "sluice-worker: %s%s%s%s%s\n", place ? place : "", place ? ": " : "", place && said ? said + 2 : error->message, hint[0] ? "\nHINT: " : "", hint);
    return 1;
}

static int export_print(Control *control, Error *error)
{
    cJSON *answer = NULL;
    Buffer text;
    int status = control_call(control, "config_export", NULL, &answer, error);

    buffer_init(&text, CONFIG_BYTES_MAX);
    if (status == 0)
        status = yaml_write(answer, &text, error);
    if (status == 0 && (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout) != 0))
        status = error_set(error, ERROR_PERMANENT, NULL, "the text cannot be printed");
    buffer_free(&text);
    cJSON_Delete(answer);
    return status;
}

static void difference_print(const cJSON *difference)
{
    const char *field = json_text(difference, "field", NULL), *had = json_text(difference, "had", NULL), *wanted = json_text(difference, "wanted", NULL);

    printf("%-6s %s%s%s", json_text(difference, "action", ""), json_text(difference, "object", ""), field ? " " : "", field ? field : "");
    if (field || had || wanted)
        printf(": %s -> %s", had ? had : "(not set)", wanted ? wanted : "(not set)");
    printf("\n");
}

static int config_apply(Control *control, const ConfigCommand *command, cJSON *config, int *differences, Error *error)
{
    cJSON *message = cJSON_CreateObject(), *answer = NULL;
    const cJSON *difference;
    int status;

    cJSON_AddItemToObject(message, "config", config);
    cJSON_AddBoolToObject(message, "dry_run", command->dry_run);
    cJSON_AddBoolToObject(message, "prune", command->prune);
    status = control_call(control, "config_import", message, &answer, error);
    cJSON_Delete(message);
    *differences = 0;
    cJSON_ArrayForEach(difference, answer) {
        difference_print(difference);
        *differences += strcmp(json_text(difference, "action", ""), "extra") != 0;
    }
    if (status == 0)
        printf("%d %s\n", *differences, command->dry_run ? "to change" : "changed");
    cJSON_Delete(answer);
    return status;
}

int config_command(int count, char **arguments, const char *conninfo)
{
    cJSON *places = cJSON_CreateObject(), *config = NULL;
    ConfigCommand command;
    Control *control = NULL;
    Error error;
    int status, differences = 0;

    if (command_read(count, arguments, &command) < 0 || !places) {
        cJSON_Delete(places);
        return config_usage();
    }
    if (!conninfo) {
        cJSON_Delete(places);
        return 1; /* said by whoever looked for it */
    }
    status = files_read(&command, places, &config, &error);
    if (status == 0)
        status = control_open(conninfo, "sluice config", (Beat){0}, &control, &error);
    if (status < 0)
        cJSON_Delete(config);
    else
        status = config ? config_apply(control, &command, config, &differences, &error) : export_print(control, &error);
    control_close(control);
    status = status < 0 ? config_failed(places, &error) : strcmp(command.action, "diff") == 0 && differences ? EXIT_DIFFERS : 0;
    cJSON_Delete(places);
    return status;
}
