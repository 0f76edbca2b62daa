/* gateway/http/resource.c - the metadata document of an upstream (RFC 9728 §3). */
#include "resource.h"

#include "proof/dpop.h"
#include "target.h"

/* The path behind the well-known part is the resource's own (§3.1). */
static bool
split(struct slice path, struct slice *rest)
{
    if (!slice_starts(path, SLICE_LITERAL(RESOURCE_PATH)))
        return false;
    *rest = slice_from(path, sizeof RESOURCE_PATH - 1);
    return rest->size == 0 || rest->at[0] == '/';
}

static json_t *
words(struct slice list)
{
    json_t *array = json_array();
    struct slice word;

    while (slice_next(&list, ' ', &word))
        json_array_append_new(array, json_slice(word));
    return array;
}

static json_t *
document(const struct http_passage *http, struct slice base, struct slice rest)
{
    const struct gateway *gateway = http->passage->gate->gateway;
    struct slice issuer = gateway->options.issuer;
    struct slice resource =
        arena_format(http_call_arena(http->call), "%.*s%.*s", SLICE_PRINT(base), SLICE_PRINT(rest));
    json_t *body =
        json_pack("{s:o, s:o, s:[s], s:o}", "resource", json_slice(resource), "resource_name",
                  json_slice(http->passage->asked.request.resource), "bearer_methods_supported",
                  "header", "dpop_signing_alg_values_supported", words(SLICE_LITERAL(DPOP_ALGS)));

    if (body != NULL && issuer.size > 0)
        json_object_set_new(body, "authorization_servers", json_pack("[o]", json_slice(issuer)));
    if (body != NULL && gateway->places[DOOR_HTTP].tls != NULL &&
        !slice_is(gateway->options.doors[DOOR_HTTP].client_cert, "none") &&
        gateway->options.doors[DOOR_HTTP].client_cert.size > 0)
        json_object_set_new(body, "tls_client_certificate_bound_access_tokens", json_true());
    return body;
}

static void
respond(struct http_call *call, json_t *body)
{
    static const struct http_header headers[] = {
        { { "Content-Type", 12 }, { "application/json", 16 } },
        { { "Access-Control-Allow-Origin", 27 }, { "*", 1 } },
        { { "Cache-Control", 13 }, { "max-age=300", 11 } },
        { { "X-Content-Type-Options", 22 }, { "nosniff", 7 } },
    };
    struct buffer text = BUFFER_LIMITED(16384);

    put_json(&text, body);
    if (body != NULL && buffer_status(&text) == STATUS_OK)
        http_respond(call, 200, headers, sizeof headers / sizeof headers[0], buffer_slice(&text));
    else
        http_respond_json(call, 500, NULL);
    buffer_free(&text);
    json_decref(body);
}

static void
respond_without(struct http_call *call, const char *why)
{
    answer_problem(call, &(struct refusal){ .kind = GATE_UNKNOWN, .reason = slice_text(why) });
}

bool
resource_answer(struct gate *gate, struct http_call *call)
{
    const struct http_head *head = http_call_head(call);
    struct passage passage = { .gate = gate };
    struct http_passage http = { .passage = &passage, .call = call };
    struct slice rest, base, name, below;
    const char *why;

    if (!split(http_head_path(head), &rest))
        return false;
    if (head->method != HTTP_METHOD_GET && head->method != HTTP_METHOD_HEAD) {
        answer_problem(call, &(struct refusal){ .kind = GATE_METHOD });
        return true;
    }
    passage.asked.upstream = routes_by_host(gate->routes, http_head_host(head));
    http.target.by_host = passage.asked.upstream != NULL;
    if (passage.asked.upstream == NULL && rest.size > 0) {
        target_split(rest, &name, &below);
        passage.asked.upstream = routes_by_name(gate->routes, DOOR_HTTP, name);
    }
    if (passage.asked.upstream == NULL) {
        respond_without(call, "no upstream of this name is known to this gateway");
        return true;
    }
    passage.asked.request.resource = passage.asked.upstream->name;
    (void)client_find(&gate->gateway->options.trusted, head, stream_peer(http_call_stream(call)),
                      &http.client);
    if (target_base(&http, http_call_arena(call), &base, &why) == STATUS_OK)
        respond(call, document(&http, base, rest));
    else
        respond_without(call, why);
    return true;
}

struct slice
resource_metadata(const struct http_passage *http, struct arena *arena)
{
    const struct asked *asked = &http->passage->asked;
    struct slice base, path = { 0 };
    const char *why;

    if (asked->upstream == NULL || http->original ||
        target_base(http, arena, &base, &why) != STATUS_OK)
        return path;
    /* With a prefix the document lies between the host and it (§3.1). */
    size_t host = slice_find(slice_from(base, sizeof "https://"), '/') + sizeof "https://";
    host = host > base.size ? base.size : host;
    if (!http->target.by_host)
        path = arena_format(arena, "/%.*s", SLICE_PRINT(asked->upstream->name));
    return arena_format(arena, "%.*s" RESOURCE_PATH "%.*s%.*s",
                        SLICE_PRINT(slice_first(base, host)), SLICE_PRINT(slice_from(base, host)),
                        SLICE_PRINT(path));
}
