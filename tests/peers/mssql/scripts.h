/* scripts.h - the SQL files of this folder, as zero-terminated text inside the program. */
#ifndef MSSQL_SCRIPTS_H
#define MSSQL_SCRIPTS_H

extern const char catalog_sql[], functions_sql[], database_sql[], master_sql[];

#endif
