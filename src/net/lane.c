/* net/lane.c - the life of a lane, its messages, clocks and signals. */
#include "lane_inside.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "stream_inside.h"

/* How long after the drain time streams may take to be closed by their owners. */
enum { CUT_GRACE_MS = 1000, RECORD_SIZE = 16384 };

static struct lane_message inbox_closed;
#define INBOX_CLOSED (&inbox_closed)

static _Thread_local struct lane *current;

unsigned
lane_auto_count(void)
{
    unsigned cores = uv_available_parallelism();

    return cores == 0 ? 1 : cores;
}

struct lane *
lane_current(void)
{
    return current;
}

void
lane_assert(const struct lane *lane)
{
    if (current == lane || atomic_load_explicit(&lane->state, memory_order_relaxed) == LANE_NEW)
        return;
    log_write(LOG_ERROR, "net", "touched from another thread than its lane", "lane", lane->name,
              NULL);
    abort();
}

unsigned
lane_index(const struct lane *lane)
{
    return lane->options.index;
}

bool
lane_stopping(const struct lane *lane)
{
    return lane->stopping;
}

size_t
lane_open_count(const struct lane *lane)
{
    return lane->open;
}

void
lane_slot_set(struct lane *lane, enum lane_slot slot, void *value)
{
    lane->slots[slot] = value;
}

void *
lane_slot_get(const struct lane *lane, enum lane_slot slot)
{
    return lane->slots[slot];
}

/* The clocks are stale from the moment the loop may sleep, and are read by the
 * first who asks after it: libuv runs I/O callbacks right after the sleep,
 * before any hook of the loop. */
static void
clocks_read(struct lane *lane)
{
    if (!lane->clock_stale)
        return;
    lane->clock_stale = false;
    lane->wall_ms = clock_wall_ms();
    lane->mono_us = clock_mono_us();
}

int64_t
lane_now_ms(struct lane *lane)
{
    clocks_read(lane);
    return lane->wall_ms;
}

uint64_t
lane_mono_us(struct lane *lane)
{
    clocks_read(lane);
    return lane->mono_us;
}

static void
turns_end(struct lane *lane)
{
    lane->over = true;
    uv_stop(&lane->loop);
}

static void
end_if_drained(struct lane *lane)
{
    if (lane->stopping && lane->open == 0)
        turns_end(lane);
}

void
lane_hold(struct lane *lane)
{
    lane->open++;
}

void
lane_release(struct lane *lane)
{
    lane->open--;
    end_if_drained(lane);
}

/* Messages. The inbox is a stack that senders push and the lane takes whole, so
 * that neither ever waits; reversed, it is in order again. Only the sender that
 * finds it empty rings the bell. */
static bool
inbox_push(struct lane *lane, struct lane_message *message)
{
    struct lane_message *head = atomic_load_explicit(&lane->inbox, memory_order_relaxed);

    do {
        if (head == INBOX_CLOSED)
            return false;
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&lane->inbox, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL)
        uv_async_send(&lane->bell);
    return true;
}

static void
inbox_run(struct lane *lane, struct lane_message *after)
{
    struct lane_message *taken =
        atomic_exchange_explicit(&lane->inbox, after, memory_order_acquire);
    struct lane_message *ordered = NULL;

    while (taken != NULL) {
        struct lane_message *next = taken->next;

        taken->next = ordered;
        ordered = taken;
        taken = next;
    }
    while (ordered != NULL) {
        struct lane_message *next = ordered->next; /* run may free it */

        ordered->run(ordered);
        ordered = next;
    }
}

/* What a message posts again waits for the next turn: I/O is not starved. */
static void
own_run(struct lane *lane)
{
    struct lane_message *message = lane->own_first;

    lane->own_first = lane->own_last = NULL;
    while (message != NULL) {
        struct lane_message *next = message->next;

        message->run(message);
        message = next;
    }
    if (lane->own_first == NULL && lane->ring == NULL)
        uv_idle_stop(&lane->own);
}

static void
on_own(uv_idle_t *idle)
{
    own_run(idle->data);
}

static bool
own_post(struct lane *lane, struct lane_message *message)
{
    if (atomic_load_explicit(&lane->inbox, memory_order_relaxed) == INBOX_CLOSED)
        return false;
    message->next = NULL;
    if (lane->own_last == NULL) {
        lane->own_first = message;
        if (lane->ring == NULL) /* which looks for messages itself */
            uv_idle_start(&lane->own, on_own);
    } else {
        lane->own_last->next = message;
    }
    lane->own_last = message;
    return true;
}

bool
lane_post(struct lane *lane, struct lane_message *message)
{
    bool posted;

    if (current == lane)
        return own_post(lane, message);
    atomic_fetch_add(&lane->posting, 1);
    posted = inbox_push(lane, message);
    atomic_fetch_sub(&lane->posting, 1);
    return posted;
}

void
lane_wake(struct lane *lane)
{
    atomic_fetch_add(&lane->posting, 1);
    if (atomic_load(&lane->inbox) != INBOX_CLOSED)
        uv_async_send(&lane->bell);
    atomic_fetch_sub(&lane->posting, 1);
}

static void
on_bell(uv_async_t *bell)
{
    inbox_run(bell->data, NULL);
}

static void
before_sleep(struct lane *lane)
{
    if (lane->options.hooks.turn != NULL)
        lane->options.hooks.turn(lane, lane->options.context);
    lane->clock_stale = true;
}

static void
on_prepare(uv_prepare_t *prepare)
{
    before_sleep(prepare->data);
}

/* One turn around the ring. libuv runs only when it has something to do, which costs
 * a call of the kernel's: when its descriptor is ready, a timer is due, or a handle
 * is being opened or closed. */
static void
lane_turn(struct lane *lane)
{
    bool ready;

    own_run(lane);
    before_sleep(lane);
    uring_settle(lane->ring);
    ready = uring_turn(lane->ring,
                       lane->own_first != NULL || lane->over ? 0 : uv_backend_timeout(&lane->loop));
    if (ready || uv_backend_timeout(&lane->loop) == 0)
        uv_run(&lane->loop, UV_RUN_NOWAIT);
}

/* Draining. */
static void
on_drain_over(uv_timer_t *timer)
{
    struct lane *lane = timer->data;

    if (lane->cut) {
        log_write(LOG_WARN, "net", "the lane ended with open connections", "lane", lane->name,
                  NULL);
        turns_end(lane);
        return;
    }
    lane->cut = true;
    /* A stream leaves the list in a later turn, so the list holds still here. */
    for (struct stream *stream = lane->streams; stream != NULL; stream = stream->next)
        stream_cut(stream);
    uv_timer_start(timer, on_drain_over, CUT_GRACE_MS, 0);
}

static void
on_stop(struct lane_message *message)
{
    struct lane *lane = LANE_OWNER(message, struct lane, stop_message);
    long long drain_ms = atomic_load(&lane->drain_ms);

    lane->stopping = true;
    uv_timer_start(&lane->drain, on_drain_over, drain_ms < 0 ? 0 : (uint64_t)drain_ms, 0);
    if (lane->options.hooks.stop != NULL)
        lane->options.hooks.stop(lane, lane->options.context);
    end_if_drained(lane);
}

void
lane_stop(struct lane *lane, int64_t drain_ms)
{
    if (atomic_exchange(&lane->stop_asked, true))
        return;
    atomic_store(&lane->drain_ms, drain_ms);
    lane->stop_message.run = on_stop;
    (void)lane_post(lane, &lane->stop_message); /* ended already: nothing to stop */
}

/* Signals. */
static void
on_signal(uv_signal_t *handle, int number)
{
    struct signal_watch *watch = LANE_OWNER(handle, struct signal_watch, handle);

    watch->fire(handle->data, number, watch->context);
}

enum status
lane_on_signal(struct lane *lane, int signal_number,
               void (*fire)(struct lane *lane, int signal_number, void *context), void *context)
{
    struct signal_watch *watch = calloc(1, sizeof *watch);
    int code;

    lane_assert(lane);
    if (watch == NULL)
        return STATUS_MEMORY;
    code = uv_signal_init(&lane->loop, &watch->handle);
    if (code != 0) {
        free(watch);
        return status_of_uv(code);
    }
    watch->handle.data = lane;
    watch->fire = fire;
    watch->context = context;
    watch->next = lane->signals;
    lane->signals = watch;
    uv_unref((uv_handle_t *)&watch->handle);
    return status_of_uv(uv_signal_start(&watch->handle, on_signal, signal_number));
}

/* Life. */
static enum status
buffers_new(struct lane *lane)
{
    lane->read_buffer = malloc(STREAM_READ_SIZE);
    lane->plain_buffer = malloc(STREAM_READ_SIZE);
    lane->record_buffer = malloc(RECORD_SIZE);
    if (lane->read_buffer == NULL || lane->plain_buffer == NULL || lane->record_buffer == NULL)
        return STATUS_MEMORY;
    return STATUS_OK;
}

static void
memory_free(struct lane *lane)
{
    /* Requests and tokens have passed through these. */
    if (lane->read_buffer != NULL)
        explicit_bzero(lane->read_buffer, STREAM_READ_SIZE);
    if (lane->plain_buffer != NULL)
        explicit_bzero(lane->plain_buffer, STREAM_READ_SIZE);
    if (lane->record_buffer != NULL)
        explicit_bzero(lane->record_buffer, RECORD_SIZE);
    free(lane->read_buffer);
    free(lane->plain_buffer);
    free(lane->record_buffer);
    buffer_free(&lane->cipher_out);
    free(lane);
}

static enum status
loop_new(struct lane *lane)
{
    int code = uv_loop_init(&lane->loop);

    if (code != 0)
        return status_of_uv(code);
    lane->loop.data = lane;
    code = uv_async_init(&lane->loop, &lane->bell, on_bell);
    if (code != 0) {
        uv_loop_close(&lane->loop);
        return status_of_uv(code);
    }
    lane->bell.data = lane;
    uv_prepare_init(&lane->loop, &lane->prepare);
    lane->prepare.data = lane;
    uv_prepare_start(&lane->prepare, on_prepare);
    uv_idle_init(&lane->loop, &lane->own);
    lane->own.data = lane;
    uv_timer_init(&lane->loop, &lane->drain);
    lane->drain.data = lane;
    wheel_init(lane);
    return STATUS_OK;
}

enum status
lane_new(const struct lane_options *options, struct lane **out)
{
    struct lane *lane = calloc(1, sizeof *lane);
    enum status status;

    if (lane == NULL)
        return STATUS_MEMORY;
    lane->options = *options;
    strncpy(lane->name, options->name == NULL ? "lane" : options->name, sizeof lane->name - 1);
    lane->options.name = lane->name;
    lane->clock_stale = true;
    status = buffers_new(lane);
    if (status == STATUS_OK)
        status = loop_new(lane);
    if (status != STATUS_OK) {
        memory_free(lane);
        return status;
    }
    signal(SIGPIPE, SIG_IGN);
    *out = lane;
    return STATUS_OK;
}

static void
on_signal_closed(uv_handle_t *handle)
{
    free(LANE_OWNER(handle, struct signal_watch, handle));
}

/* From here on nobody can post; who was doing it is waited for, so that the bell
 * is not rung after its end. */
static void
inbox_close(struct lane *lane)
{
    while (lane->own_first != NULL)
        own_run(lane);
    inbox_run(lane, INBOX_CLOSED);
    while (atomic_load(&lane->posting) != 0)
        sched_yield();
    while (lane->own_first != NULL)
        own_run(lane);
}

/* Messages and streams come to their ends while the loop still turns. */
static void
traffic_end(struct lane *lane)
{
    lane->ending = true;
    for (struct stream *stream = lane->streams; stream != NULL; stream = stream->next)
        stream_close(stream, NULL, NULL);
    inbox_close(lane);
    while (lane->streams != NULL) {
        if (lane->ring != NULL)
            lane_turn(lane);
        else
            uv_run(&lane->loop, UV_RUN_NOWAIT);
    }
}

static void
close_leftover(uv_handle_t *handle, void *context)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void
loop_end(struct lane *lane)
{
    struct signal_watch *next;

    wheel_end(lane);
    uv_close((uv_handle_t *)&lane->prepare, NULL);
    uv_close((uv_handle_t *)&lane->own, NULL);
    for (struct signal_watch *watch = lane->signals; watch != NULL; watch = next) {
        next = watch->next;
        uv_close((uv_handle_t *)&watch->handle, on_signal_closed);
    }
    lane->signals = NULL;
    /* The bell, the drain timer, and what an owner forgot: it must not hold the
     * process back. */
    uv_walk(&lane->loop, close_leftover, NULL);
    while (uv_run(&lane->loop, UV_RUN_DEFAULT) != 0)
        ;
    if (uv_loop_close(&lane->loop) != 0)
        log_write(LOG_WARN, "net", "the loop ended with open handles", "lane", lane->name, NULL);
}

/* The log names the way: it decides what a request costs. */
static void
uring_begin(struct lane *lane)
{
    const char *wish = getenv("WRIT_NET"), *why = "WRIT_NET says so";

    if (!lane->options.ring && (wish == NULL || strcmp(wish, "io_uring") != 0))
        return;
    if (wish == NULL || strcmp(wish, "libuv") != 0)
        lane->ring = uring_new(lane, &why);
    if (lane->ring == NULL) {
        log_write(LOG_INFO, "net", "bytes move by libuv", "lane", lane->name, "why", why, NULL);
        return;
    }
    log_write(LOG_INFO, "net", "bytes move by io_uring", "lane", lane->name, NULL);
    uv_prepare_stop(&lane->prepare); /* the ring's turns have a place of their own for it */
}

void
lane_run(struct lane *lane)
{
    const struct lane_hooks *hooks = &lane->options.hooks;

    current = lane;
    atomic_store(&lane->state, LANE_RUNS);
    uring_begin(lane);
    if (hooks->begin != NULL)
        hooks->begin(lane, lane->options.context);
    if (lane->ring == NULL)
        uv_run(&lane->loop, UV_RUN_DEFAULT);
    while (lane->ring != NULL && !lane->over)
        lane_turn(lane);
    traffic_end(lane);
    if (hooks->end != NULL)
        hooks->end(lane, lane->options.context);
    loop_end(lane);
    uring_free(lane->ring);
    lane->ring = NULL;
    current = NULL;
    atomic_store(&lane->state, LANE_ENDED);
}

static void *
thread_main(void *argument)
{
    struct lane *lane = argument;

    pthread_setname_np(pthread_self(), lane->name);
    lane_run(lane);
    return NULL;
}

/* Signals are for the main thread; a lane's calls are not interrupted. */
enum status
lane_start(struct lane *lane)
{
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    code = pthread_create(&lane->thread, NULL, thread_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        return STATUS_LIMIT;
    lane->threaded = true;
    return STATUS_OK;
}

void
lane_join(struct lane *lane)
{
    if (!lane->threaded)
        return;
    pthread_join(lane->thread, NULL);
    lane->threaded = false;
}

void
lane_free(struct lane *lane)
{
    if (lane == NULL)
        return;
    if (atomic_load(&lane->state) == LANE_NEW) {
        traffic_end(lane);
        loop_end(lane);
    }
    memory_free(lane);
}
