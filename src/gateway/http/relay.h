/* gateway/http/relay.h - the client's side of a relay, for the door's handler. */
#ifndef WRIT_GATEWAY_HTTP_RELAY_H
#define WRIT_GATEWAY_HTTP_RELAY_H

#include "../pipeline.h"
#include "base/log.h"
#include "door.h"
#include "headers.h"

/* Opens the upstream of an admitted passage. Refuses what is not an allow. */
void relay_open(struct passage *passage, const struct decision *decision);
void relay_cut(struct passage *passage, const struct refusal *why);
uint64_t relay_traffic(const struct passage *passage);

/* Members of the door's http_handler. */
void relay_body(struct http_call *call, struct slice bytes, bool more, void *context);
void relay_body_end(struct http_call *call, struct slice trailers, void *context);
void relay_writable(struct http_call *call, void *context);
void relay_gone(struct http_call *call, enum status status, void *context);

#endif
