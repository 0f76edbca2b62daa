/* gateway/gate.h - the gateway's part on one lane, and a request on its way
 * through it. Everything here is touched on that lane alone, but for what is
 * marked atomic. */
#ifndef WRIT_GATEWAY_GATE_H
#define WRIT_GATEWAY_GATE_H

#include <stdatomic.h>

#include "base/secret.h"
#include "gateway/gateway.h"
#include "net/listener.h"
#include "net/own.h"
#include "net/timer.h"
#include "refusal.h"
#include "upstream.h"

struct door;
struct http_door;
struct passage;
struct passage_approval;
struct budget_holds;
struct dpop_verifier;
struct certificate_prover;

enum {
    LATENCY_BUCKETS = 16,
    DOORS_MAX = 8,
    PASSAGE_CLIENT_GONE = 499, /* the audit's status when the client left without an answer */
};

/* Written by the lane, read by whoever asks for the numbers. */
struct gate_counters {
    atomic_uint_least64_t connections, allowed, refused, unauthenticated, malformed, limited;
    atomic_uint_least64_t upstream_failed, bytes_in, bytes_out, cut, latency_us_sum;
    atomic_uint_least64_t open; /* connections */
    atomic_uint_least64_t latency[LATENCY_BUCKETS];
};

static inline void
counter_add(atomic_uint_least64_t *counter, uint64_t more)
{
    /* One writer: no locked instruction is needed. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* What a door made of a message: the triple, and the credential that it shows. */
enum token_scheme { SCHEME_NONE, SCHEME_BEARER, SCHEME_DPOP, SCHEME_API_KEY };

struct asked {
    struct request request;
    struct slice token; /* as presented; empty: none */
    enum token_scheme scheme;
    struct slice agent;
    /* A session is opened: what is asked in it are errands (errand.h). The request names
     * its upstream, and is "login" of "-". */
    bool login;
    /* To whoever may ask for anything at all at this upstream. */
    bool free;
    /* It goes on after its answer: what is open at once, and moves, can't be counted. */
    bool outlasts;
    /* mcp: the tool that is called, where the upstream's are pinned; empty: none. It must be as
     * it was approved, for as long as the call goes on. */
    struct slice tool;
    uint64_t session;
    uint16_t peer_port;
    struct upstream *upstream; /* NULL: there is none of that name */
    struct refusal fault;      /* GATE_NOTHING: a clear request */
};

/* One request between its first byte and its line in the audit. */
enum passage_state {
    PASSAGE_NEW,
    PASSAGE_WAITING, /* for a durable use, or an approval; the lane does not */
    PASSAGE_OPEN,    /* admitted: the audit line is begun, the upstream is asked */
};

struct passage {
    struct gate *gate;
    const struct door *door;
    void *wire;                  /* the door's connection or call; NULL: the client left */
    struct asked asked;          /* slices live as long as the wire, or in `kept` */
    struct passage *next, *prev; /* of the gate's open ones, or of the free ones */
    struct use_claim claim;
    struct passage_approval *approval; /* the last that was asked for; NULL: none */
    struct budget_holds *budgets;      /* of the right that let it through; NULL: none */
    uint64_t began_us;
    uint64_t traffic;      /* bytes that had moved when it was last judged */
    struct binding proven; /* the key that was proven when it came */
    bool nonce_old;        /* its proof's nonce ends soon: the answer brings another */
    audit_ticket ticket;
    enum passage_state state;
    bool counted;                   /* its use is taken: exhaustion is no reason to cut it */
    const struct audit_event *line; /* what the audit says; during refuse and open alone */
    void *kept;                     /* own copy of the slices; wiped and freed at the end */
    size_t kept_size;
    void *relay; /* the door's own part */
};

/* Where one door listens. */
struct door_place {
    char *address; /* NULL: the door does not open */
    struct tls_server *tls;
    uint16_t port; /* of the first lane's listener */
};

/* What was told last of a pinned tool: its digest, with the tool's name in it, and when. */
struct told_tool {
    atomic_uint_least64_t said[4], minute;
};
enum { TOLD_TOOLS = 8192 };

struct gateway {
    struct gateway_options options;
    struct own own;
    struct cidr *trusted;
    struct secret session_key; /* seals what clients carry back; of this process alone */
    struct gate *gates;
    struct door_place places[DOOR_KINDS];
    atomic_uint_least64_t lease_us; /* clock_boot_us; 0: no end */
    /* What was last told of pinned tools, so that it is told once (mcp/pins.h). */
    struct told_tool told_tools[TOLD_TOOLS];
    atomic_uint telling_tools; /* on their way */
    atomic_bool draining;
    atomic_int_least64_t drain_ms;
};

struct gate {
    struct gateway *gateway;
    struct lane *lane; /* NULL: not attached */
    unsigned index;
    struct world_reader *reader;
    struct audit_journal *journal;
    struct routes *routes;
    struct dpop_verifier *dpop;
    struct certificate_prover *certificates;
    struct arena scratch; /* for looking again at open passages */
    struct passage open;  /* head of the ring of passages under way */
    size_t open_count;
    struct passage *free_passages;
    size_t free_count;
    struct timer sweep, overdue, lapse;
    struct lane_message told;
    atomic_bool told_pending;
    struct lane_message drain;
    atomic_bool drain_pending;
    bool stopping;
    void *doors[DOORS_MAX]; /* each door's state on this lane */
    size_t bodies;          /* bytes set aside for bodies that are gathered */
    uint64_t random[2];     /* of trace ids: unique, not secret */
    struct gate_counters counters;
};

/* gate.c */
struct passage *passage_new(struct gate *gate, const struct door *door, void *wire);
void passage_free(struct passage *passage);
/* Copies what the passage's slices point at, so that it outlives the wire's
 * memory. False: out of memory, nothing changed. */
bool passage_keep(struct passage *passage);
uint64_t gate_random(struct gate *gate);
/* A node of a fleet that has lost contact may not know of a revocation. Asked before each
 * request, and before each piece that is relayed: nothing passes once its lease is over. */
bool gate_acts(const struct gate *gate);
struct refusal gate_lapsed(void); /* what is said then */

/* recheck.c: looks at all that is open with the picture of now, cuts what no
 * longer holds. */
void recheck_all(struct gate *gate);
/* Counts what is under way, cuts what has taken by far more than its right's budget. */
void recheck_budgets(struct gate *gate);
/* The time for finishing is over. */
void cut_all(struct gate *gate);

#endif
