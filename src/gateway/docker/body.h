/* gateway/docker/body.h - what a body asks for, as facts for conditions to look at. Every
 * member must be one that is known here, spelled exactly: Go's decoder takes a name in any
 * case, so that another spelling could hide what the daemon will read. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_BODY_H
#define WRIT_GATEWAY_DOCKER_BODY_H

#include "base/arena.h"
#include "base/json.h"
#include "policy/facts.h"

enum { DOCKER_FACTS_MAX = 256 };

struct docker_facts {
    struct arena *arena;
    struct fact *facts;
    size_t count;
    /* Why it can't be read: a sentence; NULL: it can. */
    const char *wrong;
};

enum docker_body {
    DOCKER_BODY_CREATE,  /* POST /containers/create */
    DOCKER_BODY_EXEC,    /* POST /containers/{}/exec */
    DOCKER_BODY_UPDATE,  /* POST /containers/{}/update */
    DOCKER_BODY_VOLUME,  /* POST /volumes/create */
    DOCKER_BODY_NETWORK, /* POST /networks/create */
};

/* False: out->wrong says why. *name: the Name that a new volume or network gets; empty
 * where there is none. */
bool docker_body_read(enum docker_body what, const json_t *body, struct docker_facts *out,
                      struct slice *name);
void docker_fact_add(struct docker_facts *out, const char *name, struct slice text, bool guarded);

/* "/srv//a/../b/" is "/srv/b"; a path that climbs out of the root ends there, as the kernel
 * has it. False: not absolute. */
bool docker_host_path(struct slice path, struct arena *arena, struct slice *out);

#endif
