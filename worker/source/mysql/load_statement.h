/*
 * load_statement.h - one statement whose rows are streamed as the packets of the binary protocol, without a copy of them in libmariadb.
 *
 * COM_STMT_PREPARE and COM_STMT_EXECUTE without parameters or cursor (MySQL client/server protocol, "Prepared Statements" and "Binary Protocol
 * Resultset"; MariaDB knowledge base, "COM_STMT_PREPARE", "Result Set Packets"). In that protocol numbers, FLOAT above all, arrive bit for bit.
 * Between start and the end of the rows the session takes nothing else.
 */
#ifndef SLUICE_MYSQL_LOAD_STATEMENT_H
#define SLUICE_MYSQL_LOAD_STATEMENT_H

#include "source/mysql/session.h"

/* Of a result column, what its definition packet says (client/server protocol, "Column Definition"). */
typedef struct WireColumn {
    uint8_t type; /* enum enum_field_types of mysql.h */
    uint8_t decimals;
    uint16_t charset; /* of the result: 63 = binary */
    bool is_unsigned;
} WireColumn;

typedef struct LoadStatement {
    Session *session;
    uint32_t id;
    WireColumn *columns;
    int count;
    bool prepared;
    bool pending; /* rows, or the rest of an answer, have not been read */
} LoadStatement;

/* *statement is filled in any case and must be closed. */
int load_statement_start(LoadStatement *statement, Session *session, const char *text, size_t length, Error *error);
/* 1: a row, which belongs to the connection until the next call: 0x00, bitmap of NULLs, values. 0: the proved end of the rows. */
int load_statement_row(LoadStatement *statement, const uint8_t **row, size_t *length, Error *error);
/* Frees it at the server too, where nothing is pending; where it is, the session must be opened anew. */
void load_statement_close(LoadStatement *statement);

#endif
