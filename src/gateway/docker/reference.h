/* gateway/docker/reference.h - names of images as the daemon reads them (the grammar of
 * distribution/reference): "nginx" is docker.io/library/nginx:latest. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_REFERENCE_H
#define WRIT_GATEWAY_DOCKER_REFERENCE_H

#include "base/arena.h"

/* The full name, with its tag or digest. What may be an id (64 or fewer hexadecimal digits)
 * becomes sha256:…, which no rule on names means. False: it is no reference. */
bool docker_reference(struct slice text, struct arena *arena, struct slice *out);
/* The same of a repository and a tag or digest, as queries have them. */
bool docker_reference_of(struct slice repository, struct slice tag, struct arena *arena,
                         struct slice *out);

/* Whether it is a name or id as the daemon gives to containers, volumes and networks: letters and
 * digits, and after the first "_.-" as well. */
bool docker_is_name(struct slice text);

#endif
