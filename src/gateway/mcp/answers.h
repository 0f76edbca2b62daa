/* gateway/mcp/answers.h - what a server says, on its way to the client: lists without what the
 * token may not use, and the server's own requests only where a right allows them. */
#ifndef WRIT_GATEWAY_MCP_ANSWERS_H
#define WRIT_GATEWAY_MCP_ANSWERS_H

#include "../http/dialect.h"

enum mcp_framing { MCP_JSON, MCP_EVENTS };

/* NULL: out of memory. The passage outlives it. */
struct body_filter *mcp_filter_new(struct passage *passage, enum mcp_framing framing);

/* Writes the message without the items of its lists that are not seen. False: it is no
 * message. Pure. */
typedef bool (*mcp_sees)(void *context, const char *action, struct slice item, bool uri);
bool mcp_prune(struct slice message, mcp_sees sees, void *context, struct buffer *out);

#endif
