/* gateway/upstream.h - an upstream's definition, read; and the table by which a
 * lane finds it. */
#ifndef WRIT_GATEWAY_UPSTREAM_H
#define WRIT_GATEWAY_UPSTREAM_H

#include "base/buffer.h"
#include "crypto/scram.h"
#include "gateway/gateway.h"
#include "http/client.h"
#include "http/path.h"
#include "net/own.h"
#include "net/tls.h"
#include "world/world.h"

enum { UPSTREAM_ADDRESSES_MAX = 16, UPSTREAM_PASSWORD_MAX = 1024 };

enum upstream_type {
    UPSTREAM_HTTP,
    UPSTREAM_DOCKER,
    UPSTREAM_KUBERNETES,
    UPSTREAM_MCP,
    UPSTREAM_POSTGRES,
    UPSTREAM_REDIS,
    UPSTREAM_OTHER, /* no door of this gateway */
};
enum upstream_type upstream_type_of(struct slice name);
/* Which door serves it; DOOR_KINDS: none. */
enum door_kind upstream_door(enum upstream_type type);

/* After what a server connection is put back to its beginning before another session has it. */
enum pool_reset {
    POOL_RESET_WRITES, /* changes of rows, whose triggers may leave something, … */
    POOL_RESET_CALLS,  /* … or functions and definitions alone, … */
    POOL_RESET_ALWAYS, /* … or each transaction */
};

/* postgres: server connections that sessions share, each for one transaction at a time. */
struct pool_plan {
    unsigned size;  /* connections; 0: each session has its own */
    unsigned queue; /* sessions that may wait for one */
    int64_t wait_ms;
    enum pool_reset reset;
};

/* What the audit holds of a statement or command. */
enum record {
    RECORD_SHAPE, /* its words without its values */
    RECORD_FULL,
};

/* What a definition says. Owns its texts. */
struct upstream_plan {
    enum upstream_type type;
    char *addresses[UPSTREAM_ADDRESSES_MAX]; /* "host:port", "unix:/path" */
    size_t address_count;
    char *authority; /* what its Host field says */
    char *prefix;    /* path of the url without the last "/"; may be "" */
    char *host;      /* lower case; NULL: found by name */
    char *ca, *server_name;
    char *cert, *key;           /* a client certificate; NULL: none */
    char *user, *password_file; /* the gateway's own log-in; NULL: none */
    char *bearer_file;          /* the same where it is a token */
    char *database;             /* postgres */
    struct pool_plan pool;
    enum record record;
    bool tls, api_key;
    bool impersonate; /* kubernetes: the cluster is told the subject */
    bool stdio;       /* mcp: a server that is started here; its socket is the routes' to know */
    bool pinned;      /* mcp: a tool is used as it was approved, or not at all */
    enum path_params path_params;
    int64_t connect_ms, header_ms, idle_ms; /* 0: the default */
};

/* INVALID with the member at fault. Free the plan in any case. */
enum status upstream_plan_read(const json_t *definition, struct upstream_plan *out,
                               struct fault *fault) WRIT_MUST_USE;
void upstream_plan_free(struct upstream_plan *plan);

/* An upstream on one lane. Lives until nobody uses it and the table has a newer one. */
struct upstream {
    struct upstream_plan plan;
    struct slice authority, prefix, host; /* of the plan, measured */
    char *name_text;
    struct slice name;
    uint64_t version;
    struct http_upstream *client; /* made when it is first asked */
    struct tls_client *tls;
    const struct own *own;
    struct scram_memory scram;   /* of its log-ins */
    struct buffer authorization; /* the value of that field for it, read lately */
    uint64_t authorization_us;   /* when; 0: never */
    size_t good_address;         /* of the plan: the last to which a session was connected */
    struct upstream *next;       /* retired ones */
    uint64_t said_us;            /* when its last failure was logged */
    unsigned users;
    unsigned resting; /* sweeps since nobody used a retired one */
    bool retired;     /* the table has another one or none of its name */
    bool gone;        /* none: what is open to it is cut */
    bool broken;      /* the definition can't be served; reason tells */
    char reason[160];
};

/* What to secure a connection to it with; NULL with upstream->reason when it can't be made,
 * or when the plan wants none. */
struct tls_client *upstream_tls(struct upstream *upstream);
/* Appends the password of its log-in, read anew each time so that a rotated file counts;
 * nothing when it has none. A failure is in upstream->reason. The caller wipes it. */
enum status upstream_password(struct upstream *upstream, struct buffer *out) WRIT_MUST_USE;
/* The Authorization field of a request to it, from its log-in's files; empty when it has
 * none. Read anew each second, so that rotated files count. Lives until it is asked again. A
 * failure is in upstream->reason. */
enum status upstream_authorization(struct upstream *upstream, uint64_t now_us,
                                   struct slice *out) WRIT_MUST_USE;
/* May a connection be made to this address? Never to the gateway itself. */
bool upstream_may_dial(const struct upstream *upstream, const struct ip *ip, uint16_t port);
/* The same for its socket files; false with upstream->reason. */
bool upstream_sockets_allowed(struct upstream *upstream);
/* The HTTP client to ask it with; NULL when it can't be made, with upstream->reason. */
struct http_upstream *upstream_client(struct upstream *upstream, struct lane *lane);

struct routes; /* the table of one lane */

/* stdio_dir as of gateway_options. */
enum status routes_new(const struct own *own, const char *stdio_dir,
                       struct routes **out) WRIT_MUST_USE;
/* Ends all connections; nobody uses an upstream any more. Accepts NULL. */
void routes_free(struct routes *routes);
/* Takes over what the reader sees when its generation is another than before. */
void routes_follow(struct routes *routes, const struct world_reader *reader);
/* NULL: that door serves none of that name (an exact match), or none for that Host field. */
struct upstream *routes_by_name(const struct routes *routes, enum door_kind door,
                                struct slice name);
struct upstream *routes_by_host(const struct routes *routes, struct slice host);
void upstream_use(struct upstream *upstream);
void upstream_release(struct upstream *upstream);
/* Frees what was retired and is not used any more; once a second. */
void routes_sweep(struct routes *routes);
/* Closes connections that wait for a next request, where nobody is served. */
void routes_close_idle(struct routes *routes);

#endif
