/* catalogue.c - see catalogue.h: containers, lookups, and what follows from all rows together */
#include "source/sqlserver/catalogue.h"
#include "source/sqlserver/decode.h"

#include <stdlib.h>
#include <string.h>

int array_grow(void **array, int *count, int *capacity, size_t size)
{
    if (*count == *capacity) {
        int wanted = *capacity ? *capacity * 2 : 16;
        void *grown = realloc(*array, size * (size_t)wanted);

        if (!grown)
            return -1;
        *array = grown;
        *capacity = wanted;
    }
    memset((char *)*array + size * (size_t)*count, 0, size);
    (*count)++;
    return 0;
}

int catalogue_init(Catalogue *catalogue, Error *error)
{
    memset(catalogue, 0, sizeof *catalogue);
    buffer_init(&catalogue->schemas, MIB(16));
    catalogue->facts = cJSON_CreateObject();
    if (!catalogue->facts)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory for the catalogue");
    return 0;
}

void catalogue_free(Catalogue *catalogue)
{
    for (int i = 0; i < catalogue->table_count; i++) {
        free(catalogue->table[i].column);
        free(catalogue->table[i].index);
    }
    free(catalogue->table);
    free(catalogue->instance);
    buffer_free(&catalogue->schemas);
}

/* Both arrays come ordered by object_id, their first member. */
static void *by_object(void *array, int count, size_t size, int64_t object_id)
{
    int low = 0, high = count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int64_t found;

        memcpy(&found, (char *)array + size * (size_t)middle, sizeof found);
        if (found == object_id)
            return (char *)array + size * (size_t)middle;
        if (found < object_id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

CatalogueTable *catalogue_table(Catalogue *catalogue, int64_t object_id)
{
    return by_object(catalogue->table, catalogue->table_count, sizeof *catalogue->table, object_id);
}

CatalogueInstance *catalogue_instance(Catalogue *catalogue, int64_t object_id)
{
    return by_object(catalogue->instance, catalogue->instance_count, sizeof *catalogue->instance, object_id);
}

void add_text(cJSON *object, const char *name, const Statement *statement, int column)
{
    char text[4000];

    if (statement_null(statement, column)) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    statement_text(statement, column, text, sizeof text);
    cJSON_AddStringToObject(object, name, text);
}

void add_lsn(cJSON *object, const char *name, const uint8_t lsn[LSN_BYTES])
{
    char text[LSN_TEXT];

    lsn_text(lsn, text);
    cJSON_AddStringToObject(object, name, text);
}

void add_local_time(cJSON *object, const char *name, const Statement *statement, int column)
{
    DBPROCESS *process = statement->connection->process;
    const BYTE *data = dbdata(process, column);
    int64_t ticks;
    char text[32];

    if (!data || decode_datetime(data, dbdatlen(process, column), &ticks) < 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    timestamp_text(ticks, 3, text);
    cJSON_AddStringToObject(object, name, text);
}

void add_type(cJSON *object, const TypeFacts *facts)
{
    cJSON_AddStringToObject(object, "source_type", facts->source_type);
    cJSON_AddStringToObject(object, "type", column_type_name(facts->type));
    cJSON_AddNumberToObject(object, "precision", facts->precision);
    cJSON_AddNumberToObject(object, "scale", facts->scale);
    cJSON_AddBoolToObject(object, "large", facts->large);
}

static const CatalogueColumn *column_by_id(const CatalogueTable *table, int column_id)
{
    for (int i = 0; i < table->column_count; i++) {
        if (table->column[i].column_id == column_id)
            return &table->column[i];
    }
    return NULL;
}

/* Every row has one place in the index, and the place can be written as texts. */
static bool index_orders(const CatalogueTable *table, const CatalogueIndex *index)
{
    if (!index->unique || !index->usable || index->count == 0)
        return false;
    for (int i = 0; i < index->count; i++) {
        const CatalogueColumn *column = column_by_id(table, index->columns[i]);

        if (!column || column->nullable || column->computed || !column->keyable)
            return false;
    }
    return true;
}

static const CatalogueIndex *key_choose(const CatalogueTable *table)
{
    const CatalogueIndex *primary = NULL, *unique = NULL;

    for (int i = 0; i < table->index_count; i++) {
        const CatalogueIndex *index = &table->index[i];

        if (!index_orders(table, index))
            continue;
        if (index->clustered)
            return index;
        if (index->primary)
            primary = index;
        else if (!unique)
            unique = index;
    }
    return primary ? primary : unique;
}

static void table_finish(CatalogueTable *table)
{
    const CatalogueIndex *chosen = key_choose(table);
    cJSON *key = cJSON_AddArrayToObject(table->document, "key"),
          *primary = cJSON_AddArrayToObject(table->document, "primary_key");

    for (int i = 0; chosen && i < chosen->count; i++) {
        cJSON *column = cJSON_CreateObject();

        cJSON_AddStringToObject(column, "name", column_by_id(table, chosen->columns[i])->name);
        cJSON_AddBoolToObject(column, "descending", chosen->descending[i]);
        cJSON_AddItemToArray(key, column);
    }
    for (int i = 0; i < table->index_count; i++) {
        for (int k = 0; table->index[i].primary && k < table->index[i].count; k++) {
            const CatalogueColumn *column = column_by_id(table, table->index[i].columns[k]);

            if (column)
                cJSON_AddItemToArray(primary, cJSON_CreateString(column->name));
        }
    }
    cJSON_AddNumberToObject(table->document, "rows", (double)table->rows);
}

void catalogue_finish(Catalogue *catalogue)
{
    for (int i = 0; i < catalogue->table_count; i++)
        table_finish(&catalogue->table[i]);
    for (int i = 0; i < catalogue->instance_count; i++) {
        CatalogueInstance *instance = &catalogue->instance[i];
        CatalogueTable *table = catalogue_table(catalogue, instance->source_object_id);

        cJSON_AddBoolToObject(instance->document, "command_id", instance->command_id);
        if (table)
            cJSON_AddItemToArray(table->instances, instance->document);
        else
            cJSON_Delete(instance->document);
        instance->document = NULL;
    }
}
