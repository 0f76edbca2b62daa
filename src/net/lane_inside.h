/* net/lane_inside.h - what a lane is made of, for net's own files. */
#ifndef WRIT_NET_LANE_INSIDE_H
#define WRIT_NET_LANE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/buffer.h"
#include "net/lane.h"
#include "net/stream.h"
#include "net/timer.h"

/* One turn of the wheel is 102.4 s; what is due later stays for further turns. */
enum { WHEEL_SLOTS = 1024 };

struct wheel {
    struct timer slots[WHEEL_SLOTS]; /* heads of circular lists */
    uint64_t tick;                   /* the next one to be looked at */
    size_t armed;
    uv_timer_t clock;
};

struct signal_watch {
    uv_signal_t handle;
    struct signal_watch *next;
    void (*fire)(struct lane *lane, int signal_number, void *context);
    void *context;
};

enum lane_state { LANE_NEW, LANE_RUNS, LANE_ENDED };

struct uring;

struct lane {
    uv_loop_t loop;
    struct uring *ring;   /* moves the bytes of streams; NULL: libuv does */
    uv_async_t bell;      /* rung by other threads */
    uv_prepare_t prepare; /* before the loop may sleep */
    uv_idle_t own;        /* active while own messages wait: the loop then does not sleep */
    uv_timer_t drain;

    _Atomic(struct lane_message *) inbox; /* newest first; INBOX_CLOSED at the end */
    atomic_uint posting;                  /* threads that may still touch the bell */
    struct lane_message *own_first, *own_last;

    atomic_int state;
    atomic_bool stop_asked;
    atomic_llong drain_ms;
    struct lane_message stop_message;
    bool stopping, cut, ending;
    bool over; /* the turns have come to their end */
    size_t open;
    unsigned works; /* under way on helper threads */
    struct stream *streams;
    struct signal_watch *signals;

    bool clock_stale;
    int64_t wall_ms;
    uint64_t mono_us;
    struct wheel wheel;

    struct lane_options options;
    char name[16];
    pthread_t thread;
    bool threaded;
    void *slots[LANE_SLOTS];

    /* Shared by all streams of the lane, each only within one call of ours. */
    char *read_buffer;   /* STREAM_READ_SIZE: what the kernel gave */
    char *plain_buffer;  /* STREAM_READ_SIZE: what TLS made of it */
    char *record_buffer; /* one TLS record, for coalescing */
    struct buffer cipher_out;
};

/* Streams, listeners, watches and look-ups keep a lane open. */
void lane_hold(struct lane *lane);
void lane_release(struct lane *lane);

void wheel_init(struct lane *lane);
/* The lane ends: nothing on it fires any more. */
void wheel_end(struct lane *lane);

/* libuv's codes, translated once. */
enum status status_of_uv(int code);

#endif
