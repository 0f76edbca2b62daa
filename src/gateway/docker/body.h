/* gateway/docker/body.h - what a body asks for, as facts for conditions to look at. Every
 * member must be one that is known here, spelled exactly: Go's decoder takes a name in any
 * case, so that another spelling could hide what the daemon will read. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_BODY_H
#define WRIT_GATEWAY_DOCKER_BODY_H

#include "../http/body.h"

enum docker_body {
    DOCKER_BODY_CREATE,  /* POST /containers/create */
    DOCKER_BODY_EXEC,    /* POST /containers/{}/exec */
    DOCKER_BODY_START,   /* POST /exec/{}/start */
    DOCKER_BODY_UPDATE,  /* POST /containers/{}/update */
    DOCKER_BODY_VOLUME,  /* POST /volumes/create */
    DOCKER_BODY_NETWORK, /* POST /networks/create */
    DOCKER_BODY_CONNECT, /* POST /networks/{}/connect */
};

/* False: out->wrong says why. *name: the Name that a new volume or network gets; empty
 * where there is none. */
bool docker_body_read(enum docker_body what, const json_t *body, struct body_facts *out,
                      struct slice *name);

#endif
