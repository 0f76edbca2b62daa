/* gateway/mcp/events.h - an event stream (HTML §9.2) is read strictly and written anew, so that
 * whoever reads what goes on finds the same events in it. Pure. */
#ifndef WRIT_GATEWAY_MCP_EVENTS_H
#define WRIT_GATEWAY_MCP_EVENTS_H

#include "base/buffer.h"

enum { MCP_MESSAGE_MAX = 16 << 20 };

/* What is to become of a message, without blanks around it; it must be JSON to pass. *passes: *out
 * goes on in its place. Not OK: nothing more does. */
typedef enum status mcp_judge(void *context, struct slice text, struct buffer *out, bool *passes);

/* One stream. Owns its memory. */
struct mcp_events {
    mcp_judge *judge;
    void *context;
    struct buffer held;  /* a line that is not whole */
    struct buffer event; /* the fields of the event that comes, but for its data */
    struct buffer data;
    bool has_data, begun;
};
void mcp_events_init(struct mcp_events *events, mcp_judge *judge, void *context);
void mcp_events_free(struct mcp_events *events);
/* More bytes of the stream: the events that are whole go on. Not OK: it can't be read with
 * certainty, and must be cut; *out may hold what came before. */
enum status mcp_events_feed(struct mcp_events *events, struct slice in,
                            struct buffer *out) WRIT_MUST_USE;

#endif
