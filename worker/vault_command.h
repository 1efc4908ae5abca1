/*
 * vault_command.h - `sluice-worker vault encrypt|decrypt|view|rekey FILE`: the file of credentials, for people.
 */
#ifndef SLUICE_VAULT_COMMAND_H
#define SLUICE_VAULT_COMMAND_H

/* arguments: what follows `vault`. Returns the exit code: 0 done, 1 failed and told why, 2 wrong use. */
int vault_command(int count, char **arguments);

#endif
