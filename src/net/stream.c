/* net/stream.c - streams: reading, writing, ending; plain here, TLS through its engine. */
#include "stream_inside.h"

#include <stdlib.h>

#include "tls_inside.h"

struct stream *
stream_new(struct lane *lane, bool unix_socket)
{
    struct stream *stream = calloc(1, sizeof *stream);
    int code;

    if (stream == NULL)
        return NULL;
    if (unix_socket)
        code = uv_pipe_init(&lane->loop, &stream->uv.pipe, 0);
    else
        code = uv_tcp_init(&lane->loop, &stream->uv.tcp);
    if (code != 0) {
        free(stream);
        return NULL;
    }
    stream->uv.handle.data = stream;
    stream->lane = lane;
    stream->state = STREAM_CONNECTING;
    stream->error = "";
    stream->next = lane->streams;
    if (stream->next != NULL)
        stream->next->prev = stream;
    lane->streams = stream;
    lane_hold(lane);
    return stream;
}

enum status
stream_adopt(struct stream *stream, int descriptor)
{
    int code = stream->uv.handle.type == UV_NAMED_PIPE ? uv_pipe_open(&stream->uv.pipe, descriptor)
                                                       : uv_tcp_open(&stream->uv.tcp, descriptor);

    if (code == 0)
        uring_take(stream);
    return status_of_uv(code);
}

enum status
stream_take(struct lane *lane, int descriptor, struct stream **out)
{
    struct stream *stream;
    enum status status;

    lane_assert(lane);
    stream = stream_new(lane, true);
    if (stream == NULL)
        return STATUS_MEMORY;
    status = stream_adopt(stream, descriptor);
    if (status != STATUS_OK) {
        stream_close(stream, NULL, NULL);
        return status;
    }
    stream->state = STREAM_OPEN;
    *out = stream;
    return STATUS_OK;
}

static void
stream_free(struct stream *stream)
{
    tls_detach(stream);
    free(stream);
}

/* Work for later. */
static void
on_later(struct lane_message *message)
{
    struct stream *stream = LANE_OWNER(message, struct stream, later);

    stream->later_posted = false;
    switch (stream->state) {
    case STREAM_CONNECTING:
        stream_open_failed(stream, stream->later_status, stream->error);
        break;
    case STREAM_SECURING:
        stream_handshake(stream);
        break;
    case STREAM_OPEN:
    case STREAM_FAILED:
        if (stream->tls != NULL)
            tls_pump(stream);
        if (stream->ended)
            stream_ended(stream, stream->end, stream->error);
        break;
    case STREAM_FINISHING:
        break;
    case STREAM_CLOSING:
        if (stream->handle_closed)
            stream_free(stream);
        return;
    }
    if (stream->ring.on)
        uring_deliver_held(stream);
}

void
stream_post_later(struct stream *stream)
{
    if (stream->later_posted)
        return;
    stream->later.run = on_later;
    stream->later_posted = lane_post(stream->lane, &stream->later);
}

/* Reading. */
static void
finish_step(struct stream *stream)
{
    if (stream->ended && stream->shut_done)
        stream_close(stream, NULL, NULL);
}

void
stream_deliver(struct stream *stream, struct slice bytes)
{
    stream->on_read(stream, STATUS_OK, bytes, stream->read_context);
}

void
stream_ended(struct stream *stream, enum status status, const char *error)
{
    if (!stream->ended) {
        stream->ended = true;
        stream->end = status;
        if (status != STATUS_CLOSED)
            stream->error = error;
        stream_uv_read_stop(stream);
    }
    if (!stream->wanted || stream->end_told)
        return;
    stream->end_told = true;
    stream->wanted = false;
    stream->on_read(stream, stream->end, (struct slice){ 0 }, stream->read_context);
}

void
stream_transport_ended(struct stream *stream, int code)
{
    stream->uv_reading = false;
    if (stream->state == STREAM_FINISHING) {
        stream->ended = true;
        if (code != UV_EOF)
            stream->shut_done = true;
        finish_step(stream);
    } else if (stream->state == STREAM_SECURING) {
        stream_open_failed(stream, STATUS_IO, "closed during the TLS handshake");
    } else if (code != UV_EOF) {
        stream_ended(stream, STATUS_IO, uv_strerror(code));
    } else if (stream->tls != NULL) {
        tls_pump(stream); /* what waited comes before its end */
        if (stream->state == STREAM_OPEN)
            stream_ended(stream, STATUS_IO, "cut short, without a close_notify");
    } else {
        stream_ended(stream, STATUS_CLOSED, "");
    }
}

/* The handshake's last flight may carry the first bytes of the application. */
static void
tls_came(struct stream *stream, struct slice bytes)
{
    tls_feed(stream, bytes);
    if (stream->state == STREAM_SECURING)
        stream_handshake(stream);
    if (stream->state == STREAM_OPEN)
        tls_pump(stream);
    if (stream->state == STREAM_OPEN || stream->state == STREAM_SECURING)
        tls_keep(stream);
    if (stream->state == STREAM_OPEN && !stream->wanted)
        stream_uv_read_stop(stream);
}

void
stream_came(struct stream *stream, struct slice bytes)
{
    if (stream->state == STREAM_FINISHING)
        return;
    if (stream->tls != NULL)
        tls_came(stream, bytes);
    else if (stream->wanted)
        stream_deliver(stream, bytes);
}

void
stream_read_start(struct stream *stream, stream_read_callback callback, void *context)
{
    lane_assert(stream->lane);
    if (stream->state != STREAM_OPEN)
        return;
    stream->on_read = callback;
    stream->read_context = context;
    if (stream->end_told)
        return;
    stream->wanted = true;
    if (stream->ended || (stream->tls != NULL && tls_has_input(stream)))
        stream_post_later(stream);
    stream_uv_read_start(stream);
}

void
stream_read_stop(struct stream *stream)
{
    lane_assert(stream->lane);
    stream->wanted = false;
    if (stream->state == STREAM_OPEN)
        stream_uv_read_stop(stream);
}

/* Writing. */
enum stream_wrote
stream_break_writing(struct stream *stream, const char *error)
{
    stream->broken = true;
    stream->error = error;
    return STREAM_BROKEN;
}

static bool
fits_one_write(const struct slice *slices, size_t count)
{
    size_t left = STREAM_WRITE_MAX;

    if (count > STREAM_SLICES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (slices[i].size > left)
            return false;
        left -= slices[i].size;
    }
    return true;
}

enum stream_wrote
stream_write(struct stream *stream, const struct slice *slices, size_t count,
             stream_done_callback done, void *context)
{
    uv_buf_t parts[STREAM_SLICES_MAX];
    unsigned used = 0;

    lane_assert(stream->lane);
    if (stream->state != STREAM_OPEN || stream->broken || stream->shut)
        return STREAM_BROKEN;
    if (stream_queued(stream) > STREAM_QUEUE_MAX)
        return stream_break_writing(stream, "more is waiting than the peer takes");
    if (!fits_one_write(slices, count))
        return stream_break_writing(stream, "too much for one write");
    if (stream->tls != NULL)
        return tls_write(stream, slices, count, done, context);
    for (size_t i = 0; i < count; i++) {
        if (slices[i].size == 0)
            continue;
        parts[used].base = (char *)(uintptr_t)slices[i].at; /* libuv does not write to it */
        parts[used++].len = slices[i].size;
    }
    return used == 0 ? STREAM_WRITTEN : stream_transport_write(stream, parts, used, done, context);
}

size_t
stream_queued(const struct stream *stream)
{
    return stream->ring.on ? uring_queued(stream)
                           : uv_stream_get_write_queue_size(&stream->uv.stream);
}

/* Ending. */
void
stream_shut_done(struct stream *stream, int code)
{
    stream->shut_done = true;
    if (code != 0 && stream->state == STREAM_FINISHING)
        stream->ended = true;
    if (stream->state == STREAM_FINISHING)
        finish_step(stream);
}

static void
on_uv_shutdown(uv_shutdown_t *request, int code)
{
    stream_shut_done(request->handle->data, code);
}

static void
shut(struct stream *stream)
{
    if (stream->shut)
        return;
    stream->shut = true;
    if (stream->tls != NULL && !stream->broken)
        tls_shutdown(stream);
    if (stream->ring.on)
        uring_shutdown(stream);
    else if (uv_shutdown(&stream->request.shutdown, &stream->uv.stream, on_uv_shutdown) != 0)
        stream->shut_done = true;
}

void
stream_shutdown(struct stream *stream)
{
    lane_assert(stream->lane);
    if (stream->state == STREAM_OPEN)
        shut(stream);
}

static void
on_uv_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    struct lane *lane = stream->lane;

    if (stream->prev != NULL)
        stream->prev->next = stream->next;
    else
        lane->streams = stream->next;
    if (stream->next != NULL)
        stream->next->prev = stream->prev;
    if (stream->listener != NULL)
        listener_forget(stream->listener);
    if (stream->on_closed != NULL)
        stream->on_closed(stream, stream->closed_context);
    stream->handle_closed = true;
    if (!stream->later_posted)
        stream_free(stream);
    lane_release(lane);
}

void
stream_handle_close(struct stream *stream)
{
    uv_close(&stream->uv.handle, on_uv_closed);
}

void
stream_close(struct stream *stream, stream_closed_callback callback, void *context)
{
    lane_assert(stream->lane);
    if (stream->state == STREAM_CLOSING)
        return;
    if (callback != NULL || stream->state != STREAM_FINISHING) {
        stream->on_closed = callback;
        stream->closed_context = context;
    }
    /* Politeness costs nothing when the way is free. */
    if (stream->state == STREAM_OPEN && stream->tls != NULL && !stream->shut && !stream->broken &&
        stream_queued(stream) == 0)
        tls_shutdown(stream);
    stream->state = STREAM_CLOSING;
    stream->wanted = false;
    timer_disarm(&stream->deadline);
    if (stream->ring.on)
        uring_close(stream);
    else
        stream_handle_close(stream);
}

static void
on_linger_over(struct timer *timer)
{
    stream_close(LANE_OWNER(timer, struct stream, deadline), NULL, NULL);
}

void
stream_finish(struct stream *stream, int64_t linger_ms, stream_closed_callback callback,
              void *context)
{
    lane_assert(stream->lane);
    if (stream->state == STREAM_CLOSING || stream->state == STREAM_FINISHING)
        return;
    if (stream->state != STREAM_OPEN || stream->broken) {
        stream_close(stream, callback, context);
        return;
    }
    stream->on_closed = callback;
    stream->closed_context = context;
    shut(stream);
    stream->state = STREAM_FINISHING;
    stream->wanted = false;
    stream->deadline.fire = on_linger_over;
    timer_arm(stream->lane, &stream->deadline, linger_ms);
    /* TLS may have ended by close_notify while the transport has not. */
    if (stream->ended && stream->tls != NULL && stream->end == STATUS_CLOSED)
        stream->ended = false;
    stream_uv_read_start(stream);
    if (stream->ended && stream->shut_done)
        stream_close(stream, NULL, NULL);
}

void
stream_cut(struct stream *stream)
{
    switch (stream->state) {
    case STREAM_CONNECTING:
    case STREAM_SECURING:
        stream_open_failed(stream, STATUS_IO, "the program is stopping");
        break;
    case STREAM_OPEN:
        if (stream->on_read == NULL || stream->end_told)
            break;
        stream->wanted = true;
        stream->ended = false;
        stream_ended(stream, STATUS_CLOSED, "");
        break;
    case STREAM_FINISHING:
        stream_close(stream, NULL, NULL);
        break;
    case STREAM_FAILED:
    case STREAM_CLOSING:
        break;
    }
}

/* Facts. */
struct lane *
stream_lane(const struct stream *stream)
{
    return stream->lane;
}

const struct ip *
stream_peer(const struct stream *stream)
{
    return &stream->peer;
}

uint16_t
stream_peer_port(const struct stream *stream)
{
    return stream->peer_port;
}

bool
stream_peer_uid(const struct stream *stream, uid_t *out)
{
    if (stream->has_uid)
        *out = stream->uid;
    return stream->has_uid;
}

bool
stream_is_tls(const struct stream *stream)
{
    return stream->tls != NULL;
}

const char *
stream_error(const struct stream *stream)
{
    return stream->error;
}

void
stream_data_set(struct stream *stream, void *data)
{
    stream->data = data;
}

void *
stream_data(const struct stream *stream)
{
    return stream->data;
}
