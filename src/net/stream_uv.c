/* net/stream_uv.c - one stream's bytes by libuv, or by the ring where the stream has one. */
#include "stream_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* libuv promises it on Unix. */
_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) &&
                   offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len),
               "a uv_buf_t is an iovec");

/* What did not go at once, copied. */
struct write_job {
    uv_write_t request;
    struct stream *stream;
    stream_done_callback done;
    void *context;
    size_t size;
    char bytes[];
};

/* Reading. */
static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *stream = handle->data;

    *out = uv_buf_init(stream->lane->read_buffer, STREAM_READ_SIZE);
}

static void
on_uv_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct stream *stream = handle->data;

    if (size == 0 || stream->state == STREAM_CLOSING)
        return;
    if (size < 0)
        stream_transport_ended(stream, (int)size);
    else
        stream_came(stream, slice_of(buffer->base, (size_t)size));
}

void
stream_uv_read_start(struct stream *stream)
{
    int code;

    if (stream->uv_reading || stream->ended)
        return;
    if (stream->ring.on) {
        stream->uv_reading = true;
        uring_read_changed(stream);
        return;
    }
    code = uv_read_start(&stream->uv.stream, on_alloc, on_uv_read);
    if (code == 0) {
        stream->uv_reading = true;
        return;
    }
    stream->ended = true;
    stream->end = STATUS_IO;
    stream->error = uv_strerror(code);
    stream_post_later(stream);
}

void
stream_uv_read_stop(struct stream *stream)
{
    if (!stream->uv_reading)
        return;
    stream->uv_reading = false;
    if (stream->ring.on)
        uring_read_changed(stream);
    else
        uv_read_stop(&stream->uv.stream);
}

/* Writing. */
static void
on_uv_written(uv_write_t *request, int code)
{
    struct write_job *job = LANE_OWNER(request, struct write_job, request);
    struct stream *stream = job->stream;
    enum status status = STATUS_OK;

    if (code != 0) {
        status = code == UV_ECANCELED ? STATUS_CLOSED : STATUS_IO;
        stream->broken = true;
        if (status == STATUS_IO)
            stream->error = uv_strerror(code);
    }
    if (job->done != NULL)
        job->done(stream, status, job->context);
    explicit_bzero(job->bytes, job->size);
    free(job);
}

static struct write_job *
job_new(const uv_buf_t *parts, unsigned count, size_t skip, size_t total)
{
    struct write_job *job = malloc(sizeof *job + total - skip);
    char *at;

    if (job == NULL)
        return NULL;
    job->size = total - skip;
    at = job->bytes;
    for (unsigned i = 0; i < count; i++) {
        size_t gone = skip < parts[i].len ? skip : parts[i].len;

        skip -= gone;
        if (parts[i].len == gone)
            continue;
        memcpy(at, parts[i].base + gone, parts[i].len - gone);
        at += parts[i].len - gone;
    }
    return job;
}

/* What the kernel takes at once; a negative code of libuv's when it takes nothing.
 * Not uv_try_write: for write(2) the kernel does more, in vain, than for a socket's call. */
static ssize_t
send_now(const struct stream *stream, const uv_buf_t *parts, unsigned count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
    ssize_t went;
    uv_os_fd_t fd;

    if (uv_stream_get_write_queue_size(&stream->uv.stream) > 0)
        return UV_EAGAIN;
    if (uv_fileno(&stream->uv.handle, &fd) != 0)
        return UV_EBADF;
    do {
        went = count == 1 ? send(fd, parts->base, parts->len, MSG_NOSIGNAL | MSG_DONTWAIT)
                          : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (went < 0 && errno == EINTR);
    return went < 0 ? uv_translate_sys_error(errno) : went;
}

enum stream_wrote
stream_transport_write(struct stream *stream, const uv_buf_t *parts, unsigned count,
                       stream_done_callback done, void *context)
{
    struct write_job *job;
    uv_buf_t rest;
    size_t total = 0, went = 0;
    ssize_t sent;
    int code;

    if (stream->ring.on)
        return uring_write(stream, parts, count, done, context);
    for (unsigned i = 0; i < count; i++)
        total += parts[i].len;
    sent = send_now(stream, parts, count);
    if (sent >= 0)
        went = (size_t)sent;
    else if (sent != UV_EAGAIN)
        return stream_break_writing(stream, uv_strerror((int)sent));
    if (went == total)
        return STREAM_WRITTEN;

    job = job_new(parts, count, went, total);
    if (job == NULL)
        return stream_break_writing(stream, "out of memory");
    job->stream = stream;
    job->done = done;
    job->context = context;
    rest = uv_buf_init(job->bytes, (unsigned)job->size);
    code = uv_write(&job->request, &stream->uv.stream, &rest, 1, on_uv_written);
    if (code != 0) {
        free(job);
        return stream_break_writing(stream, uv_strerror(code));
    }
    return STREAM_QUEUED;
}
