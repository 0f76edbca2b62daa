/* gateway/http/classify.h - a request's head becomes the triple and the credential
 * that it shows, or a reason why it is none. Pure. */
#ifndef WRIT_GATEWAY_HTTP_CLASSIFY_H
#define WRIT_GATEWAY_HTTP_CLASSIFY_H

#include "../gate.h"
#include "http/head.h"
#include "path.h"

/* What the request's target says beside the triple. */
struct http_target_read {
    struct path path;
    struct slice query;
    bool has_query;
    bool by_host; /* the upstream was named by Host, not by the path */
    bool bare;    /* "/name" without anything behind it */
};

/* The upstream's name and the rest of a path ("/name/rest"; rest may be empty). */
void target_split(struct slice path, struct slice *name, struct slice *rest);

/* Finds the token: Authorization with Bearer or DPoP, or X-Api-Key where the
 * upstream allows it. asked->token, scheme and, for what is malformed, fault. */
void credential_find(const struct http_head *head, bool api_key, struct asked *asked);

/* A method that a right can name and that is safe to pass on. */
bool method_valid(struct slice method);
/* Methods are case-sensitive (RFC 9110 §9.1), yet some servers raise them to capitals:
 * "delete" would be decided as a method of its own and done as DELETE. */
bool method_has_small_letters(struct slice method);

/* All of it. Slices borrow from the head, the arena and the routes. */
void classify(const struct routes *routes, const struct http_head *head, struct arena *arena,
              struct asked *asked, struct http_target_read *target);

#endif
