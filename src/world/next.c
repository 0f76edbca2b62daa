/* world/next.c - the next state of the world: prepared unseen, published at once. */
#include <stdlib.h>

#include "change/change.h"
#include "inside.h"

enum { LIMBO_EACH = TOKEN_DEPTH_MAX + 2, LIMBO_PICTURE = 5 };
#define NO_STEP UINT32_MAX

/* One change of tokens, checked and with all its memory. */
struct step {
    enum change_kind kind;
    uint32_t chain;        /* the next step in its bucket of fresh members */
    struct member *member; /* issued, rotated, ended, forgotten */
    struct member *predecessor;
    struct line *line;
    int64_t at;
    uint32_t uses;
};

struct world_next {
    struct world *world;
    struct step *steps;
    size_t count;
    uint32_t *fresh; /* buckets: steps that make a member, by its id */
    size_t fresh_mask;
    struct picture_edit edit;
    uint32_t added[TABLE_SHARDS];
    struct table *grown[TABLE_SHARDS];
};

/* --- look-ups that also see what the batch itself makes ----------------- */

static struct member *
find(const struct world_next *next, const struct token_id *id)
{
    struct member *member = world_table_find(&next->world->tokens, id);
    uint32_t at = next->fresh[world_id_hash(id) & next->fresh_mask];

    while (member == NULL && at != NO_STEP) {
        if (token_id_equal(&next->steps[at].member->id, id))
            member = next->steps[at].member;
        at = next->steps[at].chain;
    }
    return member;
}

static struct line *
find_line(const struct world_next *next, const struct token_id *id)
{
    struct member *member = find(next, id);

    return member != NULL && member == &member->line->first ? member->line : NULL;
}

static struct step *
add_step(struct world_next *next, const struct change *change)
{
    struct step *step = &next->steps[next->count++];

    step->kind = change->kind;
    step->at = change->at;
    return step;
}

static void
add_member(struct world_next *next, const struct change *change, struct member *member,
           struct member *predecessor)
{
    uint32_t *bucket = &next->fresh[world_id_hash(&member->id) & next->fresh_mask];
    struct step *step = add_step(next, change);

    step->member = member;
    step->predecessor = predecessor;
    step->line = member->line;
    step->at = change->expires_at;
    step->chain = *bucket;
    *bucket = (uint32_t)(step - next->steps);
    next->added[world_table_shard(&member->id)]++;
}

/* --- preparing ---------------------------------------------------------- */

static enum status
unknown(struct fault *fault, const char *what, const struct token_id *id)
{
    char text[TOKEN_ID_TEXT + 1];

    return fault_set(fault, STATUS_NOT_FOUND, "no such %s: %s", what, token_id_format(id, text));
}

/* How many lines stand above a member of this one, itself included. */
static size_t
depth_of(const struct line *line)
{
    size_t depth = 0;

    for (; line != NULL && depth <= TOKEN_DEPTH_MAX; line = line->parent)
        depth++;
    return depth;
}

static enum status
find_parent(const struct world_next *next, const struct token_id *id, struct line **out,
            struct fault *fault)
{
    *out = NULL;
    if (token_id_is_none(id))
        return STATUS_OK;
    *out = find_line(next, id);
    if (*out == NULL || atomic_load_explicit(&(*out)->newest, memory_order_relaxed) == NULL)
        return unknown(fault, "parent token", id);
    if (depth_of(*out) >= TOKEN_DEPTH_MAX)
        return fault_set(fault, STATUS_LIMIT, "a token has at most %d ancestors",
                         TOKEN_DEPTH_MAX - 1);
    return STATUS_OK;
}

static enum status
prepare_issued(struct world_next *next, const struct change *change, struct fault *fault)
{
    const struct token_record *record = &change->token;
    struct line *line, *parent;
    enum status status;

    if (token_id_is_none(&record->id) || !token_id_equal(&record->id, &record->line) ||
        !token_id_is_none(&record->predecessor))
        return fault_set(fault, STATUS_INVALID, "a token that is issued begins its own line");
    if (find(next, &record->id) != NULL)
        return fault_set(fault, STATUS_CONFLICT, "the token's id is in use");
    status = find_parent(next, &record->parent_line, &parent, fault);
    if (status != STATUS_OK)
        return status;
    line = world_line_new(next->world, &record->id);
    if (line == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    status = world_member_fill(next->world, &line->first, record, fault);
    if (status != STATUS_OK) {
        slab_give(&next->world->lines, line);
        return status;
    }
    world_line_fill(line, record);
    line->parent = parent;
    line->members = 1;
    atomic_init(&line->newest, &line->first);
    /* Counted now, so that no other change of the batch takes the parent away. */
    if (parent != NULL)
        parent->children++;
    add_member(next, change, &line->first, NULL);
    return STATUS_OK;
}

static enum status
prepare_rotated(struct world_next *next, const struct change *change, struct fault *fault)
{
    const struct token_record *record = &change->token;
    struct member *predecessor = find(next, &record->predecessor), *member;
    enum status status;

    if (predecessor == NULL || !atomic_load(&predecessor->known) ||
        !token_id_equal(&predecessor->line->first.id, &record->line))
        return unknown(fault, "token in that line", &record->predecessor);
    if (token_id_is_none(&record->id) || find(next, &record->id) != NULL)
        return fault_set(fault, STATUS_CONFLICT, "the token's id is in use");
    member = world_member_new();
    if (member == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    status = world_member_fill(next->world, member, record, fault);
    if (status != STATUS_OK) {
        free(member);
        return status;
    }
    member->line = predecessor->line;
    member->line->members++;
    add_member(next, change, member, predecessor);
    return STATUS_OK;
}

static enum status
prepare_line(struct world_next *next, const struct change *change, struct fault *fault)
{
    struct line *line = find_line(next, &change->id);
    struct step *step;

    if (line == NULL)
        return unknown(fault, "line", &change->id);
    step = add_step(next, change);
    step->line = line;
    step->uses = change->uses;
    return STATUS_OK;
}

static enum status
prepare_member(struct world_next *next, const struct change *change, struct fault *fault)
{
    struct member *member = find(next, &change->id);
    struct step *step;

    if (member == NULL || !atomic_load(&member->known))
        return unknown(fault, "token", &change->id);
    step = add_step(next, change);
    step->member = member;
    if (change->kind == CHANGE_MEMBER_ENDED)
        step->at = change->expires_at;
    return STATUS_OK;
}

static enum status
prepare_one(struct world_next *next, const struct change *change, struct fault *fault)
{
    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
        return prepare_issued(next, change, fault);
    case CHANGE_TOKEN_ROTATED:
        return prepare_rotated(next, change, fault);
    case CHANGE_LINE_REVOKED:
    case CHANGE_LINE_USED:
        return prepare_line(next, change, fault);
    case CHANGE_MEMBER_ENDED:
    case CHANGE_TOKEN_FORGOTTEN:
        return prepare_member(next, change, fault);
    case CHANGE_HOP_REVOKED:
    case CHANGE_ROLE_PUT:
    case CHANGE_ROLE_DROPPED:
    case CHANGE_SUBJECT_PUT:
    case CHANGE_SUBJECT_DROPPED:
    case CHANGE_UPSTREAM_PUT:
    case CHANGE_UPSTREAM_DROPPED:
    case CHANGE_TOOL_APPROVED:
    case CHANGE_TOOL_WITHDRAWN:
        return world_edit_apply(&next->edit, change, ++next->world->upstream_version, fault);
    case CHANGE_KEY_PUT: /* what the store and the authority keep for themselves */
    case CHANGE_KEY_DROPPED:
    case CHANGE_POLICY_APPLIED:
    case CHANGE_AUDIT_HEAD:
    case CHANGE_ANSWER_KEPT:
    case CHANGE_ANSWER_FORGOTTEN:
        return STATUS_OK;
    case CHANGE_KINDS:
        break;
    }
    return fault_set(fault, STATUS_INVALID, "no such change");
}

/* All the memory that publishing takes. */
static enum status
reserve(struct world_next *next)
{
    size_t limbo = LIMBO_PICTURE;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < next->count; i++) {
        if (next->steps[i].kind == CHANGE_TOKEN_FORGOTTEN)
            limbo += LIMBO_EACH;
    }
    for (unsigned i = 0; status == STATUS_OK && i < TABLE_SHARDS; i++) {
        if (next->added[i] > 0) {
            status = world_table_room(&next->world->tokens, i, next->added[i], &next->grown[i]);
            limbo += next->grown[i] != NULL;
        }
    }
    return status == STATUS_OK ? world_limbo_reserve(next->world, limbo) : status;
}

static enum status
next_new(struct world *world, size_t count, struct world_next **out)
{
    struct world_next *next = calloc(1, sizeof *next);
    size_t buckets = 1;

    if (next == NULL)
        return STATUS_MEMORY;
    while (buckets < count)
        buckets *= 2;
    next->world = world;
    next->edit.from = atomic_load_explicit(&world->picture, memory_order_relaxed);
    next->steps = calloc(count == 0 ? 1 : count, sizeof *next->steps);
    next->fresh = malloc(buckets * sizeof *next->fresh);
    if (next->steps == NULL || next->fresh == NULL) {
        free(next->steps);
        free(next->fresh);
        free(next);
        return STATUS_MEMORY;
    }
    memset(next->fresh, 0xff, buckets * sizeof *next->fresh); /* NO_STEP */
    next->fresh_mask = buckets - 1;
    *out = next;
    return STATUS_OK;
}

enum status
world_prepare(struct world *world, const struct change *changes, size_t count,
              struct world_next **out, struct fault *fault)
{
    struct world_next *next;
    enum status status;

    if (world->next != NULL || world->loading != NULL || count >= NO_STEP)
        return fault_set(fault, STATUS_INTERNAL, "another change is being made");
    status = next_new(world, count, &next);
    if (status != STATUS_OK)
        return fault_set(fault, status, "out of memory");
    world->next = next;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = prepare_one(next, &changes[i], fault);
    if (status == STATUS_OK)
        status = world_edit_finish(&next->edit, fault);
    if (status == STATUS_OK && reserve(next) != STATUS_OK)
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    if (status != STATUS_OK) {
        world_abandon(next);
        return status;
    }
    *out = next;
    return STATUS_OK;
}

static void
next_free(struct world_next *next)
{
    next->world->next = NULL;
    free(next->steps);
    free(next->fresh);
    free(next);
}

/* The last made goes first: a child before its parent, a successor before its line. */
void
world_abandon(struct world_next *next)
{
    struct world *world = next->world;

    for (size_t i = next->count; i-- > 0;) {
        const struct step *step = &next->steps[i];

        if (step->kind == CHANGE_TOKEN_ROTATED) {
            step->line->members--;
            (void)world_release_member(world, step->member);
        } else if (step->kind == CHANGE_TOKEN_ISSUED) {
            if (step->line->parent != NULL)
                step->line->parent->children--;
            (void)world_release_line(world, step->line);
        }
    }
    for (unsigned i = 0; i < TABLE_SHARDS; i++)
        free(next->grown[i]);
    world_edit_drop(&next->edit);
    next_free(next);
}

/* --- publishing --------------------------------------------------------- */

static bool
release_plain(struct world *world, void *what)
{
    free(what);
    return true;
}

static bool
release_policy(struct world *world, void *policy)
{
    policy_free(policy);
    return true;
}

static bool
release_upstreams(struct world *world, void *set)
{
    world_upstreams_free(set);
    return true;
}

static bool
release_hops(struct world *world, void *hops)
{
    world_hops_free(hops);
    return true;
}

static bool
release_pins(struct world *world, void *pins)
{
    world_pins_free(pins);
    return true;
}

static void
publish_picture(struct world_next *next)
{
    struct world *world = next->world;
    struct picture *before = atomic_load_explicit(&world->picture, memory_order_relaxed);
    struct picture *picture, old;

    if (next->edit.next == NULL)
        return;
    picture = world_edit_take(&next->edit, &old);
    atomic_store(&world->picture, picture);
    world_retire(world, release_plain, before);
    if (old.policy != NULL)
        world_retire(world, release_policy, old.policy);
    if (old.upstreams != NULL)
        world_retire(world, release_upstreams, old.upstreams);
    if (old.hops != NULL)
        world_retire(world, release_hops, old.hops);
    if (old.pins != NULL)
        world_retire(world, release_pins, old.pins);
}

static void
publish_tables(struct world_next *next)
{
    struct world *world = next->world;

    for (unsigned i = 0; i < TABLE_SHARDS; i++) {
        if (next->grown[i] == NULL)
            continue;
        world_retire(world, release_plain,
                     atomic_load_explicit(&world->tokens.tables[i], memory_order_relaxed));
        atomic_store(&world->tokens.tables[i], next->grown[i]);
    }
}

static void
publish_revoked(struct line *line, int64_t at)
{
    if (at < atomic_load_explicit(&line->revoked_at, memory_order_relaxed))
        atomic_store(&line->revoked_at, at);
}

/* Readers count at the same time: what is there already is never taken back. */
static void
publish_used(struct line *line, uint32_t uses, int64_t last_used)
{
    uint32_t counted = atomic_load(&line->uses);
    int64_t noted = atomic_load(&line->last_used);

    while (counted < uses && !atomic_compare_exchange_weak(&line->uses, &counted, uses))
        ;
    while (noted < last_used && !atomic_compare_exchange_weak(&line->last_used, &noted, last_used))
        ;
}

static void
publish_forgotten(struct world *world, struct member *member)
{
    struct line *line = member->line;

    if (!atomic_load_explicit(&member->known, memory_order_relaxed))
        return; /* twice in one batch */
    atomic_store(&member->known, false);
    world->token_count--;
    line->members--;
    if (atomic_load_explicit(&line->newest, memory_order_relaxed) == member)
        atomic_store(&line->newest, NULL);
    if (member != &line->first) {
        world_table_remove(&world->tokens, member);
        world_retire(world, world_release_member, member);
    }
    world_line_settle(world, line);
}

static void
publish_step(struct world *world, const struct step *step)
{
    switch (step->kind) {
    case CHANGE_TOKEN_ROTATED:
        world_table_put(&world->tokens, step->member);
        atomic_store(&step->line->newest, step->member);
        world_member_end(step->predecessor, step->at);
        world->token_count++;
        break;
    case CHANGE_TOKEN_ISSUED:
        world_table_put(&world->tokens, step->member);
        world->token_count++;
        break;
    case CHANGE_LINE_REVOKED:
        publish_revoked(step->line, step->at);
        break;
    case CHANGE_MEMBER_ENDED:
        world_member_end(step->member, step->at);
        break;
    case CHANGE_LINE_USED:
        publish_used(step->line, step->uses, step->at);
        break;
    default:
        publish_forgotten(world, step->member);
        break;
    }
}

uint64_t
world_publish(struct world_next *next)
{
    struct world *world = next->world;

    publish_picture(next);
    publish_tables(next);
    for (size_t i = 0; i < next->count; i++)
        publish_step(world, &next->steps[i]);
    next_free(next);
    return world_raise_generation(world);
}
