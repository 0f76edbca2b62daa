/* authority/fleet.c - one node among several that share a store: it follows what others
 * change, says how far it enforces that, and may act for so long after it last looked.
 *
 * A beat comes before each look that prolongs the lease, so that whoever makes a change sees
 * every node that may still act on a picture without it: either the node's look comes after
 * the change, and finds it, or its beat comes before, and stands in the list. A node whose
 * beats have stood still for longer than a lease has none any more: it is fenced. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"

enum {
    LOOK_MS = 5,      /* for notifications, and for the others' answers */
    BEAT_MS = 500,    /* a tenth of the lease at most */
    MARGIN_MS = 1000, /* what a clock may run wrong in a lease */
    CUT_MS = 1000,    /* until a lane that is at work looks, and what it had in hand is gone */
};

/* One other node, as it was seen last. */
struct seen_node {
    struct store_node node;
    char name[64];
    uint64_t still_since_us; /* its beats have not moved since, on our clock */
    int64_t at;              /* wall ms: when it last confirmed more, or was fenced */
};

struct fleet {
    struct authority *authority;
    struct alarm *look; /* NULL: not started */
    struct store_node self;
    uint64_t beat_us;    /* when the last beat was sent */
    uint64_t lease_us;   /* a lease that waits for its picture to be enforced */
    uint64_t granted_us; /* the last that was given to the lanes */
    uint64_t seen_seq, seen_generation;
    struct seen_node *nodes;
    size_t count;
    bool behind; /* what others changed can't be followed any more */
};

/* --- following --------------------------------------------------------------------- */

static enum status
take_keys(struct authority *authority, const struct change *changes, size_t count)
{
    bool any = false;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (changes[i].kind == CHANGE_KEY_PUT || changes[i].kind == CHANGE_KEY_DROPPED) {
            status = keys_follow(authority, &changes[i]);
            any = true;
        }
    }
    return status == STATUS_OK && any ? keys_publish(authority) : status;
}

static void
watch_claim(struct claim_watch *claim, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < claim->count; i++) {
        for (size_t j = 0; j < count; j++)
            claim->contested |= changes[j].kind == CHANGE_LINE_USED &&
                                token_id_equal(&changes[j].id, &claim->changes[i].id);
    }
}

static enum status
take_batch(void *context, const struct change *changes, size_t count)
{
    struct authority *authority = context;
    struct world_next *next;
    struct fault fault = { 0 };
    enum status status = world_prepare(authority->world, changes, count, &next, &fault);

    if (status == STATUS_OK)
        status = take_keys(authority, changes, count);
    else
        log_write(LOG_ERROR, "fleet", "what another node changed does not fit what is here", "why",
                  fault.text, NULL);
    if (status != STATUS_OK)
        return status;
    commit_publish(authority, next, changes, count);
    watch_claim(&authority->claim, changes, count);
    authority->counters.followed += count;
    return STATUS_OK;
}

enum status
fleet_follow(struct authority *authority, struct fault *fault)
{
    enum status status = store_follow(authority->store, take_batch, authority, fault);

    if (status == STATUS_EXPIRED || status == STATUS_CONFLICT || status == STATUS_NOT_FOUND)
        authority->fleet->behind = true;
    return status;
}

bool
fleet_token(struct authority *authority, const struct token_id *id, int64_t now,
            struct world_token_info *out)
{
    if (world_token(authority->world, id, now, out))
        return true;
    return authority->fleet != NULL && fleet_follow(authority, NULL) == STATUS_OK &&
           world_token(authority->world, id, now, out);
}

/* --- the lease ------------------------------------------------------------------------ */

static void
grant_lease(struct fleet *fleet)
{
    struct authority *authority = fleet->authority;

    if (fleet->lease_us == 0 || authority->enforced < fleet->seen_generation)
        return;
    authority->options.ports->lease(authority->options.ports->app, fleet->lease_us);
    fleet->granted_us = fleet->lease_us;
    fleet->lease_us = 0;
}

/* What was seen counts as enforced when every lane works on it. */
static void
note_seen(struct fleet *fleet)
{
    fleet->seen_seq = store_seq(fleet->authority->store);
    fleet->seen_generation = fleet->authority->announced;
}

static void
confirm_seen(struct fleet *fleet)
{
    struct authority *authority = fleet->authority;

    if (fleet->seen_seq == fleet->self.seq || authority->enforced < fleet->seen_generation)
        return;
    fleet->self.seq = fleet->seen_seq;
    if (store_confirm(authority->store, &fleet->self, NULL) != STATUS_OK)
        fleet->self.seq = 0; /* the next beat says it again */
}

void
fleet_enforced(struct authority *authority)
{
    if (authority->fleet == NULL)
        return;
    confirm_seen(authority->fleet);
    grant_lease(authority->fleet);
}

/* The order is the point: time, beat, look. What a beat tells is what the lanes enforce, not
 * what was seen: they may need longer than it is until the next. */
static void
beat(struct fleet *fleet)
{
    struct authority *authority = fleet->authority;
    uint64_t now = clock_boot_us();
    struct fault fault = { 0 };
    enum status status;

    fleet->beat_us = clock_mono_us();
    fleet->self.beats++;
    if (authority->enforced >= fleet->seen_generation)
        fleet->self.seq = fleet->seen_seq;
    status = store_beat(authority->store, &fleet->self, &fault);
    if (status == STATUS_OK)
        status = fleet_follow(authority, &fault);
    if (status != STATUS_OK) {
        log_write(LOG_WARN, "fleet", "the shared store can't be followed", "why", fault.text, NULL);
        return;
    }
    note_seen(fleet);
    fleet->lease_us = now + (uint64_t)authority->options.staleness_ms * 1000;
    fleet_enforced(authority);
}

/* --- the others ------------------------------------------------------------------------- */

static struct seen_node *
find_node(struct fleet *fleet, const struct store_node *node)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (memcmp(fleet->nodes[i].node.id, node->id, STORE_NODE_ID) == 0)
            return &fleet->nodes[i];
    }
    struct seen_node *more = reallocarray(fleet->nodes, fleet->count + 1, sizeof *fleet->nodes);
    if (more == NULL)
        return NULL;
    fleet->nodes = more;
    more[fleet->count] = (struct seen_node){ .still_since_us = clock_mono_us() };
    memcpy(more[fleet->count].node.id, node->id, STORE_NODE_ID);
    return &fleet->nodes[fleet->count++];
}

static enum status
see_node(void *context, const struct store_node *node)
{
    struct fleet *fleet = context;
    struct seen_node *seen = find_node(fleet, node);

    if (seen == NULL)
        return STATUS_MEMORY;
    if (seen->node.beats != node->beats)
        seen->still_since_us = clock_mono_us();
    if (seen->node.seq != node->seq || seen->node.fenced != node->fenced)
        seen->at = clock_wall_ms();
    seen->node.seq = node->seq;
    seen->node.beats = node->beats;
    seen->node.fenced = node->fenced;
    snprintf(seen->name, sizeof seen->name, "%.*s", SLICE_PRINT(slice_first(node->name, 63)));
    seen->node.name = (struct slice){ 0 };
    return STATUS_OK;
}

static void
fence_silent(struct fleet *fleet)
{
    uint64_t now = clock_mono_us();
    uint64_t bound = (uint64_t)(fleet->authority->options.staleness_ms + MARGIN_MS + CUT_MS) * 1000;

    for (size_t i = 0; i < fleet->count; i++) {
        struct seen_node *seen = &fleet->nodes[i];

        if (seen->node.fenced || now - seen->still_since_us <= bound ||
            memcmp(seen->node.id, fleet->self.id, STORE_NODE_ID) == 0)
            continue;
        if (store_fence(fleet->authority->store, &seen->node, NULL) == STATUS_OK)
            log_write(LOG_WARN, "fleet", "a node that does not answer is fenced", "node",
                      seen->name, NULL);
    }
}

/* Those that left are forgotten with the list. */
static enum status
look_at_nodes(struct fleet *fleet)
{
    struct seen_node *before = fleet->nodes;
    size_t count = fleet->count;
    struct fault fault = { 0 };
    enum status status;

    fleet->nodes = NULL;
    fleet->count = 0;
    status = store_nodes(fleet->authority->store, see_node, fleet, &fault);
    for (size_t i = 0; i < fleet->count; i++) {
        struct seen_node *now = &fleet->nodes[i];
        for (size_t j = 0; j < count; j++) {
            if (memcmp(before[j].node.id, now->node.id, STORE_NODE_ID) != 0)
                continue;
            if (before[j].node.beats == now->node.beats)
                now->still_since_us = before[j].still_since_us;
            if (before[j].node.seq == now->node.seq && before[j].node.fenced == now->node.fenced)
                now->at = before[j].at;
        }
    }
    free(before);
    return status;
}

/* --- who waits for all --------------------------------------------------------------------- */

static json_t *
node_json(const char *name, const char *state, int64_t at)
{
    char text[TIME_TEXT_MAX];

    return json_pack("{s:s, s:s, s:s}", "node", name, "state", state, "at", time_format(at, text));
}

static bool
has_applied(const struct fleet *fleet, const struct seen_node *seen, uint64_t seq)
{
    return seen->node.seq >= seq || memcmp(seen->node.id, fleet->self.id, STORE_NODE_ID) == 0;
}

bool
fleet_enforces(const struct authority *authority, uint64_t seq)
{
    const struct fleet *fleet = authority->fleet;

    for (size_t i = 0; i < fleet->count; i++) {
        if (!has_applied(fleet, &fleet->nodes[i], seq) && !fleet->nodes[i].node.fenced)
            return false;
    }
    return true;
}

json_t *
fleet_confirmed(const struct authority *authority, uint64_t seq)
{
    const struct fleet *fleet = authority->fleet;
    json_t *list;

    if (!fleet_enforces(authority, seq))
        return NULL;
    list = json_array();
    for (size_t i = 0; i < fleet->count; i++) {
        const struct seen_node *seen = &fleet->nodes[i];
        bool own = memcmp(seen->node.id, fleet->self.id, STORE_NODE_ID) == 0;

        json_array_append_new(list, node_json(seen->name,
                                              has_applied(fleet, seen, seq) ? "applied" : "fenced",
                                              own ? clock_wall_ms() : seen->at));
    }
    return list;
}

static void
look(struct alarm *alarm, void *context)
{
    struct fleet *fleet = context;
    struct authority *authority = fleet->authority;

    alarm_set(alarm, LOOK_MS);
    if (clock_mono_us() - fleet->beat_us >= BEAT_MS * 1000) {
        beat(fleet);
    } else if (store_woken(authority->store)) {
        if (fleet_follow(authority, NULL) == STATUS_OK)
            note_seen(fleet);
        fleet_enforced(authority);
    }
    if ((server_waits_for_fleet(authority) || enforced_waits(authority)) &&
        look_at_nodes(fleet) == STATUS_OK) {
        fence_silent(fleet);
        enforced_look(authority);
        server_fleet_seen(authority);
    }
}

bool
fleet_ready(const struct authority *authority, struct fault *why)
{
    const struct fleet *fleet = authority->fleet;

    if (fleet == NULL)
        return true;
    if (fleet->behind)
        (void)fault_set(why, STATUS_EXPIRED,
                        "this node can't follow the shared store any more: restart it");
    else if (clock_boot_us() >= fleet->granted_us)
        (void)fault_set(why, STATUS_IO, "this node has lost contact with the shared store");
    else
        return true;
    return false;
}

int64_t
fleet_patience_ms(const struct authority *authority)
{
    return authority->options.staleness_ms + 3 * MARGIN_MS;
}

enum status
fleet_open(struct authority *authority, struct fault *fault)
{
    struct fleet *fleet;

    if (!store_is_shared(authority->store))
        return STATUS_OK;
    fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL)
        return STATUS_MEMORY;
    fleet->authority = authority;
    fleet->self.name = authority->options.node;
    authority->fleet = fleet;
    return random_bytes(fleet->self.id, sizeof fleet->self.id) == STATUS_OK
               ? STATUS_OK
               : fault_set(fault, STATUS_CRYPTO, "no random bytes");
}

enum status
fleet_start(struct authority *authority)
{
    struct fleet *fleet = authority->fleet;

    if (fleet == NULL)
        return STATUS_OK;
    note_seen(fleet);
    beat(fleet);
    enum status status = alarm_new(authority->lane, look, fleet, &fleet->look);
    if (status == STATUS_OK)
        alarm_set(fleet->look, LOOK_MS);
    return status;
}

void
fleet_stop(struct authority *authority)
{
    struct fleet *fleet = authority->fleet;

    if (fleet != NULL && fleet->look != NULL) {
        alarm_free(fleet->look);
        fleet->look = NULL;
    }
}

void
fleet_leave(struct authority *authority)
{
    struct fleet *fleet = authority->fleet;

    if (fleet != NULL && fleet->self.beats > 0 &&
        store_leave(authority->store, &fleet->self, NULL) != STATUS_OK)
        log_write(LOG_WARN, "fleet", "the others will find out that this node has left", NULL);
}

void
fleet_free(struct fleet *fleet)
{
    if (fleet != NULL)
        free(fleet->nodes);
    free(fleet);
}
