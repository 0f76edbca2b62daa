/* gateway/http/resource.h - protected resource metadata (RFC 9728): where a client
 * learns which authority gives tokens for an upstream, and how they are shown. */
#ifndef WRIT_GATEWAY_HTTP_RESOURCE_H
#define WRIT_GATEWAY_HTTP_RESOURCE_H

#include "door.h"

#define RESOURCE_PATH "/.well-known/oauth-protected-resource"

/* Answers a request for the metadata of an upstream, with or without a token, the same
 * to all. False: the request is none. */
bool resource_answer(struct gate *gate, struct http_call *call);

/* The URL of that document for a passage's upstream, for WWW-Authenticate (§5.1); empty
 * when the URL that clients see is not known or nothing was named. */
struct slice resource_metadata(const struct http_passage *http, struct arena *arena);

#endif
