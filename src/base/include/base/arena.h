/* base/arena.h - memory that is born in a request and dies with it.
 *
 * A bump allocator over blocks that are kept between resets, so that a warm
 * arena never calls malloc. Capped: a peer that makes it grow gets a refusal. */
#ifndef WRIT_BASE_ARENA_H
#define WRIT_BASE_ARENA_H

#include <stdarg.h>

#include "base/slice.h"
#include "base/status.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t used;  /* bytes handed out since the last reset */
    size_t limit; /* most bytes to hand out */
};

void arena_init(struct arena *arena, size_t limit);
/* Everything handed out is gone; blocks stay, at most 64 KiB of them. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);
/* Aligned for any type; NULL when the limit is reached or memory is out. */
void *arena_take(struct arena *arena, size_t size);
void *arena_zeroed(struct arena *arena, size_t size);
/* Copies; .at is NULL when there is no room. The copy is NUL-terminated. */
struct slice arena_copy(struct arena *arena, struct slice s);
struct slice arena_format(struct arena *arena, const char *format, ...) WRIT_PRINTF(2, 3);

#endif
