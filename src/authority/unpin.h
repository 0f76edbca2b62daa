/* authority/unpin.h - what a dropped upstream takes with it. */
#ifndef WRIT_AUTHORITY_UNPIN_H
#define WRIT_AUTHORITY_UNPIN_H

#include "internal.h"

/* Changes, and the withdrawals that follow from them. Owns its memory; borrows what the changes
 * borrow. */
struct unpinned {
    struct change *changes;
    size_t count, room;
    struct arena names;
};
/* By what the store holds now. Free it in any case. */
enum status unpinned_make(struct authority *authority, const struct change *changes, size_t count,
                          struct unpinned *out) WRIT_MUST_USE;
void unpinned_free(struct unpinned *unpinned);

#endif
