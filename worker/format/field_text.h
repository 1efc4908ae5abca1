/*
 * field_text.h - a column's values of fixed width as text, for every text format. README.md of this room lists the texts.
 *
 * What does not change from row to row is made once; neighbouring rows mostly share the day, so its text is kept.
 */
#ifndef SLUICE_FIELD_TEXT_H
#define SLUICE_FIELD_TEXT_H

#include "base/column.h"

#define FIELD_TEXT_MAX 64 /* the longest value, and what may be written beyond its end */

typedef struct FieldText {
    const Field *field;
    size_t width;         /* of a value; 0 for variable types */
    char separator;       /* between date and time: 'T' or ' ' */
    int32_t date_days;
    char date[10];
} FieldText;

void field_text_init(FieldText *text, const Field *field, char separator);
/* The value, not NULL and not of a variable type, without quotes; NaN, Infinity and -Infinity are words. *end is where it stopped.
 * ERROR_INTERNAL for a value that the column's type or precision cannot hold. */
int field_text(FieldText *text, const uint8_t *value, char *to, char **end, Error *error);
/* A floating-point value that is no number: a word in every format. */
bool field_text_is_word(const FieldText *text, const uint8_t *value);

#endif
