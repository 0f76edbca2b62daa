/* gateway/docker/config.h - the parts of a container's body, each read into facts. What the Docker
 * Engine and Podman read differently is taken only where both mean the same. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_CONFIG_H
#define WRIT_GATEWAY_DOCKER_CONFIG_H

#include "../http/body.h"

/* Without a byte that ends a field where Podman puts several into one line: a comma, a double
 * quote, a backslash, a control byte. */
bool docker_is_plain(struct slice text);
/* "Member=text", guarded, unless the text is empty or the harmless one. */
void docker_add_text_option(struct body_facts *out, const json_t *config, const char *member,
                            const char *harmless);
/* "Member=name" for each name of the object's, guarded. */
void docker_add_names(struct body_facts *out, const json_t *object, const char *member);
/* "Member=text" for each of a list, guarded. */
void docker_add_items(struct body_facts *out, const json_t *config, const char *member);
/* An item without "=" takes what Podman's service has in its own environment: guarded. */
void docker_read_env(struct body_facts *out, const json_t *config);

/* mounts.c: Binds, Mounts, Tmpfs and VolumesFrom of a HostConfig. */
void docker_read_mounts(struct body_facts *out, const json_t *config);

/* networks.c: the mode of a HostConfig, and NetworkingConfig (NULL: none). */
void docker_read_networks(struct body_facts *out, const json_t *config, struct slice mode);
/* What one container gets in one network. */
void docker_read_endpoint(struct body_facts *out, const json_t *settings);
/* The body of a new network. */
void docker_read_network(struct body_facts *out, const json_t *body, struct slice *name);

/* host_config.c */
void docker_read_host_config(struct body_facts *out, const json_t *config);

#endif
