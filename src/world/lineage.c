/* world/lineage.c - a token with its ancestors, and whether they live. */
#include "inside.h"

_Static_assert((int)TOKEN_DEPTH_MAX <= (int)LINEAGE_MAX, "policy judges every ancestor");

struct member *
world_member_find(const struct world *world, const struct token_id *id)
{
    struct member *member = world_table_find(&world->tokens, id);

    if (member == NULL || !atomic_load_explicit(&member->known, memory_order_acquire))
        return NULL;
    return member;
}

void
world_walk(struct member *from, struct walk *out)
{
    out->members[0] = from;
    out->count = 1;
    out->broken = false;
    for (struct line *line = from->line->parent; line != NULL; line = line->parent) {
        struct member *newest = atomic_load_explicit(&line->newest, memory_order_acquire);

        if (newest == NULL || out->count == TOKEN_DEPTH_MAX) {
            out->broken = true;
            return;
        }
        out->members[out->count++] = newest;
    }
}

enum token_state
world_member_state(const struct member *member, int64_t now)
{
    const struct line *line = member->line;
    struct token_record record = {
        .issued_at = member->issued_at,
        .not_before = member->rarity == NULL ? member->issued_at : member->rarity->not_before,
        .idle_ms = line->idle_ms,
        .max_uses = line->max_uses,
    };
    struct token_life life = {
        .revoked_at = atomic_load_explicit(&line->revoked_at, memory_order_acquire),
        .last_used = atomic_load_explicit(&line->last_used, memory_order_relaxed),
        .uses = atomic_load_explicit(&line->uses, memory_order_relaxed),
        .expires_at = atomic_load_explicit(&member->expires_at, memory_order_acquire),
    };

    return token_state_at(&record, &life, now);
}

/* Worse states hide milder ones; exhausted is the mildest, see token_state_at. */
static int
gravity(enum token_state state)
{
    static const int order[] = {
        [TOKEN_LIVE] = 0,    [TOKEN_EXHAUSTED] = 1, [TOKEN_IDLE] = 2,
        [TOKEN_NOT_YET] = 3, [TOKEN_EXPIRED] = 4,   [TOKEN_REVOKED] = 5,
    };

    return order[state];
}

enum token_state
world_walk_state(const struct walk *walk, int64_t now)
{
    enum token_state worst = walk->broken ? TOKEN_REVOKED : TOKEN_LIVE;

    for (size_t i = 0; i < walk->count; i++) {
        enum token_state state = world_member_state(walk->members[i], now);
        worst = gravity(state) > gravity(worst) ? state : worst;
    }
    return worst;
}
