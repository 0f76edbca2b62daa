/* authority/unpin.c - with an upstream goes what was approved of its tools: another server may get
 * its name, and nobody has looked at that one. */
#include "unpin.h"

#include <stdlib.h>

enum { NAMES_MAX = 128 << 20, PAGE = 1000 };

static enum status
add(struct unpinned *to, const struct change *change)
{
    struct change *longer;

    if (to->count == to->room) {
        longer = realloc(to->changes, (2 * to->room + 16) * sizeof *longer);
        if (longer == NULL)
            return STATUS_MEMORY;
        to->changes = longer;
        to->room = 2 * to->room + 16;
    }
    to->changes[to->count++] = *change;
    return STATUS_OK;
}

/* The tools of one upstream, by page. */
struct page {
    struct unpinned *to;
    struct slice prefix, last;
    size_t seen;
    bool over;
};

static enum status
take_pin(void *context, const struct change *pin)
{
    struct page *page = context;

    page->seen++;
    page->over = page->over || !slice_starts(pin->name, page->prefix);
    if (page->over)
        return STATUS_OK;
    page->last = arena_copy(&page->to->names, pin->name);
    return page->last.at == NULL ? STATUS_MEMORY
                                 : add(page->to, &(struct change){ .kind = CHANGE_TOOL_WITHDRAWN,
                                                                   .name = page->last });
}

static enum status
add_pins_of(struct authority *authority, struct slice upstream, struct unpinned *to)
{
    struct page page = { .to = to };
    enum status status;

    page.prefix = arena_format(&to->names, "%.*s/", SLICE_PRINT(upstream));
    page.last = page.prefix;
    if (page.prefix.at == NULL)
        return STATUS_MEMORY;
    do {
        page.seen = 0;
        status =
            store_objects(authority->store, CHANGE_TOOL_APPROVED, page.last, PAGE, take_pin, &page);
    } while (status == STATUS_OK && page.seen == PAGE && !page.over);
    return status;
}

enum status
unpinned_make(struct authority *authority, const struct change *changes, size_t count,
              struct unpinned *out)
{
    enum status status = STATUS_OK;

    *out = (struct unpinned){ 0 };
    arena_init(&out->names, NAMES_MAX);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = add(out, &changes[i]);
        if (status == STATUS_OK && changes[i].kind == CHANGE_UPSTREAM_DROPPED)
            status = add_pins_of(authority, changes[i].name, out);
    }
    return status;
}

void
unpinned_free(struct unpinned *unpinned)
{
    free(unpinned->changes);
    arena_free(&unpinned->names);
}
