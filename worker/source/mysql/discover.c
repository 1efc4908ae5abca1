/* discover.c - all tables of the server in a fixed number of statements: see control/README.md, facts */
#include "source/mysql/cascade.h"
#include "source/mysql/columns.h"
#include "source/mysql/log_state.h"
#include "source/mysql/mysql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Views have no rows in the log, sequences (MariaDB) none that are data. */
#define USER_SCHEMAS "TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"

static const char tables_text[] = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS FROM information_schema.TABLES "
                                  "WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND " USER_SCHEMAS;
static const char indexes_text[] = "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, COLLATION, NULLABLE "
                                   "FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND " USER_SCHEMAS
                                   " ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX";
static const char cascades_text[] = "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, "
                                    "UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') "
                                    "OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))";

static const char hidden_text[] = "SELECT DISTINCT k.TABLE_SCHEMA, k.TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE k WHERE k.REFERENCED_TABLE_NAME IS NOT NULL "
                                  "AND k." USER_SCHEMAS " AND NOT EXISTS (SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS r "
                                  "WHERE r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.TABLE_NAME = k.TABLE_NAME AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME)";

typedef struct Discovery {
    Session *session;
    cJSON *facts, *tables;
    cJSON **slots; /* hash of names: tables, NULL = empty */
    int slot_count;
} Discovery;

/* 53 bits: a number that JSON holds exactly. */
static int64_t table_hash(const char *schema, const char *table)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *schema; schema++)
        hash = (hash ^ (unsigned char)*schema) * UINT64_C(1099511628211);
    hash *= UINT64_C(1099511628211);
    for (; *table; table++)
        hash = (hash ^ (unsigned char)*table) * UINT64_C(1099511628211);
    return (int64_t)((hash ^ hash >> 53) & ((UINT64_C(1) << 53) - 1));
}

static cJSON **slot_of(const Discovery *found, const char *schema, const char *table)
{
    for (int64_t at = table_hash(schema, table);; at++) {
        cJSON **slot = &found->slots[at & (found->slot_count - 1)];

        if (!*slot || (strcmp(json_text(*slot, "schema", ""), schema) == 0 && strcmp(json_text(*slot, "table", ""), table) == 0))
            return slot;
    }
}

static cJSON *table_of(const Discovery *found, const char *schema, const char *table)
{
    return schema && table ? *slot_of(found, schema, table) : NULL;
}

static cJSON *table_new(const MYSQL_ROW row)
{
    cJSON *table = cJSON_CreateObject();

    cJSON_AddNumberToObject(table, "object_id", (double)table_hash(row[0], row[1]));
    cJSON_AddStringToObject(table, "schema", row[0]);
    cJSON_AddStringToObject(table, "table", row[1]);
    if (row[4])
        cJSON_AddNumberToObject(table, "rows", strtod(row[4], NULL));
    else
        cJSON_AddNullToObject(table, "rows");
    cJSON_AddBoolToObject(table, "cdc", true);
    cJSON_AddBoolToObject(table, "memory_optimized", false);
    if (strcmp(row[2], "SYSTEM VERSIONED") == 0)
        cJSON_AddStringToObject(table, "temporal", "system versioned");
    else
        cJSON_AddNullToObject(table, "temporal");
    if (row[3])
        cJSON_AddStringToObject(table, "engine", row[3]);
    else
        cJSON_AddNullToObject(table, "engine");
    cJSON_AddArrayToObject(table, "columns");
    cJSON_AddArrayToObject(table, "key");
    cJSON_AddArrayToObject(table, "primary_key");
    cJSON_AddArrayToObject(table, "cascades");
    return table;
}

static int read_tables(Discovery *found, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int count = 64;

    if (session_select(found->session, tables_text, &rows, error) < 0)
        return -1;
    while ((uint64_t)count < 2 * mysql_num_rows(rows))
        count *= 2;
    found->slots = calloc((size_t)count, sizeof(cJSON *));
    found->slot_count = count;
    if (!found->slots) {
        mysql_free_result(rows);
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the catalogue");
    }
    while ((row = mysql_fetch_row(rows))) {
        cJSON **slot, *table;

        if (!row[0] || !row[1] || !row[2])
            continue;
        slot = slot_of(found, row[0], row[1]);
        table = table_new(row);
        cJSON_AddItemToArray(found->tables, table);
        *slot = table;
    }
    mysql_free_result(rows);
    return 0;
}

static int take_columns(void *context, const char *schema, const char *table, cJSON *columns, Error *error)
{
    cJSON *found = table_of(context, schema, table);

    (void)error;
    if (found)
        cJSON_ReplaceItemInObjectCaseSensitive(found, "columns", columns);
    else
        cJSON_Delete(columns);
    return 0;
}

static const cJSON *column_of(const cJSON *table, const char *name)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_member(table, "columns")) {
        if (strcmp(json_text(column, "name", ""), name) == 0)
            return column;
    }
    return NULL;
}

/* ---- keys ---- */

typedef struct IndexRead {
    cJSON *table, *key;
    char name[257];
    bool usable; /* every part a whole column that is never NULL and bounds a load */
} IndexRead;

static void index_end(IndexRead *index)
{
    const cJSON *part;

    if (!index->table)
        return;
    if (strcmp(index->name, "PRIMARY") == 0) {
        cJSON_ArrayForEach(part, index->key)
            cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(index->table, "primary_key"), cJSON_CreateString(json_text(part, "name", "")));
    }
    if (index->usable && cJSON_GetArraySize(json_member(index->table, "key")) == 0 && cJSON_GetArraySize(index->key) > 0) {
        cJSON_ReplaceItemInObjectCaseSensitive(index->table, "key", index->key);
        index->key = NULL;
    }
    cJSON_Delete(index->key);
    index->table = index->key = NULL;
}

static bool part_usable(const cJSON *column, const MYSQL_ROW row)
{
    /* JSON and spatial types have no order that a literal could bound. */
    return column && !row[5] && (!row[7] || strcmp(row[7], "YES") != 0) && !json_member(column, "refused");
}

static void index_part(IndexRead *index, const MYSQL_ROW row)
{
    const cJSON *column = row[4] ? column_of(index->table, row[4]) : NULL;
    cJSON *part;

    index->usable &= part_usable(column, row);
    if (!row[4]) /* an expression */
        return;
    part = cJSON_CreateObject();
    cJSON_AddStringToObject(part, "name", row[4]);
    cJSON_AddBoolToObject(part, "descending", row[6] && strcmp(row[6], "D") == 0);
    cJSON_AddItemToArray(index->key, part);
}

/* again: for tables without a key only. */
static int read_indexes(Discovery *found, bool again, Error *error)
{
    IndexRead index = {.table = NULL};
    MYSQL_RES *rows;
    MYSQL_ROW row;

    if (session_select(found->session, indexes_text, &rows, error) < 0)
        return -1;
    while ((row = mysql_fetch_row(rows))) {
        cJSON *table = table_of(found, row[0], row[1]);

        if (!table || !row[2] || (again && table != index.table && cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(table, "key")) > 0))
            continue;
        if (table != index.table || strcmp(index.name, row[2]) != 0) {
            index_end(&index);
            index.table = table;
            index.key = cJSON_CreateArray();
            index.usable = true;
            snprintf(index.name, sizeof index.name, "%s", row[2]);
        }
        index_part(&index, row);
    }
    index_end(&index);
    mysql_free_result(rows);
    return 0;
}

static int read_cascades(Discovery *found, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;

    if (session_select(found->session, cascades_text, &rows, error) < 0)
        return -1;
    while ((row = mysql_fetch_row(rows))) {
        cJSON *table = table_of(found, row[0], row[1]);
        char parent[2 * 257];

        if (!table || !row[2] || !row[5] || !row[6])
            continue;
        snprintf(parent, sizeof parent, "%s.%s", row[3] ? row[3] : row[0], row[4] ? row[4] : "?");
        cascade_add(cJSON_GetObjectItemCaseSensitive(table, "cascades"), row[2], parent, row[5], row[6]);
    }
    mysql_free_result(rows);
    return 0;
}

/* MariaDB shows the rules of a key only to who has more than SELECT on its table, but that there is a key to everybody: then the table's definition tells. */
static int read_hidden_cascades(Discovery *found, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int status = 0;

    if (!found->session->mariadb)
        return 0;
    if (session_select(found->session, hidden_text, &rows, error) < 0)
        return -1;
    while (status == 0 && (row = mysql_fetch_row(rows))) {
        cJSON *table = table_of(found, row[0], row[1]);

        if (table)
            status = cascades_defined(found->session, row[0], row[1], cJSON_GetObjectItemCaseSensitive(table, "cascades"), error);
    }
    mysql_free_result(rows);
    return status;
}

/* ---- the server ---- */

/* A variable as text, NULL where this server has none of that name or it is NULL. */
static int variable(Session *session, const char *name, char **ret, Error *error)
{
    char text[160];
    MYSQL_RES *rows;
    MYSQL_ROW row;

    *ret = NULL;
    snprintf(text, sizeof text, "SHOW GLOBAL VARIABLES LIKE '%s'", name);
    if (session_select(session, text, &rows, error) < 0)
        return -1;
    row = mysql_fetch_row(rows);
    if (row && row[1])
        *ret = strdup(row[1]);
    mysql_free_result(rows);
    return 0;
}

static void add_variable(cJSON *object, const char *name, const char *value)
{
    if (value)
        cJSON_AddStringToObject(object, name, value);
    else
        cJSON_AddNullToObject(object, name);
}

/* Minutes the log is kept: of binlog_expire_logs_seconds, else expire_logs_days; 0 there is for ever. */
static int read_retention(Discovery *found, Error *error)
{
    cJSON *jobs = cJSON_AddObjectToObject(found->facts, "jobs");
    char *seconds = NULL, *days = NULL;
    double minutes = 0;

    if (variable(found->session, "binlog_expire_logs_seconds", &seconds, error) < 0 || variable(found->session, "expire_logs_days", &days, error) < 0) {
        free(seconds);
        return -1;
    }
    if (seconds)
        minutes = strtod(seconds, NULL) / 60;
    if (minutes == 0 && days)
        minutes = strtod(days, NULL) * 1440;
    free(seconds);
    free(days);
    if (minutes > 0)
        cJSON_AddNumberToObject(jobs, "retention_minutes", (double)(int64_t)minutes);
    else
        cJSON_AddNullToObject(jobs, "retention_minutes");
    cJSON_AddNullToObject(jobs, "polling_s");
    return 0;
}

static int read_server(Discovery *found, const LogState *state, Error *error)
{
    cJSON *server = cJSON_AddObjectToObject(found->facts, "server");
    const Session *session = found->session;
    char *metadata = NULL, *comment = NULL, *native = NULL;

    if (variable(found->session, "binlog_row_metadata", &metadata, error) < 0 || variable(found->session, "version_comment", &comment, error) < 0 ||
        variable(found->session, "innodb_native_foreign_keys", &native, error) < 0) {
        free(metadata);
        free(comment);
        return -1;
    }
    cJSON_AddStringToObject(server, "version", session->server);
    add_variable(server, "edition", comment);
    cJSON_AddStringToObject(server, "name", session->target);
    cJSON_AddStringToObject(server, "flavor", session->mariadb ? "mariadb" : "mysql");
    cJSON_AddBoolToObject(server, "gtid", state->gtids);
    add_variable(server, "row_metadata", metadata);
    cJSON_AddNumberToObject(server, "utc_offset_minutes", 0);
    cJSON_AddBoolToObject(server, "read_only", state->read_only);
    cJSON_AddNullToObject(server, "agent");
    /* MySQL 9.6 and later cascade above the engine and log it (reference manual, innodb_native_foreign_keys). */
    cJSON_AddBoolToObject(server, "logs_cascades", native && strcmp(native, "OFF") == 0);
    free(metadata);
    free(comment);
    free(native);
    return 0;
}

/* The log's end is read first: no change of a table that the catalogue shows already is missed. */
static int discover(Discovery *found, Error *error)
{
    char position[LOG_POSITION_TEXT], *gtid = NULL;
    LogState state;
    int status;

    if (log_state_read(found->session, &state, error) < 0)
        return -1;
    status = log_state_gtid(found->session, &state, &gtid, error);
    if (status == 0) {
        log_position_text(state.end, position);
        cJSON_AddStringToObject(found->facts, "position", position);
        cJSON_AddItemToObject(found->facts, "mark", log_state_mark(&state, gtid));
        status = read_server(found, &state, error);
    }
    free(gtid);
    log_state_free(&state);
    cJSON_AddNullToObject(found->facts, "database");
    if (status < 0 || read_retention(found, error) < 0)
        return -1;
    found->tables = cJSON_AddArrayToObject(found->facts, "tables");
    if (read_tables(found, error) < 0 || columns_read(found->session, "c." USER_SCHEMAS, take_columns, found, error) < 0 ||
        read_indexes(found, false, error) < 0)
        return -1;
    /* A table that is altered this very moment is left out of the indexes, and seemed to have lost its key: it is asked for twice. */
    if (read_indexes(found, true, error) < 0)
        return -1;
    return read_cascades(found, error) < 0 ? -1 : read_hidden_cascades(found, error);
}

int mysql_source_discover(Source *base, cJSON **answer, Error *error)
{
    Discovery found = {.session = &((MySql *)base)->session, .facts = cJSON_CreateObject()};
    int status;

    if (!found.facts)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the catalogue");
    status = discover(&found, error);
    free(found.slots);
    if (status < 0) {
        cJSON_Delete(found.facts);
        return -1;
    }
    *answer = found.facts;
    return 0;
}
