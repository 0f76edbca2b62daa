/* gateway/mcp/message.h - one JSON-RPC 2.0 message of the Model Context Protocol, read as far
 * as a decision needs it. Pure. */
#ifndef WRIT_GATEWAY_MCP_MESSAGE_H
#define WRIT_GATEWAY_MCP_MESSAGE_H

#include "base/arena.h"
#include "policy/facts.h"

enum { MCP_FACTS_MAX = 256, MCP_ID_MAX = 256, MCP_METHOD_MAX = 128 };

enum mcp_kind {
    MCP_REQUEST,
    MCP_NOTIFICATION,
    MCP_RESPONSE, /* a result or an error */
};

/* Texts live in the arena; the id and the facts' texts may borrow from the message. */
struct mcp_message {
    enum mcp_kind kind;
    struct slice id;            /* as it is spelled, quotes included; empty: none, or null */
    struct slice method;        /* of requests and notifications */
    struct slice name;          /* params.name */
    struct slice uri;           /* params.uri, or params.ref.uri */
    struct slice task;          /* params.taskId */
    bool outlasts;              /* params.task: it goes on after its answer */
    struct slice level_version; /* params.protocolVersion, of initialize */
    /* params.arguments, flattened: "arguments.a.b", a dot in a name as %2E. */
    struct fact *facts;
    size_t fact_count;
};

/* False: *why says so, and *code is JSON-RPC's: -32700 no JSON, -32600 no message. */
bool mcp_message_read(struct slice bytes, struct arena *arena, struct mcp_message *out,
                      const char **why, int *code);

/* Do some readers of JSON take the one name for the other? */
bool mcp_folds_alike(struct slice a, struct slice b);

#endif
