/* gateway/postgres/kept.c - what was prepared, and where. */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_FIRST = 16 };

struct pg_kept {
    struct pg_kept *chain;
    struct kepts *kepts; /* NULL: it has no name */
    uint64_t hash, number;
    unsigned users;
    size_t size;
    char body[];
};

/* --- what was prepared ------------------------------------------------------------------ */

struct pg_kept *
kept_unnamed(struct slice body)
{
    struct pg_kept *kept = calloc(1, sizeof(*kept) + body.size);

    if (kept == NULL)
        return NULL;
    kept->users = 1;
    kept->size = body.size;
    if (body.size > 0)
        memcpy(kept->body, body.at, body.size);
    return kept;
}

struct pg_kept *
kept_named(struct kepts *kepts, struct slice body)
{
    uint64_t hash = slice_hash(body);
    struct pg_kept **bucket = &kepts->buckets[hash % KEPTS_BUCKETS], *kept = *bucket;

    while (kept != NULL && (kept->hash != hash || !slice_equal(kept_body(kept), body)))
        kept = kept->chain;
    if (kept != NULL)
        return kept_hold(kept);
    kept = kept_unnamed(body);
    if (kept == NULL)
        return NULL;
    kept->kepts = kepts;
    kept->hash = hash;
    kept->number = ++kepts->numbers;
    kept->chain = *bucket;
    *bucket = kept;
    return kept;
}

struct pg_kept *
kept_hold(struct pg_kept *kept)
{
    if (kept != NULL)
        kept->users++;
    return kept;
}

void
kept_release(struct pg_kept *kept)
{
    if (kept == NULL || --kept->users > 0)
        return;
    if (kept->kepts != NULL) {
        struct pg_kept **link = &kept->kepts->buckets[kept->hash % KEPTS_BUCKETS];
        while (*link != kept)
            link = &(*link)->chain;
        *link = kept->chain;
    }
    free(kept);
}

struct slice
kept_body(const struct pg_kept *kept)
{
    return slice_of(kept->body, kept->size);
}

/* A number is never given twice: a name means one text for ever. */
struct slice
kept_name(const struct pg_kept *kept, char text[KEPT_NAME_SIZE])
{
    if (kept->kepts == NULL)
        return (struct slice){ 0 };
    snprintf(text, KEPT_NAME_SIZE, "writ:s%llu", (unsigned long long)kept->number);
    return slice_text(text);
}

/* --- where ---------------------------------------------------------------------------------- */

static struct prepared_entry *
place_of(const struct prepared *prepared, const struct pg_kept *kept)
{
    size_t at = kept->number & (prepared->capacity - 1);

    while (prepared->entries[at].kept != NULL && prepared->entries[at].kept != kept)
        at = (at + 1) & (prepared->capacity - 1);
    return &prepared->entries[at];
}

/* NULL: it was never sent. */
static struct prepared_entry *
find(struct prepared *prepared, const struct pg_kept *kept)
{
    struct prepared_entry *entry = kept->kepts == NULL       ? &prepared->unnamed
                                   : prepared->capacity == 0 ? NULL
                                                             : place_of(prepared, kept);

    return entry != NULL && entry->kept == kept ? entry : NULL;
}

enum prepared_state
prepared_state(struct prepared *prepared, const struct pg_kept *kept)
{
    const struct prepared_entry *entry = find(prepared, kept);

    if (entry == NULL)
        return PREPARED_NOT;
    if (entry->batch == prepared->batch)
        return PREPARED_SENT;
    return entry->certain ? PREPARED_YES : PREPARED_DOUBT;
}

static bool
grow(struct prepared *prepared)
{
    struct prepared next = *prepared;

    next.capacity = prepared->capacity == 0 ? ENTRIES_FIRST : prepared->capacity * 2;
    next.entries = calloc(next.capacity, sizeof(*next.entries));
    if (next.entries == NULL)
        return false;
    for (size_t i = 0; i < prepared->capacity; i++) {
        if (prepared->entries[i].kept != NULL)
            *place_of(&next, prepared->entries[i].kept) = prepared->entries[i];
    }
    free(prepared->entries);
    *prepared = next;
    return true;
}

uint64_t
prepared_sent(struct prepared *prepared, struct pg_kept *kept)
{
    struct prepared_entry *entry = &prepared->unnamed;

    if (kept->kepts != NULL) {
        if (prepared->count * 2 >= prepared->capacity && !grow(prepared))
            return 0;
        entry = place_of(prepared, kept);
        prepared->count += entry->kept == NULL;
    }
    struct pg_kept *previous = entry->kept;
    *entry = (struct prepared_entry){ .kept = kept_hold(kept),
                                      .batch = prepared->batch,
                                      .ticket = ++prepared->tickets };
    kept_release(previous);
    return entry->ticket;
}

void
prepared_next_batch(struct prepared *prepared)
{
    prepared->batch++;
}

void
prepared_done(struct prepared *prepared, const struct pg_kept *kept, uint64_t ticket)
{
    struct prepared_entry *entry = find(prepared, kept);

    if (entry != NULL && entry->ticket == ticket)
        entry->certain = true;
}

void
prepared_failed(struct prepared *prepared, const struct pg_kept *kept, uint64_t ticket)
{
    struct prepared_entry *entry = find(prepared, kept);

    if (entry != NULL && entry->ticket == ticket) {
        entry->certain = false;
        entry->batch = 0;
    }
}

void
prepared_drop_unnamed(struct prepared *prepared)
{
    kept_release(prepared->unnamed.kept);
    prepared->unnamed = (struct prepared_entry){ 0 };
}

void
prepared_doubt_all(struct prepared *prepared)
{
    for (size_t i = 0; i < prepared->capacity; i++) {
        prepared->entries[i].certain = false;
        prepared->entries[i].batch = prepared->entries[i].ticket = 0;
    }
}

void
prepared_clear(struct prepared *prepared)
{
    prepared_drop_unnamed(prepared);
    for (size_t i = 0; i < prepared->capacity; i++)
        kept_release(prepared->entries[i].kept);
    free(prepared->entries);
    *prepared = (struct prepared){ .batch = prepared->batch, .tickets = prepared->tickets };
}
