/* cli/tunnel.h - two connections joined into one: what comes from either goes to the other. */
#ifndef WRIT_CLI_TUNNEL_H
#define WRIT_CLI_TUNNEL_H

#include "net/stream.h"

/* An end, and what came from it already. */
struct tunnel_end {
    struct stream *stream;
    struct slice pending;
};
/* Takes both streams over, whatever happens; ends when either does. */
void tunnel_join(const struct tunnel_end *a, const struct tunnel_end *b);

#endif
