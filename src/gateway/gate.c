/* gateway/gate.c - the memory of passages: taken from a lane's own store, linked
 * among what is open, wiped when it ends. */
#include "gate.h"

#include <stdlib.h>

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

    passage->prev->next = passage->next;
    passage->next->prev = passage->prev;
    gate->open_count--;
    if (passage->asked.upstream != NULL)
        upstream_release(passage->asked.upstream);
    if (passage->kept != NULL) {
        secret_wipe(passage->kept, passage->kept_size);
        free(passage->kept);
    }
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

enum { KEPT_SLICES = 5, HELD_SLICES = 12 };

static size_t
list_asked(struct asked *asked, struct slice *out[KEPT_SLICES])
{
    size_t count = 0;

    out[count++] = &asked->request.resource;
    out[count++] = &asked->request.action;
    out[count++] = &asked->request.object;
    out[count++] = &asked->token;
    out[count++] = &asked->agent;
    return count;
}

static size_t
list_event(struct audit_event *event, struct slice *out[HELD_SLICES])
{
    size_t count = 0;

    out[count++] = &event->token;
    out[count++] = &event->label;
    out[count++] = &event->subject;
    out[count++] = &event->subject_type;
    out[count++] = &event->role;
    out[count++] = &event->resource;
    out[count++] = &event->action;
    out[count++] = &event->object;
    out[count++] = &event->right;
    out[count++] = &event->reason;
    out[count++] = &event->agent;
    out[count++] = &event->statement;
    return count;
}

bool
passage_keep(struct passage *passage, const struct audit_event *event)
{
    struct slice *slices[KEPT_SLICES + HELD_SLICES];
    struct audit_event held = event == NULL ? (struct audit_event){ 0 } : *event;
    size_t count = list_asked(&passage->asked, slices);
    size_t size = sizeof(held);

    count += list_event(&held, slices + count);
    for (size_t i = 0; i < count; i++)
        size += slices[i]->size;
    void *kept = malloc(size);
    if (kept == NULL)
        return false;

    char *at = (char *)kept + sizeof(held);
    for (size_t i = 0; i < count; i++) {
        if (slices[i]->size == 0)
            continue;
        memcpy(at, slices[i]->at, slices[i]->size);
        slices[i]->at = at;
        at += slices[i]->size;
    }
    memcpy(kept, &held, sizeof(held));
    if (passage->kept != NULL) {
        secret_wipe(passage->kept, passage->kept_size);
        free(passage->kept);
    }
    passage->kept = kept;
    passage->kept_size = size;
    passage->held = event == NULL ? NULL : kept;
    return true;
}

bool
gate_trusts(const struct gate *gate, const struct ip *ip)
{
    const struct gateway_options *options = &gate->gateway->options;

    for (size_t i = 0; i < options->trusted_proxy_count; i++) {
        if (cidr_contains(&options->trusted_proxies[i], ip))
            return true;
    }
    return false;
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
