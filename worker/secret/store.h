/*
 * store.h - the encrypted file of credentials: where it is, what opens it, what it holds.
 *
 * SLUICE_VAULT names the file. Exactly one of these gives its key: SLUICE_VAULT_KEY_FILE (a plain file of mode 0600 or stricter, its first line),
 * SLUICE_VAULT_KEY (the key itself), SLUICE_VAULT_KEY_COMMAND (run by /bin/sh, the first line it prints within 30 seconds). All three
 * stand in the worker's environment, set by whoever starts it.
 *
 * Decrypted, the file is YAML: one mapping of entries, each a mapping of names to text or numbers:
 *     erp:  {host: db1.example, port: 1433, database: erp, user: sluice, password: "..."}
 *     lake: {access_key: "...", secret_key: "..."}
 * A source or target names its entry in the option `vault`. PostgreSQL never sees what is in it.
 */
#ifndef SLUICE_STORE_H
#define SLUICE_STORE_H

#include "base/json.h"
#include "secret/vault.h"

/* What opens the vault. key_file: of the command line, NULL = as the environment says. */
int store_key(const char *key_file, Secret *ret, Error *error);
/* The whole file, at most VAULT_BYTES_MAX. */
int store_read(const char *path, Secret *ret, Error *error);
/* A new file of mode 0600 in the place of `path`, durable before it is seen. */
int store_write(const char *path, const Secret *text, Error *error);
/* The entries as a JSON object of objects of strings, wiped by json_wipe. ERROR_PERMANENT names line and column, never a value. */
int store_parse(const char *name, const Secret *plain, cJSON **ret, Error *error);
/* The entry that options name in `vault`; NULL where they name none. Caller: json_wipe. */
int store_entry(const cJSON *options, cJSON **ret, Error *error);

#endif
