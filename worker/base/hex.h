/*
 * hex.h - lower-case hexadecimal, the text form of every position.
 */
#ifndef SLUICE_HEX_H
#define SLUICE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * length digits to `text`, no 0 byte. */
void hex_encode(const uint8_t *data, size_t length, char *text);
/* Exactly 2 * length digits; -1 for anything else. */
int hex_decode(const char *text, uint8_t *data, size_t length);

#endif
