/* cli/recordings.h - the commands of recorded sessions, for the table in sessions.c. */
#ifndef WRIT_CLI_RECORDINGS_H
#define WRIT_CLI_RECORDINGS_H

#include "internal.h"

int recordings_list(struct cli *cli, const struct args *args);
int recording_show(struct cli *cli, const struct args *args);
int recording_play(struct cli *cli, const struct args *args);
int recording_tail(struct cli *cli, const struct args *args);
int recording_delete(struct cli *cli, const struct args *args);

#endif
