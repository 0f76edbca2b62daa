/* audit/intern.c - byte strings, each kept once. */
#include "intern.h"

#include <stdlib.h>

static bool
grow_places(struct intern *intern)
{
    size_t count = intern->place_count == 0 ? 256 : 2 * intern->place_count;
    uint32_t *places = calloc(count, sizeof *places);

    if (places == NULL)
        return false;
    for (uint32_t i = 0; i < intern->count; i++) {
        size_t at = intern->entries[i].hash & (count - 1);

        while (places[at] != 0)
            at = (at + 1) & (count - 1);
        places[at] = i + 1;
    }
    free(intern->places);
    intern->places = places;
    intern->place_count = count;
    return true;
}

static bool
make_room(struct intern *intern, size_t size)
{
    if (2 * ((size_t)intern->count + 1) > intern->place_count && !grow_places(intern))
        return false;
    if (intern->count == intern->entry_room) {
        size_t room = intern->entry_room == 0 ? 128 : 2 * intern->entry_room;
        struct intern_entry *more = reallocarray(intern->entries, room, sizeof *more);

        if (more == NULL)
            return false;
        intern->entries = more;
        intern->entry_room = room;
    }
    if (size > intern->byte_room - intern->byte_count) {
        size_t room = 2 * intern->byte_room + size + 4096;
        char *more = realloc(intern->bytes, room);

        if (more == NULL)
            return false;
        intern->bytes = more;
        intern->byte_room = room;
    }
    return true;
}

enum status
intern_add(struct intern *intern, struct slice bytes, uint32_t *number)
{
    uint64_t hash = slice_hash(bytes);
    size_t at;

    if (!make_room(intern, bytes.size) || intern->count == UINT32_MAX - 1)
        return STATUS_MEMORY;
    at = hash & (intern->place_count - 1);
    while (intern->places[at] != 0) {
        uint32_t found = intern->places[at] - 1;

        if (intern->entries[found].hash == hash && slice_equal(intern_get(intern, found), bytes)) {
            *number = found;
            return STATUS_OK;
        }
        at = (at + 1) & (intern->place_count - 1);
    }
    intern->places[at] = intern->count + 1;
    intern->entries[intern->count] = (struct intern_entry){ .hash = hash,
                                                            .offset = intern->byte_count,
                                                            .size = (uint32_t)bytes.size };
    if (bytes.size > 0)
        memcpy(intern->bytes + intern->byte_count, bytes.at, bytes.size);
    intern->byte_count += bytes.size;
    *number = intern->count++;
    return STATUS_OK;
}

struct slice
intern_get(const struct intern *intern, uint32_t number)
{
    const struct intern_entry *entry = &intern->entries[number];

    return slice_of(intern->bytes + entry->offset, entry->size);
}

void
intern_free(struct intern *intern)
{
    free(intern->places);
    free(intern->entries);
    free(intern->bytes);
    *intern = (struct intern){ 0 };
}
