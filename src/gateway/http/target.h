/* gateway/http/target.h - the URL of a request as its client sees it: what proofs of
 * possession are made for (RFC 9449 §4.2), and under which a resource is known
 * (RFC 9728). */
#ifndef WRIT_GATEWAY_HTTP_TARGET_H
#define WRIT_GATEWAY_HTTP_TARGET_H

#include "door.h"

/* Scheme, host, port and prefix, without a slash at the end: what is configured
 * (gateway.http.url); else what a trusted proxy says; else the Host field, where the door
 * really answers to it: a proof made for another server must not be good here because
 * that server's name stands in Host. INVALID when none of it tells; why says what to do. */
enum status target_base(const struct http_passage *http, struct arena *arena, struct slice *out,
                        const char **why) WRIT_MUST_USE;

/* The door's `show`. */
bool target_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
                 struct refusal *refusal);

#endif
