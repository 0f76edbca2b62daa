/* app/serve.h - `writ serve`: wires the rooms and runs. */
#ifndef WRIT_APP_SERVE_H
#define WRIT_APP_SERVE_H

#include "config.h"

/* Runs until it is told to stop (SIGTERM, SIGINT); SIGHUP reads the configuration,
 * policy files and certificates again: config then holds what is in force. The
 * exit status of the program. */
int serve_run(struct config *config, const char *config_path);

#endif
