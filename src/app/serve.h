/* app/serve.h - `writ serve`: wires the rooms and runs. */
#ifndef WRIT_APP_SERVE_H
#define WRIT_APP_SERVE_H

#include "config.h"

/* Runs until it is told to stop (SIGTERM, SIGINT); SIGHUP reads policy files and
 * certificates again. The exit status of the program. */
int serve_run(const struct config *config);

#endif
