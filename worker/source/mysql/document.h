/*
 * document.h - MySQL's binary form of JSON into the text that MySQL prints, CAST(doc AS CHAR).
 *
 * Format: MySQL source, sql-common/json_binary.h; the text: sql-common/json_dom.cc (wrapper_to_string) and strings/dtoa.cc (my_gcvt).
 */
#ifndef SLUICE_MYSQL_DOCUMENT_H
#define SLUICE_MYSQL_DOCUMENT_H

#include "base/buffer.h"

#define DOCUMENT_DEPTH_MAX 100 /* of MySQL */

/* Appends the text to `text`, whose maximum bounds what malformed bytes can make of it. ERROR_INTERNAL where they are malformed. */
int document_text(const uint8_t *data, size_t length, Buffer *text, Error *error);

#endif
