/* gateway/kubernetes/pods.c - from a pod's metadata and spec to facts (core/v1 up to 1.33). */
#include "pods.h"

#include <string.h>
#include <strings.h>

#include "../docker/reference.h"

struct pod {
    const json_t *volumes;
    bool whole;
    struct body_facts *out;
};

void
kube_no_twins(const json_t *object, const char *const *names, struct body_facts *out)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        for (size_t i = 0; names[i] != NULL; i++) {
            if (strcasecmp(name, names[i]) == 0 && strcmp(name, names[i]) != 0)
                (void)body_wrong(out, "the body spells a member in another case than the API");
        }
    }
}

/* --- security ------------------------------------------------------------------------- */

static void
add_security(struct body_facts *out, const char *name, struct slice text)
{
    struct slice fact = arena_format(out->arena, "%s=%.*s", name, SLICE_PRINT(text));

    if (fact.at == NULL)
        (void)body_wrong(out, "the body asks for more than can be judged");
    else
        body_fact_add(out, "security_opt", fact, true);
}

/* {type: RuntimeDefault} is the tight one; any other is named by a right or refused. */
static void
read_profile(const json_t *context, const char *member, const char *name, struct body_facts *out)
{
    static const char *const known[] = { "type", "localhostProfile", NULL };
    const json_t *profile = body_take_object(context, member, out);
    struct slice type;

    if (profile == NULL || !body_only(profile, known, out))
        return;
    type = body_take_text(profile, "type", out);
    if (type.size == 0 && body_take_text(profile, "localhostProfile", out).size > 0)
        type = SLICE_LITERAL("Localhost");
    if (type.size > 0 && !slice_is(type, "RuntimeDefault"))
        add_security(out, name, type);
}

static void
read_user(const json_t *context, struct body_facts *out)
{
    const json_t *user = json_object_get(context, "runAsUser");
    struct slice text;

    if (user == NULL || json_is_null(user))
        return;
    if (!json_is_integer(user)) {
        (void)body_wrong(out, "runAsUser is a number");
        return;
    }
    text = arena_format(out->arena, "%lld", (long long)json_integer_value(user));
    body_fact_add(out, "user", text, false);
}

static void
read_windows(const json_t *context, struct body_facts *out)
{
    static const char *const known[] = { "gmsaCredentialSpecName", "gmsaCredentialSpec",
                                         "runAsUserName", "hostProcess", NULL };
    const json_t *windows = body_take_object(context, "windowsOptions", out);

    if (windows == NULL || !body_only(windows, known, out))
        return;
    if (body_take_truth(windows, "hostProcess", out))
        body_fact_add(out, "privileged", SLICE_LITERAL("hostProcess"), true);
    if (json_object_size(windows) > 0)
        add_security(out, "windows", SLICE_LITERAL("options"));
}

/* What pods and containers have both. */
static void
read_shared_context(const json_t *context, struct body_facts *out)
{
    read_user(context, out);
    read_profile(context, "seccompProfile", "seccomp", out);
    read_profile(context, "appArmorProfile", "apparmor", out);
    if (json_object_size(body_take_object(context, "seLinuxOptions", out)) > 0)
        add_security(out, "selinux", SLICE_LITERAL("options"));
    read_windows(context, out);
}

static void
read_pod_context(const json_t *context, struct body_facts *out)
{
    static const char *const known[] = { "seLinuxOptions",
                                         "windowsOptions",
                                         "runAsUser",
                                         "runAsGroup",
                                         "runAsNonRoot",
                                         "supplementalGroups",
                                         "fsGroup",
                                         "sysctls",
                                         "fsGroupChangePolicy",
                                         "seccompProfile",
                                         "appArmorProfile",
                                         "supplementalGroupsPolicy",
                                         "seLinuxChangePolicy",
                                         NULL };
    const json_t *item;
    size_t i;

    if (context == NULL || !body_only(context, known, out))
        return;
    read_shared_context(context, out);
    json_array_foreach(body_take_list(context, "sysctls", out), i, item)
        body_add_option(out, "Sysctls", body_take_text(item, "name", out));
}

static void
read_capabilities(const json_t *capabilities, struct body_facts *out)
{
    static const char *const known[] = { "add", "drop", NULL };

    if (capabilities != NULL && body_only(capabilities, known, out))
        body_add_capabilities(out, capabilities, "add");
}

static void
read_container_context(const json_t *context, struct body_facts *out)
{
    static const char *const known[] = { "capabilities",
                                         "privileged",
                                         "seLinuxOptions",
                                         "windowsOptions",
                                         "runAsUser",
                                         "runAsGroup",
                                         "runAsNonRoot",
                                         "readOnlyRootFilesystem",
                                         "allowPrivilegeEscalation",
                                         "procMount",
                                         "seccompProfile",
                                         "appArmorProfile",
                                         NULL };
    struct slice proc;

    if (context == NULL || !body_only(context, known, out))
        return;
    if (body_take_truth(context, "privileged", out))
        body_fact_add(out, "privileged", SLICE_LITERAL("true"), true);
    read_capabilities(body_take_object(context, "capabilities", out), out);
    read_shared_context(context, out);
    proc = body_take_text(context, "procMount", out);
    if (proc.size > 0 && !slice_is(proc, "Default"))
        add_security(out, "procMount", proc);
}

/* Servers before 1.30 read profiles from annotations. */
static void
read_annotations(const json_t *metadata, struct body_facts *out)
{
    static const char *const prefixes[] = { "container.apparmor.security.beta.kubernetes.io/",
                                            "seccomp.security.alpha.kubernetes.io/",
                                            "container.seccomp.security.alpha.kubernetes.io/",
                                            "security.alpha.kubernetes.io/", NULL };
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)body_take_object(metadata, "annotations", out), name,
                        value)
    {
        for (size_t i = 0; prefixes[i] != NULL; i++) {
            if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0 && !json_is_null(value) &&
                !slice_is(body_item_text(value, out), "runtime/default"))
                add_security(out, "annotation", slice_text(name));
        }
    }
}

/* --- volumes ------------------------------------------------------------------------------ */

static const char *const harmless_volumes[] = { "emptyDir",    "configMap", "secret",
                                                "downwardAPI", "projected", "persistentVolumeClaim",
                                                "ephemeral",   "image",     NULL };

static bool
is_among(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static const json_t *
volume_named(const struct pod *pod, struct slice name)
{
    const json_t *volume;
    size_t i;

    json_array_foreach(pod->volumes, i, volume)
    {
        if (slice_equal(body_text(json_object_get(volume, "name")), name))
            return volume;
    }
    return NULL;
}

/* Whether containers write is known only when all of them are here. */
static bool
all_read_only(const struct pod *pod, const json_t *containers, struct slice name)
{
    const json_t *container, *mount;
    size_t i, j;

    json_array_foreach(containers, i, container)
    {
        json_array_foreach(json_object_get(container, "volumeMounts"), j, mount)
        {
            if (slice_equal(body_text(json_object_get(mount, "name")), name) &&
                !json_is_true(json_object_get(mount, "readOnly")))
                return false;
        }
    }
    return pod->whole;
}

static void
read_host_path(const struct pod *pod, const json_t *spec, const json_t *volume)
{
    static const char *const known[] = { "path", "type", NULL };
    const json_t *host = body_take_object(volume, "hostPath", pod->out);
    struct slice name = body_take_text(volume, "name", pod->out), path, text;

    if (host == NULL || !body_only(host, known, pod->out))
        return;
    if (!body_host_path(body_take_text(host, "path", pod->out), pod->out->arena, &path)) {
        (void)body_wrong(pod->out, "the path of a hostPath is not absolute");
        return;
    }
    bool reads = all_read_only(pod, json_object_get(spec, "containers"), name) &&
                 all_read_only(pod, json_object_get(spec, "initContainers"), name) &&
                 all_read_only(pod, json_object_get(spec, "ephemeralContainers"), name);
    text = arena_format(pod->out->arena, "%.*s:%s", SLICE_PRINT(path), reads ? "ro" : "rw");
    if (text.at == NULL)
        (void)body_wrong(pod->out, "the body asks for more than can be judged");
    body_fact_add(pod->out, "mount", text, true);
}

static void
read_volumes(const struct pod *pod, const json_t *spec)
{
    const json_t *volume;
    const char *name;
    json_t *value;
    size_t i;

    json_array_foreach(pod->volumes, i, volume)
    {
        if (!json_is_object(volume)) {
            (void)body_wrong(pod->out, "a volume is an object");
            return;
        }
        json_object_foreach((json_t *)(uintptr_t)volume, name, value)
        {
            if (json_is_null(value) || strcmp(name, "name") == 0)
                continue;
            if (strcmp(name, "hostPath") == 0)
                read_host_path(pod, spec, volume);
            else if (!is_among(name, harmless_volumes))
                body_add_option(pod->out, "Volume", slice_text(name));
        }
    }
}

static bool
has_source(const json_t *volume)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)volume, name, value)
    {
        if (!json_is_null(value) && strcmp(name, "name") != 0)
            return true;
    }
    return false;
}

/* Laid over a pod, a mount may make writable what was decided on as read only: then its
 * volume must be there too, with what it is. */
static void
read_mounts(const struct pod *pod, const json_t *container)
{
    const json_t *mount;
    size_t i;

    json_array_foreach(body_take_list(container, "volumeMounts", pod->out), i, mount)
    {
        if (!pod->whole && !has_source(volume_named(pod, body_take_text(mount, "name", pod->out))))
            (void)body_wrong(pod->out, "a patch that mounts a volume must hold the volume as "
                                       "well: send the whole object instead");
    }
}

/* --- containers ----------------------------------------------------------------------------- */

/* A probe or a hook that runs a command in the container. */
static void
read_handler(const json_t *parent, const char *member, struct body_facts *out)
{
    const json_t *handler = body_take_object(parent, member, out);
    const json_t *exec = body_take_object(handler, "exec", out);

    if (exec != NULL)
        body_add_command(out, json_object_get(exec, "command"), NULL);
}

static void
read_ports(const json_t *container, struct body_facts *out)
{
    const json_t *port, *number;
    size_t i;

    json_array_foreach(body_take_list(container, "ports", out), i, port)
    {
        number = json_object_get(port, "hostPort");
        if (number != NULL && !json_is_null(number) && json_integer_value(number) != 0)
            body_add_option(
                out, "HostPort",
                arena_format(out->arena, "%lld", (long long)json_integer_value(number)));
        else if (number != NULL && !json_is_null(number) && !json_is_integer(number))
            (void)body_wrong(out, "hostPort is a number");
    }
}

static void
read_image(const json_t *container, struct body_facts *out)
{
    struct slice text = body_take_text(container, "image", out), image;

    if (text.size == 0)
        return;
    if (docker_reference(text, out->arena, &image))
        body_fact_add(out, "image", image, false);
    else
        (void)body_wrong(out, "the image is no reference that can be judged");
}

static void
read_container(const struct pod *pod, const json_t *container)
{
    static const char *const known[] = { "name",
                                         "image",
                                         "command",
                                         "args",
                                         "workingDir",
                                         "ports",
                                         "envFrom",
                                         "env",
                                         "resources",
                                         "resizePolicy",
                                         "restartPolicy",
                                         "volumeMounts",
                                         "volumeDevices",
                                         "livenessProbe",
                                         "readinessProbe",
                                         "startupProbe",
                                         "lifecycle",
                                         "imagePullPolicy",
                                         "securityContext",
                                         "stdin",
                                         "stdinOnce",
                                         "tty",
                                         "terminationMessagePath",
                                         "terminationMessagePolicy",
                                         "targetContainerName",
                                         NULL };
    struct body_facts *out = pod->out;
    const json_t *lifecycle;

    if (!body_only(container, known, out))
        return;
    read_image(container, out);
    if (json_object_get(container, "command") != NULL || json_object_get(container, "args") != NULL)
        body_add_command(out, body_take_list(container, "command", out),
                         body_take_list(container, "args", out));
    lifecycle = body_take_object(container, "lifecycle", out);
    read_handler(lifecycle, "postStart", out);
    read_handler(lifecycle, "preStop", out);
    read_handler(container, "livenessProbe", out);
    read_handler(container, "readinessProbe", out);
    read_handler(container, "startupProbe", out);
    read_ports(container, out);
    read_mounts(pod, container);
    read_container_context(body_take_object(container, "securityContext", out), out);
}

static void
read_containers(const struct pod *pod, const json_t *spec, const char *member)
{
    const json_t *container;
    size_t i;

    json_array_foreach(body_take_list(spec, member, pod->out), i, container)
        read_container(pod, container);
}

/* They join a pod that runs, whose volumes are what they are, whatever the body says. */
static void
read_ephemeral(const struct pod *pod, const json_t *spec)
{
    const json_t *container;
    size_t i;

    json_array_foreach(body_take_list(spec, "ephemeralContainers", pod->out), i, container)
    {
        if (json_array_size(body_take_list(container, "volumeMounts", pod->out)) > 0)
            (void)body_wrong(pod->out, "what an ephemeral container mounts can't be judged");
    }
    read_containers(pod, spec, "ephemeralContainers");
}

/* --- the pod --------------------------------------------------------------------------------- */

static void
read_host_spaces(const json_t *spec, struct body_facts *out)
{
    if (body_take_truth(spec, "hostNetwork", out))
        body_fact_add(out, "network", SLICE_LITERAL("host"), true);
    if (body_take_truth(spec, "hostPID", out))
        body_fact_add(out, "pid", SLICE_LITERAL("host"), true);
    if (body_take_truth(spec, "hostIPC", out))
        body_fact_add(out, "ipc", SLICE_LITERAL("host"), true);
}

/* Whoever a pod runs as, its token says: a stronger account is a right of its own. */
static void
read_account(const json_t *spec, const char *member, struct body_facts *out)
{
    struct slice account = body_take_text(spec, member, out);

    if (account.size > 0 && !slice_is(account, "default"))
        body_add_option(out, "ServiceAccount", account);
}

static void
read_text_option(const json_t *spec, const char *member, const char *name, struct body_facts *out)
{
    struct slice text = body_take_text(spec, member, out);

    if (text.size > 0)
        body_add_option(out, name, text);
}

void
kube_pod_read(const json_t *metadata, const json_t *spec, bool whole, struct body_facts *out)
{
    static const char *const known[] = { "volumes",
                                         "initContainers",
                                         "containers",
                                         "ephemeralContainers",
                                         "restartPolicy",
                                         "terminationGracePeriodSeconds",
                                         "activeDeadlineSeconds",
                                         "dnsPolicy",
                                         "nodeSelector",
                                         "serviceAccountName",
                                         "serviceAccount",
                                         "automountServiceAccountToken",
                                         "nodeName",
                                         "hostNetwork",
                                         "hostPID",
                                         "hostIPC",
                                         "shareProcessNamespace",
                                         "securityContext",
                                         "imagePullSecrets",
                                         "hostname",
                                         "subdomain",
                                         "affinity",
                                         "schedulerName",
                                         "tolerations",
                                         "hostAliases",
                                         "priorityClassName",
                                         "priority",
                                         "dnsConfig",
                                         "readinessGates",
                                         "runtimeClassName",
                                         "enableServiceLinks",
                                         "preemptionPolicy",
                                         "overhead",
                                         "topologySpreadConstraints",
                                         "setHostnameAsFQDN",
                                         "os",
                                         "hostUsers",
                                         "schedulingGates",
                                         "resourceClaims",
                                         "resources",
                                         NULL };
    struct pod pod = { .whole = whole, .out = out };

    read_annotations(metadata, out);
    if (spec == NULL || json_is_null(spec) || !body_only(spec, known, out))
        return;
    pod.volumes = body_take_list(spec, "volumes", out);
    read_volumes(&pod, spec);
    read_containers(&pod, spec, "initContainers");
    read_containers(&pod, spec, "containers");
    read_ephemeral(&pod, spec);
    read_host_spaces(spec, out);
    read_account(spec, "serviceAccountName", out);
    read_account(spec, "serviceAccount", out);
    read_text_option(spec, "runtimeClassName", "RuntimeClass", out);
    read_text_option(spec, "nodeName", "NodeName", out);
    read_pod_context(body_take_object(spec, "securityContext", out), out);
    if (json_array_size(body_take_list(spec, "resourceClaims", out)) > 0)
        body_fact_add(out, "device", SLICE_LITERAL("request"), true);
}
