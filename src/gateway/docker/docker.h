/* gateway/docker/docker.h - the Docker Engine API behind the HTTP door. */
#ifndef WRIT_GATEWAY_DOCKER_DOCKER_H
#define WRIT_GATEWAY_DOCKER_DOCKER_H

#include "../http/dialect.h"

extern const struct dialect docker_dialect;

#endif
