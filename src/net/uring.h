/* net/uring.h - the lane's io_uring, and how a stream's bytes move by it; for net's own files.
 *
 * Beside libuv, not instead of it: connections are made, accepted and closed by
 * libuv, whose descriptor the ring watches; what moves once they are open goes
 * through the ring. What the callbacks of one turn ask for goes to the kernel in
 * one call, which also waits for what comes next. */
#ifndef WRIT_NET_URING_H
#define WRIT_NET_URING_H

#include <uv.h>

#include "base/buffer.h"
#include "net/stream.h"

struct uring;
struct outgoing;

/* A stream's part in the ring. */
struct uring_end {
    bool on;            /* its bytes move by the ring */
    bool armed;         /* a receive is with the kernel */
    bool sending;       /* the first of the queue is with the kernel */
    bool disarming;     /* the receive has been asked to end */
    bool aborting;      /* the send has been asked to end */
    uint8_t asking;     /* such requests that have not been answered */
    bool shutting;      /* our side ends once the queue is empty */
    bool marked;        /* on the ring's list of those to be settled */
    bool lost;          /* what was taken as written did not go */
    int descriptor;     /* libuv's, which closes it */
    int held_end;       /* libuv's code of an end that comes after what is held, or 0 */
    unsigned sent_at;   /* the turn in which the send was handed over */
    struct buffer held; /* came while nobody was reading */
    struct outgoing *first, *last;
    size_t queued; /* bytes from first to last that have not gone */
    struct stream *next;
};

/* On the lane's thread; the ring is that thread's alone. NULL where the kernel
 * does not have or does not allow what is needed: *why then says it (static text). */
struct uring *uring_new(struct lane *lane, const char **why);
void uring_free(struct uring *ring); /* no stream is left; accepts NULL */

/* What the turn's callbacks have asked for is made ready to be handed over. May run
 * callbacks, and leave libuv with something to do. */
void uring_settle(struct uring *ring);
/* Hands it over, sleeps until something comes, at most
 * timeout_ms (-1: no limit), and runs the callbacks of what came. True when
 * libuv's own descriptor is ready. */
bool uring_turn(struct uring *ring, int timeout_ms);

/* An open stream's bytes move by the lane's ring from here on, if it has one. */
void uring_take(struct stream *stream);
/* What stream.c asks of a stream with ring.on, instead of libuv. */
void uring_read_changed(struct stream *stream); /* stream->uv_reading has */
void uring_deliver_held(struct stream *stream);
enum stream_wrote uring_write(struct stream *stream, const uv_buf_t *parts, unsigned count,
                              stream_done_callback done, void *context);
size_t uring_queued(const struct stream *stream);
void uring_shutdown(struct stream *stream);
void uring_close(struct stream *stream);

#endif
