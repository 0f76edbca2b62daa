/* gateway/docker/images.c - what a request does to an image: named, pulled, imported, built. */
#include "reference.h"
#include "talk.h"

bool
docker_take_reference(struct http_passage *http, const char *repository, struct slice *out)
{
    struct slice name, tag;

    *out = slice_of("", 0);
    if (!docker_take_param(http, repository, &name) || !docker_take_param(http, "tag", &tag))
        return false;
    if (name.size == 0 || docker_reference_of(name, tag, docker_arena(http), out))
        return true;
    (void)docker_refuse(http, "the image is no reference that can be judged");
    return false;
}

enum dialect_need
docker_next_image(struct http_passage *http)
{
    struct docker_talk *talk = http->talk->own;
    struct slice image, target, name = talk->path.name, tag;
    bool tags = slice_is(slice_text(talk->path.endpoint->action), "images.tag");

    /* A push has its tag in the query. */
    if (!docker_take_param(http, "tag", &tag))
        return DIALECT_READY;
    if (tags)
        tag = slice_of("", 0);
    if (!docker_reference_of(name, tag, docker_arena(http), &image))
        return docker_refuse(http, "the image is no reference that can be judged");
    if (tags && (!docker_take_reference(http, "repo", &target) ||
                 (target.size > 0 && !docker_may_too(http, "images.tag", target, OBJECT_PATH))))
        return DIALECT_READY;
    return docker_stands(http, image, OBJECT_PATH);
}

/* Podman takes any other source for a file of the host. */
static enum dialect_need
next_import(struct http_passage *http, struct slice source)
{
    struct docker_talk *talk = http->talk->own;
    struct slice image;

    http->passage->asked.request.action = SLICE_LITERAL("images.import");
    if (slice_starts(source, SLICE_LITERAL("http://")) ||
        slice_starts(source, SLICE_LITERAL("https://")))
        body_fact_add(&talk->facts, "option", SLICE_LITERAL("Import=url"), true);
    else if (!slice_is(source, "-"))
        return docker_refuse(http, "an image is imported from the body or a URL");
    return docker_take_reference(http, "repo", &image) ? docker_stands(http, image, OBJECT_PATH)
                                                       : DIALECT_READY;
}

/* Without a tag the daemon takes all there are. */
enum dialect_need
docker_next_pull(struct http_passage *http)
{
    struct slice image, name, tag, source;

    if (!docker_take_param(http, "fromSrc", &source) ||
        !docker_take_param(http, "fromImage", &name) || !docker_take_param(http, "tag", &tag))
        return DIALECT_READY;
    if (source.size > 0 && name.size > 0)
        return docker_refuse(http, "the query names two sources of an image");
    if (source.size > 0)
        return next_import(http, source);
    if (!docker_reference_of(name, tag, docker_arena(http), &image))
        return docker_refuse(http, "the image is no reference that can be judged");
    if (tag.size == 0 && slice_find(name, ':') == name.size && slice_find(name, '@') == name.size)
        return docker_refuse(http, "without a tag all of them would be pulled: say which");
    return docker_stands(http, image, OBJECT_PATH);
}

/* Podman takes one from anywhere on the host, and a list of them. */
static bool
is_file_of_context(struct slice dockerfile)
{
    struct slice part;

    if (slice_starts(dockerfile, SLICE_LITERAL("/")) ||
        slice_starts(slice_trim(dockerfile), SLICE_LITERAL("[")) ||
        slice_find(dockerfile, ':') < dockerfile.size)
        return false;
    while (slice_next(&dockerfile, '/', &part)) {
        if (slice_is(part, ".."))
            return false;
    }
    return true;
}

enum dialect_need
docker_next_build(struct http_passage *http)
{
    struct docker_talk *talk = http->talk->own;
    struct slice tag, image = slice_of("", 0), remote, mode, version, parent, file;

    if (!docker_take_param(http, "t", &tag) || !docker_take_param(http, "remote", &remote) ||
        !docker_take_param(http, "networkmode", &mode) ||
        !docker_take_param(http, "version", &version) ||
        !docker_take_param(http, "cgroupparent", &parent) ||
        !docker_take_param(http, "dockerfile", &file))
        return DIALECT_READY;
    if (version.size > 0 && !slice_is(version, "1"))
        return docker_refuse_as(http, GATE_DENIED,
                                "BuildKit opens a session behind one decision, which is never let "
                                "through: build with DOCKER_BUILDKIT=0");
    if (!is_file_of_context(file))
        return docker_refuse(http, "the Dockerfile is no file of the build's context");
    if (tag.size > 0 && !docker_reference(tag, docker_arena(http), &image))
        return docker_refuse(http, "the image is no reference that can be judged");
    if (remote.size > 0)
        body_fact_add(&talk->facts, "option", SLICE_LITERAL("Remote=url"), true);
    if (parent.size > 0)
        body_fact_add(&talk->facts, "option", SLICE_LITERAL("CgroupParent=build"), true);
    if (mode.size > 0 && !slice_is(mode, "default"))
        body_fact_add(&talk->facts, "network", mode,
                      !slice_is(mode, "bridge") && !slice_is(mode, "none"));
    return docker_stands(http, image, OBJECT_PATH);
}
