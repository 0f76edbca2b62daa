/* gateway/docker/host_config.c - what a container gets of the host beside files and networks. */
#include "config.h"

#include <string.h>

/* --- shared by the parts ---------------------------------------------------------------- */

bool
docker_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (byte < 0x20 || byte == 0x7f || byte == ',' || byte == '"' || byte == '\\')
            return false;
    }
    return true;
}

void
docker_add_names(struct body_facts *out, const json_t *object, const char *member)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
        body_add_option(out, member, slice_text(name));
}

void
docker_add_items(struct body_facts *out, const json_t *config, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, member, out), i, item)
        body_add_option(out, member, body_item_text(item, out));
}

void
docker_add_text_option(struct body_facts *out, const json_t *config, const char *member,
                       const char *harmless)
{
    struct slice text = body_take_text(config, member, out);

    if (text.size > 0 && !slice_is(text, harmless))
        body_add_option(out, member, text);
}

void
docker_read_env(struct body_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, "Env", out), i, item)
    {
        struct slice text = body_item_text(item, out);

        if (slice_find(text, '=') == text.size)
            body_add_option(out, "Env", text);
    }
}

/* --- the host's side ------------------------------------------------------------------- */

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

/* Podman makes "host:container:permissions" of it. */
static bool
is_device_part(struct slice text)
{
    return docker_is_plain(text) && slice_find(text, ':') == text.size;
}

static void
add_device(struct body_facts *out, const json_t *device)
{
    static const char *const known[] = { "PathOnHost", "PathInContainer", "CgroupPermissions",
                                         NULL };
    struct slice source, path;

    if (!body_only(device, known, out))
        return;
    source = body_take_text(device, "PathOnHost", out);
    if (!is_device_part(source) ||
        !is_device_part(body_take_text(device, "PathInContainer", out)) ||
        !is_device_part(body_take_text(device, "CgroupPermissions", out)))
        (void)body_wrong(out, "a device holds a byte that could begin another part");
    else if (!body_host_path(source, out->arena, &path))
        (void)body_wrong(out, "a device's path is not absolute");
    else
        body_fact_add(out, "device", path, true);
}

static void
add_device_request(struct body_facts *out, const json_t *request)
{
    static const char *const known[] = { "Driver",       "Count",   "DeviceIDs",
                                         "Capabilities", "Options", NULL };
    const json_t *id;
    size_t i;

    body_fact_add(out, "device", SLICE_LITERAL("request"), true);
    if (!body_only(request, known, out))
        return;
    /* Podman takes an id for a device's path as well. */
    json_array_foreach(body_take_list(request, "DeviceIDs", out), i, id)
    {
        if (slice_starts(body_item_text(id, out), SLICE_LITERAL("/")))
            (void)body_wrong(out, "a device request's id is a path");
    }
}

static void
add_devices(struct body_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, "Devices", out), i, item) add_device(out, item);
    json_array_foreach(body_take_list(config, "DeviceRequests", out), i, item)
        add_device_request(out, item);
    docker_add_items(out, config, "DeviceCgroupRules");
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

static bool
is_one_of(struct slice text, const char *const *words)
{
    while (*words != NULL && !slice_is(text, *words))
        words++;
    return *words != NULL;
}

/* Podman writes a log to whatever "path" says. */
static void
add_log(struct body_facts *out, const json_t *log)
{
    static const char *const known[] = { "Type", "Config", NULL };
    static const char *const local[] = { "", "json-file", "local", "none", "journald", NULL };
    static const char *const settings[] = {
        "max-size",        "max-file", "compress",  "mode", "labels", "labels-regex",
        "max-buffer-size", "env",      "env-regex", "tag",  NULL
    };
    struct slice type;
    const char *name;
    json_t *value;

    if (log == NULL || !body_only(log, known, out))
        return;
    type = body_take_text(log, "Type", out);
    if (!is_one_of(type, local))
        body_add_option(out, "LogConfig", type);
    json_object_foreach((json_t *)(uintptr_t)body_take_object(log, "Config", out), name, value)
    {
        if (!is_one_of(slice_text(name), settings))
            body_add_option(out, "LogConfig", slice_text(name));
    }
}

static void
add_storage(struct body_facts *out, const json_t *options)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)options, name, value)
    {
        if (!slice_is(slice_text(name), "size"))
            body_add_option(out, "StorageOpt", slice_text(name));
    }
}

static void
add_other_options(struct body_facts *out, const json_t *config)
{
    docker_add_text_option(out, config, "Runtime", "runc");
    docker_add_text_option(out, config, "CgroupParent", "");
    docker_add_text_option(out, config, "Cgroup", "");
    docker_add_text_option(out, config, "VolumeDriver", "local");
    docker_add_items(out, config, "GroupAdd");
    docker_add_items(out, config, "Links");
    add_log(out, body_take_object(config, "LogConfig", out));
    docker_add_names(out, body_take_object(config, "Sysctls", out), "Sysctls");
    /* Runtimes read files' names and hooks from them. */
    docker_add_names(out, body_take_object(config, "Annotations", out), "Annotations");
    add_storage(out, body_take_object(config, "StorageOpt", out));
    docker_add_text_option(out, config, "ContainerIDFile", "");
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
    "Tmpfs", "StorageOpt", "Annotations", "ContainerIDFile",
    /* limits, names and addresses of the container itself */
    "PortBindings", "RestartPolicy", "AutoRemove", "CapDrop", "Dns", "DnsOptions", "DnsSearch",
    "ExtraHosts", "PublishAllPorts", "ReadonlyRootfs", "ShmSize", "ConsoleSize", "Isolation",
    "Init", "CpuShares", "Memory", "NanoCpus", "BlkioWeight", "BlkioWeightDevice",
    "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps",
    "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems",
    "KernelMemory", "KernelMemoryTCP", "MemoryReservation", "MemorySwap", "MemorySwappiness",
    "OomKillDisable", "PidsLimit", "Ulimits", "CpuCount", "CpuPercent", "IOMaximumIOps",
    "IOMaximumBandwidth", NULL
};

void
docker_read_host_config(struct body_facts *out, const json_t *config)
{
    if (!body_only(config, host_config, out))
        return;
    if (body_take_truth(config, "Privileged", out))
        body_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
    docker_read_mounts(out, config);
    body_add_capabilities(out, config, "CapAdd");
    body_add_capabilities(out, config, "Capabilities");
    add_security(out, config);
    add_devices(out, config);
    add_namespaces(out, config);
    add_other_options(out, config);
}
