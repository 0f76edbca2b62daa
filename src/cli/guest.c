/* cli/guest.c - a browser lets any page of the world send requests to a local port: they
 * are told by what the browser says of the page. */
#include "guest.h"

static bool
is_local_host(struct slice host)
{
    size_t colon = host.size;

    for (size_t i = 1; i < host.size; i++) {
        if (host.at[i] == ':' && (host.at[0] != '[' || host.at[i - 1] == ']'))
            colon = i;
    }
    host = slice_first(host, colon);
    return slice_equal_nocase(host, SLICE_LITERAL("localhost")) || slice_is(host, "127.0.0.1") ||
           slice_is(host, "[::1]");
}

/* RFC 6454 §7: "scheme://host:port", or "null" for a page that hides its own. */
static bool
is_local_origin(struct slice origin)
{
    size_t colon = slice_find(origin, ':');

    return slice_starts(slice_from(origin, colon), SLICE_LITERAL("://")) &&
           is_local_host(slice_from(origin, colon + 3));
}

/* Another Host is a name that a page's owner has pointed here (DNS rebinding). Where no
 * Origin comes along, as with images and links, Sec-Fetch-Site tells of another site. */
bool
guest_is_local(const struct http_head *head)
{
    struct slice origin = http_head_value(head, HTTP_FIELD_ORIGIN);
    struct slice site = http_head_value_named(head, SLICE_LITERAL("Sec-Fetch-Site"));

    if (!is_local_host(http_head_host(head)) || http_head_field_count(head, HTTP_FIELD_ORIGIN) > 1)
        return false;
    return origin.at != NULL ? is_local_origin(origin) : !slice_is(site, "cross-site");
}
