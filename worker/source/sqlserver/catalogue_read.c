/* catalogue_read.c - the rows of the system views; see catalogue.h */
#include "source/sqlserver/catalogue.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(Error *error)
{
    return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the catalogue");
}

/* ---- the cdc schema ---- */

static const char cdc_text[] = "SELECT object_id, source_object_id, capture_instance, start_lsn, create_date, "
                               "HAS_PERMS_BY_NAME(N'[cdc].' + QUOTENAME(capture_instance + N'_CT'), N'OBJECT', "
                               "N'SELECT') AS readable FROM cdc.change_tables ORDER BY object_id; "
                               "SELECT object_id, column_name, column_ordinal, is_computed FROM cdc.captured_columns "
                               "ORDER BY object_id, column_ordinal; "
                               "SELECT object_id, column_name FROM cdc.index_columns ORDER BY object_id, index_ordinal";

static int instance_row(Catalogue *catalogue, const Statement *statement, Error *error)
{
    CatalogueInstance *instance;
    uint8_t lsn[LSN_BYTES] = {0};

    if (array_grow((void **)&catalogue->instance, &catalogue->instance_count, &catalogue->instance_capacity,
                   sizeof *instance) < 0)
        return no_memory(error);
    instance = &catalogue->instance[catalogue->instance_count - 1];
    instance->object_id = statement_integer(statement, 1);
    instance->source_object_id = statement_integer(statement, 2);
    instance->document = cJSON_CreateObject();
    add_text(instance->document, "instance", statement, 3);
    cJSON_AddNumberToObject(instance->document, "object_id", (double)instance->object_id);
    (void)statement_lsn(statement, 4, lsn);
    add_lsn(instance->document, "start", lsn);
    lsn_decrement(lsn);
    add_lsn(instance->document, "start_before", lsn);
    add_local_time(instance->document, "create_date", statement, 5);
    cJSON_AddBoolToObject(instance->document, "readable", statement_integer(statement, 6) == 1);
    instance->columns = cJSON_AddArrayToObject(instance->document, "columns");
    instance->key = cJSON_AddArrayToObject(instance->document, "key");
    return 0;
}

static int cdc_row(const Statement *statement, int set, void *context, Error *error)
{
    Catalogue *catalogue = context;
    CatalogueInstance *instance;

    if (set == 0)
        return instance_row(catalogue, statement, error);
    instance = catalogue_instance(catalogue, statement_integer(statement, 1));
    if (!instance)
        return 0;
    if (set == 1) {
        cJSON *column = cJSON_CreateObject();

        add_text(column, "name", statement, 2);
        cJSON_AddNumberToObject(column, "ordinal", (double)statement_integer(statement, 3));
        cJSON_AddBoolToObject(column, "computed", statement_integer(statement, 4) != 0);
        cJSON_AddItemToArray(instance->columns, column);
    } else {
        char name[513];

        statement_text(statement, 2, name, sizeof name);
        cJSON_AddItemToArray(instance->key, cJSON_CreateString(name));
    }
    return 0;
}

int catalogue_read_cdc(Catalogue *catalogue, SqlServer *server, Error *error)
{
    return statement_each(sqlserver_connection(server), cdc_text, NULL, cdc_row, catalogue, error);
}

/* ---- the sys schema ---- */

static const char catalogue_text[] =
    "SELECT schema_id, name FROM sys.schemas; "
    "SELECT object_id, name, schema_id, is_tracked_by_cdc, is_memory_optimized, temporal_type FROM sys.tables WHERE "
    "is_ms_shipped = 0 ORDER BY object_id; "
    "SELECT c.object_id, c.column_id, c.name, t.name AS base, u.name AS own, c.max_length, c.precision, c.scale, "
    "c.is_nullable, c.is_computed, c.collation_name "
    "FROM sys.columns AS c JOIN sys.types AS u ON u.user_type_id = c.user_type_id "
    "LEFT JOIN sys.types AS t ON t.user_type_id = c.system_type_id ORDER BY c.object_id, c.column_id; "
    "SELECT object_id, column_id, definition FROM sys.computed_columns; "
    "SELECT parent_object_id, parent_column_id, definition FROM sys.default_constraints; "
    "SELECT object_id, index_id, type, is_unique, is_primary_key, has_filter, is_disabled, is_hypothetical FROM "
    "sys.indexes WHERE index_id > 0 ORDER BY object_id, index_id; "
    "SELECT object_id, index_id, column_id, key_ordinal, is_descending_key FROM sys.index_columns WHERE key_ordinal > "
    "0; "
    "SELECT object_id, rows FROM sys.partitions WHERE index_id < 2";

enum { SET_SCHEMAS, SET_TABLES, SET_COLUMNS, SET_COMPUTED, SET_DEFAULTS, SET_INDEXES, SET_INDEX_COLUMNS, SET_ROWS };

/* Schemas are few: kept as records of id and name, one behind the other. */
static int schema_row(Catalogue *catalogue, const Statement *statement, Error *error)
{
    int64_t id = statement_integer(statement, 1);
    char name[513];

    statement_text(statement, 2, name, sizeof name);
    if (buffer_append(&catalogue->schemas, &id, sizeof id, error) < 0)
        return -1;
    return buffer_append(&catalogue->schemas, name, strlen(name) + 1, error);
}

static const char *schema_name(const Catalogue *catalogue, int64_t id)
{
    size_t at = 0;

    while (at < catalogue->schemas.length) {
        const char *name = catalogue->schemas.data + at + sizeof id;
        int64_t found;

        memcpy(&found, catalogue->schemas.data + at, sizeof found);
        if (found == id)
            return name;
        at += sizeof id + strlen(name) + 1;
    }
    return "?";
}

static int table_row(Catalogue *catalogue, const Statement *statement, Error *error)
{
    CatalogueTable *table;
    cJSON *document;

    if (array_grow((void **)&catalogue->table, &catalogue->table_count, &catalogue->table_capacity, sizeof *table) < 0)
        return no_memory(error);
    table = &catalogue->table[catalogue->table_count - 1];
    table->object_id = statement_integer(statement, 1);
    table->document = document = cJSON_CreateObject();
    cJSON_AddItemToArray(catalogue->tables, document);
    cJSON_AddNumberToObject(document, "object_id", (double)table->object_id);
    cJSON_AddStringToObject(document, "schema", schema_name(catalogue, statement_integer(statement, 3)));
    add_text(document, "table", statement, 2);
    cJSON_AddBoolToObject(document, "cdc", statement_integer(statement, 4) != 0);
    cJSON_AddBoolToObject(document, "memory_optimized", statement_integer(statement, 5) != 0);
    cJSON_AddNumberToObject(document, "temporal", (double)statement_integer(statement, 6));
    table->columns = cJSON_AddArrayToObject(document, "columns");
    table->instances = cJSON_AddArrayToObject(document, "instances");
    return 0;
}

/* CLR types share one system type; theirs, and an alias type's base, is found by name. */
static void column_type(const Statement *statement, TypeFacts *facts)
{
    char base[200], own[200];

    statement_text(statement, 4, base, sizeof base);
    statement_text(statement, 5, own, sizeof own);
    type_facts(base[0] ? base : own, (int)(int16_t)statement_integer(statement, 6),
               (int)statement_integer(statement, 7), (int)statement_integer(statement, 8), facts);
}

/* The change table's own columns: their types are those of the values that were captured. */
static void instance_column(CatalogueInstance *instance, const char *name, const Statement *statement)
{
    TypeFacts facts;
    cJSON *column;

    if (strcmp(name, "__$command_id") == 0)
        instance->command_id = true;
    if (strncmp(name, "__$", 3) == 0)
        return;
    column_type(statement, &facts);
    cJSON_ArrayForEach(column, instance->columns)
    {
        if (strcmp(json_text(column, "name", ""), name) == 0) {
            add_type(column, &facts);
            return;
        }
    }
}

static int column_row(Catalogue *catalogue, const Statement *statement, Error *error)
{
    int64_t object_id = statement_integer(statement, 1);
    CatalogueTable *table = catalogue_table(catalogue, object_id);
    CatalogueColumn *kept;
    TypeFacts facts;
    char name[513];
    cJSON *column;

    statement_text(statement, 3, name, sizeof name);
    if (!table) {
        CatalogueInstance *instance = catalogue_instance(catalogue, object_id);

        if (instance)
            instance_column(instance, name, statement);
        return 0;
    }
    column_type(statement, &facts);
    if (array_grow((void **)&table->column, &table->column_count, &table->column_capacity, sizeof *kept) < 0)
        return no_memory(error);
    kept = &table->column[table->column_count - 1];
    kept->column_id = (int)statement_integer(statement, 2);
    memcpy(kept->name, name, sizeof name);
    kept->nullable = statement_integer(statement, 9) != 0;
    kept->computed = statement_integer(statement, 10) != 0;
    kept->keyable = !facts.large && !facts.refused[0] && type_read(facts.source_type) != READ_VARIANT;
    column = cJSON_CreateObject();
    cJSON_AddStringToObject(column, "name", name);
    cJSON_AddNumberToObject(column, "ordinal", kept->column_id);
    add_type(column, &facts);
    cJSON_AddBoolToObject(column, "nullable", kept->nullable);
    add_text(column, "collation", statement, 11);
    if (facts.refused[0])
        cJSON_AddStringToObject(column, "refused", facts.refused);
    else
        cJSON_AddNullToObject(column, "refused");
    cJSON_AddItemToArray(table->columns, column);
    if (strcmp(facts.source_type, "timestamp") == 0 && !json_member(table->document, "rowversion"))
        cJSON_AddStringToObject(table->document, "rowversion", name);
    return 0;
}

static void column_text(Catalogue *catalogue, const Statement *statement, const char *member)
{
    CatalogueTable *table = catalogue_table(catalogue, statement_integer(statement, 1));
    int64_t column_id = statement_integer(statement, 2);
    cJSON *column;

    if (!table)
        return;
    cJSON_ArrayForEach(column, table->columns)
    {
        if (json_integer(column, "ordinal", 0) == column_id)
            add_text(column, member, statement, 3);
    }
}

/* Without VIEW DEFINITION the text is NULL (sys.computed_columns, metadata visibility): the column is computed all the same,
 * and no change table holds its values. */
static void computed_row(Catalogue *catalogue, const Statement *statement)
{
    CatalogueTable *table = catalogue_table(catalogue, statement_integer(statement, 1));
    int64_t column_id = statement_integer(statement, 2);
    cJSON *column;

    column_text(catalogue, statement, "computed");
    if (!table || !statement_null(statement, 3))
        return;
    cJSON_ArrayForEach(column, table->columns)
    {
        if (json_integer(column, "ordinal", 0) != column_id)
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(column, "computed");
        cJSON_AddStringToObject(column, "computed", "(definition not visible to this login)");
    }
}

static int index_row(Catalogue *catalogue, const Statement *statement, Error *error)
{
    CatalogueTable *table = catalogue_table(catalogue, statement_integer(statement, 1));
    CatalogueIndex *index;

    if (!table)
        return 0;
    if (array_grow((void **)&table->index, &table->index_count, &table->index_capacity, sizeof *index) < 0)
        return no_memory(error);
    index = &table->index[table->index_count - 1];
    index->index_id = (int)statement_integer(statement, 2);
    index->clustered = statement_integer(statement, 3) == 1;
    index->unique = statement_integer(statement, 4) != 0;
    index->primary = statement_integer(statement, 5) != 0;
    index->usable = statement_integer(statement, 3) <= 2 && !statement_integer(statement, 6) &&
                    !statement_integer(statement, 7) && !statement_integer(statement, 8);
    return 0;
}

static void index_column_row(Catalogue *catalogue, const Statement *statement)
{
    CatalogueTable *table = catalogue_table(catalogue, statement_integer(statement, 1));
    int64_t index_id = statement_integer(statement, 2), ordinal = statement_integer(statement, 4);

    for (int i = 0; table && i < table->index_count && ordinal <= INDEX_COLUMNS_MAX; i++) {
        CatalogueIndex *index = &table->index[i];

        if (index->index_id != index_id)
            continue;
        index->columns[ordinal - 1] = (int)statement_integer(statement, 3);
        index->descending[ordinal - 1] = statement_integer(statement, 5) != 0;
        if (index->count < ordinal)
            index->count = (int)ordinal;
    }
}

static int catalogue_row(const Statement *statement, int set, void *context, Error *error)
{
    Catalogue *catalogue = context;
    CatalogueTable *table;

    switch (set) {
    case SET_SCHEMAS:
        return schema_row(catalogue, statement, error);
    case SET_TABLES:
        return table_row(catalogue, statement, error);
    case SET_COLUMNS:
        return column_row(catalogue, statement, error);
    case SET_COMPUTED:
        computed_row(catalogue, statement);
        return 0;
    case SET_DEFAULTS:
        column_text(catalogue, statement, "default");
        return 0;
    case SET_INDEXES:
        return index_row(catalogue, statement, error);
    case SET_INDEX_COLUMNS:
        index_column_row(catalogue, statement);
        return 0;
    case SET_ROWS:
        table = catalogue_table(catalogue, statement_integer(statement, 1));
        if (table)
            table->rows += statement_integer(statement, 2);
        return 0;
    default:
        return 0;
    }
}

int catalogue_read(Catalogue *catalogue, SqlServer *server, Error *error)
{
    catalogue->tables = cJSON_AddArrayToObject(catalogue->facts, "tables");
    return statement_each(sqlserver_connection(server), catalogue_text, NULL, catalogue_row, catalogue, error);
}
