/* net/resolve.c - look-ups on libuv's threads, answers on the lane. */
#include "net/resolve.h"

#include <stdlib.h>

#include "lane_inside.h"

enum { NAME_MAX_SIZE = 253 }; /* RFC 1035 section 2.3.4, in text */

struct lookup {
    uv_getaddrinfo_t request;
    struct lane_message message; /* for an answer that needs no look-up */
    struct lane *lane;
    resolve_callback callback;
    void *context;
    struct ip literal;
};

static void
answer(struct lookup *lookup, enum status status, const struct ip *ips, size_t count)
{
    struct lane *lane = lookup->lane;

    if (!lane->ending)
        lookup->callback(status, ips, count, lookup->context);
    free(lookup);
    lane_release(lane);
}

static void
on_literal(struct lane_message *message)
{
    struct lookup *lookup = LANE_OWNER(message, struct lookup, message);

    answer(lookup, STATUS_OK, &lookup->literal, 1);
}

static size_t
collect(const struct addrinfo *found, struct ip ips[RESOLVE_MAX])
{
    size_t count = 0;

    for (; found != NULL && count < RESOLVE_MAX; found = found->ai_next) {
        struct ip ip = ip_of_sockaddr(found->ai_addr);
        bool known = ip.family == IP_NONE;

        for (size_t i = 0; i < count && !known; i++)
            known = ip_equal(&ips[i], &ip);
        if (!known)
            ips[count++] = ip;
    }
    return count;
}

static void
on_found(uv_getaddrinfo_t *request, int code, struct addrinfo *found)
{
    struct lookup *lookup = LANE_OWNER(request, struct lookup, request);
    struct ip ips[RESOLVE_MAX];
    size_t count = code == 0 ? collect(found, ips) : 0;
    enum status status = code == UV_EAI_AGAIN ? STATUS_TIMEOUT : status_of_uv(code);

    uv_freeaddrinfo(found);
    if (status == STATUS_OK && count == 0)
        status = STATUS_NOT_FOUND;
    answer(lookup, status, ips, count);
}

enum status
resolve_name(struct lane *lane, struct slice name, resolve_callback callback, void *context)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct lookup *lookup;
    char text[NAME_MAX_SIZE + 1];
    int code = 0;

    lane_assert(lane);
    if (name.size == 0 || name.size > NAME_MAX_SIZE || slice_find(name, '\0') != name.size)
        return STATUS_INVALID;
    if (lane->ending)
        return STATUS_CLOSED;
    lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return STATUS_MEMORY;
    lookup->lane = lane;
    lookup->callback = callback;
    lookup->context = context;
    memcpy(text, name.at, name.size);
    text[name.size] = '\0';
    lane_hold(lane);
    if (ip_parse(name, &lookup->literal) == STATUS_OK) {
        lookup->message.run = on_literal;
        lane_post(lane, &lookup->message);
    } else {
        code = uv_getaddrinfo(&lane->loop, &lookup->request, on_found, text, NULL, &hints);
    }
    if (code != 0) {
        free(lookup);
        lane_release(lane);
    }
    return status_of_uv(code);
}
