/* net/own.h - the addresses on which this process listens itself: an upstream
 * that leads to one of them would let a client speak through the gateway to the
 * authority, or in circles. */
#ifndef WRIT_NET_OWN_H
#define WRIT_NET_OWN_H

#include "base/address.h"

enum { OWN_MAX = 32 };

struct own_address {
    struct ip ip; /* IP_NONE: the Unix socket at path */
    uint16_t port;
    char *path;
};

/* Filled before the lanes run, read by all after. */
struct own {
    struct own_address addresses[OWN_MAX];
    size_t count;
};

/* "host:port" (an IP or "localhost"), "unix:/path". LIMIT: too many. */
enum status own_add(struct own *own, struct slice address) WRIT_MUST_USE;
void own_free(struct own *own);
/* Would a connection to this address end at one of ours? */
bool own_has(const struct own *own, const struct ip *ip, uint16_t port);
/* The same for a socket file, by what the path leads to. */
bool own_has_socket(const struct own *own, const char *path);

#endif
