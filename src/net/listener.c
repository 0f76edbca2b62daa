/* net/listener.c - accepting: a budget for each turn, a cap, and patience when
 * files run out.
 *
 * The accept loop is ours, on readiness alone: libuv's own would drop waiting
 * connections when descriptors run out, and costs a getpeername for each. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "bind.h"
#include "stream_inside.h"
#include "tls_inside.h"

enum { ACCEPT_BUDGET = 32, CONNECTIONS_DEFAULT = 65536, FILES_PAUSE_MS = 200, TELL_MS = 10000 };

struct listener {
    uv_poll_t poll;
    struct lane *lane;
    struct listener_options options;
    struct bound bound;
    struct listener_stats stats;
    struct timer retry; /* after files ran out */
    bool full;          /* paused by the cap */
    bool closed, poll_closed;
    int64_t told_at;
};

static void
free_if_gone(struct listener *listener)
{
    if (listener->poll_closed && listener->stats.open == 0)
        free(listener);
}

/* A flood must not fill the log either. */
static void
tell(struct listener *listener, const char *message)
{
    int64_t now = lane_now_ms(listener->lane);

    listener->stats.paused++;
    if (listener->told_at != 0 && now - listener->told_at < TELL_MS)
        return;
    listener->told_at = now;
    log_write(LOG_WARN, "net", message, "lane", listener->lane->name, NULL);
}

static void
on_handshake(struct stream *stream, enum status status, void *context)
{
    struct listener *listener = context;

    if (status != STATUS_OK || listener->closed) {
        listener->stats.failed++;
        stream_close(stream, NULL, NULL);
        return;
    }
    listener->stats.accepted++;
    listener->options.accepted(listener, stream, listener->options.context);
}

static void
learn_peer(struct stream *stream, int descriptor, const struct sockaddr_storage *address)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (address->ss_family == AF_UNIX) {
        stream->has_uid = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
        stream->uid = stream->has_uid ? peer.uid : 0;
        return;
    }
    stream->peer = ip_of_sockaddr((const struct sockaddr *)address);
    stream->peer_port = ntohs(address->ss_family == AF_INET6
                                  ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                                  : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void
take_in(struct listener *listener, int descriptor, const struct sockaddr_storage *address)
{
    struct stream *stream = stream_new(listener->lane, listener->bound.ip.family == IP_NONE);

    if (stream == NULL) {
        close(descriptor);
        return;
    }
    stream->listener = listener;
    listener->stats.open++;
    stream->on_open = on_handshake;
    stream->open_context = listener;
    if (stream_adopt(stream, descriptor) != STATUS_OK) {
        close(descriptor);
        stream_close(stream, NULL, NULL);
        return;
    }
    learn_peer(stream, descriptor, address);
    if (listener->options.tls == NULL) {
        stream_opened(stream);
    } else if (tls_attach_server(stream, listener->options.tls) != STATUS_OK) {
        stream_open_failed(stream, STATUS_MEMORY, "out of memory");
    } else {
        stream_limit(stream, listener->options.handshake_ms);
        stream_handshake(stream);
    }
}

static void accept_some(uv_poll_t *poll, int code, int events);

static void
resume(struct listener *listener)
{
    if (!listener->closed)
        uv_poll_start(&listener->poll, UV_READABLE, accept_some);
}

static void
on_retry(struct timer *timer)
{
    resume(LANE_OWNER(timer, struct listener, retry));
}

/* Errors of one connection, which are not errors of the listener (accept(2)). */
static bool
out_of_resources(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

static void
accept_some(uv_poll_t *poll, int code, int events)
{
    struct listener *listener = LANE_OWNER(poll, struct listener, poll);

    for (int i = 0; i < ACCEPT_BUDGET && !listener->closed; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int descriptor;

        if (listener->stats.open >= listener->options.connections) {
            listener->full = true;
            uv_poll_stop(poll);
            tell(listener, "too many connections: further ones wait");
            return;
        }
        address.ss_family = AF_UNSPEC;
        descriptor = accept4(listener->bound.descriptor, (struct sockaddr *)&address, &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            take_in(listener, descriptor, &address);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (out_of_resources(errno)) {
            uv_poll_stop(poll);
            listener->retry.fire = on_retry;
            timer_arm(listener->lane, &listener->retry, FILES_PAUSE_MS);
            tell(listener, "out of files or memory: connections wait");
            return;
        }
    }
}

void
listener_forget(struct listener *listener)
{
    listener->stats.open--;
    if (listener->closed) {
        free_if_gone(listener);
    } else if (listener->full) {
        listener->full = false;
        resume(listener);
    }
}

enum status
listener_open(struct lane *lane, const struct listener_options *options, struct listener **out,
              struct fault *fault)
{
    struct listener *listener;
    enum status status;
    int code;

    lane_assert(lane);
    if (lane->ending)
        return fault_set(fault, STATUS_CLOSED, "the lane has ended");
    listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    listener->lane = lane;
    listener->options = *options;
    listener->options.address = NULL; /* borrowed during the call only */
    if (options->connections == 0)
        listener->options.connections = CONNECTIONS_DEFAULT;
    status = bound_open(options, &listener->bound, fault);
    if (status != STATUS_OK) {
        free(listener);
        return status;
    }
    code = uv_poll_init(&lane->loop, &listener->poll, listener->bound.descriptor);
    if (code != 0) {
        bound_close(&listener->bound);
        free(listener);
        return fault_set(fault, status_of_uv(code), "can't watch the socket: %s",
                         uv_strerror(code));
    }
    lane_hold(lane);
    resume(listener);
    *out = listener;
    return STATUS_OK;
}

static void
on_poll_closed(uv_handle_t *handle)
{
    struct listener *listener = LANE_OWNER(handle, struct listener, poll);
    struct lane *lane = listener->lane;

    listener->poll_closed = true;
    free_if_gone(listener);
    lane_release(lane);
}

void
listener_close(struct listener *listener)
{
    lane_assert(listener->lane);
    listener->closed = true;
    timer_disarm(&listener->retry);
    for (struct stream *stream = listener->lane->streams; stream != NULL; stream = stream->next)
        if (stream->listener == listener && stream->state == STREAM_SECURING)
            stream_close(stream, NULL, NULL);
    /* The poll lets go of the descriptor before it is closed. */
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    bound_close(&listener->bound);
}

uint16_t
listener_port(const struct listener *listener)
{
    return listener->bound.port;
}

bool
listener_is_loopback(const struct listener *listener)
{
    return listener->bound.ip.family == IP_NONE || ip_is_loopback(&listener->bound.ip);
}

void
listener_stats(const struct listener *listener, struct listener_stats *out)
{
    *out = listener->stats;
}
