/* base/arena.c - the bump allocator. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

/* A build with the address sanitizer sees an overrun of one piece into the next,
 * and the use of a piece after the reset. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
enum { GAP = 16 }; /* bytes behind every piece that nobody may touch */
#else
enum { GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum {
    BLOCK_LEAST = 4096,    /* bytes of the first block, its head included */
    BLOCK_MOST = 32 << 10, /* blocks double up to this, unless one piece needs more */
    KEPT_MOST = 64 << 10,  /* bytes of blocks that survive a reset */
    ALIGNMENT = alignof(max_align_t),
};

#define PIECE_MOST (SIZE_MAX / 2)

struct arena_block {
    struct arena_block *next;
    size_t capacity, used; /* of bytes */
    alignas(max_align_t) unsigned char bytes[];
};

void
arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){ .limit = limit };
}

void
arena_reset(struct arena *arena)
{
    struct arena_block **link = &arena->first, *block;
    size_t kept = 0;

    while ((block = *link) != NULL) {
        size_t size = sizeof *block + block->capacity;
        if (kept + size > KEPT_MOST) {
            *link = block->next;
            free(block);
            continue;
        }
        kept += size;
        block->used = 0;
        ASAN_POISON_MEMORY_REGION(block->bytes, block->capacity);
        link = &block->next;
    }
    arena->current = arena->first;
    arena->used = 0;
}

void
arena_free(struct arena *arena)
{
    struct arena_block *block = arena->first, *next;

    for (; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    arena_init(arena, arena->limit);
}

/* Moves on to a block with room for size bytes: a kept one, else a new one,
 * which goes in behind the current one so that kept blocks stay in reach. */
static bool
next_block(struct arena *arena, size_t size)
{
    struct arena_block **link = arena->current == NULL ? &arena->first : &arena->current->next;
    struct arena_block *block = *link;
    size_t wanted = BLOCK_LEAST;

    if (block != NULL && block->capacity >= size) {
        arena->current = block;
        return true;
    }
    if (arena->current != NULL) {
        wanted = 2 * (sizeof *block + arena->current->capacity);
        wanted = wanted > BLOCK_MOST ? BLOCK_MOST : wanted;
    }
    if (wanted < sizeof *block + size)
        wanted = sizeof *block + size;
    block = malloc(wanted);
    if (block == NULL)
        return false;
    block->next = *link;
    block->capacity = wanted - sizeof *block;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, block->capacity);
    *link = arena->current = block;
    return true;
}

void *
arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->current;
    size_t asked = size == 0 ? 1 : size;
    void *taken;

    /* Checked before it is rounded up, so that rounding can't overflow. */
    if (asked > arena->limit - arena->used || asked > PIECE_MOST)
        return NULL;
    size = ((asked + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)) + GAP;
    if (block == NULL || size > block->capacity - block->used) {
        if (!next_block(arena, size))
            return NULL;
        block = arena->current;
    }
    taken = block->bytes + block->used;
    ASAN_UNPOISON_MEMORY_REGION(taken, asked);
    block->used += size;
    arena->used += size - GAP;
    if (arena->used > arena->limit)
        arena->used = arena->limit; /* the padding of the last piece */
    return taken;
}

void *
arena_zeroed(struct arena *arena, size_t size)
{
    void *taken = arena_take(arena, size);

    return taken == NULL ? NULL : memset(taken, 0, size);
}

struct slice
arena_copy(struct arena *arena, struct slice s)
{
    char *copy = s.size == SIZE_MAX ? NULL : arena_take(arena, s.size + 1);

    if (copy == NULL)
        return (struct slice){ 0 };
    if (s.size > 0)
        memcpy(copy, s.at, s.size);
    copy[s.size] = '\0';
    return slice_of(copy, s.size);
}

struct slice
arena_format(struct arena *arena, const char *format, ...)
{
    int size;
    char *text;
    va_list args;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = size < 0 ? NULL : arena_take(arena, (size_t)size + 1);
    if (text == NULL)
        return (struct slice){ 0 };
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return slice_of(text, (size_t)size);
}
