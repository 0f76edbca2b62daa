/* http/forwarded.h - who the client is behind proxies that are trusted: X-Forwarded-For, and
 * Forwarded (RFC 7239). */
#ifndef WRIT_HTTP_FORWARDED_H
#define WRIT_HTTP_FORWARDED_H

#include "base/address.h"
#include "http/head.h"

/* The networks whose forwarding fields are believed; borrowed. */
struct trusted_proxies {
    const struct cidr *networks;
    size_t count;
};

/* Who speaks, as far as the peer is believed. */
struct client_view {
    struct ip ip; /* of the client; of the peer when it is no trusted proxy */
    bool trusted; /* the peer is a trusted proxy: its forwarding fields are kept */
};

/* False: a trusted proxy's fields can't be read, or they differ; refuse. *out is the peer. */
bool client_find(const struct trusted_proxies *trusted, const struct http_head *head,
                 const struct ip *peer, struct client_view *out);

#endif
