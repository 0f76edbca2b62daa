/* gateway/http/relay.c - an admitted request goes to its upstream and the answer
 * comes back, both streamed, with no more in memory than what is on its way. */
#include "relay.h"

#include "prelude.h"

enum { EXPECT_MS = 1000, INFORMATIONAL_FIELDS_MAX = 16, LOG_EVERY_US = 1000000 };

/* The passage ends here: the line is completed before the last byte is given to
 * the client. The call and the exchange are over, or ended by the caller next. */
static void
leave(struct http_passage *http, unsigned status)
{
    timer_disarm(&http->expect);
    pipeline_leave(http->passage, status, http_call_bytes_in(http->call),
                   http_call_bytes_out(http->call));
}

static void
fail(struct http_passage *http, enum gate_refusal kind, struct slice reason)
{
    struct http_call *call = http->call;
    bool begun = http->status != 0;

    pipeline_count_failure(http->passage);
    leave(http, begun ? http->status : refusal_status(kind));
    /* A body that was cut short must not look complete. */
    if (begun)
        http_call_abort(call);
    else
        answer_problem(call, &(struct refusal){ .kind = kind, .reason = reason });
}

/* --- the upstream's side --------------------------------------------------- */

static void
on_informational(struct http_exchange *exchange, const struct http_head *head, void *context)
{
    struct http_passage *http = context;
    struct http_header headers[INFORMATIONAL_FIELDS_MAX];
    size_t count = 0;

    if (head->status == 100) {
        timer_disarm(&http->expect);
        http_call_resume(http->call);
        return;
    }
    for (unsigned i = 0; i < head->count && count < INFORMATIONAL_FIELDS_MAX; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->flags == 0 && field->id != HTTP_FIELD_X_WRIT)
            headers[count++] =
                (struct http_header){ http_field_name(head, field), http_field_value(head, field) };
    }
    http_call_informational(http->call, head->status, headers, count);
}

/* False: it must be read on its way, and can't be. */
static bool
filter_begin(struct http_passage *http, const struct http_head *head)
{
    struct http_talk *talk = http->talk;

    if (talk == NULL || talk->dialect->filter == NULL)
        return true;
    if (talk->dialect->filter(http, head, &talk->filter) != STATUS_OK)
        return false;
    return talk->filter == NULL || http_head_field(head, HTTP_FIELD_CONTENT_ENCODING) == NULL;
}

static bool
is_filtered(const struct http_passage *http)
{
    return http->talk != NULL && http->talk->filter != NULL;
}

/* A body that is filtered has another length than the upstream says. */
static enum status
answer_head(struct http_passage *http, const struct http_head *head, bool more)
{
    if (is_filtered(http) && head->body != HTTP_BODY_NONE)
        return http_answer_head(http->call, HTTP_BODY_CHUNKED, 0, false);
    return http_answer_head_of(http->call, head, more);
}

/* True: the piece is not passed, and the passage is over. */
static bool
lapses(struct http_passage *http)
{
    struct refusal why;

    if (gate_acts(http->passage->gate))
        return false;
    why = gate_lapsed();
    if (http->exchange != NULL)
        http_exchange_abort(http->exchange);
    http->exchange = NULL;
    fail(http, why.kind, why.reason);
    return true;
}

static void
on_head(struct http_exchange *exchange, const struct http_head *head, bool more, void *context)
{
    struct http_passage *http = context;

    if (lapses(http))
        return;
    if (!filter_begin(http, head)) {
        http_exchange_abort(exchange);
        http->exchange = NULL;
        fail(http, GATE_UPSTREAM,
             SLICE_LITERAL("the upstream's answer is encoded, or of a type that can't be read"));
        return;
    }
    struct buffer *out = http_answer_begin(http->call, head->status);
    struct answer_fields fields = {
        .head = head,
        .upstream = http->passage->asked.upstream,
        .by_host = http->target.by_host,
        .talks = http->talk != NULL ? http : NULL,
    };

    timer_disarm(&http->expect);
    headers_to_client(out, &fields);
    answer_nonce(http, out);
    if (http_head_field(head, HTTP_FIELD_DATE) == NULL)
        http_put_date(out, lane_now_ms(http->passage->gate->lane));
    if (answer_head(http, head, more) == STATUS_OK) {
        http->status = head->status;
        return;
    }
    http_exchange_abort(exchange);
    http->exchange = NULL;
    fail(http, GATE_UPSTREAM, SLICE_LITERAL("the upstream's answer can't be passed on"));
}

/* What a filter lets on. */
static enum http_flow
answer_filtered(struct http_passage *http)
{
    struct buffer *filtered = &http->talk->filtered;
    enum http_flow flow = HTTP_FLOW_GO;

    if (filtered->size > 0)
        flow = http_answer_body(http->call, buffer_slice(filtered), false);
    buffer_clear(filtered);
    return flow;
}

/* What can't be filtered is cut off: it must not look complete. */
static void
filter_failed(struct http_passage *http)
{
    if (http->exchange != NULL)
        http_exchange_abort(http->exchange);
    http->exchange = NULL;
    fail(http, GATE_UPSTREAM, SLICE_LITERAL("the upstream's answer can't be read"));
}

static bool
is_behind(const struct http_passage *http)
{
    const struct body_filter *filter = http->talk == NULL ? NULL : http->talk->filter;

    return filter != NULL && filter->behind != NULL && filter->behind(filter);
}

static void
on_catch_up(struct timer *timer)
{
    struct http_talk *talk = LANE_OWNER(timer, struct http_talk, catch_up);
    struct http_passage *http = talk->passage;

    if (http->exchange == NULL)
        return;
    if (!is_behind(http)) {
        talk->behind = 0;
        http_exchange_resume(http->exchange);
    } else if (++talk->behind < BEHIND_MOST) {
        timer_arm(http->passage->gate->lane, timer, BEHIND_AGAIN_MS);
    } else {
        filter_failed(http);
    }
}

static void
wait_for_filter(struct http_passage *http)
{
    struct http_talk *talk = http->talk;

    http_exchange_pause(http->exchange);
    if (talk->behind > 0)
        return;
    talk->behind = 1;
    talk->passage = http;
    talk->catch_up.fire = on_catch_up;
    timer_arm(http->passage->gate->lane, &talk->catch_up, BEHIND_AGAIN_MS);
}

static void
on_filtered_body(struct http_passage *http, struct slice bytes)
{
    struct http_talk *talk = http->talk;
    enum status status = talk->filter->feed(talk->filter, bytes, &talk->filtered);

    if (status == STATUS_OK)
        status = buffer_status(&talk->filtered);
    if (status != STATUS_OK)
        filter_failed(http);
    else if (answer_filtered(http) == HTTP_FLOW_FULL)
        http_exchange_pause(http->exchange);
    if (http->exchange != NULL && is_behind(http))
        wait_for_filter(http);
}

static void
on_answer_body(struct http_exchange *exchange, struct slice bytes, bool more, void *context)
{
    struct http_passage *http = context;

    if (lapses(http))
        return;
    if (is_filtered(http))
        on_filtered_body(http, bytes);
    else if (http_answer_body(http->call, bytes, more) == HTTP_FLOW_FULL)
        http_exchange_pause(exchange);
}

static bool
filter_end(struct http_passage *http)
{
    struct http_talk *talk = http->talk;

    if (!is_filtered(http))
        return true;
    if (talk->filter->end(talk->filter, &talk->filtered) != STATUS_OK ||
        buffer_status(&talk->filtered) != STATUS_OK)
        return false;
    (void)answer_filtered(http);
    return true;
}

static void
on_answer_end(struct http_exchange *exchange, struct slice trailers, void *context)
{
    struct http_passage *http = context;
    struct http_call *call = http->call;

    http->exchange = NULL;
    if (!filter_end(http)) {
        filter_failed(http);
        return;
    }
    leave(http, http->status);
    http_answer_end(call, trailers);
}

static void
on_upstream_writable(struct http_exchange *exchange, void *context)
{
    struct http_passage *http = context;

    http_call_resume(http->call);
}

static void
on_upgraded(struct http_exchange *exchange, const struct http_head *head, struct stream *stream,
            struct slice pending, void *context)
{
    struct http_passage *http = context;

    http->exchange = NULL;
    timer_disarm(&http->expect);
    tunnel_open(http, head, stream, pending);
}

/* Each second at most, so that a dead upstream does not fill the log. */
static void
log_failure(struct http_passage *http, enum status status, const char *why)
{
    struct upstream *upstream = http->passage->asked.upstream;
    uint64_t now = lane_mono_us(http->passage->gate->lane);

    if (upstream->said_us != 0 && now - upstream->said_us < LOG_EVERY_US)
        return;
    upstream->said_us = now;
    log_write(LOG_WARN, "gateway", "upstream failed", "upstream", upstream->name_text, "status",
              status_name(status), "why", why, NULL);
}

static void
on_failed(struct http_exchange *exchange, enum status status, const char *why, void *context)
{
    struct http_passage *http = context;

    http->exchange = NULL;
    log_failure(http, status, why);
    if (status == STATUS_TIMEOUT)
        fail(http, GATE_SLOW, SLICE_LITERAL("the upstream did not answer in time; try again"));
    else if (status == STATUS_DENIED)
        fail(http, GATE_UPSTREAM,
             SLICE_LITERAL("the upstream's address or certificate is not one to speak to"));
    else if (status == STATUS_INVALID)
        fail(http, GATE_UPSTREAM, SLICE_LITERAL("the upstream's answer is malformed"));
    else
        fail(http, GATE_UPSTREAM, SLICE_LITERAL("the upstream can't be reached; try again"));
}

static const struct http_exchange_handler exchange_handler = {
    .informational = on_informational,
    .head = on_head,
    .body = on_answer_body,
    .end = on_answer_end,
    .writable = on_upstream_writable,
    .upgraded = on_upgraded,
    .failed = on_failed,
};

/* --- the client's side ------------------------------------------------------ */

void
relay_body(struct http_call *call, struct slice bytes, bool more, void *context)
{
    struct http_passage *http = http_call_data(call);

    if (prelude_body(http, bytes) || lapses(http))
        return;
    if (http->exchange != NULL && http_exchange_body(http->exchange, bytes, more) == HTTP_FLOW_FULL)
        http_call_pause(call);
}

void
relay_body_end(struct http_call *call, struct slice trailers, void *context)
{
    struct http_passage *http = http_call_data(call);

    if (prelude_body_end(http))
        return;
    if (http->exchange != NULL)
        http_exchange_body_end(http->exchange, trailers);
}

void
relay_writable(struct http_call *call, void *context)
{
    struct http_passage *http = http_call_data(call);

    if (http->exchange != NULL && !is_behind(http))
        http_exchange_resume(http->exchange);
}

static unsigned
status_of_leaving(enum status status)
{
    switch (status) {
    case STATUS_TIMEOUT:
        return 408;
    case STATUS_INVALID:
        return 400;
    default:
        return PASSAGE_CLIENT_GONE;
    }
}

void
relay_gone(struct http_call *call, enum status status, void *context)
{
    struct http_passage *http = http_call_data(call);

    if (http == NULL || prelude_gone(http))
        return;
    if (pipeline_abandon(http->passage)) {
        /* The call's memory goes; what the passage needs of it, it keeps. */
        talk_free(http->passage->gate, http->talk);
        http->passage->relay = NULL;
        return;
    }
    if (http->exchange != NULL)
        http_exchange_abort(http->exchange);
    leave(http, http->status != 0 ? http->status : status_of_leaving(status));
}

void
relay_cut(struct passage *passage, const struct refusal *why)
{
    struct http_passage *http = passage->relay;
    struct http_call *call = http->call;

    if (http->exchange != NULL)
        http_exchange_abort(http->exchange);
    if (http->status != 0)
        leave(http, http->status);
    else if (why->kind == GATE_RATE || why->kind == GATE_HELD)
        leave(http, refusal_status(why->kind));
    else
        leave(http, 401);
    http_call_abort(call);
}

uint64_t
relay_traffic(const struct passage *passage)
{
    const struct http_passage *http = passage->relay;

    return http_call_bytes_in(http->call) + http_call_bytes_out(http->call);
}

/* --- out --------------------------------------------------------------------- */

/* The url's own path, what the client asked below it, the query as it came. */
static struct slice
upstream_target(const struct http_passage *http, struct arena *arena)
{
    const struct http_target_read *target = &http->target;
    struct slice prefix = http->passage->asked.upstream->prefix;
    /* "/name" without a slash asks for what the url names itself. */
    struct slice path = target->bare && prefix.size > 0 ? slice_of(NULL, 0) : target->path.forward;
    size_t size = prefix.size + path.size + (target->has_query ? 1 + target->query.size : 0);
    char *text = arena_take(arena, size), *at = text;

    if (text == NULL)
        return slice_of(NULL, 0);
    at = prefix.size > 0 ? mempcpy(at, prefix.at, prefix.size) : at;
    at = path.size > 0 ? mempcpy(at, path.at, path.size) : at;
    if (target->has_query) {
        *at++ = '?';
        if (target->query.size > 0)
            memcpy(at, target->query.at, target->query.size);
    }
    return slice_of(text, size);
}

static void
on_expect(struct timer *timer)
{
    struct http_passage *http = LANE_OWNER(timer, struct http_passage, expect);

    /* RFC 9110 §10.1.1: a server may well never send 100. */
    http_call_resume(http->call);
}

/* The client is asked for its body now that the upstream is to get it: with an
 * Expect the upstream has the first word. */
static void
ask_for_body(struct http_passage *http, const struct http_head *head)
{
    if (head->body == HTTP_BODY_NONE)
        return;
    if (!head->expect_continue) {
        http_call_resume(http->call);
        return;
    }
    http->expect.fire = on_expect;
    timer_arm(http->passage->gate->lane, &http->expect, EXPECT_MS);
}

static bool
may_upgrade(const struct http_passage *http, const struct http_head *head)
{
    if (http->talk == NULL || http->talk->dialect->upgrades == NULL)
        return upgrade_passes(head);
    return head->upgrade && http->talk->dialect->upgrades(http);
}

/* A body that the decision was made on goes out as it was read. */
static enum status
send_gathered(struct http_passage *http, unsigned flags)
{
    struct slice body = buffer_slice(&http->talk->body);
    enum http_body kind =
        http_call_head(http->call)->body == HTTP_BODY_NONE ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
    enum status status = http_exchange_send(http->exchange, kind, body.size,
                                            flags | (body.size > 0 ? HTTP_SEND_MORE : 0));

    if (status != STATUS_OK || kind == HTTP_BODY_NONE)
        return status;
    if (body.size > 0)
        (void)http_exchange_body(http->exchange, body, true);
    http_exchange_body_end(http->exchange, (struct slice){ 0 });
    return STATUS_OK;
}

static enum status
send_request(struct http_passage *http)
{
    struct passage *passage = http->passage;
    const struct http_head *head = http_call_head(http->call);
    const struct stream *stream = http_call_stream(http->call);
    bool upgrade = may_upgrade(http, head);
    bool gathered = http->talk != NULL && http->talk->gathered;
    unsigned flags = upgrade ? HTTP_SEND_UPGRADE : 0;
    struct request_fields fields = {
        .head = head,
        .upstream = passage->asked.upstream,
        .client = &http->client,
        .peer = *stream_peer(stream),
        .tls = stream_is_tls(stream),
        .api_key = passage->asked.scheme == SCHEME_API_KEY,
        .upgrade = upgrade,
        .talks = http->talk != NULL ? http : NULL,
        .subject = passage->line->subject,
        .token_id = passage->line->token,
        .trace = { gate_random(passage->gate), gate_random(passage->gate),
                   gate_random(passage->gate) },
    };

    if (upstream_authorization(passage->asked.upstream, lane_mono_us(passage->gate->lane),
                               &fields.authorization) != STATUS_OK)
        return STATUS_INVALID;
    headers_to_upstream(http_exchange_out(http->exchange), &fields);
    if (gathered)
        return send_gathered(http, flags);
    if (http->more && head->body != HTTP_BODY_NONE && !head->expect_continue)
        flags |= HTTP_SEND_MORE;
    enum status status = http_exchange_send(http->exchange, head->body, head->length, flags);
    if (status == STATUS_OK)
        ask_for_body(http, head);
    return status;
}

void
relay_open(struct passage *passage, const struct decision *decision)
{
    struct http_passage *http = passage->relay;
    struct upstream *upstream = passage->asked.upstream;

    /* The pipeline comes here with an allow alone; nothing is sent on its word. */
    if (decision == NULL || !decision_allows(decision)) {
        fail(http, GATE_DENIED, SLICE_LITERAL("there is no allow for it"));
        return;
    }
    struct http_upstream *client = upstream_client(upstream, passage->gate->lane);
    if (client == NULL) {
        fail(http, GATE_UPSTREAM, SLICE_LITERAL("the upstream is not set up as it must be"));
        return;
    }
    struct slice target = upstream_target(http, http_call_arena(http->call));
    if (target.size > 0)
        http->exchange = http_exchange_begin(client, http_head_method(http_call_head(http->call)),
                                             target, &exchange_handler, http);
    if (http->exchange != NULL && send_request(http) == STATUS_OK)
        return;
    if (http->exchange != NULL)
        http_exchange_abort(http->exchange);
    http->exchange = NULL;
    fail(http, GATE_BUSY, SLICE_LITERAL("the request can't be passed on"));
}
