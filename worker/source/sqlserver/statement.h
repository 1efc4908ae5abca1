/*
 * statement.h - one sp_executesql call with typed parameters, and its result sets.
 *
 * The text is constant; values travel as parameters. A call is complete only if no message above severity 10
 * came, every end code was exact and dbcount of each set equals the rows counted (FreeTDS maps any DONE to "no
 * more rows", so an error in mid-rows looks like the end otherwise). One statement is open at a time; the caller
 * reads it to its end or calls statement_cancel.
 *
 *     statement_start(...); while ((got = statement_set(...)) > 0) while ((got = statement_row(...)) > 0) ...
 */
#ifndef SLUICE_SQLSERVER_STATEMENT_H
#define SLUICE_SQLSERVER_STATEMENT_H

#include "source/sqlserver/connection.h"

#define PARAMETERS_MAX 80 /* two bounds of a key of 32 columns (SQL Server's limit), and a few more */

typedef enum ParameterType {
    PARAMETER_INT,
    PARAMETER_BIGINT,
    PARAMETER_LSN, /* varbinary(10) */
    PARAMETER_TEXT /* nvarchar; DB-Library sends an empty text as NULL: the statement says ISNULL(@x, N'') */
} ParameterType;

typedef struct Parameter {
    char name[12]; /* "@f1" */
    ParameterType type;
    int32_t number;
    int64_t big;
    uint8_t lsn[10];
    const char *text; /* the caller's, until statement_start has returned */
} Parameter;

typedef struct Statement {
    Connection *connection;
    bool open; /* results may be pending */
    bool in_set;
    int columns;
    int64_t rows; /* of the current set */
} Statement;

typedef struct Parameters {
    Parameter list[PARAMETERS_MAX];
    int count;
} Parameters;

int parameter_int(Parameters *parameters, const char *name, int32_t value);
int parameter_lsn(Parameters *parameters, const char *name, const uint8_t lsn[10]);
int parameter_text(Parameters *parameters, const char *name, const char *text); /* -1: too many */

int statement_start(Statement *statement, Connection *connection, const char *text, const Parameters *parameters,
                    Error *error);
/* 1: a result set with columns is open; 0: the proved end of the call; -1: error. Sets without columns are skipped. */
int statement_set(Statement *statement, Error *error);
/* 1: a row; 0: the proved end of the set; -1: error. */
int statement_row(Statement *statement, Error *error);
/* Drops what is pending; the connection can be used again (or is dead and says so at the next call). */
void statement_cancel(Statement *statement);

/* Runs a statement and hands every row of its sets (numbered from 0) to `row`, which returns 0 or -1. */
typedef int (*RowFunction)(const Statement *statement, int set, void *context, Error *error);
int statement_each(Connection *connection, const char *text, const Parameters *parameters, RowFunction row,
                   void *context, Error *error);

/* Values of the current row of small catalogue results; columns count from 1. */
bool statement_null(const Statement *statement, int column);
int64_t statement_integer(const Statement *statement, int column); /* any integer type or bit; 0 for NULL */
void statement_text(const Statement *statement, int column, char *ret, size_t size); /* character types; "" for NULL */
int statement_lsn(const Statement *statement, int column, uint8_t ret[10]);          /* -1: NULL or not 10 bytes */

#endif
