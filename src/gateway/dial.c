/* gateway/dial.c - connects a session to its upstream, address after address. */
#include "dial.h"

#include <stdlib.h>

#include "base/clock.h"
#include "net/resolve.h"

enum { CONNECT_MS = 10 * MS_SECOND };

struct dial {
    struct upstream *upstream;
    struct lane *lane;
    dial_done done; /* NULL: called off */
    void *context;
    struct stream *stream;
    size_t first, tried;        /* addresses of the plan: where it began, how many it has tried */
    struct ip ips[RESOLVE_MAX]; /* of the address that is being tried */
    size_t ip_count, ip_at;
    uint16_t port;
    bool resolving;
    enum status status; /* of the last failure */
    const char *why;
    struct lane_message next; /* goes on outside the caller's call */
};

static void try_next(struct dial *dial);

static void
dial_free(struct dial *dial)
{
    upstream_release(dial->upstream);
    free(dial);
}

static void
finish(struct dial *dial, enum status status)
{
    struct stream *stream = dial->stream;

    if (dial->done != NULL)
        dial->done(status, status == STATUS_OK ? stream : NULL, dial->why, dial->context);
    else if (stream != NULL)
        stream_close(stream, NULL, NULL);
    dial_free(dial);
}

static const char *
failure_text(enum status status)
{
    switch (status) {
    case STATUS_TIMEOUT:
        return "the upstream did not accept in time";
    case STATUS_DENIED:
        return "the upstream's certificate is not right";
    default:
        return "the upstream is not reachable";
    }
}

static void
failed(struct dial *dial, enum status status, const char *why)
{
    dial->status = status;
    dial->why = why;
}

static void
on_connected(struct stream *stream, enum status status, void *context)
{
    struct dial *dial = context;

    if (status == STATUS_OK) {
        dial->upstream->good_address =
            (dial->first + dial->tried - 1) % dial->upstream->plan.address_count;
        finish(dial, STATUS_OK);
        return;
    }
    dial->stream = NULL;
    stream_close(stream, NULL, NULL);
    failed(dial, status, failure_text(status));
    try_next(dial);
}

static bool
connect_to(struct dial *dial, struct stream_target *target)
{
    struct upstream *upstream = dial->upstream;
    int64_t timeout = upstream->plan.connect_ms;

    target->timeout_ms = timeout != 0 ? timeout : CONNECT_MS;
    if (upstream->plan.tls && upstream->plan.type != UPSTREAM_POSTGRES) {
        target->tls = upstream_tls(upstream);
        if (target->tls == NULL) {
            failed(dial, STATUS_CRYPTO, "TLS to the upstream can't be set up");
            return false;
        }
    }
    enum status status = stream_connect(dial->lane, target, on_connected, dial, &dial->stream);
    if (status == STATUS_OK)
        return true;
    dial->stream = NULL;
    failed(dial, status, failure_text(status));
    return false;
}

/* The addresses that a name has given, one after the other. */
static bool
try_ips(struct dial *dial)
{
    while (dial->ip_at < dial->ip_count) {
        struct stream_target target = { .ip = dial->ips[dial->ip_at++], .port = dial->port };

        if (!upstream_may_dial(dial->upstream, &target.ip, target.port))
            failed(dial, STATUS_DENIED, "the upstream's address is one of this gateway");
        else if (connect_to(dial, &target))
            return true;
    }
    return false;
}

static void
on_resolved(enum status status, const struct ip *ips, size_t count, void *context)
{
    struct dial *dial = context;

    dial->resolving = false;
    if (dial->done == NULL) {
        finish(dial, STATUS_CLOSED);
        return;
    }
    if (status != STATUS_OK) {
        failed(dial, status, "the upstream's name can't be resolved");
    } else {
        dial->ip_count = count < RESOLVE_MAX ? count : RESOLVE_MAX;
        memcpy(dial->ips, ips, dial->ip_count * sizeof(*ips));
    }
    try_next(dial);
}

/* True: something is under way. */
static bool
try_address(struct dial *dial, const char *address)
{
    struct slice host;

    dial->ip_count = dial->ip_at = 0;
    if (strncmp(address, "unix:", 5) == 0) {
        if (!upstream_sockets_allowed(dial->upstream)) {
            failed(dial, STATUS_DENIED, "the upstream's address is a socket of this gateway");
            return false;
        }
        return connect_to(dial, &(struct stream_target){ .unix_path = address + 5 });
    }
    if (host_port_parse(slice_text(address), &host, &dial->port) != STATUS_OK) {
        failed(dial, STATUS_INVALID, "the upstream's address can't be read");
        return false;
    }
    if (ip_parse(host, &dial->ips[0]) == STATUS_OK) {
        dial->ip_count = 1;
        return try_ips(dial);
    }
    if (resolve_name(dial->lane, host, on_resolved, dial) != STATUS_OK) {
        failed(dial, STATUS_MEMORY, "the upstream's name can't be resolved");
        return false;
    }
    dial->resolving = true;
    return true;
}

static void
try_next(struct dial *dial)
{
    const struct upstream_plan *plan = &dial->upstream->plan;

    if (try_ips(dial))
        return;
    while (dial->tried < plan->address_count) {
        size_t at = (dial->first + dial->tried++) % plan->address_count;
        if (try_address(dial, plan->addresses[at]))
            return;
    }
    finish(dial, dial->status);
}

static void
begin(struct lane_message *message)
{
    struct dial *dial = LANE_OWNER(message, struct dial, next);

    if (dial->done == NULL)
        finish(dial, STATUS_CLOSED);
    else
        try_next(dial);
}

enum status
dial_start(struct upstream *upstream, struct lane *lane, dial_done done, void *context,
           struct dial **out)
{
    struct dial *dial;

    if (upstream->broken || upstream->plan.address_count == 0)
        return STATUS_INVALID;
    dial = calloc(1, sizeof(*dial));
    if (dial == NULL)
        return STATUS_MEMORY;
    dial->upstream = upstream;
    dial->lane = lane;
    dial->done = done;
    dial->context = context;
    dial->first = upstream->good_address;
    dial->status = STATUS_IO;
    dial->why = failure_text(STATUS_IO);
    dial->next.run = begin;
    upstream_use(upstream);
    if (!lane_post(lane, &dial->next)) {
        dial_free(dial);
        return STATUS_CLOSED;
    }
    *out = dial;
    return STATUS_OK;
}

void
dial_cancel(struct dial *dial)
{
    dial->done = NULL;
    /* Without a stream its message or its name is still to come, and ends it. */
    if (dial->stream != NULL)
        finish(dial, STATUS_CLOSED);
}
