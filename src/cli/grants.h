/* cli/grants.h - the privileges at a database that the rights of all roles come to. */
#ifndef WRIT_CLI_GRANTS_H
#define WRIT_CLI_GRANTS_H

#include "internal.h"

/* `writ advise --upstream NAME --sql`: prints them as SQL; an exit status. */
int grants_print(struct cli *cli, const char *upstream);

#endif
