/* gateway/docker/mounts.c - what a container gets of the host's files. Podman takes a source such
 * as ".." for a path, has words in a bind's mode that mount something else (O, upperdir=), and
 * puts a mount's members into one line with commas: so each is held to what both mean alike. */
#include "config.h"

#include "reference.h"

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
is_one_of(struct slice word, const char *const *words)
{
    while (*words != NULL && !slice_is(word, *words))
        words++;
    return *words != NULL;
}

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared",
                                            "slave",   "rslave",   NULL };

/* --- "source:target[:mode]" ---------------------------------------------------------------- */

/* False: a word that is not known, or two that contradict each other. */
static bool
read_mode(struct slice mode, bool *writes)
{
    static const char *const known[] = { "z",      "Z",         "nocopy", "consistent",
                                         "cached", "delegated", NULL };
    bool ro = false, rw = false;
    struct slice word;

    while (slice_next(&mode, ',', &word)) {
        if (slice_is(word, "ro"))
            ro = true;
        else if (slice_is(word, "rw"))
            rw = true;
        else if (!is_one_of(word, known) && !is_one_of(word, propagations))
            return false;
    }
    *writes = !ro;
    return !(ro && rw);
}

/* Fewer than two colons leave mode empty; false: not of this form. */
static bool
split_bind(struct slice bind, struct slice *source, struct slice *target, struct slice *mode)
{
    struct slice rest = bind;

    *source = *target = *mode = slice_of("", 0);
    (void)slice_next(&rest, ':', source);
    (void)slice_next(&rest, ':', target);
    (void)slice_next(&rest, ':', mode);
    return rest.size == 0 && !slice_ends(bind, SLICE_LITERAL(":")) &&
           slice_starts(*target, SLICE_LITERAL("/"));
}

/* A target alone is an anonymous volume. */
static void
add_bind(struct body_facts *out, struct slice bind)
{
    struct slice source, target, mode;
    bool writes = true;

    if (slice_find(bind, ':') == bind.size) {
        if (!slice_starts(bind, SLICE_LITERAL("/")) || !docker_is_plain(bind))
            (void)body_wrong(out, "a volume's place in the container is no absolute path");
        return;
    }
    if (!split_bind(bind, &source, &target, &mode) || !docker_is_plain(source) ||
        !docker_is_plain(target)) {
        (void)body_wrong(out, "a bind is source:target:mode");
        return;
    }
    if (!read_mode(mode, &writes))
        (void)body_wrong(out, "a bind's mode has a word that this gateway does not know, or two "
                              "that contradict each other");
    if (!docker_is_name(source))
        add_host_mount(out, source, writes);
}

/* --- {"Type": …} ------------------------------------------------------------------------------ */

static void
read_volume_options(struct body_facts *out, const json_t *options)
{
    static const char *const known[] = { "NoCopy", "Labels", "DriverConfig", "Subpath", NULL };
    static const char *const driver_known[] = { "Name", "Options", NULL };
    const json_t *driver;
    struct slice name;

    if (options == NULL || !body_only(options, known, out))
        return;
    if (!docker_is_plain(body_take_text(options, "Subpath", out)))
        (void)body_wrong(out, "a mount's subpath holds a byte that could begin another member");
    driver = body_take_object(options, "DriverConfig", out);
    if (driver == NULL || !body_only(driver, driver_known, out))
        return;
    name = body_take_text(driver, "Name", out);
    /* A local volume with options may be a bind of any path, or a share of another host. */
    if ((name.size > 0 && !slice_is(name, "local")) ||
        json_object_size(body_take_object(driver, "Options", out)) > 0)
        body_add_option(out, "DriverConfig", name);
}

/* *writes: also where only what lies below stays writable. */
static void
read_bind_options(struct body_facts *out, const json_t *options, bool *writes)
{
    static const char *const known[] = {
        "Propagation",          "NonRecursive",           "CreateMountpoint",
        "ReadOnlyNonRecursive", "ReadOnlyForceRecursive", NULL
    };
    struct slice propagation;

    if (options == NULL || !body_only(options, known, out))
        return;
    propagation = body_take_text(options, "Propagation", out);
    if (propagation.size > 0 && !is_one_of(propagation, propagations))
        (void)body_wrong(out, "a mount's propagation is none of those of the API");
    if (body_take_truth(options, "ReadOnlyNonRecursive", out))
        *writes = true;
}

static void
read_other_options(struct body_facts *out, const json_t *mount)
{
    static const char *const tmpfs_known[] = { "SizeBytes", "Mode", NULL };
    static const char *const image_known[] = { "Subpath", NULL };
    const json_t *tmpfs = body_take_object(mount, "TmpfsOptions", out);
    const json_t *image = body_take_object(mount, "ImageOptions", out);

    read_volume_options(out, body_take_object(mount, "VolumeOptions", out));
    if (tmpfs != NULL)
        (void)body_only(tmpfs, tmpfs_known, out);
    if (image != NULL && body_only(image, image_known, out) &&
        !docker_is_plain(body_take_text(image, "Subpath", out)))
        (void)body_wrong(out, "a mount's subpath holds a byte that could begin another member");
}

static bool
has_plain_members(struct body_facts *out, const json_t *mount)
{
    static const char *const members[] = { "Type", "Source", "Target", "Consistency" };

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!docker_is_plain(body_take_text(mount, members[i], out)))
            return body_wrong(out, "a mount holds a byte that could begin another member");
    }
    return true;
}

static void
add_mount(struct body_facts *out, const json_t *mount)
{
    static const char *const known[] = {
        "Type",        "Source",       "Target",        "ReadOnly",     "Consistency",
        "BindOptions", "TmpfsOptions", "VolumeOptions", "ImageOptions", NULL
    };
    struct slice type, source;
    bool writes;

    if (!body_only(mount, known, out) || !has_plain_members(out, mount))
        return;
    type = body_take_text(mount, "Type", out);
    source = body_take_text(mount, "Source", out);
    writes = !body_take_truth(mount, "ReadOnly", out);
    read_bind_options(out, body_take_object(mount, "BindOptions", out), &writes);
    read_other_options(out, mount);
    if (slice_is(type, "bind")) {
        add_host_mount(out, source, writes);
    } else if (slice_is(type, "volume")) {
        if (source.size > 0 && !docker_is_name(source))
            (void)body_wrong(out, "a mount's source is no name that a volume can have");
    } else if (slice_is(type, "tmpfs")) {
        if (source.size > 0)
            (void)body_wrong(out, "a mount of memory has no source");
    } else {
        body_add_option(out, "Mount", type);
    }
}

/* --- Tmpfs ----------------------------------------------------------------------------------- */

/* Runtimes know words that make a bind of it. */
static bool
is_tmpfs_word(struct slice word)
{
    static const char *const known[] = {
        "rw",         "ro",       "exec",       "noexec",      "suid",          "nosuid",
        "nodev",      "sync",     "async",      "atime",       "noatime",       "diratime",
        "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", NULL
    };
    static const char *const valued[] = { "size",      "mode",      "uid", "gid",
                                          "nr_inodes", "nr_blocks", NULL };
    size_t equals = slice_find(word, '=');

    return equals == word.size ? is_one_of(word, known)
                               : is_one_of(slice_first(word, equals), valued);
}

static void
read_tmpfs(struct body_facts *out, const json_t *tmpfs)
{
    const char *place;
    json_t *options;

    json_object_foreach((json_t *)(uintptr_t)tmpfs, place, options)
    {
        struct slice target = slice_text(place), rest = body_item_text(options, out), word;

        if (!slice_starts(target, SLICE_LITERAL("/")) || !docker_is_plain(target) ||
            slice_find(target, ':') < target.size)
            (void)body_wrong(out, "a mount of memory has no place in the container");
        while (slice_next(&rest, ',', &word)) {
            if (!is_tmpfs_word(word) || slice_find(word, ':') < word.size || !docker_is_plain(word))
                (void)body_wrong(out, "a mount of memory has an option that this gateway does not "
                                      "know");
        }
    }
}

void
docker_read_mounts(struct body_facts *out, const json_t *config)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(config, "Binds", out), i, item)
        add_bind(out, body_item_text(item, out));
    json_array_foreach(body_take_list(config, "Mounts", out), i, item) add_mount(out, item);
    read_tmpfs(out, body_take_object(config, "Tmpfs", out));
    docker_add_items(out, config, "VolumesFrom");
}
