/* cli/connect.c - `writ connect`: a local port through which any HTTP client reaches an
 * upstream, with a token and proofs that it knows nothing of. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#include "base/clock.h"
#include "crypto/private_key.h"
#include "guest.h"
#include "http/client.h"
#include "http/server.h"
#include "net/listener.h"
#include "net/timer.h"
#include "net/tls.h"
#include "tunnel.h"

enum { EXPECT_MS = 2000, NONCE_KEPT_MS = 120000, URL_MAX = 1024 };

/* Where the gateway is: its URL taken apart. */
struct gateway_place {
    char url[URL_MAX];              /* without a slash at the end, the upstream's name behind it */
    char address[320];              /* host:port */
    struct slice authority, prefix; /* of url: for Host; the path before the request's own */
    bool tls;
};

struct connect {
    struct cli *cli;
    struct lane *lane;
    struct gateway_place place;
    struct http_upstream *gateway;
    struct tls_client *tls;
    struct http_server *server;
    struct listener *listener;
    char listen[32];
    struct fault fault;
    enum status status;
    /* On the lane alone. */
    struct buffer token;
    char nonce[NONCE_MAX];
    int64_t nonce_at;
    char over[256]; /* why the token is worth nothing any more; "": it is */
    /* Between the renewing thread and the lane. */
    struct renewal renewal;
    pthread_t renewing;
    bool renews;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct buffer next; /* the successor, until the lane has taken it */
    char ended[256];
    struct lane_message news;
    atomic_bool telling; /* it is on its way */
};

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
    if (!guest_is_local(head))
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

static const struct http_handler call_handler = {
    .request = on_request,
    .body = on_call_body,
    .body_end = on_call_body_end,
    .writable = on_call_writable,
    .gone = on_call_gone,
};

/* --- renewing, on a thread of its own --------------------------------------------------------- */

static void
hear_news(struct lane_message *message)
{
    struct connect *connect = LANE_OWNER(message, struct connect, news);

    atomic_store(&connect->telling, false);
    pthread_mutex_lock(&connect->lock);
    if (connect->next.size > 0) {
        buffer_clear(&connect->token);
        put_slice(&connect->token, buffer_slice(&connect->next));
        buffer_clear(&connect->next);
        connect->over[0] = '\0';
    }
    if (connect->ended[0] != '\0')
        memcpy(connect->over, connect->ended, sizeof connect->over);
    pthread_mutex_unlock(&connect->lock);
}

static void
bring_news(struct connect *connect, enum renewed result)
{
    pthread_mutex_lock(&connect->lock);
    if (result == RENEWED) {
        buffer_clear(&connect->next);
        put_slice(&connect->next, buffer_slice(&connect->renewal.token));
    } else {
        snprintf(connect->ended, sizeof connect->ended,
                 "the authority does not renew it: it was revoked, has ended, or may not rotate "
                 "itself; put another one into %.120s and start again",
                 connect->renewal.file);
    }
    pthread_mutex_unlock(&connect->lock);
    if (!atomic_exchange(&connect->telling, true) && !lane_post(connect->lane, &connect->news))
        atomic_store(&connect->telling, false);
}

static void *
renew_on(void *context)
{
    struct connect *connect = context;
    const struct timespec step = { .tv_nsec = 200000000 };

    while (!atomic_load(&connect->stopping)) {
        enum renewed result = renewal_step(&connect->renewal, clock_wall_ms());

        if (result == RENEWED || result == RENEW_NEVER)
            bring_news(connect, result);
        if (result == RENEW_NEVER)
            break;
        nanosleep(&step, NULL);
    }
    return NULL;
}

/* --- set up -------------------------------------------------------------------------------- */

static void
on_accepted(struct listener *listener, struct stream *stream, void *context)
{
    http_server_accept(((struct connect *)context)->server, stream);
}

static enum status
open_gateway(struct connect *connect)
{
    const char *addresses[] = { connect->place.address };
    enum status status = STATUS_OK;
    struct slice host;
    uint16_t port;
    char *name = NULL;

    if (connect->place.tls) {
        status = host_port_parse(slice_text(connect->place.address), &host, &port);
        name = status == STATUS_OK ? slice_strdup(host) : NULL;
        if (status == STATUS_OK)
            status = tls_client_new(&(struct tls_client_options){ .server_name = name },
                                    &connect->tls, &connect->fault);
        free(name);
    }
    if (status == STATUS_OK)
        status = http_upstream_new(
            connect->lane,
            &(struct http_upstream_options){
                .addresses = addresses, .address_count = 1, .tls = connect->tls, .idle_ms = -1 },
            &connect->gateway, &connect->fault);
    return status;
}

static void
tell_ready(struct connect *connect)
{
    if (connect->cli->json)
        printf("{\"url\":\"http://127.0.0.1:%u\",\"gateway\":\"%s\"}\n",
               listener_port(connect->listener), connect->place.url);
    else
        printf("http://127.0.0.1:%u is %s\n", listener_port(connect->listener), connect->place.url);
    fflush(stdout);
}

static void
on_stop_signal(struct lane *lane, int number, void *context)
{
    lane_stop(lane, 2000);
}

static void
begin(struct lane *lane, void *context)
{
    struct connect *connect = context;
    enum status status = open_gateway(connect);

    if (status == STATUS_OK)
        status = http_server_new(
            lane, &(struct http_server_options){ .handler = &call_handler, .context = connect },
            &connect->server);
    if (status == STATUS_OK)
        status = listener_open(lane,
                               &(struct listener_options){ .address = connect->listen,
                                                           .accepted = on_accepted,
                                                           .context = connect },
                               &connect->listener, &connect->fault);
    if (status == STATUS_OK)
        status = lane_on_signal(lane, SIGTERM, on_stop_signal, connect);
    if (status == STATUS_OK)
        status = lane_on_signal(lane, SIGINT, on_stop_signal, connect);
    connect->status = status;
    if (status != STATUS_OK) {
        lane_stop(lane, 0);
        return;
    }
    tell_ready(connect);
    connect->renews = connect->cli->url != NULL && connect->renewal.file != NULL &&
                      pthread_create(&connect->renewing, NULL, renew_on, connect) == 0;
}

static void
stop(struct lane *lane, void *context)
{
    struct connect *connect = context;

    if (connect->listener != NULL)
        listener_close(connect->listener);
    connect->listener = NULL;
    if (connect->server != NULL)
        http_server_drain(connect->server);
}

static void
end(struct lane *lane, void *context)
{
    struct connect *connect = context;

    if (connect->server != NULL)
        http_server_free(connect->server);
    http_upstream_free(connect->gateway);
}

/* --- the command line ---------------------------------------------------------------------- */

static enum status
take_gateway(struct connect *connect, const struct args *args, struct fault *fault)
{
    const char *url = args_value(args, "--gateway");
    struct gateway_place *place = &connect->place;
    struct slice rest, host;
    uint16_t port;
    int size;

    url = url != NULL ? url : getenv("WRIT_GATEWAY");
    url = url != NULL ? url : "http://127.0.0.1:7880";
    rest = slice_text(url);
    while (rest.size > 0 && rest.at[rest.size - 1] == '/')
        rest.size--;
    size = snprintf(place->url, sizeof place->url, "%.*s/%s", SLICE_PRINT(rest), args->words[0]);
    place->tls = strncmp(url, "https://", 8) == 0;
    if ((!place->tls && strncmp(url, "http://", 7) != 0) || size >= (int)sizeof place->url)
        return fault_set(fault, STATUS_INVALID, "--gateway must be an http:// or https:// URL");
    rest = slice_from(slice_text(place->url), place->tls ? 8 : 7);
    place->authority = slice_first(rest, slice_find(rest, '/'));
    place->prefix = slice_from(rest, place->authority.size);
    if (place->authority.size == 0 || place->authority.size > 300)
        return fault_set(fault, STATUS_INVALID, "--gateway names no host");
    if (host_port_parse(place->authority, &host, &port) == STATUS_OK)
        snprintf(place->address, sizeof place->address, "%.*s", SLICE_PRINT(place->authority));
    else
        snprintf(place->address, sizeof place->address, "%.*s:%d", SLICE_PRINT(place->authority),
                 place->tls ? 443 : 80);
    return STATUS_OK;
}

static enum status
prepare(struct connect *connect, const struct args *args, struct fault *fault)
{
    const char *port = args_value(args, "--port");
    uint64_t number = 0;
    enum status status = take_gateway(connect, args, fault);

    if (status == STATUS_OK && port != NULL &&
        (!slice_u64(slice_text(port), &number) || number > UINT16_MAX))
        status = fault_set(fault, STATUS_INVALID, "--port is a number up to 65535");
    snprintf(connect->listen, sizeof connect->listen, "127.0.0.1:%u", (unsigned)number);
    /* Without a file the token is what it is until it ends. */
    if (status == STATUS_OK && args_value(args, "--token-file") != NULL &&
        connect->cli->url != NULL)
        status = renewal_open(&connect->renewal, connect->cli, args, fault);
    if (status == STATUS_OK)
        status = read_credential(args, &connect->token, fault);
    return status;
}

int
connect_run(struct cli *cli, const struct args *args)
{
    struct connect connect = { .cli = cli,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .news = { .run = hear_news } };
    struct fault fault = { 0 };
    enum status status = prepare(&connect, args, &fault);

    if (status == STATUS_OK)
        status =
            lane_new(&(struct lane_options){ .name = "writ-connect",
                                             .hooks = { .begin = begin, .stop = stop, .end = end },
                                             .context = &connect },
                     &connect.lane);
    if (status == STATUS_OK) {
        lane_run(connect.lane);
        atomic_store(&connect.stopping, true);
        if (connect.renews)
            pthread_join(connect.renewing, NULL);
        lane_free(connect.lane);
        status = connect.status;
        fault = connect.fault;
    }
    if (status != STATUS_OK)
        cli_tell_fault(&fault);
    tls_client_free(connect.tls);
    renewal_close(&connect.renewal);
    buffer_wipe_free(&connect.token);
    buffer_wipe_free(&connect.next);
    return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}
