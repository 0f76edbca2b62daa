/* gateway/gateway.h - the gateway as the program's wiring sees it: the doors'
 * listeners, one gateway lane on each lane, and the enforcement of changes. */
#ifndef WRIT_GATEWAY_GATEWAY_H
#define WRIT_GATEWAY_GATEWAY_H

#include "audit/audit.h"
#include "base/fault.h"
#include "gateway/ports.h"
#include "http/forwarded.h"
#include "meter/budget.h"
#include "meter/rate.h"
#include "meter/replay.h"
#include "proof/nonce.h"

struct gateway;
struct recorder;

/* The doors that listen, each at a place of its own. */
enum door_kind { DOOR_HTTP, DOOR_POSTGRES, DOOR_REDIS, DOOR_KINDS };

struct door_listen {
    struct slice address;     /* "127.0.0.1:7880"; empty: this door does not open */
    const char *cert, *key;   /* PEM files; NULL: clear */
    const char *client_ca;    /* NULL: none */
    struct slice client_cert; /* "none" "request" "require" */
    bool insecure;            /* clear on an address that is not loopback, on purpose */
};

struct gateway_options {
    struct door_listen doors[DOOR_KINDS];
    struct trusted_proxies trusted;
    const char *node;
    struct slice issuer; /* the authority's public URL, for WWW-Authenticate */
    struct world *world;
    struct audit *audit; /* journal i belongs to lane i */
    enum audit_mode audit_mode;
    struct rate_table *rates;
    struct budget_table *budgets;
    /* Proofs of possession: which were seen, our nonces, and since when we remember. */
    struct replay_table *replays;
    const struct nonce_source *nonces;
    bool nonce_required;
    int64_t started_at; /* wall ms */
    /* The URL that clients see the HTTP door under, a path prefix included
     * ("https://gw.example.com/api"); empty: where it listens. */
    struct slice http_url;
    struct recorder *recorder; /* of what sessions show; NULL: none is recorded */
    const struct gateway_ports *ports;
    unsigned lanes;
    size_t connections_max; /* for each lane */
    /* Where this process listens itself besides the doors ("127.0.0.1:7800",
     * "unix:/path"; a wildcard covers every local address): an upstream that
     * resolves to one of these, or to a door, is refused when it is connected. */
    const struct slice *own_addresses;
    size_t own_address_count;
    /* Where the sockets of servers lie that the program starts for upstreams with `stdio`:
     * DIR/NAME.sock. NULL: it starts none. Outlives the gateway. */
    const char *stdio_dir;
};

enum status gateway_new(const struct gateway_options *options, struct gateway **out,
                        struct fault *fault) WRIT_MUST_USE;
/* Makes lane `index`'s part (reader, pools, listeners); called on the lane's own
 * thread before it serves. */
enum status gateway_attach(struct gateway *gateway, struct lane *lane, unsigned index,
                           struct fault *fault) WRIT_MUST_USE;
/* Where a door listens, also when its address said port 0; 0: it does not. Holds once
 * lane 0 is attached. */
uint16_t gateway_port(const struct gateway *gateway, enum door_kind kind);
/* The lane's hooks, to be called from the wiring's own (lane_hooks.turn, .stop):
 * turn lets go of what was read from the world; without it no change is ever
 * reclaimed or answered. stop closes the doors; what is open may finish. */
void gateway_turn(struct lane *lane);
void gateway_stop(struct lane *lane);
/* From any thread: every lane looks again at its open sessions with the picture
 * of this generation, cuts what no longer holds, then calls ports->enforced. */
void gateway_announce(struct gateway *gateway, uint64_t generation);
/* From any thread: what is known here may be acted on until then (clock_boot_us); afterwards
 * everything is refused and what is open is cut, until it is called again. Never called: for
 * ever. */
void gateway_lease(struct gateway *gateway, uint64_t until_us);
/* From any thread: stop accepting, finish what is open within the time, cut the rest. */
void gateway_drain(struct gateway *gateway, int64_t within_ms);
bool gateway_drained(const struct gateway *gateway);
/* From any thread: read the listeners' certificates again; wrong files leave the old. */
void gateway_reload_certificates(struct gateway *gateway);
void gateway_free(struct gateway *gateway); /* lanes have stopped */

/* Is this definition of an upstream one that a door can serve? INVALID with the
 * member at fault. For the authority, before it writes one; definitions that name
 * files are checked for their form alone. Types without a door are OK. */
enum status gateway_check_upstream(const json_t *definition, struct fault *fault) WRIT_MUST_USE;

/* Counters for /metrics, summed over lanes. */
struct gateway_stats {
    uint64_t connections_open, connections_total;
    uint64_t allowed, refused, unauthenticated, malformed, limited, upstream_failed;
    uint64_t bytes_in, bytes_out;
    uint64_t sessions_cut;
    uint64_t
        latency_us_buckets[16]; /* upper bounds 2^(i+6) µs: 64 µs … 2 s, the last without bound */
    uint64_t latency_us_sum;
};
void gateway_stats(const struct gateway *gateway, struct gateway_stats *out);

#endif
