/* cli/token_offline.h - the commands that ask no authority, for the table in token.c. */
#ifndef WRIT_CLI_TOKEN_OFFLINE_H
#define WRIT_CLI_TOKEN_OFFLINE_H

#include "internal.h"

int offline_attenuate(struct cli *cli, const struct args *args);
int offline_tell_public(struct cli *cli, const struct args *args);
int offline_check_text(struct cli *cli, const struct args *args);
int offline_expression(struct cli *cli, const struct args *args);

#endif
