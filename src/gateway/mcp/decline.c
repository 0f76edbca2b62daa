/* gateway/mcp/decline.c - one request of the gateway's own, sent and forgotten. */
#include "decline.h"

#include "../http/headers.h"

enum { DECLINE_MAX = 1024 };

static void
on_body(struct http_exchange *exchange, struct slice bytes, bool more, void *context)
{
}

static void
on_head(struct http_exchange *exchange, const struct http_head *head, bool more, void *context)
{
}

static void
on_end(struct http_exchange *exchange, struct slice trailers, void *context)
{
    upstream_release(context);
}

static void
on_failed(struct http_exchange *exchange, enum status status, const char *why, void *context)
{
    upstream_release(context);
}

static const struct http_exchange_handler forgotten = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
};

static void
put_field(struct buffer *out, const char *name, struct slice value)
{
    if (value.size > 0)
        http_put_header(out, slice_text(name), value);
}

static bool
send_error(struct http_exchange *exchange, const struct http_passage *http, struct slice error)
{
    struct passage *passage = http->passage;
    struct upstream *upstream = passage->asked.upstream;
    struct buffer *out = http_exchange_out(exchange);
    const struct http_head *head = http_call_head(http->call);
    struct slice authorization;

    if (upstream_authorization(upstream, lane_mono_us(passage->gate->lane), &authorization) !=
        STATUS_OK)
        return false;
    headers_of_gateway(out, upstream, authorization);
    put_field(out, "Accept", SLICE_LITERAL("text/event-stream"));
    put_field(out, "Content-Type", SLICE_LITERAL("application/json"));
    put_field(out, "Mcp-Session-Id", mcp_session_of(http));
    for (unsigned i = 0; i < head->count; i++) {
        if (slice_equal_nocase(http_field_name(head, &head->fields[i]),
                               SLICE_LITERAL("MCP-Protocol-Version")))
            put_field(out, "MCP-Protocol-Version", http_field_value(head, &head->fields[i]));
    }
    if (http_exchange_send(exchange, HTTP_BODY_LENGTH, error.size, HTTP_SEND_MORE) != STATUS_OK)
        return false;
    (void)http_exchange_body(exchange, error, true);
    http_exchange_body_end(exchange, (struct slice){ 0 });
    return true;
}

void
mcp_decline(struct passage *passage, struct slice id)
{
    const struct http_passage *http = passage->relay;
    struct upstream *upstream = passage->asked.upstream;
    struct http_upstream *client = upstream_client(upstream, passage->gate->lane);
    struct buffer error = BUFFER_LIMITED(DECLINE_MAX);
    struct http_exchange *exchange = NULL;

    put_text(&error, "{\"jsonrpc\":\"2.0\",\"id\":");
    put_slice(&error, id);
    put_text(&error, ",\"error\":{\"code\":-32003,\"message\":\"this client may not be asked "
                     "that\"}}");
    if (client != NULL && buffer_status(&error) == STATUS_OK)
        exchange =
            http_exchange_begin(client, SLICE_LITERAL("POST"),
                                upstream->prefix.size > 0 ? upstream->prefix : SLICE_LITERAL("/"),
                                &forgotten, upstream);
    if (exchange != NULL) {
        upstream_use(upstream);
        if (!send_error(exchange, http, buffer_slice(&error))) {
            http_exchange_abort(exchange);
            upstream_release(upstream);
        }
    }
    buffer_free(&error);
}
