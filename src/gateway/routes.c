/* gateway/routes.c - one lane's table of upstreams, by name and by Host: rebuilt
 * when the picture changes, while the connections of what did not change live on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "upstream_inside.h"

enum {
    HOST_MAX = 255,
    RETIRED_SWEEPS = 60, /* a retired TLS context outlives the last closing handshake */
};

/* Open addressing, at most half full; NULL ends a chain. */
struct name_table {
    struct upstream **slots;
    size_t mask;
};

struct routes {
    const struct own *own;
    const char *stdio_dir; /* of the gateway's options */
    uint64_t generation;
    bool followed; /* a generation was seen */
    struct upstream **all;
    size_t count, host_count;
    struct name_table by_name, by_host;
    struct upstream *retired;
};

static struct slice
name_of(const struct upstream *upstream)
{
    return upstream->name;
}

static struct slice
host_of(const struct upstream *upstream)
{
    return upstream->host;
}

typedef struct slice (*key_of)(const struct upstream *upstream);

static struct upstream *
find(const struct name_table *table, key_of key, struct slice asked)
{
    if (table->slots == NULL)
        return NULL;
    for (size_t at = slice_hash(asked) & table->mask;; at = (at + 1) & table->mask) {
        struct upstream *upstream = table->slots[at];
        if (upstream == NULL || slice_equal(key(upstream), asked))
            return upstream;
    }
}

/* False: out of memory. Of two with the same key the first (in name order) wins. */
static bool
fill(struct name_table *table, key_of key, struct upstream **all, size_t count)
{
    size_t size = 8;

    while (size < 2 * count)
        size *= 2;
    table->slots = calloc(size, sizeof(struct upstream *));
    table->mask = size - 1;
    if (table->slots == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice name = key(all[i]);
        if (name.size == 0 || find(table, key, name) != NULL)
            continue;
        size_t at = slice_hash(name) & table->mask;
        while (table->slots[at] != NULL)
            at = (at + 1) & table->mask;
        table->slots[at] = all[i];
    }
    return true;
}

static void
upstream_free(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    http_upstream_free(upstream->client);
    tls_client_free(upstream->tls);
    upstream_plan_free(&upstream->plan);
    scram_memory_wipe(&upstream->scram);
    buffer_wipe_free(&upstream->authorization);
    free(upstream->name_text);
    free(upstream);
}

/* Told when it is loaded, not first by the log-ins that fail. It may be filled later. */
static void
warn_of_empty_password(struct upstream *upstream)
{
    struct buffer password = { 0 };

    if (upstream->plan.type == UPSTREAM_REDIS && upstream->plan.password_file != NULL &&
        upstream_password(upstream, &password) == STATUS_OK && password.size == 0)
        log_write(LOG_ERROR, "gateway", "an upstream's password file is empty: no log-in passes",
                  "upstream", upstream->name_text, "file", upstream->plan.password_file, NULL);
    buffer_wipe_free(&password);
}

/* The server that is started here listens where nobody else can reach it. */
static void
find_stdio(struct upstream *upstream, const char *dir)
{
    char address[256];
    int size;

    if (!upstream->plan.stdio || upstream->broken)
        return;
    size = snprintf(address, sizeof(address), "unix:%s/%s.sock", dir == NULL ? "" : dir,
                    upstream->name_text);
    if (dir != NULL && size > 0 && (size_t)size < sizeof(address) &&
        plan_add_address(&upstream->plan, slice_of(address, (size_t)size)) == STATUS_OK)
        return;
    upstream->broken = true;
    snprintf(upstream->reason, sizeof(upstream->reason),
             "this node starts no servers: see its setting stdio.users");
}

static struct upstream *
upstream_new(const struct upstream_view *view, const struct routes *routes)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    struct fault fault = { 0 };

    if (upstream == NULL)
        return NULL;
    upstream->name_text = slice_strdup(view->name);
    if (upstream->name_text == NULL) {
        free(upstream);
        return NULL;
    }
    upstream->name = slice_text(upstream->name_text);
    upstream->version = view->version;
    upstream->own = routes->own;
    if (upstream_plan_read(view->definition, &upstream->plan, &fault) != STATUS_OK) {
        upstream->broken = true;
        snprintf(upstream->reason, sizeof(upstream->reason), "its definition is wrong: %.80s %.50s",
                 fault.pointer, fault.text);
        log_write(LOG_ERROR, "gateway", "upstream can't be served", "upstream", upstream->name_text,
                  "member", fault.pointer, "why", fault.text, NULL);
    }
    warn_of_empty_password(upstream);
    find_stdio(upstream, routes->stdio_dir);
    upstream->authority = slice_text(upstream->plan.authority);
    upstream->prefix = slice_text(upstream->plan.prefix);
    upstream->host = slice_text(upstream->plan.host);
    return upstream;
}

bool
upstream_may_dial(const struct upstream *upstream, const struct ip *ip, uint16_t port)
{
    return !own_has(upstream->own, ip, port);
}

static bool
address_allowed(const struct ip *ip, uint16_t port, void *context)
{
    return upstream_may_dial(context, ip, port);
}

bool
upstream_sockets_allowed(struct upstream *upstream)
{
    for (size_t i = 0; i < upstream->plan.address_count; i++) {
        const char *address = upstream->plan.addresses[i];
        if (strncmp(address, "unix:", 5) == 0 && own_has_socket(upstream->own, address + 5)) {
            snprintf(upstream->reason, sizeof(upstream->reason),
                     "its address is a socket of this gateway");
            return false;
        }
    }
    return true;
}

/* A protocol in which TLS comes first names itself by ALPN where it has a name. */
static enum status
make_tls(struct upstream *upstream, struct fault *fault)
{
    static const char *const http[] = { "http/1.1" };
    const struct upstream_plan *plan = &upstream->plan;

    if (!plan->tls || upstream->tls != NULL)
        return STATUS_OK;
    return tls_client_new(
        &(struct tls_client_options){ .ca = plan->ca,
                                      .server_name = plan->server_name,
                                      .cert = plan->cert,
                                      .key = plan->key,
                                      .alpn = http,
                                      .alpn_count = upstream_door(plan->type) == DOOR_HTTP },
        &upstream->tls, fault);
}

static enum status
make_client(struct upstream *upstream, struct lane *lane, struct fault *fault)
{
    const struct upstream_plan *plan = &upstream->plan;
    enum status status = make_tls(upstream, fault);

    if (status != STATUS_OK)
        return status;
    return http_upstream_new(lane,
                             &(struct http_upstream_options){
                                 .addresses = (const char *const *)plan->addresses,
                                 .address_count = plan->address_count,
                                 .tls = upstream->tls,
                                 .allowed = address_allowed,
                                 .context = upstream,
                                 .connect_ms = plan->connect_ms,
                                 .header_ms = plan->header_ms,
                                 .idle_ms = plan->idle_ms,
                             },
                             &upstream->client, fault);
}

void
upstream_note(struct upstream *upstream, const char *why)
{
    snprintf(upstream->reason, sizeof(upstream->reason), "%.150s", why);
    log_write(LOG_ERROR, "gateway", "upstream can't be asked", "upstream", upstream->name_text,
              "why", why, NULL);
}

struct http_upstream *
upstream_client(struct upstream *upstream, struct lane *lane)
{
    struct fault fault = { 0 };

    if (upstream->client != NULL || upstream->broken || !upstream_sockets_allowed(upstream))
        return upstream->client;
    if (make_client(upstream, lane, &fault) != STATUS_OK)
        upstream_note(upstream, fault.text);
    return upstream->client;
}

struct tls_client *
upstream_tls(struct upstream *upstream)
{
    struct fault fault = { 0 };

    if (make_tls(upstream, &fault) != STATUS_OK)
        upstream_note(upstream, fault.text);
    return upstream->tls;
}

enum status
routes_new(const struct own *own, const char *stdio_dir, struct routes **out)
{
    struct routes *routes = calloc(1, sizeof(*routes));

    if (routes == NULL)
        return STATUS_MEMORY;
    routes->own = own;
    routes->stdio_dir = stdio_dir;
    *out = routes;
    return STATUS_OK;
}

static void
free_tables(struct routes *routes)
{
    free(routes->all);
    free(routes->by_name.slots);
    free(routes->by_host.slots);
}

void
routes_free(struct routes *routes)
{
    struct upstream *next;

    if (routes == NULL)
        return;
    for (size_t i = 0; i < routes->count; i++)
        upstream_free(routes->all[i]);
    for (struct upstream *at = routes->retired; at != NULL; at = next) {
        next = at->next;
        upstream_free(at);
    }
    free_tables(routes);
    free(routes);
}

/* Every upstream that did not change is the same object in the new table. */
static bool
build(const struct routes *old, const struct upstream_view *views, size_t count,
      struct routes *next)
{
    next->all = calloc(count + 1, sizeof(struct upstream *));
    if (next->all == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (upstream_type_of(views[i].type) == UPSTREAM_OTHER)
            continue;
        struct upstream *upstream = find(&old->by_name, name_of, views[i].name);
        if (upstream == NULL || upstream->version != views[i].version)
            upstream = upstream_new(&views[i], old);
        if (upstream == NULL)
            return false;
        next->all[next->count++] = upstream;
        next->host_count += upstream->host.size > 0;
    }
    return fill(&next->by_name, name_of, next->all, next->count) &&
           fill(&next->by_host, host_of, next->all, next->count);
}

static void
retire_missing(struct routes *from, const struct routes *kept)
{
    for (size_t i = 0; i < from->count; i++) {
        struct upstream *upstream = from->all[i];
        const struct upstream *successor = find(&kept->by_name, name_of, upstream->name);
        if (successor == upstream)
            continue;
        upstream->gone = successor == NULL;
        upstream->retired = true;
        upstream->next = from->retired;
        from->retired = upstream;
    }
}

void
routes_follow(struct routes *routes, const struct world_reader *reader)
{
    size_t count;
    uint64_t generation;
    const struct upstream_view *views = world_upstreams(reader, &count, &generation);
    struct routes next = { 0 };

    if (routes->followed && routes->generation == generation)
        return;
    if (!build(routes, views, count, &next)) {
        /* The old table stays and the next request tries again. */
        log_write(LOG_ERROR, "gateway", "no memory for the table of upstreams", NULL);
        for (size_t i = 0; i < next.count; i++) {
            if (find(&routes->by_name, name_of, next.all[i]->name) != next.all[i])
                upstream_free(next.all[i]);
        }
        free_tables(&next);
        return;
    }
    retire_missing(routes, &next);
    free_tables(routes);
    next.own = routes->own;
    next.stdio_dir = routes->stdio_dir;
    next.retired = routes->retired;
    next.generation = generation;
    next.followed = true;
    *routes = next;
}

struct upstream *
routes_by_name(const struct routes *routes, enum door_kind door, struct slice name)
{
    struct upstream *upstream = find(&routes->by_name, name_of, name);

    /* A definition that can't be read is refused by the door that it was made for. */
    return upstream != NULL && upstream_door(upstream->plan.type) == door ? upstream : NULL;
}

struct upstream *
routes_by_host(const struct routes *routes, struct slice host)
{
    char lower[HOST_MAX];

    if (routes->host_count == 0 || host.size == 0 || host.size > sizeof(lower))
        return NULL;
    for (size_t i = 0; i < host.size; i++) {
        char byte = host.at[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    struct slice whole = slice_of(lower, host.size);
    struct upstream *upstream = find(&routes->by_host, host_of, whole);
    /* "host: shop.example" also answers to Host: shop.example:8080. */
    size_t colon = host.size;
    while (colon > 0 && lower[colon - 1] >= '0' && lower[colon - 1] <= '9')
        colon--;
    if (upstream == NULL && colon > 1 && lower[colon - 1] == ':')
        upstream = find(&routes->by_host, host_of, slice_first(whole, colon - 1));
    return upstream;
}

void
upstream_use(struct upstream *upstream)
{
    upstream->users++;
}

void
upstream_release(struct upstream *upstream)
{
    upstream->users--;
}

void
routes_sweep(struct routes *routes)
{
    struct upstream **link = &routes->retired, *upstream;

    while ((upstream = *link) != NULL) {
        if (upstream->users == 0 && upstream->client != NULL) {
            http_upstream_free(upstream->client);
            upstream->client = NULL;
        }
        if (upstream->users > 0 || ++upstream->resting < RETIRED_SWEEPS) {
            link = &upstream->next;
            continue;
        }
        *link = upstream->next;
        upstream_free(upstream);
    }
}

void
routes_close_idle(struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) {
        if (routes->all[i]->users > 0)
            continue;
        http_upstream_free(routes->all[i]->client);
        routes->all[i]->client = NULL;
    }
    for (struct upstream *at = routes->retired; at != NULL; at = at->next) {
        if (at->users > 0)
            continue;
        http_upstream_free(at->client);
        at->client = NULL;
    }
}
