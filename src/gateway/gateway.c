/* gateway/gateway.c - makes a gate on each lane, tells all of them of changes,
 * drains and frees them. */
#include "gateway/gateway.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "doors.h"
#include "listen.h"
#include "proof/certificate.h"
#include "proof/dpop.h"
#include "upstream.h"

enum {
    SWEEP_MS = 1000,
    LEASE_NEAR_MS = SWEEP_MS + 500, /* no lease ends unseen between two sweeps */
    SCRATCH_MAX = 256 << 10,
};

static enum status
copy_trusted(struct gateway *gateway)
{
    struct gateway_options *options = &gateway->options;
    size_t size = options->trusted.count * sizeof(struct cidr);

    if (size == 0)
        return STATUS_OK;
    gateway->trusted = malloc(size);
    if (gateway->trusted == NULL)
        return STATUS_MEMORY;
    memcpy(gateway->trusted, options->trusted.networks, size);
    options->trusted.networks = gateway->trusted;
    return STATUS_OK;
}

static enum status
collect_own(struct gateway *gateway, struct fault *fault)
{
    const struct gateway_options *options = &gateway->options;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < options->own_address_count && status == STATUS_OK; i++)
        status = own_add(&gateway->own, options->own_addresses[i]);
    for (unsigned kind = 0; kind < DOOR_KINDS && status == STATUS_OK; kind++) {
        if (options->doors[kind].address.size > 0)
            status = own_add(&gateway->own, options->doors[kind].address);
    }
    if (status != STATUS_OK)
        return fault_set(fault, status, "an address of this gateway's own is not host:port");
    return STATUS_OK;
}

static enum status
open_places(struct gateway *gateway, struct fault *fault)
{
    enum status status = STATUS_OK;

    for (unsigned kind = 0; kind < DOOR_KINDS && status == STATUS_OK; kind++)
        status = place_open(gateway, (enum door_kind)kind, fault);
    return status;
}

enum status
gateway_new(const struct gateway_options *options, struct gateway **out, struct fault *fault)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    enum status status = STATUS_MEMORY;

    if (gateway == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    gateway->options = *options;
    gateway->gates = calloc(options->lanes, sizeof(struct gate));
    if (gateway->gates != NULL)
        status = copy_trusted(gateway);
    if (status == STATUS_OK)
        status = random_bytes(gateway->session_key.bytes, SECRET_SIZE);
    if (status == STATUS_OK)
        status = collect_own(gateway, fault);
    if (status == STATUS_OK)
        status = open_places(gateway, fault);
    if (status != STATUS_OK) {
        gateway_free(gateway);
        return status;
    }
    *out = gateway;
    return STATUS_OK;
}

static void
free_gate(struct gate *gate)
{
    struct passage *next;

    for (size_t i = 0; i < door_count; i++) {
        if (gate->doors[i] != NULL)
            doors[i]->free(gate->doors[i]);
    }
    routes_free(gate->routes);
    for (struct passage *at = gate->free_passages; at != NULL; at = next) {
        next = at->next;
        free(at);
    }
    arena_free(&gate->scratch);
    dpop_verifier_free(gate->dpop);
    certificate_prover_free(gate->certificates);
    if (gate->reader != NULL)
        world_reader_free(gate->reader);
}

void
gateway_free(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    for (unsigned i = 0; gateway->gates != NULL && i < gateway->options.lanes; i++)
        free_gate(&gateway->gates[i]);
    for (unsigned kind = 0; kind < DOOR_KINDS; kind++)
        place_close(&gateway->places[kind]);
    own_free(&gateway->own);
    secret_wipe(&gateway->session_key, sizeof gateway->session_key);
    free(gateway->trusted);
    free(gateway->gates);
    free(gateway);
}

/* --- on a lane ------------------------------------------------------------ */

static void
count_connections(struct gate *gate)
{
    size_t open = 0;

    for (size_t i = 0; i < door_count; i++)
        open += gate->doors[i] == NULL ? 0 : doors[i]->connections(gate->doors[i]);
    atomic_store_explicit(&gate->counters.open, open, memory_order_relaxed);
}

/* What is open is cut in the moment the lease is over. It is given anew far more often than it
 * ends: the end is looked for when it is near. */
static void
watch_lease(struct gate *gate)
{
    uint64_t until = atomic_load_explicit(&gate->gateway->lease_us, memory_order_acquire);
    uint64_t now = clock_boot_us();

    if (until > now && until - now <= LEASE_NEAR_MS * UINT64_C(1000))
        timer_arm(gate->lane, &gate->lapse, (int64_t)((until - now) / 1000 + 1));
}

static void
on_lapse(struct timer *timer)
{
    struct gate *gate = LANE_OWNER(timer, struct gate, lapse);

    if (gate_acts(gate))
        watch_lease(gate);
    else
        recheck_all(gate);
}

static void
on_sweep(struct timer *timer)
{
    struct gate *gate = LANE_OWNER(timer, struct gate, sweep);

    world_quiescent(gate->reader);
    routes_follow(gate->routes, gate->reader);
    routes_sweep(gate->routes);
    recheck_all(gate);
    recheck_budgets(gate);
    count_connections(gate);
    watch_lease(gate);
    timer_arm(gate->lane, &gate->sweep, SWEEP_MS);
}

static void
on_told(struct lane_message *message)
{
    struct gate *gate = LANE_OWNER(message, struct gate, told);
    const struct gateway_ports *ports = gate->gateway->options.ports;

    /* Cleared before the picture is taken: a change that is announced from here on
     * posts the message again. */
    atomic_store(&gate->told_pending, false);
    world_quiescent(gate->reader);
    routes_follow(gate->routes, gate->reader);
    recheck_all(gate);
    ports->enforced(ports->app, gate->index, world_seen(gate->reader));
}

static void
on_overdue(struct timer *timer)
{
    cut_all(LANE_OWNER(timer, struct gate, overdue));
}

static void
on_drain(struct lane_message *message)
{
    struct gate *gate = LANE_OWNER(message, struct gate, drain);

    gateway_stop(gate->lane);
    timer_arm(gate->lane, &gate->overdue, atomic_load(&gate->gateway->drain_ms));
}

static enum status
make_gate(struct gate *gate, struct fault *fault)
{
    enum status status = world_reader_new(gate->gateway->options.world, &gate->reader);

    if (status == STATUS_OK)
        status = routes_new(&gate->gateway->own, gate->gateway->options.stdio_dir, &gate->routes);
    if (status == STATUS_OK)
        status = dpop_verifier_new(&gate->dpop);
    if (status == STATUS_OK)
        status = certificate_prover_new(&gate->certificates);
    if (status == STATUS_OK)
        status = random_bytes(gate->random, sizeof(gate->random));
    gate->random[0] |= 1; /* xorshift never leaves zero */
    return status == STATUS_OK ? status : fault_set(fault, status, "cannot make a lane's gate");
}

enum status
gateway_attach(struct gateway *gateway, struct lane *lane, unsigned index, struct fault *fault)
{
    struct gate *gate = &gateway->gates[index];

    gate->gateway = gateway;
    gate->lane = lane;
    gate->index = index;
    gate->journal = audit_journal_of(gateway->options.audit, index);
    gate->open.next = gate->open.prev = &gate->open;
    gate->told.run = on_told;
    gate->drain.run = on_drain;
    gate->sweep.fire = on_sweep;
    gate->overdue.fire = on_overdue;
    gate->lapse.fire = on_lapse;
    arena_init(&gate->scratch, SCRATCH_MAX);
    enum status status = make_gate(gate, fault);
    if (status != STATUS_OK)
        return status;
    lane_slot_set(lane, LANE_SLOT_GATEWAY, gate);
    world_quiescent(gate->reader);
    timer_arm(lane, &gate->sweep, SWEEP_MS);
    for (size_t i = 0; i < door_count && status == STATUS_OK; i++)
        status = doors[i]->attach(gate, &gate->doors[i], fault);
    return status;
}

void
gateway_turn(struct lane *lane)
{
    struct gate *gate = lane_slot_get(lane, LANE_SLOT_GATEWAY);

    if (gate != NULL)
        world_quiescent(gate->reader);
}

void
gateway_stop(struct lane *lane)
{
    struct gate *gate = lane_slot_get(lane, LANE_SLOT_GATEWAY);

    if (gate == NULL || gate->stopping)
        return;
    gate->stopping = true;
    for (size_t i = 0; i < door_count; i++) {
        if (gate->doors[i] != NULL)
            doors[i]->stop(gate->doors[i]);
    }
    if (gate->open_count == 0)
        routes_close_idle(gate->routes);
}

/* --- from any thread ------------------------------------------------------ */

/* The picture of this generation is published before it is announced, so that the
 * lane's next look sees it or a later one. */
void
gateway_announce(struct gateway *gateway, uint64_t generation)
{
    for (unsigned i = 0; i < gateway->options.lanes; i++) {
        struct gate *gate = &gateway->gates[i];
        if (gate->lane != NULL && !atomic_exchange(&gate->told_pending, true) &&
            !lane_post(gate->lane, &gate->told))
            atomic_store(&gate->told_pending, false);
    }
}

void
gateway_drain(struct gateway *gateway, int64_t within_ms)
{
    atomic_store(&gateway->drain_ms, within_ms);
    atomic_store(&gateway->draining, true);
    for (unsigned i = 0; i < gateway->options.lanes; i++) {
        struct gate *gate = &gateway->gates[i];
        if (gate->lane != NULL && !atomic_exchange(&gate->drain_pending, true))
            (void)lane_post(gate->lane, &gate->drain);
    }
}

uint16_t
gateway_port(const struct gateway *gateway, enum door_kind kind)
{
    return gateway->places[kind].port;
}

bool
gateway_drained(const struct gateway *gateway)
{
    uint64_t open = 0;

    for (unsigned i = 0; i < gateway->options.lanes; i++)
        open += atomic_load_explicit(&gateway->gates[i].counters.open, memory_order_relaxed);
    return atomic_load(&gateway->draining) && open == 0;
}

void
gateway_reload_certificates(struct gateway *gateway)
{
    for (unsigned kind = 0; kind < DOOR_KINDS; kind++) {
        struct door_place *place = &gateway->places[kind];
        struct fault fault = { 0 };

        if (place->tls != NULL && tls_server_reload(place->tls, &fault) != STATUS_OK)
            log_write(LOG_ERROR, "gateway",
                      "a door's certificate was not read again: the old one stays", "door",
                      place->address, "why", fault.text, NULL);
    }
}

enum status
gateway_check_upstream(const json_t *definition, struct fault *fault)
{
    struct upstream_plan plan = { 0 };
    struct slice type = { 0 };
    enum status status = json_take_string(definition, "type", &type, fault);

    if (status == STATUS_OK && upstream_type_of(type) != UPSTREAM_OTHER) {
        status = upstream_plan_read(definition, &plan, fault);
        upstream_plan_free(&plan);
    }
    return status;
}

static uint64_t
read_counter(const atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void
gateway_lease(struct gateway *gateway, uint64_t until_us)
{
    atomic_store_explicit(&gateway->lease_us, until_us, memory_order_release);
}

void
gateway_stats(const struct gateway *gateway, struct gateway_stats *out)
{
    *out = (struct gateway_stats){ 0 };
    for (unsigned i = 0; i < gateway->options.lanes; i++) {
        const struct gate_counters *counters = &gateway->gates[i].counters;
        out->connections_open += read_counter(&counters->open);
        out->connections_total += read_counter(&counters->connections);
        out->allowed += read_counter(&counters->allowed);
        out->refused += read_counter(&counters->refused);
        out->unauthenticated += read_counter(&counters->unauthenticated);
        out->malformed += read_counter(&counters->malformed);
        out->limited += read_counter(&counters->limited);
        out->upstream_failed += read_counter(&counters->upstream_failed);
        out->bytes_in += read_counter(&counters->bytes_in);
        out->bytes_out += read_counter(&counters->bytes_out);
        out->sessions_cut += read_counter(&counters->cut);
        out->latency_us_sum += read_counter(&counters->latency_us_sum);
        for (size_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
            out->latency_us_buckets[bucket] += read_counter(&counters->latency[bucket]);
    }
}
