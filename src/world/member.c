/* world/member.c - tokens and their lines: made from records, taken out when over. */
#include <stdlib.h>

#include "inside.h"

struct line *
world_line_new(struct world *world, const struct token_id *id)
{
    struct line *line = slab_take(&world->lines);

    if (line == NULL)
        return NULL;
    line->first.id = *id;
    line->first.line = line;
    line->idle_ms = TIME_NEVER;
    atomic_init(&line->revoked_at, TIME_NEVER);
    return line;
}

struct member *
world_member_new(void)
{
    return calloc(1, sizeof(struct member));
}

void
world_line_fill(struct line *line, const struct token_record *record)
{
    line->started_at = record->line_started_at;
    line->idle_ms = record->idle_ms;
    line->max_uses = record->max_uses;
}

static enum status
check_form(const struct token_record *record, struct fault *fault)
{
    if (!subject_name_valid(record->subject))
        return fault_set(fault, STATUS_INVALID, "a token needs a subject");
    if (record->network_count > TOKEN_NETWORKS_MAX)
        return fault_set(fault, STATUS_INVALID, "a token has at most %d networks",
                         TOKEN_NETWORKS_MAX);
    if (record->name.size > TOKEN_NAME_MAX)
        return fault_set(fault, STATUS_INVALID, "a token's name has at most %d bytes",
                         TOKEN_NAME_MAX);
    if (record->audience.size > TOKEN_AUDIENCE_MAX)
        return fault_set(fault, STATUS_INVALID, "a token's audience has at most %d bytes",
                         TOKEN_AUDIENCE_MAX);
    return STATUS_OK;
}

static bool
is_rare(const struct token_record *record)
{
    return record->binding.kind != BINDING_NONE || !token_id_is_none(&record->predecessor) ||
           record->not_before != record->issued_at || record->network_count > 0 ||
           record->name.size > 0 || record->audience.size > 0;
}

static void
rarity_free(struct world_pool *pool, struct rarity *rarity)
{
    if (rarity == NULL)
        return;
    world_share_release(pool, rarity->networks);
    free(rarity);
}

static enum status
rarity_new(struct world_pool *pool, const struct token_record *record, struct rarity **out)
{
    struct rarity *rarity;
    enum status status;

    if (!is_rare(record)) {
        *out = NULL;
        return STATUS_OK;
    }
    rarity = calloc(1, sizeof *rarity + record->name.size + record->audience.size);
    if (rarity == NULL)
        return STATUS_MEMORY;
    rarity->binding = record->binding;
    rarity->predecessor = record->predecessor;
    rarity->not_before = record->not_before;
    rarity->name_size = (uint16_t)record->name.size;
    rarity->audience_size = (uint16_t)record->audience.size;
    if (record->name.size > 0)
        memcpy(rarity->texts, record->name.at, record->name.size);
    if (record->audience.size > 0)
        memcpy(rarity->texts + record->name.size, record->audience.at, record->audience.size);
    if (record->network_count > 0) {
        status =
            world_share_networks(pool, record->networks, record->network_count, &rarity->networks);
        if (status != STATUS_OK) {
            free(rarity);
            return status;
        }
    }
    *out = rarity;
    return STATUS_OK;
}

static enum status
intern_subjects(struct world *world, struct member *next, const struct token_record *record)
{
    next->subject = names_intern(world->names, record->subject);
    next->issued_by = NAME_NONE;
    if (record->issued_by.size > 0) {
        next->issued_by = names_intern(world->names, record->issued_by);
        if (next->issued_by == NAME_NONE)
            return STATUS_MEMORY;
    }
    return next->subject == NAME_NONE ? STATUS_MEMORY : STATUS_OK;
}

enum status
world_member_fill(struct world *world, struct member *member, const struct token_record *record,
                  struct fault *fault)
{
    struct world_pool *pool = &world->pool;
    struct shared *roles = NULL, *scope = NULL;
    struct rarity *rarity = NULL;
    struct member subjects = { .subject = NAME_NONE };
    enum status status = check_form(record, fault);

    if (status != STATUS_OK)
        return status;
    status = world_share_roles(pool, world->names, record->roles, &roles, fault);
    if (status == STATUS_OK && record->scope.size > 0)
        status = world_share_scope(pool, record->scope, &scope, fault);
    if (status == STATUS_OK && (rarity_new(pool, record, &rarity) != STATUS_OK ||
                                intern_subjects(world, &subjects, record) != STATUS_OK))
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    if (status != STATUS_OK) {
        world_share_release(pool, roles);
        world_share_release(pool, scope);
        rarity_free(pool, rarity);
        return status;
    }
    member->id = record->id;
    member->roles = roles;
    member->scope = scope;
    member->rarity = rarity;
    member->issued_at = record->issued_at;
    member->subject = subjects.subject;
    member->issued_by = subjects.issued_by;
    member->kid = record->kid;
    member->purpose = (uint8_t)record->purpose;
    atomic_store_explicit(&member->expires_at, record->expires_at, memory_order_relaxed);
    atomic_store_explicit(&member->known, true, memory_order_release);
    return STATUS_OK;
}

static void
member_clear(struct world *world, struct member *member)
{
    world_share_release(&world->pool, member->roles);
    world_share_release(&world->pool, member->scope);
    rarity_free(&world->pool, member->rarity);
}

bool
world_release_member(struct world *world, void *what)
{
    struct member *member = what;

    member_clear(world, member);
    free(member);
    return true;
}

bool
world_release_line(struct world *world, void *what)
{
    struct line *line = what;

    /* The next drain of used lines takes it out of that list. */
    if (atomic_load(&line->touched) != NULL)
        return false;
    member_clear(world, &line->first);
    slab_give(&world->lines, line);
    return true;
}

struct line *
world_line_find(const struct world *world, const struct token_id *id)
{
    struct member *member = world_table_find(&world->tokens, id);

    return member != NULL && member == &member->line->first ? member->line : NULL;
}

void
world_line_settle(struct world *world, struct line *line)
{
    while (line != NULL && line->members == 0 && line->children == 0) {
        struct line *parent = line->parent;

        world_table_remove(&world->tokens, &line->first);
        world_retire(world, world_release_line, line);
        if (parent != NULL)
            parent->children--;
        line = parent;
    }
}

void
world_member_end(struct member *member, int64_t at)
{
    if (at < atomic_load_explicit(&member->expires_at, memory_order_relaxed))
        atomic_store(&member->expires_at, at);
}
