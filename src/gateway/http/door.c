/* gateway/http/door.c - the HTTP door: listens, takes requests off the wire, and
 * hands each to the pipeline. */
#include <stdlib.h>

#include "../listen.h"
#include "prelude.h"
#include "relay.h"
#include "resource.h"
#include "target.h"

/* One lane's part of the door. */
struct http_door {
    struct gate *gate;
    struct listener *listener;
    struct http_server *server;
};

struct http_passage *
http_passage_new(struct gate *gate, const struct door *door, struct http_call *call)
{
    const struct stream *stream = http_call_stream(call);
    struct http_passage *http = arena_zeroed(http_call_arena(call), sizeof(*http));
    struct passage *passage = http == NULL ? NULL : passage_new(gate, door, call);

    if (passage == NULL) {
        answer_problem(
            call, &(struct refusal){ .kind = GATE_BUSY,
                                     .reason = SLICE_LITERAL("the gateway is out of memory") });
        return NULL;
    }
    http->passage = passage;
    http->call = call;
    passage->relay = http;
    passage->asked.session = http_call_session(call);
    passage->asked.peer_port = stream_peer_port(stream);
    http_call_data_set(call, http);
    if (!client_find(&gate->gateway->options.trusted, http_call_head(call), stream_peer(stream),
                     &http->client))
        passage->asked.fault = (struct refusal){
            .kind = GATE_MALFORMED,
            .reason = SLICE_LITERAL("the proxy's Forwarded or X-Forwarded-For can't be read, or "
                                    "they differ"),
        };
    passage->asked.request.peer = http->client.ip;
    return http;
}

void
http_passage_ended(struct passage *passage)
{
    struct http_passage *http = passage->relay;

    talk_free(passage->gate, http->talk);
}

static void
answer_health(const struct gate *gate, struct http_call *call)
{
    if (gate->stopping)
        http_respond(call, 503, NULL, 0, SLICE_LITERAL("stopping\n"));
    else
        http_respond(call, 200, NULL, 0, SLICE_LITERAL("ok\n"));
}

/* Names that no upstream can have; a Host that names an upstream wins. */
static bool
answer_reserved(struct gate *gate, struct http_call *call)
{
    const struct http_head *head = http_call_head(call);
    struct slice path = http_head_path(head);

    if (resource_answer(gate, call))
        return true;
    bool health = slice_is(path, "/healthz"), check = slice_is(path, "/check");
    if ((!health && !check) || routes_by_host(gate->routes, http_head_host(head)) != NULL)
        return false;
    if (health)
        answer_health(gate, call);
    else
        check_request(gate, call);
    return true;
}

/* True: the request is in a dialect, and clear so far. */
static bool
begin_talk(struct http_passage *http)
{
    struct asked *asked = &http->passage->asked;
    const struct dialect *dialect =
        asked->upstream != NULL ? dialect_of(asked->upstream->plan.type) : NULL;

    if (asked->upstream == NULL || asked->upstream->plan.type == UPSTREAM_HTTP)
        return false;
    if (dialect == NULL) {
        asked->fault = (struct refusal){
            .kind = GATE_UNKNOWN,
            .reason = SLICE_LITERAL("no door of this gateway serves this type of upstream yet")
        };
        return false;
    }
    http->talk = arena_zeroed(http_call_arena(http->call), sizeof *http->talk);
    if (http->talk == NULL)
        asked->fault = (struct refusal){ .kind = GATE_BUSY,
                                         .reason = SLICE_LITERAL("the gateway is out of memory") };
    else
        http->talk->dialect = dialect;
    return asked->fault.kind == GATE_NOTHING;
}

static void
on_request(struct http_call *call, bool more, void *context)
{
    struct http_door *door = context;
    struct gate *gate = door->gate;
    struct arena *arena = http_call_arena(call);

    routes_follow(gate->routes, gate->reader);
    if (answer_reserved(gate, call))
        return;
    struct http_passage *http = http_passage_new(gate, &http_door, call);
    if (http == NULL)
        return;
    struct asked *asked = &http->passage->asked;
    classify(gate->routes, http_call_head(call), arena, asked, &http->target);
    if (asked->upstream != NULL)
        upstream_use(asked->upstream);
    if (begin_talk(http)) {
        prelude_begin(http);
        return;
    }
    http->more = more;
    pipeline_enter(http->passage, arena);
    /* Nothing of this read is at hand any more when a claim is answered. */
    http->more = false;
}

/* Bytes that were no request get their answer and their line, folded with others
 * of the peer; nothing of the bytes is repeated. */
static void
on_refused(struct stream *stream, const struct http_refusal *why, void *context)
{
    struct gate *gate = ((struct http_door *)context)->gate;
    struct audit_event event = {
        .at = lane_now_ms(gate->lane),
        .resource = SLICE_LITERAL("-"),
        .action = SLICE_LITERAL("-"),
        .object = SLICE_LITERAL("-"),
        .reason = slice_text(why->reason),
        .peer = *stream_peer(stream),
        .peer_port = stream_peer_port(stream),
        .decision = AUDIT_DENY,
    };

    counter_add(&gate->counters.malformed, 1);
    /* It is refused in any case: a full audit changes nothing about that. */
    if (audit_line(gate->journal, &event, &(struct audit_outcome){ .status = why->status }) !=
        STATUS_OK)
        counter_add(&gate->counters.limited, 1);
}

static const struct http_handler handler = {
    .refused = on_refused,
    .request = on_request,
    .body = relay_body,
    .body_end = relay_body_end,
    .writable = relay_writable,
    .gone = relay_gone,
};

static void
on_accepted(struct listener *listener, struct stream *stream, void *context)
{
    struct http_door *door = context;

    counter_add(&door->gate->counters.connections, 1);
    counter_add(&door->gate->counters.open, 1);
    http_server_accept(door->server, stream);
}

static void
door_free(void *state)
{
    struct http_door *door = state;

    if (door->server != NULL)
        http_server_free(door->server);
    free(door);
}

static enum status
door_attach(struct gate *gate, void **state, struct fault *fault)
{
    struct http_door *door;

    if (gate->gateway->places[DOOR_HTTP].address == NULL)
        return STATUS_OK;
    door = calloc(1, sizeof(*door));
    if (door == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    door->gate = gate;
    enum status status = http_server_new(
        gate->lane,
        /* A client that ends its side has left: the upstream need not go on for it. */
        &(struct http_server_options){ .handler = &handler, .context = door }, &door->server);
    if (status == STATUS_OK)
        status = door_listen(
            gate,
            &(struct door_accept){ .kind = DOOR_HTTP, .accepted = on_accepted, .context = door },
            &door->listener, fault);
    if (status != STATUS_OK) {
        door_free(door);
        return status;
    }
    *state = door;
    return STATUS_OK;
}

static size_t
door_connections(const void *state)
{
    const struct http_door *door = state;

    return http_server_connections(door->server);
}

static void
door_stop(void *state)
{
    struct http_door *door = state;

    if (door->listener != NULL)
        listener_close(door->listener);
    door->listener = NULL;
    http_server_drain(door->server);
}

enum { CALL_BODY_MAX = 48 << 10 };

/* Method, path and query as they will be forwarded; what a dialect has read of the body. at
 * NULL: it is too long to be shown whole, and nobody approves what is not seen. */
static struct slice
call_text(const struct passage *passage, struct arena *arena)
{
    const struct http_passage *http = passage->relay;
    struct slice query = http->target.query;
    struct slice body = http->talk == NULL ? slice_of("", 0) : buffer_slice(&http->talk->body);

    if (body.size > CALL_BODY_MAX)
        return slice_of(NULL, 0);
    return arena_format(arena, "%.*s %.*s%s%.*s%s%.*s",
                        SLICE_PRINT(http_head_method(http_call_head(http->call))),
                        SLICE_PRINT(http->target.path.forward), query.size > 0 ? "?" : "",
                        SLICE_PRINT(query), body.size > 0 ? "\n\n" : "", SLICE_PRINT(body));
}

const struct door http_door = {
    .name = "http",
    .waits = true,
    .carries = true,
    .call = call_text,
    .attach = door_attach,
    .connections = door_connections,
    .stop = door_stop,
    .free = door_free,
    .refuse = answer_refusal,
    .open = relay_open,
    .cut = relay_cut,
    .ended = http_passage_ended,
    .traffic = relay_traffic,
    .show = target_show,
};
