/* net/own.c - recognises connections that would end at this process itself. */
#include "net/own.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <sys/stat.h>

enum status
own_add(struct own *own, struct slice address)
{
    struct own_address *entry = &own->addresses[own->count];
    struct slice prefix = SLICE_LITERAL("unix:");
    struct slice host;

    if (own->count == OWN_MAX)
        return STATUS_LIMIT;
    *entry = (struct own_address){ 0 };
    if (slice_starts(address, prefix)) {
        entry->path = slice_strdup(slice_from(address, prefix.size));
        if (entry->path == NULL)
            return STATUS_MEMORY;
        own->count++;
        return STATUS_OK;
    }
    enum status status = host_port_parse(address, &host, &entry->port);
    /* A name is taken as the wildcard: it may resolve to any address of this host. */
    if (status == STATUS_OK && ip_parse(host, &entry->ip) != STATUS_OK)
        entry->ip = (struct ip){ .family = IP_V4 };
    if (status == STATUS_OK)
        own->count++;
    return status;
}

void
own_free(struct own *own)
{
    for (size_t i = 0; i < own->count; i++)
        free(own->addresses[i].path);
    own->count = 0;
}

static bool
is_unspecified(const struct ip *ip)
{
    static const uint8_t zero[sizeof(ip->bytes)];

    return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

/* Interfaces come and go, so they are asked anew; only a connection to a port of
 * ours comes here. */
static bool
is_local(const struct ip *ip)
{
    struct ifaddrs *list;
    bool found = ip_is_loopback(ip);

    if (found)
        return true;
    if (getifaddrs(&list) != 0)
        return true; /* not known: refused */
    for (const struct ifaddrs *at = list; at != NULL && !found; at = at->ifa_next) {
        if (at->ifa_addr == NULL)
            continue;
        struct ip local = ip_of_sockaddr(at->ifa_addr);
        found = local.family != IP_NONE && ip_equal(&local, ip);
    }
    freeifaddrs(list);
    return found;
}

bool
own_has(const struct own *own, const struct ip *ip, uint16_t port)
{
    for (size_t i = 0; i < own->count; i++) {
        const struct own_address *entry = &own->addresses[i];
        if (entry->path != NULL || entry->port != port)
            continue;
        /* A connection to the unspecified address goes to this host's loopback. */
        if (ip_equal(&entry->ip, ip) || is_unspecified(ip))
            return true;
        if (is_unspecified(&entry->ip) && is_local(ip))
            return true;
    }
    return false;
}

bool
own_has_socket(const struct own *own, const char *path)
{
    struct stat asked, ours;

    for (size_t i = 0; i < own->count; i++) {
        const char *mine = own->addresses[i].path;
        if (mine == NULL)
            continue;
        if (strcmp(mine, path) == 0)
            return true;
        if (stat(path, &asked) == 0 && stat(mine, &ours) == 0 && asked.st_dev == ours.st_dev &&
            asked.st_ino == ours.st_ino)
            return true;
    }
    return false;
}
