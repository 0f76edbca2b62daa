/* fetch/guard.c - looks at an address before it is connected to. Private networks are allowed:
 * the URL is in a local file, written by who runs this process. */
#include "fetch/guard.h"

/* Where machines of a cloud ask for credentials counts as link-local, though not all of it is. */
#define LINK_LOCAL "is link-local, where a cloud keeps its credentials"

static const struct {
    const char *network, *why;
} barred[] = {
    { "0.0.0.0/8", "is no address of a server" },
    { "::/128", "is no address of a server" },
    { "169.254.0.0/16", LINK_LOCAL },
    { "fe80::/10", LINK_LOCAL },
    { "fd00:ec2::/32", LINK_LOCAL },
    { "100.100.100.200/32", LINK_LOCAL },
    { "64:ff9b::a9fe:0/112", LINK_LOCAL }, /* 169.254.0.0/16 through NAT64 (RFC 6052) */
    { "224.0.0.0/4", "is a multicast address" },
    { "ff00::/8", "is a multicast address" },
    { "240.0.0.0/4", "is no address of a server" }, /* broadcast among them */
};

const char *
guard_bars(const struct guard *guard, const struct ip *ip, uint16_t port)
{
    struct cidr network;

    if (ip->family == IP_NONE)
        return "is no Internet address";
    for (size_t i = 0; i < sizeof barred / sizeof barred[0]; i++) {
        if (cidr_parse(slice_text(barred[i].network), &network) != STATUS_OK ||
            cidr_contains(&network, ip))
            return barred[i].why;
    }
    if (own_has(guard->own, ip, port))
        return "is one that this process itself listens on";
    if (guard->loopback_only && !ip_is_loopback(ip))
        return "is not loopback, and http would cross the network in clear";
    return NULL;
}
