/* net/connect.c - how a stream gets open: connecting, handshaking, each within its time. */
#include <netinet/in.h>
#include <sys/un.h>

#include "stream_inside.h"
#include "tls_inside.h"

enum {
    OPEN_MS = 10 * 1000,
    KEEP_IDLE_S = 60,
    UNIX_PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path
};

void
stream_opened(struct stream *stream)
{
    timer_disarm(&stream->deadline);
    stream->state = STREAM_OPEN;
    stream->on_open(stream, STATUS_OK, stream->open_context);
}

void
stream_open_failed(struct stream *stream, enum status status, const char *error)
{
    timer_disarm(&stream->deadline);
    stream_uv_read_stop(stream);
    stream->state = STREAM_FAILED;
    stream->broken = true;
    stream->error = error;
    stream->on_open(stream, status, stream->open_context);
}

static void
on_deadline(struct timer *timer)
{
    struct stream *stream = LANE_OWNER(timer, struct stream, deadline);

    stream_open_failed(stream, STATUS_TIMEOUT,
                       stream->state == STREAM_CONNECTING ? "connecting took too long"
                                                          : "the TLS handshake took too long");
}

void
stream_limit(struct stream *stream, int64_t timeout_ms)
{
    stream->deadline.fire = on_deadline;
    timer_arm(stream->lane, &stream->deadline, timeout_ms == 0 ? OPEN_MS : timeout_ms);
}

void
stream_handshake(struct stream *stream)
{
    const char *error = "";

    stream->state = STREAM_SECURING;
    switch (tls_step(stream, &error)) {
    case TLS_STEP_MORE:
        stream_uv_read_start(stream);
        if (stream->ended)
            stream_open_failed(stream, STATUS_IO, stream->error);
        break;
    case TLS_STEP_DONE:
        stream_opened(stream);
        break;
    case TLS_STEP_FAILED:
        stream_open_failed(stream, STATUS_IO, error);
        break;
    case TLS_STEP_REFUSED:
        stream_open_failed(stream, STATUS_DENIED, error);
        break;
    }
}

static void
on_uv_connected(uv_connect_t *request, int code)
{
    struct stream *stream = request->handle->data;

    /* Closed by its owner, or over its time, in the meantime. */
    if (stream->state != STREAM_CONNECTING)
        return;
    if (code == 0)
        uring_take(stream);
    if (code != 0)
        stream_open_failed(stream, code == UV_ETIMEDOUT ? STATUS_TIMEOUT : STATUS_IO,
                           uv_strerror(code));
    else if (stream->tls != NULL)
        stream_handshake(stream);
    else
        stream_opened(stream);
}

static int
connect_tcp(struct stream *stream, const struct stream_target *target)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(target->port) };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(target->port) };
    const void *address = &v4;
    int code;

    memcpy(&v4.sin_addr, target->ip.bytes, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, target->ip.bytes, sizeof v6.sin6_addr);
    if (target->ip.family == IP_V6)
        address = &v6;
    code = uv_tcp_connect(&stream->request.connect, &stream->uv.tcp, address, on_uv_connected);
    if (code == 0) {
        uv_tcp_nodelay(&stream->uv.tcp, 1);
        uv_tcp_keepalive(&stream->uv.tcp, 1, KEEP_IDLE_S);
    }
    return code;
}

enum status
stream_connect(struct lane *lane, const struct stream_target *target,
               stream_connected_callback callback, void *context, struct stream **out)
{
    struct stream *stream;
    int code = 0;

    lane_assert(lane);
    if (lane->ending)
        return STATUS_CLOSED;
    /* libuv would cut a longer path short. */
    if (target->unix_path != NULL ? strlen(target->unix_path) >= UNIX_PATH_SIZE
                                  : target->ip.family == IP_NONE)
        return STATUS_INVALID;
    stream = stream_new(lane, target->unix_path != NULL);
    if (stream == NULL)
        return STATUS_MEMORY;
    stream->peer = target->ip;
    stream->peer_port = target->port;
    stream->on_open = callback;
    stream->open_context = context;
    if (target->tls != NULL && tls_attach_client(stream, target->tls) != STATUS_OK) {
        stream_close(stream, NULL, NULL);
        return STATUS_MEMORY;
    }
    if (target->unix_path != NULL) {
        stream->peer = (struct ip){ .family = IP_NONE };
        uv_pipe_connect(&stream->request.connect, &stream->uv.pipe, target->unix_path,
                        on_uv_connected);
    } else {
        code = connect_tcp(stream, target);
    }
    if (code != 0) {
        stream->later_status = STATUS_IO;
        stream->error = uv_strerror(code);
        stream_post_later(stream);
    } else {
        stream_limit(stream, target->timeout_ms);
    }
    *out = stream;
    return STATUS_OK;
}

enum status
stream_secure(struct stream *stream, const struct stream_tls *how,
              stream_connected_callback callback, void *context)
{
    enum status status;

    lane_assert(stream->lane);
    if (stream->state != STREAM_OPEN || stream->tls != NULL || stream->wanted || stream->ended ||
        stream->broken || stream->shut || stream_queued(stream) != 0)
        return STATUS_INVALID;
    status = how->server != NULL ? tls_attach_server(stream, how->server)
                                 : tls_attach_client(stream, how->client);
    if (status != STATUS_OK)
        return status;
    if (how->received.size > 0) {
        tls_feed(stream, how->received);
        tls_keep(stream);
    }
    stream->on_open = callback;
    stream->open_context = context;
    stream->state = STREAM_SECURING;
    stream_limit(stream, how->timeout_ms);
    stream_post_later(stream);
    return STATUS_OK;
}
