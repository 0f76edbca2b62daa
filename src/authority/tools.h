/* authority/tools.h - the book of what servers said of their tools, for people who approve them.
 * It is this node's alone and lives as long as the process: what is forgotten is said again with
 * the next list. What was approved is in the store. */
#ifndef WRIT_AUTHORITY_TOOLS_H
#define WRIT_AUTHORITY_TOOLS_H

#include "authority/authority.h"

struct tool_entry {
    struct tool_entry *next; /* newest first */
    struct slice upstream, tool;
    struct slice body; /* the digest, then the definition: as a change holds it */
    int64_t seen_at;   /* wall ms */
    char texts[];
};

/* All zero: empty. */
struct tool_book {
    struct tool_entry *first;
    size_t count, bytes;
};

static inline struct slice
tool_definition(const struct tool_entry *entry)
{
    return slice_from(entry->body, TOOL_DIGEST_SIZE);
}

/* Takes the place of what was said of the tool before. The book is bounded: the oldest go, first
 * those of the same upstream. */
void tools_see(struct tool_book *book, const struct tool_said *said, int64_t now);
/* NULL: nothing was said of it. */
const struct tool_entry *tools_find(const struct tool_book *book, struct slice upstream,
                                    struct slice tool);
void tools_free(struct tool_book *book);

#endif
