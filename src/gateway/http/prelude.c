/* gateway/http/prelude.c - step by step from a head to a certain triple. */
#include "prelude.h"

#include "../pipeline.h"
#include "headers.h"

enum { ASKS_MAX = 8, BODIES_MAX = 256 << 20 /* bytes on one lane */ };

static void advance(struct http_passage *http);

void
talk_free(struct gate *gate, struct http_talk *talk)
{
    if (talk == NULL)
        return;
    timer_disarm(&talk->catch_up);
    if (talk->filter != NULL && talk->filter->free != NULL)
        talk->filter->free(talk->filter);
    gate->bodies -= talk->reserved;
    talk->filter = NULL;
    talk->reserved = 0;
    json_decref(talk->tree);
    talk->tree = NULL;
    buffer_wipe_free(&talk->body);
    buffer_free(&talk->answer);
    buffer_free(&talk->filtered);
}

/* It will not become certain: refused, with its line. */
static void
give_up(struct http_passage *http, enum gate_refusal kind, const char *reason)
{
    http->talk->gathering = false;
    http->passage->asked.fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
    pipeline_enter(http->passage, http_call_arena(http->call));
}

/* --- the body ------------------------------------------------------------------- */

/* Room is set aside before a byte is read, so that bodies can't fill the memory. */
static bool
reserve(struct http_passage *http, size_t size)
{
    struct gate *gate = http->passage->gate;

    if (size > BODIES_MAX - gate->bodies) {
        give_up(http, GATE_BUSY, "the gateway has no room for another body now");
        return false;
    }
    gate->bodies += size;
    http->talk->reserved = size;
    http->talk->body.limit = size;
    return true;
}

/* True: it is whole already. */
static bool
gather(struct http_passage *http)
{
    struct http_talk *talk = http->talk;
    const struct http_head *head = http_call_head(http->call);
    bool sized = head->body == HTTP_BODY_LENGTH;

    if (head->body == HTTP_BODY_NONE || (sized && head->length == 0)) {
        talk->gathered = true;
        return true;
    }
    if (sized && head->length > talk->step.limit) {
        give_up(http, GATE_LARGE, "the body is larger than such a request may be");
        return false;
    }
    if (!reserve(http, sized ? (size_t)head->length : talk->step.limit))
        return false;
    talk->gathering = true;
    http_call_resume(http->call);
    return false;
}

bool
prelude_body(struct http_passage *http, struct slice bytes)
{
    struct http_talk *talk = http->talk;

    if (talk == NULL || !talk->gathering)
        return false;
    put_slice(&talk->body, bytes);
    if (buffer_status(&talk->body) == STATUS_MEMORY)
        give_up(http, GATE_BUSY, "the gateway is out of memory");
    else if (buffer_status(&talk->body) != STATUS_OK)
        give_up(http, GATE_LARGE, "the body is larger than such a request may be");
    return true;
}

bool
prelude_body_end(struct http_passage *http)
{
    struct http_talk *talk = http->talk;

    if (talk == NULL || !talk->gathering)
        return false;
    talk->gathering = false;
    talk->gathered = true;
    advance(http);
    return true;
}

/* --- the upstream --------------------------------------------------------------- */

static void
on_head(struct http_exchange *exchange, const struct http_head *head, bool more, void *context)
{
    struct http_passage *http = context;

    http->talk->step.status = head->status;
    http->talk->answer.limit = http->talk->step.limit;
    if (http_head_field(head, HTTP_FIELD_CONTENT_ENCODING) == NULL)
        return;
    http_exchange_abort(exchange);
    http->talk->asking = NULL;
    give_up(http, GATE_UPSTREAM, "the upstream's answer to the gateway is encoded");
}

static void
on_body(struct http_exchange *exchange, struct slice bytes, bool more, void *context)
{
    struct http_passage *http = context;

    put_slice(&http->talk->answer, bytes);
    if (buffer_status(&http->talk->answer) == STATUS_OK)
        return;
    http_exchange_abort(exchange);
    http->talk->asking = NULL;
    give_up(http, GATE_UPSTREAM, "the upstream's answer to the gateway is too large");
}

static void
on_end(struct http_exchange *exchange, struct slice trailers, void *context)
{
    struct http_passage *http = context;

    http->talk->asking = NULL;
    http->talk->step.answer = buffer_slice(&http->talk->answer);
    advance(http);
}

static void
on_failed(struct http_exchange *exchange, enum status status, const char *why, void *context)
{
    struct http_passage *http = context;

    http->talk->asking = NULL;
    pipeline_count_failure(http->passage);
    give_up(http, status == STATUS_TIMEOUT ? GATE_SLOW : GATE_UPSTREAM,
            "the upstream could not be asked about what the request names; try again");
}

static const struct http_exchange_handler asking = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
};

static struct slice
below_prefix(const struct upstream *upstream, struct slice target, struct arena *arena)
{
    return arena_format(arena, "%.*s%.*s", SLICE_PRINT(upstream->prefix), SLICE_PRINT(target));
}

static bool
send_ask(struct http_passage *http)
{
    struct gate *gate = http->passage->gate;
    struct upstream *upstream = http->passage->asked.upstream;
    struct http_upstream *client = upstream_client(upstream, gate->lane);
    struct slice target =
        below_prefix(upstream, http->talk->step.target, http_call_arena(http->call));
    struct slice authorization;

    if (client == NULL || target.size == 0 ||
        upstream_authorization(upstream, lane_mono_us(gate->lane), &authorization) != STATUS_OK)
        return false;
    struct http_exchange *exchange =
        http_exchange_begin(client, SLICE_LITERAL("GET"), target, &asking, http);
    if (exchange == NULL)
        return false;
    headers_of_gateway(http_exchange_out(exchange), upstream, authorization);
    if (http_exchange_send(exchange, HTTP_BODY_NONE, 0, 0) != STATUS_OK) {
        http_exchange_abort(exchange);
        return false;
    }
    http->talk->asking = exchange;
    return true;
}

static void
ask(struct http_passage *http)
{
    if (http->talk->asks++ == ASKS_MAX)
        give_up(http, GATE_UPSTREAM, "the upstream does not tell what the request names");
    else if (!send_ask(http))
        give_up(http, GATE_UPSTREAM, "the upstream is not set up as it must be");
}

/* --- the way ---------------------------------------------------------------------- */

/* What the upstream said is there for one look. */
static enum dialect_need
look(struct http_passage *http)
{
    struct http_talk *talk = http->talk;
    enum dialect_need need = talk->dialect->next(http, &talk->step);

    buffer_clear(&talk->answer);
    talk->step.status = 0;
    talk->step.answer = (struct slice){ 0 };
    return http->passage->asked.fault.kind != GATE_NOTHING ? DIALECT_READY : need;
}

static void
advance(struct http_passage *http)
{
    struct arena *arena = http_call_arena(http->call);
    enum dialect_need need;

    while ((need = look(http)) != DIALECT_READY) {
        if (!http->talk->admitted && !pipeline_admit(http->passage, arena))
            return;
        http->talk->admitted = true;
        if (need == DIALECT_ASK) {
            ask(http);
            return;
        }
        if (http->talk->gathered) {
            give_up(http, GATE_MALFORMED, "the request can't be read");
            return;
        }
        if (!gather(http))
            return;
    }
    pipeline_enter(http->passage, arena);
}

void
prelude_begin(struct http_passage *http)
{
    advance(http);
}

bool
prelude_gone(struct http_passage *http)
{
    struct http_talk *talk = http->talk;

    if (talk == NULL || (!talk->gathering && talk->asking == NULL))
        return false;
    if (talk->asking != NULL)
        http_exchange_abort(talk->asking);
    pipeline_drop(http->passage);
    return true;
}
