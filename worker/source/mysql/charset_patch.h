/*
 * charset_patch.h - where the C library's tables are not those of the servers.
 */
#ifndef SLUICE_MYSQL_CHARSET_PATCH_H
#define SLUICE_MYSQL_CHARSET_PATCH_H

#include <stdint.h>

/* The number of a character set's patches, -1 where it has none. */
int charset_patch_set(const char *name);
/* The code point of a character, its bytes read big-endian; 0: as the C library has it. */
uint32_t charset_patch(int set, uint32_t bytes);

#endif
