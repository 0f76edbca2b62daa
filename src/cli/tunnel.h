/* cli/tunnel.h - two connections joined into one: what comes from either goes to the other. */
#ifndef WRIT_CLI_TUNNEL_H
#define WRIT_CLI_TUNNEL_H

#include "net/stream.h"

/* An end, and what came from it already. */
struct tunnel_end {
    struct stream *stream;
    struct slice pending;
};
/* Takes both streams over, whatever happens. A client that has said all still gets the answer;
 * when the gateway has, or either breaks, both end. */
void tunnel_join(const struct tunnel_end *client, const struct tunnel_end *gateway);

#endif
