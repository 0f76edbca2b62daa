/* gateway/http/check.c - forward-auth: a trusted proxy asks whether a request that
 * it holds may pass, and passes it itself. */
#include "relay.h"
#include "target.h"

static void
fault(struct asked *asked, enum gate_refusal kind, const char *reason)
{
    if (asked->fault.kind == GATE_NOTHING)
        asked->fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
}

/* Two proxies' conventions. A proxy that writes one of them passes the client's own
 * field of the other on, so that two that differ are no answer. */
static struct slice
original(const struct http_head *head, enum http_field_id one, enum http_field_id other,
         struct asked *asked)
{
    struct slice a = http_head_value(head, one), b = http_head_value(head, other);

    if (http_head_field_count(head, one) > 1 || http_head_field_count(head, other) > 1 ||
        (a.size > 0 && b.size > 0 && !slice_equal(a, b)))
        fault(asked, GATE_UNCHECKED, "the original request is told in two ways that differ");
    return a.size > 0 ? a : b;
}

/* The first one counts, up to a "/": some proxies put the original path behind it. */
static struct slice
upstream_named(struct slice query)
{
    struct slice pair;

    while (slice_next(&query, '&', &pair)) {
        if (!slice_starts(pair, SLICE_LITERAL("upstream=")))
            continue;
        struct slice name = slice_from(pair, sizeof("upstream=") - 1);
        return slice_first(name, slice_find(name, '/'));
    }
    return slice_of(NULL, 0);
}

/* The path alone decides, as at the door: the query is no part of the object. */
static void
path_find(struct slice uri, struct arena *arena, struct asked *asked)
{
    struct slice raw = slice_first(uri, slice_find(uri, '?'));
    struct path path;
    enum path_params params =
        asked->upstream != NULL ? asked->upstream->plan.path_params : PATH_PARAMS_REFUSE;
    enum path_verdict verdict = path_canonical(raw, params, arena, &path);

    asked->request.object = SLICE_LITERAL("-");
    if (verdict == PATH_OK)
        asked->request.object = path.object;
    else
        fault(asked, GATE_UNCHECKED, path_verdict_text(verdict));
    /* At the door the resolved path is what is forwarded; here the proxy forwards
     * what it got, and the server behind may not resolve it. */
    if (verdict == PATH_OK && path.dots)
        fault(asked, GATE_UNCHECKED, "the original path holds dot segments");
}

/* Returns the URI that it finds. */
static struct slice
original_find(const struct gate *gate, const struct http_head *head, struct arena *arena,
              struct asked *asked)
{
    struct slice method =
        original(head, HTTP_FIELD_X_ORIGINAL_METHOD, HTTP_FIELD_X_FORWARDED_METHOD, asked);
    struct slice uri = original(head, HTTP_FIELD_X_ORIGINAL_URI, HTTP_FIELD_X_FORWARDED_URI, asked);
    struct slice name = upstream_named(http_head_query(head));

    asked->request.syntax = OBJECT_PATH;
    asked->request.action = SLICE_LITERAL("-");
    asked->request.resource = name_valid(name) ? name : SLICE_LITERAL("-");
    asked->request.object = SLICE_LITERAL("-");
    asked->agent = http_head_value(head, HTTP_FIELD_USER_AGENT);
    asked->upstream = routes_by_name(gate->routes, DOOR_HTTP, name);
    credential_find(head, asked->upstream != NULL && asked->upstream->plan.api_key, asked);
    if (name.size == 0)
        fault(asked, GATE_MALFORMED, "say which upstream: /check?upstream=NAME");
    if (method.size == 0 || uri.size == 0)
        fault(asked, GATE_MALFORMED,
              "the proxy must send X-Original-Method and X-Original-URI, or X-Forwarded-Method "
              "and X-Forwarded-Uri");
    else if (!method_valid(method) || method_has_small_letters(method) ||
             slice_is(method, "CONNECT") || slice_is(method, "TRACE"))
        fault(asked, GATE_UNCHECKED, "the original method is never let through");
    else
        asked->request.action = method;
    if (uri.size > 0)
        path_find(uri, arena, asked);
    if (token_text_stands_in(slice_of(head->bytes, head->size), asked->token)) {
        fault(asked, GATE_UNCHECKED, "a token stands elsewhere than in Authorization");
        asked->request.object = SLICE_LITERAL("-");
        asked->agent = SLICE_LITERAL("");
    }
    if (asked->upstream != NULL && asked->upstream->plan.type != UPSTREAM_HTTP)
        fault(asked, GATE_UNCHECKED,
              "what is asked of this upstream can't be told from a method and a path");
    if (asked->upstream == NULL)
        fault(asked, GATE_UNCHECKED, "no upstream of this name is known to this gateway");
    return uri;
}

void
check_request(struct gate *gate, struct http_call *call)
{
    struct http_passage *http = http_passage_new(gate, &http_check, call);

    if (http == NULL)
        return;
    struct asked *asked = &http->passage->asked;
    if (!http->client.trusted)
        fault(asked, GATE_UNTRUSTED,
              "this answers to trusted proxies only: list the proxy's address under "
              "trusted_proxies");
    http->original = true;
    http->original_uri = original_find(gate, http_call_head(call), http_call_arena(call), asked);
    if (asked->upstream != NULL)
        upstream_use(asked->upstream);
    pipeline_enter(http->passage, http_call_arena(call));
}

/* The answer is the verdict; the request itself goes another way. */
static void
check_open(struct passage *passage, const struct decision *decision)
{
    struct http_passage *http = passage->relay;
    struct http_call *call = http->call;
    const struct audit_event *line = passage->line;

    if (decision == NULL || !decision_allows(decision)) {
        pipeline_leave(passage, 403, 0, 0);
        answer_problem(call, &(struct refusal){ .kind = GATE_DENIED });
        return;
    }
    const struct http_header headers[] = {
        HTTP_HEADER("X-Writ-Subject", line->subject),
        HTTP_HEADER("X-Writ-Token-Id", line->token),
        HTTP_HEADER("X-Writ-Right", line->right),
        HTTP_HEADER("X-Writ-Role", line->role),
        HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store")),
    };
    pipeline_leave(passage, 200, 0, 0);
    http_respond(call, 200, headers, sizeof(headers) / sizeof(headers[0]), SLICE_LITERAL(""));
}

const struct door http_check = {
    .name = "check",
    .refuse = answer_refusal,
    .open = check_open,
    .cut = relay_cut,
    .ended = http_passage_ended,
    .traffic = relay_traffic,
    .show = target_show,
};
