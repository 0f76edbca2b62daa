/* gateway/docker/reference.c - one spelling for each image. */
#include "reference.h"

#include <string.h>

enum { REFERENCE_MAX = 512, TAG_MAX = 128, NAME_MAX_SIZE = 255 };

static bool
is_hex(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];
        if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'f'))
            return false;
    }
    return text.size > 0;
}

static bool
made_of(struct slice text, const char *others)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z');
        if (!plain && strchr(others, byte) == NULL)
            return false;
    }
    return text.size > 0;
}

/* "localhost", or with a dot or a port: else it is part of the name on docker.io. */
static bool
is_domain(struct slice first)
{
    return slice_find(first, '.') < first.size || slice_find(first, ':') < first.size ||
           slice_is(first, "localhost");
}

static bool
valid_tag(struct slice tag)
{
    for (size_t i = 0; i < tag.size; i++) {
        char byte = tag.at[i];
        bool word = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z') || byte == '_';
        if (!word && (i == 0 || (byte != '.' && byte != '-')))
            return false;
    }
    return tag.size > 0 && tag.size <= TAG_MAX;
}

static bool
valid_digest(struct slice digest)
{
    return slice_starts(digest, SLICE_LITERAL("sha256:")) && digest.size == 7 + 64 &&
           is_hex(slice_from(digest, 7));
}

/* Each segment of a path: small letters, digits, and separators between them. */
static bool
valid_path(struct slice path)
{
    struct slice segment;

    if (path.size == 0)
        return false;
    while (slice_next(&path, '/', &segment)) {
        if (!made_of(segment, "._-") || strchr("._-", segment.at[0]) != NULL ||
            strchr("._-", segment.at[segment.size - 1]) != NULL)
            return false;
    }
    return true;
}

static bool
put(struct slice domain, struct slice path, struct slice suffix, struct arena *arena,
    struct slice *out)
{
    bool library = slice_is(domain, "docker.io") && slice_find(path, '/') == path.size;

    if (!valid_path(path))
        return false;
    *out = arena_format(arena, "%.*s/%s%.*s%.*s", SLICE_PRINT(domain), library ? "library/" : "",
                        SLICE_PRINT(path), SLICE_PRINT(suffix));
    return out->at != NULL;
}

/* "@sha256:…", ":tag", or ":latest". A digest counts alone: the daemon drops a tag before it. */
static bool
take_suffix(struct slice *rest, struct arena *arena, struct slice *suffix)
{
    size_t at = slice_find(*rest, '@'), slash = 0, colon;

    if (at < rest->size) {
        *suffix = slice_from(*rest, at);
        *rest = slice_first(*rest, at);
        if (!valid_digest(slice_from(*suffix, 1)))
            return false;
    }
    for (size_t i = 0; i < rest->size; i++)
        slash = rest->at[i] == '/' ? i : slash;
    colon = slash + slice_find(slice_from(*rest, slash), ':');
    if (colon < rest->size) {
        struct slice tag = slice_from(*rest, colon);

        if (!valid_tag(slice_from(tag, 1)))
            return false;
        if (suffix->size == 0)
            *suffix = tag;
        *rest = slice_first(*rest, colon);
    }
    if (suffix->size == 0)
        *suffix = SLICE_LITERAL(":latest");
    return true;
}

bool
docker_reference(struct slice text, struct arena *arena, struct slice *out)
{
    struct slice suffix = { 0 }, first, domain = SLICE_LITERAL("docker.io");

    if (text.size == 0 || text.size > REFERENCE_MAX)
        return false;
    if (is_hex(text) && text.size <= 64) {
        *out = arena_format(arena, "sha256:%.*s", SLICE_PRINT(text));
        return out->at != NULL;
    }
    if (slice_starts(text, SLICE_LITERAL("sha256:"))) {
        *out = text;
        return is_hex(slice_from(text, 7)) && text.size <= 7 + 64;
    }
    first = slice_first(text, slice_find(text, '/'));
    if (first.size < text.size && is_domain(first)) {
        if (!made_of(first, ".-:ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
            return false;
        domain = slice_is(first, "index.docker.io") ? domain : first;
        text = slice_from(text, first.size + 1);
    }
    return take_suffix(&text, arena, &suffix) && put(domain, text, suffix, arena, out);
}

bool
docker_reference_of(struct slice repository, struct slice tag, struct arena *arena,
                    struct slice *out)
{
    const char *between = slice_find(tag, ':') < tag.size ? "@" : ":";
    struct slice whole = repository;

    if (tag.size > 0)
        whole =
            arena_format(arena, "%.*s%s%.*s", SLICE_PRINT(repository), between, SLICE_PRINT(tag));
    return whole.at != NULL && docker_reference(whole, arena, out);
}

bool
docker_is_name(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];
        bool word = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z');
        if (!word && (i == 0 || (byte != '_' && byte != '.' && byte != '-')))
            return false;
    }
    return text.size > 0 && text.size <= NAME_MAX_SIZE;
}
