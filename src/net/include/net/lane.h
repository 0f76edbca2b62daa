/* net/lane.h - a lane: one thread with one event loop, and how other threads
 * talk to it.
 *
 * Everything that hangs on a lane (streams, listeners, timers, watches) is
 * touched on that lane's thread alone; net asserts it. From elsewhere there are
 * lane_post, lane_wake and lane_stop. A callback never runs inside the call
 * that asked for it. */
#ifndef WRIT_NET_LANE_H
#define WRIT_NET_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct lane;

/* The owner's part in a lane's life; all run on the lane's thread, all may be NULL. */
struct lane_hooks {
    void (*begin)(struct lane *lane, void *context); /* before the first turn */
    /* Once per turn of the loop, before it may sleep: here a reader of published
     * pictures announces a quiescent state. It must not keep borrowed pointers
     * over it. A sleeping lane makes no turns: lane_wake it. */
    void (*turn)(struct lane *lane, void *context);
    /* lane_stop was called: close listeners, end what is idle. */
    void (*stop)(struct lane *lane, void *context);
    /* After the last message and stream, and the last turn: free what else hangs on the lane. */
    void (*end)(struct lane *lane, void *context);
};

struct lane_options {
    const char *name; /* of the thread, at most 15 bytes; copied */
    unsigned index;   /* the owner's number for it */
    /* Bytes move by io_uring where the kernel allows it, else by libuv as they do
     * without this. The environment's WRIT_NET=libuv or =io_uring overrides it. */
    bool ring;
    struct lane_hooks hooks;
    void *context;
};

/* `lanes: auto`: the cores that this process may use, at least 1. */
unsigned lane_auto_count(void);

/* The process ignores SIGPIPE from here on: a peer that left is an error of the write. */
enum status lane_new(const struct lane_options *options, struct lane **out) WRIT_MUST_USE;
/* Runs the lane in a thread of its own, or in the calling thread until it has stopped. */
enum status lane_start(struct lane *lane) WRIT_MUST_USE;
void lane_run(struct lane *lane);
/* From any thread, more than once without harm: drains the lane. The stop hook
 * runs, then the lane ends as soon as no stream, listener or watch is open. When
 * drain_ms are over, each stream that is still open gets CLOSED in its read
 * callback (even when reading is stopped) and must be closed there; a second
 * later the lane ends in any case. */
void lane_stop(struct lane *lane, int64_t drain_ms);
void lane_join(struct lane *lane); /* of lane_start; waits for its end */
void lane_free(struct lane *lane); /* after its end, or never started; accepts NULL */

struct lane *lane_current(void); /* NULL on a thread without a lane */
/* Stops the process when called on another thread than the lane's (before
 * lane_start any thread may set things up). */
void lane_assert(const struct lane *lane);
unsigned lane_index(const struct lane *lane);
bool lane_stopping(const struct lane *lane); /* on the lane */

/* Clocks, read once per turn of the loop and on the lane only. */
int64_t lane_now_ms(struct lane *lane);   /* wall */
uint64_t lane_mono_us(struct lane *lane); /* for durations */

/* A room's own state for this lane. */
enum lane_slot {
    LANE_SLOT_HTTP,
    LANE_SLOT_FETCH,
    LANE_SLOT_AUTHORITY,
    LANE_SLOT_GATEWAY,
    LANE_SLOT_CLI,
    LANE_SLOT_APP,
    LANE_SLOTS
};
void lane_slot_set(struct lane *lane, enum lane_slot slot, void *value);
void *lane_slot_get(const struct lane *lane, enum lane_slot slot);

/* A message is embedded in what its owner sends; the owner leaves it alone from
 * lane_post until run is called, in which it may free it or post it again. */
struct lane_message {
    struct lane_message *next; /* net's */
    void (*run)(struct lane_message *message);
};

/* The struct in which a member is embedded. */
#define LANE_OWNER(pointer, type, member)                                                          \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* From any thread, the lane's own too; lock-free. Messages of one sender arrive
 * in order. False when the lane has ended: the message is still the caller's. */
bool lane_post(struct lane *lane, struct lane_message *message);
/* From any thread: the lane makes at least one full turn after this call. */
void lane_wake(struct lane *lane);

/* Watches a signal; once per lane and signal, best on the main lane. Ends with
 * the lane and does not keep it open. */
enum status lane_on_signal(struct lane *lane, int signal_number,
                           void (*fire)(struct lane *lane, int signal_number, void *context),
                           void *context) WRIT_MUST_USE;

/* How many streams, listeners and watches are open. */
size_t lane_open_count(const struct lane *lane);

#endif
