/* gateway/mcp/answers.h - what a server says, on its way to the client: lists without what the
 * token may not use, and the server's own requests only where a right allows them. */
#ifndef WRIT_GATEWAY_MCP_ANSWERS_H
#define WRIT_GATEWAY_MCP_ANSWERS_H

#include "../http/dialect.h"

enum mcp_framing {
    MCP_JSON,
    MCP_EVENTS,
    MCP_NOTHING_COMES, /* a body that comes nevertheless cuts the answer off */
    MCP_DROPPED,       /* the body does not pass */
};

/* NULL: out of memory. The passage outlives it. */
struct body_filter *mcp_filter_new(struct passage *passage, enum mcp_framing framing);

/* Who is asked of each item of a list. */
struct mcp_sight {
    /* May this be seen? */
    bool (*sees)(void *context, const char *action, struct slice item, bool uri);
    /* A tool's definition as it came: is it good? Asked of all, seen or not. NULL: all are. */
    bool (*approves)(void *context, struct slice definition);
    /* The instructions of a server, as the JSON value stands there: may a model get them? Else
     * they are empty. NULL: it may. */
    bool (*instructs)(void *context, struct slice instructions);
    void *context;
};
/* Writes the message without the items of its lists that are not seen. False: it is no
 * message, or one that some client could read in another way. Pure. */
bool mcp_prune(struct slice message, const struct mcp_sight *sight, struct buffer *out);

#endif
