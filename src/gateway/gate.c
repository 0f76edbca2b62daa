/* gateway/gate.c - the memory of passages: taken from a lane's own store, linked
 * among what is open, wiped when it ends. */
#include "approval.h"
#include "budget.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"

enum { FREE_PASSAGES_MOST = 256 };

struct passage *
passage_new(struct gate *gate, const struct door *door, void *wire)
{
    struct passage *passage = gate->free_passages;

    if (passage != NULL) {
        gate->free_passages = passage->next;
        gate->free_count--;
    } else {
        passage = malloc(sizeof(*passage));
        if (passage == NULL)
            return NULL;
    }
    memset(passage, 0, sizeof(*passage));
    passage->gate = gate;
    passage->door = door;
    passage->wire = wire;
    passage->began_us = lane_mono_us(gate->lane);
    passage->next = &gate->open;
    passage->prev = gate->open.prev;
    passage->prev->next = passage;
    gate->open.prev = passage;
    gate->open_count++;
    return passage;
}

void
passage_free(struct passage *passage)
{
    struct gate *gate = passage->gate;

    if (passage->door->ended != NULL && passage->relay != NULL)
        passage->door->ended(passage);
    passage->prev->next = passage->next;
    passage->next->prev = passage->prev;
    gate->open_count--;
    if (passage->asked.upstream != NULL)
        upstream_release(passage->asked.upstream);
    if (passage->kept != NULL) {
        secret_wipe(passage->kept, passage->kept_size);
        free(passage->kept);
    }
    approval_end(passage);
    budgets_end(gate, &passage->budgets);
    if (gate->stopping && gate->open_count == 0)
        routes_close_idle(gate->routes);
    if (gate->free_count == FREE_PASSAGES_MOST) {
        free(passage);
        return;
    }
    passage->next = gate->free_passages;
    gate->free_passages = passage;
    gate->free_count++;
}

enum { KEPT_SLICES = 6 };

static size_t
facts_size(const struct request *request)
{
    size_t size = request->fact_count * sizeof(struct fact);

    for (size_t i = 0; i < request->fact_count; i++)
        size += request->facts[i].name.size + request->facts[i].text.size;
    return size;
}

static char *
keep_slice(struct slice *slice, char *at)
{
    if (slice->size > 0)
        memcpy(at, slice->at, slice->size);
    slice->at = at;
    return at + slice->size;
}

/* First, where the memory is aligned. */
static char *
keep_facts(struct request *request, char *at)
{
    struct fact *facts = (struct fact *)(void *)at;

    if (request->fact_count == 0)
        return at;
    memcpy(facts, request->facts, request->fact_count * sizeof *facts);
    at += request->fact_count * sizeof *facts;
    for (size_t i = 0; i < request->fact_count; i++) {
        at = keep_slice(&facts[i].name, at);
        at = keep_slice(&facts[i].text, at);
    }
    request->facts = facts;
    return at;
}

bool
passage_keep(struct passage *passage)
{
    struct asked *asked = &passage->asked;
    struct slice *slices[KEPT_SLICES] = { &asked->request.resource,
                                          &asked->request.action,
                                          &asked->request.object,
                                          &asked->token,
                                          &asked->agent,
                                          &asked->tool };
    size_t size = 1 + facts_size(&asked->request);

    if (passage->kept != NULL)
        return true;
    for (size_t i = 0; i < KEPT_SLICES; i++)
        size += slices[i]->size;
    char *at = malloc(size);
    if (at == NULL)
        return false;
    passage->kept = at;
    passage->kept_size = size;
    at = keep_facts(&asked->request, at);
    for (size_t i = 0; i < KEPT_SLICES; i++)
        at = keep_slice(slices[i], at);
    return true;
}

/* xorshift128+: trace ids must be unlike each other, nothing hangs on them. */
uint64_t
gate_random(struct gate *gate)
{
    uint64_t a = gate->random[0], b = gate->random[1];

    gate->random[0] = b;
    a ^= a << 23;
    a ^= a >> 17;
    a ^= b ^ (b >> 26);
    gate->random[1] = a;
    return a + b;
}

/* --- the lease ------------------------------------------------------------- */

bool
gate_acts(const struct gate *gate)
{
    uint64_t until = atomic_load_explicit(&gate->gateway->lease_us, memory_order_acquire);

    return until == 0 || clock_boot_us() < until;
}

struct refusal
gate_lapsed(void)
{
    return (struct refusal){
        .kind = GATE_BUSY,
        .reason = SLICE_LITERAL("this node has lost contact with its fleet: it lets nothing "
                                "through until it has it again"),
        .retry_after_s = 1,
    };
}
