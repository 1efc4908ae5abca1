/*
 * wire.h - TYPE_INFO and values between the wire and a TypeInfo.
 *
 * Source: [MS-TDS] 2.2.5.4 (type tokens), 2.2.5.5 (values), 2.2.5.2.3 (PLP), 2.2.5.5.2 (UDT), 2.2.5.5.4 (sql_variant).
 * Columns are always announced with the nullable token of their type (INTN, BITN, ...), which is legal for NOT NULL
 * columns too; parameters are read in the fixed, the nullable and the legacy byte-length forms. Sybase tokens that a SQL
 * Server does not know are refused with 8009, so 0x67, which DB-Library sends for SYBNVARCHAR: give it SYBVARCHAR, which
 * goes out as nvarchar, or SYBNTEXT, which goes out as nvarchar(max).
 */
#ifndef MSSQL_WIRE_H
#define MSSQL_WIRE_H

#include "type.h"
#include <stdbool.h>

typedef enum WireLength {
    WIRE_BYTE,    /* u8 length, 0 = NULL */
    WIRE_SHORT,   /* u16 length, 0xFFFF = NULL */
    WIRE_LONG,    /* u32 length, 0 = NULL (sql_variant) */
    WIRE_POINTER, /* text pointer, timestamp, u32 length; pointer length 0 = NULL (text, ntext, image) */
    WIRE_CHUNKED, /* PLP */
    WIRE_FIXED,   /* no length (parameters only) */
    WIRE_BLOB     /* u32 length, 0xFFFFFFFF = NULL (text, ntext, image as a parameter) */
} WireLength;

extern const uint8_t wire_collation[5]; /* SQL_Latin1_General_CP1_CI_AS */

WireLength wire_length(const TypeInfo *type);
uint32_t wire_user_type(const TypeInfo *type);
/* The TYPE_INFO of a result column or a return value; of text, ntext and image without the table name behind it. */
void wire_type_put(const TypeInfo *type, Bytes *ret);

/* A cursor over a request; what would read past the end sets bad and gives zeros. */
typedef struct Reader {
    const uint8_t *data;
    size_t length;
    size_t at;
    bool bad;
} Reader;

uint64_t read_number(Reader *reader, size_t size);      /* little-endian, 1 to 8 bytes */
const uint8_t *read_bytes(Reader *reader, size_t size); /* NULL if bad; points into the request */

/* A parameter's TYPE_INFO and value. The value is appended to arena; *offset is where, *is_null and *length say how
 * much. Returns -1 for a type or a length that the protocol does not know. */
int wire_parameter_read(Reader *reader, TypeInfo *type, Bytes *arena, size_t *offset, size_t *length, bool *is_null);

#endif
