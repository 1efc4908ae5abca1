/*
 * reader.h - what the two readers of this room, of the log and of a table, begin with: kind.c asks `load` which of them it has.
 */
#ifndef SLUICE_MYSQL_READER_H
#define SLUICE_MYSQL_READER_H

#include "source/mysql/mysql.h"

typedef struct MySqlReader {
    Reader base;
    bool load; /* load.h, else log_reader.h */
} MySqlReader;

#endif
