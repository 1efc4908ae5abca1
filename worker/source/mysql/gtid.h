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

#define GTID_SERVERS_MAX 65536            /* domains, or pairs of uuid and tag, in a set */
#define GTID_INTERVALS_MAX (1024 * 1024) /* of one uuid and tag */
#define GTID_TAG_MAX 32                  /* letters, digits and _, lower case, no digit first */

typedef struct GtidSet GtidSet;

/* text: as above, "" = empty. Freed by gtid_free. ERROR_PERMANENT where it is malformed. */
int gtid_parse(bool mariadb, const char *text, GtidSet **ret, Error *error);
void gtid_free(GtidSet *set);
/* In the server's canonical form, appended: MariaDB's domains in order; MySQL's uuids in order, each with its tags ("uuid:1-3:tag:1-5"), no line breaks. */
int gtid_text(const GtidSet *set, Buffer *text, Error *error);
/* The later of two of a domain replaces the earlier, as in the server. */
int gtid_add_mariadb(GtidSet *set, uint32_t domain, uint32_t server, uint64_t sequence, Error *error);
/* tag: "" or NULL for none. */
int gtid_add_mysql(GtidSet *set, const uint8_t uuid[16], const char *tag, uint64_t number, Error *error);
/* The body of COM_BINLOG_DUMP_GTID's set (MySQL internals, "Gtid_set::encode"; tagged form from 8.3 on where a tag is in it). */
int gtid_encode(const GtidSet *set, Buffer *bytes, Error *error);

/* What a log file begins with, added to the set: PREVIOUS_GTIDS (MySQL, the form of gtid_encode) or GTID_LIST (MariaDB, "Gtid_list_log_event"). */
int gtid_decode(GtidSet *set, const uint8_t *data, size_t length, Error *error);
void gtid_clear(GtidSet *set);

#endif
