/*
 * gtid.h - sets of global transaction ids.
 *
 * MariaDB: the last sequence number of each domain, "0-1-55,7-2-3" (MariaDB knowledge base, "Global Transaction ID").
 * MySQL: intervals per server uuid and, from 8.3 on, tag: "uuid:1-5:7,uuid:tag:1-3" (MySQL manual, "GTID Sets").
 */
#ifndef SLUICE_MYSQL_GTID_H
#define SLUICE_MYSQL_GTID_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct GtidSet GtidSet;

/* text: as above, "" = empty. Freed by gtid_free. ERROR_PERMANENT where it is malformed. */
int gtid_parse(bool mariadb, const char *text, GtidSet **ret, Error *error);
void gtid_free(GtidSet *set);
/* In the server's canonical form, appended. */
int gtid_text(const GtidSet *set, Buffer *text, Error *error);
int gtid_add_mariadb(GtidSet *set, uint32_t domain, uint32_t server, uint64_t sequence, Error *error);
int gtid_add_mysql(GtidSet *set, const uint8_t uuid[16], const char *tag, uint64_t number, Error *error);
/* The body of COM_BINLOG_DUMP_GTID's set (MySQL internals, "Gtid_set::encode"; tagged form from 8.3 on where a tag is in it). */
int gtid_encode(const GtidSet *set, Buffer *bytes, Error *error);

#endif
