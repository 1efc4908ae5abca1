/*
 * load_time.h - dates and times of the binary protocol as load_value.h says they land.
 */
#ifndef SLUICE_MYSQL_LOAD_TIME_H
#define SLUICE_MYSQL_LOAD_TIME_H

#include "source/mysql/load_value.h"

#define LOAD_TIME_NONE UINT32_MAX /* LoadValue.date before the first value */

/* LoadDecode functions: what their fields hold. */
int load_time_date(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);
int load_time_timestamp(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);
int load_time_instant(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);
/* A date, with the time of day where the column has one. */
int load_time_date_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);
int load_time_text(LoadValue *value, int row, const uint8_t **at, const uint8_t *end, Error *error);

#endif
