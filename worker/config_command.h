/*
 * config_command.h - `sluice-worker config export|diff|import`: the registry as YAML, for people and for version control.
 */
#ifndef SLUICE_CONFIG_COMMAND_H
#define SLUICE_CONFIG_COMMAND_H

/* arguments: what follows `config`; conninfo: NULL where there is none and that was said. Returns the exit code: 0 done (diff: nothing differs), 1 failed and told why, 2 wrong use, 5 diff: something differs. */
int config_command(int count, char **arguments, const char *conninfo);
/* The option of the command line that takes the conninfo from a file, which main reads; NULL where there is none. */
const char *config_conninfo_file(int count, char **arguments);

#endif
