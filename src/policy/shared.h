/* policy/shared.h - what several pictures hold together: counted things, and
 * tables of them by name that are copied in pages, where they change. */
#ifndef WRIT_POLICY_SHARED_H
#define WRIT_POLICY_SHARED_H

#include <stdatomic.h>

#include "policy/policy.h"

/* The first member of a counted thing; made with one reference. */
struct shared {
    atomic_size_t references;
    void (*destroy)(struct shared *shared);
};

void shared_init(struct shared *shared, void (*destroy)(struct shared *shared));
void shared_take(struct shared *shared);
void shared_drop(struct shared *shared); /* accepts NULL */

enum { PAGE_ITEMS = 256 };

struct page {
    atomic_size_t references;
    struct shared *items[PAGE_ITEMS];
};

struct table {
    struct page **pages; /* NULL: an empty page */
    size_t page_count, item_count;
};

static inline struct shared *
table_get(const struct table *table, name_id id)
{
    size_t page = id / PAGE_ITEMS;

    if (page >= table->page_count || table->pages[page] == NULL)
        return NULL;
    return table->pages[page]->items[id % PAGE_ITEMS];
}

/* Shares all pages of from. */
bool table_copy(struct table *table, const struct table *from);
/* Takes over the caller's reference, also on failure; NULL removes. */
bool table_set(struct table *table, name_id id, struct shared *item);
void table_free(struct table *table);
/* Ids with an item, in ascending order; false stops. */
typedef bool (*table_visitor)(void *context, name_id id, struct shared *item);
void table_each(const struct table *table, table_visitor each, void *context);

#endif
