/* meter/budget.c - what is open and what it has cost, without locks: a count, and GCRA with bytes
 * for events, in cells of two atomic words.
 *
 * A cell's first word holds the key's tag, a version and how many are open; the second the time
 * until which the bytes that have moved are paid for (the debt). A cell is free for another key
 * when nothing is open and nothing is owed: then one exchange of the first word takes it over
 * and opens in it. The version moves whenever the last one leaves, so that a cell that was used
 * meanwhile can't be taken over with its new debt.
 *
 * Two threads may take two cells for one key. Whoever has opened looks at the others after that,
 * so that at least one of the two sees the other, and steps back: a key never counts in two
 * cells. */
#include "meter/budget.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "place.h"

enum { WINDOW = 32, CELLS_MIN = 16, TRIES = 64 };
enum { OPEN_BITS = 16, VERSION_BITS = 12, TAG_BITS = 36 };
#define CELLS_MAX    ((size_t)1 << 31)
#define OPEN_MASK    ((UINT64_C(1) << OPEN_BITS) - 1)
#define VERSION_ONE  (UINT64_C(1) << OPEN_BITS)
#define VERSION_MASK (((UINT64_C(1) << VERSION_BITS) - 1) << OPEN_BITS)
#define TAG_MASK     (~(OPEN_MASK | VERSION_MASK))
#define TAG_ONE      (VERSION_ONE << VERSION_BITS)
#define NOBODY       TAG_MASK /* the tag of a cell that was left by whoever stepped back */
#define NS_PER_MS    UINT64_C(1000000)
__extension__ typedef unsigned __int128 wide;
/* More is owed by nobody: a hundred years. */
#define DEBT_MAX (UINT64_C(36500) * 86400000 * NS_PER_MS)

struct cell {
    _Atomic uint64_t owner; /* tag, version, open; 0: never used */
    _Atomic uint64_t paid;  /* ns */
};

struct budget_table {
    size_t mask;
    struct cell cells[];
};

enum status
budget_table_new(size_t cells, struct budget_table **out)
{
    struct budget_table *table;
    size_t capacity = CELLS_MIN;

    if (cells > CELLS_MAX)
        return STATUS_TOO_LARGE;
    while (capacity < cells)
        capacity *= 2;
    table = calloc(1, sizeof *table + capacity * sizeof *table->cells);
    if (table == NULL)
        return STATUS_MEMORY;
    table->mask = capacity - 1;
    *out = table;
    return STATUS_OK;
}

void
budget_table_free(struct budget_table *table)
{
    free(table);
}

/* Where a key is looked for. */
struct search {
    struct budget_table *table;
    size_t start;
    uint64_t tag; /* neither 0 nor NOBODY */
    uint64_t now; /* ns */
};

static struct search
search_for(struct budget_table *table, uint64_t key, uint64_t now)
{
    uint64_t mixed = spread(key);
    uint64_t tag = mixed & TAG_MASK;

    return (struct search){ .table = table,
                            .start = place_of_key(key, table->mask),
                            .tag = tag == 0 || tag == NOBODY ? TAG_ONE : tag,
                            .now = now };
}

static size_t
place_of(const struct search *search, size_t i)
{
    return (search->start + i) & search->table->mask;
}

static size_t
window_of(const struct search *search)
{
    return search->table->mask + 1 < WINDOW ? search->table->mask + 1 : WINDOW;
}

static bool
is_free(const struct cell *cell, uint64_t owner, uint64_t now)
{
    return (owner & OPEN_MASK) == 0 && atomic_load(&cell->paid) <= now;
}

/* The key's cell, or the first that it may take over, with what stands in it; SIZE_MAX: none. */
static size_t
find(const struct search *search, uint64_t *owner)
{
    size_t reusable = SIZE_MAX, window = window_of(search);

    for (size_t i = 0; i < window; i++) {
        size_t place = place_of(search, i);
        const struct cell *cell = &search->table->cells[place];
        uint64_t found = atomic_load(&cell->owner);

        if ((found & TAG_MASK) == search->tag) {
            *owner = found;
            return place;
        }
        if (reusable == SIZE_MAX && is_free(cell, found, search->now)) {
            reusable = place;
            *owner = found;
        }
        if (found == 0) /* a search never passes a cell that was never used */
            break;
    }
    return reusable;
}

/* Does the key count in another cell as well? */
static bool
counts_elsewhere(const struct search *search, size_t own)
{
    size_t window = window_of(search);

    for (size_t i = 0; i < window; i++) {
        size_t place = place_of(search, i);
        const struct cell *cell = &search->table->cells[place];
        uint64_t found = atomic_load(&cell->owner);

        if (found == 0)
            return false;
        if (place != own && (found & TAG_MASK) == search->tag && !is_free(cell, found, search->now))
            return true;
    }
    return false;
}

/* One less. Who steps back leaves no key behind when it was the last. */
static void
leave(struct cell *cell, bool steps_back, uint64_t now)
{
    uint64_t owner = atomic_load(&cell->owner), next;

    do {
        next = owner - 1;
        if ((next & OPEN_MASK) == 0) {
            next = (next & TAG_MASK) | ((next + VERSION_ONE) & VERSION_MASK);
            if (steps_back && atomic_load(&cell->paid) <= now)
                next = (next & VERSION_MASK) | NOBODY;
        }
    } while (!atomic_compare_exchange_weak(&cell->owner, &owner, next));
}

static enum status
bytes_left(const struct cell *cell, const struct budget *budget, unsigned times, uint64_t now,
           uint64_t *retry_ms)
{
    uint64_t paid = atomic_load(&cell->paid);
    uint64_t most = (uint64_t)budget->period_ms * NS_PER_MS * times;

    if (budget->most_bytes == 0 || paid <= now || paid - now < most)
        return STATUS_OK;
    *retry_ms = (paid - now - most) / NS_PER_MS + 1;
    return STATUS_LIMIT;
}

/* Opens in the cell, whose first word was `owner`. CONFLICT: it has changed meanwhile. */
static enum status
open_in(struct cell *cell, const struct search *search, const struct budget *budget, uint64_t owner)
{
    bool own = (owner & TAG_MASK) == search->tag;
    uint64_t open = owner & OPEN_MASK;
    uint64_t next = own ? owner + 1 : search->tag | (owner & VERSION_MASK) | 1;

    if (own && ((budget->most_open > 0 && open >= budget->most_open) || open == BUDGET_OPEN_MAX))
        return STATUS_LIMIT;
    return atomic_compare_exchange_strong(&cell->owner, &owner, next) ? STATUS_OK : STATUS_CONFLICT;
}

enum status
budget_enter(struct budget_table *table, const struct budget *budget, uint64_t now_ms,
             uint32_t *place, uint64_t *retry_ms)
{
    struct search search = search_for(table, budget->key, now_ms * NS_PER_MS);

    *retry_ms = 0;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint64_t owner = 0;
        size_t at = find(&search, &owner);
        enum status status;

        if (at == SIZE_MAX)
            return STATUS_FULL;
        status = open_in(&table->cells[at], &search, budget, owner);
        if (status == STATUS_LIMIT)
            return status;
        if (status == STATUS_CONFLICT)
            continue;
        if (counts_elsewhere(&search, at)) {
            leave(&table->cells[at], true, search.now);
            continue;
        }
        status = bytes_left(&table->cells[at], budget, 1, search.now, retry_ms);
        if (status == STATUS_OK)
            *place = (uint32_t)at;
        else
            leave(&table->cells[at], false, search.now);
        return status;
    }
    return STATUS_FULL;
}

void
budget_leave(struct budget_table *table, uint32_t place, uint64_t now_ms)
{
    leave(&table->cells[place], false, now_ms * NS_PER_MS);
}

void
budget_spend(struct budget_table *table, uint32_t place, const struct budget *budget,
             uint64_t bytes, uint64_t now_ms)
{
    _Atomic uint64_t *paid = &table->cells[place].paid;
    uint64_t now = now_ms * NS_PER_MS, until = atomic_load(paid), next;
    wide cost;

    if (budget->most_bytes == 0 || bytes == 0)
        return;
    cost = (wide)bytes * budget->period_ms * NS_PER_MS;
    cost = (cost + budget->most_bytes - 1) / budget->most_bytes;
    do {
        uint64_t from = until > now ? until : now;

        next = cost > DEBT_MAX || from - now + (uint64_t)cost > DEBT_MAX ? now + DEBT_MAX
                                                                         : from + (uint64_t)cost;
    } while (!atomic_compare_exchange_weak(paid, &until, next));
}

enum status
budget_ask(const struct budget_table *table, uint32_t place, const struct budget *budget,
           unsigned times, uint64_t now_ms, uint64_t *retry_ms)
{
    return bytes_left(&table->cells[place], budget, times, now_ms * NS_PER_MS, retry_ms);
}
