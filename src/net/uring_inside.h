/* net/uring_inside.h - what the ring is made of: uring.c moves, uring_stream.c decides what. */
#ifndef WRIT_NET_URING_INSIDE_H
#define WRIT_NET_URING_INSIDE_H

#include <liburing.h>

#include "stream_inside.h"

enum {
    CHUNK_SIZE = 16384,   /* small writes are gathered in one of these */
    CHUNKS_KEPT = 64,     /* free ones that wait for the next turn */
    RECEIVE_SIZE = 16384, /* most bytes of one receive */
    /* Not a power of two, or all of them would fall on the same few lines of the cache. */
    RECEIVE_STRIDE = RECEIVE_SIZE + 576,
    RECEIVE_BUFFERS = 128, /* a power of two */
    RECEIVE_GROUP = 0
};

/* Bytes on their way out, in the order in which they were written. */
struct outgoing {
    struct outgoing *next;
    stream_done_callback done; /* of what was reported as queued */
    void *context;
    size_t size, gone, capacity;
    bool chunk; /* of the ring's; further small writes may join it */
    char bytes[];
};

struct uring {
    struct io_uring io;
    struct lane *lane;
    struct io_uring_buf_ring *group; /* free receive buffers, as the kernel sees them */
    char *memory;                    /* of all of them */
    int given_back;                  /* buffers since the group was last advanced */
    struct outgoing *chunks;
    unsigned chunks_free;
    struct stream *marked, **marked_end; /* to be settled before the ring sleeps */
    unsigned turn;
    bool loop_watched, loop_ready;
};

/* What a completion is about: the low bits of its data; the rest is the stream. */
enum uring_kind { RING_RECEIVED, RING_SENT, RING_CANCELLED, RING_LOOP };
#define RING_KIND_MASK ((uint64_t)3)

/* A place for one request, never NULL; once it is filled in, whose it is. */
struct io_uring_sqe *uring_request(struct uring *ring);
void uring_request_of(struct io_uring_sqe *request, enum uring_kind kind, struct stream *stream);

/* uring_stream.c: what came. */
void uring_received(struct stream *stream, int result, bool more, struct slice bytes);
void uring_sent(struct stream *stream, int result);
void uring_cancelled(struct stream *stream, int result);

#endif
