/* meter/replay.c - a set of ids for a time, without locks.
 *
 * An id's bucket is a few neighbouring words; a word holds the id's tag, the second
 * until which it counts, and its state. Two threads with one id must not both win, nor
 * may both lose: each writes its word as PENDING first and looks at the others after
 * that, so that at least one of them sees the other; then an ACCEPTED word refuses, and
 * among pending ones the lower place wins: it withdraws the higher one, by an exchange
 * that fails if that one was accepted meanwhile. */
#include "meter/replay.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKET = 16, BUCKETS_MIN = 4 };
enum { TAG_BITS = 38, SECONDS_BITS = 24, STATE_BITS = 2 };
#define TAG_MASK     ((UINT64_C(1) << TAG_BITS) - 1)
#define SECONDS_MASK ((UINT64_C(1) << SECONDS_BITS) - 1)
#define STATE_MASK   UINT64_C(3)

enum state { FREE, PENDING, ACCEPTED, WITHDRAWN };

struct replay_table {
    size_t mask; /* of buckets */
    _Atomic uint64_t words[];
};

enum status
replay_table_new(size_t entries, struct replay_table **out)
{
    struct replay_table *table;
    size_t buckets = BUCKETS_MIN;

    if (entries > (size_t)1 << 32)
        return STATUS_TOO_LARGE;
    while (buckets * BUCKET < entries)
        buckets *= 2;
    table = calloc(1, sizeof *table + buckets * BUCKET * sizeof table->words[0]);
    if (table == NULL)
        return STATUS_MEMORY;
    table->mask = buckets - 1;
    *out = table;
    return STATUS_OK;
}

void
replay_table_free(struct replay_table *table)
{
    free(table);
}

static uint64_t
word_of(uint64_t tag, uint64_t until, enum state state)
{
    return tag << (SECONDS_BITS + STATE_BITS) | until << STATE_BITS | state;
}

static uint64_t
tag_of(uint64_t word)
{
    return word >> (SECONDS_BITS + STATE_BITS);
}

/* Seconds run in a circle of half a year; what lies less than a quarter behind is over. */
static bool
is_over(uint64_t word, uint64_t now_s)
{
    uint64_t until = word >> STATE_BITS & SECONDS_MASK;

    return (word & STATE_MASK) == FREE ||
           ((now_s - until - 1) & SECONDS_MASK) < (SECONDS_MASK + 1) / 2;
}

/* Puts ours into the first place that is free or over; its index, BUCKET when there is none. */
static unsigned
claim(_Atomic uint64_t *bucket, uint64_t ours, uint64_t now_s)
{
    for (unsigned i = 0; i < BUCKET; i++) {
        uint64_t word = atomic_load(&bucket[i]);

        while (is_over(word, now_s)) {
            if (atomic_compare_exchange_weak(&bucket[i], &word, ours))
                return i;
        }
    }
    return BUCKET;
}

/* Is there no other with our tag that has a better right? */
static bool
prevails(_Atomic uint64_t *bucket, unsigned own, uint64_t tag, uint64_t now_s)
{
    for (unsigned i = 0; i < BUCKET; i++) {
        uint64_t word = i == own ? 0 : atomic_load(&bucket[i]);

        while (tag_of(word) == tag && !is_over(word, now_s)) {
            if ((word & STATE_MASK) == WITHDRAWN)
                break;
            if ((word & STATE_MASK) == ACCEPTED || i < own)
                return false;
            if (atomic_compare_exchange_weak(&bucket[i], &word, (word & ~STATE_MASK) | WITHDRAWN))
                break;
        }
    }
    return true;
}

static bool
stands_in(_Atomic uint64_t *bucket, uint64_t tag, uint64_t now_s)
{
    for (unsigned i = 0; i < BUCKET; i++) {
        uint64_t word = atomic_load(&bucket[i]);

        if (tag_of(word) == tag && (word & STATE_MASK) == ACCEPTED && !is_over(word, now_s))
            return true;
    }
    return false;
}

enum status
replay_take(struct replay_table *table, const uint8_t id[REPLAY_ID_SIZE], int64_t now_ms,
            int64_t until_ms)
{
    uint64_t now_s = (uint64_t)(now_ms / 1000) & SECONDS_MASK;
    uint64_t until_s = (uint64_t)((until_ms + 999) / 1000) & SECONDS_MASK;
    uint64_t place, tag, ours;
    _Atomic uint64_t *bucket;
    unsigned own;

    memcpy(&place, id, sizeof place);
    memcpy(&tag, id + sizeof place, sizeof tag);
    tag &= TAG_MASK;
    bucket = &table->words[(place & table->mask) * BUCKET];
    if (stands_in(bucket, tag, now_s))
        return STATUS_CONFLICT;
    ours = word_of(tag, until_s, PENDING);
    own = claim(bucket, ours, now_s);
    if (own == BUCKET)
        return STATUS_FULL;
    if (!prevails(bucket, own, tag, now_s)) {
        /* The place is free again, unless another has withdrawn it: then it is left to time. */
        (void)atomic_compare_exchange_strong(&bucket[own], &ours, 0);
        return STATUS_CONFLICT;
    }
    return atomic_compare_exchange_strong(&bucket[own], &ours, (ours & ~STATE_MASK) | ACCEPTED)
               ? STATUS_OK
               : STATUS_CONFLICT;
}
