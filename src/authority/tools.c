/* authority/tools.c - what servers said of their tools. */
#include "tools.h"

#include <stdlib.h>

enum { EACH_MAX = 512, BYTES_MAX = 32 << 20 };

static void
drop(struct tool_book *book, struct tool_entry **at)
{
    struct tool_entry *entry = *at;

    *at = entry->next;
    book->count--;
    book->bytes -= entry->body.size;
    free(entry);
}

static bool
is_of(const struct tool_entry *entry, struct slice upstream, struct slice tool)
{
    return slice_equal(entry->tool, tool) && slice_equal(entry->upstream, upstream);
}

const struct tool_entry *
tools_find(const struct tool_book *book, struct slice upstream, struct slice tool)
{
    const struct tool_entry *entry = book->first;

    while (entry != NULL && !is_of(entry, upstream, tool))
        entry = entry->next;
    return entry;
}

static void
forget(struct tool_book *book, struct slice upstream, struct slice tool)
{
    struct tool_entry **at = &book->first;

    while (*at != NULL && !is_of(*at, upstream, tool))
        at = &(*at)->next;
    if (*at != NULL)
        drop(book, at);
}

/* Of an upstream, or, with an empty name, of all: those behind the newest so many. */
static void
keep_newest(struct tool_book *book, struct slice upstream, size_t count, size_t bytes)
{
    struct tool_entry **at = &book->first;

    while (*at != NULL) {
        bool counts = upstream.size == 0 || slice_equal((*at)->upstream, upstream);
        size_t size = (*at)->body.size;

        if (counts && (count == 0 || bytes < size)) {
            drop(book, at);
            continue;
        }
        count -= counts;
        bytes -= counts ? size : 0;
        at = &(*at)->next;
    }
}

static char *
copy(struct slice from, char *at, struct slice *out)
{
    *out = slice_of(at, from.size);
    return mempcpy(at, from.at, from.size);
}

void
tools_see(struct tool_book *book, const struct tool_said *said, int64_t now)
{
    struct tool_entry *entry = malloc(sizeof *entry + said->upstream.size + said->tool.size +
                                      TOOL_DIGEST_SIZE + said->definition.size);

    forget(book, said->upstream, said->tool);
    if (entry == NULL)
        return;
    *entry = (struct tool_entry){ .next = book->first, .seen_at = now };
    char *at = copy(said->upstream, entry->texts, &entry->upstream);
    at = copy(said->tool, at, &entry->tool);
    entry->body = slice_of(at, TOOL_DIGEST_SIZE + said->definition.size);
    at = mempcpy(at, said->digest, TOOL_DIGEST_SIZE);
    memcpy(at, said->definition.at, said->definition.size);
    book->first = entry;
    book->count++;
    book->bytes += entry->body.size;
    keep_newest(book, said->upstream, EACH_MAX, BYTES_MAX);
    if (book->bytes > BYTES_MAX)
        keep_newest(book, slice_of(NULL, 0), SIZE_MAX, BYTES_MAX);
}

void
tools_free(struct tool_book *book)
{
    while (book->first != NULL)
        drop(book, &book->first);
}
