/* gateway/docker/lists.h - lists and events, with what the token may not see left out. */
#ifndef WRIT_GATEWAY_DOCKER_LISTS_H
#define WRIT_GATEWAY_DOCKER_LISTS_H

#include "../http/dialect.h"
#include "endpoints.h"

/* NULL: out of memory. The passage outlives it. */
struct body_filter *docker_filter_new(struct passage *passage,
                                      const struct docker_endpoint *endpoint);

#endif
