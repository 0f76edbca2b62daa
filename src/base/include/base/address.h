/* base/address.h - IP addresses, networks in CIDR, host:port texts.
 * IPv4-mapped IPv6 addresses are IPv4 everywhere, so that a rule on 10.0.0.0/8
 * can't be dodged through ::ffff:10.0.0.1. */
#ifndef WRIT_BASE_ADDRESS_H
#define WRIT_BASE_ADDRESS_H

#include <sys/socket.h>

#include "base/fault.h"
#include "base/slice.h"

enum ip_family { IP_NONE, IP_V4, IP_V6 }; /* IP_NONE: a Unix socket peer */

struct ip {
    enum ip_family family;
    uint8_t bytes[16]; /* v4 uses the first four; the rest is zero */
};

struct cidr {
    struct ip ip; /* host bits are zero */
    uint8_t bits;
};

enum { IP_TEXT_MAX = 48, CIDR_TEXT_MAX = 52 };

enum status ip_parse(struct slice text, struct ip *out) WRIT_MUST_USE;
const char *ip_format(const struct ip *ip, char out[IP_TEXT_MAX]); /* "unix" for IP_NONE */
struct ip ip_of_sockaddr(const struct sockaddr *address);
bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);

/* "10.0.0.0/8", "::1", "10.1.2.3" (a full-length network). Host bits set: INVALID. */
enum status cidr_parse(struct slice text, struct cidr *out) WRIT_MUST_USE;
const char *cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_MAX]);
bool cidr_contains(const struct cidr *cidr, const struct ip *ip);
bool cidr_within(const struct cidr *narrow, const struct cidr *wide);

/* "host:port", "[v6]:port"; the host is a borrowed slice without brackets. */
enum status host_port_parse(struct slice text, struct slice *host, uint16_t *port) WRIT_MUST_USE;

#endif
