/* http/forwarded.c - who the client is behind proxies that are trusted. */
#include "http/forwarded.h"

/* "1.2.3.4", "1.2.3.4:80", "[v6]:80", "v6", with quotes in Forwarded. */
static bool
node_ip(struct slice node, struct ip *out)
{
    struct slice host;
    uint16_t port;

    if (node.size >= 2 && node.at[0] == '"' && node.at[node.size - 1] == '"')
        node = slice_of(node.at + 1, node.size - 2);
    if (ip_parse(node, out) == STATUS_OK)
        return true;
    if (node.size > 2 && node.at[0] == '[' && node.at[node.size - 1] == ']')
        return ip_parse(slice_of(node.at + 1, node.size - 2), out) == STATUS_OK;
    return host_port_parse(node, &host, &port) == STATUS_OK && ip_parse(host, out) == STATUS_OK;
}

/* The node of one element of Forwarded (RFC 7239 §4). */
static struct slice
forwarded_for(struct slice element)
{
    struct slice pair;

    while (slice_next(&element, ';', &pair)) {
        pair = slice_trim(pair);
        if (pair.size > 4 && slice_equal_nocase(slice_first(pair, 4), SLICE_LITERAL("for=")))
            return slice_from(pair, 4);
    }
    return slice_of(NULL, 0);
}

static bool
is_trusted(const struct trusted_proxies *trusted, const struct ip *ip)
{
    for (size_t i = 0; i < trusted->count; i++) {
        if (cidr_contains(&trusted->networks[i], ip))
            return true;
    }
    return false;
}

enum chain { CHAIN_ABSENT, CHAIN_FOUND, CHAIN_BAD };

/* From the right, each proxy tells who spoke to it; the first that is not trusted
 * itself is the client. What stands further left is the client's own claim. */
static enum chain
walk_chain(const struct trusted_proxies *trusted, struct slice value, bool forwarded,
           struct ip *client)
{
    bool found = false;

    while (value.size > 0) {
        size_t start = value.size;
        while (start > 0 && value.at[start - 1] != ',')
            start--;
        struct slice element = slice_trim(slice_from(value, start));
        if (!node_ip(forwarded ? forwarded_for(element) : element, client))
            return CHAIN_BAD;
        found = true;
        if (!is_trusted(trusted, client))
            break;
        value = slice_first(value, start == 0 ? 0 : start - 1);
    }
    return found ? CHAIN_FOUND : CHAIN_ABSENT;
}

bool
client_find(const struct trusted_proxies *trusted, const struct http_head *head,
            const struct ip *peer, struct client_view *out)
{
    struct ip by_x = *peer, by_forwarded = *peer;

    *out = (struct client_view){ .ip = *peer };
    if (!is_trusted(trusted, peer))
        return true;
    out->trusted = true;
    /* Several fields would be one list, but proxies differ in what they make of it. */
    if (http_head_field_count(head, HTTP_FIELD_X_FORWARDED_FOR) > 1 ||
        http_head_field_count(head, HTTP_FIELD_FORWARDED) > 1)
        return false;
    enum chain x =
        walk_chain(trusted, http_head_value(head, HTTP_FIELD_X_FORWARDED_FOR), false, &by_x);
    enum chain forwarded =
        walk_chain(trusted, http_head_value(head, HTTP_FIELD_FORWARDED), true, &by_forwarded);
    if (x == CHAIN_BAD || forwarded == CHAIN_BAD)
        return false;
    /* A proxy that writes one field passes the client's other one on unseen. */
    if (x == CHAIN_FOUND && forwarded == CHAIN_FOUND && !ip_equal(&by_x, &by_forwarded))
        return false;
    if (x == CHAIN_FOUND)
        out->ip = by_x;
    else if (forwarded == CHAIN_FOUND)
        out->ip = by_forwarded;
    return true;
}
