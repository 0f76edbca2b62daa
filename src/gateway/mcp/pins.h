/* gateway/mcp/pins.h - pinned tools: what a server says of them, against what was approved. */
#ifndef WRIT_GATEWAY_MCP_PINS_H
#define WRIT_GATEWAY_MCP_PINS_H

#include "../gate.h"

enum { MCP_DEFINITION_MAX = 64 << 10 };
/* The name under which the instructions of a server are approved. */
#define MCP_INSTRUCTIONS "(instructions)"

/* A tool's definition, read: its name, and the one text and digest that all ways to spell it
 * share. Owns its memory. */
struct mcp_tool {
    struct buffer text;
    struct slice name; /* in the tree */
    json_t *tree;
    uint8_t digest[PIN_DIGEST_SIZE];
};
/* False: it can't be read with certainty, or is too large. Free it in any case. Pure. */
bool mcp_tool_read(struct slice definition, struct mcp_tool *out);
void mcp_tool_free(struct mcp_tool *tool);

/* What one answer has cost so far: a server that lists without end fills neither the lane's time
 * nor the audit. */
struct mcp_looks {
    unsigned tools, lines;
    bool unlined; /* the audit has no room for a line: the answer must not pass */
};

/* A list that came through the passage says this of a tool: noted for all lanes, and told to
 * people when it is news, with a line in the audit where the tool is held back. True: it is as
 * it was approved. */
bool mcp_pin_see(struct passage *passage, struct slice definition, struct mcp_looks *looks,
                 struct arena *arena);

#endif
