/*
 * document_scalar.h - the texts of what stands in a JSON document.
 */
#ifndef SLUICE_MYSQL_DOCUMENT_SCALAR_H
#define SLUICE_MYSQL_DOCUMENT_SCALAR_H

#include "base/buffer.h"

/* "quoted\n" */
int document_quote(const char *data, size_t length, Buffer *text, Error *error);
/* 8 bytes, little-endian: 1.5, 100.0, 1e100 */
int document_double(const uint8_t *data, Buffer *text, Error *error);
/* A value of one of the server's own types: decimals and times as texts, all else as "base64:type15:...". */
int document_opaque(uint8_t type, const uint8_t *data, size_t length, Buffer *text, Error *error);

#endif
