/* bridge/child.h - one process of the server, with its three streams. */
#ifndef WRIT_BRIDGE_CHILD_H
#define WRIT_BRIDGE_CHILD_H

#include <sys/types.h>

#include "net/stream.h"

/* All three are the caller's. pid leads a process group of its own; it dies with the bridge. */
struct child {
    pid_t pid;
    struct stream *in, *out, *err;
};

enum status child_start(struct lane *lane, char *const *command, struct child *out) WRIT_MUST_USE;
/* To it and to all that it has started in its group. */
void child_signal(pid_t pid, int number);

/* What has ended is told, leaders of groups with what is left of their group killed. */
void children_reap(void (*ended)(pid_t pid, void *context), void *context);
/* Processes that fled their group are the bridge's children once their parent is gone: kills
 * every child that is there, and waits for them. */
void children_end(void);

#endif
