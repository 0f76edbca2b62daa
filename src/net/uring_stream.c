/* net/uring_stream.c - one stream's bytes by the ring: received, sent, ended in order.
 *
 * A callback only notes what it wants and marks its stream; uring_settle turns that
 * into requests once a turn. A request that is with the kernel keeps its memory and
 * its stream alive until its completion. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "uring_inside.h"

/* A peer whose bytes nobody reads is held back by its window, but for what the
 * kernel had already handed over: at most all receive buffers of two turns. */
enum { HELD_MAX = 2 * RECEIVE_BUFFERS * RECEIVE_SIZE };

static struct uring *
uring_of(const struct stream *stream)
{
    return stream->lane->ring;
}

static void
mark(struct stream *stream)
{
    struct uring *ring = uring_of(stream);

    if (stream->ring.marked)
        return;
    stream->ring.marked = true;
    stream->ring.next = NULL;
    *ring->marked_end = stream;
    ring->marked_end = &stream->ring.next;
}

void
uring_take(struct stream *stream)
{
    uv_os_fd_t descriptor;

    if (uring_of(stream) == NULL || uv_fileno(&stream->uv.handle, &descriptor) != 0)
        return;
    stream->ring.descriptor = descriptor;
    stream->ring.on = true;
}

/* Reading. */
static void
arm(struct uring *ring, struct stream *stream)
{
    struct io_uring_sqe *request = uring_request(ring);

    io_uring_prep_recv_multishot(request, stream->ring.descriptor, NULL, 0, 0);
    request->flags |= IOSQE_BUFFER_SELECT;
    request->buf_group = RECEIVE_GROUP;
    uring_request_of(request, RING_RECEIVED, stream);
    stream->ring.armed = true;
}

static void
cancel(struct uring *ring, struct stream *stream, enum uring_kind kind)
{
    struct io_uring_sqe *request = uring_request(ring);

    io_uring_prep_cancel64(request, (uint64_t)(uintptr_t)stream | kind, 0);
    uring_request_of(request, RING_CANCELLED, stream);
    stream->ring.asking++;
}

/* A request can be between two places when it is looked for: then it is asked again. */
void
uring_cancelled(struct stream *stream, int result)
{
    stream->ring.asking--;
    if (result == -ENOENT)
        stream->ring.disarming = stream->ring.aborting = false;
    mark(stream);
}

void
uring_read_changed(struct stream *stream)
{
    mark(stream);
    if (stream->uv_reading && (stream->ring.held.size > 0 || stream->ring.held_end != 0))
        stream_post_later(stream);
}

static bool
takes_bytes(const struct stream *stream)
{
    return stream->uv_reading &&
           (stream->state == STREAM_OPEN || stream->state == STREAM_SECURING ||
            stream->state == STREAM_FINISHING);
}

void
uring_deliver_held(struct stream *stream)
{
    struct buffer *held = &stream->ring.held;
    int code = stream->ring.held_end;
    size_t at = 0;

    while (takes_bytes(stream) && at < held->size) {
        struct slice part = slice_first(slice_from(buffer_slice(held), at), STREAM_READ_SIZE);

        at += part.size;
        stream_came(stream, part);
    }
    buffer_consume(held, at);
    if (held->size == 0)
        buffer_wipe_free(held);
    if (takes_bytes(stream) && held->size == 0 && code != 0) {
        stream->ring.held_end = 0;
        stream_transport_ended(stream, code);
    }
    mark(stream);
}

static void
hold(struct stream *stream, struct slice bytes)
{
    stream->ring.held.limit = HELD_MAX;
    put_slice(&stream->ring.held, bytes);
    if (buffer_status(&stream->ring.held) != STATUS_OK)
        stream->ring.held_end = UV_ENOBUFS;
}

static void
came_to_end(struct stream *stream, int code)
{
    if (code == UV_EOF && stream->ring.lost)
        code = UV_ECONNRESET;
    if (takes_bytes(stream) && stream->ring.held.size == 0)
        stream_transport_ended(stream, code);
    else if (stream->ring.held_end == 0)
        stream->ring.held_end = code;
}

void
uring_received(struct stream *stream, int result, bool more, struct slice bytes)
{
    if (!more) {
        stream->ring.armed = stream->ring.disarming = false;
        mark(stream);
    }
    if (stream->state == STREAM_CLOSING)
        return;
    if (result > 0) {
        if (takes_bytes(stream) && stream->ring.held.size == 0)
            stream_came(stream, bytes);
        else
            hold(stream, bytes);
    } else if (result == 0) {
        came_to_end(stream, UV_EOF);
    } else if (result != -ECANCELED && result != -ENOBUFS && result != -EAGAIN &&
               result != -EINTR) {
        came_to_end(stream, result); /* libuv's codes are the system's, below zero */
    }
}

/* Writing. */
static struct outgoing *
outgoing_new(struct uring *ring, size_t capacity, bool chunk)
{
    struct outgoing *outgoing = ring->chunks;

    if (chunk && outgoing != NULL) {
        ring->chunks = outgoing->next;
        ring->chunks_free--;
    } else {
        outgoing = malloc(sizeof *outgoing + capacity);
        if (outgoing == NULL)
            return NULL;
    }
    *outgoing = (struct outgoing){ .capacity = capacity, .chunk = chunk };
    return outgoing;
}

static void
outgoing_free(struct uring *ring, struct outgoing *outgoing)
{
    if (outgoing->chunk && ring->chunks_free < CHUNKS_KEPT) {
        outgoing->next = ring->chunks;
        ring->chunks = outgoing;
        ring->chunks_free++;
        return;
    }
    explicit_bzero(outgoing->bytes, outgoing->capacity);
    free(outgoing);
}

static void
enqueue(struct uring_end *end, struct outgoing *outgoing)
{
    if (end->first == NULL)
        end->first = outgoing;
    else
        end->last->next = outgoing;
    end->last = outgoing;
    end->queued += outgoing->size - outgoing->gone;
}

/* Takes the first off the queue and tells its writer. */
static void
dequeue(struct stream *stream, enum status status)
{
    struct uring_end *end = &stream->ring;
    struct outgoing *outgoing = end->first;

    end->first = outgoing->next;
    if (end->first == NULL)
        end->last = NULL;
    end->queued -= outgoing->size - outgoing->gone;
    if (outgoing->done != NULL)
        outgoing->done(stream, status, outgoing->context);
    outgoing_free(uring_of(stream), outgoing);
}

static void
drop_queue(struct stream *stream, enum status status)
{
    while (stream->ring.first != NULL)
        dequeue(stream, status);
}

/* The kernel was asked in an earlier turn and has not taken it: the peer is slow. */
static bool
stuck(const struct stream *stream)
{
    return stream->ring.sending && stream->ring.sent_at != uring_of(stream)->turn;
}

/* What will go at this turn's end does not wait for the peer yet. */
size_t
uring_queued(const struct stream *stream)
{
    const struct uring_end *end = &stream->ring;

    return end->last != NULL && (!end->last->chunk || stuck(stream)) ? end->queued : 0;
}

/* Where a small write goes to, or NULL. */
static struct outgoing *
chunk_for(struct stream *stream, size_t size)
{
    struct uring_end *end = &stream->ring;
    struct outgoing *last = end->last;
    bool flying = end->sending && end->first == last;

    if (size > CHUNK_SIZE || stuck(stream) || (last != NULL && !last->chunk))
        return NULL;
    if (last != NULL && !flying)
        return last->capacity - last->size >= size ? last : NULL;
    last = outgoing_new(uring_of(stream), CHUNK_SIZE, true);
    if (last != NULL)
        enqueue(end, last);
    return last;
}

static void
append(struct outgoing *outgoing, const uv_buf_t *parts, unsigned count, size_t skip)
{
    for (unsigned i = 0; i < count; i++) {
        size_t gone = skip < parts[i].len ? skip : parts[i].len;
        size_t size = parts[i].len - gone;

        skip -= gone;
        if (size > 0)
            memcpy(outgoing->bytes + outgoing->size, parts[i].base + gone, size);
        outgoing->size += size;
    }
}

/* What is first in the queue and the parts, at once and without a copy. Gives how many
 * bytes of the parts went, or libuv's code. */
static ssize_t
send_now(struct stream *stream, const uv_buf_t *parts, unsigned count)
{
    struct uring_end *end = &stream->ring;
    struct iovec slices[STREAM_SLICES_MAX + 1];
    struct msghdr message = { .msg_iov = slices };
    struct outgoing *first = end->first;
    size_t before = 0, part;
    ssize_t went;

    if (first != NULL) {
        before = first->size - first->gone;
        slices[message.msg_iovlen++] =
            (struct iovec){ .iov_base = first->bytes + first->gone, .iov_len = before };
    }
    for (unsigned i = 0; i < count; i++)
        slices[message.msg_iovlen++] =
            (struct iovec){ .iov_base = parts[i].base, .iov_len = parts[i].len };
    do
        went = sendmsg(end->descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (went < 0 && errno == EINTR);
    if (went < 0)
        return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
    if (first == NULL)
        return went;
    part = (size_t)went < before ? (size_t)went : before;
    first->gone += part;
    end->queued -= part;
    if (first->gone == first->size)
        dequeue(stream, STATUS_OK);
    return went - (ssize_t)part;
}

enum stream_wrote
uring_write(struct stream *stream, const uv_buf_t *parts, unsigned count, stream_done_callback done,
            void *context)
{
    struct uring_end *end = &stream->ring;
    struct outgoing *outgoing;
    size_t total = 0;
    ssize_t went = 0;

    for (unsigned i = 0; i < count; i++)
        total += parts[i].len;
    outgoing = chunk_for(stream, total);
    if (outgoing != NULL) {
        append(outgoing, parts, count, 0);
        end->queued += total;
        mark(stream);
        return STREAM_WRITTEN;
    }
    /* Large: better straight from the writer's memory. Only chunks lie before it, whose
     * writers are not told. */
    if (!end->sending && end->first == end->last && (end->first == NULL || end->first->chunk))
        went = send_now(stream, parts, count);
    if (went < 0)
        return stream_break_writing(stream, uv_strerror((int)went));
    if ((size_t)went == total)
        return STREAM_WRITTEN;
    outgoing = outgoing_new(uring_of(stream), total - (size_t)went, false);
    if (outgoing == NULL)
        return stream_break_writing(stream, "out of memory");
    append(outgoing, parts, count, (size_t)went);
    outgoing->done = done;
    outgoing->context = context;
    enqueue(end, outgoing);
    mark(stream);
    return STREAM_QUEUED;
}

static void
send_start(struct uring *ring, struct stream *stream)
{
    struct outgoing *first = stream->ring.first;
    struct io_uring_sqe *request = uring_request(ring);

    /* With MSG_WAITALL the kernel itself goes on after a part. */
    io_uring_prep_send(request, stream->ring.descriptor, first->bytes + first->gone,
                       first->size - first->gone, MSG_NOSIGNAL | MSG_WAITALL);
    uring_request_of(request, RING_SENT, stream);
    stream->ring.sending = true;
    stream->ring.sent_at = ring->turn;
}

static void
writing_failed(struct stream *stream, int code)
{
    struct uring_end *end = &stream->ring;

    (void)stream_break_writing(stream, uv_strerror(code));
    end->lost = end->first->chunk;
    drop_queue(stream, STATUS_IO);
    if (end->shutting) {
        end->shutting = false;
        stream_shut_done(stream, code);
    }
}

void
uring_sent(struct stream *stream, int result)
{
    struct uring_end *end = &stream->ring;

    end->sending = end->aborting = false;
    mark(stream);
    if (result > 0) {
        end->first->gone += (size_t)result;
        end->queued -= (size_t)result;
        if (end->first->gone == end->first->size)
            dequeue(stream, STATUS_OK);
    } else if (stream->state != STREAM_CLOSING && result < 0 && result != -EINTR &&
               result != -EAGAIN) {
        writing_failed(stream, result);
    }
}

/* Ending. */
void
uring_shutdown(struct stream *stream)
{
    stream->ring.shutting = true;
    mark(stream);
}

void
uring_close(struct stream *stream)
{
    mark(stream);
}

static void
shut_now(struct stream *stream)
{
    int code = shutdown(stream->ring.descriptor, SHUT_WR) == 0 ? 0 : -errno;

    stream->ring.shutting = false;
    stream_shut_done(stream, code);
}

/* What was reported as written still goes, if the peer takes it at once; libuv lets
 * go of the descriptor when the kernel has nothing of the stream any more. */
static void
settle_closing(struct uring *ring, struct stream *stream)
{
    struct uring_end *end = &stream->ring;

    if (!end->sending) {
        while (end->first != NULL && end->first->chunk && !stream->broken) {
            struct outgoing *before = end->first;

            if (send_now(stream, NULL, 0) < 0 || end->first == before)
                break;
        }
        drop_queue(stream, STATUS_CLOSED);
    }
    if (end->armed && !end->disarming)
        cancel(ring, stream, RING_RECEIVED);
    if (end->sending && !end->aborting)
        cancel(ring, stream, RING_SENT);
    end->disarming = end->armed;
    end->aborting = end->sending;
    if (end->armed || end->sending || end->asking > 0)
        return;
    buffer_wipe_free(&end->held);
    end->on = false;
    stream_handle_close(stream);
}

static void
settle(struct uring *ring, struct stream *stream)
{
    struct uring_end *end = &stream->ring;

    if (stream->state != STREAM_CLOSING && !end->sending) {
        if (end->first != NULL)
            send_start(ring, stream);
        else if (end->shutting)
            shut_now(stream);
    }
    if (stream->state == STREAM_CLOSING) {
        settle_closing(ring, stream);
    } else if (stream->uv_reading && !end->armed && end->held.size == 0 && end->held_end == 0) {
        arm(ring, stream);
    } else if (!stream->uv_reading && end->armed && !end->disarming) {
        cancel(ring, stream, RING_RECEIVED);
        end->disarming = true;
    }
}

void
uring_settle(struct uring *ring)
{
    while (ring->marked != NULL) {
        struct stream *stream = ring->marked;

        ring->marked = stream->ring.next;
        if (ring->marked == NULL)
            ring->marked_end = &ring->marked;
        stream->ring.marked = false;
        if (stream->ring.on)
            settle(ring, stream);
    }
}
