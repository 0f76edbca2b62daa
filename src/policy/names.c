/* policy/names.c - names as small numbers that never change their meaning.
 *
 * One thread adds, any thread reads: texts never move, and a table that was
 * outgrown stays until the end, so that a reader in it reads on. */
#include <stdatomic.h>
#include <stdlib.h>

#include "policy/policy.h"

enum { CHUNK_FIRST = 256, CHUNKS = 24 }; /* chunk n holds 256 << n names */

struct name {
    struct slice text;
    uint64_t hash;
};

struct index {
    struct index *outgrown;
    size_t size;              /* a power of two */
    _Atomic name_id places[]; /* id + 1; 0 is free */
};

struct names {
    _Atomic(struct index *) index;
    _Atomic(struct name *) chunks[CHUNKS];
    _Atomic uint32_t count;
};

static struct name *
name_at(const struct names *names, name_id id)
{
    unsigned chunk = 0;
    uint64_t start = 0, size = CHUNK_FIRST;

    while (id >= start + size) {
        start += size;
        size *= 2;
        chunk++;
    }
    return atomic_load_explicit(&names->chunks[chunk], memory_order_acquire) + (id - start);
}

static struct index *
index_new(size_t size, struct index *outgrown)
{
    struct index *index = calloc(1, sizeof(*index) + size * sizeof(index->places[0]));

    if (index != NULL) {
        index->size = size;
        index->outgrown = outgrown;
    }
    return index;
}

static void
index_put(struct index *index, uint64_t hash, name_id id)
{
    size_t at = hash & (index->size - 1);

    while (atomic_load_explicit(&index->places[at], memory_order_relaxed) != 0)
        at = (at + 1) & (index->size - 1);
    atomic_store_explicit(&index->places[at], id + 1, memory_order_release);
}

struct names *
names_new(void)
{
    struct names *names = calloc(1, sizeof(*names));
    struct index *index = index_new((size_t)2 * CHUNK_FIRST, NULL);

    if (names == NULL || index == NULL) {
        free(names);
        free(index);
        return NULL;
    }
    atomic_init(&names->index, index);
    return names;
}

void
names_free(struct names *names)
{
    struct index *index;

    if (names == NULL)
        return;
    for (name_id id = 0; id < names->count; id++) {
        const char *text = name_at(names, id)->text.at;

        free((void *)(uintptr_t)text);
    }
    for (size_t i = 0; i < CHUNKS; i++)
        free(names->chunks[i]);
    index = names->index;
    while (index != NULL) {
        struct index *next = index->outgrown;

        free(index);
        index = next;
    }
    free(names);
}

name_id
names_find(const struct names *names, struct slice name)
{
    const struct index *index = atomic_load_explicit(&names->index, memory_order_acquire);
    uint64_t hash = slice_hash(name);

    for (size_t at = hash & (index->size - 1);; at = (at + 1) & (index->size - 1)) {
        name_id id = atomic_load_explicit(&index->places[at], memory_order_acquire);
        const struct name *found;

        if (id == 0)
            return NAME_NONE;
        found = name_at(names, id - 1);
        if (found->hash == hash && slice_equal(found->text, name))
            return id - 1;
    }
}

static bool
make_room(struct names *names, uint32_t count)
{
    struct index *old = atomic_load_explicit(&names->index, memory_order_relaxed), *index;
    uint64_t start = 0, size = CHUNK_FIRST;
    unsigned chunk = 0;

    while (count >= start + size) {
        start += size;
        size *= 2;
        chunk++;
    }
    if (chunk >= CHUNKS)
        return false;
    if (atomic_load_explicit(&names->chunks[chunk], memory_order_relaxed) == NULL) {
        struct name *made = calloc(size, sizeof(*made));

        if (made == NULL)
            return false;
        atomic_store_explicit(&names->chunks[chunk], made, memory_order_release);
    }
    if (count < old->size / 2)
        return true;
    index = index_new(old->size * 2, old);
    if (index == NULL)
        return false;
    for (name_id id = 0; id < count; id++)
        index_put(index, name_at(names, id)->hash, id);
    atomic_store_explicit(&names->index, index, memory_order_release);
    return true;
}

name_id
names_intern(struct names *names, struct slice name)
{
    name_id id = names_find(names, name);
    struct name *made;
    char *text;

    if (id != NAME_NONE)
        return id;
    id = atomic_load_explicit(&names->count, memory_order_relaxed);
    text = slice_strdup(name);
    if (text == NULL || !make_room(names, id)) {
        free(text);
        return NAME_NONE;
    }
    made = name_at(names, id);
    made->text = slice_of(text, name.size);
    made->hash = slice_hash(name);
    index_put(atomic_load_explicit(&names->index, memory_order_relaxed), made->hash, id);
    atomic_store_explicit(&names->count, id + 1, memory_order_release);
    return id;
}

struct slice
names_text(const struct names *names, name_id id)
{
    if (id >= atomic_load_explicit(&names->count, memory_order_acquire))
        return slice_of("", 0);
    return name_at(names, id)->text;
}
