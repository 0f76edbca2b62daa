/* world/shared.h - inside the room: role sets, scopes and networks that many tokens
 * have in common, kept once and counted. The writer's alone; readers reach an entry
 * through a token and never count. */
#ifndef WRIT_WORLD_SHARED_H
#define WRIT_WORLD_SHARED_H

#include "policy/policy.h"
#include "token/record.h"

enum shared_kind { SHARED_ROLES, SHARED_SCOPE, SHARED_NETWORKS };

struct shared {
    struct shared *next; /* in its bucket */
    uint64_t hash;
    uint32_t refs;
    enum shared_kind kind;
    struct scope *scope;   /* SHARED_SCOPE */
    size_t count;          /* of roles or networks */
    name_id *roles;        /* SHARED_ROLES */
    struct cidr *networks; /* SHARED_NETWORKS */
    size_t size;
    char key[]; /* the text, or the networks' bytes */
};

struct world_pool {
    struct shared **buckets;
    size_t mask, count;
};

enum status world_pool_init(struct world_pool *pool) WRIT_MUST_USE;
void world_pool_free(struct world_pool *pool); /* entries that are left go too */

/* *out is counted once more. Empty roles are an entry too (of no role). */
enum status world_share_roles(struct world_pool *pool, struct names *names, struct slice roles,
                              struct shared **out, struct fault *fault) WRIT_MUST_USE;
enum status world_share_scope(struct world_pool *pool, struct slice scope, struct shared **out,
                              struct fault *fault) WRIT_MUST_USE;
enum status world_share_networks(struct world_pool *pool, const struct cidr *networks, size_t count,
                                 struct shared **out) WRIT_MUST_USE;
void world_share_release(struct world_pool *pool, struct shared *entry); /* accepts NULL */

static inline struct slice
shared_text(const struct shared *entry)
{
    return entry == NULL ? (struct slice){ 0 } : slice_of(entry->key, entry->size);
}

#endif
