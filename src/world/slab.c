/* world/slab.c - chunks of one huge page each, and a list of what came back. */
#include "slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { ALIGNMENT = 16, CHUNK_SIZE = 2 << 20, CHUNK_FIRST = 64 << 10 };

struct chunk {
    _Alignas(ALIGNMENT) struct chunk *next;
};

void
slab_init(struct slab *slab, size_t size)
{
    *slab = (struct slab){ .size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };
}

/* Twice the size is mapped, and what does not begin or end with a huge page goes back. The
 * huge page itself is a wish to the kernel: without it all is slower and nothing else. */
static void *
map_huge(void)
{
    char *whole =
        mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (whole == MAP_FAILED)
        return NULL;
    before = (CHUNK_SIZE - (uintptr_t)whole % CHUNK_SIZE) % CHUNK_SIZE;
    if (before > 0)
        (void)munmap(whole, before);
    (void)munmap(whole + before + CHUNK_SIZE, CHUNK_SIZE - before);
    (void)madvise(whole + before, CHUNK_SIZE, MADV_HUGEPAGE);
    return whole + before;
}

/* The first chunk is small: most worlds are. */
static bool
add_chunk(struct slab *slab)
{
    size_t size = slab->chunks == NULL ? CHUNK_FIRST : CHUNK_SIZE;
    struct chunk *chunk = slab->chunks == NULL ? malloc(size) : map_huge();

    if (chunk == NULL)
        return false;
    chunk->next = slab->chunks;
    slab->chunks = chunk;
    slab->fresh = (char *)(chunk + 1);
    slab->end = (char *)chunk + size;
    ASAN_POISON_MEMORY_REGION(slab->fresh, size - sizeof *chunk);
    return true;
}

void *
slab_take(struct slab *slab)
{
    void *thing = slab->given;

    if (thing != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(thing, slab->size);
        memcpy(&slab->given, thing, sizeof slab->given);
    } else {
        if ((size_t)(slab->end - slab->fresh) < slab->size && !add_chunk(slab))
            return NULL;
        thing = slab->fresh;
        slab->fresh += slab->size;
        ASAN_UNPOISON_MEMORY_REGION(thing, slab->size);
    }
    return memset(thing, 0, slab->size);
}

void
slab_give(struct slab *slab, void *thing)
{
    if (thing == NULL)
        return;
    memcpy(thing, &slab->given, sizeof slab->given);
    slab->given = thing;
    ASAN_POISON_MEMORY_REGION(thing, slab->size);
}

void
slab_free(struct slab *slab)
{
    struct chunk *next;

    for (struct chunk *at = slab->chunks; at != NULL; at = next) {
        next = at->next;
        ASAN_UNPOISON_MEMORY_REGION(at, next == NULL ? CHUNK_FIRST : CHUNK_SIZE);
        if (next == NULL)
            free(at); /* the first one */
        else
            (void)munmap(at, CHUNK_SIZE);
    }
    slab_init(slab, slab->size);
}
