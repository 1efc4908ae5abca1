/*
 * float_text.h - binary floating point as the shortest decimal text that reads back to the same bits.
 *
 * Plain notation with at least one fractional digit ("1.0", "0.001") for 1e-5 <= |x| < 1e17, else "1.5e308". Among
 * the shortest texts the one closest to the value is chosen. Not for NaN and infinity. At most FLOAT_TEXT_MAX bytes, no 0 byte;
 * both return where they stopped.
 */
#ifndef SLUICE_FLOAT_TEXT_H
#define SLUICE_FLOAT_TEXT_H

#define FLOAT_TEXT_MAX 32

char *float64_text(char *text, double value);
char *float32_text(char *text, float value);

#endif
