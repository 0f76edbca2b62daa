/* gateway/docker/endpoints.h - the Engine API (1.24 to 1.47): which right each endpoint takes,
 * and where the name of what it touches stands. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_ENDPOINTS_H
#define WRIT_GATEWAY_DOCKER_ENDPOINTS_H

#include <stdbool.h>

#include "base/arena.h"

/* What the {} of a path names, and so what the right's object is. */
enum docker_kind {
    DOCKER_NOTHING,
    DOCKER_CONTAINER, /* its name, found by the daemon from a name, an id or a prefix */
    DOCKER_EXEC,      /* the container that it runs in */
    DOCKER_IMAGE,     /* a reference, of several segments */
    DOCKER_VOLUME,
    DOCKER_NETWORK,
    DOCKER_OTHER, /* a name or id as it was written: swarm, plugins */
    /* The name stands elsewhere than in the path. */
    DOCKER_NEW_CONTAINER, /* ?name= */
    DOCKER_PULL,          /* ?fromImage=&tag= or ?fromSrc=&repo=&tag= */
    DOCKER_BUILD,         /* ?t= */
    DOCKER_COMMIT,        /* ?container=&repo=&tag= */
    DOCKER_NEW_VOLUME,    /* Name of the body */
    DOCKER_NEW_NETWORK,   /* likewise */
};

/* What must be looked at beside the path. */
enum {
    DOCKER_FREE = 1,     /* to whoever has any right at this upstream */
    DOCKER_LISTS = 2,    /* the answer is filtered to what the token may see */
    DOCKER_HIJACKS = 4,  /* the connection becomes a stream */
    DOCKER_BODY = 8,     /* its JSON says more than the path */
    DOCKER_NO_BODY = 16, /* would be read in a way of its own, or not at all */
    DOCKER_NEVER = 32,   /* is not let through */
};

struct docker_endpoint {
    const char *method;
    const char *path; /* "/containers/{}/json" */
    const char *action;
    enum docker_kind kind;
    unsigned flags;
    const char *params; /* of its query, with blanks between; NULL: none */
};

/* What a path is made of. */
struct docker_path {
    const struct docker_endpoint *endpoint;
    struct slice version;       /* "/v1.41" or empty */
    struct slice name;          /* what {} took; empty: there is none */
    struct slice before, after; /* the path around the name, without the version */
};

/* NULL when it is not one of the Engine's; *why says so. */
bool docker_path_find(struct slice method, struct slice path, struct docker_path *out,
                      const char **why);

/* Whether the query holds nothing but what the endpoint has, spelled exactly: Podman takes a
 * parameter in any case, and has many of its own. False: *unknown is one that is not the
 * endpoint's; empty: one can't be decoded. */
bool docker_query_is_known(const struct docker_endpoint *endpoint, struct slice query,
                           struct arena *arena, struct slice *unknown);

extern const struct docker_endpoint docker_endpoints[];
extern const size_t docker_endpoint_count;

#endif
