/* meter/rate.c - rate limits shared by lanes, without locks: GCRA over atomic words.
 *
 * A cell is a key and its theoretical arrival time (TAT). A TAT that has passed says
 * no more than a fresh cell would, so that a cell is taken over by one exchange of
 * its key alone. Whoever counts looks at the key again afterwards: when the cell was
 * taken over meanwhile, the new key has paid one event too many and the old one
 * counts again elsewhere; no event is ever free. */
#include "meter/rate.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "place.h"

enum { WINDOW = 32, CELLS_MIN = 16 };
#define CELLS_MAX ((size_t)1 << 32)
#define NS_PER_MS UINT64_C(1000000)

struct cell {
    _Atomic uint64_t key; /* 0: never used */
    _Atomic uint64_t tat; /* ns */
};

struct rate_table {
    size_t mask;
    struct cell cells[];
};

enum status
rate_table_new(size_t cells, struct rate_table **out)
{
    struct rate_table *table;
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
rate_table_free(struct rate_table *table)
{
    free(table);
}

/* The key's cell, or the first that it may take over, or NULL: no room. */
static struct cell *
cell_of(struct rate_table *table, uint64_t key, uint64_t now)
{
    size_t start = place_of_key(key, table->mask);
    struct cell *reusable;

again:
    reusable = NULL;
    for (size_t i = 0; i < WINDOW && i <= table->mask; i++) {
        struct cell *cell = &table->cells[(start + i) & table->mask];
        uint64_t owner = atomic_load(&cell->key);

        if (owner == key)
            return cell;
        if (reusable == NULL && (owner == 0 || atomic_load(&cell->tat) <= now))
            reusable = cell;
        if (owner == 0) /* a search never passes a cell that was never used */
            break;
    }
    if (reusable != NULL) {
        uint64_t owner = atomic_load(&reusable->key);

        if (owner != key && owner != 0 && atomic_load(&reusable->tat) > now)
            goto again;
        if (owner != key && !atomic_compare_exchange_strong(&reusable->key, &owner, key))
            goto again;
    }
    return reusable;
}

/* Adds one event to the cell, or says when one will pass. */
static enum status
count(struct cell *cell, uint64_t interval, uint32_t most, uint64_t now, uint64_t *retry_ms)
{
    uint64_t burst = interval * (most - 1);
    uint64_t tat = atomic_load(&cell->tat);

    for (;;) {
        uint64_t from = tat > now ? tat : now;

        if (from - now > burst) {
            *retry_ms = (from - now - burst + NS_PER_MS - 1) / NS_PER_MS;
            return STATUS_LIMIT;
        }
        if (atomic_compare_exchange_weak(&cell->tat, &tat, from + interval))
            return STATUS_OK;
    }
}

enum status
rate_take(struct rate_table *table, uint64_t key, uint32_t most, uint32_t period_ms,
          uint64_t now_ms, uint64_t *retry_ms)
{
    uint64_t now = now_ms * NS_PER_MS;
    uint64_t interval;

    if (most == 0) {
        *retry_ms = period_ms;
        return STATUS_LIMIT;
    }
    if (key == 0) /* marks the cells that were never used */
        key = UINT64_C(0x9e3779b97f4a7c15);
    interval = ((uint64_t)period_ms * NS_PER_MS + most - 1) / most;
    for (;;) {
        struct cell *cell = cell_of(table, key, now);
        enum status status;

        if (cell == NULL)
            return STATUS_FULL;
        status = count(cell, interval, most, now, retry_ms);
        if (atomic_load(&cell->key) == key)
            return status;
    }
}
