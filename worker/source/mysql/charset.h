/*
 * charset.h - texts of any character set of the servers into UTF-8, as their CONVERT(.. USING utf8mb4) does.
 *
 * What has no UTF-8 form becomes "?", as there. Names are those of information_schema.character_sets.
 */
#ifndef SLUICE_MYSQL_CHARSET_H
#define SLUICE_MYSQL_CHARSET_H

#include "base/buffer.h"
#include <stdbool.h>

typedef struct Charset Charset;

/* True where charset_open can do it; "" and "binary" are no character sets. */
bool charset_known(const char *name);
/* Of a collation's number; "" for an unknown one. */
const char *charset_of_collation(uint32_t number);
/* The most bytes of a character. */
uint32_t charset_width(const char *name);
/* *ret = NULL for a character set whose bytes are UTF-8 already. ERROR_PERMANENT for an unknown one. */
int charset_open(const char *name, Charset **ret, Error *error);
void charset_close(Charset *charset);
/* Appends `data` to `text`. */
int charset_text(Charset *charset, const uint8_t *data, size_t length, Buffer *text, Error *error);

#endif
