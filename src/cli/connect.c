/* cli/connect.c - `writ connect`: a local port or socket through which any HTTP client reaches an
 * upstream, with a token and proofs that it knows nothing of. */
#include "connect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "crypto/private_key.h"

/* How long an upstream may take for an answer, the gateway knows. */
enum { HEADER_MS = 24 * 60 * 60 * 1000 };

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
    struct connect *connect = context;

    if (connect->place.kind == CONNECT_HTTP)
        http_server_accept(connect->server, stream);
    else
        connect_session(connect, stream);
}

/* A database's door has no DPoP: there a certificate of the key proves it. */
static enum status
open_tls(struct connect *connect)
{
    bool session = connect->place.kind != CONNECT_HTTP;
    struct buffer cert = { 0 }, key = { 0 };
    struct slice host;
    uint16_t port;
    enum status status = host_port_parse(slice_text(connect->place.address), &host, &port);
    char *name = status == STATUS_OK ? slice_strdup(host) : NULL;

    if (status == STATUS_OK && session && connect->cli->key != NULL) {
        status = private_key_certify(connect->cli->key, "writ connect", &cert);
        if (status == STATUS_OK)
            status = private_key_encode(connect->cli->key, &key);
        if (status != STATUS_OK)
            fault_set(&connect->fault, status, "the key can't be shown in a certificate");
    }
    if (status == STATUS_OK)
        status = tls_client_new(&(struct tls_client_options){ .ca = connect->ca,
                                                              .server_name = name,
                                                              .own_cert = buffer_slice(&cert),
                                                              .own_key = buffer_slice(&key) },
                                &connect->tls, &connect->fault);
    free(name);
    buffer_free(&cert);
    buffer_wipe_free(&key);
    return status;
}

static enum status
open_gateway(struct connect *connect)
{
    const char *addresses[] = { connect->place.address };
    enum status status = connect->place.tls ? open_tls(connect) : STATUS_OK;

    if (status == STATUS_OK && connect->place.kind == CONNECT_HTTP)
        status = http_upstream_new(connect->lane,
                                   &(struct http_upstream_options){ .addresses = addresses,
                                                                    .address_count = 1,
                                                                    .tls = connect->tls,
                                                                    .header_ms = HEADER_MS,
                                                                    .idle_ms = -1 },
                                   &connect->gateway, &connect->fault);
    return status;
}

static void
tell_socket(const struct connect *connect)
{
    if (connect->cli->json)
        printf("{\"url\":\"unix://%s\",\"gateway\":\"%s\"}\n", connect->socket, connect->place.url);
    else
        printf("unix://%s is %s\nexport DOCKER_HOST=unix://%s   # where %s is a Docker upstream\n",
               connect->socket, connect->place.url, connect->socket, connect->place.upstream);
}

static void
tell_port(const struct connect *connect)
{
    static const char *const schemes[] = { "http", "postgres", "redis" };
    const char *scheme = schemes[connect->place.kind];
    unsigned port = listener_port(connect->listener);

    if (connect->cli->json)
        printf("{\"url\":\"%s://127.0.0.1:%u\",\"gateway\":\"%s\"}\n", scheme, port,
               connect->place.url);
    else
        printf("%s://127.0.0.1:%u is %s\n", scheme, port, connect->place.url);
    if (!connect->cli->json && connect->place.kind == CONNECT_POSTGRES)
        printf("psql \"host=127.0.0.1 port=%u\"\n", port);
    if (!connect->cli->json && connect->place.kind == CONNECT_REDIS)
        printf("redis-cli -p %u\n", port);
    if (!connect->cli->json && connect->place.kind == CONNECT_HTTP)
        printf("export DOCKER_HOST=tcp://127.0.0.1:%u   # where %s is a Docker upstream\n", port,
               connect->place.upstream);
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
            lane, &(struct http_server_options){ .handler = &connect_handler, .context = connect },
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
    if (connect->socket != NULL)
        tell_socket(connect);
    else
        tell_port(connect);
    fflush(stdout);
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

/* *scheme is what stands before the host. */
static bool
take_scheme(struct connect *connect, const char *url, struct slice *scheme)
{
    static const struct {
        const char *text;
        enum connect_kind kind;
        bool tls;
    } schemes[] = {
        { "http://", CONNECT_HTTP, false },           { "https://", CONNECT_HTTP, true },
        { "postgres://", CONNECT_POSTGRES, false },   { "redis://", CONNECT_REDIS, false },
        { "postgresql://", CONNECT_POSTGRES, false },
    };

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        *scheme = slice_text(schemes[i].text);
        if (!slice_starts(slice_text(url), *scheme))
            continue;
        connect->place.kind = schemes[i].kind;
        connect->place.tls = schemes[i].tls;
        return true;
    }
    return false;
}

static int
default_port(const struct gateway_place *place)
{
    switch (place->kind) {
    case CONNECT_POSTGRES:
        return 7432;
    case CONNECT_REDIS:
        return 7379;
    case CONNECT_HTTP:
        break;
    }
    return place->tls ? 443 : 80;
}

static bool
is_here(const char *address)
{
    struct slice host;
    struct ip ip;
    uint16_t port;

    return host_port_parse(slice_text(address), &host, &port) == STATUS_OK &&
           (slice_is(host, "localhost") ||
            (ip_parse(host, &ip) == STATUS_OK && ip_is_loopback(&ip)));
}

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
    place->upstream = args->words[0];
    if (!take_scheme(connect, url, &rest) || size >= (int)sizeof place->url)
        return fault_set(fault, STATUS_INVALID,
                         "--gateway must be an http://, https://, postgres:// or redis:// URL");
    rest = slice_from(slice_text(place->url), rest.size);
    place->authority = slice_first(rest, slice_find(rest, '/'));
    place->prefix = slice_from(rest, place->authority.size);
    if (place->authority.size == 0 || place->authority.size > 300)
        return fault_set(fault, STATUS_INVALID, "--gateway names no host");
    if (host_port_parse(place->authority, &host, &port) == STATUS_OK)
        snprintf(place->address, sizeof place->address, "%.*s", SLICE_PRINT(place->authority));
    else
        snprintf(place->address, sizeof place->address, "%.*s:%d", SLICE_PRINT(place->authority),
                 default_port(place));
    /* A database's door says by no scheme whether it has TLS: without, a token goes to this
     * host alone. */
    if (place->kind != CONNECT_HTTP)
        place->tls = connect->cli->key != NULL || connect->ca != NULL || !is_here(place->address);
    return STATUS_OK;
}

/* A socket is its owner's alone, where every program of the machine may use a port. */
static enum status
take_place(struct connect *connect, const struct args *args, struct fault *fault)
{
    const char *port = args_value(args, "--port");
    uint64_t number = 0;

    connect->socket = args_value(args, "--socket");
    if (connect->socket != NULL && port != NULL)
        return fault_set(fault, STATUS_INVALID, "--port or --socket, not both");
    if (connect->socket != NULL && connect->place.kind != CONNECT_HTTP)
        return fault_set(fault, STATUS_INVALID,
                         "--socket goes with an http:// or https:// gateway");
    if (connect->socket != NULL && connect->socket[0] != '/')
        return fault_set(fault, STATUS_INVALID, "--socket takes an absolute path");
    if (port != NULL && (!slice_u64(slice_text(port), &number) || number > UINT16_MAX))
        return fault_set(fault, STATUS_INVALID, "--port is a number up to 65535");
    if (connect->socket == NULL)
        snprintf(connect->listen, sizeof connect->listen, "127.0.0.1:%u", (unsigned)number);
    else if (snprintf(connect->listen, sizeof connect->listen, "unix:%s", connect->socket) >=
             (int)sizeof connect->listen)
        return fault_set(fault, STATUS_INVALID, "--socket takes a shorter path");
    return STATUS_OK;
}

static enum status
prepare(struct connect *connect, const struct args *args, struct fault *fault)
{
    connect->ca = args_value(args, "--ca");
    enum status status = take_gateway(connect, args, fault);

    if (status == STATUS_OK)
        status = take_place(connect, args, fault);
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
