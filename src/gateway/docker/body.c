/* gateway/docker/body.c - from a body to facts. */
#include "body.h"

#include <string.h>

#include "reference.h"

/* --- facts ------------------------------------------------------------------------ */

static bool
wrong(struct docker_facts *out, const char *why)
{
    if (out->wrong == NULL)
        out->wrong = why;
    return false;
}

void
docker_fact_add(struct docker_facts *out, const char *name, struct slice text, bool guarded)
{
    if (out->facts == NULL)
        out->facts = arena_take(out->arena, DOCKER_FACTS_MAX * sizeof *out->facts);
    if (out->facts == NULL || out->count == DOCKER_FACTS_MAX) {
        (void)wrong(out, "the body asks for more than can be judged");
        return;
    }
    out->facts[out->count++] = (struct fact){
        .name = slice_text(name), .text = text, .kind = FACT_TEXT, .guarded = guarded
    };
}

/* "Name=text" of what has no condition of its own. */
static void
add_option(struct docker_facts *out, const char *name, struct slice text)
{
    struct slice option = arena_format(out->arena, "%s=%.*s", name, SLICE_PRINT(text));

    if (option.at == NULL)
        (void)wrong(out, "the body asks for more than can be judged");
    else
        docker_fact_add(out, "option", option, true);
}

/* --- shapes ------------------------------------------------------------------------ */

static bool
only(const json_t *object, const char *const *known, struct docker_facts *out)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return wrong(out, "the body is not what the Docker Engine API says: an object is missing");
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL) {
            struct slice why = arena_format(
                out->arena,
                "the body has a member \"%.64s\" that this gateway does not know, or that is "
                "spelled otherwise than the API says: what it would do can't be judged",
                name);
            return wrong(out, why.at != NULL ? why.at : "the body has an unknown member");
        }
    }
    return true;
}

static struct slice
text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* Absent and null are empty; another type is wrong. */
static struct slice
take_text(const json_t *object, const char *name, struct docker_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return slice_of("", 0);
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        (void)wrong(out, "the body has another type than the API says where a text must be");
        return slice_of("", 0);
    }
    return text_of(value);
}

static const json_t *
take_list(const json_t *object, const char *name, struct docker_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_array(value))
        (void)wrong(out, "the body has another type than the API says where a list must be");
    return json_is_array(value) ? value : NULL;
}

static const json_t *
take_object(const json_t *object, const char *name, struct docker_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_object(value))
        (void)wrong(out, "the body has another type than the API says where an object must be");
    return json_is_object(value) ? value : NULL;
}

static bool
take_truth(const json_t *object, const char *name, struct docker_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value != NULL && !json_is_null(value) && !json_is_boolean(value))
        (void)wrong(out, "the body has another type than the API says where true or false must be");
    return json_is_true(value);
}

/* Of a list of texts. */
static struct slice
item_text(const json_t *item, struct docker_facts *out)
{
    if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item)) {
        (void)wrong(out, "the body has another type than the API says in a list of texts");
        return slice_of("", 0);
    }
    return text_of(item);
}

/* --- commands ---------------------------------------------------------------------- */

/* A list of words, or one text, as Docker's strslice takes both. */
static void
put_words(struct buffer *line, const json_t *words, struct docker_facts *out)
{
    size_t i;
    json_t *word;

    if (words == NULL || json_is_null(words))
        return;
    if (json_is_string(words)) {
        put_text(line, line->size > 0 ? " " : "");
        put_slice(line, text_of(words));
        return;
    }
    if (!json_is_array(words))
        (void)wrong(out, "the body has another type than the API says for a command");
    json_array_foreach(words, i, word)
    {
        put_text(line, line->size > 0 ? " " : "");
        put_slice(line, item_text(word, out));
    }
}

static void
add_command(struct docker_facts *out, const json_t *first, const json_t *then)
{
    struct buffer line = BUFFER_LIMITED(65536);
    struct slice text;

    put_words(&line, first, out);
    put_words(&line, then, out);
    text = arena_copy(out->arena, buffer_slice(&line));
    if (buffer_status(&line) != STATUS_OK || (line.size > 0 && text.at == NULL))
        (void)wrong(out, "the command is too long to be judged");
    docker_fact_add(out, "command", line.size > 0 ? text : slice_of("", 0), false);
    buffer_free(&line);
}

/* --- mounts -------------------------------------------------------------------------- */

bool
docker_host_path(struct slice path, struct arena *arena, struct slice *out)
{
    char *text = arena_take(arena, path.size + 2);
    size_t size = 0;
    struct slice segment;

    if (text == NULL || path.size == 0 || path.at[0] != '/')
        return false;
    while (slice_next(&path, '/', &segment)) {
        if (segment.size == 0 || slice_is(segment, "."))
            continue;
        if (slice_is(segment, "..")) {
            while (size > 0 && text[--size] != '/')
                continue;
            continue;
        }
        text[size++] = '/';
        memcpy(text + size, segment.at, segment.size);
        size += segment.size;
    }
    if (size == 0)
        text[size++] = '/';
    *out = slice_of(text, size);
    return true;
}

static void
add_host_mount(struct docker_facts *out, struct slice source, bool writes)
{
    struct slice path, text;

    if (!docker_host_path(source, out->arena, &path)) {
        (void)wrong(out, "a mount's source is neither a volume's name nor an absolute path");
        return;
    }
    text = arena_format(out->arena, "%.*s:%s", SLICE_PRINT(path), writes ? "rw" : "ro");
    if (text.at == NULL)
        (void)wrong(out, "the body asks for more than can be judged");
    docker_fact_add(out, "mount", text, true);
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
add_bind(struct docker_facts *out, struct slice bind)
{
    struct slice source, target, mode = { 0 }, rest = bind;

    (void)slice_next(&rest, ':', &source);
    if (rest.size == 0)
        return; /* an anonymous volume */
    (void)slice_next(&rest, ':', &target);
    if (rest.size > 0)
        (void)slice_next(&rest, ':', &mode);
    if (rest.size > 0 || target.size == 0) {
        (void)wrong(out, "a bind is source:target:mode");
        return;
    }
    if (!names_volume(source))
        add_host_mount(out, source, mode_writes(mode));
}

static void
add_volume_options(struct docker_facts *out, const json_t *options)
{
    static const char *const known[] = { "NoCopy", "Labels", "DriverConfig", "Subpath", NULL };
    static const char *const driver_known[] = { "Name", "Options", NULL };
    const json_t *driver;
    struct slice name;

    if (options == NULL || !only(options, known, out))
        return;
    driver = take_object(options, "DriverConfig", out);
    if (driver == NULL || !only(driver, driver_known, out))
        return;
    name = take_text(driver, "Name", out);
    /* A local volume with options may be a bind of any path, or a share of another host. */
    if ((name.size > 0 && !slice_is(name, "local")) ||
        json_object_size(take_object(driver, "Options", out)) > 0)
        add_option(out, "DriverConfig", name);
}

static void
add_mount(struct docker_facts *out, const json_t *mount)
{
    static const char *const known[] = {
        "Type",        "Source",       "Target",        "ReadOnly",     "Consistency",
        "BindOptions", "TmpfsOptions", "VolumeOptions", "ImageOptions", NULL
    };
    struct slice type, source;

    if (!only(mount, known, out))
        return;
    type = take_text(mount, "Type", out);
    source = take_text(mount, "Source", out);
    if (slice_is(type, "bind")) {
        add_host_mount(out, source, !take_truth(mount, "ReadOnly", out));
    } else if (slice_is(type, "volume")) {
        if (source.size > 0 && !names_volume(source))
            (void)wrong(out, "a volume's name is no path");
        add_volume_options(out, take_object(mount, "VolumeOptions", out));
    } else if (slice_is(type, "tmpfs")) {
        return;
    } else {
        add_option(out, "Mount", type);
    }
}

/* --- the host's side of a container ---------------------------------------------------- */

static void
add_options(struct docker_facts *out, const json_t *config, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(take_list(config, member, out), i, item)
        add_option(out, member, item_text(item, out));
}

/* Daemons take CAP_NET_ADMIN and net_admin as well. */
static void
add_capabilities(struct docker_facts *out, const json_t *config, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(take_list(config, member, out), i, item)
    {
        struct slice text = item_text(item, out);
        char *upper = arena_take(out->arena, text.size + 1);

        if (upper == NULL) {
            (void)wrong(out, "the body asks for more than can be judged");
            return;
        }
        for (size_t at = 0; at < text.size; at++) {
            char byte = text.at[at];
            upper[at] = byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : byte;
        }
        text = slice_of(upper, text.size);
        if (slice_starts(text, SLICE_LITERAL("CAP_")))
            text = slice_from(text, 4);
        docker_fact_add(out, "capability", text, true);
    }
}

static void
add_security(struct docker_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(take_list(config, "SecurityOpt", out), i, item)
    {
        struct slice text = item_text(item, out);
        bool tightens = slice_is(text, "no-new-privileges") ||
                        slice_is(text, "no-new-privileges:true") ||
                        slice_is(text, "no-new-privileges=true");

        docker_fact_add(out, "security_opt", text, !tightens);
    }
}

static void
add_devices(struct docker_facts *out, const json_t *config)
{
    static const char *const known[] = { "PathOnHost", "PathInContainer", "CgroupPermissions",
                                         NULL };
    const json_t *item;
    struct slice path;
    size_t i;

    json_array_foreach(take_list(config, "Devices", out), i, item)
    {
        if (!only(item, known, out))
            return;
        if (!docker_host_path(take_text(item, "PathOnHost", out), out->arena, &path))
            (void)wrong(out, "a device's path is not absolute");
        else
            docker_fact_add(out, "device", path, true);
    }
    if (json_array_size(take_list(config, "DeviceRequests", out)) > 0)
        docker_fact_add(out, "device", SLICE_LITERAL("request"), true);
    add_options(out, config, "DeviceCgroupRules");
}

static void
add_mounts(struct docker_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(take_list(config, "Binds", out), i, item)
        add_bind(out, item_text(item, out));
    json_array_foreach(take_list(config, "Mounts", out), i, item) add_mount(out, item);
    add_options(out, config, "VolumesFrom");
}

static void
add_network(struct docker_facts *out, struct slice name)
{
    bool guarded = slice_is(name, "host") || slice_starts(name, SLICE_LITERAL("container:"));

    if (name.size == 0 || slice_is(name, "default"))
        name = SLICE_LITERAL("bridge");
    docker_fact_add(out, "network", name, guarded);
}

/* The namespaces of others: "host", "container:x", "ns:/path". */
static void
add_namespaces(struct docker_facts *out, const json_t *config)
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
        struct slice mode = take_text(config, spaces[i].member, out);
        bool own = false;

        for (size_t j = 0; j < 4 && spaces[i].own[j] != NULL; j++)
            own = own || slice_is(mode, spaces[i].own[j]);
        if (!own)
            docker_fact_add(out, spaces[i].fact, mode, true);
    }
}

static void
add_text_option(struct docker_facts *out, const json_t *config, const char *member,
                const char *harmless)
{
    struct slice text = take_text(config, member, out);

    if (text.size > 0 && !slice_is(text, harmless))
        add_option(out, member, text);
}

static void
add_log(struct docker_facts *out, const json_t *log)
{
    static const char *const known[] = { "Type", "Config", NULL };
    static const char *const local[] = { "", "json-file", "local", "none", "journald", NULL };
    struct slice type;

    if (log == NULL || !only(log, known, out))
        return;
    type = take_text(log, "Type", out);
    for (size_t i = 0; local[i] != NULL; i++) {
        if (slice_is(type, local[i]))
            return;
    }
    add_option(out, "LogConfig", type);
}

static void
add_other_options(struct docker_facts *out, const json_t *config)
{
    const char *name;
    json_t *value;

    add_text_option(out, config, "Runtime", "runc");
    add_text_option(out, config, "CgroupParent", "");
    add_text_option(out, config, "Cgroup", "");
    add_text_option(out, config, "VolumeDriver", "local");
    add_options(out, config, "GroupAdd");
    add_options(out, config, "Links");
    add_log(out, take_object(config, "LogConfig", out));
    json_object_foreach((json_t *)(uintptr_t)take_object(config, "Sysctls", out), name, value)
        add_option(out, "Sysctls", slice_text(name));
    /* null leaves the daemon's own; a list takes the place of it. */
    if (take_list(config, "MaskedPaths", out) != NULL)
        add_option(out, "MaskedPaths", SLICE_LITERAL(""));
    if (take_list(config, "ReadonlyPaths", out) != NULL)
        add_option(out, "ReadonlyPaths", SLICE_LITERAL(""));
    if (json_integer_value(json_object_get(config, "OomScoreAdj")) < 0)
        add_option(out, "OomScoreAdj", SLICE_LITERAL("-"));
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
read_host_config(struct docker_facts *out, const json_t *config)
{
    if (!only(config, host_config, out))
        return;
    if (take_truth(config, "Privileged", out))
        docker_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
    add_mounts(out, config);
    add_capabilities(out, config, "CapAdd");
    add_capabilities(out, config, "Capabilities");
    add_security(out, config);
    add_devices(out, config);
    add_namespaces(out, config);
    add_other_options(out, config);
}

/* --- whole bodies --------------------------------------------------------------------- */

static void
read_networks(struct docker_facts *out, const json_t *config, struct slice mode)
{
    static const char *const known[] = { "EndpointsConfig", NULL };
    const char *name;
    json_t *value;

    add_network(out, mode);
    if (config == NULL || !only(config, known, out))
        return;
    json_object_foreach((json_t *)(uintptr_t)take_object(config, "EndpointsConfig", out), name,
                        value)
    {
        if (!slice_is(mode, name))
            add_network(out, slice_text(name));
    }
}

static void
read_image(struct docker_facts *out, struct slice text)
{
    struct slice image;

    if (docker_reference(text, out->arena, &image))
        docker_fact_add(out, "image", image, false);
    else
        (void)wrong(out, "the image is no reference that can be judged");
}

/* A health check runs in the container again and again. */
static void
read_health(struct docker_facts *out, const json_t *health)
{
    static const char *const known[] = { "Test",        "Interval",      "Timeout", "Retries",
                                         "StartPeriod", "StartInterval", NULL };
    const json_t *test;

    if (health == NULL || !only(health, known, out))
        return;
    test = take_list(health, "Test", out);
    if (json_array_size(test) > 1)
        add_command(out, test, NULL);
}

static void
read_create(struct docker_facts *out, const json_t *body)
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

    if (!only(body, known, out))
        return;
    read_image(out, take_text(body, "Image", out));
    add_command(out, json_object_get(body, "Entrypoint"), json_object_get(body, "Cmd"));
    read_health(out, take_object(body, "Healthcheck", out));
    user = take_text(body, "User", out);
    if (user.size > 0)
        docker_fact_add(out, "user", user, false);
    json_object_foreach((json_t *)(uintptr_t)take_object(body, "Volumes", out), name, value)
    {
        if (strchr(name, ':') != NULL)
            (void)wrong(out, "a volume's place in the container holds a colon");
    }
    host = take_object(body, "HostConfig", out);
    if (host != NULL)
        read_host_config(out, host);
    read_networks(out, take_object(body, "NetworkingConfig", out),
                  take_text(host, "NetworkMode", out));
}

static void
read_exec(struct docker_facts *out, const json_t *body)
{
    static const char *const known[] = { "User",        "Privileged",   "Tty",
                                         "AttachStdin", "AttachStderr", "AttachStdout",
                                         "Detach",      "DetachKeys",   "Env",
                                         "WorkingDir",  "Cmd",          "ConsoleSize",
                                         NULL };
    struct slice user;

    if (!only(body, known, out))
        return;
    add_command(out, json_object_get(body, "Cmd"), NULL);
    user = take_text(body, "User", out);
    if (user.size > 0)
        docker_fact_add(out, "user", user, false);
    if (take_truth(body, "Privileged", out))
        docker_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
}

static void
read_volume(struct docker_facts *out, const json_t *body, struct slice *name)
{
    static const char *const known[] = {
        "Name", "Driver", "DriverOpts", "Labels", "ClusterVolumeSpec", NULL
    };
    const char *option;
    json_t *value;

    if (!only(body, known, out))
        return;
    *name = take_text(body, "Name", out);
    add_text_option(out, body, "Driver", "local");
    json_object_foreach((json_t *)(uintptr_t)take_object(body, "DriverOpts", out), option, value)
        add_option(out, "DriverOpts", slice_text(option));
    if (take_object(body, "ClusterVolumeSpec", out) != NULL)
        add_option(out, "ClusterVolumeSpec", SLICE_LITERAL(""));
}

static void
read_network(struct docker_facts *out, const json_t *body, struct slice *name)
{
    static const char *const known[] = { "Name",       "CheckDuplicate", "Driver",     "Scope",
                                         "EnableIPv4", "EnableIPv6",     "IPAM",       "Internal",
                                         "Attachable", "Ingress",        "ConfigOnly", "ConfigFrom",
                                         "Options",    "Labels",         NULL };

    if (!only(body, known, out))
        return;
    *name = take_text(body, "Name", out);
    /* Others put containers on the host's own wires. */
    add_text_option(out, body, "Driver", "bridge");
}

bool
docker_body_read(enum docker_body what, const json_t *body, struct docker_facts *out,
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
