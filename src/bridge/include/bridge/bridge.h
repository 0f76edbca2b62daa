/* bridge/bridge.h - an MCP server that speaks over its standard input and output, reached by
 * HTTP: the bridge reads its bytes in a process of its own, so that the gateway reads none.
 *
 * Streamable HTTP with sessions (MCP up to 2025-11-25) on a Unix socket; each session has a
 * process of the server of its own. Who may speak is not the bridge's to know: whoever reaches
 * the socket may. */
#ifndef WRIT_BRIDGE_BRIDGE_H
#define WRIT_BRIDGE_BRIDGE_H

#include <stdint.h>

struct bridge_options {
    const char *name;     /* for the log */
    const char *address;  /* "unix:/path", mode 0600, where it shall listen; or NULL, and … */
    int descriptor;       /* … a Unix socket that listens, the bridge's from the call on */
    char *const *command; /* ends with NULL; found by PATH */
    int64_t idle_ms;      /* a session that nobody speaks in ends; 0: 10 minutes */
};

/* Runs until SIGTERM or SIGINT; no process of the server outlives it. The exit status. */
int bridge_run(const struct bridge_options *options);

#endif
