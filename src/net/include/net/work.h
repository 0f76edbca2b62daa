/* net/work.h - a calculation that would hold up a lane, done on a helper thread.
 *
 * The helpers are few and shared by all lanes (and by look-ups of names): milliseconds, not
 * seconds, and nothing that waits. */
#ifndef WRIT_NET_WORK_H
#define WRIT_NET_WORK_H

#include "net/lane.h"

enum { WORK_MAX = 64 }; /* of one lane at a time */

/* Embedded in what its owner computes; left alone from work_start until done. */
struct work {
    void (*run)(struct work *work); /* on a helper: touches nothing of the lane's */
    /* On the lane, once, never inside work_start. `late`: the lane has ended, its end hook
     * has run; all that is left to do is to free what the work holds. */
    void (*done)(struct work *work, bool late);
};

/* LIMIT: as much as WORK_MAX is under way. CLOSED: the lane ends. */
enum status work_start(struct lane *lane, struct work *work) WRIT_MUST_USE;

#endif
