/* world/load.c - the world at the start, from the store's changes in any order.
 *
 * A line that is spoken of before its first member comes (or whose first member was
 * forgotten long ago) begins as a shell, which refuses whatever refers to it. */
#include <stdlib.h>

#include "load.h"

/* A rotation's end of a predecessor that has not come yet. */
struct pending_end {
    struct token_id id;
    int64_t at;
};

struct loading {
    struct picture_edit edit;
    struct line **shells;
    size_t shell_count, shell_capacity;
    struct pending_end *ends;
    size_t end_count, end_capacity;
};

enum status
world_loading_new(struct world *world)
{
    world->loading = calloc(1, sizeof *world->loading);
    if (world->loading == NULL)
        return STATUS_MEMORY;
    world->loading->edit.from = atomic_load_explicit(&world->picture, memory_order_relaxed);
    return STATUS_OK;
}

void
world_loading_free(struct world *world)
{
    struct loading *loading = world->loading;

    if (loading == NULL)
        return;
    world_edit_drop(&loading->edit);
    free(loading->shells);
    free(loading->ends);
    free(loading);
    world->loading = NULL;
}

/* No reader runs: an outgrown table may go at once. */
static enum status
put_member(struct world *world, struct member *member)
{
    unsigned shard = world_table_shard(&member->id);
    struct table *grown;
    enum status status = world_table_room(&world->tokens, shard, 1, &grown);

    if (status != STATUS_OK)
        return status;
    if (grown != NULL) {
        free(atomic_load_explicit(&world->tokens.tables[shard], memory_order_relaxed));
        atomic_store_explicit(&world->tokens.tables[shard], grown, memory_order_relaxed);
    }
    world_table_put(&world->tokens, member);
    return STATUS_OK;
}

static void *
grow(void *array, size_t count, size_t *capacity, size_t size)
{
    void *larger;

    if (count < *capacity)
        return array;
    larger = reallocarray(array, *capacity == 0 ? 64 : *capacity * 2, size);
    if (larger != NULL)
        *capacity = *capacity == 0 ? 64 : *capacity * 2;
    return larger;
}

static enum status
line_or_shell(struct world *world, const struct token_id *id, struct line **out)
{
    struct loading *loading = world->loading;
    struct member *there = world_table_find(&world->tokens, id);
    struct line **shells;
    enum status status;

    if (there != NULL) {
        if (there != &there->line->first)
            return STATUS_CORRUPT;
        *out = there->line;
        return STATUS_OK;
    }
    shells = grow(loading->shells, loading->shell_count, &loading->shell_capacity,
                  sizeof(struct line *));
    if (shells == NULL)
        return STATUS_MEMORY;
    loading->shells = shells;
    *out = world_line_new(world, id);
    if (*out == NULL)
        return STATUS_MEMORY;
    status = put_member(world, &(*out)->first);
    if (status != STATUS_OK) {
        slab_give(&world->lines, *out);
        return status;
    }
    shells[loading->shell_count++] = *out;
    return STATUS_OK;
}

/* A line that begins with this record: the usual case, made in one go. */
static enum status
load_new_line(struct world *world, const struct token_record *record, struct line **out,
              struct fault *fault)
{
    struct line *line = world_line_new(world, &record->id);
    enum status status;

    if (line == NULL)
        return STATUS_MEMORY;
    status = world_member_fill(world, &line->first, record, fault);
    if (status == STATUS_OK) {
        status = put_member(world, &line->first);
        if (status == STATUS_OK) {
            *out = line;
            return STATUS_OK;
        }
    }
    (void)world_release_line(world, line);
    return status;
}

static enum status
load_later_member(struct world *world, const struct token_record *record, struct line *line,
                  struct member **out)
{
    struct member *member = world_member_new();
    enum status status;

    if (member == NULL)
        return STATUS_MEMORY;
    member->line = line;
    status = world_member_fill(world, member, record, NULL);
    if (status == STATUS_OK)
        status = put_member(world, member);
    if (status != STATUS_OK) {
        (void)world_release_member(world, member);
        return status;
    }
    *out = member;
    return STATUS_OK;
}

static bool
is_newer(const struct member *member, const struct member *than)
{
    if (than == NULL || member->issued_at != than->issued_at)
        return than == NULL || member->issued_at > than->issued_at;
    return member->rarity != NULL && token_id_equal(&member->rarity->predecessor, &than->id);
}

/* The first member to come tells what holds for the line. */
static enum status
join_line(struct world *world, struct line *line, struct member *member,
          const struct token_record *record)
{
    if (line->members == 0) {
        struct line *parent = NULL;
        enum status status = STATUS_OK;

        if (!token_id_is_none(&record->parent_line))
            status = line_or_shell(world, &record->parent_line, &parent);
        if (status != STATUS_OK)
            return status;
        if (parent != NULL)
            parent->children++;
        line->parent = parent;
        world_line_fill(line, record);
    }
    line->members++;
    world->token_count++;
    if (is_newer(member, atomic_load_explicit(&line->newest, memory_order_relaxed)))
        atomic_store_explicit(&line->newest, member, memory_order_relaxed);
    return STATUS_OK;
}

static enum status
load_member(struct world *world, const struct token_record *record)
{
    struct member *member = world_table_find(&world->tokens, &record->id);
    bool first = token_id_equal(&record->id, &record->line);
    struct line *line = NULL;
    enum status status = STATUS_OK;

    if (token_id_is_none(&record->id) ||
        (member != NULL && (!first || member != &member->line->first ||
                            atomic_load_explicit(&member->known, memory_order_relaxed))))
        return STATUS_CORRUPT;
    if (first && member != NULL) {
        line = member->line;
        status = world_member_fill(world, member, record, NULL);
    } else if (first) {
        status = load_new_line(world, record, &line, NULL);
        member = line == NULL ? NULL : &line->first;
    } else {
        status = line_or_shell(world, &record->line, &line);
        if (status == STATUS_OK)
            status = load_later_member(world, record, line, &member);
    }
    return status == STATUS_OK ? join_line(world, line, member, record) : status;
}

static enum status
load_rotated(struct world *world, const struct change *change)
{
    struct loading *loading = world->loading;
    struct pending_end *ends;
    struct member *predecessor = world_member_find(world, &change->token.predecessor);

    if (predecessor != NULL) {
        world_member_end(predecessor, change->expires_at);
        return load_member(world, &change->token);
    }
    ends = grow(loading->ends, loading->end_count, &loading->end_capacity, sizeof *ends);
    if (ends == NULL)
        return STATUS_MEMORY;
    loading->ends = ends;
    ends[loading->end_count++] =
        (struct pending_end){ change->token.predecessor, change->expires_at };
    return load_member(world, &change->token);
}

static enum status
load_line(struct world *world, const struct change *change)
{
    struct line *line;
    enum status status = line_or_shell(world, &change->id, &line);

    if (status != STATUS_OK)
        return status;
    if (change->kind == CHANGE_LINE_REVOKED) {
        if (change->at < atomic_load_explicit(&line->revoked_at, memory_order_relaxed))
            atomic_store_explicit(&line->revoked_at, change->at, memory_order_relaxed);
        return STATUS_OK;
    }
    if (change->uses > atomic_load_explicit(&line->uses, memory_order_relaxed))
        atomic_store_explicit(&line->uses, change->uses, memory_order_relaxed);
    if (change->at > atomic_load_explicit(&line->last_used, memory_order_relaxed))
        atomic_store_explicit(&line->last_used, change->at, memory_order_relaxed);
    return STATUS_OK;
}

enum status
world_load(struct world *world, const struct change *change)
{
    if (world->loading == NULL)
        return STATUS_INTERNAL;
    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
        return load_member(world, &change->token);
    case CHANGE_TOKEN_ROTATED:
        return load_rotated(world, change);
    case CHANGE_LINE_REVOKED:
    case CHANGE_LINE_USED:
        return load_line(world, change);
    case CHANGE_HOP_REVOKED:
    case CHANGE_ROLE_PUT:
    case CHANGE_ROLE_DROPPED:
    case CHANGE_SUBJECT_PUT:
    case CHANGE_SUBJECT_DROPPED:
    case CHANGE_UPSTREAM_PUT:
    case CHANGE_UPSTREAM_DROPPED:
    case CHANGE_TOOL_APPROVED:
    case CHANGE_TOOL_WITHDRAWN:
        return world_edit_apply(&world->loading->edit, change, ++world->upstream_version, NULL);
    case CHANGE_KEY_PUT:
    case CHANGE_KEY_DROPPED:
    case CHANGE_POLICY_APPLIED:
    case CHANGE_AUDIT_HEAD:
    case CHANGE_ANSWER_KEPT:
    case CHANGE_ANSWER_FORGOTTEN:
        return STATUS_OK;
    case CHANGE_MEMBER_ENDED:
    case CHANGE_TOKEN_FORGOTTEN: /* no part of a present state */
    case CHANGE_KINDS:
        break;
    }
    return STATUS_CORRUPT;
}

enum status
world_loaded(struct world *world, struct fault *fault)
{
    struct loading *loading = world->loading;
    struct picture old;
    enum status status;

    if (loading == NULL)
        return fault_set(fault, STATUS_INTERNAL, "the world was loaded before");
    status = world_limbo_reserve(world, loading->shell_count);
    if (status == STATUS_OK)
        status = world_edit_finish(&loading->edit, fault);
    if (status != STATUS_OK)
        return status;
    if (loading->edit.next != NULL) {
        struct picture *before = atomic_load_explicit(&world->picture, memory_order_relaxed);
        atomic_store(&world->picture, world_edit_take(&loading->edit, &old));
        world_picture_parts_free(&old);
        free(before);
    }
    for (size_t i = 0; i < loading->end_count; i++) {
        struct member *member = world_member_find(world, &loading->ends[i].id);
        if (member != NULL)
            world_member_end(member, loading->ends[i].at);
    }
    for (size_t i = 0; i < loading->shell_count; i++)
        world_line_settle(world, loading->shells[i]);
    world_loading_free(world);
    world_raise_generation(world);
    return STATUS_OK;
}
