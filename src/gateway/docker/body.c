/* gateway/docker/body.c - from a body to facts: whole bodies, of the parts in config.h. */
#include "body.h"

#include <string.h>

#include "config.h"
#include "reference.h"

static void
read_image(struct body_facts *out, struct slice text)
{
    struct slice image;

    if (docker_reference(text, out->arena, &image))
        body_fact_add(out, "image", image, false);
    else
        (void)body_wrong(out, "the image is no reference that can be judged");
}

static bool
is_no_test(struct slice word)
{
    return word.size == 0 || slice_is(word, "NONE");
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
    /* Podman runs a word that stands alone, which the Docker Engine does not. */
    if (json_array_size(test) == 1 && !is_no_test(body_item_text(json_array_get(test, 0), out)))
        (void)body_wrong(out, "a health check is of the form [\"CMD\", …]");
    if (json_array_size(test) > 1)
        body_add_command(out, test, NULL);
}

/* By these, Podman's updates restart a unit of the host. */
static void
read_labels(struct body_facts *out, const json_t *labels)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)labels, name, value)
    {
        if (slice_is(slice_text(name), "PODMAN_SYSTEMD_UNIT") ||
            slice_starts(slice_text(name), SLICE_LITERAL("io.containers.")))
            body_add_option(out, "Labels", slice_text(name));
    }
}

/* Podman takes one word that is a JSON list for several. */
static void
read_entrypoint(struct body_facts *out, const json_t *body)
{
    const json_t *words = json_object_get(body, "Entrypoint");
    const json_t *first = json_is_array(words) ? json_array_get(words, 0) : words;

    if (slice_starts(slice_trim(body_text(first)), SLICE_LITERAL("[")))
        (void)body_wrong(out, "an entrypoint that begins with [ is read in two ways");
    body_add_command(out, words, json_object_get(body, "Cmd"));
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
    read_entrypoint(out, body);
    read_health(out, body_take_object(body, "Healthcheck", out));
    docker_read_env(out, body);
    read_labels(out, body_take_object(body, "Labels", out));
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
        docker_read_host_config(out, host);
    docker_read_networks(out, body_take_object(body, "NetworkingConfig", out),
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
    docker_read_env(out, body);
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

    if (!body_only(body, known, out))
        return;
    *name = body_take_text(body, "Name", out);
    docker_add_text_option(out, body, "Driver", "local");
    docker_add_names(out, body_take_object(body, "DriverOpts", out), "DriverOpts");
    if (body_take_object(body, "ClusterVolumeSpec", out) != NULL)
        body_add_option(out, "ClusterVolumeSpec", SLICE_LITERAL(""));
}

/* Which container joins is not asked. */
static void
read_connect(struct body_facts *out, const json_t *body)
{
    static const char *const known[] = { "Container", "EndpointConfig", NULL };

    if (!body_only(body, known, out))
        return;
    (void)body_take_text(body, "Container", out);
    docker_read_endpoint(out, body_take_object(body, "EndpointConfig", out));
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
        docker_read_host_config(out, body);
        break;
    case DOCKER_BODY_VOLUME:
        read_volume(out, body, name);
        break;
    case DOCKER_BODY_NETWORK:
        docker_read_network(out, body, name);
        break;
    case DOCKER_BODY_CONNECT:
        read_connect(out, body);
        break;
    }
    return out->wrong == NULL;
}
