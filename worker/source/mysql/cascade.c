/* cascade.c - see cascade.h */
#include "source/mysql/cascade.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 257
#define KEY_LINE "  CONSTRAINT `"

void cascade_add(cJSON *list, const char *name, const char *parent, const char *on_delete, const char *on_update)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "name", name);
    cJSON_AddStringToObject(item, "parent", parent);
    cJSON_AddStringToObject(item, "on_delete", on_delete);
    cJSON_AddStringToObject(item, "on_update", on_update);
    cJSON_AddItemToArray(list, item);
}

/* The name between backquotes at `at`, "``" being one of them; behind it, or NULL where there is none. */
static const char *name_take(const char *at, char ret[NAME_MAX_BYTES])
{
    size_t length = 0;

    if (*at++ != '`')
        return NULL;
    for (; *at && (*at != '`' || at[1] == '`'); at++) {
        at += *at == '`';
        if (length < NAME_MAX_BYTES - 1)
            ret[length++] = *at;
    }
    ret[length] = '\0';
    return *at ? at + 1 : NULL;
}

/* What follows `word` on the line: the rule as information_schema names it, RESTRICT where nothing is said. */
static const char *rule_find(const char *at, const char *end, const char *word)
{
    static const char *const rules[] = {"CASCADE", "SET NULL", "SET DEFAULT"};
    size_t length = strlen(word);

    for (; at + length <= end; at++) {
        if (memcmp(at, word, length) != 0)
            continue;
        for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
            if (strncmp(at + length, rules[i], strlen(rules[i])) == 0)
                return rules[i];
        }
    }
    return "RESTRICT";
}

static void line_parse(const char *line, const char *end, const char *schema, cJSON *list)
{
    char name[NAME_MAX_BYTES], first[NAME_MAX_BYTES], second[NAME_MAX_BYTES], parent[2 * NAME_MAX_BYTES];
    const char *at = name_take(line + sizeof KEY_LINE - 2, name), *on_delete, *on_update;

    if (!at || at > end || strncmp(at, " FOREIGN KEY (", 14) != 0)
        return;
    /* Columns may be named as they like: the list is gone through name by name. */
    at += 14;
    while (at && *at == '`') {
        at = name_take(at, first);
        if (at && strncmp(at, ", ", 2) == 0)
            at += 2;
    }
    if (!at || strncmp(at, ") REFERENCES ", 13) != 0 || !(at = name_take(at + 13, first)))
        return;
    if (*at == '.' && (at = name_take(at + 1, second)))
        snprintf(parent, sizeof parent, "%s.%s", first, second);
    else
        snprintf(parent, sizeof parent, "%s.%s", schema, first);
    if (!at || !(at = strstr(at, ")")) || at > end) /* a parent's column with such a name only moves the search to the left of its rules */
        return;
    on_delete = rule_find(at, end, " ON DELETE ");
    on_update = rule_find(at, end, " ON UPDATE ");
    if (strcmp(on_delete, "RESTRICT") != 0 || strcmp(on_update, "RESTRICT") != 0)
        cascade_add(list, name, parent, on_delete, on_update);
}

void cascades_parse(const char *text, const char *schema, cJSON *list)
{
    for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (strncmp(line, KEY_LINE, sizeof KEY_LINE - 1) == 0)
            line_parse(line, end, schema, list);
    }
}

int cascades_defined(Session *session, const char *schema, const char *table, cJSON *list, Error *error)
{
    MYSQL_RES *rows = NULL;
    MYSQL_ROW row;
    Buffer text;
    int status = 0;

    buffer_init(&text, KIB(4));
    if (buffer_text(&text, "SHOW CREATE TABLE ", error) < 0 || session_name(&text, schema, error) < 0 || buffer_text(&text, ".", error) < 0 ||
        session_name(&text, table, error) < 0 || buffer_terminate(&text, error) < 0)
        status = -1;
    if (status == 0)
        status = session_select(session, text.data, &rows, error);
    buffer_free(&text);
    if (status < 0)
        return error->kind == ERROR_GONE ? 0 : -1; /* dropped meanwhile: its statement is in the log */
    row = mysql_num_fields(rows) >= 2 ? mysql_fetch_row(rows) : NULL;
    if (row && row[1])
        cascades_parse(row[1], schema, list);
    mysql_free_result(rows);
    return 0;
}
