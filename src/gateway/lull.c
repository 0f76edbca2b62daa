/* gateway/lull.c - waits a little for the audit. */
#include "lull.h"

enum { LOOK_MS = 10, LONGEST_US = 2 * 1000 * 1000 };

static void
on_look(struct timer *timer)
{
    struct lull *lull = LANE_OWNER(timer, struct lull, timer);

    lull->over(lull);
}

void
lull_init(struct lull *lull, struct gate *gate, void (*over)(struct lull *lull))
{
    *lull = (struct lull){ .gate = gate, .over = over };
    lull->timer.fire = on_look;
}

bool
lull_holds(struct lull *lull)
{
    struct gate *gate = lull->gate;
    uint64_t now = lane_mono_us(gate->lane);

    if (gate->gateway->options.audit_mode == AUDIT_LOSSY || audit_ready(gate->journal)) {
        lull->since_us = 0;
        return false;
    }
    if (lull->since_us == 0)
        lull->since_us = now;
    if (now - lull->since_us > LONGEST_US)
        return false;
    if (!timer_armed(&lull->timer))
        timer_arm(gate->lane, &lull->timer, LOOK_MS);
    return true;
}

void
lull_end(struct lull *lull)
{
    timer_disarm(&lull->timer);
}
