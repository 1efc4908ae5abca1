/*
 * catalogue.h - the database's catalogue as discovery reads it: plain rows of the system views, joined here by
 * object_id, so that the server answers simple selects for any number of tables.
 */
#ifndef SLUICE_SQLSERVER_CATALOGUE_H
#define SLUICE_SQLSERVER_CATALOGUE_H

#include "source/sqlserver/lsn.h"
#include "source/sqlserver/sqlserver.h"
#include "source/sqlserver/type.h"

#define INDEX_COLUMNS_MAX 32

typedef struct CatalogueIndex {
    int index_id;
    bool clustered, unique, primary;
    bool usable;                    /* neither filtered nor disabled nor hypothetical */
    int columns[INDEX_COLUMNS_MAX]; /* column_id by key ordinal - 1, 0 = none */
    bool descending[INDEX_COLUMNS_MAX];
    int count;
} CatalogueIndex;

typedef struct CatalogueColumn {
    int column_id;
    char name[513];
    bool nullable;
    bool computed;
    bool keyable; /* a load's key may contain it */
} CatalogueColumn;

typedef struct CatalogueTable {
    int64_t object_id;
    cJSON *document; /* owned by the facts */
    cJSON *columns, *instances;
    CatalogueColumn *column;
    int column_count, column_capacity;
    CatalogueIndex *index;
    int index_count, index_capacity;
    int64_t rows;
} CatalogueTable;

typedef struct CatalogueInstance {
    int64_t object_id, source_object_id;
    cJSON *document, *columns, *key;
    bool command_id;
} CatalogueInstance;

typedef struct Catalogue {
    CatalogueTable *table; /* by object_id */
    int table_count, table_capacity;
    CatalogueInstance *instance; /* by object_id */
    int instance_count, instance_capacity;
    Buffer schemas;
    cJSON *facts, *tables;
} Catalogue;

int catalogue_init(Catalogue *catalogue, Error *error);
void catalogue_free(Catalogue *catalogue); /* without the facts */
CatalogueTable *catalogue_table(Catalogue *catalogue, int64_t object_id);
CatalogueInstance *catalogue_instance(Catalogue *catalogue, int64_t object_id);
/* Rows of sys.tables and so on, and of the cdc schema. */
int catalogue_read_cdc(Catalogue *catalogue, SqlServer *server, Error *error);
int catalogue_read(Catalogue *catalogue, SqlServer *server, Error *error);
/* "key", "primary_key", "rows": once everything has been read. */
void catalogue_finish(Catalogue *catalogue);

/* Small helpers for rows that become JSON. */
void add_text(cJSON *object, const char *name, const Statement *statement, int column); /* null for NULL */
void add_lsn(cJSON *object, const char *name, const uint8_t lsn[LSN_BYTES]);
void add_local_time(cJSON *object, const char *name, const Statement *statement, int column);
void add_type(cJSON *object, const TypeFacts *facts);
/* Grows an array of elements of `size` bytes by one zeroed element; -1 without memory. */
int array_grow(void **array, int *count, int *capacity, size_t size);

#endif
