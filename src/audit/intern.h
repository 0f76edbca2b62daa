/* audit/intern.h - byte strings, each kept once and numbered from 0. */
#ifndef WRIT_AUDIT_INTERN_H
#define WRIT_AUDIT_INTERN_H

#include "base/slice.h"
#include "base/status.h"

struct intern_entry {
    uint64_t hash;
    size_t offset;
    uint32_t size;
};

struct intern {
    uint32_t *places; /* number + 1, 0 for none; a power of two of them */
    size_t place_count;
    struct intern_entry *entries;
    uint32_t count;
    size_t entry_room;
    char *bytes;
    size_t byte_count, byte_room;
};

/* A zeroed struct is empty. MEMORY changes nothing. */
enum status intern_add(struct intern *intern, struct slice bytes, uint32_t *number) WRIT_MUST_USE;
/* Valid until the next add. */
struct slice intern_get(const struct intern *intern, uint32_t number);
void intern_free(struct intern *intern);

#endif
