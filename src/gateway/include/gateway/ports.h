/* gateway/ports.h - what a door needs of the authority. The gateway does not
 * know the authority: the program's wiring (app) fills these in. */
#ifndef WRIT_GATEWAY_PORTS_H
#define WRIT_GATEWAY_PORTS_H

#include <stdatomic.h>

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

/* Somebody's yes, waited for while the lane goes on. The asker's memory, the wiring's from
 * ask_approval until done, which runs on the asking lane. */
enum approval_verdict {
    APPROVAL_GIVEN,
    APPROVAL_REFUSED, /* by somebody who may, or because nobody said yes in time */
    APPROVAL_UNASKED, /* it can't be asked for now */
};
enum { APPROVAL_WORDS = 512 };
struct approval_ask {
    struct lane_message message;
    void *wiring;
    struct lane *lane;
    /* Who asks, for what, by which right; call: the very request, for people to read. */
    struct slice token, subject, chain, resource, action, object, right, agent, call;
    struct ip peer;
    struct approval wanted;
    atomic_bool gone; /* set by the asker: nobody waits for the answer any more */
    enum approval_verdict verdict;
    char words[APPROVAL_WORDS]; /* why, and by whom */
    void (*done)(struct approval_ask *ask);
};

/* What a server says of a tool, where tools are pinned: for people, who approve it. Given away
 * whole; done, called on any thread, frees it. */
struct tool_sight {
    struct lane_message message;
    void *wiring;
    struct slice upstream, tool, definition; /* the definition in its one canonical text */
    uint8_t digest[PIN_DIGEST_SIZE];
    void (*done)(struct tool_sight *sight);
};

struct gateway_ports {
    void *app;
    void (*see_tool)(void *app, struct tool_sight *sight);
    void (*ask_approval)(void *app, struct approval_ask *ask);
    void (*claim_use)(void *app, struct use_claim *claim);
    /* A lane works on this generation or a later one, and has cut every open
     * session that no longer holds. Called on that lane. */
    void (*enforced)(void *app, unsigned lane_index, uint64_t generation);
};

#endif
