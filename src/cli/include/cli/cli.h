/* cli/cli.h - every command that is a client of a running Writ, or needs none. */
#ifndef WRIT_CLI_CLI_H
#define WRIT_CLI_CLI_H

/* argv as main got it. 0 done, 1 refused or failed, 2 wrong usage, 3 could not
 * ask (`can`). */
int cli_main(int argc, char **argv);

#endif
