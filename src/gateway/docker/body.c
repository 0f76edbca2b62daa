/* gateway/docker/body.c - from a body to facts. */
#include "body.h"

#include <string.h>

#include "reference.h"

/* --- mounts -------------------------------------------------------------------------- */

static void
add_host_mount(struct body_facts *out, struct slice source, bool writes)
{
    struct slice path, text;

    if (!body_host_path(source, out->arena, &path)) {
        (void)body_wrong(out, "a mount's source is neither a volume's name nor an absolute path");
        return;
    }
    text = arena_format(out->arena, "%.*s:%s", SLICE_PRINT(path), writes ? "rw" : "ro");
    if (text.at == NULL)
        (void)body_wrong(out, "the body asks for more than can be judged");
    body_fact_add(out, "mount", text, true);
}

static bool
names_volume(struct slice source)
{
    return source.size > 0 && slice_find(source, '/') == source.size &&
           slice_find(source, '\\') == source.size;
}

static bool
mode_writes(struct slice mode)
{
    struct slice word;

    while (slice_next(&mode, ',', &word)) {
        if (slice_is(word, "ro"))
            return false;
    }
    return true;
}

/* "source:target[:mode]", or a target alone. */
static void
add_bind(struct body_facts *out, struct slice bind)
{
    struct slice source, target, mode = { 0 }, rest = bind;

    (void)slice_next(&rest, ':', &source);
    if (rest.size == 0)
        return; /* an anonymous volume */
    (void)slice_next(&rest, ':', &target);
    if (rest.size > 0)
        (void)slice_next(&rest, ':', &mode);
    if (rest.size > 0 || target.size == 0) {
        (void)body_wrong(out, "a bind is source:target:mode");
        return;
    }
    if (!names_volume(source))
        add_host_mount(out, source, mode_writes(mode));
}

static void
add_volume_options(struct body_facts *out, const json_t *options)
{
    static const char *const known[] = { "NoCopy", "Labels", "DriverConfig", "Subpath", NULL };
    static const char *const driver_known[] = { "Name", "Options", NULL };
    const json_t *driver;
    struct slice name;

    if (options == NULL || !body_only(options, known, out))
        return;
    driver = body_take_object(options, "DriverConfig", out);
    if (driver == NULL || !body_only(driver, driver_known, out))
        return;
    name = body_take_text(driver, "Name", out);
    /* A local volume with options may be a bind of any path, or a share of another host. */
    if ((name.size > 0 && !slice_is(name, "local")) ||
        json_object_size(body_take_object(driver, "Options", out)) > 0)
        body_add_option(out, "DriverConfig", name);
}

static void
add_mount(struct body_facts *out, const json_t *mount)
{
    static const char *const known[] = {
        "Type",        "Source",       "Target",        "ReadOnly",     "Consistency",
        "BindOptions", "TmpfsOptions", "VolumeOptions", "ImageOptions", NULL
    };
    struct slice type, source;

    if (!body_only(mount, known, out))
        return;
    type = body_take_text(mount, "Type", out);
    source = body_take_text(mount, "Source", out);
    if (slice_is(type, "bind")) {
        add_host_mount(out, source, !body_take_truth(mount, "ReadOnly", out));
    } else if (slice_is(type, "volume")) {
        if (source.size > 0 && !names_volume(source))
            (void)body_wrong(out, "a volume's name is no path");
        add_volume_options(out, body_take_object(mount, "VolumeOptions", out));
    } else if (slice_is(type, "tmpfs")) {
        return;
    } else {
        body_add_option(out, "Mount", type);
    }
}

/* --- the host's side of a container ---------------------------------------------------- */

static void
add_options(struct body_facts *out, const json_t *config, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, member, out), i, item)
        body_add_option(out, member, body_item_text(item, out));
}

static void
add_security(struct body_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, "SecurityOpt", out), i, item)
    {
        struct slice text = body_item_text(item, out);
        bool tightens = slice_is(text, "no-new-privileges") ||
                        slice_is(text, "no-new-privileges:true") ||
                        slice_is(text, "no-new-privileges=true");

        body_fact_add(out, "security_opt", text, !tightens);
    }
}

static void
add_devices(struct body_facts *out, const json_t *config)
{
    static const char *const known[] = { "PathOnHost", "PathInContainer", "CgroupPermissions",
                                         NULL };
    const json_t *item;
    struct slice path;
    size_t i;

    json_array_foreach(body_take_list(config, "Devices", out), i, item)
    {
        if (!body_only(item, known, out))
            return;
        if (!body_host_path(body_take_text(item, "PathOnHost", out), out->arena, &path))
            (void)body_wrong(out, "a device's path is not absolute");
        else
            body_fact_add(out, "device", path, true);
    }
    if (json_array_size(body_take_list(config, "DeviceRequests", out)) > 0)
        body_fact_add(out, "device", SLICE_LITERAL("request"), true);
    add_options(out, config, "DeviceCgroupRules");
}

static void
add_mounts(struct body_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, "Binds", out), i, item)
        add_bind(out, body_item_text(item, out));
    json_array_foreach(body_take_list(config, "Mounts", out), i, item) add_mount(out, item);
    add_options(out, config, "VolumesFrom");
}

static void
add_network(struct body_facts *out, struct slice name)
{
    bool guarded = slice_is(name, "host") || slice_starts(name, SLICE_LITERAL("container:"));

    if (name.size == 0 || slice_is(name, "default"))
        name = SLICE_LITERAL("bridge");
    body_fact_add(out, "network", name, guarded);
}

/* The namespaces of others: "host", "container:x", "ns:/path". */
static void
add_namespaces(struct body_facts *out, const json_t *config)
{
    static const struct {
        const char *member, *fact;
        const char *own[4]; /* values that share nothing */
    } spaces[] = {
        { "PidMode", "pid", { "", "private" } },
        { "IpcMode", "ipc", { "", "private", "shareable", "none" } },
        { "UTSMode", "uts", { "" } },
        { "UsernsMode", "userns", { "", "private" } },
        { "CgroupnsMode", "cgroupns", { "", "private" } },
    };

    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        struct slice mode = body_take_text(config, spaces[i].member, out);
        bool own = false;

        for (size_t j = 0; j < 4 && spaces[i].own[j] != NULL; j++)
            own = own || slice_is(mode, spaces[i].own[j]);
        if (!own)
            body_fact_add(out, spaces[i].fact, mode, true);
    }
}

static void
add_text_option(struct body_facts *out, const json_t *config, const char *member,
                const char *harmless)
{
    struct slice text = body_take_text(config, member, out);

    if (text.size > 0 && !slice_is(text, harmless))
        body_add_option(out, member, text);
}

static void
add_log(struct body_facts *out, const json_t *log)
{
    static const char *const known[] = { "Type", "Config", NULL };
    static const char *const local[] = { "", "json-file", "local", "none", "journald", NULL };
    struct slice type;

    if (log == NULL || !body_only(log, known, out))
        return;
    type = body_take_text(log, "Type", out);
    for (size_t i = 0; local[i] != NULL; i++) {
        if (slice_is(type, local[i]))
            return;
    }
    body_add_option(out, "LogConfig", type);
}

static void
add_other_options(struct body_facts *out, const json_t *config)
{
    const char *name;
    json_t *value;

    add_text_option(out, config, "Runtime", "runc");
    add_text_option(out, config, "CgroupParent", "");
    add_text_option(out, config, "Cgroup", "");
    add_text_option(out, config, "VolumeDriver", "local");
    add_options(out, config, "GroupAdd");
    add_options(out, config, "Links");
    add_log(out, body_take_object(config, "LogConfig", out));
    json_object_foreach((json_t *)(uintptr_t)body_take_object(config, "Sysctls", out), name, value)
        body_add_option(out, "Sysctls", slice_text(name));
    /* null leaves the daemon's own; a list takes the place of it. */
    if (body_take_list(config, "MaskedPaths", out) != NULL)
        body_add_option(out, "MaskedPaths", SLICE_LITERAL(""));
    if (body_take_list(config, "ReadonlyPaths", out) != NULL)
        body_add_option(out, "ReadonlyPaths", SLICE_LITERAL(""));
    if (json_integer_value(json_object_get(config, "OomScoreAdj")) < 0)
        body_add_option(out, "OomScoreAdj", SLICE_LITERAL("-"));
}

static const char *const host_config[] = {
    /* looked at */
    "Binds", "Mounts", "VolumesFrom", "VolumeDriver", "NetworkMode", "Privileged", "CapAdd",
    "Capabilities", "SecurityOpt", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode",
    "Devices", "DeviceCgroupRules", "DeviceRequests", "Runtime", "CgroupParent", "Cgroup",
    "GroupAdd", "Links", "LogConfig", "Sysctls", "MaskedPaths", "ReadonlyPaths", "OomScoreAdj",
    /* limits, names and addresses of the container itself */
    "ContainerIDFile", "PortBindings", "RestartPolicy", "AutoRemove", "CapDrop", "Dns",
    "DnsOptions", "DnsSearch", "ExtraHosts", "PublishAllPorts", "ReadonlyRootfs", "StorageOpt",
    "Tmpfs", "ShmSize", "ConsoleSize", "Isolation", "Init", "Annotations", "CpuShares", "Memory",
    "NanoCpus", "BlkioWeight", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems", "KernelMemory", "KernelMemoryTCP",
    "MemoryReservation", "MemorySwap", "MemorySwappiness", "OomKillDisable", "PidsLimit", "Ulimits",
    "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth", NULL
};

static void
read_host_config(struct body_facts *out, const json_t *config)
{
    if (!body_only(config, host_config, out))
        return;
    if (body_take_truth(config, "Privileged", out))
        body_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
    add_mounts(out, config);
    body_add_capabilities(out, config, "CapAdd");
    body_add_capabilities(out, config, "Capabilities");
    add_security(out, config);
    add_devices(out, config);
    add_namespaces(out, config);
    add_other_options(out, config);
}

/* --- whole bodies --------------------------------------------------------------------- */

static void
read_networks(struct body_facts *out, const json_t *config, struct slice mode)
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
    }
}

static void
read_image(struct body_facts *out, struct slice text)
{
    struct slice image;

    if (docker_reference(text, out->arena, &image))
        body_fact_add(out, "image", image, false);
    else
        (void)body_wrong(out, "the image is no reference that can be judged");
}

/* A health check runs in the container again and again. */
static void
read_health(struct body_facts *out, const json_t *health)
{
    static const char *const known[] = { "Test",        "Interval",      "Timeout", "Retries",
                                         "StartPeriod", "StartInterval", NULL };
    const json_t *test;

    if (health == NULL || !body_only(health, known, out))
        return;
    test = body_take_list(health, "Test", out);
    if (json_array_size(test) > 1)
        body_add_command(out, test, NULL);
}

static void
read_create(struct body_facts *out, const json_t *body)
{
    static const char *const known[] = { "Hostname",
                                         "Domainname",
                                         "User",
                                         "AttachStdin",
                                         "AttachStdout",
                                         "AttachStderr",
                                         "ExposedPorts",
                                         "Tty",
                                         "OpenStdin",
                                         "StdinOnce",
                                         "Env",
                                         "Cmd",
                                         "Healthcheck",
                                         "ArgsEscaped",
                                         "Image",
                                         "Volumes",
                                         "WorkingDir",
                                         "Entrypoint",
                                         "NetworkDisabled",
                                         "MacAddress",
                                         "OnBuild",
                                         "Labels",
                                         "StopSignal",
                                         "StopTimeout",
                                         "Shell",
                                         "HostConfig",
                                         "NetworkingConfig",
                                         NULL };
    const json_t *host;
    const char *name;
    json_t *value;
    struct slice user;

    if (!body_only(body, known, out))
        return;
    read_image(out, body_take_text(body, "Image", out));
    body_add_command(out, json_object_get(body, "Entrypoint"), json_object_get(body, "Cmd"));
    read_health(out, body_take_object(body, "Healthcheck", out));
    user = body_take_text(body, "User", out);
    if (user.size > 0)
        body_fact_add(out, "user", user, false);
    json_object_foreach((json_t *)(uintptr_t)body_take_object(body, "Volumes", out), name, value)
    {
        if (strchr(name, ':') != NULL)
            (void)body_wrong(out, "a volume's place in the container holds a colon");
    }
    host = body_take_object(body, "HostConfig", out);
    if (host != NULL)
        read_host_config(out, host);
    read_networks(out, body_take_object(body, "NetworkingConfig", out),
                  body_take_text(host, "NetworkMode", out));
}

static void
read_exec(struct body_facts *out, const json_t *body)
{
    static const char *const known[] = { "User",        "Privileged",   "Tty",
                                         "AttachStdin", "AttachStderr", "AttachStdout",
                                         "Detach",      "DetachKeys",   "Env",
                                         "WorkingDir",  "Cmd",          "ConsoleSize",
                                         NULL };
    struct slice user;

    if (!body_only(body, known, out))
        return;
    body_add_command(out, json_object_get(body, "Cmd"), NULL);
    user = body_take_text(body, "User", out);
    if (user.size > 0)
        body_fact_add(out, "user", user, false);
    if (body_take_truth(body, "Privileged", out))
        body_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
}

/* What it runs was said when it was made. */
static void
read_start(struct body_facts *out, const json_t *body)
{
    static const char *const known[] = { "Detach", "Tty", "ConsoleSize", NULL };

    (void)body_only(body, known, out);
}

static void
read_volume(struct body_facts *out, const json_t *body, struct slice *name)
{
    static const char *const known[] = {
        "Name", "Driver", "DriverOpts", "Labels", "ClusterVolumeSpec", NULL
    };
    const char *option;
    json_t *value;

    if (!body_only(body, known, out))
        return;
    *name = body_take_text(body, "Name", out);
    add_text_option(out, body, "Driver", "local");
    json_object_foreach((json_t *)(uintptr_t)body_take_object(body, "DriverOpts", out), option,
                        value) body_add_option(out, "DriverOpts", slice_text(option));
    if (body_take_object(body, "ClusterVolumeSpec", out) != NULL)
        body_add_option(out, "ClusterVolumeSpec", SLICE_LITERAL(""));
}

static void
read_network(struct body_facts *out, const json_t *body, struct slice *name)
{
    static const char *const known[] = { "Name",       "CheckDuplicate", "Driver",     "Scope",
                                         "EnableIPv4", "EnableIPv6",     "IPAM",       "Internal",
                                         "Attachable", "Ingress",        "ConfigOnly", "ConfigFrom",
                                         "Options",    "Labels",         NULL };

    if (!body_only(body, known, out))
        return;
    *name = body_take_text(body, "Name", out);
    /* Others put containers on the host's own wires. */
    add_text_option(out, body, "Driver", "bridge");
}

bool
docker_body_read(enum docker_body what, const json_t *body, struct body_facts *out,
                 struct slice *name)
{
    *name = slice_of("", 0);
    switch (what) {
    case DOCKER_BODY_CREATE:
        read_create(out, body);
        break;
    case DOCKER_BODY_EXEC:
        read_exec(out, body);
        break;
    case DOCKER_BODY_START:
        read_start(out, body);
        break;
    case DOCKER_BODY_UPDATE:
        read_host_config(out, body);
        break;
    case DOCKER_BODY_VOLUME:
        read_volume(out, body, name);
        break;
    case DOCKER_BODY_NETWORK:
        read_network(out, body, name);
        break;
    }
    return out->wrong == NULL;
}
