/* gateway/mcp/methods.h - the methods of the Model Context Protocol, of both eras: which right
 * each takes, and on what. Pure. */
#ifndef WRIT_GATEWAY_MCP_METHODS_H
#define WRIT_GATEWAY_MCP_METHODS_H

#include "message.h"
#include "policy/request.h"

/* What the right's object is. */
enum mcp_object { MCP_NOTHING, MCP_NAME, MCP_URI, MCP_NAME_OR_URI, MCP_TASK };

enum {
    MCP_FREE = 1,      /* to whoever has any right at this upstream */
    MCP_LISTS = 2,     /* the answer is filtered to what the token may use */
    MCP_ARGUMENTS = 4, /* conditions may look at its arguments */
    MCP_SERVER = 8,    /* the server asks it of the client */
};

struct mcp_method {
    const char *method, *action;
    enum mcp_object object;
    unsigned flags;
    /* Of a list: the member of the result, the member that names an item, and the action that
     * using the item takes. */
    const char *list, *item, *use;
};

/* NULL: not known. from_server: asked by the server. */
const struct mcp_method *mcp_method_find(struct slice method, bool from_server);
/* The object in a right's spelling, and its syntax; false: the message lacks it, or it is too
 * long. */
bool mcp_object_of(const struct mcp_method *method, const struct mcp_message *message,
                   struct arena *arena, struct request *request);
/* The same of a name or URI by itself. */
bool mcp_object_set(struct slice text, bool uri, struct arena *arena, struct request *request);

#endif
