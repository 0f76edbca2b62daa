/* world/shared.c - what tokens have in common, kept once. */
#include "shared.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

enum status
world_pool_init(struct world_pool *pool)
{
    struct shared **buckets = calloc(BUCKETS_FIRST, sizeof(struct shared *));

    if (buckets == NULL)
        return STATUS_MEMORY;
    *pool = (struct world_pool){ .buckets = buckets, .mask = BUCKETS_FIRST - 1 };
    return STATUS_OK;
}

static void
entry_free(struct shared *entry)
{
    if (entry == NULL)
        return;
    scope_free(entry->scope);
    free(entry->roles);
    free(entry->networks);
    free(entry);
}

void
world_pool_free(struct world_pool *pool)
{
    for (size_t i = 0; pool->buckets != NULL && i <= pool->mask; i++) {
        while (pool->buckets[i] != NULL) {
            struct shared *entry = pool->buckets[i];
            pool->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    free(pool->buckets);
    *pool = (struct world_pool){ 0 };
}

/* An old bucket array that can't grow stays in use: slower, not wrong. */
static void
pool_grow(struct world_pool *pool)
{
    size_t mask = pool->mask * 2 + 1;
    struct shared **buckets = calloc(mask + 1, sizeof(struct shared *));

    if (buckets == NULL)
        return;
    for (size_t i = 0; i <= pool->mask; i++) {
        while (pool->buckets[i] != NULL) {
            struct shared *entry = pool->buckets[i];
            pool->buckets[i] = entry->next;
            entry->next = buckets[entry->hash & mask];
            buckets[entry->hash & mask] = entry;
        }
    }
    free(pool->buckets);
    pool->buckets = buckets;
    pool->mask = mask;
}

static struct shared *
pool_find(const struct world_pool *pool, enum shared_kind kind, struct slice key, uint64_t hash)
{
    for (struct shared *at = pool->buckets[hash & pool->mask]; at != NULL; at = at->next) {
        if (at->hash == hash && at->kind == kind && slice_equal(shared_text(at), key))
            return at;
    }
    return NULL;
}

static uint64_t
key_hash(enum shared_kind kind, struct slice key)
{
    return slice_hash(key) ^ ((uint64_t)kind << 61 | (uint64_t)kind);
}

static struct shared *
entry_new(enum shared_kind kind, struct slice key)
{
    struct shared *entry = calloc(1, sizeof *entry + key.size);

    if (entry == NULL)
        return NULL;
    entry->kind = kind;
    entry->hash = key_hash(kind, key);
    entry->size = key.size;
    if (key.size > 0)
        memcpy(entry->key, key.at, key.size);
    return entry;
}

/* The counted entry when there is one already. */
static struct shared *
pool_take(struct world_pool *pool, enum shared_kind kind, struct slice key)
{
    struct shared *entry = pool_find(pool, kind, key, key_hash(kind, key));

    if (entry != NULL)
        entry->refs++;
    return entry;
}

static struct shared *
pool_add(struct world_pool *pool, struct shared *entry)
{
    if (pool->count > pool->mask)
        pool_grow(pool);
    entry->refs = 1;
    entry->next = pool->buckets[entry->hash & pool->mask];
    pool->buckets[entry->hash & pool->mask] = entry;
    pool->count++;
    return entry;
}

static enum status
read_roles(struct shared *entry, struct names *names, struct fault *fault)
{
    struct slice rest = shared_text(entry), role;

    entry->roles = calloc(TOKEN_ROLES_MAX, sizeof *entry->roles);
    if (entry->roles == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    while (rest.size > 0 && slice_next(&rest, ' ', &role)) {
        if (!name_valid(role))
            return fault_set(fault, STATUS_INVALID, "\"%.*s\" is no name of a role",
                             SLICE_PRINT(role));
        if (entry->count == TOKEN_ROLES_MAX)
            return fault_set(fault, STATUS_INVALID, "a token has at most %d roles",
                             TOKEN_ROLES_MAX);
        entry->roles[entry->count] = names_intern(names, role);
        if (entry->roles[entry->count++] == NAME_NONE)
            return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    return STATUS_OK;
}

enum status
world_share_roles(struct world_pool *pool, struct names *names, struct slice roles,
                  struct shared **out, struct fault *fault)
{
    struct shared *entry = pool_take(pool, SHARED_ROLES, roles);
    enum status status;

    if (entry == NULL) {
        entry = entry_new(SHARED_ROLES, roles);
        if (entry == NULL)
            return fault_set(fault, STATUS_MEMORY, "out of memory");
        status = read_roles(entry, names, fault);
        if (status != STATUS_OK) {
            entry_free(entry);
            return status;
        }
        entry = pool_add(pool, entry);
    }
    *out = entry;
    return STATUS_OK;
}

enum status
world_share_scope(struct world_pool *pool, struct slice scope, struct shared **out,
                  struct fault *fault)
{
    struct shared *entry = pool_take(pool, SHARED_SCOPE, scope);
    enum status status;

    if (entry == NULL) {
        entry = entry_new(SHARED_SCOPE, scope);
        if (entry == NULL)
            return fault_set(fault, STATUS_MEMORY, "out of memory");
        status = scope_new(scope, &entry->scope, fault);
        if (status != STATUS_OK) {
            entry->scope = NULL;
            entry_free(entry);
            return status;
        }
        entry = pool_add(pool, entry);
    }
    *out = entry;
    return STATUS_OK;
}

enum { NETWORK_KEY = 18 };

/* Member by member: the padding of a struct is no part of its value. */
static struct slice
networks_key(const struct cidr *networks, size_t count,
             uint8_t key[TOKEN_NETWORKS_MAX * NETWORK_KEY])
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = key + i * NETWORK_KEY;
        at[0] = (uint8_t)networks[i].ip.family;
        memcpy(at + 1, networks[i].ip.bytes, sizeof networks[i].ip.bytes);
        at[NETWORK_KEY - 1] = networks[i].bits;
    }
    return slice_of(key, count * NETWORK_KEY);
}

enum status
world_share_networks(struct world_pool *pool, const struct cidr *networks, size_t count,
                     struct shared **out)
{
    uint8_t bytes[TOKEN_NETWORKS_MAX * NETWORK_KEY];
    struct slice key;
    struct shared *entry;

    if (count > TOKEN_NETWORKS_MAX)
        return STATUS_INVALID;
    key = networks_key(networks, count, bytes);
    entry = pool_take(pool, SHARED_NETWORKS, key);
    if (entry == NULL) {
        entry = entry_new(SHARED_NETWORKS, key);
        if (entry == NULL)
            return STATUS_MEMORY;
        entry->networks = calloc(count, sizeof *networks);
        if (entry->networks == NULL) {
            entry_free(entry);
            return STATUS_MEMORY;
        }
        memcpy(entry->networks, networks, count * sizeof *networks);
        entry->count = count;
        entry = pool_add(pool, entry);
    }
    *out = entry;
    return STATUS_OK;
}

void
world_share_release(struct world_pool *pool, struct shared *entry)
{
    struct shared **at;

    if (entry == NULL || --entry->refs > 0)
        return;
    at = &pool->buckets[entry->hash & pool->mask];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    pool->count--;
    entry_free(entry);
}
