/* authority/oauth/resource.c - resource indicators (RFC 8707): URLs as the names of
 * upstreams, and back. */
#include "oauth.h"

#include "proof/target.h"

/* A URL in normal form, taken apart. */
struct place {
    struct slice scheme, host, port; /* the host without brackets; an empty port: the scheme's */
    struct slice path;               /* without a "/" at its end */
};

static void
split_host(struct slice authority, struct place *out)
{
    bool bracketed = authority.size > 0 && authority.at[0] == '[';
    size_t end = slice_find(authority, bracketed ? ']' : ':');

    out->host =
        bracketed ? slice_from(slice_first(authority, end), 1) : slice_first(authority, end);
    out->port = slice_from(authority, end + (bracketed ? 2 : 1));
}

/* Absolute, of http or https, without query, fragment and user (RFC 8707 §2). */
static bool
place_read(struct slice url, struct arena *arena, struct place *out)
{
    struct slice normal, rest;

    if (slice_find(url, '#') < url.size || slice_find(url, '?') < url.size ||
        target_normal(url, arena, &normal) != STATUS_OK)
        return false;
    out->scheme = slice_first(normal, slice_find(normal, ':'));
    rest = slice_from(normal, out->scheme.size + sizeof "://" - 1);
    out->path = slice_from(rest, slice_find(rest, '/'));
    split_host(slice_first(rest, slice_find(rest, '/')), out);
    if (slice_ends(out->path, SLICE_LITERAL("/")))
        out->path.size--;
    return true;
}

static bool
is_loopback(struct slice host)
{
    struct ip ip;

    return slice_equal_nocase(host, SLICE_LITERAL("localhost")) ||
           (ip_parse(host, &ip) == STATUS_OK && ip_is_loopback(&ip));
}

/* A door that listens everywhere, or on loopback, is met under every name of it. */
static bool
same_host(struct slice given, struct slice own)
{
    return slice_equal(given, own) ||
           (is_loopback(given) &&
            (is_loopback(own) || slice_is(own, "0.0.0.0") || slice_is(own, "::")));
}

/* Is it below that URL? Then *rest is what follows: "" or "/…". */
static bool
below(const struct place *place, const struct place *base, struct slice *rest)
{
    if (!slice_equal(place->scheme, base->scheme) || !slice_equal(place->port, base->port) ||
        !same_host(place->host, base->host) || !slice_starts(place->path, base->path))
        return false;
    *rest = slice_from(place->path, base->path.size);
    return rest->size == 0 || rest->at[0] == '/';
}

static struct slice
first_segment(struct slice path)
{
    struct slice rest = slice_from(path, 1);

    return slice_first(rest, slice_find(rest, '/'));
}

/* An upstream that has a name of its own in DNS, perhaps with a port: `host:`. */
static bool
by_host(const struct oauth_call *call, const struct place *place, struct slice *name)
{
    size_t count;
    uint64_t generation;
    const struct upstream_view *views =
        world_upstreams(call->authority->reader, &count, &generation);

    for (size_t i = 0; i < count; i++) {
        json_t *host = json_object_get(views[i].definition, "host");
        struct slice url = !json_is_string(host)
                               ? (struct slice){ 0 }
                               : arena_format(call->request->arena, "%.*s://%s",
                                              SLICE_PRINT(place->scheme), json_string_value(host));
        struct place own;

        if (url.size > 0 && place_read(url, call->request->arena, &own) &&
            slice_equal(own.host, place->host) &&
            (own.port.size == 0 || slice_equal(own.port, place->port))) {
            *name = views[i].name;
            return true;
        }
    }
    return false;
}

/* Below the HTTP door: the first segment is the name. */
static bool
by_path(const struct oauth_call *call, const struct place *place, struct slice *name)
{
    struct slice gateway = call->authority->options.gateway_url, rest = place->path;
    struct place door;

    if (gateway.size == 0
            ? !is_loopback(place->host)
            : !place_read(gateway, call->request->arena, &door) || !below(place, &door, &rest))
        return false;
    *name = first_segment(rest);
    return !slice_is(*name, AUDIENCE_API) && audience_is_name(call->authority, *name);
}

static bool
name_of(const struct oauth_call *call, struct slice url, struct slice *name)
{
    struct place place, issuer;
    struct slice rest;

    if (!place_read(url, call->request->arena, &place))
        return false;
    if (by_host(call, &place, name) || by_path(call, &place, name))
        return true;
    *name = SLICE_LITERAL(AUDIENCE_API);
    return place_read(call->authority->options.issuer, call->request->arena, &issuer) &&
           below(&place, &issuer, &rest) && (rest.size == 0 || slice_is(first_segment(rest), "v1"));
}

/* RFC 8693 §2.1: a logical name, which may be a URL here. */
static bool
audience_name(const struct oauth_call *call, struct slice text, struct slice *name)
{
    *name = text;
    return name_valid(text) ? audience_is_name(call->authority, text) : name_of(call, text, name);
}

static bool
refuse_unknown(struct oauth_call *call, const char *member, struct slice value)
{
    return oauth_refuse(call, OAUTH_INVALID_TARGET,
                        "%s: %.*s is no place that this server gives tokens for; it is the "
                        "gateway's URL with the name of an upstream",
                        member, SLICE_PRINT(slice_first(value, 256)));
}

/* All values of one member, added as names. */
static bool
add_named(struct oauth_call *call, const char *member,
          bool (*read)(const struct oauth_call *, struct slice, struct slice *),
          struct buffer *list)
{
    struct slice values[RESOURCES_MAX + 1], name;
    size_t count = form_values(&call->form, member, values, RESOURCES_MAX + 1);

    if (count > RESOURCES_MAX)
        return oauth_refuse(call, OAUTH_INVALID_TARGET, "%s: at most %d of them", member,
                            RESOURCES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!read(call, values[i], &name))
            return refuse_unknown(call, member, values[i]);
        audience_add(list, name);
    }
    return true;
}

bool
oauth_audience(struct oauth_call *call, struct slice *out)
{
    struct buffer list = BUFFER_LIMITED(TOKEN_AUDIENCE_MAX);
    bool read = add_named(call, "resource", name_of, &list) &&
                add_named(call, "audience", audience_name, &list);
    bool fits = buffer_status(&list) == STATUS_OK;

    *out = (struct slice){ 0 };
    if (read && fits && list.size > 0) {
        *out = arena_copy(call->request->arena, buffer_slice(&list));
        fits = out->at != NULL;
    }
    buffer_free(&list);
    return read && (fits || oauth_refuse(call, OAUTH_INVALID_TARGET,
                                         "these are too many places for one token"));
}

/* --- back ------------------------------------------------------------------------ */

static json_t *
url_of(const struct authority *authority, struct slice name)
{
    struct slice base = authority->options.gateway_url;
    struct buffer url = { 0 };
    json_t *out;

    if (slice_is(name, AUDIENCE_API))
        return json_slice(authority->options.issuer);
    if (base.size == 0)
        return json_slice(name);
    if (base.at[base.size - 1] == '/')
        base.size--;
    put_format(&url, "%.*s/%.*s", SLICE_PRINT(base), SLICE_PRINT(name));
    out = json_slice(buffer_slice(&url));
    buffer_free(&url);
    return out;
}

json_t *
oauth_aud(const struct authority *authority, struct slice audience)
{
    struct slice word;
    json_t *list, *only;

    if (audience.size == 0)
        return json_slice(authority->options.issuer);
    list = json_array();
    while (audience.size > 0 && slice_next(&audience, ' ', &word))
        json_array_append_new(list, url_of(authority, word));
    if (json_array_size(list) != 1)
        return list;
    only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}
