/* gateway/dial.h - one connection to an upstream, for one session. */
#ifndef WRIT_GATEWAY_DIAL_H
#define WRIT_GATEWAY_DIAL_H

#include "upstream.h"

struct dial;

/* OK: the stream is the callee's, and the dial is gone. Otherwise stream is NULL and why
 * says what went wrong, for the operator. */
typedef void (*dial_done)(enum status status, struct stream *stream, const char *why,
                          void *context);

/* Tries the upstream's addresses in turn, from the one that last worked. The stream is
 * secured already where the upstream's protocol begins with TLS (redis); a postgres one is
 * clear, for the protocol's own question. done never runs inside the call. The upstream
 * must be in use (upstream_use) until then. */
enum status dial_start(struct upstream *upstream, struct lane *lane, dial_done done, void *context,
                       struct dial **out) WRIT_MUST_USE;
/* done does not come any more. Not after done. */
void dial_cancel(struct dial *dial);

#endif
