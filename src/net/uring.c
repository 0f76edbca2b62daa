/* net/uring.c - the lane's io_uring: whether there is one, what goes in, what comes out. */
#include "uring_inside.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { REQUESTS = 512, COMPLETIONS = 4096 };

static const unsigned setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

static size_t
group_size(void)
{
    return RECEIVE_BUFFERS * sizeof(struct io_uring_buf);
}

static char *
buffer_at(const struct uring *ring, unsigned number)
{
    return ring->memory + (size_t)number * RECEIVE_STRIDE;
}

static void
buffer_give(struct uring *ring, unsigned number)
{
    io_uring_buf_ring_add(ring->group, buffer_at(ring, number), RECEIVE_SIZE,
                          (unsigned short)number, io_uring_buf_ring_mask(RECEIVE_BUFFERS),
                          ring->given_back++);
}

static void
buffers_advance(struct uring *ring)
{
    if (ring->given_back > 0)
        io_uring_buf_ring_advance(ring->group, ring->given_back);
    ring->given_back = 0;
}

static bool
buffers_new(struct uring *ring)
{
    struct io_uring_buf_reg group = { .ring_entries = RECEIVE_BUFFERS, .bgid = RECEIVE_GROUP };
    void *memory =
        mmap(NULL, group_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    ring->group = memory;
    ring->memory = malloc((size_t)RECEIVE_BUFFERS * RECEIVE_STRIDE);
    if (ring->memory == NULL)
        return false;
    group.ring_addr = (uint64_t)(uintptr_t)memory;
    io_uring_buf_ring_init(ring->group);
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++)
        buffer_give(ring, i);
    buffers_advance(ring);
    return io_uring_register_buf_ring(&ring->io, &group, 0) == 0;
}

struct uring *
uring_new(struct lane *lane, const char **why)
{
    struct io_uring_params params = { .flags = setup_flags, .cq_entries = COMPLETIONS };
    struct uring *ring = calloc(1, sizeof *ring);
    int code;

    if (ring == NULL) {
        *why = "out of memory";
        return NULL;
    }
    ring->lane = lane;
    ring->marked_end = &ring->marked;
    /* A kernel that has deferred task work (6.1) has all operations that are used
     * here; an older one refuses the flag. */
    code = io_uring_queue_init_params(REQUESTS, &ring->io, &params);
    if (code != 0) {
        *why = uv_strerror(code);
        free(ring);
        return NULL;
    }
    if (!buffers_new(ring)) {
        *why = "no receive buffers";
        uring_free(ring);
        return NULL;
    }
    /* Saves a look-up for each call; not needed. */
    (void)io_uring_register_ring_fd(&ring->io);
    return ring;
}

void
uring_free(struct uring *ring)
{
    if (ring == NULL)
        return;
    io_uring_queue_exit(&ring->io);
    if (ring->memory != NULL)
        explicit_bzero(ring->memory, (size_t)RECEIVE_BUFFERS * RECEIVE_STRIDE);
    free(ring->memory);
    if (ring->group != NULL)
        munmap(ring->group, group_size());
    while (ring->chunks != NULL) {
        struct outgoing *next = ring->chunks->next;

        explicit_bzero(ring->chunks->bytes, ring->chunks->capacity);
        free(ring->chunks);
        ring->chunks = next;
    }
    free(ring);
}

struct io_uring_sqe *
uring_request(struct uring *ring)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&ring->io);

    /* Full: what is there goes now. */
    while (request == NULL) {
        (void)io_uring_submit_and_get_events(&ring->io);
        request = io_uring_get_sqe(&ring->io);
    }
    return request;
}

void
uring_request_of(struct io_uring_sqe *request, enum uring_kind kind, struct stream *stream)
{
    request->user_data = (uint64_t)(uintptr_t)stream | kind;
}

/* Once, until it fires: libuv is then run, and watched again. */
static void
loop_watch(struct uring *ring)
{
    struct io_uring_sqe *request;

    if (ring->loop_watched)
        return;
    request = uring_request(ring);
    io_uring_prep_poll_add(request, uv_backend_fd(&ring->lane->loop), POLLIN);
    uring_request_of(request, RING_LOOP, NULL);
    ring->loop_watched = true;
}

static void
completion_run(struct uring *ring, const struct io_uring_cqe *completion)
{
    uint64_t data = completion->user_data;
    struct stream *stream = (void *)(uintptr_t)(data & ~RING_KIND_MASK);
    struct slice bytes = { 0 };
    unsigned number;

    switch ((enum uring_kind)(data & RING_KIND_MASK)) {
    case RING_RECEIVED:
        number = completion->flags >> IORING_CQE_BUFFER_SHIFT;
        if (completion->res > 0)
            bytes = slice_of(buffer_at(ring, number), (size_t)completion->res);
        uring_received(stream, completion->res, (completion->flags & IORING_CQE_F_MORE) != 0,
                       bytes);
        if ((completion->flags & IORING_CQE_F_BUFFER) != 0)
            buffer_give(ring, number);
        break;
    case RING_SENT:
        uring_sent(stream, completion->res);
        break;
    case RING_LOOP:
        ring->loop_watched = false;
        ring->loop_ready = true;
        break;
    case RING_CANCELLED:
        uring_cancelled(stream, completion->res);
        break;
    }
}

/* What has come by now; more is met on the next turn. */
static void
completions_run(struct uring *ring)
{
    unsigned left = io_uring_cq_ready(&ring->io);

    for (; left > 0; left--) {
        struct io_uring_cqe *at = NULL, completion;

        if (io_uring_peek_cqe(&ring->io, &at) != 0)
            break;
        completion = *at;
        io_uring_cqe_seen(&ring->io, at);
        completion_run(ring, &completion);
    }
    buffers_advance(ring);
}

bool
uring_turn(struct uring *ring, int timeout_ms)
{
    struct __kernel_timespec timeout = { .tv_sec = timeout_ms / 1000,
                                         .tv_nsec = timeout_ms % 1000 * 1000000LL };
    struct io_uring_cqe *first;

    loop_watch(ring);
    if (timeout_ms == 0)
        (void)io_uring_submit_and_get_events(&ring->io);
    else
        (void)io_uring_submit_and_wait_timeout(&ring->io, &first, 1,
                                               timeout_ms < 0 ? NULL : &timeout, NULL);
    ring->turn++;
    uv_update_time(&ring->lane->loop);
    ring->loop_ready = false;
    completions_run(ring);
    return ring->loop_ready;
}
