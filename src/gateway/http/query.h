/* gateway/http/query.h - query parameters as Go's net/url reads them, but that two of one
 * name are refused: the upstream would take one, and another reader the other. Pure. */
#ifndef WRIT_GATEWAY_HTTP_QUERY_H
#define WRIT_GATEWAY_HTTP_QUERY_H

#include "base/arena.h"

enum query_found { QUERY_ABSENT, QUERY_FOUND, QUERY_AMBIGUOUS };

/* The decoded value; lives in the arena. AMBIGUOUS: twice, or not to be decoded. */
enum query_found query_find(struct slice query, const char *name, struct arena *arena,
                            struct slice *out);
/* The parameters one by one, decoded, for a name that may stand there often. False: no more,
 * or, with *clear false, one that can't be decoded. */
bool query_next(struct slice *query, struct arena *arena, struct slice *name, struct slice *value,
                bool *clear);
/* Some readers part at ';' as well. */
bool query_is_clear(struct slice query);
/* The same query with another value for the name, which is there; value needs no escapes. */
struct slice query_replace(struct slice query, const char *name, struct slice value,
                           struct arena *arena);

#endif
