/* gateway/mcp/session.h - the server's session ids, which a client gets with a seal: only the
 * line of tokens that opened a session can go on with it, and nothing need be remembered. */
#ifndef WRIT_GATEWAY_MCP_SESSION_H
#define WRIT_GATEWAY_MCP_SESSION_H

#include "../gate.h"

/* For whom, where. */
struct mcp_owner {
    const uint8_t *key; /* of the process, 32 bytes */
    struct slice upstream;
    const struct token_id *line;
};
/* The id as the client sees it, in the arena; .at is NULL when it can't be made. */
struct slice mcp_session_seal(const struct mcp_owner *owner, struct slice id, struct arena *arena);
/* The server's own; false: sealed for somebody else, or not at all. */
bool mcp_session_open(const struct mcp_owner *owner, struct slice sealed, struct slice *id);

#endif
