/* gateway/ports.h - what a door needs of the authority. The gateway does not
 * know the authority: the program's wiring (app) fills these in. */
#ifndef WRIT_GATEWAY_PORTS_H
#define WRIT_GATEWAY_PORTS_H

#include "net/lane.h"
#include "world/world.h"

/* A one-time use, claimed durably before the upstream is opened. The door embeds
 * it, fills id and done, and waits (its lane does not): done runs on the asking
 * lane with the verdict set. The memory lives until then. */
struct use_claim {
    struct lane_message message; /* the wiring's, in both directions */
    void *wiring;                /* likewise */
    struct lane *lane;           /* who asks */
    struct token_id id;
    enum use_verdict verdict; /* TAKEN or EXHAUSTED */
    enum status status;       /* not OK: the store could not make it durable; refuse */
    void (*done)(struct use_claim *claim);
};

struct gateway_ports {
    void *app;
    void (*claim_use)(void *app, struct use_claim *claim);
    /* A lane works on this generation or a later one, and has cut every open
     * session that no longer holds. Called on that lane. */
    void (*enforced)(void *app, unsigned lane_index, uint64_t generation);
};

#endif
