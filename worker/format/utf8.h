/*
 * utf8.h - where text stops being UTF-8 (RFC 3629, section 4).
 */
#ifndef SLUICE_FORMAT_UTF8_H
#define SLUICE_FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Index of the first byte that is not part of valid UTF-8, surrogates being invalid; `length` if all is. */
size_t utf8_check(const uint8_t *data, size_t length);

#endif
