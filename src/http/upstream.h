/* http/upstream.h - upstreams, their links and exchanges, within the room. */
#ifndef WRIT_HTTP_UPSTREAM_H
#define WRIT_HTTP_UPSTREAM_H

#include "body.h"
#include "http/client.h"
#include "net/resolve.h"
#include "net/timer.h"

enum { ADDRESSES_MAX = 16 };

enum address_kind { ADDRESS_IP, ADDRESS_NAME, ADDRESS_UNIX };

struct address {
    struct http_upstream *upstream;
    char *text; /* the Unix path or the name */
    struct ip ips[RESOLVE_MAX];
    unsigned ip_count, ip_at; /* ip_at: the one that is used */
    uint16_t port;
    uint8_t kind;
    bool resolving;
    uint64_t fresh_until_us; /* of a resolved name */
    uint64_t down_until_us;  /* after failures, each longer than the one before */
    unsigned failures;
    struct http_exchange *waiting; /* for the name */
};

struct http_upstream {
    struct lane *lane;
    struct http_upstream_options options;
    struct address addresses[ADDRESSES_MAX];
    unsigned address_count, next_address;
    struct link *idle, *oldest; /* newest first */
    struct http_exchange *spare;
    struct http_upstream_stats stats;
    struct timer sweep;
    size_t holders; /* links, exchanges and look-ups that need it */
    bool freed;
};

/* One connection. */
struct link {
    struct link *next, *prev; /* while idle */
    struct http_upstream *upstream;
    struct stream *stream;
    struct http_exchange *exchange;
    struct address *address;
    struct buffer in;
    struct body body; /* of the answer */
    struct timer timer;
    uint64_t since_us;
    int64_t limit_ms;
    bool ready, reused, reading, closing, idling;
    bool ended; /* the upstream ended its side while the caller paused */
};

struct http_exchange {
    struct http_exchange *next; /* spare or waiting */
    struct http_upstream *upstream;
    struct link *link;
    struct address *waits_for; /* its name */
    const struct http_exchange_handler *handler;
    void *context, *data;
    struct buffer out; /* the head, kept as long as it may be sent again; held body */
    size_t sent;       /* of out */
    uint64_t left;     /* of the request's body, LENGTH */
    struct lane_message message;
    const char *why;
    uint32_t tried; /* addresses, as bits */
    uint8_t ip_tries, informational;
    uint8_t method, body; /* enum http_method, enum http_body of the request */
    uint8_t status;       /* enum status, of a failure that is still to be told */
    bool posted, aborted;
    bool closed_head; /* the request's head is complete */
    bool complete;    /* the request is */
    bool upgrade, keep, retried;
    bool asked;    /* a byte of the request went over this link */
    bool answered; /* a byte of an answer came */
    bool told_head;
    bool paused, blocked;
};

/* Finds the exchange a link, kept or new. Failures are told later. */
void upstream_assign(struct http_exchange *exchange, bool fresh);
/* Opens a new one to an address not tried yet; false: there is none left. */
bool upstream_connect(struct http_exchange *exchange);
void upstream_keep(struct link *link);
void upstream_hold(struct http_upstream *upstream);
void upstream_let_go(struct http_upstream *upstream);

void link_close(struct link *link);
void link_broken(struct link *link, enum status status);
void link_wait(struct link *link, int64_t ms);
void link_read(struct stream *stream, enum status status, struct slice bytes, void *context);
/* The link is connected, or is a kept one: sends what waits. */
void link_begin(struct link *link);

/* At once, in a callback of the lane. */
void exchange_fail(struct http_exchange *exchange, enum status status, const char *why);
/* Soon, outside of the function that the owner called: OK reads on, CLOSED is a link
 * that broke in a write, all else fails the exchange. The first failure stands. */
void exchange_post(struct http_exchange *exchange, enum status status, const char *why);
void exchange_give(struct http_exchange *exchange);

#endif
