/* gateway/docker/endpoints.c - the table of the Engine API. */
#include "endpoints.h"

#include <string.h>

#include "../http/query.h"

/* What the API has for it, without those for BuildKit and for Windows. */
#define BUILD_PARAMS                                                                               \
    "dockerfile t extrahosts remote q nocache cachefrom pull rm forcerm memory memswap cpushares " \
    "cpusetcpus cpusetmems cpuperiod cpuquota buildargs shmsize squash labels networkmode "        \
    "platform target version ulimits cgroupparent"

const struct docker_endpoint docker_endpoints[] = {
    { "GET", "/_ping", "system.ping", DOCKER_NOTHING, DOCKER_FREE, NULL },
    { "HEAD", "/_ping", "system.ping", DOCKER_NOTHING, DOCKER_FREE, NULL },
    { "GET", "/version", "system.version", DOCKER_NOTHING, DOCKER_FREE, NULL },
    { "GET", "/info", "system.info", DOCKER_NOTHING, 0, NULL },
    { "POST", "/auth", "system.auth", DOCKER_NOTHING, 0, NULL },
    { "GET", "/events", "system.events", DOCKER_NOTHING, DOCKER_LISTS, "since until filters" },
    { "GET", "/system/df", "system.df", DOCKER_NOTHING, 0, "type verbose" },

    { "GET", "/containers/json", "containers.list", DOCKER_NOTHING, DOCKER_LISTS,
      "all limit size filters since before trunc_cmd" },
    { "POST", "/containers/create", "containers.create", DOCKER_NEW_CONTAINER, DOCKER_BODY,
      "name platform" },
    { "POST", "/containers/prune", "containers.prune", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/containers/{}/json", "containers.inspect", DOCKER_CONTAINER, 0, "size" },
    { "GET", "/containers/{}/top", "containers.top", DOCKER_CONTAINER, 0, "ps_args" },
    { "GET", "/containers/{}/logs", "containers.logs", DOCKER_CONTAINER, 0,
      "follow stdout stderr since until timestamps tail details" },
    { "GET", "/containers/{}/changes", "containers.changes", DOCKER_CONTAINER, 0, NULL },
    { "GET", "/containers/{}/export", "containers.export", DOCKER_CONTAINER, 0, NULL },
    { "GET", "/containers/{}/stats", "containers.stats", DOCKER_CONTAINER, 0, "stream one-shot" },
    { "POST", "/containers/{}/resize", "containers.resize", DOCKER_CONTAINER, 0, "h w" },
    { "POST", "/containers/{}/start", "containers.start", DOCKER_CONTAINER, DOCKER_NO_BODY,
      "detachKeys" },
    { "POST", "/containers/{}/stop", "containers.stop", DOCKER_CONTAINER, 0, "t signal" },
    { "POST", "/containers/{}/restart", "containers.restart", DOCKER_CONTAINER, 0, "t signal" },
    { "POST", "/containers/{}/kill", "containers.kill", DOCKER_CONTAINER, 0, "signal" },
    { "POST", "/containers/{}/update", "containers.update", DOCKER_CONTAINER, DOCKER_BODY, NULL },
    { "POST", "/containers/{}/rename", "containers.rename", DOCKER_CONTAINER, 0, "name" },
    { "POST", "/containers/{}/pause", "containers.pause", DOCKER_CONTAINER, 0, NULL },
    { "POST", "/containers/{}/unpause", "containers.unpause", DOCKER_CONTAINER, 0, NULL },
    { "POST", "/containers/{}/attach", "containers.attach", DOCKER_CONTAINER,
      DOCKER_HIJACKS | DOCKER_NO_BODY, "detachKeys logs stream stdin stdout stderr" },
    { "GET", "/containers/{}/attach/ws", "containers.attach", DOCKER_CONTAINER,
      DOCKER_HIJACKS | DOCKER_NO_BODY, "detachKeys logs stream stdin stdout stderr" },
    { "POST", "/containers/{}/wait", "containers.wait", DOCKER_CONTAINER, 0, "condition" },
    { "DELETE", "/containers/{}", "containers.remove", DOCKER_CONTAINER, 0, "v force link" },
    { "HEAD", "/containers/{}/archive", "containers.archive.read", DOCKER_CONTAINER, 0, "path" },
    { "GET", "/containers/{}/archive", "containers.archive.read", DOCKER_CONTAINER, 0, "path" },
    { "PUT", "/containers/{}/archive", "containers.archive.write", DOCKER_CONTAINER, 0,
      "path noOverwriteDirNonDir copyUIDGID" },
    { "POST", "/containers/{}/exec", "containers.exec", DOCKER_CONTAINER, DOCKER_BODY, NULL },
    { "POST", "/exec/{}/start", "containers.exec", DOCKER_EXEC, DOCKER_HIJACKS | DOCKER_BODY,
      NULL },
    { "POST", "/exec/{}/resize", "containers.exec", DOCKER_EXEC, 0, "h w" },
    { "GET", "/exec/{}/json", "containers.exec", DOCKER_EXEC, 0, NULL },

    { "GET", "/images/json", "images.list", DOCKER_NOTHING, DOCKER_LISTS,
      "all filter filters digests shared-size manifests only_ids" },
    { "POST", "/images/create", "images.pull", DOCKER_PULL, 0,
      "fromImage fromSrc repo tag message changes platform" },
    { "GET", "/images/search", "images.search", DOCKER_NOTHING, 0, "term limit filters" },
    { "POST", "/images/prune", "images.prune", DOCKER_NOTHING, 0, "filters" },
    { "POST", "/images/load", "images.load", DOCKER_NOTHING, 0, "quiet platform" },
    { "GET", "/images/get", "images.export", DOCKER_NOTHING, 0, "names platform" },
    { "GET", "/images/{}/json", "images.inspect", DOCKER_IMAGE, 0, "manifests platform" },
    { "GET", "/images/{}/history", "images.history", DOCKER_IMAGE, 0, "platform" },
    { "GET", "/images/{}/get", "images.export", DOCKER_IMAGE, 0, "platform" },
    { "POST", "/images/{}/push", "images.push", DOCKER_IMAGE, 0, "tag platform" },
    { "POST", "/images/{}/tag", "images.tag", DOCKER_IMAGE, 0, "repo tag" },
    { "DELETE", "/images/{}", "images.remove", DOCKER_IMAGE, 0, "force noprune platforms" },
    { "GET", "/distribution/{}/json", "distribution.inspect", DOCKER_IMAGE, 0, NULL },
    { "POST", "/build", "images.build", DOCKER_BUILD, 0, BUILD_PARAMS },
    { "POST", "/build/prune", "build.prune", DOCKER_NOTHING, 0,
      "all filters keep-storage reserved-space max-used-space min-free-space" },
    { "POST", "/build/cancel", "build.cancel", DOCKER_NOTHING, 0, "id" },
    { "POST", "/commit", "containers.commit", DOCKER_COMMIT, 0,
      "container repo tag comment author pause changes" },

    { "GET", "/volumes", "volumes.list", DOCKER_NOTHING, DOCKER_LISTS, "filters" },
    { "POST", "/volumes/create", "volumes.create", DOCKER_NEW_VOLUME, DOCKER_BODY, NULL },
    { "POST", "/volumes/prune", "volumes.prune", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/volumes/{}", "volumes.inspect", DOCKER_VOLUME, 0, NULL },
    { "PUT", "/volumes/{}", "volumes.update", DOCKER_VOLUME, 0, "version" },
    { "DELETE", "/volumes/{}", "volumes.remove", DOCKER_VOLUME, 0, "force" },

    { "GET", "/networks", "networks.list", DOCKER_NOTHING, DOCKER_LISTS, "filters" },
    { "POST", "/networks/create", "networks.create", DOCKER_NEW_NETWORK, DOCKER_BODY, NULL },
    { "POST", "/networks/prune", "networks.prune", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/networks/{}", "networks.inspect", DOCKER_NETWORK, 0, "verbose scope" },
    { "DELETE", "/networks/{}", "networks.remove", DOCKER_NETWORK, 0, NULL },
    { "POST", "/networks/{}/connect", "networks.connect", DOCKER_NETWORK, DOCKER_BODY, NULL },
    { "POST", "/networks/{}/disconnect", "networks.disconnect", DOCKER_NETWORK, 0, NULL },

    /* A session lets the client's BuildKit call whatever it likes behind one decision. */
    { "POST", "/session", "build.session", DOCKER_NOTHING, DOCKER_NEVER, NULL },
    { "POST", "/grpc", "build.session", DOCKER_NOTHING, DOCKER_NEVER, NULL },
    /* Services run containers with all that a container may have. */
    { "POST", "/services/create", "services.create", DOCKER_NOTHING, DOCKER_NEVER, NULL },
    { "POST", "/services/{}/update", "services.update", DOCKER_OTHER, DOCKER_NEVER, NULL },
    { "GET", "/services", "services.list", DOCKER_NOTHING, 0, "filters status" },
    { "GET", "/services/{}", "services.inspect", DOCKER_OTHER, 0, "insertDefaults" },
    { "GET", "/services/{}/logs", "services.logs", DOCKER_OTHER, 0,
      "details follow stdout stderr since timestamps tail" },
    { "DELETE", "/services/{}", "services.remove", DOCKER_OTHER, 0, NULL },
    { "GET", "/tasks", "tasks.list", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/tasks/{}", "tasks.inspect", DOCKER_OTHER, 0, NULL },
    { "GET", "/tasks/{}/logs", "tasks.logs", DOCKER_OTHER, 0,
      "details follow stdout stderr since timestamps tail" },
    { "GET", "/swarm", "swarm.inspect", DOCKER_NOTHING, 0, NULL },
    { "POST", "/swarm/init", "swarm.init", DOCKER_NOTHING, 0, NULL },
    { "POST", "/swarm/join", "swarm.join", DOCKER_NOTHING, 0, NULL },
    { "POST", "/swarm/leave", "swarm.leave", DOCKER_NOTHING, 0, "force" },
    { "POST", "/swarm/update", "swarm.update", DOCKER_NOTHING, 0,
      "version rotateWorkerToken rotateManagerToken rotateManagerUnlockKey" },
    { "GET", "/swarm/unlockkey", "swarm.unlockkey", DOCKER_NOTHING, 0, NULL },
    { "POST", "/swarm/unlock", "swarm.unlock", DOCKER_NOTHING, 0, NULL },
    { "GET", "/nodes", "nodes.list", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/nodes/{}", "nodes.inspect", DOCKER_OTHER, 0, NULL },
    { "DELETE", "/nodes/{}", "nodes.remove", DOCKER_OTHER, 0, "force" },
    { "POST", "/nodes/{}/update", "nodes.update", DOCKER_OTHER, 0, "version" },
    { "GET", "/secrets", "secrets.list", DOCKER_NOTHING, 0, "filters" },
    { "POST", "/secrets/create", "secrets.create", DOCKER_NOTHING, 0, NULL },
    { "GET", "/secrets/{}", "secrets.inspect", DOCKER_OTHER, 0, NULL },
    { "DELETE", "/secrets/{}", "secrets.remove", DOCKER_OTHER, 0, NULL },
    { "POST", "/secrets/{}/update", "secrets.update", DOCKER_OTHER, 0, "version" },
    { "GET", "/configs", "configs.list", DOCKER_NOTHING, 0, "filters" },
    { "POST", "/configs/create", "configs.create", DOCKER_NOTHING, 0, NULL },
    { "GET", "/configs/{}", "configs.inspect", DOCKER_OTHER, 0, NULL },
    { "DELETE", "/configs/{}", "configs.remove", DOCKER_OTHER, 0, NULL },
    { "POST", "/configs/{}/update", "configs.update", DOCKER_OTHER, 0, "version" },
    /* Plugins run on the host. */
    { "GET", "/plugins", "plugins.list", DOCKER_NOTHING, 0, "filters" },
    { "GET", "/plugins/privileges", "plugins.privileges", DOCKER_NOTHING, 0, "remote" },
    { "POST", "/plugins/pull", "plugins.pull", DOCKER_NOTHING, DOCKER_NEVER, NULL },
    { "POST", "/plugins/create", "plugins.create", DOCKER_NOTHING, DOCKER_NEVER, NULL },
    { "GET", "/plugins/{}/json", "plugins.inspect", DOCKER_OTHER, 0, NULL },
    { "DELETE", "/plugins/{}", "plugins.remove", DOCKER_OTHER, 0, "force" },
    { "POST", "/plugins/{}/enable", "plugins.enable", DOCKER_OTHER, 0, "timeout" },
    { "POST", "/plugins/{}/disable", "plugins.disable", DOCKER_OTHER, 0, "force" },
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

/* --- the query ------------------------------------------------------------------------------ */

static bool
is_among(struct slice name, const char *words)
{
    struct slice rest = slice_text(words), word;

    while (slice_next(&rest, ' ', &word)) {
        if (slice_equal(word, name))
            return true;
    }
    return false;
}

bool
docker_query_is_known(const struct docker_endpoint *endpoint, struct slice query,
                      struct arena *arena, struct slice *unknown)
{
    struct slice value;
    bool clear;

    *unknown = SLICE_LITERAL("/libpod");
    /* Podman looks for its own API in the whole of the target. */
    if (slice_contains_nocase(query, *unknown))
        return false;
    while (query_next(&query, arena, unknown, &value, &clear)) {
        if (unknown->size > 0 && !is_among(*unknown, endpoint->params))
            return false;
    }
    *unknown = slice_of("", 0);
    return clear;
}
