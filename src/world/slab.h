/* world/slab.h - inside the room: things of one size by the million, on few large pages.
 *
 * A look-up among a million tokens costs a few cache misses in any case; on pages of 4 KiB
 * each of them is a miss of the address translation, too. One thread takes and gives. */
#ifndef WRIT_WORLD_SLAB_H
#define WRIT_WORLD_SLAB_H

#include <stddef.h>

struct slab {
    size_t size;       /* of a thing, rounded up to its alignment */
    char *fresh, *end; /* of the newest chunk: never taken yet */
    void *given;       /* list of what came back, through each thing's first bytes */
    struct chunk *chunks;
};

void slab_init(struct slab *slab, size_t size);
/* Zeroed, aligned to 16 bytes; NULL: out of memory. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *thing); /* accepts NULL */
void slab_free(struct slab *slab);              /* with all that was taken */

#endif
