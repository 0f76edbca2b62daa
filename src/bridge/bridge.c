/* bridge/bridge.c - Streamable HTTP (MCP 2025-11-25, transports) in front of the sessions. */
#include "inside.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "net/listener.h"

enum { CODE_WRONG = -32600, CODE_NO_SESSION = -32001, CODE_BUSY = -32000, STOP_MS = 3000 };

static const char *const unknown = "there is no such session: initialize anew";

/* --- requests ------------------------------------------------------------------------ */

/* False: it is answered. */
static bool
find_session(struct http_call *call, struct bridge *bridge, struct session **out)
{
    const struct http_head *head = http_call_head(call);
    struct slice id = http_head_value(head, HTTP_FIELD_MCP_SESSION_ID);

    *out = NULL;
    if (http_head_field_count(head, HTTP_FIELD_MCP_SESSION_ID) != 1) {
        refuse_call(call, 400, CODE_WRONG, "Mcp-Session-Id must stand there once");
        return false;
    }
    *out = session_find(bridge, id);
    if (*out == NULL)
        refuse_call(call, 404, CODE_NO_SESSION, unknown);
    return *out != NULL;
}

static struct hearer *
hearer_new(struct http_call *call, struct session *session, struct slice id)
{
    struct arena *arena = http_call_arena(call);
    struct hearer *hearer = arena_zeroed(arena, sizeof *hearer);

    if (hearer == NULL)
        return NULL;
    hearer->call = call;
    hearer->session = session;
    hearer->id = id.size > 0 ? arena_copy(arena, id) : id;
    return id.size > 0 && hearer->id.at == NULL ? NULL : hearer;
}

static bool
is_taken(const struct session *session, struct slice id)
{
    const struct hearer *at = session->pending;

    while (at != NULL && !slice_equal(at->id, id))
        at = at->next;
    return at != NULL;
}

static void
wait_in_line(struct hearer *hearer)
{
    struct session *session = hearer->session;
    struct hearer **at = &session->pending;

    while (*at != NULL)
        at = &(*at)->next;
    *at = hearer;
    session->pending_count++;
    http_call_data_set(hearer->call, hearer);
}

/* A request waits for the answer with its id; two of one id could not be told apart. */
static void
pass_request(struct http_call *call, struct session *session, struct slice body,
             const struct bridge_message *message)
{
    struct hearer *hearer;

    if (is_taken(session, message->id)) {
        refuse_call(call, 400, CODE_WRONG, "a request with this id is under way");
        return;
    }
    hearer = session->pending_count < PENDING_MAX ? hearer_new(call, session, message->id) : NULL;
    if (hearer == NULL || !session_tell(session, body)) {
        refuse_call(call, 503, CODE_BUSY, "the server has too much to do");
        return;
    }
    hearer->initialize = message->initialize;
    wait_in_line(hearer);
    said_unheard(session);
    session_read_on(session);
    session_watch(session);
}

static void
initialize(struct http_call *call, struct bridge *bridge, struct slice body,
           const struct bridge_message *message)
{
    struct session *session;

    if (http_head_field_count(http_call_head(call), HTTP_FIELD_MCP_SESSION_ID) > 0) {
        refuse_call(call, 400, CODE_WRONG, "a session is initialized once");
        return;
    }
    session = bridge->stopping ? NULL : session_new(bridge);
    if (session == NULL) {
        log_write(LOG_WARN, "bridge", "no further session can be begun", "server",
                  bridge->options.name, NULL);
        refuse_call(call, 503, CODE_BUSY, "no further session can be begun now");
        return;
    }
    pass_request(call, session, body, message);
    if (session->pending == NULL)
        session_end(session, "it could not be initialized");
}

static void
on_post(struct http_call *call, struct bridge *bridge, struct slice body)
{
    struct bridge_message message;
    struct session *session;
    const char *why;

    if (!bridge_message_read(body, &message, &why)) {
        refuse_call(call, 400, CODE_WRONG, why);
        return;
    }
    if (message.kind == BRIDGE_REQUEST && message.initialize) {
        initialize(call, bridge, body, &message);
        return;
    }
    if (!find_session(call, bridge, &session))
        return;
    session->left = false;
    if (message.kind == BRIDGE_REQUEST) {
        pass_request(call, session, body, &message);
    } else if (session_tell(session, body)) {
        http_respond(call, 202, NULL, 0, (struct slice){ 0 });
        session_watch(session);
    } else {
        refuse_call(call, 503, CODE_BUSY, "the server has too much to do");
    }
}

static void
on_get(struct http_call *call, struct bridge *bridge)
{
    struct session *session;
    struct hearer *hearer;

    if (!find_session(call, bridge, &session))
        return;
    if (session->stream != NULL) {
        refuse_call(call, 409, CODE_WRONG, "this session has its stream already");
        return;
    }
    hearer = hearer_new(call, session, (struct slice){ 0 });
    if (hearer == NULL || !answer_stream_begin(hearer)) {
        http_call_abort(call);
        return;
    }
    http_call_data_set(call, hearer);
    session->stream = hearer;
    session->left = false;
    said_unheard(session);
    session_read_on(session);
    session_watch(session);
}

static void
on_delete(struct http_call *call, struct bridge *bridge)
{
    struct session *session;

    if (!find_session(call, bridge, &session))
        return;
    session_end(session, "its client ended it");
    http_respond(call, 204, NULL, 0, (struct slice){ 0 });
}

static void
on_request(struct http_call *call, struct slice body, void *context)
{
    const struct http_header allow = HTTP_HEADER("Allow", SLICE_LITERAL("POST, GET, DELETE"));

    switch (http_call_head(call)->method) {
    case HTTP_METHOD_POST:
        on_post(call, context, body);
        return;
    case HTTP_METHOD_GET:
        on_get(call, context);
        return;
    case HTTP_METHOD_DELETE:
        on_delete(call, context);
        return;
    default:
        http_respond(call, 405, &allow, 1, (struct slice){ 0 });
    }
}

/* Nobody can hear the answer any more, so the server need not go on with it. What initializes
 * can't be cancelled, and nobody knows the session's id. */
static void
cancel(struct session *session, struct slice id)
{
    struct buffer text = { 0 };

    put_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
                    "{\"requestId\":");
    put_slice(&text, id);
    put_text(&text, ",\"reason\":\"the client left\"}}");
    (void)session_tell(session, buffer_slice(&text));
    buffer_free(&text);
}

static void
on_gone(struct http_call *call, enum status status, void *context)
{
    struct hearer *hearer = http_call_data(call);
    struct session *session;
    bool initializes;

    if (hearer == NULL)
        return;
    session = hearer->session;
    initializes = hearer->initialize;
    hearer_forget(hearer);
    session->left = true;
    if (initializes)
        session_end(session, "its client left");
    else if (hearer->id.size > 0)
        cancel(session, hearer->id);
    session_read_on(session);
    session_watch(session);
}

static void
on_writable(struct http_call *call, void *context)
{
    struct hearer *hearer = http_call_data(call);

    if (hearer == NULL || hearer->session->full != hearer)
        return;
    hearer->session->full = NULL;
    session_read_on(hearer->session);
}

/* --- the process ------------------------------------------------------------------------ */

static void
on_accepted(struct listener *listener, struct stream *stream, void *context)
{
    http_server_accept(((struct bridge *)context)->server, stream);
}

static void
on_child(struct lane *lane, int number, void *context)
{
    children_reap(sessions_child_ended, context);
}

static void
on_stop(struct lane *lane, int number, void *context)
{
    struct bridge *bridge = context;

    if (bridge->stopping)
        return;
    bridge->stopping = true;
    listener_close(bridge->listener);
    for (struct session *at = bridge->sessions, *next; at != NULL; at = next) {
        next = at->next;
        session_end(at, "the bridge is stopping");
    }
    http_server_drain(bridge->server);
    lane_stop(lane, STOP_MS);
}

static enum status
open_bridge(struct bridge *bridge, struct fault *fault)
{
    struct lane *lane = bridge->lane;
    const struct listener_options listens = { .address = bridge->options.address,
                                              .descriptor = bridge->options.descriptor,
                                              .connections = 1024,
                                              .accepted = on_accepted,
                                              .context = bridge };
    enum status status;

    bridge->api = (struct http_api){
        .body_max = MESSAGE_MAX, .request = on_request, .gone = on_gone, .context = bridge
    };
    bridge->handler = http_api_handler;
    bridge->handler.writable = on_writable;
    status = http_server_new(
        lane, &(struct http_server_options){ .handler = &bridge->handler, .context = &bridge->api },
        &bridge->server);
    if (status == STATUS_OK)
        status = listener_open(lane, &listens, &bridge->listener, fault);
    if (status == STATUS_OK)
        status = lane_on_signal(lane, SIGCHLD, on_child, bridge);
    if (status == STATUS_OK)
        status = lane_on_signal(lane, SIGTERM, on_stop, bridge);
    if (status == STATUS_OK)
        status = lane_on_signal(lane, SIGINT, on_stop, bridge);
    return status;
}

static void
on_begin(struct lane *lane, void *context)
{
    struct bridge *bridge = context;
    struct fault fault = { 0 };
    enum status status = open_bridge(bridge, &fault);

    if (status == STATUS_OK)
        return;
    log_write(LOG_ERROR, "bridge", "cannot begin", "why",
              fault.text[0] != '\0' ? fault.text : status_text(status), NULL);
    bridge->failed = true;
    lane_stop(lane, 0);
}

static void
on_end(struct lane *lane, void *context)
{
    struct bridge *bridge = context;

    if (bridge->server != NULL)
        http_server_free(bridge->server);
}

/* Its user's other processes, the server's among them, must not look into it: it sees all
 * sessions. And what the server leaves behind comes here, to be ended. */
static bool
seal_off(void)
{
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

int
bridge_run(const struct bridge_options *options)
{
    struct bridge bridge = { .options = *options };

    bridge.options.idle_ms = session_idle_ms(options->idle_ms);
    if (!seal_off() ||
        lane_new(&(struct lane_options){ .name = "writ-bridge",
                                         .hooks = { .begin = on_begin, .end = on_end },
                                         .context = &bridge },
                 &bridge.lane) != STATUS_OK)
        return 1;
    lane_run(bridge.lane);
    lane_free(bridge.lane);
    children_end();
    return bridge.failed ? 1 : 0;
}
