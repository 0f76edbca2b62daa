/* gateway/postgres/named.c - a small table from names to analyses. */
#include "named.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 8 };

struct named_entry {
    struct named_entry *next;
    struct analysis *analysis;
    size_t size;
    char name[];
};

static struct named_entry **
place_of(const struct named *named, struct slice name)
{
    struct named_entry **link = &named->buckets[slice_hash(name) & (named->bucket_count - 1)];

    while (*link != NULL && !slice_equal(slice_of((*link)->name, (*link)->size), name))
        link = &(*link)->next;
    return link;
}

struct analysis *
named_find(const struct named *named, struct slice name)
{
    const struct named_entry *entry = named->buckets == NULL ? NULL : *place_of(named, name);

    return entry == NULL ? NULL : entry->analysis;
}

static bool
grow(struct named *named)
{
    struct named next = { .bucket_count =
                              named->bucket_count == 0 ? BUCKETS_FIRST : named->bucket_count * 2 };

    next.buckets = calloc(next.bucket_count, sizeof(*next.buckets));
    if (next.buckets == NULL)
        return false;
    for (size_t i = 0; i < named->bucket_count; i++) {
        struct named_entry *entry = named->buckets[i], *following;
        for (; entry != NULL; entry = following) {
            following = entry->next;
            struct named_entry **link = place_of(&next, slice_of(entry->name, entry->size));
            entry->next = NULL;
            *link = entry;
        }
    }
    next.count = named->count;
    free(named->buckets);
    *named = next;
    return true;
}

static void
take_away(struct named *named, struct slice name, struct analysis **previous)
{
    struct named_entry **link = named->buckets == NULL ? NULL : place_of(named, name);
    struct named_entry *entry = link == NULL ? NULL : *link;

    *previous = NULL;
    if (entry == NULL)
        return;
    *previous = entry->analysis;
    *link = entry->next;
    free(entry);
    named->count--;
}

enum status
named_set(struct named *named, struct slice name, struct analysis *analysis,
          struct analysis **previous)
{
    if (analysis == NULL) {
        take_away(named, name, previous);
        return STATUS_OK;
    }
    if (named->count >= NAMED_MOST)
        return STATUS_LIMIT;
    if (named->count >= named->bucket_count && !grow(named))
        return STATUS_MEMORY;
    struct named_entry **link = place_of(named, name);
    if (*link == NULL) {
        struct named_entry *entry = calloc(1, sizeof(*entry) + name.size);
        if (entry == NULL)
            return STATUS_MEMORY;
        entry->size = name.size;
        if (name.size > 0)
            memcpy(entry->name, name.at, name.size);
        *link = entry;
        named->count++;
    }
    *previous = (*link)->analysis;
    (*link)->analysis = analysis_hold(analysis);
    return STATUS_OK;
}

void
named_clear(struct named *named)
{
    for (size_t i = 0; i < named->bucket_count; i++) {
        struct named_entry *entry = named->buckets[i], *following;
        for (; entry != NULL; entry = following) {
            following = entry->next;
            analysis_release(entry->analysis);
            free(entry);
        }
    }
    free(named->buckets);
    *named = (struct named){ 0 };
}
