/* authority/audience.c - where a token is good: names of upstreams, separated by spaces
 * (RFC 8707); an empty list is everywhere. */
#include "internal.h"

static bool
names(struct slice list, struct slice name)
{
    struct slice word;

    while (list.size > 0 && slice_next(&list, ' ', &word)) {
        if (slice_equal(word, name))
            return true;
    }
    return false;
}

void
audience_add(struct buffer *list, struct slice name)
{
    if (names(buffer_slice(list), name))
        return;
    if (list->size > 0)
        put_text(list, " ");
    put_slice(list, name);
}

bool
audience_within(struct slice narrow, struct slice wide)
{
    struct slice word;

    if (wide.size == 0)
        return true;
    while (narrow.size > 0 && slice_next(&narrow, ' ', &word)) {
        if (!names(wide, word))
            return false;
    }
    return true;
}

bool
audience_is_name(const struct authority *authority, struct slice name)
{
    size_t count;
    uint64_t generation;
    const struct upstream_view *views = world_upstreams(authority->reader, &count, &generation);

    if (slice_is(name, AUDIENCE_API))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(views[i].name, name))
            return true;
    }
    return false;
}

enum status
audience_known(const struct authority *authority, struct slice list, struct fault *fault)
{
    struct slice word;

    while (list.size > 0 && slice_next(&list, ' ', &word)) {
        if (!audience_is_name(authority, word))
            return fault_at(fault, STATUS_INVALID, "/audience",
                            "there is no upstream %.*s that a token could be good at",
                            SLICE_PRINT(slice_first(word, 64)));
    }
    return STATUS_OK;
}
