/* world/table.c - tokens by id: one writer, any readers, no locks. */
#include "table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SHARD_FIRST = 16 };

static const uintptr_t tag_mask = 15;
/* Stands where a member was removed, so that searches go on past it; no address. */
static const uintptr_t removed = 1;

_Static_assert(_Alignof(max_align_t) > 15, "the allocator leaves four bits free");

static struct member *
member_of(uintptr_t slot)
{
    return (struct member *)(slot & ~tag_mask);
}

static bool
is_member(uintptr_t slot)
{
    return member_of(slot) != NULL;
}

/* Bits of the hash that choose neither the shard nor the place. */
static uintptr_t
tag_of(uint64_t hash)
{
    return (uintptr_t)(hash >> 52) & tag_mask;
}

/* Ids are random, yet tests and old logs may hold regular ones. */
uint64_t
world_id_hash(const struct token_id *id)
{
    uint64_t low, high;

    memcpy(&low, id->bytes, sizeof low);
    memcpy(&high, id->bytes + sizeof low, sizeof high);
    low = (low ^ (high << 23 | high >> 41)) * UINT64_C(0x9e3779b97f4a7c15);
    return low ^ low >> 29;
}

unsigned
world_table_shard(const struct token_id *id)
{
    return (unsigned)(world_id_hash(id) >> 56) % TABLE_SHARDS;
}

static struct table *
table_new(size_t capacity)
{
    struct table *table = calloc(1, sizeof *table + capacity * sizeof *table->slots);

    if (table != NULL)
        table->mask = capacity - 1;
    return table;
}

enum status
world_table_init(struct table_shards *shards)
{
    for (unsigned i = 0; i < TABLE_SHARDS; i++) {
        struct table *table = table_new(SHARD_FIRST);
        if (table == NULL)
            return STATUS_MEMORY;
        atomic_init(&shards->tables[i], table);
    }
    return STATUS_OK;
}

void
world_table_free(struct table_shards *shards)
{
    for (unsigned i = 0; i < TABLE_SHARDS; i++)
        free(atomic_load_explicit(&shards->tables[i], memory_order_relaxed));
}

struct member *
world_table_find(const struct table_shards *shards, const struct token_id *id)
{
    uint64_t hash = world_id_hash(id);
    const struct table *table =
        atomic_load_explicit(&shards->tables[(hash >> 56) % TABLE_SHARDS], memory_order_acquire);

    for (size_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        uintptr_t slot = atomic_load_explicit(&table->slots[at], memory_order_acquire);

        if (slot == 0)
            return NULL;
        if ((slot & tag_mask) == tag_of(hash) && is_member(slot) &&
            token_id_equal(&member_of(slot)->id, id))
            return member_of(slot);
    }
}

static const _Atomic uintptr_t *
first_place(const struct table_shards *shards, uint64_t hash)
{
    const struct table *table =
        atomic_load_explicit(&shards->tables[(hash >> 56) % TABLE_SHARDS], memory_order_acquire);

    return &table->slots[hash & table->mask];
}

void
world_table_expect(const struct table_shards *shards, const struct token_id *id)
{
    __builtin_prefetch((const void *)(uintptr_t)first_place(shards, world_id_hash(id)));
}

void
world_table_expect_member(const struct table_shards *shards, const struct token_id *id)
{
    const char *member = (const char *)member_of(
        atomic_load_explicit(first_place(shards, world_id_hash(id)), memory_order_relaxed));

    for (size_t at = 0; at < sizeof(struct line); at += 64)
        __builtin_prefetch(member + at);
}

/* A quarter of the places stays empty, so that every search ends. */
static bool
has_room(const struct table *table, size_t count)
{
    return (table->used + count) * 4 <= (table->mask + 1) * 3;
}

static void
put(struct table *table, struct member *member)
{
    uint64_t hash = world_id_hash(&member->id);
    size_t at = hash & table->mask;
    uintptr_t there;

    while (is_member(there = atomic_load_explicit(&table->slots[at], memory_order_relaxed)))
        at = (at + 1) & table->mask;
    table->live++;
    if (there != removed)
        table->used++;
    /* Publishes all that was written to the member before. */
    atomic_store_explicit(&table->slots[at], (uintptr_t)member | tag_of(hash),
                          memory_order_release);
}

enum status
world_table_room(const struct table_shards *shards, unsigned shard, size_t count,
                 struct table **grown)
{
    const struct table *old = atomic_load_explicit(&shards->tables[shard], memory_order_relaxed);
    struct table *table;
    size_t capacity = SHARD_FIRST;

    *grown = NULL;
    if (has_room(old, count))
        return STATUS_OK;
    while (capacity * 3 < (old->live + count) * 5)
        capacity *= 2;
    table = table_new(capacity);
    if (table == NULL)
        return STATUS_MEMORY;
    for (size_t i = 0; i <= old->mask; i++) {
        uintptr_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (is_member(slot))
            put(table, member_of(slot));
    }
    *grown = table;
    return STATUS_OK;
}

void
world_table_put(struct table_shards *shards, struct member *member)
{
    put(atomic_load_explicit(&shards->tables[world_table_shard(&member->id)], memory_order_relaxed),
        member);
}

void
world_table_remove(struct table_shards *shards, const struct member *member)
{
    struct table *table =
        atomic_load_explicit(&shards->tables[world_table_shard(&member->id)], memory_order_relaxed);
    size_t at = world_id_hash(&member->id) & table->mask;

    while (member_of(atomic_load_explicit(&table->slots[at], memory_order_relaxed)) != member)
        at = (at + 1) & table->mask;
    table->live--;
    atomic_store_explicit(&table->slots[at], removed, memory_order_release);
}

void
world_table_each(const struct table_shards *shards,
                 bool (*each)(void *context, struct member *member), void *context)
{
    for (unsigned i = 0; i < TABLE_SHARDS; i++) {
        const struct table *table = atomic_load_explicit(&shards->tables[i], memory_order_relaxed);
        for (size_t at = 0; at <= table->mask; at++) {
            uintptr_t slot = atomic_load_explicit(&table->slots[at], memory_order_relaxed);
            if (is_member(slot) && !each(context, member_of(slot)))
                return;
        }
    }
}
