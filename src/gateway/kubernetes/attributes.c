/* gateway/kubernetes/attributes.c - from method, path and query to what is asked. */
#include "attributes.h"

#include "../http/query.h"

enum { PARTS_MAX = 8, PART_SIZE_MAX = 253, SUBRESOURCE_MAX = 40 };

struct parts {
    struct slice part[PARTS_MAX];
    size_t count;
    struct slice rest; /* behind the last */
};

static bool
fail(const char **why, const char *text)
{
    *why = text;
    return false;
}

static struct slice
part_at(const struct parts *parts, size_t i)
{
    return i < parts->count ? parts->part[i] : slice_of("", 0);
}

/* What stands behind the eighth can only be the path of a proxy. */
static void
split(struct slice path, struct parts *out)
{
    struct slice part;

    *out = (struct parts){ 0 };
    path = slice_from(path, 1);
    while (out->count < PARTS_MAX && slice_next(&path, '/', &part)) {
        if (part.size > 0)
            out->part[out->count++] = part;
    }
    out->rest = path;
}

static void
drop(struct parts *parts, size_t count)
{
    for (size_t i = count; i < parts->count; i++)
        parts->part[i - count] = parts->part[i];
    parts->count -= count < parts->count ? count : parts->count;
}

/* --- words -------------------------------------------------------------------------- */

static bool
is_small(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* Of versions, resources, subresources and groups: "v1beta1", "pods", "rbac.x.io". */
static bool
is_word(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_small(text.at[i]) && (i == 0 || (text.at[i] != '.' && text.at[i] != '-')))
            return false;
    }
    return text.size > 0 && text.size <= PART_SIZE_MAX;
}

/* Names of roles have colons and capitals as well; "-" stands for none in a right. */
bool
kube_name_valid(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];

        if (!is_small(byte) && !(byte >= 'A' && byte <= 'Z') && byte != '.' && byte != '-' &&
            byte != '_' && byte != ':' && byte != '@' && byte != '~')
            return false;
    }
    return text.size > 0 && text.size <= PART_SIZE_MAX && !slice_is(text, "-");
}

/* --- paths that name no resource ------------------------------------------------------- */

static bool
is_below(struct slice path, const char *top)
{
    struct slice rest;

    if (!slice_starts(path, slice_text(top)))
        return false;
    rest = slice_from(path, slice_text(top).size);
    return rest.size == 0 || rest.at[0] == '/';
}

/* What every client reads before it asks for anything; the API server shows it to all. */
static bool
is_discovery(struct slice path)
{
    static const char *const exact[] = { "/version", "/api", "/apis", "/openapi/v2", NULL };
    static const char *const trees[] = { "/healthz", "/livez", "/readyz", "/openapi/v3", NULL };

    for (size_t i = 0; exact[i] != NULL; i++) {
        if (slice_is(path, exact[i]))
            return true;
    }
    for (size_t i = 0; trees[i] != NULL; i++) {
        if (is_below(path, trees[i]))
            return true;
    }
    return false;
}

static bool
is_known_path(struct slice path)
{
    static const char *const trees[] = { "/metrics", "/logs",         "/debug",   "/.well-known",
                                         "/openid",  "/swagger.json", "/statusz", "/flagz",
                                         "/configz", "/version",      "/openapi", NULL };

    for (size_t i = 0; trees[i] != NULL; i++) {
        if (is_below(path, trees[i]))
            return true;
    }
    return is_discovery(path);
}

static bool
path_find(struct slice method, struct slice path, struct kube_attributes *out, const char **why)
{
    bool api = is_below(path, "/api") || is_below(path, "/apis");

    if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
        return fail(why, "this path of the Kubernetes API is only read");
    if (!api && !is_known_path(path))
        return fail(why, "this is no path of the Kubernetes API that this gateway knows");
    out->free = api || is_discovery(path);
    out->action = out->verb = SLICE_LITERAL("get");
    return true;
}

/* --- verbs ----------------------------------------------------------------------------- */

static struct slice
verb_of(struct slice method)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = { { "POST", "create" }, { "GET", "get" },     { "HEAD", "get" },
                  { "PUT", "update" },  { "PATCH", "patch" }, { "DELETE", "delete" } };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (slice_is(method, verbs[i].method))
            return slice_text(verbs[i].verb);
    }
    return slice_of("", 0);
}

/* Servers of different ages read "watch=" and "watch=yes" otherwise: only what all read
 * alike is taken. */
static bool
watch_find(struct slice query, struct arena *arena, bool *watch, const char **why)
{
    struct slice text = slice_of("", 0);

    *watch = false;
    switch (query_find(query, "watch", arena, &text)) {
    case QUERY_ABSENT:
        return true;
    case QUERY_AMBIGUOUS:
        return fail(why, "the query says watch twice, or can't be read");
    case QUERY_FOUND:
        break;
    }
    *watch = slice_is(text, "true") || slice_is(text, "1");
    return *watch || slice_is(text, "false") || slice_is(text, "0") ||
           fail(why, "watch is true, 1, false or 0");
}

/* The name that "metadata.name=web" asks for; empty: the selector names none. */
static bool
selected_name(struct slice query, struct arena *arena, struct slice *name, const char **why)
{
    struct slice selector = slice_of("", 0), term;

    if (query_find(query, "fieldSelector", arena, &selector) == QUERY_AMBIGUOUS)
        return fail(why, "the query says fieldSelector twice, or can't be read");
    while (slice_next(&selector, ',', &term)) {
        struct slice value = slice_from(term, sizeof "metadata.name=" - 1);

        if (!slice_starts(term, SLICE_LITERAL("metadata.name=")))
            continue;
        if (slice_starts(value, SLICE_LITERAL("=")))
            value = slice_from(value, 1);
        if (kube_name_valid(value))
            *name = value;
    }
    return true;
}

/* A get without a name is a list or a watch, a delete without one of all there are. */
static bool
collection_find(struct slice query, bool by_prefix, struct arena *arena,
                struct kube_attributes *out, const char **why)
{
    bool watch;

    if (!watch_find(query, arena, &watch, why))
        return false;
    if (by_prefix)
        watch = true;
    else if (watch && (out->name.size > 0 || !slice_is(out->verb, "get")))
        return fail(why, "only a collection is watched: use fieldSelector=metadata.name=NAME");
    out->watch = watch;
    out->listing = watch || (out->name.size == 0 && slice_is(out->verb, "get"));
    if (out->listing)
        out->verb = watch ? SLICE_LITERAL("watch") : SLICE_LITERAL("list");
    else if (out->name.size == 0 && slice_is(out->verb, "delete"))
        out->verb = SLICE_LITERAL("deletecollection");
    else if (out->name.size == 0 && !slice_is(out->verb, "create"))
        return fail(why, "an update and a patch name what they change");
    else if (out->name.size > 0 && out->subresource.size == 0 && slice_is(out->verb, "create"))
        return fail(why, "what is made has its name in the body, not in the path");
    return !out->listing || out->name.size > 0 || selected_name(query, arena, &out->name, why);
}

/* --- subresources ------------------------------------------------------------------------ */

struct subresource {
    const char *resource; /* NULL: of any */
    const char *name, *methods, *action;
    enum kube_connect connect;
};

static const struct subresource subresources[] = {
    { "pods", "exec", "GET POST", "exec", KUBE_EXEC },
    { "pods", "attach", "GET POST", "attach", KUBE_ATTACH },
    { "pods", "portforward", "GET POST", "portforward", KUBE_PORTFORWARD },
    { "pods", "proxy", "GET HEAD POST PUT PATCH DELETE", "proxy", KUBE_PROXY },
    { "services", "proxy", "GET HEAD POST PUT PATCH DELETE", "proxy", KUBE_PROXY },
    { "nodes", "proxy", "GET HEAD POST PUT PATCH DELETE", "proxy", KUBE_PROXY },
    { "pods", "log", "GET", "logs", KUBE_NOT_CONNECTED },
    { "pods", "eviction", "POST", "evict", KUBE_NOT_CONNECTED },
    { "pods", "binding", "POST", "bind", KUBE_NOT_CONNECTED },
    { "serviceaccounts", "token", "POST", "token", KUBE_NOT_CONNECTED },
    { "certificatesigningrequests", "approval", "PUT PATCH", "approve", KUBE_NOT_CONNECTED },
    { NULL, "scale", "PUT PATCH", "scale", KUBE_NOT_CONNECTED },
};

static bool
among(struct slice word, const char *words)
{
    struct slice rest = slice_text(words), one;

    while (slice_next(&rest, ' ', &one)) {
        if (slice_equal(one, word))
            return true;
    }
    return false;
}

static const struct subresource *
subresource_find(const struct kube_attributes *attributes)
{
    for (size_t i = 0; i < sizeof subresources / sizeof subresources[0]; i++) {
        const struct subresource *one = &subresources[i];

        if (slice_is(attributes->subresource, one->name) &&
            (one->resource == NULL ||
             (attributes->group.size == 0 && slice_is(attributes->resource, one->resource)) ||
             (slice_is(attributes->resource, "certificatesigningrequests") &&
              slice_is(slice_text(one->resource), "certificatesigningrequests"))))
            return one;
    }
    return NULL;
}

/* "https:web:8443" is web: a rule on the name holds for each of its ports. */
static bool
proxied_name(struct kube_attributes *out, const char **why)
{
    struct slice first = slice_first(out->name, slice_find(out->name, ':'));
    struct slice rest = slice_from(out->name, first.size + 1);
    struct slice second = slice_first(rest, slice_find(rest, ':'));
    struct slice port = slice_from(rest, second.size + 1);
    bool schemed = second.size < rest.size;

    out->name = schemed ? second : first;
    if (!kube_name_valid(out->name) || slice_find(port, ':') < port.size ||
        (schemed && !slice_is(first, "http") && !slice_is(first, "https")))
        return fail(why, "the name behind a proxy is scheme:name:port");
    return true;
}

/* The subresources that do something of their own have an action of their own; others are
 * the verb's: "get.status". */
static bool
action_find(struct slice method, struct arena *arena, struct kube_attributes *out, const char **why)
{
    const struct subresource *own = subresource_find(out);

    out->action = out->verb;
    if (out->subresource.size == 0)
        return true;
    if (own != NULL && (among(method, own->methods) || own->connect != KUBE_NOT_CONNECTED)) {
        if (!among(method, own->methods))
            return fail(why, "this subresource is not asked with this method");
        out->action = slice_text(own->action);
        out->connect = own->connect;
        return own->connect != KUBE_PROXY || proxied_name(out, why);
    }
    out->action =
        arena_format(arena, "%.*s.%.*s", SLICE_PRINT(out->verb), SLICE_PRINT(out->subresource));
    return out->action.at != NULL || fail(why, "the path is too long");
}

/* --- what a right must speak of --------------------------------------------------------- */

/* Writing these gives power over the whole cluster or over what a right does not name. */
static bool
gives_power(const struct kube_attributes *attributes)
{
    static const struct {
        const char *group, *resources;
    } powers[] = {
        { "rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings" },
        { "admissionregistration.k8s.io",
          "mutatingwebhookconfigurations validatingwebhookconfigurations "
          "mutatingadmissionpolicies mutatingadmissionpolicybindings "
          "validatingadmissionpolicies validatingadmissionpolicybindings" },
        { "apiregistration.k8s.io", "apiservices" },
        { "certificates.k8s.io", "certificatesigningrequests" },
        { "policy", "podsecuritypolicies" },
        { "", "persistentvolumes nodes" },
    };

    if (slice_is(attributes->verb, "get") || attributes->listing)
        return false;
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        if (slice_is(attributes->group, powers[i].group) &&
            among(attributes->resource, powers[i].resources))
            return true;
    }
    return slice_is(attributes->action, "token");
}

static bool
option_find(struct arena *arena, struct kube_attributes *out, const char **why)
{
    const char *kind = out->connect == KUBE_PROXY                ? "Proxy"
                       : slice_is(out->verb, "deletecollection") ? "DeleteCollection"
                       : gives_power(out)                        ? "Power"
                                                                 : NULL;

    if (kind == NULL)
        return true;
    out->option = arena_format(arena, "%s=%.*s", kind, SLICE_PRINT(out->resource));
    return out->option.at != NULL || fail(why, "the path is too long");
}

/* --- the whole ------------------------------------------------------------------------------ */

/* /api/VERSION/… and /apis/GROUP/VERSION/…: what stands behind them. */
static bool
take_group(struct parts *parts, struct kube_attributes *out, const char **why)
{
    bool grouped = slice_is(part_at(parts, 0), "apis");

    if (grouped)
        out->group = part_at(parts, 1);
    if ((grouped && !is_word(out->group)) || !is_word(part_at(parts, grouped ? 2 : 1)))
        return fail(why, "the path names no group and version of the Kubernetes API");
    drop(parts, grouped ? 3 : 2);
    return true;
}

/* namespaces/NAME/RESOURCE/…; namespaces/NAME and its status are of no namespace here, so
 * that a right to what is in a namespace is none to the namespace itself. */
static bool
take_namespace(struct parts *parts, struct kube_attributes *out, const char **why)
{
    struct slice second = part_at(parts, 1), third = part_at(parts, 2);

    out->namespace = SLICE_LITERAL("-");
    if (!slice_is(part_at(parts, 0), "namespaces") || parts->count < 3 ||
        slice_is(third, "status") || slice_is(third, "finalize"))
        return true;
    out->namespace = second;
    drop(parts, 2);
    return (is_word(second) && slice_find(second, '.') == second.size) ||
           fail(why, "the path holds a name that Kubernetes does not give");
}

static bool
take_names(const struct parts *parts, struct kube_attributes *out, const char **why)
{
    out->resource = part_at(parts, 0);
    out->name = part_at(parts, 1);
    out->subresource = part_at(parts, 2);
    if (!is_word(out->resource) || slice_find(out->resource, '.') < out->resource.size ||
        (out->name.size > 0 && !kube_name_valid(out->name)) ||
        (out->subresource.size > 0 &&
         (!is_word(out->subresource) || out->subresource.size > SUBRESOURCE_MAX)))
        return fail(why, "the path holds a name that Kubernetes does not give");
    return true;
}

static bool
is_resource_path(const struct parts *parts)
{
    return (slice_is(part_at(parts, 0), "api") && parts->count >= 3) ||
           (slice_is(part_at(parts, 0), "apis") && parts->count >= 4);
}

bool
kube_attributes_find(struct slice method, struct slice path, struct slice query,
                     struct arena *arena, struct kube_attributes *out, const char **why)
{
    struct parts parts;
    bool by_prefix;

    *out = (struct kube_attributes){ .verb = verb_of(method) };
    split(path, &parts);
    if (out->verb.size == 0)
        return fail(why, "this is no method of the Kubernetes API");
    if (!query_is_clear(query))
        return fail(why, "the query holds a ;");
    if (!is_resource_path(&parts))
        return path_find(method, path, out, why);
    out->resource_request = true;
    if (!take_group(&parts, out, why))
        return false;
    by_prefix = slice_is(part_at(&parts, 0), "watch");
    if (slice_is(part_at(&parts, 0), "proxy") || (by_prefix && parts.count < 2))
        return fail(why, "this path of old Kubernetes APIs is never let through");
    if (by_prefix && !slice_is(out->verb, "get"))
        return fail(why, "a watch is a GET");
    drop(&parts, by_prefix ? 1 : 0);
    if (!take_namespace(&parts, out, why) || !take_names(&parts, out, why) ||
        !collection_find(query, by_prefix, arena, out, why) ||
        !action_find(method, arena, out, why))
        return false;
    if ((parts.count > 3 || parts.rest.size > 0) && out->connect != KUBE_PROXY)
        return fail(why, "the path goes on where no name of the Kubernetes API stands");
    if (out->listing && out->subresource.size > 0)
        return fail(why, "a subresource is not watched");
    return option_find(arena, out, why);
}

struct slice
kube_object(const struct kube_attributes *attributes, struct slice namespace, struct slice name,
            struct arena *arena)
{
    bool grouped = attributes->group.size > 0, whole = name.size == 0 && attributes->listing;

    return arena_format(arena, "%.*s/%.*s%s%.*s%s%.*s", SLICE_PRINT(namespace),
                        SLICE_PRINT(attributes->resource), grouped ? "." : "",
                        SLICE_PRINT(attributes->group), whole ? "" : "/",
                        SLICE_PRINT(name.size > 0 || whole ? name : SLICE_LITERAL("-")));
}
