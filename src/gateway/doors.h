/* gateway/doors.h - what a protocol brings to the gate: one row per door. */
#ifndef WRIT_GATEWAY_DOORS_H
#define WRIT_GATEWAY_DOORS_H

#include "prove.h"

struct door {
    const char *name;
    /* Its clients can wait for somebody's approval; elsewhere what needs one is refused. */
    bool waits;
    /* What it lets through passes here, so that budgets of it can be held. */
    bool carries;
    /* Listens on this lane when the door is configured. *state is the door's own. */
    enum status (*attach)(struct gate *gate, void **state, struct fault *fault);
    size_t (*connections)(const void *state); /* open now */
    void (*stop)(void *state);                /* accepts nothing new, ends what is idle */
    void (*free)(void *state);                /* the lane has ended */

    /* The three ends of the pipeline. Each gives the passage's wire an answer or an
     * upstream; the passage itself is ended by pipeline_leave alone. */
    void (*refuse)(struct passage *passage, const struct refusal *refusal);
    /* Must refuse itself when the decision is not an allow. */
    void (*open)(struct passage *passage, const struct decision *decision);
    /* Ends both sides at once. A protocol that has words for it in the middle of a session
     * says why. */
    void (*cut)(struct passage *passage, const struct refusal *why);
    /* Is what goes on within an open passage still allowed? Asked when open passages are looked
     * at again, once the passage itself holds. False: *why tells, in words that live as long as
     * the gate's scratch. May be NULL. */
    bool (*holds)(struct passage *passage, struct refusal *why);
    /* The passage is over: the end of the door's own part. May be NULL. */
    void (*ended)(struct passage *passage);
    /* The request in words, for whoever is to approve it. May be NULL. */
    struct slice (*call)(const struct passage *passage, struct arena *arena);
    uint64_t (*traffic)(const struct passage *passage); /* bytes that moved so far */
    /* What the client showed as proof of a key. Asked for a bound token alone, while the
     * wire's memory is there. False: it can't be judged; the refusal tells why. */
    bool (*show)(const struct passage *passage, struct arena *arena, struct proof_shown *out,
                 struct refusal *refusal);
};

extern const struct door *const doors[];
extern const size_t door_count;

#endif
