/* authority/server.c - HTTP around api_handle: the local socket and the TCP
 * listener, who is at the other end, and answers that come later. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "http/api.h"
#include "net/listener.h"
#include "net/tls.h"
#include "oauth/oauth.h"

enum {
    LOCAL_BODY_MAX = 64 << 20,
    REMOTE_BODY_MAX = 8 << 20,
    CONNECTIONS_MAX = 256, /* each may hold that much; further ones wait in the kernel */
    WORKING_MAX = 4,
    ENFORCE_MS = 5000, /* the longest wait for lanes that should answer in one turn */
};

/* One call that is not answered yet. It outlives its connection when a job is
 * still at work. */
struct api_call {
    struct api_call *next;
    struct authority *authority;
    struct http_call *call; /* NULL: the peer has gone */
    struct api_answer answer;
    struct api_outcome outcome;
    struct lane_message step;
    struct timer patience;
    uint64_t fleet_seq; /* what all nodes must enforce before it is answered; 0: none is asked */
    uint64_t started_us;
    uint64_t bytes_in;
    char retry_after[12];
};

static void
unlink_call(struct api_call *call)
{
    struct api_call **at = &call->authority->calls;

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

/* --- answering ------------------------------------------------------------------ */

enum { HEADERS_MAX = 11 };

/* Any page may use the OAuth endpoints from a browser: no cookie is ever looked at. */
static size_t
write_shared(struct http_header *headers)
{
    headers[0] = HTTP_HEADER("Access-Control-Allow-Origin", SLICE_LITERAL("*"));
    headers[1] =
        HTTP_HEADER("Access-Control-Expose-Headers", SLICE_LITERAL("DPoP-Nonce, WWW-Authenticate"));
    headers[2] = HTTP_HEADER("Access-Control-Allow-Headers",
                             SLICE_LITERAL("Authorization, Content-Type, DPoP, "
                                           "MCP-Protocol-Version"));
    return 3;
}

static size_t
write_headers(struct api_call *call, struct slice type, struct http_header headers[HEADERS_MAX])
{
    size_t count = 0;

    headers[count++] = HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store"));
    headers[count++] = HTTP_HEADER("X-Content-Type-Options", SLICE_LITERAL("nosniff"));
    if (type.size > 0)
        headers[count++] = HTTP_HEADER("Content-Type", type);
    if (call->outcome.challenge != NULL)
        headers[count++] = HTTP_HEADER("WWW-Authenticate", slice_text(call->outcome.challenge));
    if (call->outcome.allow.size > 0)
        headers[count++] = HTTP_HEADER("Allow", call->outcome.allow);
    if (call->outcome.nonce[0] != '\0')
        headers[count++] = HTTP_HEADER("DPoP-Nonce", slice_text(call->outcome.nonce));
    if (call->outcome.shared)
        count += write_shared(&headers[count]);
    if (call->answer.location.size > 0)
        headers[count++] = HTTP_HEADER("Location", call->answer.location);
    if (call->answer.retry_after > 0) {
        snprintf(call->retry_after, sizeof call->retry_after, "%u", call->answer.retry_after);
        headers[count++] = HTTP_HEADER("Retry-After", slice_text(call->retry_after));
    }
    return count;
}

static void
end_call(struct api_call *call)
{
    struct api_answer *answer = &call->answer;
    struct buffer body = { 0 };
    struct slice text = answer->text, type = { 0 };
    struct http_header headers[HEADERS_MAX];

    if (answer->body != NULL) {
        put_json(&body, answer->body);
        put_text(&body, "\n");
        text = buffer_slice(&body);
        type = SLICE_LITERAL("application/json");
    }
    if (answer->content_type != NULL)
        type = slice_text(answer->content_type);
    audit_end(call->authority->journal, call->outcome.ticket,
              &(struct audit_outcome){ .status = answer->status,
                                       .bytes_in = call->bytes_in,
                                       .bytes_out = text.size,
                                       .duration_us = clock_mono_us() - call->started_us });
    if (call->call != NULL)
        (void)http_respond(call->call, answer->status, headers, write_headers(call, type, headers),
                           text);
    /* A token's text may stand in it. */
    buffer_wipe_free(&body);
    json_decref(answer->body);
    if (answer->job != NULL)
        answer->job->free(answer->job);
    timer_disarm(&call->patience);
    unlink_call(call);
    free(call);
}

static json_t *
this_node(const struct authority *authority)
{
    char at[TIME_TEXT_MAX];

    return json_pack("[{s:o, s:s, s:s}]", "node", json_slice(authority->options.node), "state",
                     "applied", "at", time_format(clock_wall_ms(), at));
}

/* Takes over where it is in force. */
static void
end_confirmed(struct api_call *call, json_t *nodes)
{
    if (call->answer.confirms)
        json_object_set(call->answer.body, "nodes", nodes);
    json_decref(nodes);
    end_call(call);
}

static void
patience_over(struct timer *timer)
{
    struct api_call *call = LANE_OWNER(timer, struct api_call, patience);

    call->answer.wait_generation = 0;
    api_problem(
        &call->answer, 503, "not_enforced",
        call->fleet_seq > 0 ? "Durable, but not every node has answered"
                            : "Durable, but a lane has not answered",
        SLICE_LITERAL("the change is made and will be enforced; ask again to see it confirmed"),
        NULL);
    end_call(call);
}

static void
be_patient(struct api_call *call, int64_t ms)
{
    call->patience.fire = patience_over;
    timer_arm(call->authority->lane, &call->patience, ms);
}

/* Every lane of this node has applied it. */
static void
end_or_wait_for_fleet(struct api_call *call)
{
    struct authority *authority = call->authority;

    if (!call->answer.wait_fleet || authority->fleet == NULL) {
        end_confirmed(call, this_node(authority));
        return;
    }
    call->answer.wait_generation = 0;
    call->fleet_seq = store_seq(authority->store);
    be_patient(call, fleet_patience_ms(authority));
}

static void
end_or_wait(struct api_call *call)
{
    if (call->answer.wait_generation > call->authority->enforced)
        be_patient(call, ENFORCE_MS);
    else
        end_or_wait_for_fleet(call);
}

bool
server_waits_for_fleet(const struct authority *authority)
{
    for (const struct api_call *call = authority->calls; call != NULL; call = call->next) {
        if (call->fleet_seq > 0)
            return true;
    }
    return false;
}

void
server_fleet_seen(struct authority *authority)
{
    struct api_call *next;
    json_t *nodes;

    for (struct api_call *call = authority->calls; call != NULL; call = next) {
        next = call->next;
        if (call->fleet_seq == 0)
            continue;
        nodes = fleet_confirmed(authority, call->fleet_seq);
        if (nodes != NULL)
            end_confirmed(call, nodes);
    }
}

void
server_enforced(struct authority *authority)
{
    struct api_call *next;

    for (struct api_call *call = authority->calls; call != NULL; call = next) {
        next = call->next;
        if (timer_armed(&call->patience) && call->fleet_seq == 0 &&
            call->answer.wait_generation <= authority->enforced) {
            if (call->answer.confirms)
                enforced_here(authority, call->started_us);
            end_or_wait_for_fleet(call);
        }
    }
}

/* --- jobs: long answers, a piece a turn ------------------------------------------- */

static void
step_job(struct lane_message *message)
{
    struct api_call *call = LANE_OWNER(message, struct api_call, step);
    struct api_answer *answer = &call->answer;
    struct fault fault = { 0 };
    bool done = false;
    enum status status = answer->job->step(call->authority, answer->job, &done, &fault);

    if (status == STATUS_OK && !done) {
        if (lane_post(call->authority->lane, &call->step))
            return;
        status = fault_set(&fault, STATUS_CLOSED, "the node is stopping");
    }
    answer->job->free(answer->job);
    answer->job = NULL;
    if (status == STATUS_OK) {
        if (answer->status == 0)
            answer->status = 200;
        end_or_wait(call);
        return;
    }
    api_problem(answer, api_status_of(status), status_name(status), status_text(status),
                slice_text(fault.text), NULL);
    end_call(call);
}

static void
work_done(struct lane_message *message)
{
    struct api_call *call = LANE_OWNER(message, struct api_call, step);

    call->step.run = step_job;
    step_job(message);
}

static void *
work_thread(void *context)
{
    struct api_call *call = context;
    struct authority *authority = call->authority;

    call->answer.job->work(call->answer.job);
    /* A lane that has ended leaves the call to server_close. */
    (void)lane_post(authority->lane, &call->step);
    atomic_fetch_sub(&authority->working, 1);
    return NULL;
}

/* Long readings of the audit must not hold up a revoke. */
static void
start_job(struct api_call *call)
{
    struct authority *authority = call->authority;
    pthread_attr_t detached;
    pthread_t thread;
    bool started = false;

    if (call->answer.job->work == NULL) {
        step_job(&call->step);
        return;
    }
    call->step.run = work_done;
    if (atomic_load(&authority->working) < WORKING_MAX && pthread_attr_init(&detached) == 0) {
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        atomic_fetch_add(&authority->working, 1);
        started = pthread_create(&thread, &detached, work_thread, call) == 0;
        if (!started)
            atomic_fetch_sub(&authority->working, 1);
        pthread_attr_destroy(&detached);
    }
    if (started)
        return;
    api_problem(&call->answer, 503, "busy", "Too many long questions at once",
                SLICE_LITERAL("ask again in a moment"), NULL);
    end_call(call);
}

/* --- who calls -------------------------------------------------------------------- */

/* The certificate of the connection, or, behind a terminator that is trusted, the one
 * that it forwards, whose chain it has verified (RFC 9440 §2). */
static void
find_shown(struct http_call *http, bool forwarded, struct api_request *request)
{
    const struct stream *stream = http_call_stream(http);
    struct api_shown *shown = &request->shown;
    struct slice field = http_head_value(http_call_head(http), HTTP_FIELD_CLIENT_CERT);

    shown->head = http_call_head(http);
    if (forwarded) {
        shown->has_certificate =
            http_head_field_count(shown->head, HTTP_FIELD_CLIENT_CERT) == 1 &&
            certificate_from_field(field, request->arena, &shown->der) == STATUS_OK &&
            hash_sha256(&shown->der, 1, shown->x5t) == STATUS_OK;
        shown->chain_trusted = shown->has_certificate;
        return;
    }
    shown->has_certificate =
        tls_stream_peer_thumbprint(stream, shown->x5t) && tls_stream_peer_der(stream, &shown->der);
    shown->chain_trusted = shown->has_certificate && tls_stream_peer_trusted(stream);
}

static void
find_caller(struct authority *authority, struct http_call *http, bool local,
            struct api_request *request)
{
    struct api_caller *caller = &request->caller;
    const struct stream *stream = http_call_stream(http);
    struct client_view client;
    uid_t uid;

    request->unclear = !client_find(&authority->options.trusted, http_call_head(http),
                                    stream_peer(stream), &client);
    caller->peer = client.ip;
    caller->peer_port = stream_peer_port(stream);
    find_shown(http, client.trusted, request);
    if (request->unclear)
        return;
    if (oauth_is_path(request->path))
        return; /* who calls there is a client, and shows it in its own way */
    if (!local)
        caller_of_token(authority, request);
    else if (stream_peer_uid(stream, &uid))
        caller_of_socket(authority, uid, request->arena, caller);
    else
        caller->refusal = SLICE_LITERAL("the kernel does not say who is at the socket");
}

/* A stranger's body would only take memory: the refusal does not depend on it. A form of
 * OAuth is short, and each address may send so many. */
static bool
remote_wants_body(struct http_call *call, void *context)
{
    struct authority *authority = context;
    const struct http_head *head = http_call_head(call);
    bool wants;

    if (oauth_is_path(http_head_path(head)))
        return oauth_wants_body(authority, call);
    wants = caller_is_likely(authority, head, clock_wall_ms(), http_call_arena(call));
    world_quiescent(authority->reader);
    return wants;
}

/* What was refused before it was a call leaves a line as well, folded for strangers. */
static enum status
audit_stranger(struct authority *authority, const struct api_request *request, unsigned status)
{
    struct audit_event event = { .at = request->now,
                                 .token = request->caller.token,
                                 .label = request->caller.label,
                                 .chain = request->caller.chain,
                                 .subject = request->caller.subject,
                                 .resource = SLICE_LITERAL("writ"),
                                 .action = request->method,
                                 .object = request->path,
                                 .reason = request->caller.refusal,
                                 .agent = request->agent,
                                 .peer = request->caller.peer,
                                 .peer_port = request->caller.peer_port,
                                 .decision = AUDIT_DENY };

    return audit_line(authority->journal, &event, &(struct audit_outcome){ .status = status });
}

/* --- one call ----------------------------------------------------------------------- */

static void
take_request(struct http_call *http, struct slice body, struct authority *authority, bool local)
{
    const struct http_head *head = http_call_head(http);
    struct api_call *call = calloc(1, sizeof *call);
    struct api_request request = { .method = http_head_method(head),
                                   .path = http_head_path(head),
                                   .query = http_head_query(head),
                                   .idempotency_key =
                                       http_head_value(head, HTTP_FIELD_IDEMPOTENCY_KEY),
                                   .agent = http_head_value(head, HTTP_FIELD_USER_AGENT),
                                   .text = body,
                                   .now = clock_wall_ms(),
                                   .arena = http_call_arena(http) };

    if (call == NULL) {
        http_call_abort(http);
        return;
    }
    if (head->method == HTTP_METHOD_HEAD)
        request.method = SLICE_LITERAL("GET"); /* the server leaves the body out */
    *call = (struct api_call){ .next = authority->calls,
                               .authority = authority,
                               .call = http,
                               .step = { .run = step_job },
                               .started_us = clock_mono_us(),
                               .bytes_in = body.size };
    authority->calls = call;
    find_caller(authority, http, local, &request);
    api_handle(authority, &request, &call->answer, &call->outcome);
    if (call->outcome.unlined &&
        audit_stranger(authority, &request, call->answer.status) != STATUS_OK)
        api_problem(&call->answer, 503, "audit", "The audit can't be written",
                    SLICE_LITERAL("nothing is answered that would leave no line"), NULL);
    json_decref(request.body);
    world_quiescent(authority->reader);
    if (call->answer.job != NULL)
        start_job(call);
    else
        end_or_wait(call);
}

static void
local_request(struct http_call *call, struct slice body, void *context)
{
    take_request(call, body, context, true);
}

static void
remote_request(struct http_call *call, struct slice body, void *context)
{
    take_request(call, body, context, false);
}

static void
call_gone(struct http_call *http, enum status status, void *context)
{
    struct authority *authority = context;

    for (struct api_call *call = authority->calls; call != NULL; call = call->next) {
        if (call->call == http)
            call->call = NULL;
    }
}

/* It is refused in any case: a full audit changes nothing about that. */
static void
note_refused(struct stream *stream, const struct http_refusal *why, void *context)
{
    struct authority *authority = context;
    const struct api_request request = { .method = SLICE_LITERAL("-"),
                                         .path = SLICE_LITERAL("-"),
                                         .now = clock_wall_ms(),
                                         .caller = { .refusal = slice_text(why->reason),
                                                     .peer = *stream_peer(stream),
                                                     .peer_port = stream_peer_port(stream) } };

    authority->counters.refused++;
    (void)audit_stranger(authority, &request, why->status);
}

/* --- listeners ------------------------------------------------------------------------ */

static void
accept_local(struct listener *listener, struct stream *stream, void *context)
{
    http_server_accept(((struct authority *)context)->local, stream);
}

static void
accept_remote(struct listener *listener, struct stream *stream, void *context)
{
    http_server_accept(((struct authority *)context)->remote, stream);
}

static enum status
open_local(struct authority *authority, struct fault *fault)
{
    struct http_api *api = &authority->local_api;
    char *address;
    enum status status;

    *api = (struct http_api){ .body_max = LOCAL_BODY_MAX,
                              .request = local_request,
                              .gone = call_gone,
                              .refused = note_refused,
                              .context = authority };
    status = http_server_new(authority->lane,
                             &(struct http_server_options){
                                 .handler = &http_api_handler, .context = api, .half_close = true },
                             &authority->local);
    if (status != STATUS_OK)
        return status;
    if (asprintf(&address, "unix:%s", authority->socket_path) < 0)
        return STATUS_MEMORY;
    status = listener_open(authority->lane,
                           &(struct listener_options){
                               .address = address, .accepted = accept_local, .context = authority },
                           &authority->local_listener, fault);
    free(address);
    return status;
}

static enum tls_client_certificate
client_certificate(const struct authority_options *options)
{
    if (slice_is(options->tls_client_cert, "require"))
        return TLS_CLIENT_REQUIRE;
    return slice_is(options->tls_client_cert, "request") ? TLS_CLIENT_REQUEST : TLS_CLIENT_NONE;
}

static enum status
open_remote(struct authority *authority, struct fault *fault)
{
    struct http_api *api = &authority->remote_api;
    const struct authority_options *options = &authority->options;
    char *address = slice_strdup(options->listen);
    enum status status = STATUS_OK;

    if (address == NULL)
        return STATUS_MEMORY;
    *api = (struct http_api){ .body_max = REMOTE_BODY_MAX,
                              .wants_body = remote_wants_body,
                              .request = remote_request,
                              .gone = call_gone,
                              .refused = note_refused,
                              .context = authority };
    if (options->tls_cert != NULL)
        status = tls_server_new(
            &(struct tls_server_options){ .cert = options->tls_cert,
                                          .key = options->tls_key,
                                          .client_ca = options->tls_client_ca,
                                          .client_certificate = client_certificate(options) },
            &authority->tls, fault);
    if (status == STATUS_OK)
        status = http_server_new(
            authority->lane,
            &(struct http_server_options){ .handler = &http_api_handler, .context = api },
            &authority->remote);
    if (status == STATUS_OK)
        status = listener_open(authority->lane,
                               &(struct listener_options){ .address = address,
                                                           .tls = authority->tls,
                                                           .connections = CONNECTIONS_MAX,
                                                           .accepted = accept_remote,
                                                           .context = authority },
                               &authority->remote_listener, fault);
    free(address);
    return status;
}

enum status
server_open(struct authority *authority, struct fault *fault)
{
    enum status status = open_local(authority, fault);

    if (status == STATUS_OK && authority->options.listen.size > 0)
        status = open_remote(authority, fault);
    return status;
}

void
server_drain(struct authority *authority)
{
    if (authority->local_listener != NULL)
        listener_close(authority->local_listener);
    if (authority->remote_listener != NULL)
        listener_close(authority->remote_listener);
    authority->local_listener = authority->remote_listener = NULL;
    if (authority->local != NULL)
        http_server_drain(authority->local);
    if (authority->remote != NULL)
        http_server_drain(authority->remote);
}

void
server_detach(struct authority *authority)
{
    http_server_free(authority->local);
    http_server_free(authority->remote);
    authority->local = authority->remote = NULL;
}

void
server_settle(struct authority *authority)
{
    while (atomic_load(&authority->working) > 0)
        usleep(1000);
    while (authority->calls != NULL) {
        struct api_call *call = authority->calls;

        call->call = NULL;
        if (call->answer.status == 0)
            call->answer.status = 503;
        end_call(call);
    }
}

void
server_close(struct authority *authority)
{
    tls_server_free(authority->tls);
}
