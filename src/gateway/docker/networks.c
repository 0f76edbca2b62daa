/* gateway/docker/networks.c - which networks a container is put into, and what a new one is made
 * of. */
#include "config.h"

#include "reference.h"

/* Podman has modes beside names: "ns:/path", "slirp4netns:option", "pasta", "pod". */
static bool
is_dangerous(struct slice name)
{
    static const char *const modes[] = { "host",    "pasta", "slirp4netns", "pod",
                                         "private", "ns",    "container" };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (slice_is(name, modes[i]))
            return true;
    }
    return !docker_is_name(name);
}

static void
add_network(struct body_facts *out, struct slice name)
{
    if (name.size == 0 || slice_is(name, "default"))
        name = SLICE_LITERAL("bridge");
    body_fact_add(out, "network", name, is_dangerous(name));
}

void
docker_read_endpoint(struct body_facts *out, const json_t *settings)
{
    static const char *const known[] = { "IPAMConfig",        "Links",
                                         "Aliases",           "MacAddress",
                                         "DriverOpts",        "GwPriority",
                                         "NetworkID",         "EndpointID",
                                         "Gateway",           "IPAddress",
                                         "IPPrefixLen",       "IPv6Gateway",
                                         "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                                         "DNSNames",          NULL };
    struct slice id;

    if (settings == NULL || json_is_null(settings) || !body_only(settings, known, out))
        return;
    /* The Docker Engine takes it before the name that the settings stand under. */
    id = body_take_text(settings, "NetworkID", out);
    if (id.size > 0)
        body_fact_add(out, "network", id, true);
    docker_add_items(out, settings, "Links");
    /* Kernel settings of the interface among them. */
    docker_add_names(out, body_take_object(settings, "DriverOpts", out), "DriverOpts");
}

void
docker_read_networks(struct body_facts *out, const json_t *config, struct slice mode)
{
    static const char *const known[] = { "EndpointsConfig", NULL };
    const char *name;
    json_t *value;

    add_network(out, mode);
    if (config == NULL || !body_only(config, known, out))
        return;
    json_object_foreach((json_t *)(uintptr_t)body_take_object(config, "EndpointsConfig", out), name,
                        value)
    {
        if (!slice_is(mode, name))
            add_network(out, slice_text(name));
        docker_read_endpoint(out, value);
    }
}

void
docker_read_network(struct body_facts *out, const json_t *body, struct slice *name)
{
    static const char *const known[] = { "Name",       "CheckDuplicate", "Driver",     "Scope",
                                         "EnableIPv4", "EnableIPv6",     "IPAM",       "Internal",
                                         "Attachable", "Ingress",        "ConfigOnly", "ConfigFrom",
                                         "Options",    "Labels",         NULL };
    static const char *const ipam_known[] = { "Driver", "Config", "Options", NULL };
    const json_t *ipam;

    if (!body_only(body, known, out))
        return;
    *name = body_take_text(body, "Name", out);
    /* Others put containers on the host's own wires, and so do some options of this one. */
    docker_add_text_option(out, body, "Driver", "bridge");
    docker_add_names(out, body_take_object(body, "Options", out), "Options");
    docker_add_names(out, body_take_object(body, "ConfigFrom", out), "ConfigFrom");
    ipam = body_take_object(body, "IPAM", out);
    if (ipam == NULL || !body_only(ipam, ipam_known, out))
        return;
    if (!slice_is(body_take_text(ipam, "Driver", out), "default"))
        docker_add_text_option(out, ipam, "Driver", "");
    docker_add_names(out, body_take_object(ipam, "Options", out), "IPAM");
}
