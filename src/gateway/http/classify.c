/* gateway/http/classify.c - from a head to the triple and the credential. */
#include "classify.h"

void
target_split(struct slice path, struct slice *name, struct slice *rest)
{
    struct slice inner = slice_from(path, 1);
    size_t end = slice_find(inner, '/');

    *name = slice_first(inner, end);
    *rest = slice_from(inner, end);
}

/* The first fault stands. */
static void
malformed(struct asked *asked, enum gate_refusal kind, const char *reason)
{
    if (asked->fault.kind == GATE_NOTHING)
        asked->fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
}

static void
authorization_find(const struct http_head *head, struct asked *asked)
{
    struct slice value = http_head_value(head, HTTP_FIELD_AUTHORIZATION);
    struct slice scheme = slice_first(value, slice_find(value, ' '));
    struct slice token = slice_trim(slice_from(value, scheme.size));

    if (slice_equal_nocase(scheme, SLICE_LITERAL("bearer")))
        asked->scheme = SCHEME_BEARER;
    else if (slice_equal_nocase(scheme, SLICE_LITERAL("dpop")))
        asked->scheme = SCHEME_DPOP;
    else
        return;
    asked->token = token;
}

void
credential_find(const struct http_head *head, bool api_key, struct asked *asked)
{
    unsigned authorizations = http_head_field_count(head, HTTP_FIELD_AUTHORIZATION);
    unsigned keys = api_key ? http_head_field_count(head, HTTP_FIELD_X_API_KEY) : 0;

    if (authorizations > 1 || keys > 1) {
        malformed(asked, GATE_MALFORMED, "there are several credentials: send one");
        return;
    }
    if (authorizations > 0 && keys > 0) {
        malformed(asked, GATE_MALFORMED,
                  "there are two credentials, Authorization and X-Api-Key: send one");
        return;
    }
    if (authorizations > 0) {
        authorization_find(head, asked);
    } else if (keys > 0) {
        asked->token = http_head_value(head, HTTP_FIELD_X_API_KEY);
        asked->scheme = SCHEME_API_KEY;
    }
}

static bool
is_alphanumeric(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* RFC 9110 §9.1 allows any token; a right's action has letters, digits and -_. so
 * that a method can't turn into a pattern. */
bool
method_valid(struct slice method)
{
    if (method.size == 0 || method.size > REQUEST_ACTION_MAX)
        return false;
    for (size_t i = 0; i < method.size; i++) {
        if (!is_alphanumeric(method.at[i]) && memchr("-_.", method.at[i], 3) == NULL)
            return false;
    }
    return true;
}

bool
method_has_small_letters(struct slice method)
{
    for (size_t i = 0; i < method.size; i++) {
        if (method.at[i] >= 'a' && method.at[i] <= 'z')
            return true;
    }
    return false;
}

/* The server behind would do another thing than what was decided. */
static bool
is_override(struct slice name)
{
    static const struct slice names[] = {
        { "X-HTTP-Method", 13 },
        { "X-Method-Override", 17 },
        { "X-Original-URL", 14 },
        { "X-Rewrite-URL", 13 },
    };

    if (name.size < 13 || name.size > 17 || (name.at[0] | 0x20) != 'x')
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(name, names[i]))
            return true;
    }
    return false;
}

static void
fields_judge(const struct http_head *head, struct asked *asked)
{
    if (http_head_field(head, HTTP_FIELD_X_HTTP_METHOD_OVERRIDE) != NULL)
        malformed(asked, GATE_MALFORMED, "a field overrides the method: send the method itself");
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == HTTP_FIELD_OTHER && is_override(http_field_name(head, field)))
            malformed(asked, GATE_MALFORMED,
                      "a field overrides the method or the path: send them themselves");
    }
}

static void
method_judge(const struct http_head *head, struct asked *asked)
{
    if (head->method == HTTP_METHOD_TRACE)
        malformed(asked, GATE_METHOD, "TRACE is never let through: it would echo credentials");
    else if (!method_valid(asked->request.action))
        malformed(asked, GATE_MALFORMED,
                  "the method has other characters than letters, digits, \"-\", \"_\" and \".\"");
    else if (head->method == HTTP_METHOD_OTHER && method_has_small_letters(asked->request.action))
        malformed(asked, GATE_MALFORMED,
                  "the method has small letters: servers read it differently");
    /* What stands in the audit is text that a right could name. */
    if (!method_valid(asked->request.action))
        asked->request.action = SLICE_LITERAL("-");
}

/* Which upstream, and the part of the path that is its own. */
static struct slice
upstream_find(const struct routes *routes, const struct http_head *head, struct asked *asked,
              struct http_target_read *target)
{
    struct slice path = http_head_path(head), name;

    asked->upstream = routes_by_host(routes, http_head_host(head));
    if (asked->upstream != NULL) {
        asked->request.resource = asked->upstream->name;
        target->by_host = true;
        return path;
    }
    if (head->target_form == HTTP_TARGET_ASTERISK) {
        malformed(asked, GATE_MALFORMED, "the target * names no upstream");
        asked->request.resource = SLICE_LITERAL("-");
        return path;
    }
    target_split(path, &name, &path);
    asked->upstream = routes_by_name(routes, DOOR_HTTP, name);
    asked->request.resource = asked->upstream != NULL ? asked->upstream->name
                              : name_valid(name)      ? name
                                                      : SLICE_LITERAL("-");
    target->bare = path.size == 0;
    return target->bare ? SLICE_LITERAL("/") : path;
}

static void
path_judge(struct slice raw, struct arena *arena, struct asked *asked,
           struct http_target_read *target)
{
    enum path_params params =
        asked->upstream != NULL ? asked->upstream->plan.path_params : PATH_PARAMS_REFUSE;
    enum path_verdict verdict = path_canonical(raw, params, arena, &target->path);

    if (verdict == PATH_OK) {
        asked->request.object = target->path.object;
        return;
    }
    malformed(asked, GATE_MALFORMED, path_verdict_text(verdict));
    asked->request.object = SLICE_LITERAL("-");
}

static void
tokens_judge(const struct http_head *head, struct slice query, struct arena *arena,
             struct asked *asked)
{
    struct slice all = slice_of(head->bytes, head->size);
    struct slice object = asked->request.object;
    bool decoded = object.at < all.at || object.at >= all.at + all.size;

    if (!token_text_stands_in(all, asked->token) &&
        !(decoded && token_text_stands_in(object, asked->token)) &&
        !token_text_stands_in(path_query_decoded(query, arena), slice_of(NULL, 0)))
        return;
    /* Neither the audit nor the answer repeats it. */
    malformed(asked, GATE_MISPLACED,
              "a token stands in the path, the query or another field, where it may be logged: "
              "revoke it, and send its successor in Authorization alone");
    asked->request.object = SLICE_LITERAL("-");
    asked->agent = SLICE_LITERAL("");
    if (token_text_stands_in(asked->request.resource, slice_of(NULL, 0)))
        asked->request.resource = SLICE_LITERAL("-");
}

void
classify(const struct routes *routes, const struct http_head *head, struct arena *arena,
         struct asked *asked, struct http_target_read *target)
{
    asked->request.syntax = OBJECT_PATH;
    asked->request.action = http_head_method(head);
    asked->agent = http_head_value(head, HTTP_FIELD_USER_AGENT);
    target->query = http_head_query(head);
    target->has_query = http_head_has_query(head);

    struct slice raw = upstream_find(routes, head, asked, target);
    credential_find(head, asked->upstream != NULL && asked->upstream->plan.api_key, asked);
    method_judge(head, asked);
    fields_judge(head, asked);
    path_judge(raw, arena, asked, target);
    if (!path_query_valid(target->query))
        malformed(asked, GATE_MALFORMED, "the query holds a byte that must be percent-encoded");
    tokens_judge(head, target->query, arena, asked);
}
