/* gateway/postgres/named.c - a small table from names to analyses. */
#include "named.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 8 };

struct named_entry {
    struct named_entry *next;
    struct meaning meaning;
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

void
meaning_release(struct meaning *meaning)
{
    analysis_release(meaning->analysis);
    kept_release(meaning->kept);
    *meaning = (struct meaning){ 0 };
}

struct pg_kept *
named_kept(const struct named *named, struct slice name)
{
    const struct named_entry *entry = named->buckets == NULL ? NULL : *place_of(named, name);

    return entry == NULL ? NULL : entry->meaning.kept;
}

struct analysis *
named_find(const struct named *named, struct slice name)
{
    const struct named_entry *entry = named->buckets == NULL ? NULL : *place_of(named, name);

    return entry == NULL ? NULL : entry->meaning.analysis;
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
take_away(struct named *named, struct slice name, struct meaning *previous)
{
    struct named_entry **link = named->buckets == NULL ? NULL : place_of(named, name);
    struct named_entry *entry = link == NULL ? NULL : *link;

    *previous = (struct meaning){ 0 };
    if (entry == NULL)
        return;
    *previous = entry->meaning;
    *link = entry->next;
    free(entry);
    named->count--;
}

enum status
named_set(struct named *named, struct slice name, struct meaning meaning, struct meaning *previous)
{
    if (meaning.analysis == NULL) {
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
    *previous = (*link)->meaning;
    (*link)->meaning = (struct meaning){ analysis_hold(meaning.analysis), kept_hold(meaning.kept) };
    return STATUS_OK;
}

void
named_put(struct named *named, struct slice name, struct meaning meaning)
{
    struct meaning previous;

    if (named_set(named, name, meaning, &previous) == STATUS_OK)
        meaning_release(&previous);
}

void
named_clear(struct named *named)
{
    for (size_t i = 0; i < named->bucket_count; i++) {
        struct named_entry *entry = named->buckets[i], *following;
        for (; entry != NULL; entry = following) {
            following = entry->next;
            meaning_release(&entry->meaning);
            free(entry);
        }
    }
    free(named->buckets);
    *named = (struct named){ 0 };
}
