/* http/upstream.c - where an exchange gets its connection: kept ones, then new ones
 * to addresses that are up, the others after a while. */
#include "upstream.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
    RESOLVED_MS = 30000,
    DOWN_FIRST_MS = 500,
    DOWN_DOUBLINGS = 6, /* 32 s at most */
    SWEEP_MS = 1000
};

static void on_resolved(enum status status, const struct ip *ips, size_t count, void *context);

static uint64_t
now_us(const struct http_upstream *upstream)
{
    return lane_mono_us(upstream->lane);
}

/* --- life --- */

static void
upstream_destroy(struct http_upstream *upstream)
{
    timer_disarm(&upstream->sweep);
    for (unsigned i = 0; i < upstream->address_count; i++)
        free(upstream->addresses[i].text);
    while (upstream->spare != NULL) {
        struct http_exchange *exchange = upstream->spare;

        upstream->spare = exchange->next;
        buffer_free(&exchange->out);
        free(exchange);
    }
    free(upstream);
}

void
upstream_hold(struct http_upstream *upstream)
{
    upstream->holders++;
}

void
upstream_let_go(struct http_upstream *upstream)
{
    if (--upstream->holders == 0)
        upstream_destroy(upstream);
}

static enum status
address_parse(struct address *address, const char *text, struct fault *fault)
{
    struct slice host;

    if (strncmp(text, "unix:", 5) == 0) {
        address->kind = ADDRESS_UNIX;
        address->text = strdup(text + 5);
        if (text[5] != '/')
            return fault_set(fault, STATUS_INVALID, "%s: the path must start with '/'", text);
        return address->text == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory") : STATUS_OK;
    }
    if (host_port_parse(slice_text(text), &host, &address->port) != STATUS_OK ||
        address->port == 0 || host.size == 0)
        return fault_set(fault, STATUS_INVALID, "%s: not host:port or unix:/path", text);
    if (ip_parse(host, &address->ips[0]) == STATUS_OK) {
        address->kind = ADDRESS_IP;
        address->ip_count = 1;
        return STATUS_OK;
    }
    address->kind = ADDRESS_NAME;
    address->text = slice_strdup(host);
    return address->text == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory") : STATUS_OK;
}

static void
sweep(struct timer *timer)
{
    struct http_upstream *upstream = LANE_OWNER(timer, struct http_upstream, sweep);
    uint64_t now = now_us(upstream);

    while (upstream->oldest != NULL &&
           now - upstream->oldest->since_us >= (uint64_t)upstream->options.keep_ms * 1000)
        link_close(upstream->oldest);
    if (upstream->idle != NULL)
        timer_arm(upstream->lane, timer, SWEEP_MS);
}

enum status
http_upstream_new(struct lane *lane, const struct http_upstream_options *options,
                  struct http_upstream **out, struct fault *fault)
{
    struct http_upstream *upstream;
    struct http_upstream_options *o;
    enum status status;

    if (options->address_count == 0 || options->address_count > ADDRESSES_MAX)
        return fault_set(fault, STATUS_INVALID, "an upstream has 1 to %d addresses", ADDRESSES_MAX);
    upstream = calloc(1, sizeof *upstream);
    if (upstream == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    upstream->lane = lane;
    upstream->options = *options;
    upstream->sweep.fire = sweep;
    o = &upstream->options;
    o->addresses = NULL;
    o->connect_ms = o->connect_ms != 0 ? o->connect_ms : 10 * MS_SECOND;
    o->header_ms = o->header_ms != 0 ? o->header_ms : MS_MINUTE;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : MS_MINUTE;
    o->keep_ms = o->keep_ms != 0 ? o->keep_ms : 30 * MS_SECOND;
    o->keep_max = o->keep_max != 0 ? o->keep_max : 64;
    o->connections = o->connections != 0 ? o->connections : 4096;
    for (size_t i = 0; i < options->address_count; i++) {
        struct address *address = &upstream->addresses[upstream->address_count++];

        address->upstream = upstream;
        status = address_parse(address, options->addresses[i], fault);
        if (status != STATUS_OK) {
            upstream_destroy(upstream);
            return status;
        }
    }
    upstream->holders = 1;
    *out = upstream;
    return STATUS_OK;
}

void
http_upstream_free(struct http_upstream *upstream)
{
    if (upstream == NULL)
        return;
    upstream->freed = true;
    while (upstream->idle != NULL)
        link_close(upstream->idle);
    upstream_let_go(upstream);
}

void
http_upstream_stats(const struct http_upstream *upstream, struct http_upstream_stats *out)
{
    *out = upstream->stats;
}

/* --- links kept --- */

static void
idle_remove(struct link *link)
{
    struct http_upstream *upstream = link->upstream;

    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        upstream->idle = link->next;
    if (link->next != NULL)
        link->next->prev = link->prev;
    else
        upstream->oldest = link->prev;
    link->next = link->prev = NULL;
    link->idling = false;
    upstream->stats.idle--;
}

void
upstream_keep(struct link *link)
{
    struct http_upstream *upstream = link->upstream;

    if (upstream->freed || upstream->stats.idle >= upstream->options.keep_max ||
        lane_stopping(upstream->lane)) {
        link_close(link);
        return;
    }
    link->since_us = now_us(upstream);
    link->limit_ms = -1;
    link->idling = true;
    link->next = upstream->idle;
    link->prev = NULL;
    if (link->next != NULL)
        link->next->prev = link;
    else
        upstream->oldest = link;
    upstream->idle = link;
    upstream->stats.idle++;
    if (link->in.capacity > 0)
        buffer_free(&link->in);
    if (!timer_armed(&upstream->sweep))
        timer_arm(upstream->lane, &upstream->sweep, SWEEP_MS);
}

static void
on_link_closed(struct stream *stream, void *context)
{
    struct link *link = context;
    struct http_upstream *upstream = link->upstream;

    buffer_free(&link->in);
    body_free(&link->body);
    free(link);
    upstream_let_go(upstream);
}

void
link_close(struct link *link)
{
    if (link->closing)
        return;
    link->closing = true;
    if (link->idling)
        idle_remove(link);
    timer_disarm(&link->timer);
    link->exchange = NULL;
    link->upstream->stats.open--;
    if (link->stream != NULL)
        stream_close(link->stream, on_link_closed, link);
    else
        on_link_closed(NULL, link);
}

/* Armed lazily, as the server's: a fire that comes too early arms anew. */
void
link_wait(struct link *link, int64_t ms)
{
    bool sooner = link->limit_ms < 0 || ms < link->limit_ms;

    link->limit_ms = ms;
    link->since_us = now_us(link->upstream);
    if (ms > 0 && (sooner || !timer_armed(&link->timer)))
        timer_arm(link->upstream->lane, &link->timer, ms);
}

static void
link_fire(struct timer *timer)
{
    struct link *link = LANE_OWNER(timer, struct link, timer);
    uint64_t end = link->since_us + (uint64_t)link->limit_ms * 1000, now = now_us(link->upstream);

    if (link->exchange == NULL || link->limit_ms <= 0)
        return;
    if (link->exchange->paused)
        link_wait(link, link->limit_ms);
    else if (now < end)
        timer_arm(link->upstream->lane, timer, (int64_t)((end - now) / 1000) + 1);
    else
        exchange_fail(link->exchange, STATUS_TIMEOUT,
                      link->exchange->told_head ? "the upstream fell silent"
                                                : "the upstream did not answer in time");
}

/* --- new links --- */

static void
address_down(struct address *address)
{
    unsigned doublings = address->failures < DOWN_DOUBLINGS ? address->failures : DOWN_DOUBLINGS;

    address->failures++;
    address->down_until_us =
        now_us(address->upstream) + ((uint64_t)DOWN_FIRST_MS << doublings) * 1000;
    if (address->ip_count > 1)
        address->ip_at = (address->ip_at + 1) % address->ip_count;
}

static void
on_connected(struct stream *stream, enum status status, void *context)
{
    struct link *link = context;
    struct http_exchange *exchange = link->exchange;
    struct address *address = link->address;

    if (link->closing)
        return;
    if (status == STATUS_OK) {
        address->failures = 0;
        address->down_until_us = 0;
        link->upstream->stats.connected++;
        link->ready = link->reading = true;
        stream_read_start(stream, link_read, link);
        link_begin(link);
        return;
    }
    address_down(address);
    exchange->link = NULL;
    link_close(link);
    if (++exchange->ip_tries < address->ip_count)
        exchange->tried &= ~(1u << (address - exchange->upstream->addresses));
    else
        exchange->ip_tries = 0;
    if (!upstream_connect(exchange))
        exchange_fail(exchange, status,
                      status == STATUS_TIMEOUT  ? "the upstream did not accept in time"
                      : status == STATUS_DENIED ? "the upstream's certificate is not right"
                                                : "the upstream is not reachable");
}

static enum status
link_open(struct http_exchange *exchange, struct address *address)
{
    struct http_upstream *upstream = exchange->upstream;
    struct stream_target target = { .tls = upstream->options.tls,
                                    .timeout_ms = upstream->options.connect_ms };
    struct link *link;
    enum status status;

    if (address->kind == ADDRESS_UNIX) {
        target.unix_path = address->text;
    } else {
        target.ip = address->ips[address->ip_at];
        target.port = address->port;
        if (upstream->options.allowed != NULL &&
            !upstream->options.allowed(&target.ip, target.port, upstream->options.context))
            return STATUS_DENIED;
    }
    link = calloc(1, sizeof *link);
    if (link == NULL)
        return STATUS_MEMORY;
    link->upstream = upstream;
    link->address = address;
    link->exchange = exchange;
    link->timer.fire = link_fire;
    link->limit_ms = -1;
    status = stream_connect(upstream->lane, &target, on_connected, link, &link->stream);
    if (status != STATUS_OK) {
        free(link);
        return status;
    }
    upstream_hold(upstream);
    upstream->stats.open++;
    exchange->link = link;
    return STATUS_OK;
}

static bool
wait_for_name(struct http_exchange *exchange, struct address *address)
{
    if (!address->resolving) {
        if (resolve_name(exchange->upstream->lane, slice_text(address->text), on_resolved,
                         address) != STATUS_OK)
            return false;
        address->resolving = true;
        upstream_hold(address->upstream);
    }
    exchange->waits_for = address;
    exchange->next = address->waiting;
    address->waiting = exchange;
    return true;
}

/* The next address in turn that is up; else the one that comes up first. */
static struct address *
pick(struct http_exchange *exchange)
{
    struct http_upstream *upstream = exchange->upstream;
    struct address *best = NULL;
    uint64_t now = now_us(upstream);

    for (unsigned i = 0; i < upstream->address_count; i++) {
        unsigned index = (upstream->next_address + i) % upstream->address_count;
        struct address *address = &upstream->addresses[index];

        if (exchange->tried & 1u << index)
            continue;
        if (address->down_until_us <= now) {
            best = address;
            break;
        }
        if (best == NULL || address->down_until_us < best->down_until_us)
            best = address;
    }
    if (best == NULL)
        return NULL;
    exchange->tried |= 1u << (best - upstream->addresses);
    upstream->next_address = ((unsigned)(best - upstream->addresses) + 1) % upstream->address_count;
    return best;
}

bool
upstream_connect(struct http_exchange *exchange)
{
    struct http_upstream *upstream = exchange->upstream;
    struct address *address;

    while ((address = pick(exchange)) != NULL) {
        enum status status;

        if (address->kind == ADDRESS_NAME &&
            (address->ip_count == 0 || address->fresh_until_us <= now_us(upstream))) {
            if (wait_for_name(exchange, address))
                return true;
            continue;
        }
        status = link_open(exchange, address);
        if (status == STATUS_OK)
            return true;
        if (status == STATUS_DENIED) {
            exchange->status = STATUS_DENIED;
            exchange->why = "the upstream's address is not allowed";
        } else {
            address_down(address);
        }
    }
    return false;
}

static void
on_resolved(enum status status, const struct ip *ips, size_t count, void *context)
{
    struct address *address = context;
    struct http_upstream *upstream = address->upstream;
    struct http_exchange *exchange = address->waiting, *next;

    address->resolving = false;
    address->waiting = NULL;
    if (status == STATUS_OK) {
        memcpy(address->ips, ips, count * sizeof *ips);
        address->ip_count = (unsigned)count;
        address->ip_at = 0;
        address->fresh_until_us = now_us(upstream) + (uint64_t)RESOLVED_MS * 1000;
    } else {
        address->ip_count = 0;
        address_down(address);
    }
    for (; exchange != NULL; exchange = next) {
        next = exchange->next;
        exchange->waits_for = NULL;
        if (status == STATUS_OK)
            exchange->tried &= ~(1u << (address - upstream->addresses));
        if (!upstream_connect(exchange))
            exchange_fail(exchange, status == STATUS_OK ? STATUS_IO : status,
                          "the upstream's name or address does not work");
    }
    upstream_let_go(upstream);
}

void
upstream_assign(struct http_exchange *exchange, bool fresh)
{
    struct http_upstream *upstream = exchange->upstream;
    struct link *link = fresh ? NULL : upstream->idle;

    if (link != NULL) {
        idle_remove(link);
        link->exchange = exchange;
        link->reused = true;
        exchange->link = link;
        upstream->stats.reused++;
        link_begin(link);
        return;
    }
    if (upstream->stats.open >= upstream->options.connections)
        exchange_post(exchange, STATUS_LIMIT, "too many connections to the upstream");
    else if (!upstream_connect(exchange))
        exchange_post(exchange, exchange->status != 0 ? (enum status)exchange->status : STATUS_IO,
                      exchange->why != NULL ? exchange->why : "the upstream is not reachable");
}
