/* gateway/docker/endpoints.c - the table of the Engine API. */
#include "endpoints.h"

#include <string.h>

const struct docker_endpoint docker_endpoints[] = {
    { "GET", "/_ping", "system.ping", DOCKER_NOTHING, DOCKER_FREE },
    { "HEAD", "/_ping", "system.ping", DOCKER_NOTHING, DOCKER_FREE },
    { "GET", "/version", "system.version", DOCKER_NOTHING, DOCKER_FREE },
    { "GET", "/info", "system.info", DOCKER_NOTHING, 0 },
    { "POST", "/auth", "system.auth", DOCKER_NOTHING, 0 },
    { "GET", "/events", "system.events", DOCKER_NOTHING, DOCKER_LISTS },
    { "GET", "/system/df", "system.df", DOCKER_NOTHING, 0 },

    { "GET", "/containers/json", "containers.list", DOCKER_NOTHING, DOCKER_LISTS },
    { "POST", "/containers/create", "containers.create", DOCKER_NEW_CONTAINER, DOCKER_BODY },
    { "POST", "/containers/prune", "containers.prune", DOCKER_NOTHING, 0 },
    { "GET", "/containers/{}/json", "containers.inspect", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/top", "containers.top", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/logs", "containers.logs", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/changes", "containers.changes", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/export", "containers.export", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/stats", "containers.stats", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/resize", "containers.resize", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/start", "containers.start", DOCKER_CONTAINER, DOCKER_NO_BODY },
    { "POST", "/containers/{}/stop", "containers.stop", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/restart", "containers.restart", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/kill", "containers.kill", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/update", "containers.update", DOCKER_CONTAINER, DOCKER_BODY },
    { "POST", "/containers/{}/rename", "containers.rename", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/pause", "containers.pause", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/unpause", "containers.unpause", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/attach", "containers.attach", DOCKER_CONTAINER,
      DOCKER_HIJACKS | DOCKER_NO_BODY },
    { "GET", "/containers/{}/attach/ws", "containers.attach", DOCKER_CONTAINER,
      DOCKER_HIJACKS | DOCKER_NO_BODY },
    { "POST", "/containers/{}/wait", "containers.wait", DOCKER_CONTAINER, 0 },
    { "DELETE", "/containers/{}", "containers.remove", DOCKER_CONTAINER, 0 },
    { "HEAD", "/containers/{}/archive", "containers.archive.read", DOCKER_CONTAINER, 0 },
    { "GET", "/containers/{}/archive", "containers.archive.read", DOCKER_CONTAINER, 0 },
    { "PUT", "/containers/{}/archive", "containers.archive.write", DOCKER_CONTAINER, 0 },
    { "POST", "/containers/{}/exec", "containers.exec", DOCKER_CONTAINER, DOCKER_BODY },
    { "POST", "/exec/{}/start", "containers.exec", DOCKER_EXEC, DOCKER_HIJACKS | DOCKER_BODY },
    { "POST", "/exec/{}/resize", "containers.exec", DOCKER_EXEC, 0 },
    { "GET", "/exec/{}/json", "containers.exec", DOCKER_EXEC, 0 },

    { "GET", "/images/json", "images.list", DOCKER_NOTHING, DOCKER_LISTS },
    { "POST", "/images/create", "images.pull", DOCKER_PULL, 0 },
    { "GET", "/images/search", "images.search", DOCKER_NOTHING, 0 },
    { "POST", "/images/prune", "images.prune", DOCKER_NOTHING, 0 },
    { "POST", "/images/load", "images.load", DOCKER_NOTHING, 0 },
    { "GET", "/images/get", "images.export", DOCKER_NOTHING, 0 },
    { "GET", "/images/{}/json", "images.inspect", DOCKER_IMAGE, 0 },
    { "GET", "/images/{}/history", "images.history", DOCKER_IMAGE, 0 },
    { "GET", "/images/{}/get", "images.export", DOCKER_IMAGE, 0 },
    { "POST", "/images/{}/push", "images.push", DOCKER_IMAGE, 0 },
    { "POST", "/images/{}/tag", "images.tag", DOCKER_IMAGE, 0 },
    { "DELETE", "/images/{}", "images.remove", DOCKER_IMAGE, 0 },
    { "GET", "/distribution/{}/json", "distribution.inspect", DOCKER_IMAGE, 0 },
    { "POST", "/build", "images.build", DOCKER_BUILD, 0 },
    { "POST", "/build/prune", "build.prune", DOCKER_NOTHING, 0 },
    { "POST", "/build/cancel", "build.cancel", DOCKER_NOTHING, 0 },
    { "POST", "/commit", "containers.commit", DOCKER_COMMIT, 0 },

    { "GET", "/volumes", "volumes.list", DOCKER_NOTHING, DOCKER_LISTS },
    { "POST", "/volumes/create", "volumes.create", DOCKER_NEW_VOLUME, DOCKER_BODY },
    { "POST", "/volumes/prune", "volumes.prune", DOCKER_NOTHING, 0 },
    { "GET", "/volumes/{}", "volumes.inspect", DOCKER_VOLUME, 0 },
    { "PUT", "/volumes/{}", "volumes.update", DOCKER_VOLUME, 0 },
    { "DELETE", "/volumes/{}", "volumes.remove", DOCKER_VOLUME, 0 },

    { "GET", "/networks", "networks.list", DOCKER_NOTHING, DOCKER_LISTS },
    { "POST", "/networks/create", "networks.create", DOCKER_NEW_NETWORK, DOCKER_BODY },
    { "POST", "/networks/prune", "networks.prune", DOCKER_NOTHING, 0 },
    { "GET", "/networks/{}", "networks.inspect", DOCKER_NETWORK, 0 },
    { "DELETE", "/networks/{}", "networks.remove", DOCKER_NETWORK, 0 },
    { "POST", "/networks/{}/connect", "networks.connect", DOCKER_NETWORK, 0 },
    { "POST", "/networks/{}/disconnect", "networks.disconnect", DOCKER_NETWORK, 0 },

    /* A session lets the client's BuildKit call whatever it likes behind one decision. */
    { "POST", "/session", "build.session", DOCKER_NOTHING, DOCKER_NEVER },
    { "POST", "/grpc", "build.session", DOCKER_NOTHING, DOCKER_NEVER },
    /* Services run containers with all that a container may have. */
    { "POST", "/services/create", "services.create", DOCKER_NOTHING, DOCKER_NEVER },
    { "POST", "/services/{}/update", "services.update", DOCKER_OTHER, DOCKER_NEVER },
    { "GET", "/services", "services.list", DOCKER_NOTHING, 0 },
    { "GET", "/services/{}", "services.inspect", DOCKER_OTHER, 0 },
    { "GET", "/services/{}/logs", "services.logs", DOCKER_OTHER, 0 },
    { "DELETE", "/services/{}", "services.remove", DOCKER_OTHER, 0 },
    { "GET", "/tasks", "tasks.list", DOCKER_NOTHING, 0 },
    { "GET", "/tasks/{}", "tasks.inspect", DOCKER_OTHER, 0 },
    { "GET", "/tasks/{}/logs", "tasks.logs", DOCKER_OTHER, 0 },
    { "GET", "/swarm", "swarm.inspect", DOCKER_NOTHING, 0 },
    { "POST", "/swarm/init", "swarm.init", DOCKER_NOTHING, 0 },
    { "POST", "/swarm/join", "swarm.join", DOCKER_NOTHING, 0 },
    { "POST", "/swarm/leave", "swarm.leave", DOCKER_NOTHING, 0 },
    { "POST", "/swarm/update", "swarm.update", DOCKER_NOTHING, 0 },
    { "GET", "/swarm/unlockkey", "swarm.unlockkey", DOCKER_NOTHING, 0 },
    { "POST", "/swarm/unlock", "swarm.unlock", DOCKER_NOTHING, 0 },
    { "GET", "/nodes", "nodes.list", DOCKER_NOTHING, 0 },
    { "GET", "/nodes/{}", "nodes.inspect", DOCKER_OTHER, 0 },
    { "DELETE", "/nodes/{}", "nodes.remove", DOCKER_OTHER, 0 },
    { "POST", "/nodes/{}/update", "nodes.update", DOCKER_OTHER, 0 },
    { "GET", "/secrets", "secrets.list", DOCKER_NOTHING, 0 },
    { "POST", "/secrets/create", "secrets.create", DOCKER_NOTHING, 0 },
    { "GET", "/secrets/{}", "secrets.inspect", DOCKER_OTHER, 0 },
    { "DELETE", "/secrets/{}", "secrets.remove", DOCKER_OTHER, 0 },
    { "POST", "/secrets/{}/update", "secrets.update", DOCKER_OTHER, 0 },
    { "GET", "/configs", "configs.list", DOCKER_NOTHING, 0 },
    { "POST", "/configs/create", "configs.create", DOCKER_NOTHING, 0 },
    { "GET", "/configs/{}", "configs.inspect", DOCKER_OTHER, 0 },
    { "DELETE", "/configs/{}", "configs.remove", DOCKER_OTHER, 0 },
    { "POST", "/configs/{}/update", "configs.update", DOCKER_OTHER, 0 },
    /* Plugins run on the host. */
    { "GET", "/plugins", "plugins.list", DOCKER_NOTHING, 0 },
    { "GET", "/plugins/privileges", "plugins.privileges", DOCKER_NOTHING, 0 },
    { "POST", "/plugins/pull", "plugins.pull", DOCKER_NOTHING, DOCKER_NEVER },
    { "POST", "/plugins/create", "plugins.create", DOCKER_NOTHING, DOCKER_NEVER },
    { "GET", "/plugins/{}/json", "plugins.inspect", DOCKER_OTHER, 0 },
    { "DELETE", "/plugins/{}", "plugins.remove", DOCKER_OTHER, 0 },
    { "POST", "/plugins/{}/enable", "plugins.enable", DOCKER_OTHER, 0 },
    { "POST", "/plugins/{}/disable", "plugins.disable", DOCKER_OTHER, 0 },
};
const size_t docker_endpoint_count = sizeof docker_endpoints / sizeof docker_endpoints[0];

/* "/v1.41" of "/v1.41/containers/json". Before 1.24 a daemon read bodies otherwise. */
static bool
take_version(struct slice path, struct slice *version, const char **why)
{
    uint64_t minor;
    size_t end;

    *version = slice_of(path.at, 0);
    if (path.size < 3 || path.at[1] != 'v' || path.at[2] < '0' || path.at[2] > '9')
        return true;
    end = 1 + slice_find(slice_from(path, 1), '/');
    *why = "the API's version must be from 1.24 on";
    if (!slice_starts(path, SLICE_LITERAL("/v1.")) ||
        !slice_u64(slice_of(path.at + 4, end - 4), &minor) || minor < 24 || minor > 999)
        return false;
    *version = slice_first(path, end);
    return true;
}

/* Names of images have several segments, so that the {} takes as much as it can. */
static bool
fits(const struct docker_endpoint *endpoint, struct slice path, struct docker_path *out)
{
    const char *hole = strchr(endpoint->path, '{');

    if (hole == NULL)
        return slice_is(path, endpoint->path);
    struct slice before = slice_of(endpoint->path, (size_t)(hole - endpoint->path));
    struct slice after = slice_text(hole + 2);
    if (path.size <= before.size + after.size || !slice_starts(path, before) ||
        !slice_ends(path, after))
        return false;
    struct slice name = slice_of(path.at + before.size, path.size - before.size - after.size);
    if (endpoint->kind != DOCKER_IMAGE && slice_find(name, '/') < name.size)
        return false;
    out->name = name;
    out->before = slice_first(path, before.size);
    out->after = slice_from(path, before.size + name.size);
    return true;
}

/* A path without a hole is meant before one with: "/images/json" is no image. */
bool
docker_path_find(struct slice method, struct slice path, struct docker_path *out, const char **why)
{
    *out = (struct docker_path){ 0 };
    if (!take_version(path, &out->version, why))
        return false;
    path = slice_from(path, out->version.size);
    for (size_t i = 0; i < docker_endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &docker_endpoints[i];

        if (!slice_is(method, endpoint->method) || !fits(endpoint, path, out))
            continue;
        out->endpoint = endpoint;
        return true;
    }
    *why = "this is no endpoint of the Docker Engine API that this gateway knows";
    return false;
}
