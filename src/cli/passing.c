/* cli/passing.c - one request of the local client on its way to the gateway, with the token
 * and a proof, and its answer on the way back. */
#include "connect.h"

#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "net/timer.h"
#include "tunnel.h"

enum { EXPECT_MS = 2000, NONCE_KEPT_MS = 120000 };

/* One request on its way. In the call's arena. */
struct passing {
    struct connect *connect;
    struct http_call *call;
    struct http_exchange *exchange;
    struct timer expect;
    bool again;      /* sent a second time, with the nonce that was asked for */
    bool body_asked; /* the client was asked for its body */
    bool answered;
};

/* --- answers of our own ------------------------------------------------------------ */

static void
refuse(struct http_call *call, unsigned status, const char *title, const char *detail)
{
    http_respond_problem(call, &(struct http_problem){ .status = status,
                                                       .type = "urn:writ:problem:connect",
                                                       .title = title,
                                                       .detail = slice_text(detail) });
}

/* --- to the gateway ------------------------------------------------------------------ */

static const struct http_exchange_handler exchange_handler;

static bool
passes(const struct http_field *field)
{
    switch ((enum http_field_id)field->id) {
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_AUTHORIZATION:
    case HTTP_FIELD_DPOP:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_EXPECT:
        return false;
    default:
        return field->flags == 0;
    }
}

static struct slice
target_of(const struct passing *passing)
{
    const struct http_head *head = http_call_head(passing->call);
    struct slice prefix = passing->connect->place.prefix, query = http_head_query(head);

    return arena_format(http_call_arena(passing->call), "%.*s%.*s%s%.*s", SLICE_PRINT(prefix),
                        SLICE_PRINT(http_head_path(head)), http_head_has_query(head) ? "?" : "",
                        SLICE_PRINT(query));
}

static enum status
put_fields(struct passing *passing, struct buffer *out)
{
    struct connect *connect = passing->connect;
    const struct http_head *head = http_call_head(passing->call);
    struct credentials who = { .token = buffer_slice(&connect->token),
                               .key = connect->cli->key,
                               .nonce = slice_text(connect->nonce) };
    struct slice url = arena_format(http_call_arena(passing->call), "%s%.*s", connect->place.url,
                                    SLICE_PRINT(http_head_path(head)));

    http_put_header(out, SLICE_LITERAL("Host"), connect->place.authority);
    for (unsigned i = 0; i < head->count; i++) {
        if (passes(&head->fields[i]))
            http_put_field(out, head, &head->fields[i]);
    }
    return put_credentials(out, &who,
                           &(struct request_line){ .method = http_head_method(head), .url = url });
}

static void
ask_for_body(struct passing *passing)
{
    timer_disarm(&passing->expect);
    if (!passing->body_asked)
        http_call_resume(passing->call);
    passing->body_asked = true;
}

static void
on_expect(struct timer *timer)
{
    ask_for_body(LANE_OWNER(timer, struct passing, expect));
}

/* With a nonce at hand the request goes out as it comes. Else the gateway has the first
 * word, so that nothing of the body is lost when it wants one. */
static bool
is_sure_of_nonce(const struct connect *connect)
{
    return connect->cli->key == NULL ||
           lane_now_ms(connect->lane) - connect->nonce_at < NONCE_KEPT_MS;
}

static enum status
send_request(struct passing *passing)
{
    struct connect *connect = passing->connect;
    const struct http_head *head = http_call_head(passing->call);
    bool has_body = head->body != HTTP_BODY_NONE;
    bool careful = has_body && !is_sure_of_nonce(connect);
    struct buffer *out;
    enum status status;

    passing->exchange = http_exchange_begin(connect->gateway, http_head_method(head),
                                            target_of(passing), &exchange_handler, passing);
    if (passing->exchange == NULL)
        return STATUS_MEMORY;
    out = http_exchange_out(passing->exchange);
    status = put_fields(passing, out);
    if (careful)
        put_text(out, "Expect: 100-continue\r\n");
    if (head->upgrade)
        http_put_header(out, SLICE_LITERAL("Upgrade"), http_head_value(head, HTTP_FIELD_UPGRADE));
    if (status == STATUS_OK)
        status = http_exchange_send(passing->exchange, head->body, head->length,
                                    head->upgrade ? HTTP_SEND_UPGRADE : 0);
    if (status != STATUS_OK)
        return status;
    if (careful) {
        passing->expect.fire = on_expect;
        timer_arm(connect->lane, &passing->expect, EXPECT_MS);
    } else if (has_body) {
        ask_for_body(passing);
    }
    return STATUS_OK;
}

static void
open_passing(struct passing *passing)
{
    if (send_request(passing) == STATUS_OK)
        return;
    if (passing->exchange != NULL)
        http_exchange_abort(passing->exchange);
    passing->exchange = NULL;
    refuse(passing->call, 500, "The request can't be passed on", "");
}

/* --- the gateway's answer ---------------------------------------------------------------- */

static bool
keep_nonce(struct connect *connect, const struct http_head *head)
{
    struct slice nonce = http_head_value(head, HTTP_FIELD_DPOP_NONCE);

    if (nonce.size == 0 || nonce.size >= sizeof connect->nonce)
        return false;
    memcpy(connect->nonce, nonce.at, nonce.size);
    connect->nonce[nonce.size] = '\0';
    connect->nonce_at = lane_now_ms(connect->lane);
    return true;
}

static void
on_informational(struct http_exchange *exchange, const struct http_head *head, void *context)
{
    if (head->status == 100)
        ask_for_body(context);
}

/* Told once: the user should not have to guess why all is refused. */
static void
note_refusal(struct connect *connect, const struct http_head *head)
{
    struct slice why = http_head_value(head, HTTP_FIELD_WWW_AUTHENTICATE);
    static const char ended[] = "invalid_token";

    if (head->status == 401 && memmem(why.at, why.size, ended, sizeof ended - 1) != NULL)
        fprintf(stderr, "writ connect: the gateway refuses the token: %.*s\n",
                SLICE_PRINT(slice_first(why, 512)));
}

static void
put_answer_fields(struct buffer *out, const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];

        if (field->flags == 0 && field->id != HTTP_FIELD_DPOP_NONCE)
            http_put_field(out, head, field);
    }
}

static void
on_head(struct http_exchange *exchange, const struct http_head *head, bool more, void *context)
{
    struct passing *passing = context;
    struct buffer *out;

    timer_disarm(&passing->expect);
    if (keep_nonce(passing->connect, head) && head->status == 401 && !passing->again &&
        !passing->body_asked) {
        passing->again = true;
        http_exchange_abort(exchange);
        open_passing(passing);
        return;
    }
    note_refusal(passing->connect, head);
    out = http_answer_begin(passing->call, head->status);
    put_answer_fields(out, head);
    if (http_answer_head_of(passing->call, head, more) == STATUS_OK) {
        passing->answered = true;
        return;
    }
    http_exchange_abort(exchange);
    passing->exchange = NULL;
    refuse(passing->call, 502, "The gateway's answer can't be passed on", "");
}

static void
on_body(struct http_exchange *exchange, struct slice bytes, bool more, void *context)
{
    struct passing *passing = context;

    if (http_answer_body(passing->call, bytes, more) == HTTP_FLOW_FULL)
        http_exchange_pause(exchange);
}

static void
on_end(struct http_exchange *exchange, struct slice trailers, void *context)
{
    struct passing *passing = context;

    passing->exchange = NULL;
    timer_disarm(&passing->expect);
    http_answer_end(passing->call, trailers);
}

static void
on_gateway_writable(struct http_exchange *exchange, void *context)
{
    http_call_resume(((struct passing *)context)->call);
}

static void
on_failed(struct http_exchange *exchange, enum status status, const char *why, void *context)
{
    struct passing *passing = context;

    passing->exchange = NULL;
    timer_disarm(&passing->expect);
    if (passing->answered)
        http_call_abort(passing->call);
    else
        refuse(passing->call, status == STATUS_TIMEOUT ? 504 : 502,
               "The gateway can't be reached now", why);
}

static void
on_upgraded(struct http_exchange *exchange, const struct http_head *head, struct stream *stream,
            struct slice pending, void *context)
{
    struct passing *passing = context;
    struct tunnel_end gateway = { stream, pending }, client = { 0 };
    struct buffer *out = http_answer_begin(passing->call, head->status);

    passing->exchange = NULL;
    put_answer_fields(out, head);
    http_put_header(out, SLICE_LITERAL("Upgrade"), http_head_value(head, HTTP_FIELD_UPGRADE));
    client.stream = http_call_upgrade(passing->call, &client.pending);
    if (client.stream == NULL)
        stream_close(stream, NULL, NULL);
    else
        tunnel_join(&client, &gateway);
}

static const struct http_exchange_handler exchange_handler = {
    .upgraded = on_upgraded,
    .informational = on_informational,
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .writable = on_gateway_writable,
    .failed = on_failed,
};

/* --- the local client's side --------------------------------------------------------------- */

static void
on_request(struct http_call *call, bool more, void *context)
{
    struct connect *connect = context;
    const struct http_head *head = http_call_head(call);
    struct passing *passing = arena_zeroed(http_call_arena(call), sizeof *passing);

    if (passing == NULL) {
        http_call_abort(call);
        return;
    }
    *passing = (struct passing){ .connect = connect, .call = call };
    http_call_data_set(call, passing);
    /* No page of the web reaches a socket, and clients put any Host there. */
    if (connect->socket == NULL && !guest_is_local(head))
        refuse(call, 403, "This port answers to localhost alone",
               "the Host of the request names another machine, or a page of another site sent it");
    else if (connect->over[0] != '\0')
        refuse(call, 401, "The token is worth nothing any more", connect->over);
    else
        open_passing(passing);
}

static void
on_call_body(struct http_call *call, struct slice bytes, bool more, void *context)
{
    struct passing *passing = http_call_data(call);

    if (passing->exchange != NULL &&
        http_exchange_body(passing->exchange, bytes, more) == HTTP_FLOW_FULL)
        http_call_pause(call);
}

static void
on_call_body_end(struct http_call *call, struct slice trailers, void *context)
{
    struct passing *passing = http_call_data(call);

    if (passing->exchange != NULL)
        http_exchange_body_end(passing->exchange, trailers);
}

static void
on_call_writable(struct http_call *call, void *context)
{
    struct passing *passing = http_call_data(call);

    if (passing->exchange != NULL)
        http_exchange_resume(passing->exchange);
}

static void
on_call_gone(struct http_call *call, enum status status, void *context)
{
    struct passing *passing = http_call_data(call);

    if (passing == NULL)
        return;
    timer_disarm(&passing->expect);
    if (passing->exchange != NULL)
        http_exchange_abort(passing->exchange);
    passing->exchange = NULL;
}

const struct http_handler connect_handler = {
    .request = on_request,
    .body = on_call_body,
    .body_end = on_call_body_end,
    .writable = on_call_writable,
    .gone = on_call_gone,
};
