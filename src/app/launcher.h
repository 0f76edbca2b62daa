/* app/launcher.h - a process that starts others as other users: forked before the server gives
 * up being root, and before it has threads, keys or a socket. */
#ifndef WRIT_APP_LAUNCHER_H
#define WRIT_APP_LAUNCHER_H

#include "config.h"
#include "launch.h"

struct launcher {
    pid_t pid;  /* 0: there is none */
    int socket; /* packets of launch.h */
};

/* Nothing when the configuration names no user. A user that is unknown, root, or may not be
 * become is a fault. */
enum status launcher_start(const struct config *config, struct launcher *out,
                           struct fault *fault) WRIT_MUST_USE;
/* Ends it with all that it has started; waits for that, 8 s at most. */
void launcher_stop(struct launcher *launcher);

/* In the launcher: bridge_start.c. */
struct launch_user {
    char name[33];
    uid_t uid;
    gid_t gid;
    char home[256];
};
/* Forks a bridge that listens on this socket; its pid, or -1. program is this program, open. */
pid_t bridge_start(const struct launch *launch, const struct launch_user *user, int listener,
                   int program);

#endif
