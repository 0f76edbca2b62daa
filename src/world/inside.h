/* world/inside.h - inside the room: the world, its readers, and what is reclaimed later. */
#ifndef WRIT_WORLD_INSIDE_H
#define WRIT_WORLD_INSIDE_H

#include "model.h"
#include "picture.h"
#include "shared.h"
#include "slab.h"
#include "table.h"
#include "world/world.h"

/* What no reader may see any more but one may still hold. release answers false when
 * it must wait longer. */
typedef bool (*world_release)(struct world *world, void *what);
struct limbo_item {
    world_release release;
    void *what;
    uint64_t generation; /* free when every reader has seen it */
};
struct limbo {
    struct limbo_item *items; /* a ring */
    size_t head, count, capacity;
};

struct world_reader {
    _Alignas(64) _Atomic uint64_t seen; /* UINT64_MAX: the reader is gone */
    struct world *world;
    struct keyring_state *keys;
    struct world_reader *next;
};

struct loading; /* load.c */

struct world {
    _Atomic uint64_t generation;
    _Atomic(struct world_reader *) readers;
    _Atomic(struct picture *) picture;
    _Atomic(struct keyring *) keyring;
    struct table_shards tokens;
    struct line touched_end; /* ends the lists below */
    _Alignas(64) _Atomic(struct line *) touched[WORLD_USED_KINDS];

    /* the writer's alone */
    _Alignas(64) struct limbo limbo;
    struct line *draining[WORLD_USED_KINDS]; /* taken from touched, not yet visited */
    struct names *names;
    struct world_pool pool;
    struct slab lines;
    size_t token_count;
    uint64_t upstream_version;
    struct world_next *next; /* prepared and neither published nor abandoned */
    struct loading *loading; /* until world_loaded */
};

/* Room for count more items, so that world_retire can't fail. */
enum status world_limbo_reserve(struct world *world, size_t count) WRIT_MUST_USE;
/* Call before the generation is raised. */
void world_retire(struct world *world, world_release release, void *what);
void world_limbo_free(struct world *world);
uint64_t world_raise_generation(struct world *world);

/* --- members and lines (member.c) -------------------------------------- */

/* A line without members; it counts in no parent yet. */
struct line *world_line_new(struct world *world, const struct token_id *id);
/* Fills a member with the record (not its line), sharing what can be shared; also
 * checks the record's form. On error the member is as before. */
enum status world_member_fill(struct world *world, struct member *member,
                              const struct token_record *record, struct fault *fault) WRIT_MUST_USE;
/* What the record says of its line, but for the parent. */
void world_line_fill(struct line *line, const struct token_record *record);
struct member *world_member_new(void);
bool world_release_member(struct world *world, void *member); /* a later member */
bool world_release_line(struct world *world, void *line);     /* with its first member */
/* The line of that id, NULL when the id is of no line's first member. */
struct line *world_line_find(const struct world *world, const struct token_id *id);
/* Takes the line out, and its ancestors that only it kept, when nothing needs it any more. */
void world_line_settle(struct world *world, struct line *line);
/* The earlier end wins. */
void world_member_end(struct member *member, int64_t at);

/* --- a token with its ancestors (lineage.c) ---------------------------- */

struct walk {
    struct member *members[TOKEN_DEPTH_MAX]; /* the token, then the newest of each parent line */
    size_t count;
    bool broken; /* too deep, or a parent is gone */
};
void world_walk(struct member *from, struct walk *out);
enum token_state world_member_state(const struct member *member, int64_t now);
/* The worst state in the walk; a broken one is revoked. */
enum token_state world_walk_state(const struct walk *walk, int64_t now);
/* NULL when there is none, or only a shell. */
struct member *world_member_find(const struct world *world, const struct token_id *id);

#endif
