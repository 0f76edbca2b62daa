/* world/world.c - the world as a whole, and the writer's view of it. */
#include <stdlib.h>

#include "load.h"

static enum status
world_init(struct world *world)
{
    struct picture *picture;
    enum status status = world_table_init(&world->tokens);

    if (status == STATUS_OK)
        status = world_pool_init(&world->pool);
    if (status == STATUS_OK)
        status = world_limbo_reserve(world, 0);
    if (status != STATUS_OK)
        return status;
    world->names = names_new();
    if (world->names == NULL)
        return STATUS_MEMORY;
    status = world_picture_new(world->names, &picture);
    if (status != STATUS_OK)
        return status;
    atomic_init(&world->picture, picture);
    return world_loading_new(world);
}

enum status
world_new(struct world **out)
{
    struct world *world = aligned_alloc(_Alignof(struct world), sizeof *world);
    enum status status;

    if (world == NULL)
        return STATUS_MEMORY;
    memset(world, 0, sizeof *world);
    atomic_init(&world->generation, 1);
    slab_init(&world->lines, sizeof(struct line));
    status = world_init(world);
    if (status != STATUS_OK) {
        world_free(world);
        return status;
    }
    *out = world;
    return STATUS_OK;
}

/* Lines go last, for members point at them: with their slab, when the first pass has freed
 * later members and the second what else the firsts hold. */
static bool
free_later_member(void *context, struct member *member)
{
    if (member != &member->line->first) {
        world_table_remove(context, member);
        free(member->rarity);
        free(member);
    }
    return true;
}

static bool
free_first_member(void *context, struct member *member)
{
    free(member->rarity);
    return true;
}

static void
readers_free(struct world *world)
{
    struct world_reader *reader = atomic_load(&world->readers);

    while (reader != NULL) {
        struct world_reader *next = reader->next;
        free(reader);
        reader = next;
    }
}

static void
ignore_used(void *context, const struct token_id *line, uint32_t uses, int64_t last_used)
{
}

void
world_free(struct world *world)
{
    if (world == NULL)
        return;
    if (world->next != NULL)
        world_abandon(world->next);
    world_loading_free(world);
    for (unsigned kind = 0; kind < WORLD_USED_KINDS; kind++) {
        /* What was left of one list, then the next. */
        world_drain_used(world, kind, SIZE_MAX, ignore_used, NULL);
        world_drain_used(world, kind, SIZE_MAX, ignore_used, NULL);
    }
    world_limbo_free(world);
    world_table_each(&world->tokens, free_later_member, &world->tokens);
    world_table_each(&world->tokens, free_first_member, NULL);
    world_table_free(&world->tokens);
    slab_free(&world->lines);
    world_pool_free(&world->pool);
    world_picture_free(atomic_load(&world->picture));
    keyring_free(atomic_load(&world->keyring));
    readers_free(world);
    names_free(world->names);
    free(world);
}

static bool
release_keyring(struct world *world, void *ring)
{
    keyring_free(ring);
    return true;
}

void
world_set_keyring(struct world *world, struct keyring *ring)
{
    struct keyring *old = atomic_exchange(&world->keyring, ring);

    /* Every reservation keeps one place for this. With memory out twice in a row the
     * old ring is lost, rather than freed under a reader. */
    if (old != NULL &&
        (world->limbo.count < world->limbo.capacity || world_limbo_reserve(world, 0) == STATUS_OK))
        world_retire(world, release_keyring, old);
    world_raise_generation(world);
}

const struct keyring *
world_keyring(const struct world *world)
{
    return atomic_load_explicit(&world->keyring, memory_order_relaxed);
}

/* The record of a member; everything borrows from the world. */
static struct token_record
record_of(const struct world *world, const struct member *member)
{
    const struct line *line = member->line;
    const struct rarity *rarity = member->rarity;
    struct token_record record = {
        .id = member->id,
        .line = line->first.id,
        .kid = member->kid,
        .purpose = (enum token_purpose)member->purpose,
        .issued_at = member->issued_at,
        .not_before = member->issued_at,
        .expires_at = atomic_load_explicit(&member->expires_at, memory_order_relaxed),
        .line_started_at = line->started_at,
        .idle_ms = line->idle_ms,
        .max_uses = line->max_uses,
        .subject = names_text(world->names, member->subject),
        .roles = shared_text(member->roles),
        .scope = shared_text(member->scope),
    };

    if (line->parent != NULL)
        record.parent_line = line->parent->first.id;
    if (member->issued_by != NAME_NONE)
        record.issued_by = names_text(world->names, member->issued_by);
    if (rarity != NULL) {
        record.not_before = rarity->not_before;
        record.binding = rarity->binding;
        record.predecessor = rarity->predecessor;
        record.name = slice_of(rarity->texts, rarity->name_size);
        record.audience = rarity_audience(rarity);
        if (rarity->networks != NULL) {
            record.networks = rarity->networks->networks;
            record.network_count = rarity->networks->count;
        }
    }
    return record;
}

bool
world_token(const struct world *world, const struct token_id *id, int64_t now,
            struct world_token_info *out)
{
    struct member *member = world_member_find(world, id), *newest;
    struct walk walk;

    if (member == NULL)
        return false;
    world_walk(member, &walk);
    newest = atomic_load_explicit(&member->line->newest, memory_order_relaxed);
    *out = (struct world_token_info){
        .record = record_of(world, member),
        .life = { .revoked_at = atomic_load(&member->line->revoked_at),
                  .last_used = atomic_load(&member->line->last_used),
                  .uses = atomic_load(&member->line->uses),
                  .expires_at = atomic_load(&member->expires_at) },
        .state = world_walk_state(&walk, now),
        .member_used = atomic_load(&member->replaced_use) * MS_SECOND,
    };
    if (newest != NULL)
        out->newest = newest->id;
    return true;
}

size_t
world_token_count(const struct world *world)
{
    return world->token_count;
}

const struct policy *
world_policy_of(const struct world *world)
{
    return atomic_load_explicit(&world->picture, memory_order_relaxed)->policy;
}

struct names *
world_names(struct world *world)
{
    return world->names;
}

struct each_token {
    world_token_visitor each;
    void *context;
};

static bool
visit_member(void *context, struct member *member)
{
    const struct each_token *visit = context;

    return !atomic_load_explicit(&member->known, memory_order_relaxed) ||
           visit->each(visit->context, &member->id);
}

void
world_each_token(const struct world *world, world_token_visitor each, void *context)
{
    struct each_token visit = { each, context };

    world_table_each(&world->tokens, visit_member, &visit);
}
