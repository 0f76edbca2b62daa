/* net/timer.h - time-outs by the thousand, and alarms to the millisecond. */
#ifndef WRIT_NET_TIMER_H
#define WRIT_NET_TIMER_H

#include "net/lane.h"

/* A coarse timer on the lane's wheel, embedded by its owner: arming anew is a
 * few stores, no call of the system and no heap. It fires once, up to
 * TIMER_GRAIN_MS after it is due and never before, counted from the start of the
 * turn that armed it. Zero it before first use; disarm it before its memory goes.
 * It does not keep the lane open. */
enum { TIMER_GRAIN_MS = 100 };

struct timer {
    struct timer *next, *prev; /* net's */
    struct lane *lane;         /* net's; NULL: not armed */
    uint64_t due;              /* net's */
    void (*fire)(struct timer *timer);
};

/* Arms, or moves an armed timer. after_ms below 0 counts as 0; the longest is
 * TIMER_LONGEST_MS, and what is longer (TIME_NEVER) counts as that. */
#define TIMER_LONGEST_MS (INT64_C(400) * 86400 * 1000)
void timer_arm(struct lane *lane, struct timer *timer, int64_t after_ms);
void timer_disarm(struct timer *timer);

static inline bool
timer_armed(const struct timer *timer)
{
    return timer->lane != NULL;
}

/* A precise one-shot timer, for few. */
struct alarm;
enum status alarm_new(struct lane *lane, void (*fire)(struct alarm *alarm, void *context),
                      void *context, struct alarm **out) WRIT_MUST_USE;
void alarm_set(struct alarm *alarm, int64_t after_ms); /* also sets it anew */
void alarm_clear(struct alarm *alarm);
void alarm_free(struct alarm *alarm); /* in its own fire too; accepts NULL */

#endif
