/* bridge/answer.c - what the server says as HTTP: one JSON answer, or a stream of events. */
#include "inside.h"

enum { CODE_ENDED = -32000 };

/* It is nobody's any more: neither answered nor told. */
void
hearer_forget(struct hearer *hearer)
{
    struct session *session = hearer->session;

    for (struct hearer **at = &session->pending; *at != NULL; at = &(*at)->next) {
        if (*at == hearer) {
            *at = hearer->next;
            session->pending_count--;
            break;
        }
    }
    if (session->stream == hearer)
        session->stream = NULL;
    if (session->full == hearer)
        session->full = NULL;
    http_call_data_set(hearer->call, NULL);
}

static struct http_header
session_header(const struct session *session)
{
    return HTTP_HEADER("Mcp-Session-Id", slice_text(session->id));
}

bool
answer_stream_begin(struct hearer *hearer)
{
    struct buffer *out = http_answer_begin(hearer->call, 200);

    http_put_header(out, SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/event-stream"));
    http_put_header(out, SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store"));
    if (hearer->initialize) {
        struct http_header header = session_header(hearer->session);
        http_put_headers(out, &header, 1);
    }
    http_put_date(out, lane_now_ms(hearer->session->bridge->lane));
    hearer->streaming = http_answer_head(hearer->call, HTTP_BODY_CHUNKED, 0, false) == STATUS_OK;
    return hearer->streaming;
}

static void
put_event(struct hearer *hearer, struct slice message)
{
    bool full = http_answer_body(hearer->call, SLICE_LITERAL("event: message\ndata: "), true) ==
                HTTP_FLOW_FULL;

    full |= http_answer_body(hearer->call, message, true) == HTTP_FLOW_FULL;
    full |= http_answer_body(hearer->call, SLICE_LITERAL("\n\n"), false) == HTTP_FLOW_FULL;
    if (full)
        hearer->session->full = hearer;
}

void
answer_event(struct hearer *hearer, struct slice message)
{
    if (hearer->streaming || answer_stream_begin(hearer))
        put_event(hearer, message);
}

void
answer_message(struct hearer *hearer, struct slice message)
{
    struct http_call *call = hearer->call;
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SLICE_LITERAL("application/json")),
        HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store")),
        session_header(hearer->session),
    };

    if (hearer->streaming)
        put_event(hearer, message);
    hearer_forget(hearer);
    if (hearer->streaming)
        http_answer_end(call, (struct slice){ 0 });
    else
        http_respond(call, 200, headers, hearer->initialize ? 3 : 2, message);
}

static void
put_failure(struct buffer *out, struct slice id, int code, const char *why)
{
    put_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    put_slice(out, id.size > 0 ? id : SLICE_LITERAL("null"));
    put_format(out, ",\"error\":{\"code\":%d,\"message\":", code);
    put_json_string(out, slice_text(why));
    put_text(out, "}}");
}

void
answer_failure(struct hearer *hearer, const char *why)
{
    struct buffer text = { 0 };

    put_failure(&text, hearer->id, CODE_ENDED, why);
    hearer->initialize = false; /* there is no session to name */
    answer_message(hearer, buffer_slice(&text));
    buffer_free(&text);
}

void
refuse_call(struct http_call *call, unsigned status, int code, const char *why)
{
    const struct http_header type = HTTP_HEADER("Content-Type", SLICE_LITERAL("application/json"));
    struct buffer text = { 0 };

    put_failure(&text, (struct slice){ 0 }, code, why);
    http_respond(call, status, &type, 1, buffer_slice(&text));
    buffer_free(&text);
}
