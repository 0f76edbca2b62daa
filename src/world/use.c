/* world/use.c - uses are counted on a token and all its ancestors, all or none. */
#include "inside.h"

/* Of a line that never changes: its limits come with its first record. */
static enum world_used_kind
used_kind(const struct line *line)
{
    return line->max_uses == USES_UNLIMITED && line->idle_ms == TIME_NEVER ? WORLD_USED_FREE
                                                                           : WORLD_USED_LIMITED;
}

/* Puts the line in the list of those whose use is not yet durable. A failed look
 * sees the list's mark before a drain takes it off, and then the drain sees the
 * count: both are sequentially consistent. */
static void
note_touched(struct world *world, struct line *line)
{
    struct line *none = NULL, *head;
    _Atomic(struct line *) *list = &world->touched[used_kind(line)];

    if (atomic_load(&line->touched) != NULL ||
        !atomic_compare_exchange_strong(&line->touched, &none, &world->touched_end))
        return;
    head = atomic_load(list);
    do {
        atomic_store(&line->touched, head == NULL ? &world->touched_end : head);
    } while (!atomic_compare_exchange_weak(list, &head, line));
}

/* The time goes forward, and a second's uses write it once. */
static bool
note_time(struct line *line, int64_t now)
{
    int64_t last = atomic_load_explicit(&line->last_used, memory_order_relaxed);

    return now > last && now / MS_SECOND != last / MS_SECOND &&
           atomic_compare_exchange_strong(&line->last_used, &last, now);
}

static bool
take_use(struct line *line)
{
    uint32_t uses = atomic_load(&line->uses);

    do {
        if (line->max_uses == USES_UNLIMITED ? uses == USES_UNLIMITED - 1 : uses >= line->max_uses)
            return line->max_uses == USES_UNLIMITED; /* a full counter stops no one */
    } while (!atomic_compare_exchange_weak(&line->uses, &uses, uses + 1));
    return true;
}

/* When an ancestor has no use left, those taken below are given back; another use
 * that failed in between was refused early, never allowed too often. */
static bool
take_uses(const struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (take_use(walk->members[i]->line))
            continue;
        while (i-- > 0)
            atomic_fetch_sub(&walk->members[i]->line->uses, 1);
        return false;
    }
    return true;
}

/* Who still shows a token that has a successor? One load on the way of every other. */
static void
note_replaced(struct member *member, int64_t now)
{
    if (atomic_load_explicit(&member->line->newest, memory_order_relaxed) != member)
        atomic_store_explicit(&member->replaced_use, (uint32_t)(now / MS_SECOND),
                              memory_order_relaxed);
}

static void
note_use(struct world *world, const struct walk *walk, int64_t now)
{
    note_replaced(walk->members[0], now);
    for (size_t i = 0; i < walk->count; i++) {
        (void)note_time(walk->members[i]->line, now);
        note_touched(world, walk->members[i]->line);
    }
}

/* The walk of a token that may still be used now; false when it may not. */
static bool
usable_walk(const struct world *world, const struct token_id *id, int64_t now, struct walk *out)
{
    struct member *member = world_member_find(world, id);

    if (member == NULL)
        return false;
    world_walk(member, out);
    return world_walk_state(out, now) == TOKEN_LIVE;
}

enum use_verdict
world_use(struct world_reader *reader, const struct credential *credential, int64_t now)
{
    struct world *world = reader->world;
    struct walk walk;

    if (!usable_walk(world, &credential->id, now, &walk))
        return USE_EXHAUSTED;
    for (size_t i = 0; i < walk.count; i++) {
        if (walk.members[i]->line->max_uses == 1)
            return USE_CLAIM;
    }
    if (!take_uses(&walk))
        return USE_EXHAUSTED;
    note_use(world, &walk, now);
    return USE_TAKEN;
}

void
world_touch(struct world_reader *reader, const struct credential *credential, int64_t now)
{
    struct member *member = world_member_find(reader->world, &credential->id);
    struct walk walk;

    if (member == NULL)
        return;
    world_walk(member, &walk);
    note_replaced(member, now);
    for (size_t i = 0; i < walk.count; i++) {
        if (note_time(walk.members[i]->line, now))
            note_touched(reader->world, walk.members[i]->line);
    }
}

enum use_verdict
world_claim(struct world *world, const struct token_id *id, int64_t now,
            struct token_id lines[TOKEN_DEPTH_MAX], size_t *count)
{
    struct walk walk;
    size_t claimed = 0;

    if (!usable_walk(world, id, now, &walk) || !take_uses(&walk))
        return USE_EXHAUSTED;
    note_use(world, &walk, now);
    for (size_t i = 0; i < walk.count; i++) {
        if (walk.members[i]->line->max_uses == 1)
            lines[claimed++] = walk.members[i]->line->first.id;
    }
    *count = claimed;
    return USE_TAKEN;
}

void
world_drain_used(struct world *world, enum world_used_kind kind, size_t most,
                 world_used_visitor each, void *context)
{
    struct line *line = world->draining[kind];

    if (line == NULL)
        line = atomic_exchange(&world->touched[kind], NULL);
    for (; line != NULL && line != &world->touched_end && most > 0; most--) {
        /* From here on a use puts the line into the next list. */
        struct line *next = atomic_exchange(&line->touched, NULL);

        if (line->members > 0)
            each(context, &line->first.id, atomic_load(&line->uses), atomic_load(&line->last_used));
        line = next;
    }
    world->draining[kind] = line == &world->touched_end ? NULL : line;
}
