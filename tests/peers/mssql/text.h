/*
 * text.h - the three encodings of the simulator: UTF-8 inside, UTF-16LE for nchar/nvarchar and every token text
 * ([MS-TDS] 2.2.5.1.2), Windows-1252 for char/varchar/text under collation SQL_Latin1_General_CP1_CI_AS.
 *
 * Every function appends to ret. Malformed input becomes U+FFFD (UTF-8, UTF-16) and a character that code page 1252
 * lacks becomes '?', as SQL Server does it; nothing here fails.
 */
#ifndef MSSQL_TEXT_H
#define MSSQL_TEXT_H

#include "type.h"

void text_utf16_from_utf8(const char *utf8, size_t length, Bytes *ret);
void text_utf8_from_utf16(const uint8_t *utf16, size_t length, Bytes *ret);
void text_1252_from_utf8(const char *utf8, size_t length, Bytes *ret);
void text_utf8_from_1252(const uint8_t *bytes, size_t length, Bytes *ret);
/* The code point at *utf8 (before end), which is moved behind it. */
uint32_t text_next_utf8(const char **utf8, const char *end);
/* The Unicode code point of a byte of code page 1252. */
uint32_t text_1252_decode(uint8_t byte);

#endif
