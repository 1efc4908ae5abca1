/*
 * charset_table.h - the character sets of one byte.
 */
#ifndef SLUICE_MYSQL_CHARSET_TABLE_H
#define SLUICE_MYSQL_CHARSET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* The code point of each byte; false where `name` is not a character set of one byte. */
bool charset_table(const char *name, uint16_t ret[256]);

#endif
