/*
 * json_text.h - UTF-8 as the inside of a JSON string (RFC 8259).
 *
 * Escaped are ", \, the control characters below 0x20, and lone surrogates, which arrive as WTF-8 (ED A0..BF xx) and leave as
 * \ud800..\udfff. Everything else stays as it is. Overlong forms, code points above U+10FFFF and cut sequences are refused.
 */
#ifndef SLUICE_JSON_TEXT_H
#define SLUICE_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define JSON_ESCAPE_FACTOR 6 /* bytes out per byte in, at most; 8 bytes beyond may be written too */

/* Returns where it stopped in `text`; NULL where `data` is not valid, *bad then says at which byte. */
char *json_escape(char *text, const uint8_t *data, size_t length, size_t *bad);
/* Bytes of the character that starts with a byte above 0x7f; 0 where it is none of RFC 3629 and no lone surrogate in WTF-8. */
size_t json_character(const uint8_t *data, size_t left);
/* The longest piece of at most `limit` bytes that ends between two characters. */
size_t json_piece(const uint8_t *data, size_t length, size_t limit);

#endif
