/* world/model.h - inside the room: what a token and its line are in memory.
 *
 * A line is what rotations share: the life (revoked, uses, last use) and the place in
 * the tree of parents. Its first member lies within it, so that a line is found by
 * its first member's id, and a line that was never rotated is one allocation. A
 * first member that is forgotten, or not known yet, stays as a shell: `known` says so.
 *
 * Readers see: what is const after publishing, and the atomic members. */
#ifndef WRIT_WORLD_MODEL_H
#define WRIT_WORLD_MODEL_H

#include <stdatomic.h>

#include "policy/policy.h"
#include "token/record.h"

struct line;
struct shared;

/* What few tokens have. */
struct rarity {
    struct binding binding;
    struct token_id predecessor;
    int64_t not_before;
    struct shared *networks; /* NULL: anywhere */
    uint16_t name_size, audience_size;
    char texts[]; /* the name, then the audience */
};

static inline struct slice
rarity_audience(const struct rarity *rarity)
{
    return slice_of(rarity->texts + rarity->name_size, rarity->audience_size);
}

struct member {
    struct token_id id;
    struct line *line;
    struct shared *roles;
    struct shared *scope;  /* NULL: all that the roles give */
    struct rarity *rarity; /* NULL: none of it; not_before is issued_at then */
    int64_t issued_at;
    _Atomic int64_t expires_at;
    name_id subject, issued_by;
    uint8_t kid, purpose;
    _Atomic bool known;
    _Atomic uint32_t replaced_use; /* wall seconds: the last use since it has a successor */
};

struct line {
    struct member first; /* its id is the line's */
    struct line *parent; /* NULL: a root. Counted in the parent's children */
    int64_t started_at;
    int64_t idle_ms;
    _Atomic int64_t revoked_at;
    _Atomic int64_t last_used;
    _Atomic(struct member *) newest; /* NULL: no member is left */
    _Atomic(struct line *) touched;  /* next in the list of used lines; NULL: not in it */
    uint32_t max_uses;
    _Atomic uint32_t uses;
    uint32_t members, children; /* the writer's counts */
};

#endif
