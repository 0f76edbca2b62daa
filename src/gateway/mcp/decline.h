/* gateway/mcp/decline.h - the answer to a server whose request its client must not see. */
#ifndef WRIT_GATEWAY_MCP_DECLINE_H
#define WRIT_GATEWAY_MCP_DECLINE_H

#include "../http/dialect.h"

/* So that the server need not wait: a JSON-RPC error under the id as it is spelled, in the
 * session of the passage that the request came through. What comes of it is nobody's concern. */
void mcp_decline(struct passage *passage, struct slice id);
/* The session that the passage's request is in, as the server knows it; empty: none. */
struct slice mcp_session_of(const struct http_passage *http);

#endif
