/* world/reclaim.c - readers, generations, and when memory may go (quiescent states).
 *
 * The writer unlinks, notes what it unlinked, and raises the generation. A reader
 * copies the generation when it holds nothing; what was unlinked before the lowest
 * copy can be reached by nobody. One sequentially consistent order of these few
 * operations makes it plain to see, and to ThreadSanitizer too. */
#include <stdlib.h>

#include "inside.h"

uint64_t
world_raise_generation(struct world *world)
{
    return atomic_fetch_add(&world->generation, 1) + 1;
}

uint64_t
world_generation(const struct world *world)
{
    return atomic_load(&world->generation);
}

enum status
world_reader_new(struct world *world, struct world_reader **out)
{
    struct world_reader *reader = aligned_alloc(_Alignof(struct world_reader), sizeof *reader);
    enum status status;

    if (reader == NULL)
        return STATUS_MEMORY;
    *reader = (struct world_reader){ .world = world };
    status = keyring_state_new(&reader->keys);
    if (status != STATUS_OK) {
        free(reader);
        return status;
    }
    /* Until its first quiescent state, below, it holds everything back. */
    reader->next = atomic_load(&world->readers);
    while (!atomic_compare_exchange_weak(&world->readers, &reader->next, reader))
        ;
    world_quiescent(reader);
    *out = reader;
    return STATUS_OK;
}

void
world_reader_free(struct world_reader *reader)
{
    if (reader == NULL)
        return;
    keyring_state_free(reader->keys);
    reader->keys = NULL;
    /* The writer walks the list at any time, so the place in it stays to the end. */
    atomic_store(&reader->seen, UINT64_MAX);
}

void
world_quiescent(struct world_reader *reader)
{
    uint64_t generation = atomic_load(&reader->world->generation);

    if (atomic_load_explicit(&reader->seen, memory_order_relaxed) != generation)
        atomic_store(&reader->seen, generation);
}

uint64_t
world_seen(const struct world_reader *reader)
{
    return atomic_load_explicit(&reader->seen, memory_order_relaxed);
}

static uint64_t
lowest_seen(const struct world *world)
{
    uint64_t lowest = UINT64_MAX;

    for (const struct world_reader *at = atomic_load(&world->readers); at != NULL; at = at->next) {
        uint64_t seen = atomic_load(&at->seen);
        lowest = seen < lowest ? seen : lowest;
    }
    return lowest;
}

bool
world_caught_up(const struct world *world, uint64_t generation)
{
    return lowest_seen(world) >= generation;
}

enum status
world_limbo_reserve(struct world *world, size_t count)
{
    struct limbo *limbo = &world->limbo;
    struct limbo_item *items;
    /* One more, for the ring of keys, whose change can't be refused. */
    size_t needed = limbo->count + count + 1, capacity = limbo->capacity;

    if (needed <= capacity)
        return STATUS_OK;
    if (capacity == 0)
        capacity = 64;
    while (capacity < needed)
        capacity *= 2;
    items = calloc(capacity, sizeof *items);
    if (items == NULL)
        return STATUS_MEMORY;
    for (size_t i = 0; i < limbo->count; i++)
        items[i] = limbo->items[(limbo->head + i) % limbo->capacity];
    free(limbo->items);
    limbo->items = items;
    limbo->head = 0;
    limbo->capacity = capacity;
    return STATUS_OK;
}

static void
limbo_push(struct limbo *limbo, struct limbo_item item)
{
    limbo->items[(limbo->head + limbo->count) % limbo->capacity] = item;
    limbo->count++;
}

static struct limbo_item
limbo_pop(struct limbo *limbo)
{
    struct limbo_item item = limbo->items[limbo->head];

    limbo->head = (limbo->head + 1) % limbo->capacity;
    limbo->count--;
    return item;
}

void
world_retire(struct world *world, world_release release, void *what)
{
    limbo_push(&world->limbo, (struct limbo_item){ release, what, world_generation(world) + 1 });
}

void
world_reclaim(struct world *world)
{
    struct limbo *limbo = &world->limbo;
    uint64_t lowest = lowest_seen(world);

    for (size_t left = limbo->count; left > 0; left--) {
        struct limbo_item item = limbo_pop(limbo);

        if (item.generation > lowest || !item.release(world, item.what))
            limbo_push(limbo, item);
    }
}

void
world_limbo_free(struct world *world)
{
    while (world->limbo.count > 0) {
        struct limbo_item item = limbo_pop(&world->limbo);
        (void)item.release(world, item.what);
    }
    free(world->limbo.items);
    world->limbo = (struct limbo){ 0 };
}
