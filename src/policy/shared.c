/* policy/shared.c - counted things and the paged tables of them. */
#include "shared.h"

#include <stdlib.h>

void
shared_init(struct shared *shared, void (*destroy)(struct shared *shared))
{
    atomic_init(&shared->references, 1);
    shared->destroy = destroy;
}

void
shared_take(struct shared *shared)
{
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void
shared_drop(struct shared *shared)
{
    if (shared != NULL &&
        atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1)
        shared->destroy(shared);
}

static void
page_drop(struct page *page)
{
    if (page == NULL || atomic_fetch_sub_explicit(&page->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < PAGE_ITEMS; i++)
        shared_drop(page->items[i]);
    free(page);
}

bool
table_copy(struct table *table, const struct table *from)
{
    struct page **pages = calloc(from->page_count + 1, sizeof(struct page *));

    if (pages == NULL)
        return false;
    for (size_t i = 0; i < from->page_count; i++) {
        pages[i] = from->pages[i];
        if (pages[i] != NULL)
            atomic_fetch_add_explicit(&pages[i]->references, 1, memory_order_relaxed);
    }
    *table = (struct table){ .pages = pages,
                             .page_count = from->page_count,
                             .item_count = from->item_count };
    return true;
}

static bool
reach_page(struct table *table, size_t page)
{
    struct page **pages;

    if (page < table->page_count)
        return true;
    pages = reallocarray(table->pages, page + 1, sizeof(struct page *));
    if (pages == NULL)
        return false;
    memset(pages + table->page_count, 0, (page + 1 - table->page_count) * sizeof(struct page *));
    table->pages = pages;
    table->page_count = page + 1;
    return true;
}

/* The page for this table alone, so that it can be written. */
static struct page *
own_page(struct table *table, size_t at)
{
    struct page *page, *old;

    if (!reach_page(table, at))
        return NULL;
    old = table->pages[at];
    if (old != NULL && atomic_load_explicit(&old->references, memory_order_acquire) == 1)
        return old;
    page = calloc(1, sizeof(*page));
    if (page == NULL)
        return NULL;
    atomic_init(&page->references, 1);
    for (size_t i = 0; old != NULL && i < PAGE_ITEMS; i++) {
        page->items[i] = old->items[i];
        if (page->items[i] != NULL)
            shared_take(page->items[i]);
    }
    page_drop(old);
    table->pages[at] = page;
    return page;
}

bool
table_set(struct table *table, name_id id, struct shared *item)
{
    struct page *page = own_page(table, id / PAGE_ITEMS);
    struct shared **place;

    if (page == NULL) {
        shared_drop(item);
        return false;
    }
    place = &page->items[id % PAGE_ITEMS];
    table->item_count += item != NULL;
    table->item_count -= *place != NULL;
    shared_drop(*place);
    *place = item;
    return true;
}

void
table_free(struct table *table)
{
    for (size_t i = 0; i < table->page_count; i++)
        page_drop(table->pages[i]);
    free(table->pages);
    *table = (struct table){ 0 };
}

void
table_each(const struct table *table, table_visitor each, void *context)
{
    for (size_t page = 0; page < table->page_count; page++) {
        if (table->pages[page] == NULL)
            continue;
        for (size_t i = 0; i < PAGE_ITEMS; i++) {
            struct shared *item = table->pages[page]->items[i];

            if (item != NULL && !each(context, (name_id)(page * PAGE_ITEMS + i), item))
                return;
        }
    }
}
